package conformance

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/formatter"

	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/reports"
)

func TestTheGoTestDoorJudgesInSubtests(t *testing.T) {
	cfg := pair(startReference(t, shortLimits()))
	cfg.Only = []string{"RTM-PEER-00[123]", "RTM-PEER-036"}
	Test(t, cfg)
}

func TestTheGinkgoDoorAddsTheSpecsToATreeOfOnesOwn(t *testing.T) {
	for name, test := range map[string]struct {
		server string
		want   bool
	}{
		"a server that conforms": {startReference(t, shortLimits()), true},
		"a server that does not": {rewriting(t, replacing(probe.ToClient, `"received":false`, `"received":true`)), false},
		"nobody":                 {"ws://127.0.0.1:1/rtm/v1", false},
	} {
		t.Run(name, func(t *testing.T) {
			ginkgoTree.Lock()
			defer ginkgoTree.Unlock()
			reset, err := ownTree()
			if err != nil {
				t.Fatal(err)
			}
			defer reset()
			var output bytes.Buffer
			formatter.ColorableStdOut = &output

			var cfg Config
			Register(&cfg)
			ginkgo.BeforeSuite(func() {
				cfg = quick(test.server)
				cfg.Only = []string{"RTM-PEER-002"}
			})
			suite, reporter := configuration(1, nil)

			if got := ginkgo.RunSpecs(failed{}, "mine", suite, reporter); got != test.want {
				t.Errorf("the suite passed: %v, want %v\n%s", got, test.want, output.String())
			}
		})
	}
}

func TestAnInterruptedRunReportsWhatItJudged(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := quick(startReference(t, shortLimits()))
	cfg.Progress = func(progress Progress) {
		if progress.Done == 20 {
			cancel()
		}
	}

	result, err := Run(ctx, cfg)

	if err != nil || !result.Interrupted || ExitCode(result, err) != ExitInterrupted {
		t.Fatalf("got %v and %v, want an interrupted result", result, err)
	}
	counts := result.Counts()
	if counts[reports.Pass] == 0 || counts[reports.Fail]+counts[reports.Error]+counts[reports.NoSpec] > 0 {
		t.Errorf("the verdicts are %v, want some passes and no failures", counts)
	}
	for _, row := range result.Requirements {
		if row.Verdict == reports.NotSelected && row.Reason == "the run was interrupted" {
			return
		}
	}
	t.Error("no requirement says that the run was interrupted")
}

func TestProgressCountsEverySpecOnce(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	cfg.Only = []string{"RTM-PEER-*"}
	var heard []Progress
	cfg.Progress = func(progress Progress) { heard = append(heard, progress) }

	judged(t, cfg)

	for i, progress := range heard {
		if progress.Done != i+1 || progress.Total != len(heard) || len(progress.IDs) == 0 || progress.Spec == "" {
			t.Fatalf("call %d of %d tells %+v", i+1, len(heard), progress)
		}
	}
	if len(heard) == 0 {
		t.Error("nothing was told")
	}
}

func TestTheSameSeedGivesTheSameOrder(t *testing.T) {
	server := startReference(t, shortLimits())
	order := func(seed int64) string {
		cfg := quick(server)
		cfg.Only, cfg.Seed = []string{"RTM-PEER-*"}, seed
		var names []string
		cfg.Progress = func(progress Progress) { names = append(names, progress.Spec) }
		judged(t, cfg)
		return strings.Join(names, "\n")
	}

	first, second, other := order(41), order(41), order(42)

	if first != second {
		t.Error("the same seed gave another order")
	}
	if first == other {
		t.Error("another seed gave the same order")
	}
}

func TestAStrictRunMakesAViolatedShouldAFailure(t *testing.T) {
	for strict, want := range map[bool]reports.Verdict{false: reports.Warn, true: reports.Fail} {
		cfg := quick(rewriting(t, swallowing(`"LOGIN_ERR_INVALID_ARGUMENT"`)))
		cfg.Only, cfg.Strict, cfg.SlowFactor = []string{"RTM-LOGIN-011"}, strict, 0.01
		result := judged(t, cfg)
		for _, row := range result.Requirements {
			if row.ID == "RTM-LOGIN-011" && row.Verdict != want {
				t.Errorf("strict %v: the verdict is %s, want %s", strict, row.Verdict, want)
			}
		}
	}
}

func TestWhatFailsARunIsPrinted(t *testing.T) {
	for _, verdict := range reports.Verdicts() {
		row := reports.RequirementResult{ID: "RTM-PEER-002", Verdict: verdict, Reason: "why it is so"}
		result := &reports.Conformance{Requirements: []reports.RequirementResult{row, {ID: "RTM-PEER-001", Verdict: reports.Pass}}}
		var text strings.Builder
		if err := Print(&text, result); err != nil {
			t.Fatal(err)
		}
		if ExitCode(result, nil) != ExitConformant && !strings.Contains(text.String(), "why it is so") {
			t.Errorf("a run that fails by %s does not say so:\n%s", verdict, &text)
		}
	}
	provisional := &reports.RequirementResult{ID: "RTM-PEER-002", Verdict: reports.Fail, Provisional: true}
	if text := Explain(provisional); !strings.Contains(text, "it decides nothing yet") {
		t.Errorf("a provisional failure is explained as any other:\n%s", text)
	}
}
