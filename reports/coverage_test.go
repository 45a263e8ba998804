package reports

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatIsNotProvenIsSaid(t *testing.T) {
	c := failingConformance()
	all := newCoverage(c)
	sum := 0
	for _, row := range all.Rows {
		if got := row.Judged + row.Blocked + row.NotDeclared + row.NotSelected + row.NoSpec + row.Others; got != row.Total {
			t.Errorf("%s: %d of %d requirements are accounted for", row.Level, got, row.Total)
		}
		sum += row.Total
	}
	if sum != len(c.Requirements) {
		t.Errorf("%d requirements are counted, want %d", sum, len(c.Requirements))
	}
	want := []string{"2 blocked", "8 not declared", "3 not selected", "1 without a spec", "2 MUSTs judged without a fault"}
	if got := all.gaps(); !slices.Equal(got, want) {
		t.Errorf("gaps %q, want %q", got, want)
	}
	page, err := pageText(&Report{Conformance: c})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(page), `unproven" title=`); n != 2 {
		t.Errorf("%d squares are marked as without a fault, want 2", n)
	}
	if n := strings.Count(string(page), `provisional" title=`); n != 2 {
		t.Errorf("%d squares are marked as provisional, want 2", n)
	}
}

func TestASuiteWithoutFaultsIsSaidOnceAndNotOnEverySquare(t *testing.T) {
	r := passingReport()
	for i := range r.Conformance.Requirements {
		r.Conformance.Requirements[i].Faults = nil
	}
	page, err := pageText(r)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(page), `unproven" title=`) || !strings.Contains(string(page), "recorded no planted fault for any requirement") {
		t.Error("the page does not say it, or marks every square")
	}
}

func TestFindingsThatDecideComeFirst(t *testing.T) {
	list := findings(failingConformance().Requirements)
	var verdicts []Verdict
	for i, q := range list {
		verdicts = append(verdicts, q.Verdict)
		if q.Provisional != (i == len(list)-1) {
			t.Errorf("%s is in place %d of %d", q.ID, i+1, len(list))
		}
	}
	if want := []Verdict{Fail, Fail, Fail, Flaky, StaleKnownFail, Error, Warn, Fail}; !slices.Equal(verdicts, want) {
		t.Errorf("%v, want %v", verdicts, want)
	}
}

func TestAnIssueIsALinkOnlyWhenItIsAnAddressOfTheWeb(t *testing.T) {
	for issue, linked := range map[string]bool{
		"https://tracker.example/123":   true,
		"http://tracker.example/?q=a&b": true,
		"ACME-77":                       false,
		"javascript:alert(1)":           false,
		"//tracker.example/1":           false,
		"https://a.example/ x":          false,
	} {
		c := passingConformance()
		q := &c.Requirements[0]
		q.Verdict, q.KnownFailure = KnownFail, &KnownFailure{Reason: "x", Issue: issue}
		page, err := pageText(&Report{Conformance: c})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(page), `rel="noreferrer nofollow"`); got != linked {
			t.Errorf("%s: a link is %v", issue, got)
		}
	}
}
