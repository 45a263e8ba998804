package reports

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestFilesAreAsWanted(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, smallReport()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{ReportFile, JUnitFile, SummaryFile, BadgeFile, "wire/RTM-PEER-002.jsonl"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("testdata", "golden", name), text)
	}
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	for name, r := range map[string]*Report{"passing": passingReport(), "failing": failingReport(), "empty": {Schema: ReportSchema}} {
		dir := t.TempDir()
		if err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
		got, err := Read(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, want, err := reportFiles(t.TempDir(), r)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read something else than was written", name)
		}
	}
}

func TestReadLoadGivesBackWhatWasWritten(t *testing.T) {
	dir, want := t.TempDir(), fixtureLoad("peer", 1)
	if err := WriteLoad(dir, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadLoad(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Error("read something else than was written")
	}
	if err := Render(dir, Of(got)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{PageFile, SummaryFile, JUnitFile} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestReadRefusesWhatItDoesNotKnow(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, smallReport()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, ReportFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ from, to, want string }{
		"a later schema":       {`"rtmkit-report/v1"`, `"rtmkit-report/v2"`, `schema is "rtmkit-report/v2", this version of rtmkit reads "rtmkit-report/v1" only`},
		"an unknown key":       {`"tool_version"`, `"tool_vrsion"`, `unknown field "tool_vrsion"`},
		"an unknown verdict":   {`"verdict": "fail"`, `"verdict": "failed"`, `unknown verdict "failed"`},
		"a later inner schema": {`"rtmkit-conformance/v1"`, `"rtmkit-conformance/v9"`, `schema is "rtmkit-conformance/v9"`},
		"an unknown validity":  {`"verdict": "invalid"`, `"verdict": "bad"`, `unknown validity "bad"`},
		"a double requirement": {`"id": "RTM-LOGIN-013"`, `"id": "RTM-LOGIN-001"`, "requirement RTM-LOGIN-001: appears twice"},
		"no JSON":              {"{", "<", "not the JSON of a report"},
	} {
		changed := bytes.Replace(text, []byte(c.from), []byte(c.to), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if err := os.WriteFile(file, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.WriteFile(file, append(text, "{}"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), "after top-level value") {
		t.Errorf("text after the report: %v", err)
	}
	if _, err := Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), ReportFile) {
		t.Errorf("an empty folder: %v", err)
	}
}

func TestWriteLeavesNothingHalfWritten(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, passingReport()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, ReportFile))
	if err != nil {
		t.Fatal(err)
	}
	bad := failingReport()
	bad.Conformance.Requirements[3].Verdict = "good"
	if err := Write(dir, bad); err == nil || !strings.Contains(err.Error(), bad.Conformance.Requirements[3].ID) {
		t.Fatalf("a report that Read would refuse: %v", err)
	}
	after, err := os.ReadFile(filepath.Join(dir, ReportFile))
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the refused report changed the folder: %v", err)
	}
	// A page that cannot be put in its place must leave no temporary file.
	blocked := t.TempDir()
	if err := os.MkdirAll(filepath.Join(blocked, PageFile, "in the way"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(blocked, passingReport()); err == nil || !strings.Contains(err.Error(), PageFile) {
		t.Fatalf("a folder in the place of the page: %v", err)
	}
	for _, d := range []string{dir, blocked} {
		if left, _ := filepath.Glob(filepath.Join(d, ".*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestEnvironmentTellsTheMachine(t *testing.T) {
	e := CollectEnvironment()
	if e.OS == "" || e.Arch == "" || e.Cores < 1 || e.GOMAXPROCS < 1 || !strings.HasPrefix(e.GoVersion, "go") && !strings.HasPrefix(e.GoVersion, "devel") {
		t.Errorf("%+v", e)
	}
	if e.OS == "linux" && (e.Kernel == "" || e.MemoryBytes < 1<<20) {
		t.Errorf("on Linux the kernel and the memory are known: %+v", e)
	}
}
