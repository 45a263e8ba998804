package reports

import (
	"bytes"
	_ "embed" // The page's template and style sheet are compiled in.
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

//go:embed page.html.tmpl
var pageTemplate string

//go:embed head.html.tmpl
var headTemplate string

//go:embed run.html.tmpl
var runTemplate string

//go:embed chart.html.tmpl
var chartTemplate string

//go:embed style.css
var styleSheet string

var pageFuncs = template.FuncMap{
	"ns":     formatNS,
	"cpu":    func(ns float64) string { return formatNS(int64(ns)) },
	"count":  formatCount,
	"rate":   formatRate,
	"bytes":  formatBytes,
	"share":  formatShare,
	"time":   formatTime,
	"sign":   func(t tone) string { return t.sign() },
	"tone":   func(v interface{ tone() tone }) tone { return v.tone() },
	"join":   func(s []string) string { return strings.Join(s, " · ") },
	"url":    safeURL,
	"webURL": plainURL.MatchString,
	"claimed": func(c *Conformance, profile string) bool {
		return slices.Contains(c.Claims, profile)
	},
	"bar":    verdictCounts,
	"news":   news,
	"long":   func(payload string) bool { return len(payload) > longFrame },
	"lead":   lead,
	"around": func(d time.Duration) string { return d.Round(100 * time.Millisecond).String() },
}

var pages = template.Must(template.New("page").Funcs(pageFuncs).Parse(headTemplate + chartTemplate + runTemplate + pageTemplate))

// pageText returns the report as one HTML page. The page is complete in itself: it
// asks for nothing over the network and has no JavaScript, and a content
// security policy in it forbids both. Everything foreign in the report is
// escaped.
func pageText(r *Report) ([]byte, error) {
	var b bytes.Buffer
	if err := pages.ExecuteTemplate(&b, "page", newPage(r)); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return b.Bytes(), nil
}

// page is what the template shows.
type page struct {
	*Report
	Style    template.CSS
	Title    string
	Who      string
	Against  string
	Outcome  outcome
	Parts    []outcome
	Counts   []verdictCount
	Findings []*RequirementResult
	Further  int
	Known    []*RequirementResult
	Areas    []areaView
	Legend   []signEntry
	Coverage coverage
	Runs     []loadView
	Took     time.Duration
	Alone    bool // one load run and nothing else: its own bar says it all
}

func newPage(r *Report) *page {
	p := &page{
		Report:  r,
		Style:   template.CSS(styleSheet),
		Outcome: r.outcome(),
		Parts:   r.outcomes(),
		Took:    r.EndedAt.Sub(r.StartedAt),
		Alone:   r.Conformance == nil && len(r.Loads) == 1,
	}
	if c := r.Conformance; c != nil {
		p.Who, p.Against = c.Subject.title(), c.against()
		p.Coverage = newCoverage(c)
		p.Counts = verdictCounts(c.Counts())
		p.Findings = findings(c.Requirements)
		if all := len(p.Findings); all > maxFindings {
			p.Findings, p.Further = p.Findings[:maxFindings], all-maxFindings
		}
		for i := range c.Requirements {
			if q := &c.Requirements[i]; q.KnownFailure != nil {
				p.Known = append(p.Known, q)
			}
		}
		for _, a := range byArea(c.Requirements) {
			p.Areas = append(p.Areas, newAreaView(a, p.Coverage.Planted))
		}
		p.Legend = legend(p.Areas)
	} else if len(r.Loads) > 0 {
		s := r.Loads[0].Manifest.Server
		p.Who = s.title()
	}
	p.Title = p.Outcome.Title
	if p.Who != "" {
		p.Title += " · " + p.Who
	}
	for i := range r.Loads {
		p.Runs = append(p.Runs, newLoadView(&r.Loads[i], i))
	}
	return p
}

// verdictCount is one part of a bar of verdicts.
type verdictCount struct {
	Verdict Verdict
	Count   int
}

// barOrder is the order of verdicts in a bar, good on the left.
var barOrder = []Verdict{Pass, Fail, Flaky, StaleKnownFail, Error, KnownFail, Warn, Blocked, Info, Undecided, NotSelected, NotDeclared, NoSpec}

// verdictCounts orders the counts as the bar shows them.
func verdictCounts(counts map[Verdict]int) []verdictCount {
	var list []verdictCount
	for _, v := range barOrder {
		if counts[v] > 0 {
			list = append(list, verdictCount{v, counts[v]})
		}
	}
	return list
}

// maxFindings is how many findings are explained before the matrix. A server
// that breaks everything needs no longer list.
const maxFindings = 25

// longFrame is the length from which a frame shows only its beginning until it
// is opened.
const longFrame = 220

// lead is the beginning of a long frame.
func lead(payload string) string {
	cut := longFrame / 2
	for !utf8.RuneStart(payload[cut]) {
		cut--
	}
	return payload[:cut] + "…"
}

// news reports whether the spec's message says more than the requirement's
// expected and observed.
func news(s SpecResult, q *RequirementResult) bool {
	told := q.Observed != "" && strings.Contains(s.Message, q.Expected) && strings.Contains(s.Message, q.Observed)
	return s.Message != "" && s.Message != q.Reason && !told
}

// safeURL turns a relative path into one that a link may hold: it stays inside
// the folder and names no scheme.
func safeURL(name string) string {
	clean := path.Clean("/" + strings.ReplaceAll(name, "\\", "/"))[1:]
	return "./" + clean
}
