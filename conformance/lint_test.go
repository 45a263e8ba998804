package conformance

import (
	"testing"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
)

func allSpecs(t *testing.T) []Spec {
	t.Helper()
	specs, err := Specs()
	if err != nil {
		t.Fatal(err)
	}
	return specs
}

func TestEveryJudgedRequirementHasASpec(t *testing.T) {
	verified := make(map[string]bool)
	for _, spec := range allSpecs(t) {
		for _, id := range spec.IDs {
			verified[id] = true
		}
	}
	for _, r := range catalogue.Embedded().Requirements {
		if r.Judged() && !verified[r.ID] {
			t.Errorf("%s has no spec: %s", r.ID, r.Text)
		}
	}
}

func TestEverySpecVerifiesARequirement(t *testing.T) {
	names := make(map[string]bool)
	for _, spec := range allSpecs(t) {
		if len(spec.IDs) == 0 {
			t.Errorf("%s: the spec %q verifies nothing", spec.Location, spec.Name)
		}
		if names[spec.Name] {
			t.Errorf("%s: the name %q is used twice", spec.Location, spec.Name)
		}
		names[spec.Name] = true
	}
	if len(names) == 0 {
		t.Fatal("there is no spec")
	}
}
