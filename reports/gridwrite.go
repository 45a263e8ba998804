package reports

import (
	"bytes"
	_ "embed" // The template is compiled in.
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"
	"time"
)

// The files that [WriteGrid] makes, beside [PageFile].
const (
	// GridFile holds a [Grid] as JSON.
	GridFile = "grid.json"
	// GridSummaryFile is the grid as Markdown.
	GridSummaryFile = "grid.md"
)

//go:embed grid.html.tmpl
var gridTemplate string

var gridPages = template.Must(template.New("grid").Funcs(pageFuncs).Funcs(template.FuncMap{
	"page": func(report string) string { return path.Join(report, PageFile) },
}).Parse(headTemplate + gridTemplate))

// WriteGrid puts the grid into the folder as grid.json, grid.md and index.html,
// each file whole or not at all and without secrets. The reports that the cells
// lead to are not its business. It refuses a grid that [ReadGrid] would refuse.
func WriteGrid(dir string, g *Grid) error { return writeDocument(dir, g, gridFiles) }

// ReadGrid returns the grid in the folder, as strict as [Read].
func ReadGrid(dir string) (*Grid, error) { return readDocument[Grid](dir, gridFiles) }

var gridFiles = documentFiles{GridSchema, GridFile, GridSummaryFile, PageFile}

func (v CellVerdict) tone() tone {
	switch v {
	case CellConformant:
		return toneGood
	case CellNotConformant:
		return toneBad
	}
	return toneWarn
}

// all calls visit for each cell with a name of its place.
func (g *Grid) all(visit func(place string, c *Cell)) {
	for i := range g.Cells {
		for j := range g.Cells[i] {
			visit(g.Clients[i].title()+" with "+g.Servers[j].title(), &g.Cells[i][j])
		}
	}
	for i := range g.ClientsAlone {
		visit(g.Clients[i].title()+" with the reference server", &g.ClientsAlone[i])
	}
	for i := range g.ServersAlone {
		visit(g.Servers[i].title()+" alone", &g.ServersAlone[i])
	}
}

func (g *Grid) outcome() outcome {
	counts := make(map[CellVerdict]int)
	total := 0
	g.all(func(_ string, c *Cell) {
		counts[c.Verdict]++
		total++
	})
	runs := plural(int64(total), "run", "runs")
	said := fmt.Sprintf("%d of %s conformant", counts[CellConformant], runs)
	for _, v := range []CellVerdict{CellNotConformant, CellPartial, CellNotJudged} {
		if counts[v] > 0 {
			said += fmt.Sprintf(", %d %s", counts[v], v)
		}
	}
	said += "."
	switch {
	case total == 0:
		return outcome{toneWarn, "Nothing judged", "The matrix has no run."}
	case counts[CellNotConformant] > 0:
		return outcome{toneBad, "Not every run conforms", said}
	case g.Interrupted:
		return outcome{toneWarn, "Interrupted", said}
	case counts[CellConformant] < total:
		return outcome{toneWarn, "Not every run is judged whole", said}
	}
	return outcome{toneGood, "Every run conforms", said}
}

// placedFailure is one requirement with the runs it failed in.
type placedFailure struct {
	ID     string
	Places []string
}

// failures are the requirements that failed anywhere, those that failed most
// often first.
func (g *Grid) failures() []placedFailure {
	var list []placedFailure
	g.all(func(place string, c *Cell) {
		for _, id := range c.Failed {
			at := slices.IndexFunc(list, func(f placedFailure) bool { return f.ID == id })
			if at < 0 {
				at = len(list)
				list = append(list, placedFailure{ID: id})
			}
			list[at].Places = append(list[at].Places, place)
		}
	})
	slices.SortStableFunc(list, func(a, b placedFailure) int { return len(b.Places) - len(a.Places) })
	return list
}

// gridRow is one client with its runs.
type gridRow struct {
	Client Identity
	Cells  []Cell
	Alone  *Cell
}

func (g *Grid) page() ([]byte, error) {
	view := struct {
		*Grid
		Style    template.CSS
		Title    string
		Who      string
		Outcome  outcome
		Rows     []gridRow
		Failures []placedFailure
		Took     time.Duration
	}{Grid: g, Style: template.CSS(styleSheet), Outcome: g.outcome(), Failures: g.failures(), Took: g.EndedAt.Sub(g.StartedAt)}
	view.Title = view.Outcome.Title
	for i, client := range g.Clients {
		row := gridRow{Client: client, Cells: g.Cells[i]}
		if len(g.ClientsAlone) > 0 {
			row.Alone = &g.ClientsAlone[i]
		}
		view.Rows = append(view.Rows, row)
	}
	var b bytes.Buffer
	if err := gridPages.ExecuteTemplate(&b, "grid", view); err != nil {
		return nil, fmt.Errorf("grid page: %w", err)
	}
	return b.Bytes(), nil
}

// Markdown returns the grid as a short text for job summaries and mail.
func (g *Grid) Markdown() []byte {
	var b bytes.Buffer
	o := g.outcome()
	fmt.Fprintf(&b, "# %s %s\n\n%s\n\n| |", o.Tone.sign(), o.Title, md(o.Sentence))
	columns := len(g.Servers)
	for _, s := range g.Servers {
		fmt.Fprintf(&b, " %s |", md(s.title()))
	}
	if len(g.ClientsAlone) > 0 {
		columns++
		b.WriteString(" reference server |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", columns) + "\n")
	for i, client := range g.Clients {
		fmt.Fprintf(&b, "| %s |", md(client.title()))
		for j := range g.Cells[i] {
			fmt.Fprintf(&b, " %s |", g.Cells[i][j].markdown())
		}
		if len(g.ClientsAlone) > 0 {
			fmt.Fprintf(&b, " %s |", g.ClientsAlone[i].markdown())
		}
		b.WriteByte('\n')
	}
	if len(g.ServersAlone) > 0 {
		b.WriteString("| no client |")
		for i := range g.ServersAlone {
			fmt.Fprintf(&b, " %s |", g.ServersAlone[i].markdown())
		}
		b.WriteString(strings.Repeat(" |", columns-len(g.ServersAlone)) + "\n")
	}
	if list := g.failures(); len(list) > 0 {
		b.WriteString("\n## What failed where\n\n| Requirement | Failed in |\n|---|---|\n")
		for _, f := range list {
			fmt.Fprintf(&b, "| %s | %s |\n", md(f.ID), md(strings.Join(f.Places, ", ")))
		}
	}
	fmt.Fprintf(&b, "\n---\n\nsuite %s · seed %d · %s\n", md(g.SuiteVersion), g.Seed, formatTime(g.StartedAt))
	for _, n := range g.Notes {
		fmt.Fprintf(&b, "\n- %s", md(n))
	}
	if len(g.Notes) > 0 {
		b.WriteByte('\n')
	}
	if g.Command != "" {
		fmt.Fprintf(&b, "\nTo repeat:\n\n%s", mdBlock(g.Command))
	}
	return b.Bytes()
}

// markdown is the cell in one line, with a link where the name of the folder
// allows one.
func (c *Cell) markdown() string {
	s := c.Verdict.tone().sign() + " " + string(c.Verdict)
	if plainPath(c.Report) {
		s = fmt.Sprintf("[%s](%s)", s, "./"+path.Join(c.Report, PageFile))
	}
	if len(c.Failed) > 0 {
		s += fmt.Sprintf(", %d failed", len(c.Failed))
	}
	if c.Reason != "" {
		s += ": " + md(c.Reason)
	}
	return s
}

// plainPath reports whether a path holds nothing that could end a link.
func plainPath(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./", r)
	})
}
