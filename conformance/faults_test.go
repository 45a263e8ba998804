package conformance

import (
	"slices"
	"strings"
	"testing"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/reports"
)

func TestEveryJudgedMustHasAFault(t *testing.T) {
	for _, r := range catalogue.Embedded().Requirements {
		if r.Judged() && r.Level == catalogue.Must && len(faults.Breaking(r.ID)) == 0 {
			t.Errorf("no fault breaks %s: %s", r.ID, r.Text)
		}
	}
}

func TestEveryFaultNamesWhatItBreaks(t *testing.T) {
	names := make(map[string]bool)
	for _, fault := range faults.All() {
		if names[fault.Name] || !strings.Contains(fault.Name, ".") || !strings.HasSuffix(fault.Text, ".") || len(fault.Breaks) == 0 {
			t.Errorf("the fault %q is not one of its kind: a name with its area, used once, a sentence, and what it breaks", fault.Name)
		}
		if (fault.Plant == nil) == (fault.Lines == nil) {
			t.Errorf("%s rewrites either frames or lines", fault.Name)
		}
		names[fault.Name] = true
		for _, id := range fault.Breaks {
			r := catalogue.Embedded().Get(id)
			switch {
			case r == nil || !r.Judged():
				t.Errorf("%s breaks %s, which is no requirement that is judged", fault.Name, id)
			case string(r.Subject) != fault.Subject:
				t.Errorf("%s breaks a %s, but %s binds a %s", fault.Name, fault.Subject, id, r.Subject)
			case r.Unless != "" && (fault.Claims == nil || slices.Contains(fault.Claims, r.Unless)):
				t.Errorf("%s breaks %s, which is judged only without the claim %s, so it needs claims without it", fault.Name, id, r.Unless)
			}
		}
	}
}

func TestEveryToleranceHasANameOfItsOwn(t *testing.T) {
	names := make(map[string]bool)
	for _, tolerance := range faults.Tolerances() {
		if names[tolerance.Name] || tolerance.Text == "" || tolerance.Plant == nil && tolerance.Lines == nil {
			t.Errorf("the tolerance %q is not one of its kind", tolerance.Name)
		}
		names[tolerance.Name] = true
	}
	if !names[plainTolerance] {
		t.Errorf("there is no tolerance %s", plainTolerance)
	}
}

// All areas are proven by rtmkit conform selftest, which the gate runs; this is the one that goes through everything.
func TestTheSuiteCatchesEveryFaultOfPeerMessages(t *testing.T) {
	server := startReference(t, shortLimits())
	cfg := pair(server)
	cfg.Only = []string{"RTM-PEER-*"}
	cfg.Workers, cfg.StartWorker = 4, startTestWorker(server)

	result, err := Selftest(t.Context(), cfg)

	if err != nil {
		t.Fatal(err)
	}
	for _, doubt := range result.Doubts() {
		t.Error(doubt)
	}
	for i := range result.Faults {
		if fault := &result.Faults[i]; fault.Activations == 0 {
			t.Errorf("%s was never exercised", fault.Name)
		}
	}
	if killed := result.Outcomes()[reports.KilledByOwner]; killed < 90 {
		t.Errorf("only %d violations were planted and caught", killed)
	}
}
