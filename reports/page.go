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

var pages = template.Must(template.New("page").Funcs(pageFuncs).Parse(headTemplate + pageTemplate))

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
}

func newPage(r *Report) *page {
	p := &page{
		Report:  r,
		Style:   template.CSS(styleSheet),
		Outcome: r.outcome(),
		Parts:   r.outcomes(),
		Took:    r.EndedAt.Sub(r.StartedAt),
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

// loadView is one load run.
type loadView struct {
	*Load
	Anchor    string
	Delivery  outcome
	Charts    []*chart
	Metrics   []metricView
	Ledger    []ledgerGroup
	Equations []equationView
}

// metricView is one line of the latency table.
type metricView struct {
	Metric
	Class string
	Cells []percentileCell
}

// percentileCell is one percentile; Thin says that fewer than ten samples lie
// beyond it.
type percentileCell struct {
	Value string
	Thin  bool
}

// equationView is one equation with its values for each traffic id.
type equationView struct {
	Text   string
	Holds  bool
	Values []Equation
}

func newLoadView(l *Load, index int) loadView {
	v := loadView{
		Load:     l,
		Anchor:   fmt.Sprintf("run-%d", index+1),
		Delivery: deliveryOutcome([]Load{*l}),
		Charts:   loadCharts(l),
		Ledger:   ledgerGroups(l.Summary.Ledger),
	}
	curves := 0
	for _, m := range l.Summary.Metrics {
		row := metricView{Metric: m}
		if len(m.Curve) > 0 && m.Count > 0 && curves < maxCurves {
			curves++
			row.Class = fmt.Sprintf("c%d", curves)
		}
		for _, q := range []struct {
			beyond float64
			value  int64
		}{{0.5, m.P50NS}, {0.1, m.P90NS}, {0.01, m.P99NS}, {0.001, m.P999NS}, {0.0001, m.P9999NS}} {
			row.Cells = append(row.Cells, percentileCell{formatNS(q.value), float64(m.Count)*q.beyond < 10})
		}
		v.Metrics = append(v.Metrics, row)
	}
	place := make(map[string]int)
	for _, e := range l.Summary.Equations {
		at, ok := place[e.Text]
		if !ok {
			at = len(v.Equations)
			place[e.Text] = at
			v.Equations = append(v.Equations, equationView{Text: e.Text, Holds: true})
		}
		v.Equations[at].Values = append(v.Equations[at].Values, e)
		v.Equations[at].Holds = v.Equations[at].Holds && e.Holds
	}
	return v
}

// Link returns the place of a file of the run folder as seen from the page.
func (v loadView) Link(name string) string { return path.Join(v.Dir, name) }

// ledgerGroup is a part of the ledger table, turned so that each kind of count
// is a row and each traffic id a column.
type ledgerGroup struct {
	Name  string
	Lines []ledgerLine
}

// ledgerLine is one kind of count. Wrong marks the kinds that must be zero.
type ledgerLine struct {
	Name  string
	Wrong bool
	Cells []int64
}

func ledgerGroups(rows []LedgerRow) []ledgerGroup {
	if len(rows) == 0 {
		return nil
	}
	line := func(name string, wrong bool, value func(LedgerRow) int64) ledgerLine {
		l := ledgerLine{Name: name, Wrong: wrong}
		for _, r := range rows {
			l.Cells = append(l.Cells, value(r))
		}
		return l
	}
	return []ledgerGroup{
		{"Sending", []ledgerLine{
			line("scheduled", false, func(r LedgerRow) int64 { return r.Scheduled }),
			line("sent", false, func(r LedgerRow) int64 { return r.Sent }),
			line("shed by the generator", true, func(r LedgerRow) int64 { return r.Shed }),
			line("send failed", true, func(r LedgerRow) int64 { return r.SendFailed }),
		}},
		{"Answers", []ledgerLine{
			line("received", false, func(r LedgerRow) int64 { return r.AckedReceived }),
			line("not received", false, func(r LedgerRow) int64 { return r.AckedNotReceived }),
			line("error", true, func(r LedgerRow) int64 { return r.AckError }),
			line("timeout", true, func(r LedgerRow) int64 { return r.AckTimeout }),
			line("lost with the connection", true, func(r LedgerRow) int64 { return r.AckLost }),
			line("false receipts", true, func(r LedgerRow) int64 { return r.FalseReceipts }),
		}},
		{"Deliveries", []ledgerLine{
			line("expected", false, func(r LedgerRow) int64 { return r.Expected }),
			line("delivered once", false, func(r LedgerRow) int64 { return r.DeliveredOnce }),
			line("allowed, not required", false, func(r LedgerRow) int64 { return r.MayDelivered }),
			line("arrived in all", false, func(r LedgerRow) int64 { return r.Received }),
			line("lost", true, func(r LedgerRow) int64 { return r.Lost }),
			line("duplicated", true, func(r LedgerRow) int64 { return r.Duplicated }),
			line("reordered", true, func(r LedgerRow) int64 { return r.Reordered }),
			line("leaked", true, func(r LedgerRow) int64 { return r.Leaked }),
			line("foreign", true, func(r LedgerRow) int64 { return r.Foreign }),
			line("corrupt", true, func(r LedgerRow) int64 { return r.Corrupt }),
		}},
	}
}

// safeURL turns a relative path into one that a link may hold: it stays inside
// the folder and names no scheme.
func safeURL(name string) string {
	clean := path.Clean("/" + strings.ReplaceAll(name, "\\", "/"))[1:]
	return "./" + clean
}
