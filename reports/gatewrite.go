package reports

import (
	"bytes"
	_ "embed" // The template and its style are compiled in.
	"fmt"
	"html/template"
	"math"
	"path"
	"strconv"
	"text/tabwriter"
	"time"
)

// The files that [WriteGate] makes, beside [PageFile].
const (
	// GateFile holds a [Gate] as JSON.
	GateFile = "ab.json"
	// GateSummaryFile is the gate as Markdown.
	GateSummaryFile = "ab.md"
)

//go:embed gate.html.tmpl
var gateTemplate string

//go:embed gate.css
var gateStyle string

// gatePages knows the charts of the report's page too.
var gatePages = template.Must(template.Must(pages.Clone()).Funcs(template.FuncMap{
	"page":   func(dir string) string { return path.Join(dir, PageFile) },
	"number": func(index int) int { return index + 1 },
}).Parse(gateTemplate))

// WriteGate puts the gate into the folder as ab.json, ab.md and index.html, each
// file whole or not at all and without secrets. The run folders are not its
// business. It refuses a gate that [ReadGate] would refuse.
func WriteGate(dir string, g *Gate) error { return writeDocument(dir, g, gateFiles) }

// ReadGate returns the gate in the folder, as strict as [Read]. It refuses one
// whose verdicts do not follow from its runs.
func ReadGate(dir string) (*Gate, error) { return readDocument[Gate](dir, gateFiles) }

var gateFiles = documentFiles{GateSchema, GateFile, GateSummaryFile, PageFile}

func (v GateVerdict) tone() tone {
	switch v {
	case Regressed:
		return toneBad
	case Inconclusive:
		return toneWarn
	case Equivalent, Improved:
		return toneGood
	}
	return toneNone
}

// formatChange writes a ratio as a change, such as "+12.3 %".
func formatChange(ratio float64) string {
	if ratio >= 10 {
		return fmt.Sprintf("×%.3g", ratio)
	}
	return fmt.Sprintf("%+.1f\u00a0%%", 100*(ratio-1))
}

// formatMargin writes a margin as it was given, such as "5 %".
func formatMargin(share float64) string {
	return strconv.FormatFloat(math.Round(share*1e5)/1e3, 'f', -1, 64) + "\u00a0%"
}

// change writes the estimate as a change; a dash when there is none.
func (m *GateMetric) change() string {
	if m.Blocks == 0 {
		return "–"
	}
	return formatChange(m.Ratio)
}

// interval writes the interval of the ratio as changes; empty when it has none.
func (m *GateMetric) interval() string {
	if m.High == 0 {
		return ""
	}
	return fmt.Sprintf("%s to %s", formatChange(m.Low), formatChange(m.High))
}

// Sentence says the verdict on the number in one sentence.
func (m *GateMetric) Sentence() string {
	said := fmt.Sprintf("%s: %s, interval %s at %s", m.Name, formatChange(m.Ratio), m.interval(), formatShare(m.Confidence))
	if m.High == 0 {
		said = fmt.Sprintf("%s: %s, no interval from so few runs", m.Name, formatChange(m.Ratio))
	}
	switch {
	case m.Blocks == 0:
		return fmt.Sprintf("%s is open. %s", m.Name, firstOf(m.Reason, "There is nothing to compare."))
	case m.Verdict == Regressed:
		return fmt.Sprintf("%s. It is worse by more than the margin of %s.", said, formatMargin(m.Margin))
	case m.Verdict == Improved:
		return fmt.Sprintf("%s. It is better by more than the margin of %s.", said, formatMargin(m.Margin))
	case m.Verdict == Equivalent:
		return fmt.Sprintf("%s. Any change is within the margin of %s.", said, formatMargin(m.Margin))
	case m.Verdict == NotGated:
		return said + ". It is not gated."
	case m.Reason != "":
		return said + ". It is open. " + m.Reason
	}
	said = fmt.Sprintf("%s. It is open: neither a change beyond the margin of %s nor its absence is shown.", said, formatMargin(m.Margin))
	if more := m.needed(); more > 0 {
		said += fmt.Sprintf(" If it goes on like this, %d times as many runs would tell.", more)
	}
	return said
}

// needed is how many times as many runs would bring a number that is open to one side
// of its margin, were the estimate true: intervals shrink with the root of their runs.
// Zero says that it is not known, or more than anybody would wait for.
func (m *GateMetric) needed() int {
	if m.High == 0 {
		return 0
	}
	half := math.Log(m.High/m.Low) / 2
	gap := math.Abs(math.Abs(math.Log(m.Ratio)) - math.Log1p(m.Margin))
	if times := math.Ceil(math.Pow(half/gap, 2)); times >= 2 && times <= 9 {
		return int(times)
	}
	return 0
}

// Sentences say in plain words what was found, the gated numbers first.
func (g *Gate) Sentences() []string {
	var said []string
	for _, c := range g.Counts {
		if c.Verdict == Regressed {
			said = append(said, fmt.Sprintf("%s in head: %s, against %s in base. A single one is a regression.", capital(c.Name), formatCount(c.Head), formatCount(c.Base)))
		}
	}
	for i := range g.Metrics {
		if g.Metrics[i].Verdict != NotGated {
			said = append(said, g.Metrics[i].Sentence())
		}
	}
	if finest := g.finest(); finest != "" {
		said = append(said, finest)
	}
	if g.Noise != nil {
		said = append(said, fmt.Sprintf("Column A/A: what this host could tell from noise when a build was compared with itself over %s, %s.",
			plural(int64(g.Noise.Blocks), "block", "blocks"), formatTime(g.Noise.MeasuredAt)))
	}
	if g.Starved() {
		said = append(said, g.starvedSentence())
	}
	return said
}

func (g *Gate) starvedSentence() string {
	if !g.Paired {
		return fmt.Sprintf("A side has %s that count, and a verdict needs %d on each: these are differences, not a verdict.",
			plural(int64(g.smaller()), "run", "runs"), minStoredRuns)
	}
	if g.hopeless() {
		return fmt.Sprintf("Of %s only %d count, so that no look of the plan could decide anything any more: these are differences, not a verdict.",
			plural(int64(len(g.Blocks)), "block", "blocks"), g.CountedBlocks())
	}
	return fmt.Sprintf("Complete and valid: %s, and the first look needs %d: these are differences, not a verdict.",
		plural(int64(g.CountedBlocks()), "block", "blocks"), max(g.Plan.Enough(), g.Plan.Looks[0].Blocks))
}

// finest says what this host can tell apart.
func (g *Gate) finest() string {
	said := ""
	for i := range g.Metrics {
		if m := &g.Metrics[i]; m.Verdict != NotGated && m.Detectable > 0 {
			if said != "" {
				said += ", "
			}
			said += fmt.Sprintf("%s of %s", formatShare(m.Detectable), m.Name)
		}
	}
	if said == "" {
		return ""
	}
	what := plural(int64(g.CountedBlocks()), "block", "blocks")
	if !g.Paired {
		what = "these runs"
	}
	return fmt.Sprintf("Smallest detectable change on this host with %s: %s. A regression is called from about that much beyond the margin.", what, said)
}

// tally says how many of the runs count.
func (g *Gate) tally() string {
	counted, invalid, degraded := 0, 0, 0
	for i := range g.Runs {
		if g.Runs[i].Counted {
			counted++
		}
		switch g.Runs[i].Validity {
		case Invalid:
			invalid++
		case Degraded:
			degraded++
		}
	}
	said := fmt.Sprintf("%d of %s count", counted, plural(int64(len(g.Runs)), "run", "runs"))
	if invalid > 0 {
		said += fmt.Sprintf(", %d invalid", invalid)
	}
	if degraded > 0 {
		said += fmt.Sprintf(", %d degraded", degraded)
	}
	if g.Paired {
		said += fmt.Sprintf("; %d of %s count", g.CountedBlocks(), plural(int64(len(g.Blocks)), "block", "blocks"))
	}
	return said + "."
}

func (g *Gate) outcome() outcome {
	said := g.tally()
	switch {
	case g.Verdict == Regressed:
		return outcome{toneBad, "Head is worse", said}
	case g.Interrupted:
		return outcome{toneWarn, "Interrupted", "The comparison was cut short. " + said}
	case g.Verdict == Improved:
		return outcome{toneGood, "Head is better", said}
	case g.Verdict == Equivalent:
		return outcome{toneGood, "No change that matters", said}
	}
	return outcome{toneWarn, "The runs do not tell", said}
}

// gateRow is a number as tables show it.
type gateRow struct {
	*GateMetric
	Change, BaseText, HeadText, Interval, Level, MarginText, DetectableText, NoiseText string
}

func (g *Gate) rows() []gateRow {
	var rows []gateRow
	for i := range g.Metrics {
		m := &g.Metrics[i]
		r := gateRow{GateMetric: m, Change: m.change(), BaseText: "–", HeadText: "–", Interval: firstOf(m.interval(), "–"), MarginText: "–", DetectableText: "–", NoiseText: "–"}
		if m.Blocks > 0 {
			r.BaseText, r.HeadText = formatNS(int64(math.Round(m.Base))), formatNS(int64(math.Round(m.Head)))
		}
		if m.High > 0 {
			r.Level = formatShare(m.Confidence)
		}
		if m.Margin > 0 {
			r.MarginText = "±" + formatMargin(m.Margin)
		}
		if m.Detectable > 0 {
			r.DetectableText = formatShare(m.Detectable)
		}
		if detectable, known := g.Noise.Detectable(m.Name); known {
			r.NoiseText = formatShare(detectable)
		}
		rows = append(rows, r)
	}
	return rows
}

// Text returns the gate as plain text for a terminal.
func (g *Gate) Text() []byte {
	var b bytes.Buffer
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "metric\tbase\thead\tchange\tinterval\tmargin\tdetectable\tA/A\t  verdict")
	for _, r := range g.rows() {
		if r.Verdict == NotGated && !tableStatistic(r.Name) {
			continue
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", r.Name, r.BaseText, r.HeadText, r.Change, r.Interval, r.MarginText, r.DetectableText, r.NoiseText, r.Verdict)
	}
	t.Flush()
	for _, c := range g.Counts {
		fmt.Fprintf(&b, "%s: base %s, head %s\n", c.Name, formatCount(c.Base), formatCount(c.Head))
	}
	fmt.Fprintln(&b)
	for _, n := range g.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	for i, block := range g.Blocks {
		if block.Dropped != "" {
			fmt.Fprintf(&b, "block %d does not count: %s\n", i+1, block.Dropped)
		}
	}
	for _, said := range g.Sentences() {
		fmt.Fprintln(&b, said)
	}
	o := g.outcome()
	fmt.Fprintf(&b, "%s: %s. %s\n", g.Verdict, o.Title, o.Sentence)
	return b.Bytes()
}

// tableStatistic reports whether a number that decides nothing is worth a line on a
// terminal.
func tableStatistic(name string) bool {
	return name == ServerCPU || path.Ext(name) == ".p50" || path.Ext(name) == ".p99"
}

// Markdown returns the gate as a short text for job summaries and mail.
func (g *Gate) Markdown() []byte {
	var b bytes.Buffer
	o := g.outcome()
	fmt.Fprintf(&b, "# %s %s\n\n%s\n\n", o.Tone.sign(), o.Title, md(o.Sentence))
	for _, said := range g.Sentences() {
		fmt.Fprintf(&b, "- %s\n", md(said))
	}
	for _, n := range g.Notes {
		fmt.Fprintf(&b, "\n> ! %s\n", md(n))
	}
	b.WriteString("\n| | Number | Base | Head | Change | Interval | Margin | Detectable | A/A |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, r := range g.rows() {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", signed(r.Verdict), md(r.Name), r.BaseText, r.HeadText, r.Change, r.Interval, r.MarginText, r.DetectableText, r.NoiseText)
	}
	for _, c := range g.Counts {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | | | none | | |\n", signed(c.Verdict), md(c.Name), formatCount(c.Base), formatCount(c.Head))
	}
	b.WriteString("\n## Plan\n\n")
	for _, said := range g.Plan.Sentences() {
		fmt.Fprintf(&b, "- %s\n", md(said))
	}
	for i, block := range g.Blocks {
		if block.Dropped != "" {
			fmt.Fprintf(&b, "- Block %d does not count: %s\n", i+1, md(block.Dropped))
		}
	}
	fmt.Fprintf(&b, "\n---\n\nworkload %s · rtmkit %s · %s\n\n- base: %s\n- head: %s\n", md(g.Workload), md(g.ToolVersion), formatTime(g.StartedAt), md(g.Base.Source), md(g.Head.Source))
	if g.Command != "" {
		fmt.Fprintf(&b, "\nTo repeat:\n\n%s", mdBlock(g.Command))
	}
	return b.Bytes()
}

func (g *Gate) page() ([]byte, error) {
	view := struct {
		*Gate
		Style   template.CSS
		Title   string
		Who     string
		Outcome outcome
		Said    []string
		Planned []string
		Rows    []gateRow
		Charts  []*chart
		Took    time.Duration
	}{
		Gate: g, Style: template.CSS(styleSheet + gateStyle), Outcome: g.outcome(), Said: g.Sentences(), Planned: g.Plan.Sentences(),
		Rows: g.rows(), Charts: gateCharts(g), Took: g.EndedAt.Sub(g.StartedAt),
	}
	view.Title = view.Outcome.Title + " · " + g.Workload
	view.Who = "Workload " + g.Workload
	if name := g.Head.Server.title(); name != "" {
		view.Who += " on " + name
	}
	var b bytes.Buffer
	if err := gatePages.ExecuteTemplate(&b, "gate", view); err != nil {
		return nil, fmt.Errorf("gate page: %w", err)
	}
	return b.Bytes(), nil
}
