package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/rtmkit/rtmkit/conformance/model"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/reports"
)

// byProgram are the requirements that programs verify.
var byProgram = []string{"RTM-LOGIN-069", "RTM-CHANNEL-078", "RTM-TRANSPORT-075"}

func TestTheReferenceServerPassesTheProgramsOfAnySeed(t *testing.T) {
	server := startReference(t, shortLimits())
	for seed := range int64(4) {
		cfg := Config{Server: server, AppID: testApp, Only: byProgram, Seed: 1 + seed}
		result := judged(t, cfg)
		if code := ExitCode(result, nil); code != ExitConformant {
			report(t, result)
			t.Errorf("seed %d: the exit code is %d", cfg.Seed, code)
		}
	}
}

func TestAFailureOfAProgramIsTheScenarioThatShowsIt(t *testing.T) {
	cfg := quick(rewriting(t, replacing(probe.ToClient, `"received":false`, `"received":true`)))
	cfg.Only, cfg.Seed = byProgram[:1], 7
	result := judged(t, cfg)

	i := slices.IndexFunc(result.Requirements, func(row reports.RequirementResult) bool { return row.ID == byProgram[0] })
	row := &result.Requirements[i]
	if row.Verdict != reports.Fail || row.Expected == "" {
		t.Fatalf("the verdict is %s, expected %q", row.Verdict, row.Expected)
	}
	remark, scenario, _ := strings.Cut(row.Observed, ":\n")
	program, err := model.Parse(scenario)
	if err != nil || len(program) != 2 || !strings.Contains(remark, "is answered received") {
		t.Errorf("the finding is %q: %v", row.Observed, err)
	}
	failure, err := Play(t.Context(), cfg, scenario)
	if err != nil || failure == nil {
		t.Errorf("played again, the scenario ends with %v, %v", failure, err)
	}
}
