package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// shelf is where vendors publish their reports; its README.md has the rules.
const shelf = "reports/vendors"

var (
	shelfName = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	contact   = regexp.MustCompile(`(?m)^Contact: *\S`)
	notPlain  = regexp.MustCompile(`[^a-z0-9]+`)
)

// productFolder returns the folder of a product that names itself so.
func productFolder(name string) string {
	return strings.Trim(notPlain.ReplaceAllString(strings.ToLower(name), "-"), "-")
}

// breaches says which rules the shelf breaks, one sentence each.
func breaches(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	breach := func(place, format string, args ...any) {
		found = append(found, filepath.ToSlash(place)+": "+fmt.Sprintf(format, args...))
	}
	list := func(dir string) []fs.DirEntry {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return entries
	}
	// folders returns the folders of dir and names everything else but the README.
	folders := func(dir string, readme bool) []string {
		var names []string
		for _, e := range list(dir) {
			place := filepath.Join(dir, e.Name())
			switch {
			case e.IsDir():
				names = append(names, place)
			case !readme || e.Name() != "README.md":
				breach(place, "only folders lie here")
			}
		}
		return names
	}
	for _, vendor := range folders(root, true) {
		text, err := os.ReadFile(filepath.Join(vendor, "README.md"))
		if err != nil || !contact.Match(text) {
			breach(vendor, `the README.md names no contact: it needs a line "Contact: "`)
		}
		if !shelfName.MatchString(filepath.Base(vendor)) {
			breach(vendor, "a vendor is named in small letters, digits and hyphens")
		}
		products := folders(vendor, true)
		if len(products) == 0 {
			breach(vendor, "there is no report")
		}
		for _, product := range products {
			versions := folders(product, false)
			if len(versions) == 0 {
				breach(product, "there is no report")
			}
			for _, dir := range versions {
				for _, sentence := range entryBreaches(dir) {
					breach(dir, "%s", sentence)
				}
			}
		}
	}
	return found
}

func entryBreaches(dir string) []string {
	v, err := reports.Verify(dir, version)
	if err != nil {
		return []string{err.Error()}
	}
	found := v.Findings
	r, err := reports.Read(dir)
	if err != nil {
		return append(found, err.Error())
	}
	c := r.Conformance
	if c == nil {
		return append(found, "the report has no conformance results")
	}
	product, release := filepath.Base(filepath.Dir(dir)), filepath.Base(dir)
	if want := productFolder(c.Subject.Name); want == "" || want != product {
		found = append(found, fmt.Sprintf("the subject calls itself %q, so the product folder is %q, not %q", c.Subject.Name, want, product))
	}
	if c.Subject.Version != release {
		found = append(found, fmt.Sprintf("the subject's version is %q, not %q", c.Subject.Version, release))
	}
	if r.Command == "" {
		found = append(found, "no command repeats the run")
	}
	if r.Interrupted || c.Interrupted {
		found = append(found, "the run was interrupted")
	}
	counts, judged := c.Counts(), 0
	for verdict, n := range counts {
		if verdict.Judged() {
			judged += n
		}
	}
	if counts[reports.Error] > 0 || judged == 0 {
		found = append(found, "the suite broke, or judged nothing")
	}
	return found
}

func TestEveryReportOnTheShelfKeepsTheRules(t *testing.T) {
	for _, sentence := range breaches(t, shelf) {
		t.Error(sentence)
	}
}

func shelfReport() *reports.Report {
	at := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	return &reports.Report{
		Schema: reports.ReportSchema, ToolVersion: version, StartedAt: at, EndedAt: at.Add(9 * time.Second), Command: "rtmkit conform run --client acme",
		Conformance: &reports.Conformance{
			Schema: reports.ConformanceSchema, Subject: reports.Identity{Kind: "client", Name: "Acme RTM", Version: "2.3.1"},
			Profiles: []reports.ProfileResult{{Name: "core", Verdict: reports.Conformant, Counts: map[reports.Verdict]int{reports.Pass: 1}}},
			Requirements: []reports.RequirementResult{{ID: "RTM-PEER-002", Area: "peer", Level: reports.Must, Subject: "client", Profile: "core", Text: "It holds.", Verdict: reports.Pass,
				Specs: []reports.SpecResult{{Name: "peer", State: reports.Pass}}}},
		},
	}
}

func TestAShelfThatBreaksARuleIsNamed(t *testing.T) {
	write := func(t *testing.T, file, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	whole := func(t *testing.T, root, entry string, r *reports.Report) {
		t.Helper()
		write(t, filepath.Join(root, "README.md"), "# rules\n")
		write(t, filepath.Join(root, "acme", "README.md"), "# Acme\n\nContact: rtm at acme.example\n")
		if err := reports.Write(filepath.Join(root, filepath.FromSlash(entry)), r); err != nil {
			t.Fatal(err)
		}
	}
	const entry = "acme/acme-rtm/2.3.1"
	for name, tt := range map[string]struct {
		entry string
		spoil func(*reports.Report)
		after func(t *testing.T, root string)
		want  string // empty when the shelf is in order
	}{
		"a good entry": {},
		"a failing entry": {spoil: func(r *reports.Report) {
			r.ExitCode = 1
			q := &r.Conformance.Requirements[0]
			q.Verdict, q.Specs[0].State = reports.Fail, reports.Fail
			r.Conformance.Profiles[0] = reports.NewProfile("core", "client", r.Conformance.Requirements)
		}},
		"another product": {entry: "acme/rtm/2.3.1", want: `the product folder is "acme-rtm", not "rtm"`},
		"another version": {entry: "acme/acme-rtm/2.3", want: `version is "2.3.1", not "2.3"`},
		"a capital":       {entry: "Acme/acme-rtm/2.3.1", want: "small letters", after: func(t *testing.T, root string) { write(t, filepath.Join(root, "Acme", "README.md"), "Contact: x") }},
		"no name":         {spoil: func(r *reports.Report) { r.Conformance.Subject.Name = "" }, want: "the product folder is"},
		"no command":      {spoil: func(r *reports.Report) { r.Command = "" }, want: "no command repeats the run"},
		"interrupted":     {spoil: func(r *reports.Report) { r.Interrupted, r.ExitCode = true, 130 }, want: "the run was interrupted"},
		"nothing judged":  {spoil: func(r *reports.Report) { r.Conformance.Requirements[0].Verdict = reports.NotSelected }, want: "judged nothing"},
		"a load run":      {spoil: func(r *reports.Report) { r.Conformance = nil }, want: "no conformance results"},
		"a wrong exit":    {spoil: func(r *reports.Report) { r.ExitCode = 1 }, want: "The exit code is 1, but the rows make it 0."},
		"a changed page":  {after: func(t *testing.T, root string) { write(t, filepath.Join(root, entry, "index.html"), "all good") }, want: "index.html was changed"},
		"a note beside":   {after: func(t *testing.T, root string) { write(t, filepath.Join(root, entry, "notes.md"), "x") }, want: "notes.md is not in checksums.txt"},
		"a file between":  {after: func(t *testing.T, root string) { write(t, filepath.Join(root, "acme/acme-rtm/notes.md"), "x") }, want: "only folders lie here"},
		"no contact": {after: func(t *testing.T, root string) {
			write(t, filepath.Join(root, "acme/README.md"), "# Acme\n\nContact:\n")
		}, want: "names no contact"},
		"a vendor alone":   {after: func(t *testing.T, root string) { write(t, filepath.Join(root, "other/README.md"), "Contact: x") }, want: "other: there is no report"},
		"a folder too few": {after: func(t *testing.T, root string) { write(t, filepath.Join(root, "acme/x/report.json/x"), "") }, want: "holds no report.json"},
	} {
		t.Run(name, func(t *testing.T) {
			root, r := t.TempDir(), shelfReport()
			if tt.spoil != nil {
				tt.spoil(r)
			}
			if tt.entry == "" {
				tt.entry = entry
			}
			whole(t, root, tt.entry, r)
			if tt.after != nil {
				tt.after(t, root)
			}
			found := breaches(t, root)
			if tt.want == "" && len(found) > 0 {
				t.Errorf("a shelf in order breaks rules: %v", found)
			}
			if tt.want != "" && !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, tt.want) }) {
				t.Errorf("no sentence says %q: %v", tt.want, found)
			}
		})
	}
	if found := breaches(t, t.TempDir()); len(found) > 0 {
		t.Errorf("an empty shelf breaks rules: %v", found)
	}
}
