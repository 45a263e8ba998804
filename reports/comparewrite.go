package reports

import (
	"bytes"
	_ "embed" // The template is compiled in.
	"fmt"
	"html/template"
	"math"
	"text/tabwriter"
)

// The files that [WriteComparison] makes.
const (
	// ComparisonPageFile is the comparison as a page.
	ComparisonPageFile = "compare.html"
	// ComparisonSummaryFile is the comparison as Markdown.
	ComparisonSummaryFile = "compare.md"
)

//go:embed compare.html.tmpl
var comparisonTemplate string

var comparisonPages = template.Must(template.New("compare").Funcs(pageFuncs).Funcs(template.FuncMap{
	"row":    newMetricRow,
	"ledger": RunChange.ledgerSentence,
}).Parse(headTemplate + comparisonTemplate))

// WriteComparison puts the comparison into the folder as compare.html and
// compare.md, each file whole or not at all.
func WriteComparison(dir string, c *Comparison) error {
	page, err := c.Page()
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	return writeFiles(dir, []textFile{{ComparisonSummaryFile, c.Markdown()}, {ComparisonPageFile, page}})
}

// Text returns the comparison as plain text for a terminal.
func (c *Comparison) Text() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "base  %s, %s\nhead  %s, %s\n", c.Base.Subject, formatTime(c.Base.StartedAt), c.Head.Subject, formatTime(c.Head.StartedAt))
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	if c.Judged {
		fmt.Fprintf(&b, "\n%s\n", c.verdictSentence())
	}
	for _, v := range c.Verdicts {
		fmt.Fprintf(&b, "  %s %s  %s -> %s  %s\n", worseSign(v.Worse()), v.ID, firstOf(string(v.Base), "absent"), v.head(), v.Text)
	}
	for _, r := range c.Runs {
		fmt.Fprintf(&b, "\n%s\n", r.Name)
		t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
		for _, m := range r.Metrics {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", m.Metric, m.Statistic, m.format(m.Base), m.format(m.Head), m.formatDelta(), m.formatPercent(), "  "+m.remark())
		}
		t.Flush()
		fmt.Fprintf(&b, "  ledger: %s\n", r.ledgerSentence())
	}
	fmt.Fprintf(&b, "\n%s\n", OneRunPerSide)
	return b.Bytes()
}

// Markdown returns the comparison as a short summary in GitHub's Markdown.
func (c *Comparison) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Comparison\n\nBase: %s, %s\n\nHead: %s, %s\n", md(c.Base.Subject), formatTime(c.Base.StartedAt), md(c.Head.Subject), formatTime(c.Head.StartedAt))
	for _, w := range c.Warnings {
		fmt.Fprintf(&b, "\n> ! %s\n", md(w))
	}
	if c.Judged {
		fmt.Fprintf(&b, "\n## Requirements\n\n%s\n", md(c.verdictSentence()))
	}
	if len(c.Verdicts) > 0 {
		b.WriteString("\n| | Requirement | Base | Head | |\n|---|---|---|---|---|\n")
	}
	for _, v := range c.Verdicts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", worseSign(v.Worse()), md(v.ID), md(firstOf(string(v.Base), "absent")), md(v.head()), md(v.Text))
	}
	for _, r := range c.Runs {
		fmt.Fprintf(&b, "\n## Load: %s\n\n| Metric | | Base | Head | Change | |\n|---|---|--:|--:|--:|---|\n", md(r.Name))
		for _, m := range r.Metrics {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", md(m.Metric), md(m.Statistic), m.format(m.Base), m.format(m.Head), m.formatPercent(), m.remark())
		}
		fmt.Fprintf(&b, "\nLedger: %s\n", md(r.ledgerSentence()))
	}
	fmt.Fprintf(&b, "\n%s\n", OneRunPerSide)
	return b.Bytes()
}

// Page returns the comparison as one HTML page that asks for nothing over the network
// and has no JavaScript.
func (c *Comparison) Page() ([]byte, error) {
	var b bytes.Buffer
	view := struct {
		*Comparison
		Style  template.CSS
		Title  string
		Notice string
		Said   string
	}{c, template.CSS(styleSheet), "Comparison · " + c.Head.Subject, OneRunPerSide, c.verdictSentence()}
	if err := comparisonPages.ExecuteTemplate(&b, "compare", view); err != nil {
		return nil, fmt.Errorf("compare page: %w", err)
	}
	return b.Bytes(), nil
}

func (c *Comparison) verdictSentence() string {
	if len(c.Verdicts) == 0 {
		return "Every requirement has the same verdict on both sides."
	}
	var worse int64
	for _, v := range c.Verdicts {
		if v.Worse() {
			worse++
		}
	}
	return fmt.Sprintf("%s changed, %d for the worse.", plural(int64(len(c.Verdicts)), "verdict", "verdicts"), worse)
}

// head is the verdict of the head in words.
func (v VerdictChange) head() string {
	if v.Provisional {
		return string(v.Head) + " (provisional)"
	}
	return firstOf(string(v.Head), "absent")
}

func (r RunChange) ledgerSentence() string {
	if len(r.Ledger) == 0 {
		return "no difference in what went wrong."
	}
	s := ""
	for i, l := range r.Ledger {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprintf("%s %s %s -> %s", l.Traffic, l.Count, formatCount(l.Base), formatCount(l.Head))
	}
	return s + "."
}

func worseSign(worse bool) string {
	if worse {
		return "✗"
	}
	return "·"
}

func (m MetricChange) format(v float64) string {
	if m.Unit == "per_s" {
		return formatRate(v)
	}
	return formatNS(int64(math.Round(v)))
}

func (m MetricChange) formatDelta() string {
	if m.Delta() > 0 {
		return "+" + m.format(m.Delta())
	}
	return m.format(m.Delta())
}

func (m MetricChange) formatPercent() string {
	p, ok := m.Percent()
	if !ok {
		return "–"
	}
	return fmt.Sprintf("%+.1f\u00a0%%", p)
}

func (m MetricChange) remark() string {
	switch {
	case m.Statistic == "max":
		return "one sample"
	case m.Thin:
		return "few samples"
	}
	return ""
}

// metricRow is a change as the page shows it: its texts, and a bar around a
// middle line by where it begins and how long it is, in percent of the cell. A
// change by half or more fills its side.
type metricRow struct {
	Name, Statistic string
	Texts           []string
	From, Length    float64
	Remark          string
}

func newMetricRow(m MetricChange) metricRow {
	p, _ := m.Percent()
	row := metricRow{Name: m.Metric, Statistic: m.Statistic, Remark: m.remark(), From: 50, Length: math.Min(math.Abs(p), 50),
		Texts: []string{m.format(m.Base), m.format(m.Head), m.formatDelta(), m.formatPercent()}}
	if p < 0 {
		row.From -= row.Length
	}
	return row
}
