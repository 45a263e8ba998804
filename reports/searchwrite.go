package reports

import (
	"bytes"
	_ "embed" // The template is compiled in.
	"fmt"
	"html/template"
	"path"
	"strings"
	"time"
)

// The files that [WriteSearch] makes, beside [PageFile].
const (
	// SearchFile holds a [Search] as JSON.
	SearchFile = "search.json"
	// SearchSummaryFile is the search as Markdown.
	SearchSummaryFile = "search.md"
)

//go:embed search.html.tmpl
var searchTemplate string

//go:embed search.css
var searchStyle string

var searchPages = template.Must(template.New("search").Funcs(pageFuncs).Funcs(template.FuncMap{
	"page":   func(run string) string { return path.Join(run, PageFile) },
	"length": func(ns int64) string { return time.Duration(ns).String() },
	"slope":  formatSlope,
}).Parse(headTemplate + chartTemplate + searchTemplate))

// WriteSearch puts the search into the folder as search.json, search.md and
// index.html, each file whole or not at all and without secrets. The run folders
// that the trials lead to are not its business. It refuses a search that
// [ReadSearch] would refuse.
func WriteSearch(dir string, s *Search) error { return writeDocument(dir, s, searchFiles) }

// ReadSearch returns the search in the folder, as strict as [Read].
func ReadSearch(dir string) (*Search, error) { return readDocument[Search](dir, searchFiles) }

var searchFiles = documentFiles{SearchSchema, SearchFile, SearchSummaryFile, PageFile}

func (v TrialVerdict) tone() tone {
	switch v {
	case TrialPassed:
		return toneGood
	case TrialFailed, TrialLost:
		return toneBad
	}
	return toneWarn
}

// Title says the answer in a few words.
func (s *Search) Title() string {
	a := &s.Answer
	switch {
	case a.RatePerS == 0 && s.NeverValid():
		return "No answer"
	case a.RatePerS == 0:
		return "Not even " + formatRate(s.FromPerS)
	case a.Bound == ServerBound:
		return "Carries " + formatRate(a.RatePerS)
	}
	return "Carries at least " + formatRate(a.RatePerS)
}

// Sentence says in one or two sentences what the answer rests on.
func (s *Search) Sentence() string {
	a := &s.Answer
	var b strings.Builder
	switch {
	case a.RatePerS == 0 && s.NeverValid():
		b.WriteString("No trial was valid: the generator kept its schedule at no rate, so nothing is known about the server.")
	case a.RatePerS == 0 && len(s.Trials) == 0:
		b.WriteString("No trial was made.")
	case a.RatePerS == 0:
		fmt.Fprintf(&b, "The lowest rate asked for fails: %s.", a.Criterion)
	case a.Bound == ServerBound:
		fmt.Fprintf(&b, "The first to fail, at %s: %s.", formatRate(a.FailsPerS), a.Criterion)
	case a.Bound == GeneratorBound:
		fmt.Fprintf(&b, "Generator bound: at %s %s. That says nothing about the server, which may carry more.", formatRate(a.FailsPerS), a.Criterion)
	case a.Bound == RangeBound:
		fmt.Fprintf(&b, "That is the highest rate asked for, and nothing failed; the server may carry more.")
	default:
		b.WriteString("The search ended before anything failed.")
	}
	if s.Lost() {
		b.WriteString(" Messages went astray in a valid run: see the trials.")
	}
	switch {
	case s.Interrupted:
		b.WriteString(" The search was interrupted.")
	case a.RatePerS > 0 && !a.Confirmed:
		b.WriteString(" Not confirmed: no two trials of full length at this rate with one at a tenth more that failed.")
	case a.Confirmed:
		b.WriteString(" Confirmed by two trials of full length.")
	}
	return b.String()
}

func (s *Search) outcome() outcome {
	o := outcome{toneGood, s.Title(), s.Sentence()}
	switch a := &s.Answer; {
	case s.Lost() || a.RatePerS == 0 && !s.NeverValid():
		o.Tone = toneBad
	case a.AtLeast() || !a.Confirmed || s.Interrupted:
		o.Tone = toneWarn
	}
	return o
}

func (s *Search) page() ([]byte, error) {
	view := struct {
		*Search
		Style   template.CSS
		Title   string
		Who     string
		Outcome outcome
		Charts  []*chart
		Took    time.Duration
	}{Search: s, Style: template.CSS(styleSheet + searchStyle), Outcome: s.outcome(), Charts: searchCharts(s), Took: s.EndedAt.Sub(s.StartedAt)}
	view.Title = view.Outcome.Title
	view.Who = strings.TrimSpace(s.Server.Name+" "+s.Server.Version) + " under " + s.Workload + " load"
	var b bytes.Buffer
	if err := searchPages.ExecuteTemplate(&b, "search", view); err != nil {
		return nil, fmt.Errorf("search page: %w", err)
	}
	return b.Bytes(), nil
}

// Markdown returns the search as a short text for job summaries and mail.
func (s *Search) Markdown() []byte {
	var b bytes.Buffer
	o := s.outcome()
	fmt.Fprintf(&b, "# %s %s\n\n%s\n\n", o.Tone.sign(), md(o.Title), md(o.Sentence))
	fmt.Fprintf(&b, "| Rate | Length | Step | Verdict | p50 | p99 | Achieved | Lag p99 | In flight | Reason |\n|--:|--:|---|---|--:|--:|--:|--:|--:|---|\n")
	for _, t := range s.Trials {
		verdict := t.Verdict.tone().sign() + " " + string(t.Verdict)
		if plainPath(t.Run) {
			verdict = fmt.Sprintf("[%s](%s)", verdict, "./"+path.Join(t.Run, PageFile))
		}
		fmt.Fprintf(&b, "| %s | %v | %s | %s | %s | %s | %s | %s | %s | %s |\n", formatRate(t.RatePerS), time.Duration(t.LengthNS), t.Step, verdict,
			formatNS(t.P50NS), formatNS(t.P99NS), formatRate(t.AchievedPerS), formatNS(t.LagP99NS), formatSlope(t.InFlightPerS), md(t.Criterion))
	}
	if len(s.Demands) > 0 {
		b.WriteString("\nA trial has to meet:\n\n")
		for _, d := range s.Demands {
			fmt.Fprintf(&b, "- %s\n", md(d))
		}
	}
	fmt.Fprintf(&b, "\n---\n\nrtmkit %s · latencies of %s · %s\n", md(s.ToolVersion), md(s.Metric), formatTime(s.StartedAt))
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "\n- %s", md(n))
	}
	if len(s.Notes) > 0 {
		b.WriteByte('\n')
	}
	if s.Command != "" {
		fmt.Fprintf(&b, "\nTo repeat:\n\n%s", mdBlock(s.Command))
	}
	return b.Bytes()
}

// formatSlope writes a change per second with its sign.
func formatSlope(perSecond float64) string {
	switch {
	case perSecond > -0.5 && perSecond < 0.5:
		return "0/s"
	case perSecond > 0:
		return "+" + formatCount(int64(perSecond+0.5)) + "/s"
	}
	return "−" + formatCount(int64(-perSecond+0.5)) + "/s"
}
