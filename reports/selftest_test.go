package reports

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// soundSelftest is a selftest in which everything was caught that had to be.
func soundSelftest() *Selftest {
	return &Selftest{
		Schema: SelftestSchema, SuiteVersion: "0.2.0", CatalogueSHA256: strings.Repeat("9f86d081884c7d65", 4), Seed: 41, Workers: 2,
		StartedAt: fixtureStart, EndedAt: fixtureStart.Add(74 * time.Second),
		Subject: Identity{Kind: "pair", Name: "rtmkit reference", Version: "0.2.0"}, Command: "rtmkit conform selftest --seed 41",
		Faults: []FaultResult{
			{Name: "receipt-always-true", Text: "The server says that every peer message was received.", Subject: "server", Area: "peer", Kind: FrameFault,
				Breaks: []string{"RTM-PEER-002", "RTM-PEER-003"}, Activations: 31, DurationNS: 812e6, Results: []BreakResult{
					{ID: "RTM-PEER-002", Outcome: KilledByOwner, Killers: []string{"RTM-PEER-002"}, Expected: "hasPeerReceived is false", Observed: "hasPeerReceived is true"},
					{ID: "RTM-PEER-003", Outcome: KilledByOwner, Killers: []string{"RTM-PEER-002", "RTM-PEER-003"}}}},
			{Name: "join-unlimited", Text: "The server lets a client join any number of channels.", Subject: "server", Area: "channel", Kind: FrameFault,
				Breaks: []string{"RTM-CHANNEL-009"}, Activations: 1, DurationNS: 410e6, Results: []BreakResult{
					{ID: "RTM-CHANNEL-009", Outcome: KilledByOwner, Killers: []string{"RTM-CHANNEL-009"}, Expected: "an error for the 21st channel", Observed: "channel.join.ok"}}},
			{Name: "received-message-sent-on", Text: "The client sends a received message object on.", Subject: "client", Area: "peer", Kind: LineFault,
				Breaks: []string{"RTM-PEER-008"}, Activations: 2, DurationNS: 390e6, Results: []BreakResult{
					{ID: "RTM-PEER-008", Outcome: KilledByOwner, Killers: []string{"RTM-PEER-008"}}}},
		},
		Tolerances: []ToleranceResult{
			{Name: "unknown-fields", Text: "The server adds fields that the protocol does not have.", Subject: "server", Green: true, Activations: 2210},
			{Name: "slow-answers", Text: "The server answers late, and within every budget.", Subject: "server", Green: true, Activations: 540},
		},
		Harness: []HarnessResult{
			{Name: "dies", Text: "The adapter ends in the middle of a session.", WantExit: 3, GotExit: 3, Said: "the adapter ended with exit code 9"},
			{Name: "agrees-to-everything", Text: "The adapter says ok to a command that does not exist.", WantExit: 3, GotExit: 3, Said: "the adapter agreed to x-18ea90b0"},
		},
	}
}

// unsoundSelftest has every bad outcome in it.
func unsoundSelftest() *Selftest {
	s := soundSelftest()
	other := &s.Faults[0].Results[1]
	other.Outcome, other.Killers = KilledByOther, []string{"RTM-PEER-002"}
	survivor := &s.Faults[1].Results[0]
	survivor.Outcome, survivor.Killers, survivor.Expected, survivor.Observed = Survived, nil, "", ""
	s.Faults[2].Activations = 0
	s.Faults[2].Results[0] = BreakResult{ID: "RTM-PEER-008", Outcome: NeverExercised}
	s.Faults = append(s.Faults, FaultResult{Name: "mute-login", Text: "The server never answers a login.", Subject: "server", Area: "login", Kind: FrameFault,
		Breaks: []string{"RTM-LOGIN-001"}, Results: []BreakResult{{ID: "RTM-LOGIN-001", Outcome: FaultError, Observed: "the proxy could not listen: address already in use"}}})
	s.Tolerances[1] = ToleranceResult{Name: "slow-answers", Text: "The server answers late, and within every budget.", Subject: "server", Activations: 540,
		Violated: []string{"RTM-LOGIN-004"}, Reason: "the suite waited 600 ms for an answer that may take 1200 ms"}
	s.Harness[0].GotExit = 1
	s.Uncovered = []string{"RTM-CHANNEL-014", "RTM-PRESENCE-002"}
	return s
}

func TestASelftestIsTrustedOnlyWhenNothingIsInDoubt(t *testing.T) {
	if s := soundSelftest(); !s.Trusted() {
		t.Errorf("a sound selftest is in doubt: %v", s.Doubts())
	}
	for name, spoil := range map[string]func(*Selftest){
		"no fault":               func(s *Selftest) { s.Faults = nil },
		"a fault without result": func(s *Selftest) { s.Faults[0].Results = nil },
		"a missing result":       func(s *Selftest) { s.Faults[0].Results = s.Faults[0].Results[:1] },
		"a fault of nothing":     func(s *Selftest) { s.Faults[1].Breaks, s.Faults[1].Results = nil, nil },
		"killed by another":      func(s *Selftest) { s.Faults[0].Results[1].Outcome = KilledByOther },
		"a survivor":             func(s *Selftest) { s.Faults[0].Results[1].Outcome = Survived },
		"never exercised":        func(s *Selftest) { s.Faults[0].Results[1].Outcome = NeverExercised },
		"an error":               func(s *Selftest) { s.Faults[0].Results[1].Outcome = FaultError },
		"an uncovered MUST":      func(s *Selftest) { s.Uncovered = []string{"RTM-PEER-009"} },
		"a red tolerance":        func(s *Selftest) { s.Tolerances[0].Green = false },
		"a wrong exit":           func(s *Selftest) { s.Harness[0].GotExit = 0 },
		"an interruption":        func(s *Selftest) { s.Interrupted = true },
	} {
		s := soundSelftest()
		spoil(s)
		if s.Trusted() || len(s.Doubts()) == 0 {
			t.Errorf("%s: the selftest is trusted", name)
		}
	}
}

func TestASelftestThatContradictsItselfIsRefused(t *testing.T) {
	for _, s := range []*Selftest{soundSelftest(), unsoundSelftest()} {
		if err := s.validate(); err != nil {
			t.Error(err)
		}
	}
	for want, spoil := range map[string]func(*Selftest){
		"schema is":                func(s *Selftest) { s.Schema = "rtmkit-selftest/v2" },
		"unknown kind":             func(s *Selftest) { s.Faults[0].Kind = "bytes" },
		"unknown outcome":          func(s *Selftest) { s.Faults[0].Results[0].Outcome = "killed" },
		"contradicts its killers":  func(s *Selftest) { s.Faults[0].Results[0].Killers = nil },
		"which it does not break":  func(s *Selftest) { s.Faults[0].Results[0].ID = "RTM-PEER-009" },
		"fault join-unlimited: ap": func(s *Selftest) { s.Faults[0].Name = "join-unlimited" },
		"is green and violates":    func(s *Selftest) { s.Tolerances[0].Violated = []string{"RTM-PEER-001"} },
		"is no id":                 func(s *Selftest) { s.Uncovered = []string{"../x"} },
	} {
		s := soundSelftest()
		spoil(s)
		if err := s.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestReadSelftestGivesBackWhatWasWritten(t *testing.T) {
	for name, want := range map[string]*Selftest{"sound": soundSelftest(), "unsound": unsoundSelftest(), "empty": {Schema: SelftestSchema}} {
		dir := t.TempDir()
		if err := WriteSelftest(dir, want); err != nil {
			t.Fatal(err)
		}
		got, err := ReadSelftest(dir)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read something else than was written: %v", name, err)
		}
		if err := satisfies(t, "selftest.schema.json", "", filepath.Join(dir, SelftestFile)); name != "empty" && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	if err := WriteSelftest(dir, unsoundSelftest()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, SelftestSummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "golden", SelftestSummaryFile), text)
	page, err := os.ReadFile(filepath.Join(dir, SelftestPageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"cannot be trusted", "join-unlimited", "survived", "killed-by-other", "never-exercised", "RTM-CHANNEL-014", "wanted 3"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	bad := soundSelftest()
	bad.Faults[0].Kind = "bytes"
	if err := WriteSelftest(dir, bad); err == nil {
		t.Error("a selftest was written that ReadSelftest would refuse")
	}
}

func TestAFaultThatFailsEverythingNamesTheOwnersFirst(t *testing.T) {
	s := soundSelftest()
	for i := range 9 {
		s.Faults[0].Results[0].Killers = append([]string{fmt.Sprintf("RTM-LOGIN-%03d", i)}, s.Faults[0].Results[0].Killers...)
	}
	f := s.areas()[0].Faults[0]
	if len(f.Killers) != maxKillers || len(f.More) != 11-maxKillers || f.Killers[0] != "RTM-PEER-002" || f.Killers[1] != "RTM-PEER-003" {
		t.Errorf("shown %v, further %v", f.Killers, f.More)
	}
}

func TestHostileTextsLeaveTheSelftestWhole(t *testing.T) {
	s := unsoundSelftest()
	setTexts(reflect.ValueOf(s))
	for i := range s.Faults {
		// Ids are no free text.
		f := &s.Faults[i]
		f.Name += strings.Repeat("x", i)
		f.Breaks = unsoundSelftest().Faults[i].Breaks
		for j := range f.Results {
			f.Results[j].Killers = unsoundSelftest().Faults[i].Results[j].Killers
		}
	}
	for i := range s.Tolerances {
		s.Tolerances[i].Name += strings.Repeat("x", i)
		s.Tolerances[i].Violated = nil
	}
	s.Harness[1].Name += "x"
	s.Uncovered = nil
	dir := t.TempDir()
	if err := WriteSelftest(dir, s); err != nil {
		t.Fatal(err)
	}
	staysText(t, filepath.Join(dir, SelftestPageFile), filepath.Join(dir, SelftestSummaryFile))
}

// staysText checks that no markup came out of the texts of a page and of a
// Markdown file.
func staysText(t *testing.T, page, markdown string) {
	t.Helper()
	for file, markup := range map[string][]string{page: {"<script>", "<img", "<b ", `href="javascript`}, markdown: {"<script>", "<img", "<b ", "](javascript", "http://"}} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		outside := ""
		for i, part := range strings.Split(string(text), "\n```\n") {
			if i%2 == 0 { // Nothing has a meaning between fences.
				outside += part
			}
		}
		for _, foreign := range markup {
			if strings.Contains(strings.ReplaceAll(outside, `\](`, ""), foreign) {
				t.Errorf("%s holds %q", filepath.Base(file), foreign)
			}
		}
		if !strings.Contains(outside, "script") {
			t.Errorf("%s does not show the hostile text, so the test proves nothing", filepath.Base(file))
		}
	}
}
