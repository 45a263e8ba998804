package reports

import (
	"bytes"
	_ "embed" // The template is compiled in.
	"fmt"
	"html/template"
	"path"
	"slices"
	"strings"
)

// The files that [WriteTable] makes, beside [PageFile].
const (
	// TableFile holds a [Table] as JSON.
	TableFile = "table.json"
	// TableSummaryFile is the table as Markdown.
	TableSummaryFile = "table.md"
)

//go:embed table.html.tmpl
var tableTemplate string

var tablePages = template.Must(template.New("table").Funcs(pageFuncs).Funcs(template.FuncMap{
	"page": func(report string) string { return path.Join(report, PageFile) },
	"has":  func(list []string, key string) bool { return slices.Contains(list, key) },
	"rowsOf": func(columns []TableColumn, rows []TableRow, caption string) any {
		return struct {
			Columns []TableColumn
			Rows    []TableRow
			Caption string
		}{columns, rows, caption}
	},
}).Parse(headTemplate + tableTemplate))

// WriteTable puts the table into the folder as table.json, table.md and index.html,
// each file whole or not at all and without secrets. It refuses a table that
// [ReadTable] would refuse.
func WriteTable(dir string, t *Table) error { return writeDocument(dir, t, tableFiles) }

// ReadTable returns the table in the folder, as strict as [Read].
func ReadTable(dir string) (*Table, error) { return readDocument[Table](dir, tableFiles) }

var tableFiles = documentFiles{TableSchema, TableFile, TableSummaryFile, PageFile}

// Title is what the column is called: its subject, or its two sides.
func (c TableColumn) Title() string {
	if c.Client != nil && c.Server != nil {
		return c.Client.title() + " with " + c.Server.title()
	}
	return c.Subject.title()
}

// differing are the rows on which the columns do not agree.
func (t *Table) differing() []TableRow {
	var rows []TableRow
	for i := range t.Rows {
		if t.Rows[i].differs(t.Columns) {
			rows = append(rows, t.Rows[i])
		}
	}
	return rows
}

// Sentence says in one sentence whether the reports agree.
func (t *Table) Sentence() string {
	differ := len(t.differing())
	said := fmt.Sprintf("%s, %s: ", plural(int64(len(t.Columns)), "report", "reports"), plural(int64(len(t.Rows)), "requirement", "requirements"))
	if differ == 0 {
		return said + "all have the same verdict everywhere."
	}
	return said + fmt.Sprintf("%d do not have the same verdict everywhere.", differ)
}

func (t *Table) page() ([]byte, error) {
	view := struct {
		*Table
		Style  template.CSS
		Title  string
		Said   string
		Differ []TableRow
	}{Table: t, Style: template.CSS(styleSheet), Title: "Conformance side by side", Said: t.Sentence(), Differ: t.differing()}
	var b bytes.Buffer
	if err := tablePages.ExecuteTemplate(&b, "table", view); err != nil {
		return nil, fmt.Errorf("table page: %w", err)
	}
	return b.Bytes(), nil
}

// Markdown returns the table in GitHub's Markdown.
func (t *Table) Markdown() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Conformance side by side\n\n%s\n", t.Sentence())
	for _, n := range t.Notes {
		fmt.Fprintf(&b, "\n> ! %s\n", md(n))
	}
	b.WriteString("\n| | Subject | Verdict | Suite | Run |\n|---|---|---|---|---|\n")
	for i := range t.Columns {
		c := &t.Columns[i]
		name := md(c.Title())
		if plainPath(c.Report) {
			name = fmt.Sprintf("[%s](%s)", name, path.Join(c.Report, PageFile))
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", md(c.Key), name, md(c.Words), md(c.SuiteVersion), formatTime(c.StartedAt))
	}
	head := func(first string) {
		fmt.Fprintf(&b, "\n| %s |", first)
		for i := range t.Columns {
			fmt.Fprintf(&b, " %s |", md(t.Columns[i].Key))
		}
		b.WriteString("\n|---|" + strings.Repeat("---|", len(t.Columns)) + "\n")
	}
	b.WriteString("\n## Profiles\n")
	head("Profile")
	for _, p := range t.Profiles {
		fmt.Fprintf(&b, "| %s |", md(p.Name))
		for _, c := range t.Columns {
			fmt.Fprintf(&b, " %s |", signed(p.Verdicts[c.Key]))
		}
		b.WriteByte('\n')
	}
	b.WriteString("\n## Requirements\n")
	head("Requirement")
	for _, r := range t.Rows {
		fmt.Fprintf(&b, "| %s %s %s |", md(r.ID), r.Level, md(r.Text))
		for _, c := range t.Columns {
			cell := signed(r.Verdicts[c.Key])
			if slices.Contains(r.Provisional, c.Key) {
				cell += " (provisional)"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// signed writes a verdict with its sign; one that a column lacks is a dash.
func signed[V interface {
	~string
	tone() tone
}](v V) string {
	if v == "" {
		return "–"
	}
	return v.tone().sign() + " " + string(v)
}
