package reports

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// storedRuns are runs of one build, one after the other, with a CPU time of their own each.
func storedRuns(side string, n int, cpu float64) []StoredRun {
	var runs []StoredRun
	one := fixtureLoad("peer", 1)
	for i := range n {
		l := *one
		l.Manifest.StartedAt = l.Manifest.StartedAt.Add(time.Duration(i) * time.Minute)
		l.Summary.Health.ServerCPUPerMessageNS = cpu * (1 + .005*float64(i*i%7))
		runs = append(runs, StoredRun{Name: fmt.Sprintf("%s/%03d", side, i+1), Load: &l})
	}
	return runs
}

func TestStoredRunsGetTheSameVerdicts(t *testing.T) {
	g, err := NewStoredGate(storedRuns("old", 6, 5000), storedRuns("new", 5, 6500), nil)
	if err != nil {
		t.Fatal(err)
	}
	if g.Verdict != Regressed || g.Metrics[0].Name != ServerCPU || g.Metrics[0].Verdict != Regressed || g.Metrics[0].Low < 1.2 || g.Metrics[0].High > 1.4 ||
		g.Metrics[1].Name != "peer.ack.p50" || g.Metrics[1].Verdict != Equivalent {
		t.Errorf("%s", g.Text())
	}
	if len(g.Runs) != 11 || len(g.Runs[0].Curve) < 10 || g.Base.Source != "old/001, old/002, old/003, 3 more" {
		t.Errorf("%d runs, %d points, base %q", len(g.Runs), len(g.Runs[0].Curve), g.Base.Source)
	}
	if err := WriteGate(t.TempDir(), g); err != nil {
		t.Error(err)
	}
	few, err := NewStoredGate(storedRuns("old", 1, 5000), storedRuns("new", 1, 6500), nil)
	if err != nil || few.Verdict != Inconclusive || few.Metrics[0].Ratio < 1.29 || few.Metrics[0].High != 0 {
		t.Errorf("one run on each side: %v %+v", err, few)
	}
}

func TestStoredRunsThatCannotBeComparedAreNamed(t *testing.T) {
	for want, spoil := range map[string]func(l *Load){
		"new/002 has another workload than old/001": func(l *Load) { l.Manifest.WorkloadSHA256 = strings.Repeat("0", 64) },
		"new/002 lost its server":                   func(l *Load) { l.Manifest.LostNS = 1 },
		"new/002 was interrupted":                   func(l *Load) { l.Manifest.Interrupted = true },
		"new/002 is invalid (late)":                 func(l *Load) { l.Summary.Validity = Validity{Verdict: Invalid, Reasons: []string{"late"}} },
	} {
		head := storedRuns("new", 5, 5000)
		spoil(head[1].Load)
		if _, err := NewStoredGate(storedRuns("old", 5, 5000), head, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if _, err := NewStoredGate(nil, storedRuns("new", 1, 1), nil); err == nil {
		t.Error("a side without runs is compared")
	}
	if _, err := NewStoredGate(storedRuns("old", 1, 1), storedRuns("new", MaxStoredRuns+1, 1), nil); err == nil {
		t.Error("more runs are compared than anybody can wait for")
	}
}

func TestWhatStoredRunsLackIsNotGated(t *testing.T) {
	base, head := storedRuns("old", 5, 5000), storedRuns("new", 5, 5000)
	base[2].Load.Summary.Health.ServerCPUPerMessageNS = 0
	head[3].Load.Manifest.Environment.Cores = 64
	g, err := NewStoredGate(base, head, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(g.Plan.Rules) != 1 || g.Plan.Rules[0].Name != "peer.ack.p50" || g.Verdict != Equivalent {
		t.Errorf("%s: %+v", g.Verdict, g.Plan.Rules)
	}
	for _, want := range []string{"CPU time of the server was not observed", "machine differs", "not interleaved"} {
		if !strings.Contains(strings.Join(g.Notes, " "), want) {
			t.Errorf("no note says %q: %v", want, g.Notes)
		}
	}
	if err := g.CheckRule(GateRule{ServerCPU, .05}); err == nil || !strings.Contains(err.Error(), "not observed in 1 of 10 runs") || !strings.Contains(err.Error(), "peer.ack.p99") {
		t.Errorf("%v", err)
	}
	if g.CheckRule(GateRule{"peer.ack.p99", .05}) != nil || g.CheckRule(GateRule{ServerCPU, 0}) != nil {
		t.Error("a rule that can be kept is refused")
	}
}

func TestACurveEndsWhereItsSamplesGetFew(t *testing.T) {
	r := NewGateRun(fixtureLoad("peer", 1), HeadSide, "peer.ack")
	last := r.Curve[len(r.Curve)-1]
	if last.Percentile < 99 || 12000*(1-last.Percentile/100) < 10 {
		t.Errorf("the curve of 12000 samples ends at %v", last)
	}
	if _, has := r.Values["peer.ack.p99.9"]; !has || r.Values["lag.p50"] != 0 {
		t.Errorf("%v", r.Values)
	}
	l := fixtureLoad("peer", 1)
	l.Summary.Metrics[0].Count = 900
	if _, has := NewGateRun(l, HeadSide, "peer.ack").Values["peer.ack.p99"]; has {
		t.Error("a p99 of 900 samples is an anecdote and is compared")
	}
}
