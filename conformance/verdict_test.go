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
