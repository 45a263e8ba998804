package catalogue

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// freeze writes a frozen set anew. That is right exactly once, when a version of the protocol is released.
var freeze = os.Getenv("RTMKIT_FREEZE")

func TestFrozenSetsAgreeWithTheCatalogue(t *testing.T) {
	if freeze != "" {
		text := "# The requirements that decide for version " + freeze + " of the protocol, with their levels. Frozen: never edited.\n"
		for _, r := range Embedded().Requirements {
			if r.Judged() {
				text += fmt.Sprintf("%s %s\n", r.ID, r.Level)
			}
		}
		if err := os.WriteFile("sets/"+freeze+".txt", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Skip("frozen; run the test again")
	}
	if !slices.Contains(SetNames(), CurrentSet) {
		t.Fatalf("there is no set %s", CurrentSet)
	}
	for _, name := range SetNames() {
		set, err := LoadSet(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, finding := range Embedded().LintSet(set) {
			t.Error(finding)
		}
	}
}

func TestASetThatCameApartFromTheCatalogueIsFound(t *testing.T) {
	set := &Set{Name: "0.9", levels: map[string]Level{"RTM-PEER-001": May, "RTM-PEER-999": Must, "RTM-LOGIN-013": May}}
	var said strings.Builder
	for _, finding := range Embedded().LintSet(set) {
		fmt.Fprintln(&said, finding)
	}
	for _, want := range []string{"RTM-PEER-001: its level is must", "RTM-PEER-999: it is gone", "RTM-LOGIN-013: it is no longer judged"} {
		if !strings.Contains(said.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, said.String())
		}
	}
}

func TestAnUnknownSetNamesThoseThatExist(t *testing.T) {
	if _, err := LoadSet("9.9"); err == nil || !strings.Contains(err.Error(), CurrentSet) {
		t.Errorf("got %v", err)
	}
}
