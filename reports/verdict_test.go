package reports

import (
	"testing"

	"pgregory.net/rapid"
)

func TestWorstVerdictWins(t *testing.T) {
	for _, c := range []struct {
		verdicts []Verdict
		want     Verdict
	}{
		{nil, NoSpec},
		{[]Verdict{Pass}, Pass},
		{[]Verdict{Fail, Pass}, Fail},
		{[]Verdict{Pass, Warn, Info}, Warn},
		{[]Verdict{Blocked, Fail}, Fail},
		{[]Verdict{Fail, Error}, Error},
		{[]Verdict{Pass, NotSelected}, NotSelected},
		{[]Verdict{Pass, "passed"}, "passed"},
	} {
		if got := Worst(c.verdicts...); got != c.want {
			t.Errorf("Worst(%v) = %s, want %s", c.verdicts, got, c.want)
		}
	}
}

func TestOrderOfSpecsDoesNotChangeTheVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOf(rapid.SampledFrom(Verdicts())).Draw(t, "verdicts")
		shuffled := rapid.Permutation(list).Draw(t, "shuffled")
		if Worst(list...) != Worst(shuffled...) {
			t.Fatalf("%v and %v differ", list, shuffled)
		}
	})
}

func TestHeadlineSaysTheGravestPart(t *testing.T) {
	with := func(change func(*Report)) *Report {
		r := passingReport()
		change(r)
		return r
	}
	for name, c := range map[string]struct {
		report *Report
		title  string
		tone   tone
	}{
		"all well":         {passingReport(), "Conformant", toneGood},
		"a violation":      {failingReport(), "Not conformant", toneBad},
		"nothing in it":    {&Report{}, "Nothing judged", toneWarn},
		"an error":         {with(func(r *Report) { r.Conformance.Requirements[0].Verdict = Error }), "Not judged", toneBad},
		"no row judged":    {with(func(r *Report) { r.Conformance.Requirements, r.Conformance.Profiles = nil, nil }), "No evidence", toneWarn},
		"a partial run":    {with(func(r *Report) { r.Conformance.Profiles[0].Verdict = Partial }), "Partial", toneWarn},
		"interrupted":      {with(func(r *Report) { r.Interrupted = true }), "Interrupted", toneWarn},
		"a lost message":   {with(func(r *Report) { r.Loads[1].Summary.Ledger[0].Lost = 1 }), "Messages went wrong", toneBad},
		"unbalanced books": {with(func(r *Report) { r.Loads[1].Summary.Equations[0].Holds = false }), "The ledger does not balance", toneBad},
		"an invalid run":   {with(func(r *Report) { r.Loads[0].Summary.Validity = Validity{Verdict: Invalid} }), "Invalid run", toneBad},
		"a degraded run":   {with(func(r *Report) { r.Loads[0].Summary.Validity = Validity{Verdict: Degraded} }), "Degraded run", toneWarn},
		"a slow run":       {with(func(r *Report) { r.Loads[0].Summary.Thresholds = []Threshold{{Expr: "peer.ack.p99 < 1ms"}} }), "Threshold exceeded", toneBad},
		"a blocked core":   {with(func(r *Report) { r.Conformance.Profiles[0].Verdict = NotConformant }), "Not conformant", toneBad},
	} {
		if o := c.report.outcome(); o.Title != c.title || o.Tone != c.tone {
			t.Errorf("%s: %q (%s), want %q (%s)", name, o.Title, o.Tone, c.title, c.tone)
		}
	}
}
