package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/reports"
)

// offline are the requirements that the selftests below look at: what becomes of a message to nobody, and to somebody.
var offline = []string{"RTM-PEER-002", "RTM-PEER-001"}

// named is a fault of the package faults under another name, that is said to break other requirements.
func named(t *testing.T, name, real string, breaks ...string) faults.Fault {
	t.Helper()
	fault, err := faults.Get(real)
	if err != nil {
		t.Fatal(err)
	}
	fault.Name, fault.Breaks = name, breaks
	return fault
}

// idle is a fault that is never at work, busy one that is always at work and changes nothing.
func idle(*faults.Proxy) func(*faults.Link) { return func(*faults.Link) {} }

func busy(p *faults.Proxy) func(*faults.Link) { return func(*faults.Link) { p.Counter.Hit() } }

func selftested(t *testing.T, cfg Config) *reports.Selftest {
	t.Helper()
	result, err := Selftest(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestASelftestTellsWhatBecameOfEachFault(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	cfg.Subjects, cfg.Skip, cfg.Only = []string{"server"}, nil, offline
	cfg.tolerances = []faults.Tolerance{}
	cfg.faults = []faults.Fault{
		named(t, "peer.caught", "peer.offline-received", "RTM-PEER-002"),
		named(t, "peer.caught-by-another", "peer.offline-received", "RTM-PEER-001"),
		{Name: "peer.idle", Text: "Nothing.", Subject: faults.Server, Breaks: []string{"RTM-PEER-002"}, Plant: idle},
		{Name: "peer.busy", Text: "Nothing.", Subject: faults.Server, Breaks: []string{"RTM-PEER-002"}, Plant: busy},
	}
	result := selftested(t, cfg)

	want := map[string]reports.FaultOutcome{
		"peer.caught": reports.KilledByOwner, "peer.caught-by-another": reports.KilledByOther,
		"peer.idle": reports.NeverExercised, "peer.busy": reports.Survived,
	}
	for _, fault := range result.Faults {
		if len(fault.Results) != 1 || fault.Results[0].Outcome != want[fault.Name] {
			t.Errorf("%s ended as %+v, want %s", fault.Name, fault.Results, want[fault.Name])
		}
		if fault.Area != "peer" || fault.Kind != reports.FrameFault {
			t.Errorf("%s is of the area %s and kind %s", fault.Name, fault.Area, fault.Kind)
		}
		delete(want, fault.Name)
		switch fault.Name {
		case "peer.caught":
			if fault.Activations == 0 || fault.Results[0].Observed == "" {
				t.Errorf("%d activations, observed %q", fault.Activations, fault.Results[0].Observed)
			}
		case "peer.caught-by-another":
			if !slices.Equal(fault.Results[0].Killers, []string{"RTM-PEER-002"}) {
				t.Errorf("the killers are %q", fault.Results[0].Killers)
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("without a result are %v", want)
	}
	if result.Trusted() {
		t.Error("the suite is trusted")
	}
}

func TestASelftestListsWhatNoFaultBreaks(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	cfg.Subjects, cfg.Skip, cfg.Only = []string{"server"}, nil, offline
	cfg.faults = []faults.Fault{named(t, "peer.caught", "peer.offline-received", "RTM-PEER-002")}
	result := selftested(t, cfg)

	if !slices.Equal(result.Uncovered, []string{"RTM-PEER-001"}) || result.Trusted() {
		t.Errorf("uncovered are %q, and trusted is %v", result.Uncovered, result.Trusted())
	}
}

func TestASelftestPlantsNothingInARequirementThatIsNotMetAnyway(t *testing.T) {
	cfg := quick(receiving(t))
	cfg.Subjects, cfg.Skip, cfg.Only = []string{"server"}, nil, offline
	cfg.faults = []faults.Fault{named(t, "peer.caught", "peer.offline-received", "RTM-PEER-002")}
	result := selftested(t, cfg)

	notes := strings.Join(result.Notes, "\n")
	if len(result.Faults) > 0 || !strings.Contains(notes, "does not meet RTM-PEER-002") || !strings.Contains(notes, "Not planted") {
		t.Errorf("%d faults were planted: %s", len(result.Faults), notes)
	}

	cfg.Only = []string{"RTM-PEER-002"}
	if _, err := Selftest(t.Context(), cfg); ExitCode(nil, err) != ExitUsage || !strings.Contains(err.Error(), "none of the requirements") {
		t.Errorf("a subject that meets nothing: %v", err)
	}
}

func TestASelftestHoldsAToleranceToBeRedThatIsIllegalOrIdle(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	// A choice of requirements would leave the tolerances out, a choice of profiles does not.
	cfg.Subjects, cfg.Skip, cfg.Profiles, cfg.SlowFactor = []string{"server"}, nil, []string{"order"}, 0.5
	silent := named(t, "", "peer.two-workers", "RTM-PEER-001")
	cfg.faults = []faults.Fault{}
	cfg.tolerances = []faults.Tolerance{
		{Name: "legal", Text: "Nothing.", Subject: faults.Server, Plant: busy},
		{Name: "idle", Text: "Nothing.", Subject: faults.Server, Plant: idle},
		{Name: "illegal", Text: "Out of order.", Subject: faults.Server, Plant: silent.Plant},
		{Name: "of-a-client", Text: "Nothing.", Subject: faults.Client, Plant: busy},
	}
	result := selftested(t, cfg)

	got := make(map[string]reports.ToleranceResult)
	for _, tolerance := range result.Tolerances {
		got[tolerance.Name] = tolerance
	}
	if len(got) != 3 || !got["legal"].Green || got["idle"].Green || got["illegal"].Green {
		t.Errorf("the tolerances are %+v", result.Tolerances)
	}
	if got["idle"].Reason != "it was never exercised" || len(got["illegal"].Violated) == 0 || got["illegal"].Reason == "" {
		t.Errorf("the red ones are %+v and %+v", got["idle"], got["illegal"])
	}
	doubts := strings.Join(result.Doubts(), "\n")
	for _, want := range []string{"No fault was planted", "idle", "illegal"} {
		if !strings.Contains(doubts, want) {
			t.Errorf("the doubts do not name %q:\n%s", want, doubts)
		}
	}
}

func TestAJobWithAnUnknownFaultIsTheSuitesFault(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	done := cfg.do(t.Context(), job{IDs: offline, Fault: "peer.no-such"}, func(string, []finding) {})
	if !strings.Contains(done.Suite, `"peer.no-such"`) {
		t.Errorf("the job ended with %+v", done)
	}
}
