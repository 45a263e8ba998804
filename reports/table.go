package reports

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// TableSchema is the schema version of [Table].
const TableSchema = "rtmkit-table/v1"

// Table sets the conformance results of several reports side by side: one row for
// each requirement, one column for each report. It is written as table.json.
type Table struct {
	// Schema is always [TableSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// Mixed says that the reports judged by different catalogues, so that the
	// same id may stand for different texts. The text is the first report's.
	Mixed bool `json:"mixed,omitempty"`
	// Notes say in sentences why the columns may not be comparable.
	Notes []string `json:"notes,omitempty"`
	// Columns are the reports in the order they were given.
	Columns []TableColumn `json:"columns,omitempty"`
	// Profiles are the verdicts per profile.
	Profiles []TableProfile `json:"profiles,omitempty"`
	// Rows are the verdicts per requirement, in the order of the first
	// catalogue; what only later catalogues have stands at the end.
	Rows []TableRow `json:"rows,omitempty"`
}

// TableColumn is one report of a [Table].
type TableColumn struct {
	// Key names the column in the rows: "1" for the first.
	Key string `json:"key"`
	// Subject is who was judged.
	Subject Identity `json:"subject"`
	// Client is the client's side where a client was judged against a server;
	// nil otherwise.
	Client *Identity `json:"client,omitempty"`
	// Server is the server's side where a client was judged against a server;
	// nil otherwise.
	Server *Identity `json:"server,omitempty"`
	// Claims are the profiles that the subject claims; none for no claim.
	Claims []string `json:"claims,omitempty"`
	// Words are the verdict as the report's badge says it, such as
	// "core, channels conformant".
	Words string `json:"words"`
	// ExitCode is the exit code of the run.
	ExitCode int `json:"exit_code"`
	// SuiteVersion is the version of the suite that judged.
	SuiteVersion string `json:"suite_version"`
	// CatalogueSHA256 is the hex SHA-256 of the catalogue it judged by.
	CatalogueSHA256 string `json:"catalogue_sha256"`
	// Set is the frozen set that decided; empty when every requirement did.
	Set string `json:"set,omitempty"`
	// StartedAt is when the run began.
	StartedAt time.Time `json:"started_at"`
	// Report is the folder of the report relative to the folder of the table,
	// with forward slashes; empty when it is not known.
	Report string `json:"report,omitempty"`
}

// TableProfile is one profile of a [Table].
type TableProfile struct {
	// Name is the profile's name.
	Name string `json:"name"`
	// Verdicts are the outcomes by the key of the column. A column that lacks
	// the profile has none.
	Verdicts map[string]ProfileVerdict `json:"verdicts"`
}

// TableRow is one requirement of a [Table].
type TableRow struct {
	// ID is the requirement's id.
	ID string `json:"id"`
	// Area is login, peer, channel, presence, attributes, invitation or
	// transport.
	Area string `json:"area"`
	// Level is the force of the requirement.
	Level Level `json:"level"`
	// Subject says whom the requirement binds: server, client or pair.
	Subject string `json:"subject"`
	// Profile is the profile the requirement counts for.
	Profile string `json:"profile"`
	// Text is the requirement, one sentence.
	Text string `json:"text"`
	// Verdicts are the outcomes by the key of the column. A column whose
	// catalogue lacks the requirement has none.
	Verdicts map[string]Verdict `json:"verdicts"`
	// Provisional are the keys of the columns in which the requirement decides
	// nothing.
	Provisional []string `json:"provisional,omitempty"`
}

// Part is one report to be merged.
type Part struct {
	// Name is what the report is called in errors and notes, such as its folder.
	Name string
	// Link is the folder of the report relative to the folder of the table, with
	// forward slashes; empty for no link.
	Link string
	// Report is the report. It needs conformance results.
	Report *Report
}

// Merge sets the conformance results of two or more reports side by side. It
// refuses a report without conformance results. Reports that judged by different
// catalogues are refused too, because the same id may stand for different texts;
// mixed allows them, and the table says so.
func Merge(mixed bool, parts ...Part) (*Table, error) {
	if len(parts) < 2 {
		return nil, errors.New("reports: merge: give at least two reports")
	}
	t := &Table{Schema: TableSchema}
	for _, p := range parts {
		if p.Report.Conformance == nil {
			return nil, fmt.Errorf("reports: merge: %s holds no conformance results", p.Name)
		}
	}
	first := parts[0].Report.Conformance
	for i, p := range parts {
		c := p.Report.Conformance
		if c.CatalogueSHA256 != first.CatalogueSHA256 {
			if !mixed {
				return nil, fmt.Errorf("reports: merge: %s judged by another catalogue (%.12s, suite %s) than %s (%.12s, suite %s); judge both by the same version, or allow a mixed table",
					p.Name, c.CatalogueSHA256, c.SuiteVersion, parts[0].Name, first.CatalogueSHA256, first.SuiteVersion)
			}
			t.Mixed = true
			t.Notes = append(t.Notes, fmt.Sprintf("Column %d judged by another catalogue than column 1, so the same id may stand for another text.", i+1))
		}
		if c.Set != first.Set {
			t.Notes = append(t.Notes, fmt.Sprintf("Column %d was decided by %s, column 1 by %s.", i+1, c.decider(), first.decider()))
		}
		if c.Interrupted {
			t.Notes = append(t.Notes, fmt.Sprintf("The run of column %d was interrupted.", i+1))
		}
		t.add(strconv.Itoa(i+1), p)
	}
	return t, nil
}

// decider says which requirements decide.
func (c *Conformance) decider() string {
	if c.Set == "" {
		return "every requirement"
	}
	return "the frozen set " + c.Set
}

func (t *Table) add(key string, p Part) {
	c := p.Report.Conformance
	words, _ := c.badgeWords()
	t.Columns = append(t.Columns, TableColumn{
		Key: key, Subject: c.Subject, Client: c.Client, Server: c.Server, Claims: c.Claims, Words: words, ExitCode: p.Report.ExitCode,
		SuiteVersion: c.SuiteVersion, CatalogueSHA256: c.CatalogueSHA256, Set: c.Set, StartedAt: c.StartedAt, Report: p.Link,
	})
	for _, profile := range c.Profiles {
		at := slices.IndexFunc(t.Profiles, func(p TableProfile) bool { return p.Name == profile.Name })
		if at < 0 {
			at = len(t.Profiles)
			t.Profiles = append(t.Profiles, TableProfile{Name: profile.Name, Verdicts: make(map[string]ProfileVerdict)})
		}
		t.Profiles[at].Verdicts[key] = profile.Verdict
	}
	place := make(map[string]int)
	for i := range t.Rows {
		place[t.Rows[i].ID] = i
	}
	for i := range c.Requirements {
		q := &c.Requirements[i]
		at, ok := place[q.ID]
		if !ok {
			at = len(t.Rows)
			t.Rows = append(t.Rows, TableRow{ID: q.ID, Area: q.Area, Level: q.Level, Subject: q.Subject, Profile: q.Profile, Text: q.Text, Verdicts: make(map[string]Verdict)})
		}
		t.Rows[at].Verdicts[key] = q.Verdict
		if q.Provisional {
			t.Rows[at].Provisional = append(t.Rows[at].Provisional, key)
		}
	}
}

// differs reports whether the columns do not agree on the row.
func (r *TableRow) differs(columns []TableColumn) bool {
	for _, c := range columns[1:] {
		if r.Verdicts[c.Key] != r.Verdicts[columns[0].Key] {
			return true
		}
	}
	return false
}
