package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/reference-server/engine/memory"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

var (
	abBlocks = flag.Int("ab.blocks", 0, "compare identical builds over this many real blocks of four runs, and then a build that costs 15 µs more for each message")
	abOut    = flag.String("ab.out", "", "keep the comparisons of -ab.blocks in this new folder")
	abSlow   = flag.Int("ab.slow", 3, "how often -ab.blocks compares with the slower build, six blocks each")
)

// slowServer is the reference server with an engine that burns processor time for each message it routes: its first
// argument, such as 15us or 0s. It ends with its standard input, or dies so long after the first message as its second
// argument says.
func slowServer() {
	burn, err := time.ParseDuration(os.Args[1])
	if err != nil {
		panic(err)
	}
	cfg := refserver.DefaultConfig()
	cfg.OpenApps, cfg.Limits.Calls = true, nil
	slow := slowEngine{Engine: memory.New(cfg.Limits), burn: burn}
	if len(os.Args) > 2 {
		life, err := time.ParseDuration(os.Args[2])
		if err != nil {
			panic(err)
		}
		slow.first = sync.OnceFunc(func() { time.AfterFunc(life, func() { os.Exit(1) }) })
	}
	cfg.Engine = slow
	server, err := refserver.New(cfg)
	if err != nil {
		panic(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go server.Serve(listener)
	json.NewEncoder(os.Stdout).Encode(readyLine{"ws://" + listener.Addr().String() + wire.Path})
	io.Copy(io.Discard, os.Stdin)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	server.Shutdown(ctx)
}

type slowEngine struct {
	engine.Engine
	burn  time.Duration
	first func() // called with each message, acts once; nil in a server that does not die
}

func (e slowEngine) Login(ctx context.Context, b *engine.Batch, app, uid string, s engine.Session) (engine.Seat, error) {
	seat, err := e.Engine.Login(ctx, b, app, uid, s)
	if err != nil {
		return nil, err
	}
	return slowSeat{seat, e}, nil
}

type slowSeat struct {
	engine.Seat
	engine slowEngine
}

func (s slowSeat) Send(ctx context.Context, b *engine.Batch, to []byte, m engine.Peer) (engine.Fate, error) {
	if s.engine.first != nil {
		s.engine.first()
	}
	if s.engine.burn > 0 {
		for began := time.Now(); time.Since(began) < s.engine.burn; {
		}
	}
	return s.Seat.Send(ctx, b, to, m)
}

// compareReal runs the real command on two builds of the slow server and returns what it found and its exit code.
func compareReal(t *testing.T, out, base, head string, blocks int) (*reports.Gate, int) {
	t.Helper()
	cmd := exec.Command("rtmkit", "load", "ab", "-a", "exec slowserver "+base, "-b", "exec slowserver "+head, "peer",
		"--rate", "4000/s", "--warmup", "1s", "--measure", "3s", "--blocks", fmt.Sprint(blocks), "--out", out)
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	t.Logf("%s", said)
	g, err := reports.ReadGate(out)
	if err != nil {
		t.Fatal(err)
	}
	return g, cmd.ProcessState.ExitCode()
}

// some returns a gate of some blocks of a recorded one, each with its sides swapped or not.
func some(g *reports.Gate, blocks []int, swapped func() bool) *reports.Gate {
	again := &reports.Gate{Schema: g.Schema, Paired: true}
	again.Plan, _ = reports.NewGatePlan(g.Plan.Rules, len(blocks), len(blocks))
	for _, block := range blocks {
		again.Blocks = append(again.Blocks, reports.GateBlock{Order: g.Blocks[block].Order})
		swap := swapped()
		for _, r := range g.Runs {
			if r.Block != block+1 || !r.Counted {
				continue
			}
			r.Block = len(again.Blocks)
			if swap {
				r.Side = map[reports.GateSide]reports.GateSide{reports.BaseSide: reports.HeadSide, reports.HeadSide: reports.BaseSide}[r.Side]
			}
			again.Runs = append(again.Runs, r)
		}
	}
	again.Judge()
	return again
}

// TestABOnRealBuilds holds the gate against real servers on this machine: identical builds raise no alarm, and 15 µs
// more for each message are seen with six blocks. It takes about 20 s for each block, so it runs only when -ab.blocks
// asks for it, on a machine that does nothing else.
func TestABOnRealBuilds(t *testing.T) {
	long(t)
	if *abBlocks == 0 {
		t.Skip("takes minutes on a quiet machine: go test -run TestABOnRealBuilds -v -timeout 1h -ab.blocks 24 .")
	}
	out := *abOut
	if out == "" {
		out = t.TempDir()
	}
	same, code := compareReal(t, filepath.Join(out, "same"), "0s", "0s", *abBlocks)
	if code == int(exitViolated) {
		t.Errorf("identical builds end with exit code %d", code)
	}
	identical(t, same)
	var slower []*reports.Gate
	for i := range *abSlow {
		g, code := compareReal(t, filepath.Join(out, fmt.Sprintf("slower-%d", i+1)), "0s", "15us", 6)
		if slower = append(slower, g); g.Verdict != reports.Regressed || code != int(exitViolated) {
			t.Errorf("15 µs more for each message: %s, exit code %d", g.Verdict, code)
		}
	}
	tally(t, "15 µs slower, six blocks", slower...)
}

// tally prints how often each verdict was given, and returns the share of alarms, of improvements too.
func tally(t *testing.T, name string, gates ...*reports.Gate) (alarms float64) {
	verdicts := make(map[reports.GateVerdict]int)
	for _, g := range gates {
		verdicts[g.Verdict]++
	}
	share := func(v reports.GateVerdict) string {
		return fmt.Sprintf("%.1f %%", 100*float64(verdicts[v])/float64(len(gates)))
	}
	t.Logf("%-34s %8d %10s %10s %10s %10s", name, len(gates), share(reports.Regressed), share(reports.Improved), share(reports.Equivalent), share(reports.Inconclusive))
	return float64(verdicts[reports.Regressed]+verdicts[reports.Improved]) / float64(len(gates))
}

// identical holds a recorded comparison of a build with itself against what the gate promises: over all its blocks, in
// sets of six one after the other, and in 2000 sets of six drawn from them with the sides of each block tossed anew.
func identical(t *testing.T, same *reports.Gate) {
	t.Helper()
	var counted []int
	for i, b := range same.Blocks {
		if b.Dropped == "" {
			counted = append(counted, i)
		}
	}
	if len(counted) < 20 {
		t.Fatalf("%d of %d blocks count, 20 are wanted; the machine is not quiet", len(counted), len(same.Blocks))
	}
	t.Logf("%-34s %8s %10s %10s %10s %10s", "builds", "verdicts", "regressed", "improved", "equivalent", "open")
	if tally(t, "identical, all blocks", same) > 0 {
		t.Errorf("identical builds: %s\n%s", same.Verdict, same.Text())
	}
	var disjoint, drawn []*reports.Gate
	for i := 0; i+6 <= len(counted); i += 6 {
		disjoint = append(disjoint, some(same, counted[i:i+6], func() bool { return false }))
	}
	random := rand.New(rand.NewPCG(4, 6))
	for range 2000 {
		var six []int
		for _, i := range random.Perm(len(counted))[:6] {
			six = append(six, counted[i])
		}
		drawn = append(drawn, some(same, six, func() bool { return random.IntN(2) == 1 }))
	}
	if alarms := tally(t, "identical, six after six", disjoint...); alarms > 0 {
		t.Errorf("identical builds: %.0f %% alarms in the sets of six", 100*alarms)
	}
	if alarms := tally(t, "identical, six drawn, sides tossed", drawn...); alarms > .06 {
		t.Errorf("identical builds: %.1f %% alarms, 6 %% are allowed", 100*alarms)
	}
}

// TestTheBlocksOfAComparisonAreJudgedInSets goes through the tables of real builds with made-up runs.
func TestTheBlocksOfAComparisonAreJudgedInSets(t *testing.T) {
	x := scripted(t, "iii", 24, 24, 1)
	if err := x.play(); err != nil {
		t.Fatal(err)
	}
	identical(t, x.gate)
	worse := scripted(t, "", 24, 24, 1.2)
	if err := worse.play(); err != nil {
		t.Fatal(err)
	}
	six := []int{3, 4, 5, 9, 20, 23}
	if g := some(worse.gate, six, func() bool { return false }); g.Verdict != reports.Regressed || len(g.Runs) != 24 {
		t.Errorf("six blocks of a slower build: %s of %d runs", g.Verdict, len(g.Runs))
	}
	if g := some(worse.gate, six, func() bool { return true }); g.Verdict != reports.Improved {
		t.Errorf("with the sides swapped: %s", g.Verdict)
	}
}
