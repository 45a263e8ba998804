package main

import (
	"testing"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

func TestASearchEndsWithTheCodeOfWhatItFound(t *testing.T) {
	long(t)
	trials := func(verdicts ...reports.TrialVerdict) (list []reports.SearchTrial) {
		for _, v := range verdicts {
			list = append(list, reports.SearchTrial{Verdict: v})
		}
		return list
	}
	found := reports.SearchAnswer{RatePerS: 1000, Bound: reports.ServerBound}
	for name, tt := range map[string]struct {
		search reports.Search
		want   exitCode
	}{
		"an answer":                {reports.Search{Answer: found, Trials: trials("passed", "failed")}, exitOK},
		"an answer and noise":      {reports.Search{Answer: found, Trials: trials("noisy", "passed", "invalid")}, exitOK},
		"nothing passes":           {reports.Search{Trials: trials("failed", "failed")}, exitViolated},
		"nothing is valid":         {reports.Search{Trials: trials("noisy", "invalid")}, exitInvalid},
		"noise, then a failure":    {reports.Search{Trials: trials("noisy", "failed")}, exitViolated},
		"an answer and a loss":     {reports.Search{Answer: found, Trials: trials("passed", "lost")}, exitAccounting},
		"cut short after a loss":   {reports.Search{Interrupted: true, Trials: trials("lost")}, exitInterrupted},
		"cut short with an answer": {reports.Search{Answer: found, Interrupted: true, Trials: trials("passed")}, exitInterrupted},
	} {
		if got := searchCode(&tt.search); got != tt.want {
			t.Errorf("%s: exit code %d, want %d", name, got, tt.want)
		}
	}
}

func TestASearchAsksForALatencyWhereNobodyDoes(t *testing.T) {
	peer, room := loadgen.Peer(1, 1, 2), loadgen.Fanout(1, 1, 1, 2)
	both := room
	both.Traffic = append(both.Traffic, peer.Traffic...)
	own, err := loadgen.ParseThreshold("peer.ack.p50 < 1ms")
	if err != nil {
		t.Fatal(err)
	}
	own.Abort, own.After = true, 1
	said := peer
	said.Thresholds = []loadgen.Threshold{own}
	for name, tt := range map[string]struct {
		flags loadSearchCommand
		w     loadgen.Workload
		want  []string
	}{
		"peer messages":    {loadSearchCommand{}, peer, []string{"peer.ack.p99 < 20ms"}},
		"channel messages": {loadSearchCommand{}, room, []string{"channel.deliver.p99 < 20ms"}},
		"both":             {loadSearchCommand{}, both, []string{"peer.ack.p99 < 20ms", "channel.deliver.p99 < 20ms"}},
		"a workload's own": {loadSearchCommand{}, said, []string{"peer.ack.p50 < 1ms"}},
		"a flag":           {loadSearchCommand{SLO: []loadgen.Threshold{own}}, peer, []string{"peer.ack.p50 < 1ms"}},
	} {
		list := tt.flags.demands(tt.w)
		if len(list) != len(tt.want) {
			t.Fatalf("%s: %v", name, list)
		}
		for i, threshold := range list {
			if threshold.String() != tt.want[i] || threshold.Abort || threshold.After != 0 || !threshold.AllowInsufficient {
				t.Errorf("%s: %+v", name, threshold)
			}
		}
	}
	if !said.Thresholds[0].Abort {
		t.Error("the workload's own thresholds were changed")
	}
}
