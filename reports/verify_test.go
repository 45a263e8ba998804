package reports

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// consistentReport is a failing report whose exit code follows from its rows.
func consistentReport() *Report {
	r := failingReport()
	r.ExitCode = r.Conformance.ExitCode()
	r.Loads = nil
	return r
}

func mustVerify(t *testing.T, dir string) []string {
	t.Helper()
	v, err := Verify(dir, "0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	return v.Findings
}

func TestAWrittenReportVerifies(t *testing.T) {
	green := passingReport()
	green.Loads = nil
	interrupted := passingReport()
	interrupted.Interrupted, interrupted.ExitCode = true, 130
	failing := failingReport()
	// A signal that comes when the last spec has ended interrupts nothing of it.
	late := consistentReport()
	late.Interrupted, late.ExitCode = true, 130
	// What binds a client alone needs no profile in a server's report.
	server := consistentReport()
	server.Conformance.Subject.Kind = "server"
	server.Conformance.Requirements = append(server.Conformance.Requirements, RequirementResult{ID: "RTM-X-001", Level: Must, Subject: "client", Profile: "adapter", Verdict: NotDeclared})
	server.Conformance.judgeProfiles()
	server.ExitCode = server.Conformance.ExitCode()
	for name, r := range map[string]*Report{"passing": passingReport(), "without loads": green, "inconsistent": consistentReport(), "interrupted": interrupted, "failing": failing, "late": late, "server": server} {
		dir := t.TempDir()
		for i := range r.Loads {
			if err := WriteLoad(filepath.Join(dir, r.Loads[i].Dir), &r.Loads[i]); err != nil {
				t.Fatal(err)
			}
		}
		// The second report takes the place of the first without a trace of it.
		if err := Write(dir, consistentReport()); err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
		if found := mustVerify(t, dir); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
		// The pages can be made again without breaking the checksums.
		again, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := Render(dir, again); err != nil {
			t.Fatal(err)
		}
		if found := mustVerify(t, dir); len(found) > 0 {
			t.Errorf("%s, rendered again: %v", name, found)
		}
	}
}

func TestSha256sumReadsTheChecksums(t *testing.T) {
	tool, err := exec.LookPath("sha256sum")
	if err != nil {
		t.Skip("no sha256sum on this machine")
	}
	dir := t.TempDir()
	if err := Write(dir, consistentReport()); err != nil {
		t.Fatal(err)
	}
	check := exec.Command(tool, "--strict", "-c", ChecksumsFile)
	check.Dir = dir
	out, err := check.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "wire/RTM-PEER-002.jsonl: OK") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestVerifyNamesWhatDoesNotHold(t *testing.T) {
	overwrite := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			file := filepath.Join(dir, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				t.Fatal(err)
			}
		}
	}
	replace := func(name, from, to string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			text, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			changed := strings.Replace(string(text), from, to, 1)
			if changed == string(text) {
				t.Fatalf("%s: the edit changes nothing", name)
			}
			overwrite(name, changed)(t, dir)
		}
	}
	unname := func(t *testing.T, dir string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(dir, ReportFile))
		if err != nil {
			t.Fatal(err)
		}
		overwrite(ReportFile, regexp.MustCompile(`"wire": "wire/RTM-PEER-002.jsonl",\s+"wire_sha256": "[0-9a-f]+",`).ReplaceAllString(string(text), ""))(t, dir)
	}
	link := func(t *testing.T, dir string) {
		t.Helper()
		elsewhere := filepath.Join(t.TempDir(), PageFile)
		if err := os.Rename(filepath.Join(dir, PageFile), elsewhere); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(elsewhere, filepath.Join(dir, PageFile)); err != nil {
			t.Skip(err)
		}
	}
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"no checksums":       {remove(ChecksumsFile), "checksums.txt is missing."},
		"spoilt checksums":   {overwrite(ChecksumsFile, "0000  ../x\n"), "line 1 is no checksum"},
		"a changed page":     {replace(PageFile, "Not conformant", "Conformant"), "index.html is not what report.json renders to."},
		"a changed JUnit":    {replace(JUnitFile, "<failure", "<skipped"), "junit.xml was changed"},
		"a changed summary":  {replace(SummaryFile, "✗", "✓"), "summary.md is not what"},
		"a better badge":     {replace(BadgeFile, "not conformant", "conformant"), "badge.json is not what"},
		"no page":            {remove(PageFile), "index.html is missing, and checksums.txt names it."},
		"no wire trace":      {remove("wire/RTM-PEER-002.jsonl"), "The wire trace of RTM-PEER-002 cannot be read"},
		"a changed wire":     {replace("wire/RTM-PEER-002.jsonl", "nobody", "somebody"), "wire/RTM-PEER-002.jsonl was changed: its SHA-256 is not the one in report.json."},
		"other frames":       {replace(ReportFile, `\"text\":\"hi\"`, `\"text\":\"ho\"`), "wire/RTM-PEER-002.jsonl does not hold the frames of report.json."},
		"an unnamed wire":    {unname, "RTM-PEER-002 has frames, but names no wire trace."},
		"a link":             {link, "index.html is no file."},
		"a file too much":    {overwrite("wire/RTM-PEER-001.jsonl", "{}"), "wire/RTM-PEER-001.jsonl is not in checksums.txt"},
		"a note of someone":  {overwrite("notes/todo.txt", "x"), "notes/todo.txt is not in checksums.txt"},
		"an edited verdict":  {replace(ReportFile, `"verdict": "fail"`, `"verdict": "pass"`), "its specs say fail."},
		"a profile's praise": {replace(ReportFile, `"verdict": "not conformant"`, `"verdict": "conformant"`), "is called conformant, but its rows make it not conformant."},
		"a count":            {replace(ReportFile, `"known-fail": 1`, `"known-fail": 2`), "The counts of the profile core do not follow"},
		"the exit code":      {replace(ReportFile, `"exit_code": 4`, `"exit_code": 0`), "The exit code is 0, but the rows make it 4."},
		"another form":       {replace(ReportFile, "{\n", "{ \n"), "report.json is not in the form that rtmkit writes."},
		"a checksum no hash": {replace(ReportFile, `"catalogue_sha256": "9`, `"catalogue_sha256": "x`), "does not satisfy report.schema.json at /conformance/catalogue_sha256."},
		"an unknown key":     {replace(ReportFile, `"tool_version"`, `"tool"`), "report.json cannot be read"},
		"no JSON":            {overwrite(ReportFile, "<"), "report.json is no JSON"},
		"an empty claim":     {replace(ReportFile, "\"core\",\n", "\"cores\",\n"), "The profile cores is claimed, but no requirement belongs to it."},
		"time backwards":     {replace(ReportFile, `"ended_at": "2026`, `"ended_at": "2025`), "The run ended before it began."},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := Write(dir, consistentReport()); err != nil {
				t.Fatal(err)
			}
			tt.spoil(t, dir)
			found := mustVerify(t, dir)
			if !slices.ContainsFunc(found, func(s string) bool { return strings.Contains(s, tt.want) }) {
				t.Errorf("no finding says %q: %v", tt.want, found)
			}
		})
	}
}

func TestVerifyTellsAnEmptyFolderFromABadReport(t *testing.T) {
	if _, err := Verify(t.TempDir(), "0.2.0"); !errors.Is(err, ErrNoReport) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := Verify(filepath.Join(t.TempDir(), "nowhere"), "0.2.0"); !errors.Is(err, ErrNoReport) {
		t.Errorf("no folder: %v", err)
	}
}

func TestPagesAreComparedByTheVersionThatWroteThem(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, consistentReport()); err != nil {
		t.Fatal(err)
	}
	v, err := Verify(dir, "9.0.0")
	if err != nil || len(v.Findings) > 0 || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "written by rtmkit 0.2.0") {
		t.Errorf("%+v, %v", v, err)
	}
}

func TestTheExitCodeOfACheckIsHeldAgainstItsRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*Report)
		want  string
	}{
		"green with a loss":    {func(r *Report) { r.Loads[0].Summary.Ledger[0].Lost = 1 }, "something did not hold"},
		"green and invalid":    {func(r *Report) { r.Loads[0].Summary.Validity.Verdict = Invalid }, "something did not hold"},
		"red without a reason": {func(r *Report) { r.ExitCode = 1 }, "no requirement and no threshold failed"},
	} {
		r, dir := passingReport(), t.TempDir()
		tt.spoil(r)
		if err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
		if found := strings.Join(mustVerify(t, dir), " "); !strings.Contains(found, tt.want) {
			t.Errorf("%s: %s", name, found)
		}
	}
}

func TestRenderingPutsAStalePageRight(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, consistentReport()); err != nil {
		t.Fatal(err)
	}
	// A page of another release, with the checksum that it had.
	stale := []byte("the page as another release rendered it")
	sums, err := readChecksums(filepath.Join(dir, ChecksumsFile))
	if err != nil {
		t.Fatal(err)
	}
	sums[PageFile] = sha256Of(stale)
	if err := writeFiles(dir, []textFile{{PageFile, stale}, {ChecksumsFile, checksumText(sums)}}); err != nil {
		t.Fatal(err)
	}
	if found := mustVerify(t, dir); len(found) != 1 || found[0] != "index.html is not what report.json renders to." {
		t.Errorf("%v", found)
	}
	r, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := Render(dir, r); err != nil {
		t.Fatal(err)
	}
	if found := mustVerify(t, dir); len(found) > 0 {
		t.Errorf("%v", found)
	}
}

func TestAVerdictFollowsFromItsSpecs(t *testing.T) {
	for _, tt := range []struct {
		verdict, worst Verdict
		want           bool
	}{
		{Pass, Pass, true}, {Pass, Fail, false}, {Pass, NoSpec, false}, {Warn, Warn, true}, {Warn, Pass, false}, {Fail, Fail, true}, {Fail, Pass, false},
		{Info, Pass, false}, {KnownFail, Fail, true}, {KnownFail, Warn, true}, {KnownFail, Blocked, true}, {KnownFail, Pass, false}, {KnownFail, NoSpec, false},
		{StaleKnownFail, Pass, true}, {StaleKnownFail, Fail, true}, {StaleKnownFail, NoSpec, false}, {Flaky, Pass, true}, {Flaky, NoSpec, false},
		{NotSelected, NoSpec, true}, {NoSpec, NoSpec, true}, {Blocked, Blocked, true},
	} {
		if got := follows(tt.verdict, tt.worst); got != tt.want {
			t.Errorf("%s from %s: %v", tt.verdict, tt.worst, got)
		}
	}
}

func TestChecksumsOfAnotherFormAreRefused(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for name, text := range map[string]string{
		"one space":        sum + " a\n",
		"a short sum":      sum[1:] + "  a\n",
		"capitals":         strings.Repeat("A", 64) + "  a\n",
		"outside":          sum + "  ../a\n",
		"an absolute path": sum + "  /a\n",
		"a detour":         sum + "  b/../a\n",
		"itself":           sum + "  " + ChecksumsFile + "\n",
		"no name":          sum + "  \n",
		"twice":            sum + "  a\n" + sum + "  a\n",
	} {
		file := filepath.Join(t.TempDir(), ChecksumsFile)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if sums, err := readChecksums(file); err == nil {
			t.Errorf("%s: %v", name, sums)
		}
	}
}
