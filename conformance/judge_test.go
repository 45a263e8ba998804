package conformance

import (
	"context"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// heard is the report of a spec that ended in a state and left these entries.
func heard(state types.SpecState, ids []string, entries ...any) types.SpecReport {
	report := types.SpecReport{State: state, LeafNodeLabels: ids, Failure: types.Failure{ForwardedPanic: "nil pointer"}}
	for _, entry := range entries {
		report.ReportEntries = append(report.ReportEntries, types.ReportEntry{Value: types.WrapEntryValue(entry)})
	}
	return report
}

func testJudge() *judge {
	return newJudge(context.Background(), &selection{catalogue: catalogue.Embedded(), left: map[string]specs.Skipped{}}, new(Config))
}

func TestASpecIsJudgedByItsStateAndTheLevelOfItsRequirement(t *testing.T) {
	failure, frames := specs.Failure{Expected: "a", Observed: "b"}, []probe.Frame{{Actor: "alice"}}
	for name, test := range map[string]struct {
		id          string
		report      types.SpecReport
		want        reports.Verdict
		say         string
		wantsFrames bool
	}{
		"passed":                       {"RTM-PEER-001", heard(types.SpecStatePassed, nil), reports.Pass, "", false},
		"a MUST violated":              {"RTM-PEER-001", heard(types.SpecStateFailed, nil, failure, frames), reports.Fail, "observed b", true},
		"a SHOULD violated":            {"RTM-PEER-020", heard(types.SpecStateFailed, nil, failure, frames), reports.Warn, "observed b", true},
		"a failure without words":      {"RTM-PEER-001", heard(types.SpecStateFailed, nil), reports.Error, "without saying", false},
		"a panic":                      {"RTM-PEER-001", heard(types.SpecStatePanicked, nil), reports.Error, "nil pointer", false},
		"blocked":                      {"RTM-PEER-001", heard(types.SpecStateSkipped, nil, specs.Skipped{Verdict: "blocked", Reason: "why"}), reports.Blocked, "why", false},
		"skipped by a signal":          {"RTM-PEER-001", heard(types.SpecStateSkipped, nil), reports.NotSelected, "interrupted", false},
		"interrupted while it was run": {"RTM-PEER-001", heard(types.SpecStateInterrupted, nil), reports.NotSelected, "interrupted", false},
	} {
		found := testJudge().find(catalogue.Embedded().Get(test.id), test.report)
		if found.Spec.State != test.want || !strings.Contains(found.Spec.Message, test.say) || (len(found.Spec.Frames) > 0) != test.wantsFrames {
			t.Errorf("%s: found %+v, want %s with %q", name, found.Spec, test.want, test.say)
		}
	}
}

func TestARequirementHasTheWorstVerdictOfItsSpecs(t *testing.T) {
	judge := testJudge()
	for _, state := range []types.SpecState{types.SpecStatePassed, types.SpecStateFailed, types.SpecStatePassed} {
		judge.take("", judge.read(heard(state, []string{"RTM-PEER-001"}, specs.Failure{Expected: "a", Observed: "b"})), nil, 0)
	}
	row := reports.RequirementResult{}
	judge.sumUp(catalogue.Embedded().Get("RTM-PEER-001"), &row)
	if row.Verdict != reports.Fail || row.Expected != "a" || row.Observed != "b" || len(row.Specs) != 3 {
		t.Errorf("the row is %+v", row)
	}
}

func TestWhatNeedsAFailedRequirementIsBlockedAndNamesIt(t *testing.T) {
	judge := testJudge()
	if skip := judge.gate([]string{"RTM-PEER-003"}); skip != nil {
		t.Errorf("nothing has failed and the spec is skipped: %+v", skip)
	}
	judge.take("", judge.read(heard(types.SpecStateFailed, []string{"RTM-LOGIN-001"}, specs.Failure{Expected: "a", Observed: "b"})), nil, 0)
	for _, id := range []string{"RTM-PEER-001", "RTM-PEER-003", "RTM-LOGIN-012"} {
		if skip := judge.gate([]string{id}); skip == nil || skip.Verdict != string(reports.Blocked) || !strings.Contains(skip.Reason, "RTM-") {
			t.Errorf("%s: got %+v, want it blocked", id, skip)
		}
	}
	if skip := judge.gate([]string{"RTM-LOGIN-024"}); skip != nil {
		t.Errorf("RTM-LOGIN-024 needs nothing and is skipped: %+v", skip)
	}
}
