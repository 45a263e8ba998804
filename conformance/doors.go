package conformance

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// Test judges a subject inside a Go test, with one subtest for each requirement that the configuration selects, named by
// its id. An undecided requirement and a known failure are skipped subtests; a violated SHOULD is logged, unless the
// configuration is strict, and so is the violation of what is provisional.
// A test that judges nothing fails.
func Test(t *testing.T, cfg Config) {
	t.Helper()
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range result.Requirements {
		row := &result.Requirements[i]
		if row.Verdict == reports.NotSelected || row.Verdict == reports.NotDeclared {
			continue
		}
		t.Run(row.ID, func(t *testing.T) {
			switch verdict := row.Verdict; {
			case verdict == reports.Pass:
			case row.Provisional, verdict == reports.Warn, verdict == reports.Info:
				t.Log(Explain(row))
			case verdict == reports.Fail, verdict == reports.Flaky, verdict == reports.StaleKnownFail, verdict == reports.Blocked, verdict == reports.Error:
				t.Error(Explain(row))
			default:
				t.Skip(row.Reason)
			}
		})
	}
	if ExitCode(result, nil) != ExitConformant && !t.Failed() {
		t.Error("the run judged nothing, or in a strict run a profile only in part, which is no evidence of conformance")
	}
}

// Register adds the specs to the Ginkgo tree that is being built, inside the container it is called from if there is one.
// The configuration is read when the first spec runs, so that the suite's own setup may complete it. A configuration that
// makes no sense or a server that cannot be reached fails the specs with that reason. Verdicts, and what is not selected
// or blocked, show as Ginkgo's failures and skips.
func Register(cfg *Config) {
	env := new(specs.Env)
	var (
		once   sync.Once
		judge  *judge
		broken error
	)
	env.Gate = func(ids []string) *specs.Skipped {
		once.Do(func() { judge, _, broken = cfg.open(context.Background(), env) })
		if broken != nil {
			ginkgo.Fail(broken.Error())
		}
		return judge.gate(ids)
	}
	ginkgo.Describe("conformance", func() {
		specs.Register(env)
		ginkgo.ReportAfterEach(func(report ginkgo.SpecReport) {
			if judge != nil {
				judge.take(specName(report), judge.read(report), cfg.Progress, 0)
			}
		})
	})
}

// Explain words one row of a result for people: the requirement with its level and source, what was expected and observed
// or why it was not judged, the frames, and how to repeat it.
func Explain(row *reports.RequirementResult) string {
	var text strings.Builder
	write := func(lines ...string) {
		for _, line := range lines {
			text.WriteString(line)
		}
		text.WriteByte('\n')
	}
	write(strings.ToUpper(string(row.Verdict)), " ", row.ID, "  ", string(row.Level), "  ", row.Source)
	write("     ", row.Text)
	if row.Reason != "" {
		write("     because   ", row.Reason)
	}
	if row.Provisional {
		write("     note      it is newer than the frozen set, so it decides nothing yet")
	}
	if row.Expected != "" {
		write("     expected  ", row.Expected)
		write("     observed  ", row.Observed)
	}
	for _, spec := range row.Specs {
		if spec.State == reports.Pass {
			continue
		}
		write("     spec      ", spec.Name, " (", spec.Location, ")")
		writeFrames(&text, spec.Frames)
	}
	if row.Repeat != "" {
		write("     repeat    ", row.Repeat)
	}
	return text.String()
}
