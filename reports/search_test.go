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

// fixtureSearch is a search on a server that carries 21,300 messages per second.
func fixtureSearch() *Search {
	s := &Search{
		Schema: SearchSchema, ToolVersion: "0.2.0", Workload: "peer", KindSHA256: strings.Repeat("0f", 32),
		Target: "ws://127.0.0.1:41233/rtm/v1", Server: Identity{Kind: "server", Name: "rtmkit reference", Version: "0.2.0"},
		Environment: passingReport().Environment, StartedAt: fixtureStart, EndedAt: fixtureStart.Add(4 * time.Minute),
		Command: "rtmkit load search peer --out out", Notes: []string{"Each trial has a reference server of its own."},
		Demands: []string{"peer.ack.p99 < 20ms", "no message lost, duplicated or reordered"}, Metric: "peer.ack",
		FromPerS: 1000, ToPerS: 200_000, Width: 0.03,
		Answer: SearchAnswer{RatePerS: 21_040, FailsPerS: 21_527, Bound: ServerBound, Criterion: "peer.ack.p99 < 20ms; observed 31 ms", Confirmed: true},
	}
	add := func(step SearchStep, rate float64, seconds int) {
		t := SearchTrial{
			RatePerS: rate, LengthNS: int64(seconds) * 1e9, Step: step, Verdict: TrialPassed, Validity: Valid,
			P50NS: int64(150_000 + 20*rate), P99NS: int64(300_000 + 90*rate), AchievedPerS: rate, DeliveredPerS: rate, LagP99NS: int64(100_000 + 20*rate),
			Run: fmt.Sprintf("trials/%02d-%.0f", len(s.Trials)+1, rate),
		}
		if rate > 21_300 {
			t.Verdict, t.Criterion = TrialFailed, "peer.ack.p99 < 20ms; observed 31 ms"
			t.P50NS, t.P99NS, t.InFlightPerS = 9_000_000, 31_000_000, 412
		}
		if rate > 30_000 {
			t.Verdict, t.Validity, t.Criterion = TrialInvalid, Invalid, "the run is invalid: the schedule lag had a p99 of 13.6ms; up to 1ms is valid"
			t.LagP99NS, t.P99NS, t.AchievedPerS, t.DeliveredPerS = 13_600_000, 69_000_000, 31_000, 31_000
		}
		s.Trials = append(s.Trials, t)
	}
	for _, rate := range []float64{1000, 2000, 4000, 8000, 16_000, 32_000, 32_000} {
		add(StepGrow, rate, 5)
	}
	for i, rate := range []float64{22_627, 22_627, 19_027, 20_749, 21_668, 21_668, 21_204} {
		add(StepNarrow, rate, 5+2*i)
	}
	for _, rate := range []float64{21_040, 21_040} {
		add(StepConfirm, rate, 15)
	}
	add(StepBeyond, 23_144, 15)
	return s
}

func TestASearchSaysWhatItsAnswerIsWorth(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(s *Search)
		title    string
		sentence string
		tone     tone
	}{
		"a ceiling":         {func(*Search) {}, "Carries 21,040/s", "The first to fail, at 21,527/s: peer.ack.p99 < 20ms; observed 31 ms. Confirmed by two", toneGood},
		"generator bound":   {func(s *Search) { s.Answer.Bound = GeneratorBound }, "Carries at least 21,040/s", "Generator bound: at 21,527/s", toneWarn},
		"the whole range":   {func(s *Search) { s.Answer.Bound, s.Answer.FailsPerS = RangeBound, 0 }, "Carries at least 21,040/s", "the highest rate asked for", toneWarn},
		"not confirmed":     {func(s *Search) { s.Answer.Confirmed = false }, "Carries 21,040/s", "Not confirmed", toneWarn},
		"interrupted":       {func(s *Search) { s.Interrupted, s.Answer.Confirmed = true, false }, "Carries 21,040/s", "interrupted", toneWarn},
		"nothing passes":    {func(s *Search) { s.Answer = SearchAnswer{Bound: ServerBound, FailsPerS: 1000, Criterion: "too slow"} }, "Not even 1,000/s", "too slow", toneBad},
		"a message is lost": {func(s *Search) { s.Trials[9].Verdict, s.Trials[9].Criterion = TrialLost, "peer: 1 lost" }, "Carries 21,040/s", "went astray", toneBad},
		"never valid": {func(s *Search) {
			s.Answer = SearchAnswer{Bound: GeneratorBound, FailsPerS: 1000, Criterion: "late"}
			s.Trials = []SearchTrial{{RatePerS: 1000, Step: StepGrow, Verdict: TrialNoisy, Criterion: "late"}}
		}, "No answer", "nothing is known about the server", toneWarn},
	} {
		s := fixtureSearch()
		tt.change(s)
		if err := s.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if o := s.outcome(); o.Title != tt.title || !strings.Contains(o.Sentence, tt.sentence) || o.Tone != tt.tone {
			t.Errorf("%s: %s %q, %q", name, o.Tone, o.Title, o.Sentence)
		}
	}
}

func TestASearchThatContradictsItselfIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(s *Search){
		"schema is":           func(s *Search) { s.Schema = "rtmkit-search/v2" },
		"unknown bound":       func(s *Search) { s.Answer.Bound = "luck" },
		"passes and":          func(s *Search) { s.Answer.FailsPerS = 5 },
		"nothing is":          func(s *Search) { s.Answer.RatePerS = 0 },
		"unknown verdict":     func(s *Search) { s.Trials[0].Verdict = "fine" },
		"unknown step":        func(s *Search) { s.Trials[0].Step = "leap" },
		"unknown validity":    func(s *Search) { s.Trials[0].Validity = "so so" },
		"says that it failed": func(s *Search) { s.Trials[0].Criterion = "slow" },
		"offers 0":            func(s *Search) { s.Trials[0].RatePerS = 0 },
		"lies outside":        func(s *Search) { s.Trials[0].Run = "../elsewhere" },
	} {
		s := fixtureSearch()
		spoil(s)
		if err := s.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestReadSearchGivesBackWhatWasWritten(t *testing.T) {
	dir, want := t.TempDir(), fixtureSearch()
	if err := WriteSearch(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadSearch(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read something else than was written: %v", err)
	}
	if err := satisfies(t, "search.schema.json", "", filepath.Join(dir, SearchFile)); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, SearchSummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "golden", SearchSummaryFile), text)
	page, err := os.ReadFile(filepath.Join(dir, PageFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`href="./trials/05-16000/index.html"`, "Latency by load: peer.ack", "Messages per second by load", "schedule lag p99"} {
		if !strings.Contains(string(page), want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	want.Answer.Bound = ""
	if err := WriteSearch(dir, want); err == nil {
		t.Error("a search was written that ReadSearch would refuse")
	}
}

func TestThroughputOfAFanOutIsCountedInDeliveries(t *testing.T) {
	s := fixtureSearch()
	for i := range s.Trials {
		s.Trials[i].DeliveredPerS *= 99
	}
	c := searchCharts(s)[1]
	if c.Title != "Deliveries per second by load" || c.Legend[0].Name != "offered × 99 receivers" {
		t.Errorf("%s: %+v", c.Title, c.Legend)
	}
}

func TestASearchOfFewTrialsStillHasAPage(t *testing.T) {
	for n := range 3 {
		s := fixtureSearch()
		s.Trials = s.Trials[:n]
		for i := range s.Trials {
			s.Trials[i].P50NS, s.Trials[i].P99NS, s.Trials[i].LagP99NS = 0, 0, 0
		}
		if err := WriteSearch(t.TempDir(), s); err != nil {
			t.Errorf("%d trials: %v", n, err)
		}
	}
}

func TestHostileTextsLeaveTheSearchWhole(t *testing.T) {
	s := fixtureSearch()
	setTexts(reflect.ValueOf(s))
	for i := range s.Trials {
		if t := &s.Trials[i]; t.Verdict == TrialPassed {
			t.Criterion = ""
		}
		s.Trials[i].Run = "x"
	}
	dir := t.TempDir()
	if err := WriteSearch(dir, s); err != nil {
		t.Fatal(err)
	}
	staysText(t, filepath.Join(dir, PageFile), filepath.Join(dir, SearchSummaryFile))
}

func TestThePageOfASearchFitsEveryScreen(t *testing.T) {
	browser := startBrowser(t)
	dir := t.TempDir()
	if err := WriteSearch(dir, fixtureSearch()); err != nil {
		t.Fatal(err)
	}
	for _, l := range []look{{1280, false, true}, {1280, true, true}, {390, false, true}} {
		b := open(t, browser, filepath.Join(dir, PageFile), l)
		readable(t, b, l)
		if n := eval[int](b, "document.querySelectorAll('figure svg').length"); n != 2 {
			t.Errorf("the page has %d charts", n)
		}
		b.picture(fmt.Sprintf("search-%d-%v", l.width, l.dark))
	}
}
