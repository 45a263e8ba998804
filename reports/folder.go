package reports

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// The files of a report folder and of a run folder.
const (
	// ReportFile holds a [Report] as JSON.
	ReportFile = "report.json"
	// JUnitFile holds the same verdicts as JUnit XML, for CI systems.
	JUnitFile = "junit.xml"
	// SummaryFile is the short Markdown summary, for job summaries and mail.
	SummaryFile = "summary.md"
	// PageFile is the page for people.
	PageFile = "index.html"
	// BadgeFile is the verdict of the conformance results as a badge, in the
	// form of a shields.io endpoint.
	BadgeFile = "badge.json"
	// ChecksumsFile holds the SHA-256 of every other file, in the form that
	// "sha256sum -c" reads.
	ChecksumsFile = "checksums.txt"
	// RunManifestFile holds the [Manifest] of a load run as JSON.
	RunManifestFile = "manifest.json"
	// RunSummaryFile holds the [Summary] of a load run as JSON.
	RunSummaryFile = "summary.json"
)

// maxFileBytes bounds what Read and ReadLoad take into memory.
const maxFileBytes = 256 << 20

// Write puts the report into the folder and makes the folder when it is missing:
// report.json, junit.xml, summary.md and index.html, the wire traces of what did
// not pass in the folder wire, badge.json when the report holds conformance
// results, and checksums.txt over all of these and the run folders of its loads.
// What is written is a copy without secrets, see [Redact].
//
// All texts are made before the first is written, each file appears whole or not
// at all, and report.json comes first: the data is safe before the pages, which
// [Render] can always make again from it. Wire traces of an earlier report are
// removed. Write refuses a report that [Read] would refuse.
func Write(dir string, r *Report) error {
	files, clean, err := reportFiles(dir, r)
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	if err := writeFiles(dir, files); err != nil {
		return err
	}
	if err := removeStale(dir, clean); err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	return writeChecksums(dir, files, clean.Loads)
}

// reportFiles returns every file of the report in the folder but the checksums,
// and the report as it is written.
func reportFiles(dir string, r *Report) ([]textFile, *Report, error) {
	clean, err := prepare(r)
	if err != nil {
		return nil, nil, err
	}
	wires, err := extractWire(clean)
	if err != nil {
		return nil, nil, err
	}
	data, err := encode(clean)
	if err != nil {
		return nil, nil, err
	}
	pages, err := pageFiles(dir, clean)
	if err != nil {
		return nil, nil, err
	}
	files := append([]textFile{{ReportFile, data}}, wires...)
	return append(files, pages...), clean, nil
}

// Render makes only the pages of the report again: junit.xml, summary.md and
// index.html, and badge.json when the report holds conformance results. It serves
// to make them after [Read], or for the run folder of a load run together with
// [Of]. Where the folder has checksums, those of the pages are made anew.
func Render(dir string, r *Report) error {
	clean, err := prepare(r)
	if err != nil {
		return fmt.Errorf("reports: render %s: %w", dir, err)
	}
	pages, err := pageFiles(dir, clean)
	if err != nil {
		return fmt.Errorf("reports: render %s: %w", dir, err)
	}
	if err := writeFiles(dir, pages); err != nil {
		return err
	}
	return renewChecksums(dir, pages)
}

// Read returns the report in the folder. It refuses a schema version or a key
// it does not know and a verdict that is none, so that a report of a later
// release is never half understood.
func Read(dir string) (*Report, error) {
	r := new(Report)
	if err := readFile(filepath.Join(dir, ReportFile), ReportSchema, r); err != nil {
		return nil, err
	}
	if err := r.validate(); err != nil {
		return nil, fmt.Errorf("reports: read %s: %w", filepath.Join(dir, ReportFile), err)
	}
	return r, nil
}

// WriteLoad puts the manifest and the summary of a load run, and its floor where
// it has one, into its run folder, each file whole or not at all and without
// secrets. The manifest comes last: a folder that has one is complete.
func WriteLoad(dir string, l *Load) error {
	clean, err := redactedCopy(l)
	if err == nil {
		err = clean.validate()
	}
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	summary, err := encode(clean.Summary)
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	manifest, err := encode(clean.Manifest)
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	files := []textFile{{RunSummaryFile, summary}, {RunManifestFile, manifest}}
	if clean.Floor != nil {
		floor, err := encode(clean.Floor)
		if err != nil {
			return fmt.Errorf("reports: write %s: %w", dir, err)
		}
		files = append([]textFile{{FloorFile, floor}}, files...)
	}
	return writeFiles(dir, files)
}

// ReadLoad returns the load run in a run folder, as strict as [Read].
func ReadLoad(dir string) (*Load, error) {
	l := new(Load)
	if err := readFile(filepath.Join(dir, RunManifestFile), LoadSchema, &l.Manifest); err != nil {
		return nil, err
	}
	if err := readFile(filepath.Join(dir, RunSummaryFile), LoadSchema, &l.Summary); err != nil {
		return nil, err
	}
	floor, err := readRunFloor(dir)
	if err != nil {
		return nil, err
	}
	l.Floor = floor
	if err := l.validate(); err != nil {
		return nil, fmt.Errorf("reports: read %s: %w", dir, err)
	}
	return l, nil
}

// prepare returns a valid copy of the report without secrets.
func prepare(r *Report) (*Report, error) {
	clean, err := redactedCopy(r)
	if err != nil {
		return nil, err
	}
	return clean, clean.validate()
}

func pageFiles(dir string, r *Report) ([]textFile, error) {
	for i := range r.Loads {
		r.Loads[i].anomalies = readAnomalies(dir, &r.Loads[i])
	}
	junit, err := junitText(r)
	if err != nil {
		return nil, err
	}
	page, err := pageText(r)
	if err != nil {
		return nil, err
	}
	files := []textFile{{JUnitFile, junit}, {SummaryFile, markdownText(r)}, {PageFile, page}}
	if r.Conformance != nil {
		badge, err := r.Conformance.badge()
		if err != nil {
			return nil, err
		}
		files = append(files, textFile{BadgeFile, badge})
	}
	return files, nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// textFile is a file to be written; its name may hold forward slashes.
type textFile struct {
	name string
	text []byte
}

func writeFiles(dir string, files []textFile) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("reports: %w", err)
	}
	for _, f := range files {
		if err := writeWhole(dir, f); err != nil {
			return fmt.Errorf("reports: write %s: %w", filepath.Join(dir, f.name), err)
		}
	}
	return nil
}

// writeWhole makes the file appear at once: readers see the old or the new
// text, never a part.
func writeWhole(dir string, f textFile) (err error) {
	place := filepath.Join(dir, filepath.FromSlash(f.name))
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(place), "."+filepath.Base(place)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(f.text)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), place)
}

func readFile(path, schema string, into any) error {
	text, err := readBounded(path, maxFileBytes)
	if err != nil {
		return fmt.Errorf("reports: read %w", err)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return fmt.Errorf("reports: read %s: not the JSON of a report: %w", path, err)
	}
	if head.Schema != schema {
		return fmt.Errorf("reports: read %s: schema is %q, this version of rtmkit reads %q only", path, head.Schema, schema)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("reports: read %s: %w", path, err)
	}
	return nil
}

func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > limit {
		return nil, fmt.Errorf("%s: larger than %d MiB", path, limit>>20)
	}
	return text, nil
}
