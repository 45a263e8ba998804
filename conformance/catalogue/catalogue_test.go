package catalogue

import (
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestTheCatalogueIsCleanByItsOwnLint(t *testing.T) {
	c, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range c.Lint() {
		t.Error(finding)
	}
}

func TestEveryClauseIsAnAnchorOfTheProtocolDocument(t *testing.T) {
	text, err := os.ReadFile("../../sdk/wire/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	anchors := anchorsOf(string(text))
	for _, r := range Embedded().Requirements {
		for _, source := range r.Sources {
			if strings.HasPrefix(source, "#") && !anchors[source] {
				t.Errorf("%s: PROTOCOL.md has no clause %s", r.ID, source)
			}
		}
	}
}

var (
	explicitAnchor = regexp.MustCompile(`<a (?:id|name)="([^"]+)"`)
	heading        = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInAnchor    = regexp.MustCompile(`[^a-z0-9 _-]`)
)

// anchorsOf returns the explicit anchors and those that Markdown renderers derive from headings.
func anchorsOf(text string) map[string]bool {
	anchors := make(map[string]bool)
	for _, match := range explicitAnchor.FindAllStringSubmatch(text, -1) {
		anchors["#"+match[1]] = true
	}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		title := notInAnchor.ReplaceAllString(strings.ToLower(match[1]), "")
		anchors["#"+strings.ReplaceAll(title, " ", "-")] = true
	}
	return anchors
}

func TestTheRequirementsPageIsUpToDate(t *testing.T) {
	const path = "../REQUIREMENTS.md"
	want := Embedded().Markdown()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("conformance/REQUIREMENTS.md is stale: run go test ./conformance/catalogue -update")
	}
}

func TestLintFindsEachKindOfMistake(t *testing.T) {
	good := Requirement{ID: "RTM-PEER-001", Level: Must, Subject: Server, Profile: "core", Area: "peer", Text: "It works.", Sources: []string{"rule 94"}}
	cases := map[string]func(*Requirement){
		"the form":            func(r *Requirement) { r.ID = "RTM-peer-1" },
		"does not follow":     func(r *Requirement) { r.ID = "RTM-PEER-002" },
		"belong in the area":  func(r *Requirement) { r.Area = "channel" },
		"the level":           func(r *Requirement) { r.Level = "shall" },
		"the subject":         func(r *Requirement) { r.Subject = "pair" },
		"the profile":         func(r *Requirement) { r.Profile = "corre" },
		"one sentence":        func(r *Requirement) { r.Text = "It works. It does." },
		"reason for":          func(r *Requirement) { r.Undecided = "nobody knows" },
		"the budget":          func(r *Requirement) { r.Budget = "ack_timeout" },
		"no source":           func(r *Requirement) { r.Sources = nil },
		"neither a rule":      func(r *Requirement) { r.Sources = []string{"rule 233"} },
		"which does not exis": func(r *Requirement) { r.Needs = []string{"RTM-PEER-099"} },
		"in a circle":         func(r *Requirement) { r.Needs = []string{"RTM-PEER-001"} },
	}
	for want, spoil := range cases {
		row := good
		spoil(&row)
		c := &Catalogue{
			Requirements: []*Requirement{&row},
			Profiles:     []Profile{{Name: "core", Text: "All of it."}},
			byID:         map[string]*Requirement{row.ID: &row},
		}
		var found bool
		for _, finding := range c.Lint() {
			found = found || strings.Contains(finding.Error(), want)
		}
		if !found {
			t.Errorf("a row spoilt so that lint should say %q gives %v", want, c.Lint())
		}
	}
}

func TestAnUnknownKeyInACatalogueFileIsRefusedWithItsLine(t *testing.T) {
	var into struct {
		Area string `yaml:"area"`
	}
	err := decodeStrict("peer.yaml", []byte("area: peer\nlevle: must\n"), &into)
	if err == nil || !strings.Contains(err.Error(), "peer.yaml") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("got %v, want an error that names the file and line 2", err)
	}
}

func TestTheNearestWordIsOffered(t *testing.T) {
	for misspelt, want := range map[string]string{"RTM-PER-002": "RTM-PEER-002", "RTM-CHANEL-015": "RTM-CHANNEL-015", "rtm-login-001": "RTM-LOGIN-001"} {
		if got := Nearest(misspelt, Embedded().IDs()); got != want {
			t.Errorf("nearest to %s is %s, want %s", misspelt, got, want)
		}
	}
}

func TestNeedsComeBeforeWhatNeedsThem(t *testing.T) {
	c := Embedded()
	for _, r := range c.Requirements {
		for _, need := range r.Needs {
			if c.Depth(need) >= c.Depth(r.ID) {
				t.Errorf("%s has depth %d and needs %s of depth %d", r.ID, c.Depth(r.ID), need, c.Depth(need))
			}
		}
	}
}
