package reports

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCompareFindsWhatChanged(t *testing.T) {
	base, head := passingReport(), passingReport()
	q := &head.Conformance.Requirements[26]
	q.Verdict = Fail
	m := &head.Loads[0].Summary.Metrics[0]
	m.P99NS = base.Loads[0].Summary.Metrics[0].P99NS * 3 / 2
	head.Loads[1].Summary.Ledger[0].Lost = 4
	c, err := Compare(base, head)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Verdicts) != 1 || c.Verdicts[0].ID != q.ID || !c.Verdicts[0].Worse() {
		t.Errorf("verdicts: %+v", c.Verdicts)
	}
	i := slices.IndexFunc(c.Runs[0].Metrics, func(m MetricChange) bool { return m.Metric == "peer.ack" && m.Statistic == "p99" })
	if p, ok := c.Runs[0].Metrics[i].Percent(); !ok || math.Abs(p-50) > 0.1 {
		t.Errorf("p99 changed by %.2f %%, want 50", p)
	}
	if l := c.Runs[1].Ledger; len(l) != 1 || l[0] != (LedgerChange{"channel", "lost", 0, 4}) {
		t.Errorf("ledger: %+v", l)
	}
	if !c.Regressed() {
		t.Error("a violated requirement and lost messages are no regression")
	}
	if len(c.Warnings) != 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

func TestCompareOfEqualReportsFindsNothing(t *testing.T) {
	c, err := Compare(failingWithoutInvalid(), failingWithoutInvalid())
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Verdicts) != 0 || c.Regressed() || len(c.Runs[0].Ledger) != 0 {
		t.Errorf("%+v", c)
	}
}

func failingWithoutInvalid() *Report {
	r := failingReport()
	r.Loads[1].Summary.Validity = Validity{Verdict: Valid}
	return r
}

func TestCompareRefusesInvalidRuns(t *testing.T) {
	for name, pair := range map[string][2]*Report{"base": {failingReport(), passingReport()}, "head": {passingReport(), failingReport()}} {
		_, err := Compare(pair[0], pair[1])
		if err == nil || !strings.Contains(err.Error(), "the "+name+"'s run \"channel\" is invalid (schedule lag") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := CompareLoads(fixtureLoad("peer", 1), &failingReport().Loads[1]); err == nil {
		t.Error("CompareLoads took an invalid run")
	}
}

func TestCompareRefusesReportsWithNothingInCommon(t *testing.T) {
	base, head := passingReport(), passingReport()
	base.Loads, head.Conformance = nil, nil
	if _, err := Compare(base, head); err == nil || !strings.Contains(err.Error(), "in common") {
		t.Errorf("%v", err)
	}
}

func TestCompareWarnsWhenTheSidesDiffer(t *testing.T) {
	base, head := passingReport(), passingReport()
	head.Environment.Cores = 64
	head.ToolVersion = "0.3.0"
	head.Interrupted = true
	head.Conformance.CatalogueSHA256 = strings.Repeat("0", 64)
	head.Loads[0].Manifest.WorkloadSHA256 = strings.Repeat("0", 64)
	head.Loads[0].Summary.Validity = Validity{Verdict: Degraded, Reasons: []string{"lag"}}
	head.Loads[1].Manifest.Name = "other"
	c, err := Compare(base, head)
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(c.Warnings, "\n")
	for _, want := range []string{"environment differs", "64 cores", "rtmkit version differs", "interrupted", "catalogue differs", "workloads of \"peer\" differ", "degraded: lag", "Only the base has the load run \"channel\"", "Only the head has the load run \"other\""} {
		if !strings.Contains(all, want) {
			t.Errorf("no warning says %q in:\n%s", want, all)
		}
	}
}

func TestEveryComparisonSaysThatItIsNoStatistics(t *testing.T) {
	c, err := Compare(passingReport(), failingWithoutInvalid())
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.Page()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"text": c.Text(), "markdown": c.Markdown(), "page": page} {
		if !strings.Contains(string(text), OneRunPerSide) {
			t.Errorf("%s does not", name)
		}
	}
	golden(t, filepath.Join("testdata", "golden", "compare.txt"), c.Text())
	golden(t, filepath.Join("testdata", "golden", "compare.md"), c.Markdown())
}

func TestVerdictsGetWorseOnlyFromSomethingHeld(t *testing.T) {
	for _, c := range []struct {
		base, head Verdict
		worse      bool
	}{
		{Pass, Fail, true}, {Pass, Blocked, true}, {Pass, Error, true}, {Pass, Warn, true}, {Warn, Fail, true}, {"", Fail, true},
		{Pass, KnownFail, true}, {KnownFail, Fail, true}, {KnownFail, StaleKnownFail, true}, {Pass, Flaky, true}, {"", KnownFail, true},
		{KnownFail, Pass, false}, {Fail, KnownFail, false}, {Flaky, Pass, false}, {KnownFail, Blocked, false},
		{Fail, Pass, false}, {Pass, NotSelected, false}, {Fail, Error, false}, {NotSelected, Fail, false}, {Fail, "", false}, {Fail, Blocked, false},
	} {
		if got := (VerdictChange{Base: c.base, Head: c.head}).Worse(); got != c.worse {
			t.Errorf("%q to %q: worse is %v", c.base, c.head, got)
		}
		if (VerdictChange{Base: c.base, Head: c.head, Provisional: true}).Worse() {
			t.Errorf("%q to %q is worse though it is provisional", c.base, c.head)
		}
	}
}
