package conformance

import (
	"bytes"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/reports"
)

// setWithout is the current set without one requirement.
func setWithout(t *testing.T, id string) *catalogue.Set {
	t.Helper()
	var text strings.Builder
	for _, r := range catalogue.Embedded().Requirements {
		if r.Judged() && r.ID != id {
			text.WriteString(r.ID + " " + string(r.Level) + "\n")
		}
	}
	set, err := catalogue.ParseSet("test", text.String())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestAProvisionalRequirementIsJudgedAndDecidesNothing(t *testing.T) {
	cfg := quick(receiving(t))
	cfg.Only = []string{"RTM-PEER-00[123]"}
	for provisional, want := range map[string]int{"RTM-PEER-002": ExitConformant, "RTM-PEER-001": ExitNotConformant} {
		cfg.frozen = setWithout(t, provisional)
		result := judged(t, cfg)
		if code := ExitCode(result, nil); code != want {
			t.Errorf("with %s provisional the exit code is %d, want %d", provisional, code, want)
		}
		for _, row := range result.Requirements {
			if row.Provisional != (row.ID == provisional) && catalogue.Embedded().Get(row.ID).Judged() {
				t.Errorf("%s is provisional: %v", row.ID, row.Provisional)
			}
			if row.ID == "RTM-PEER-002" && row.Verdict != reports.Fail {
				t.Errorf("%s is %s", row.ID, row.Verdict)
			}
		}
	}
}

func TestASetThatDoesNotExistIsRefusedWithThoseThatDo(t *testing.T) {
	for _, name := range []string{"0.9", "../sets/1.0"} {
		_, err := Run(t.Context(), Config{Server: "ws://127.0.0.1:1/rtm/v1", AppID: testApp, Set: name})
		if ExitCode(nil, err) != ExitUsage || !strings.Contains(err.Error(), "there are "+catalogue.CurrentSet) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestWhatIsNotClaimedIsNotDeclaredAndItsRefusalIsJudgedOnlyThen(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	cfg.Subjects, cfg.Only = []string{"server"}, []string{"RTM-CHANNEL-079", "RTM-CHANNEL-001", "RTM-PEER-001"}
	for claims, want := range map[string][3]reports.Verdict{
		"":              {reports.NotDeclared, reports.Pass, reports.Pass},
		"core channels": {reports.NotDeclared, reports.Pass, reports.Pass},
		// The reference server does channels, so it does not refuse them.
		"core": {reports.Fail, reports.NotDeclared, reports.Pass},
	} {
		cfg.Claims = strings.Fields(claims)
		if claims == "" {
			cfg.Claims = nil
		}
		result := judged(t, cfg)
		for i, id := range cfg.Only {
			if got := verdictOf(result, id); got != want[i] {
				t.Errorf("claiming %q: %s is %s, want %s", claims, id, got, want[i])
			}
		}
		if !slices.Equal(result.Claims, cfg.Claims) {
			t.Errorf("the result claims %q, want %q", result.Claims, cfg.Claims)
		}
	}
}

func TestClaimedCallLimitsThatAreNotAnnouncedFail(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	cfg.Only, cfg.Claims, cfg.Slow = []string{"RTM-PEER-024", "RTM-PEER-001"}, []string{"core", "call-limits"}, true
	result := judged(t, cfg)

	row := result.Requirements[slices.IndexFunc(result.Requirements, func(r reports.RequirementResult) bool { return r.ID == "RTM-PEER-024" })]
	if row.Verdict != reports.Fail || !strings.Contains(row.Expected, "call-limits, which it claims") || row.Observed == "" {
		t.Errorf("it is %s: expected %q, observed %q (%s)", row.Verdict, row.Expected, row.Observed, row.Reason)
	}
	if code := ExitCode(result, nil); code != ExitNotConformant {
		t.Errorf("the exit code is %d", code)
	}
}

func TestAClaimThatCannotBeIsAUsageError(t *testing.T) {
	for claim, want := range map[string]string{"chanels": "the nearest is channels", "tokens": "needs an app with its certificate"} {
		_, err := Run(t.Context(), Config{Server: "ws://127.0.0.1:1/rtm/v1", AppID: testApp, Claims: []string{claim}})
		if ExitCode(nil, err) != ExitUsage || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", claim, err)
		}
	}
}

// fickle is a server that says every second time that it delivers to a user who is offline.
func fickle(t *testing.T) string {
	var times atomic.Int64
	return rewriting(t, func(direction probe.Direction, payload []byte) ([]byte, bool) {
		if direction == probe.ToClient && bytes.Contains(payload, []byte(`"received":false`)) && times.Add(1)%2 == 0 {
			payload = bytes.Replace(payload, []byte("false"), []byte("true"), 1)
		}
		return payload, true
	})
}

func TestARequirementThatIsMetOnlySometimesIsFlakyAndFailsTheRun(t *testing.T) {
	for name, workers := range map[string]int{"alone": 1, "with workers": 2} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(fickle(t))
			cfg.Only, cfg.Repeats, cfg.Seed = []string{"RTM-PEER-00[12]"}, 2, 1
			cfg.Workers, cfg.StartWorker = workers, startTestWorker(cfg.Server)
			result := judged(t, cfg)

			i := slices.IndexFunc(result.Requirements, func(r reports.RequirementResult) bool { return r.ID == "RTM-PEER-002" })
			row := result.Requirements[i]
			if row.Verdict != reports.Flaky || !strings.Contains(row.Reason, "1 fail") || !strings.Contains(row.Reason, "1 pass") || !strings.Contains(row.Reason, "2 repeats") {
				t.Errorf("it is %s: %s", row.Verdict, row.Reason)
			}
			if row.Observed == "" || len(row.Specs) == 0 || len(row.Specs[0].Frames) == 0 {
				t.Error("the failure is not shown")
			}
			if got := verdictOf(result, "RTM-PEER-001"); got != reports.Pass {
				t.Errorf("RTM-PEER-001 is %s", got)
			}
			if code := ExitCode(result, nil); code != ExitNotConformant || result.Repeats != 2 || result.Seed != 1 {
				t.Errorf("the exit code is %d after %d repeats with the seed %d", code, result.Repeats, result.Seed)
			}
		})
	}
}

func TestAPasswordInAnAddressIsNotShown(t *testing.T) {
	const secret = "hunter2hunter2"
	_, err := Run(t.Context(), Config{Server: "ws://me:" + secret + "@127.0.0.1:1/rtm/v1", AppID: testApp})
	if ExitCode(nil, err) != ExitUsage || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
	err = &UnreachableError{Server: "ws://me:" + secret + "@host/", Problem: "dial ws://me:" + secret + "@host/ fails"}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
	cfg := quick(receiving(t))
	cfg.Only = []string{"RTM-PEER-002"}
	cfg.Repeat = func(id string) string { return "rtmkit conform run --server ws://me:" + secret + "@host/ --only " + id }
	var text strings.Builder
	if err := Print(&text, judged(t, cfg)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "--only RTM-PEER-002") || strings.Contains(text.String(), secret) {
		t.Errorf("the console shows it:\n%s", &text)
	}
}
