package conformance

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/reports"
)

var christmas = time.Date(2026, 12, 24, 18, 0, 0, 0, time.UTC)

// written puts a text into a file and returns its path.
func written(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEachMistakeInAListOfKnownFailuresIsNamed(t *testing.T) {
	const good = "- id: RTM-PEER-002\n  reason: we never know\n  until: 2026-12-31\n"
	for name, test := range map[string]struct{ list, want string }{
		"an unknown member":     {good + "  untill: 2027-01-01\n", "line 4: field untill not found"},
		"no list":               {"id: RTM-PEER-002\n", "line 1: cannot unmarshal"},
		"no YAML":               {"- id: [\n", "line"},
		"a second document":     {good + "---\n" + good, "something stands after the list"},
		"an unknown id":         {"- id: RTM-PER-002\n", "no requirement is called RTM-PER-002; the nearest is RTM-PEER-002"},
		"no id":                 {"- reason: none\n", "entry 1 has no id"},
		"an id twice":           {good + good, "RTM-PEER-002 stands twice"},
		"an undecided id":       {"- id: RTM-LOGIN-013\n", "RTM-LOGIN-013 is never judged"},
		"no reason":             {"- id: RTM-PEER-002\n  until: 2026-12-31\n", "RTM-PEER-002 has no reason"},
		"a blank reason":        {"- id: RTM-PEER-002\n  reason: ' '\n", "RTM-PEER-002 has no reason"},
		"a reason to be done":   {"- id: RTM-PEER-002\n  reason: 'TODO: later'\n", "write why it fails instead of TODO"},
		"no day":                {"- id: RTM-PEER-002\n  reason: r\n", `until is "" and must be a day such as 2026-12-31`},
		"a day that is none":    {"- id: RTM-PEER-002\n  reason: r\n  until: 2026-13-01\n", `until is "2026-13-01" and must be a day`},
		"a day that has passed": {"- id: RTM-PEER-002\n  reason: r\n  until: 2026-12-23\n", "RTM-PEER-002 was to be met by 2026-12-23"},
	} {
		path := written(t, test.list)
		_, err := ReadKnownFailures(path, christmas)
		if !errors.As(err, new(*UsageError)) || !strings.Contains(err.Error(), path+": ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want a UsageError with the file and %q", name, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: the error has several lines: %v", name, err)
		}
	}
	if _, err := ReadKnownFailures(filepath.Join(t.TempDir(), "missing.yaml"), christmas); !errors.As(err, new(*UsageError)) {
		t.Errorf("a missing file: got %v", err)
	}
}

func TestAListOfKnownFailuresHoldsThroughItsLastDay(t *testing.T) {
	for _, text := range []string{"", "[]", "# nothing fails\n"} {
		if list, err := ReadKnownFailures(written(t, text), christmas); err != nil || len(list) != 0 {
			t.Errorf("%q is read as %v, %v", text, list, err)
		}
	}
	list, err := ReadKnownFailures(written(t, "- {id: RTM-PEER-002, reason: r, until: 2026-12-24, issue: i, observed: o}\n"), christmas)
	want := []KnownFailure{{ID: "RTM-PEER-002", Reason: "r", Until: "2026-12-24", Issue: "i", Observed: "o"}}
	if err != nil || !slices.Equal(list, want) {
		t.Errorf("got %v, %v", list, err)
	}
}

func TestAKnownFailureTurnsTheVerdictOfWhatWasJudged(t *testing.T) {
	known := KnownFailure{ID: "RTM-PEER-002", Reason: "we never know", Issue: "i", Until: "2026-12-31", Observed: "true"}
	for _, test := range []struct {
		verdict  reports.Verdict
		observed string
		want     reports.Verdict
	}{
		{reports.Fail, "received is true", reports.KnownFail},
		{reports.Warn, "received is true", reports.KnownFail},
		{reports.Fail, "nothing", reports.StaleKnownFail},
		{reports.Pass, "", reports.StaleKnownFail},
		{reports.Blocked, "", reports.KnownFail},
		{reports.Flaky, "", reports.Flaky},
		{reports.Error, "", reports.Error},
		{reports.NotSelected, "", reports.NotSelected},
		{reports.NotDeclared, "", reports.NotDeclared},
	} {
		row := reports.RequirementResult{ID: known.ID, Verdict: test.verdict, Observed: test.observed}
		known.expect(&row)
		if row.Verdict != test.want {
			t.Errorf("%s with %q is %s, want %s", test.verdict, test.observed, row.Verdict, test.want)
		}
		if row.KnownFailure == nil || row.KnownFailure.Reason != known.Reason || row.KnownFailure.Issue != known.Issue {
			t.Errorf("%s: the row does not carry the entry: %+v", test.verdict, row.KnownFailure)
		}
	}
}

func TestAMisspeltKnownFailureOfAConfigurationIsRefused(t *testing.T) {
	cfg := Config{Server: "ws://127.0.0.1:1/rtm/v1", AppID: testApp, KnownFailures: []KnownFailure{{ID: "RTM-PEER-0002"}}}
	_, err := Run(t.Context(), cfg)
	if ExitCode(nil, err) != ExitUsage || !strings.Contains(err.Error(), "the nearest is RTM-PEER-002") {
		t.Errorf("got %v", err)
	}
}

// receiving is a server that says that it delivers to users who are offline.
func receiving(t *testing.T) string {
	return rewriting(t, replacing(probe.ToClient, `"received":false`, `"received":true`))
}

func TestAKnownFailureMakesItsProfilePartialAndFailsNoRunButAStrictOne(t *testing.T) {
	cfg := quick(receiving(t))
	cfg.Only = []string{"RTM-PEER-00[123]"}
	cfg.KnownFailures = []KnownFailure{{ID: "RTM-PEER-002", Reason: "we never know", Observed: "received is true"}}
	for strict, want := range map[bool]int{false: ExitConformant, true: ExitNotConformant} {
		cfg.Strict = strict
		result := judged(t, cfg)
		if code := ExitCode(result, nil); code != want || verdictOf(result, "RTM-PEER-002") != reports.KnownFail {
			t.Errorf("strict %v: the exit code is %d and the verdict %s", strict, code, verdictOf(result, "RTM-PEER-002"))
		}
		for _, profile := range result.Profiles {
			if profile.Name == catalogue.Embedded().Get("RTM-PEER-002").Profile && profile.Verdict != reports.Partial {
				t.Errorf("strict %v: the profile is %s", strict, profile.Verdict)
			}
		}
	}

	cfg.Strict, cfg.Server = false, startReference(t, shortLimits())
	result := judged(t, cfg)
	if code := ExitCode(result, nil); code != ExitNotConformant || verdictOf(result, "RTM-PEER-002") != reports.StaleKnownFail {
		t.Errorf("met again, the exit code is %d and the verdict %s", code, verdictOf(result, "RTM-PEER-002"))
	}
}

func verdictOf(result *reports.Conformance, id string) reports.Verdict {
	for _, row := range result.Requirements {
		if row.ID == id {
			return row.Verdict
		}
	}
	return ""
}

func TestAWrittenListIsRefusedUntilItsReasonsAreAndHoldsInTheNextRun(t *testing.T) {
	cfg := quick(rewriting(t, replacing(probe.ToClient, `"kind":"(channel.join.ok|peer.message|logout.ok)"`, `"kind":"other"`)))
	cfg.Subjects, cfg.Skip, cfg.SlowFactor = []string{"server"}, append(cfg.Skip, "RTM-TRANSPORT-*"), 0.1
	result := judged(t, cfg)
	counts := result.Counts()
	if counts[reports.Fail] < 5 || counts[reports.Blocked] == 0 {
		t.Fatalf("the verdicts are %v, too few to prove anything", counts)
	}
	var list bytes.Buffer
	if err := WriteKnownFailures(&list, result, christmas.AddDate(0, 3, 0)); err != nil {
		t.Fatal(err)
	}

	if _, err := ReadKnownFailures(written(t, list.String()), christmas); err == nil || !strings.Contains(err.Error(), "TODO") {
		t.Errorf("a list without reasons is read: %v", err)
	}
	var err error
	cfg.KnownFailures, err = ReadKnownFailures(written(t, strings.ReplaceAll(list.String(), "TODO", "we are at it")), christmas)
	if err != nil {
		t.Fatal(err)
	}
	again := judged(t, cfg)

	if code := ExitCode(again, nil); code != ExitConformant {
		report(t, again)
		t.Errorf("the exit code is %d with\n%s", code, &list)
	}
}

func TestNothingToWriteIsAListOfNothing(t *testing.T) {
	var list bytes.Buffer
	if err := WriteKnownFailures(&list, new(reports.Conformance), christmas); err != nil {
		t.Fatal(err)
	}
	if known, err := ReadKnownFailures(written(t, list.String()), christmas); err != nil || len(known) != 0 {
		t.Errorf("%q is read as %v, %v", &list, known, err)
	}
}
