package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

// scripted is an experiment whose runs are made up: each takes the next letter of the script, v for valid, d for
// degraded, i for invalid, and V behind its end; head costs so much more.
func scripted(t *testing.T, script string, blocks, most int, head float64) *experiment {
	t.Helper()
	plan, err := reports.NewGatePlan([]reports.GateRule{{Name: reports.ServerCPU, Margin: reports.CPUMargin}}, blocks, most)
	if err != nil {
		t.Fatal(err)
	}
	x := &experiment{
		app: &app{ctx: t.Context(), stdout: io.Discard, stderr: io.Discard}, command: &loadABCommand{MaxBlocks: most, Out: t.TempDir()}, progress: newProgress(io.Discard),
		gate: &reports.Gate{Schema: reports.GateSchema, Paired: true, Plan: plan, Seed: 7},
	}
	x.one = func(side reports.GateSide) (*reports.GateRun, error) {
		number := len(x.gate.Runs)
		r := reports.GateRun{Name: fmt.Sprint(number + 1), Side: side, Block: len(x.gate.Blocks), Validity: reports.Valid, Values: map[string]float64{reports.ServerCPU: 50e3 + float64(number%5)}}
		if side == reports.HeadSide {
			r.Values[reports.ServerCPU] *= head
		}
		if number < len(script) {
			switch script[number] {
			case 'i':
				r.Validity, r.Reasons = reports.Invalid, []string{"late"}
			case 'd':
				r.Validity = reports.Degraded
			case 'x':
				return nil, errors.New("the server is gone")
			}
		}
		r.Counted = r.Validity != reports.Invalid
		x.gate.Runs = append(x.gate.Runs, r)
		return &r, nil
	}
	return x
}

func TestAnInvalidRunIsRepeatedTwiceInABlock(t *testing.T) {
	for _, tt := range []struct {
		script      string
		blocks      int
		runs, count int // runs in all, blocks that count
		dropped     string
	}{
		{"", 2, 8, 2, ""},
		{"vdvv", 2, 8, 2, ""},
		{"viv", 2, 9, 2, ""},
		{"iivvvv", 2, 10, 2, ""},
		{"ivivvv", 2, 10, 2, ""},
		{"iii", 2, 7, 1, "Run 3 is invalid, after 2 of the block were repeated."},
		{"vviivi", 2, 10, 1, "Run 6 is invalid"},
		{"vvvviii", 2, 7, 1, "Run 7 is invalid"},
	} {
		x := scripted(t, tt.script, tt.blocks, tt.blocks, 1)
		if err := x.play(); err != nil {
			t.Fatalf("%s: %v", tt.script, err)
		}
		dropped := ""
		for _, b := range x.gate.Blocks {
			dropped += b.Dropped
		}
		if len(x.gate.Runs) != tt.runs || x.gate.CountedBlocks() != tt.count || !strings.HasPrefix(dropped, tt.dropped) || tt.dropped == "" && dropped != "" {
			t.Errorf("%q: %d runs, %d blocks count, dropped %q", tt.script, len(x.gate.Runs), x.gate.CountedBlocks(), dropped)
		}
		if err := x.close(nil); exitOf(err) != exitInvalid {
			t.Errorf("%q: two blocks decide nothing, and it ends with %v", tt.script, err)
		}
		if _, err := reports.ReadGate(x.command.Out); err != nil {
			t.Errorf("%q: %v", tt.script, err)
		}
	}
}

// exitOf is the exit code that an error stands for.
func exitOf(err error) exitCode {
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	if err != nil {
		return exitBroken
	}
	return exitOK
}

func TestAComparisonEndsAtTheFirstLookThatDecides(t *testing.T) {
	for _, tt := range []struct {
		head   float64
		strict bool
		blocks int
		want   reports.GateVerdict
		code   exitCode
	}{
		{1, false, 6, reports.Equivalent, exitOK},
		{1.2, false, 6, reports.Regressed, exitViolated},
		{.8, false, 6, reports.Improved, exitOK},
		{1.05, false, 24, reports.Inconclusive, exitOK},
		{1.05, true, 24, reports.Inconclusive, exitViolated},
	} {
		x := scripted(t, "", 6, 24, tt.head)
		x.command.Strict = tt.strict
		if err := x.play(); err != nil {
			t.Fatal(err)
		}
		if g := x.gate; g.Verdict != tt.want || len(g.Blocks) != tt.blocks {
			t.Errorf("×%v: %s after %d blocks, want %s after %d\n%s", tt.head, g.Verdict, len(g.Blocks), tt.want, tt.blocks, g.Text())
		}
		if err := x.close(nil); exitOf(err) != tt.code {
			t.Errorf("×%v: ends with %v, want exit code %d", tt.head, err, tt.code)
		}
	}
}

func TestAComparisonEndsWhenNoLookCanDecideAnyMore(t *testing.T) {
	for _, tt := range []struct {
		script       string
		blocks, most int
		want         int // blocks that ran
	}{
		{"iii", 5, 5, 1},    // four are left, and 1/16 is above 0.05
		{"iii", 6, 6, 6},    // five are left
		{"iiiiii", 6, 6, 2}, // four are left
		{"iiiiii", 5, 12, 12},
		{"iii", 2, 2, 2}, // which could not have decided anything anyway
	} {
		x := scripted(t, tt.script, tt.blocks, tt.most, 1.05)
		if err := x.play(); err != nil {
			t.Fatal(err)
		}
		if len(x.gate.Blocks) != tt.want {
			t.Errorf("%q of %d–%d blocks: %d ran, want %d", tt.script, tt.blocks, tt.most, len(x.gate.Blocks), tt.want)
		}
		if err := x.close(nil); tt.want < tt.blocks && exitOf(err) != exitInvalid {
			t.Errorf("%q: ends with %v", tt.script, err)
		}
	}
}

func TestTheOrdersOfTheBlocksFollowFromTheSeed(t *testing.T) {
	orders := func(seed int64) (said string) {
		x := scripted(t, "", 16, 16, 1)
		x.gate.Seed = seed
		if err := x.play(); err != nil {
			t.Fatal(err)
		}
		for _, b := range x.gate.Blocks {
			said += string(b.Order) + " "
		}
		return said
	}
	if a, b := orders(1), orders(1); a != b {
		t.Errorf("one seed gives %s and %s", a, b)
	}
	if a, b := orders(1), orders(2); a == b || !strings.Contains(a, "ABBA") || !strings.Contains(a, "BAAB") {
		t.Errorf("two seeds give %s and %s", a, b)
	}
}

func TestWhatRanBeforeAnErrorIsWritten(t *testing.T) {
	x := scripted(t, "vvvvvx", 6, 6, 1)
	err := x.play()
	if err == nil {
		t.Fatal("the error is lost")
	}
	if got := x.close(err); got == nil || got.Error() != err.Error() {
		t.Errorf("ends with %v", got)
	}
	g, err := reports.ReadGate(x.command.Out)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Runs) != 5 || g.CountedBlocks() != 1 || g.Blocks[1].Dropped == "" || !strings.Contains(strings.Join(g.Notes, " "), "the server is gone") {
		t.Errorf("%+v", g)
	}
	x = scripted(t, "x", 6, 6, 1)
	if got := x.close(x.play()); got == nil || got.Error() != "the server is gone" {
		t.Errorf("a comparison that never began ends with %v", got)
	}
}

func TestAnInterruptedComparisonIsWrittenAndSaysSo(t *testing.T) {
	x := scripted(t, "", 6, 6, 1.5)
	ctx, cancel := context.WithCancel(t.Context())
	x.app.ctx = ctx
	one := x.one
	x.one = func(side reports.GateSide) (*reports.GateRun, error) {
		if len(x.gate.Runs) == 9 {
			cancel()
			return nil, context.Cause(ctx)
		}
		return one(side)
	}
	if err := x.close(x.play()); exitOf(err) != exitInterrupted {
		t.Errorf("ends with %v", err)
	}
	g, err := reports.ReadGate(x.command.Out)
	if err != nil || !g.Interrupted || len(g.Runs) != 9 || g.CountedBlocks() != 2 || g.Verdict != reports.Inconclusive {
		t.Errorf("%v %+v", err, g)
	}
}
