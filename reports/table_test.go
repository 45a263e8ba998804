package reports

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func fixtureTable(t *testing.T) *Table {
	t.Helper()
	other := failingReport()
	other.Conformance.Subject = Identity{Kind: "server", Name: "example", Version: "9"}
	table, err := Merge(false, Part{"good", "vendors/good", passingReport()}, Part{"bad", "vendors/bad", failingReport()}, Part{"other", "", other})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestATableHasEveryVerdictOfEveryReport(t *testing.T) {
	table := fixtureTable(t)
	for i, r := range []*Report{passingReport(), failingReport()} {
		for j, q := range r.Conformance.Requirements {
			row := table.Rows[j]
			key := table.Columns[i].Key
			if row.ID != q.ID || row.Verdicts[key] != q.Verdict || slices.Contains(row.Provisional, key) != q.Provisional {
				t.Errorf("%s in column %s: %+v", q.ID, key, row)
			}
		}
		for j, p := range r.Conformance.Profiles {
			if got := table.Profiles[j].Verdicts[table.Columns[i].Key]; got != p.Verdict {
				t.Errorf("profile %s in column %d: %s, want %s", p.Name, i+1, got, p.Verdict)
			}
		}
	}
	if want := "Column 2 was decided by the frozen set 1.0, column 1 by every requirement."; len(table.Notes) != 2 || table.Notes[0] != want {
		t.Errorf("notes %q, want %q first", table.Notes, want)
	}
	if differ := len(table.differing()); differ != 13 {
		t.Errorf("%d rows differ, want 13", differ)
	}
}

func TestReportsOfDifferentCataloguesAreMergedOnlyWhenAllowed(t *testing.T) {
	head := passingReport()
	head.Conformance.CatalogueSHA256 = strings.Repeat("0", 64)
	head.Conformance.Requirements = slices.Concat(head.Conformance.Requirements[1:], []RequirementResult{{ID: "RTM-NEW-001", Area: "login", Level: Must, Verdict: Pass}})
	parts := []Part{{Name: "old", Report: passingReport()}, {Name: "new", Report: head}}
	if _, err := Merge(false, parts...); err == nil || !strings.Contains(err.Error(), "new judged by another catalogue") {
		t.Errorf("%v", err)
	}
	table, err := Merge(true, parts...)
	if err != nil {
		t.Fatal(err)
	}
	if !table.Mixed || len(table.Notes) != 1 || len(table.Rows) != 97 || table.Rows[96].ID != "RTM-NEW-001" {
		t.Errorf("%v %v, %d rows", table.Mixed, table.Notes, len(table.Rows))
	}
	if _, both := table.Rows[0].Verdicts["2"]; both {
		t.Error("a column has a verdict about a requirement that its catalogue lacks")
	}
	for name, parts := range map[string][]Part{"one report": parts[:1], "no conformance": {parts[0], {Name: "load", Report: &Report{}}}} {
		if _, err := Merge(true, parts...); err == nil {
			t.Errorf("%s was merged", name)
		}
	}
}

func TestReadTableGivesBackWhatWasWritten(t *testing.T) {
	dir, want := t.TempDir(), fixtureTable(t)
	if err := WriteTable(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTable(dir)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read something else than was written: %v", err)
	}
	if err := satisfies(t, "table.schema.json", "", filepath.Join(dir, TableFile)); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, TableSummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| 1 | [rtmkit reference 0.2.0](vendors/good/index.html) | core, token, order conformant | 0.2.0 | 23 November 2026, 09:30:00 UTC |",
		"| RTM-CHANNEL-012 MUST Channels made but not joined do not count. | ✓ pass | ! known-fail | ! known-fail |",
		"| core | ✓ conformant | ✗ not conformant | ✗ not conformant |",
	} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("%s lacks the line %s", TableSummaryFile, line)
		}
	}
	for want, spoil := range map[string]func(*Table){
		"schema is":               func(t *Table) { t.Schema = "x" },
		"needs two":               func(t *Table) { t.Columns = t.Columns[:1] },
		"a key of its own":        func(t *Table) { t.Columns[1].Key = "1" },
		"appears twice":           func(t *Table) { t.Rows[1].ID = t.Rows[0].ID },
		`unknown verdict "good"`:  func(t *Table) { t.Rows[1].Verdicts["1"] = "good" },
		`unknown verdict "great"`: func(t *Table) { t.Profiles[1].Verdicts["1"] = "great" },
		`there is no column "7"`:  func(t *Table) { t.Rows[1].Provisional = []string{"7"} },
	} {
		bad := fixtureTable(t)
		spoil(bad)
		if err := WriteTable(dir, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestHostileTextsLeaveTheTableWhole(t *testing.T) {
	table := fixtureTable(t)
	setTexts(reflect.ValueOf(table))
	for i := range table.Columns {
		table.Columns[i].Key = fixtureTable(t).Columns[i].Key
	}
	for i := range table.Rows {
		table.Rows[i].Provisional = nil
	}
	dir := t.TempDir()
	if err := WriteTable(dir, table); err != nil {
		t.Fatal(err)
	}
	staysText(t, filepath.Join(dir, PageFile), filepath.Join(dir, TableSummaryFile))
}
