package conformance

import (
	"errors"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

func TestExitCodesNeedEvidenceForGreen(t *testing.T) {
	rows := func(verdicts ...reports.Verdict) *reports.Conformance {
		result := new(reports.Conformance)
		for _, verdict := range verdicts {
			result.Requirements = append(result.Requirements, reports.RequirementResult{Verdict: verdict})
		}
		return result
	}
	interrupted := rows(reports.Pass)
	interrupted.Interrupted = true
	for name, test := range map[string]struct {
		result *reports.Conformance
		err    error
		want   int
	}{
		"all pass":                 {rows(reports.Pass, reports.Pass), nil, ExitConformant},
		"some left out":            {rows(reports.Pass, reports.NotSelected, reports.NotDeclared, reports.Undecided), nil, ExitConformant},
		"a violated SHOULD":        {rows(reports.Pass, reports.Warn), nil, ExitConformant},
		"a violated MUST":          {rows(reports.Pass, reports.Fail), nil, ExitNotConformant},
		"blocked":                  {rows(reports.Pass, reports.Blocked), nil, ExitNotConformant},
		"nothing judged":           {rows(reports.NotSelected, reports.Undecided), nil, ExitNotConformant},
		"no row":                   {rows(), nil, ExitNotConformant},
		"a spec at fault":          {rows(reports.Pass, reports.Fail, reports.Error), nil, ExitSuite},
		"interrupted":              {interrupted, nil, ExitInterrupted},
		"usage":                    {nil, &UsageError{"x"}, ExitUsage},
		"unreachable":              {nil, &UnreachableError{Problem: "x"}, ExitUnreachable},
		"the suite":                {nil, &SuiteError{"x"}, ExitSuite},
		"an error of another kind": {nil, errors.New("x"), ExitSuite},
		"neither result nor error": {nil, nil, ExitSuite},
	} {
		if got := ExitCode(test.result, test.err); got != test.want {
			t.Errorf("%s: the exit code is %d, want %d", name, got, test.want)
		}
	}
}

func TestAProfileIsConformantOnlyIfEveryMustPassed(t *testing.T) {
	type counts = map[reports.Verdict]int
	for name, test := range map[string]struct {
		all, musts counts
		want       reports.ProfileVerdict
	}{
		"all pass":             {counts{reports.Pass: 3}, counts{reports.Pass: 3}, reports.Conformant},
		"a SHOULD warns":       {counts{reports.Pass: 3, reports.Warn: 1}, counts{reports.Pass: 3}, reports.Conformant},
		"a SHOULD is left out": {counts{reports.Pass: 3, reports.NotSelected: 1}, counts{reports.Pass: 3}, reports.Conformant},
		"an undecided row":     {counts{reports.Pass: 3, reports.Undecided: 1}, counts{reports.Pass: 3, reports.Undecided: 1}, reports.Conformant},
		"a MUST fails":         {counts{reports.Pass: 3, reports.Fail: 1}, counts{reports.Pass: 3, reports.Fail: 1}, reports.NotConformant},
		"a MUST is blocked":    {counts{reports.Pass: 3, reports.Blocked: 1}, counts{reports.Pass: 3, reports.Blocked: 1}, reports.NotConformant},
		"a spec is at fault":   {counts{reports.Pass: 3, reports.Error: 1}, counts{reports.Pass: 3, reports.Error: 1}, reports.NotConformant},
		"a MUST is left out":   {counts{reports.Pass: 3, reports.NotSelected: 1}, counts{reports.Pass: 3, reports.NotSelected: 1}, reports.Partial},
		"a MUST has no spec":   {counts{reports.Pass: 3, reports.NoSpec: 1}, counts{reports.Pass: 3, reports.NoSpec: 1}, reports.Partial},
		"nothing is judged":    {counts{reports.NotSelected: 3}, counts{reports.NotSelected: 3}, reports.NoEvidence},
		"nothing is declared":  {counts{reports.NotDeclared: 3}, counts{reports.NotDeclared: 3}, reports.ProfileNotDeclared},
		"there is nothing":     {counts{}, counts{}, reports.NoEvidence},
	} {
		if got := profileVerdict(test.all, test.musts); got != test.want {
			t.Errorf("%s: the profile is %s, want %s", name, got, test.want)
		}
	}
}
