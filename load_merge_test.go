package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// command runs rtmkit in this process and returns its exit code and all that it printed.
func command(args ...string) (code int, printed string) {
	var out, errs strings.Builder
	code = run(args, strings.NewReader(""), &out, &errs)
	return code, out.String() + errs.String()
}

func TestShardsOfOneRunMergeToARunThatVerifies(t *testing.T) {
	long(t)
	config := refserver.DefaultConfig()
	config.OpenApps, config.Limits.Calls = true, nil
	server, err := refserver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		<-served
	})

	dir := t.TempDir()
	workload := filepath.Join(dir, "workload.yaml")
	text := `
sessions: {count: 12, rate: 100/s}
channels: [{name: "room-%d", count: 2, members: 8}]
traffic:
  - {id: peer, op: peer, rate: 100/s}
  - {id: room, op: channel, channel: "room-%d", rate: 40/s}
phases: {warmup: 500ms, measure: 1s, drain: 500ms}
`
	if err := os.WriteFile(workload, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	start := time.Now().Add(2 * time.Second).Format(time.RFC3339Nano)
	var all sync.WaitGroup
	for i := range 2 {
		all.Go(func() {
			code, printed := command("load", "run", workload, "--server", "ws://"+listener.Addr().String()+wire.Path,
				"--shard", fmt.Sprintf("%d/2", i), "--start-at", start, "--out", filepath.Join(dir, fmt.Sprint(i)))
			// A busy machine may make a run invalid; its ledger must be clean all the same.
			if code != int(exitOK) && code != int(exitInvalid) {
				t.Errorf("shard %d ended with %d: %s", i, code, printed)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	merged := filepath.Join(dir, "merged")
	code, printed := command("load", "merge", filepath.Join(dir, "1"), filepath.Join(dir, "0"), "--out", merged)
	if code != int(exitOK) && code != int(exitInvalid) {
		t.Errorf("merge ended with %d: %s", code, printed)
	}
	// 150 peer messages, and 60 channel messages to 7 members each.
	if !strings.Contains(printed, "150") || !strings.Contains(printed, "420") {
		t.Errorf("the merged run: %s", printed)
	}
	for _, folder := range []string{"0", "1", "merged"} {
		if code, printed := command("load", "verify", filepath.Join(dir, folder)); code != int(exitOK) {
			t.Errorf("verify %s ended with %d: %s", folder, code, printed)
		}
	}
	for words, args := range map[string][]string{
		"shard 1 of 2 is missing":    {filepath.Join(dir, "0")},
		"are both shard 0":           {filepath.Join(dir, "0"), filepath.Join(dir, "0")},
		"merged is a run of its own": {merged},
	} {
		code, printed := command(append([]string{"load", "merge", "--out", filepath.Join(dir, "other")}, args...)...)
		if code != int(exitUsage) || !strings.Contains(printed, words) {
			t.Errorf("merge of %v ended with %d: %s", args, code, printed)
		}
	}
}

func TestShardFlagsGoTogether(t *testing.T) {
	for words, args := range map[string][]string{
		"--start-at belongs to a --shard":          {"--start-at", "+1s"},
		"--shard needs --start-at":                 {"--shard", "0/2"},
		"--shard needs --server":                   {"--shard", "0/2", "--start-at", "+1s"},
		"shards count from 0":                      {"--shard", "2/2", "--start-at", "+1s", "--server", "ws://127.0.0.1:1/"},
		"late enough for the last of them":         {"--shard", "0/2", "--start-at", "2020-01-01T00:00:00Z", "--server", "ws://127.0.0.1:1/"},
		"write it like":                            {"--shard", "0/2", "--start-at", "soon", "--server", "ws://127.0.0.1:1/"},
		"60 sessions cannot be cut into 61 shards": {"--shard", "0/61", "--start-at", "+1h", "--server", "ws://127.0.0.1:1/", "--clients", "60"},
	} {
		code, printed := command(append([]string{"load", "run", "peer"}, args...)...)
		if code != int(exitUsage) || !strings.Contains(printed, words) {
			t.Errorf("%v ended with %d: %s", args, code, printed)
		}
	}
}
