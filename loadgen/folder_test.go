package loadgen

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

var errFull = errors.New("no space left on device")

// fullDisk is a disk that takes no more than so many bytes of the files whose names it has.
type fullDisk map[string]int

func (d fullDisk) create(path string) (io.WriteCloser, error) {
	file, err := os.Create(path)
	name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "."), ".part")
	if room, full := d[name]; full && err == nil {
		return &fullFile{file, room}, nil
	}
	return file, err
}

type fullFile struct {
	*os.File
	room int
}

func (f *fullFile) Write(p []byte) (int, error) {
	n := min(len(p), f.room)
	f.room -= n
	if n, err := f.File.Write(p[:n]); n < len(p) {
		return n, errors.Join(err, errFull)
	}
	return n, nil
}

// files lists a folder.
func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestRunOnAFullDiskIsMeasuredToItsEndAndNamesWhatIsMissing(t *testing.T) {
	for name, disk := range map[string]fullDisk{
		"the log":         {HistogramFile: 100},
		"the log at once": {HistogramFile: 0},
		"a table":         {HealthFile: 10},
		"the books":       {BooksFile: 3},
		"several":         {HealthFile: 10, SeriesFile: 0, "lag.hgrm": 1},
	} {
		inBubble(t, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			load, err := newRig().run(t.Context(), small(3000), Options{Dir: dir, create: disk.create})
			if load == nil || !errors.Is(err, errFull) || OutcomeOf(load, err) != Unusable {
				t.Fatalf("%s: %v, %v", name, load, err)
			}
			balanced(t, load)
			if row := load.Summary.Ledger[0]; row.DeliveredOnce != 3000 {
				t.Errorf("%s: the run was not measured to its end: %+v", name, row)
			}
			found := files(t, dir)
			for missing := range disk {
				if !strings.Contains(err.Error(), missing) || !strings.Contains(strings.Join(load.Manifest.Notes, " "), missing) {
					t.Errorf("%s: %v does not name %s, or the notes %q do not", name, err, missing, load.Manifest.Notes)
				}
				if missing != HistogramFile && slices.Contains(found, missing) {
					t.Errorf("%s: a part of %s is left", name, missing)
				}
				if slices.ContainsFunc(load.Manifest.Files, func(f reports.File) bool { return f.Name == missing }) {
					t.Errorf("%s: the manifest vouches for %s", name, missing)
				}
			}
			for _, whole := range []string{reports.RunManifestFile, reports.RunSummaryFile, WorkloadFile, HistogramFile, SeriesFile, HealthFile, EventsFile, BooksFile, LedgerFile} {
				if _, full := disk[whole]; !full && !slices.Contains(found, whole) {
					t.Errorf("%s: %s is missing", name, whole)
				}
			}
			if i := slices.IndexFunc(found, func(name string) bool { return strings.HasPrefix(name, ".") }); i >= 0 {
				t.Errorf("%s: %s is left behind", name, found[i])
			}
		})
	}
}
