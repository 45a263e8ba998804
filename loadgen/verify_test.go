package loadgen

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// storedRun plays a channel run with a loss, a duplicate and a stray message, and returns its folder.
func storedRun(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "run")
	inBubble(t, func(t *testing.T) {
		w := smallChannel(200, 5)
		w.Phases.Warmup = 100 * time.Millisecond
		s := newRig()
		s.tamper = func(n int, r *routed) {
			switch n {
			case 120:
				r.to = r.to[1:]
			case 130:
				r.to = append(r.to, r.to[0])
			case 140:
				r.body = []byte("nobody knows this")
			}
		}
		s.play(t, t.Context(), w, Options{Dir: dir})
	})
	return dir
}

// rewrite changes a file of a run folder.
func rewrite(t *testing.T, dir, name string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(bytes.Clone(text))
	if bytes.Equal(text, changed) {
		t.Fatalf("%s was not changed", name)
	}
	if err := os.WriteFile(path, changed, 0o644); err != nil {
		t.Fatal(err)
	}
}

// cover gives the manifest the sums that the files have now, as somebody would who changes a file and hides it.
func cover(t *testing.T, dir string) {
	t.Helper()
	rewriteManifest(t, dir, func(m *reports.Manifest) {
		for i := range m.Files {
			text, err := os.ReadFile(filepath.Join(dir, m.Files[i].Name))
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(text)
			m.Files[i].Bytes, m.Files[i].SHA256 = int64(len(text)), hex.EncodeToString(sum[:])
		}
	})
}

func rewriteManifest(t *testing.T, dir string, change func(*reports.Manifest)) {
	t.Helper()
	path := filepath.Join(dir, reports.RunManifestFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m reports.Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	if text, err = json.Marshal(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// packed changes the text inside a compressed file.
func packed(t *testing.T, change func([]byte) []byte) func([]byte) []byte {
	return func(file []byte) []byte {
		in, err := gzip.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		w := gzip.NewWriter(&out)
		if _, err := w.Write(change(text)); err != nil {
			t.Fatal(err)
		}
		w.Close()
		return out.Bytes()
	}
}

// once replaces the first match.
func once(pattern, by string) func([]byte) []byte {
	return func(text []byte) []byte {
		place := regexp.MustCompile(pattern).FindIndex(text)
		if place == nil {
			return text
		}
		return append(append(bytes.Clone(text[:place[0]]), by...), text[place[1]:]...)
	}
}

// logLagAsLogins gives the logins the histogram of the lag.
func logLagAsLogins(text []byte) []byte {
	lag := regexp.MustCompile(`(?m)^Tag=lag,.*$`).Find(text)
	return once(`(?m)^Tag=login,.*$`, "Tag=login"+strings.TrimPrefix(string(lag), "Tag=lag"))(text)
}

// named reports whether a difference is about the file and has the words.
func named(differences []Difference, file, words string) bool {
	for _, d := range differences {
		if d.File == file && strings.Contains(d.String(), words) {
			return true
		}
	}
	return false
}

func TestOneChangedByteOfAnyFileIsFound(t *testing.T) {
	whole := storedRun(t)
	entries, err := os.ReadDir(whole)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if err := verified(dir); err != nil {
			t.Fatalf("an unchanged copy: %v", err)
		}
		rewrite(t, dir, entry.Name(), func(text []byte) []byte {
			text[len(text)/2] ^= 1
			return text
		})
		found, err := Verify(dir)
		if err != nil {
			t.Errorf("%s: %v", entry.Name(), err)
		} else if !strings.Contains(differences(found), entry.Name()) && entry.Name() != reports.RunManifestFile || len(found.Differences) == 0 {
			t.Errorf("%s: found %q", entry.Name(), found.Differences)
		}
	}
}

func differences(v *Verification) string {
	var lines []string
	for _, d := range v.Differences {
		lines = append(lines, d.String())
	}
	return strings.Join(lines, "\n")
}

func TestANumberThatDoesNotFollowIsNamedEvenUnderRightSums(t *testing.T) {
	whole := storedRun(t)
	for name, c := range map[string]struct {
		file   string
		change func([]byte) []byte
		where  string
		words  string
	}{
		"percentile": {reports.RunSummaryFile, once(`"p99_ns": \d+`, `"p99_ns": 7`), reports.RunSummaryFile, "p99_ns  stored 7  derived "},
		"ledger":     {reports.RunSummaryFile, once(`"lost": 5`, `"lost": 0`), reports.RunSummaryFile, "ledger[0].lost  stored 0  derived 5"},
		"equation":   {reports.RunSummaryFile, once(`"holds": true`, `"holds": false`), reports.RunSummaryFile, "equations[0].holds"},
		"validity":   {reports.RunSummaryFile, once(`"verdict": "valid"`, `"verdict": "degraded"`), reports.RunSummaryFile, "validity.verdict  stored degraded  derived valid"},
		"a key more": {reports.RunSummaryFile, once(`"validity"`, `"mood": 1, "validity"`), reports.RunSummaryFile, "mood  stored 1  derived nothing"},
		"second":     {SeriesFile, once(`(?m)^0,\d+`, `0,3`), reports.RunSummaryFile, "series[0].offered"},
		"sum":        {SeriesFile, once(`(?m)^0,\d+`, `0,3`), SeriesFile, "sum of offered  stored 3  derived 300"},
		"rate":       {WorkloadFile, once(`seed: 1`, `seed: 2`), reports.RunManifestFile, "workload_sha256"},
		"interval":   {HistogramFile, once(`(?m)^Tag=lag,.*\n`, ``), HistogramFile, "intervals of lag  stored 0  derived 1"},
		"swapped":    {HistogramFile, logLagAsLogins, HistogramFile, "samples of login  stored 200  derived 5"},
		"bad line":   {HistogramFile, once(`(?m)^Tag=lag,`, `Tag=lag;`), HistogramFile, "no interval of a histogram log"},
		"largest":    {HistogramFile, once(`\.\d{6},HIST`, `.000000,HIST`), HistogramFile, "its largest value is said to be"},
		"error":      {EventsFile, once(`"facts"`, `"error":{"class":"dial","count":1}}`+"\n"+`{"facts"`), reports.RunSummaryFile, "errors"},
		"overflow":   {EventsFile, once(`("metric":"lag","intervals":1,"samples":\d+)`, `"metric":"lag","intervals":1,"samples":200,"overflow":1`), reports.RunSummaryFile, "overflow"},
		"answers":    {BooksFile, packed(t, once(`"answers":"300r"`, `"answers":"299re"`)), reports.RunSummaryFile, "ledger[0].acked_received"},
		"a bit":      {BooksFile, packed(t, once(`"60.240#"`, `"61.239#"`)), reports.RunSummaryFile, "ledger[0].lost  stored 5  derived 6"},
		"a fate":     {BooksFile, packed(t, once(`"fates":"300s"`, `"fates":"299sx"`)), reports.RunSummaryFile, "ledger[0].shed  stored 0  derived 1"},
		"too much":   {BooksFile, packed(t, once(`"fates":"300s"`, `"fates":"3000000000s"`)), BooksFile, "more than the 300 places of the plan"},
		"too little": {BooksFile, packed(t, once(`"fates":"300s"`, `"fates":"299s"`)), BooksFile, "299 of the 300 places"},
		"schema":     {BooksFile, packed(t, once(`rtmkit-run/v1`, `rtmkit-run/v2`)), BooksFile, `schema is "rtmkit-run/v2"`},
		"no session": {BooksFile, packed(t, once(`(?m)^.*"session":4.*\n`, ``)), BooksFile, "session 4 is missing"},
		"short":      {BooksFile, func(b []byte) []byte { return b[:len(b)-20] }, BooksFile, "cut short"},
		"for people": {LedgerFile, once(`"kind":"lost"`, `"kind":"leaked"`), LedgerFile, "anomalies: lost  stored 4  derived 5"},
		"a vital":    {HealthFile, once(`drain,,1,1,1,0,0`, `drain,,1,1,1,0,9`), reports.RunSummaryFile, "health.in_flight_max"},
		"a bad row":  {HealthFile, once(`,end,`, `,fin,`), HealthFile, `mark: "fin"`},
		"curve":      {"lag.hgrm", once(`200`, `201`), "lag.hgrm", "line 3"},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		rewrite(t, dir, c.file, c.change)
		cover(t, dir)
		found, err := Verify(dir)
		if err != nil || !named(found.Differences, c.where, c.words) {
			t.Errorf("%s: want %s with %q, got %v\n%s", name, c.where, c.words, err, differences(found))
		}
	}
}

func TestAFolderThatHoldsNoRunIsRefused(t *testing.T) {
	if _, err := Verify(t.TempDir()); !errors.Is(err, ErrNoRun) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := Verify(filepath.Join(t.TempDir(), "none")); !errors.Is(err, ErrNoRun) {
		t.Errorf("no folder: %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(file); !errors.Is(err, ErrNoRun) {
		t.Errorf("a file: %v", err)
	}
	dir := storedRun(t)
	rewriteManifest(t, dir, func(m *reports.Manifest) { m.Schema = "rtmkit-run/v9" })
	if _, err := Verify(dir); err == nil || !strings.Contains(err.Error(), `schema is "rtmkit-run/v9"`) {
		t.Errorf("a run of a later version: %v", err)
	}
}

func TestAReportFolderIsVerifiedThroughItsRuns(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.CopyFS(filepath.Join(dir, "load", name), os.DirFS(storedRun(t))); err != nil {
			t.Fatal(err)
		}
	}
	report := &reports.Report{Schema: reports.ReportSchema}
	for _, name := range []string{"a", "b"} {
		load, err := reports.ReadLoad(filepath.Join(dir, "load", name))
		if err != nil {
			t.Fatal(err)
		}
		load.Dir = "load/" + name
		report.Loads = append(report.Loads, *load)
	}
	if err := reports.Write(dir, report); err != nil {
		t.Fatal(err)
	}
	found, err := Verify(dir)
	if err != nil || len(found.Runs) != 2 || len(found.Differences) != 0 {
		t.Fatalf("%+v, %v", found, err)
	}
	rewrite(t, dir, "load/b/"+SeriesFile, once(`(?m)^0,\d+`, `0,3`))
	if found, err = Verify(dir); err != nil || !named(found.Differences, filepath.Join("load", "b", SeriesFile), "sum of offered") {
		t.Errorf("%v\n%s", err, differences(found))
	}
}
