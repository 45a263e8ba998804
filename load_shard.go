package main

import (
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
)

// shardFlags make a load run one part of a run that several processes play.
type shardFlags struct {
	Shard   string `placeholder:"I/N" help:"Play part I of N of the run, counted from 0; the others are given the same workload, N and --start-at."`
	StartAt string `placeholder:"TIME" help:"When all parts begin, such as 2030-01-31T12:00:00Z, or +30s."`
}

// shard returns the part that the flags name, or nil for a whole run.
func (f shardFlags) shard(server string, now time.Time) (*loadgen.Shard, error) {
	switch {
	case f.Shard == "" && f.StartAt == "":
		return nil, nil
	case f.Shard == "":
		return nil, fail(exitUsage, "--start-at belongs to a --shard")
	case f.StartAt == "":
		return nil, fail(exitUsage, "--shard needs --start-at: all parts of the run begin at the same moment")
	case server == "":
		return nil, fail(exitUsage, "--shard needs --server: all parts of the run load the same server")
	}
	index, count, err := loadgen.ParseShard(f.Shard)
	if err != nil {
		return nil, fail(exitUsage, "--shard: %w", err)
	}
	start, err := loadgen.ParseStart(f.StartAt, now)
	if err != nil {
		return nil, fail(exitUsage, "--start-at: %w", err)
	}
	return &loadgen.Shard{Index: index, Count: count, StartAt: start}, nil
}
