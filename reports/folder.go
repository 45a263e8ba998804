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
	// RunManifestFile holds the [Manifest] of a load run as JSON.
	RunManifestFile = "manifest.json"
	// RunSummaryFile holds the [Summary] of a load run as JSON.
	RunSummaryFile = "summary.json"
)

// maxFileBytes bounds what Read and ReadLoad take into memory.
const maxFileBytes = 256 << 20

// Write puts the report into the folder as report.json, junit.xml, summary.md
// and index.html, and makes the folder when it is missing. What is written is
// a copy without secrets, see [Redact].
//
// All four texts are made before the first is written, each file appears whole
// or not at all, and report.json comes first: the data is safe before the
// pages, which [Render] can always make again from it. Write refuses a report
// that [Read] would refuse.
func Write(dir string, r *Report) error {
	clean, err := prepare(r)
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	data, err := encode(clean)
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	pages, err := pageFiles(clean)
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	return writeFiles(dir, append([]textFile{{ReportFile, data}}, pages...))
}

// Render puts only the pages of the report into the folder: junit.xml,
// summary.md and index.html. It serves to make them again after [Read], or for
// the run folder of a load run together with [Of].
func Render(dir string, r *Report) error {
	clean, err := prepare(r)
	if err != nil {
		return fmt.Errorf("reports: render %s: %w", dir, err)
	}
	pages, err := pageFiles(clean)
	if err != nil {
		return fmt.Errorf("reports: render %s: %w", dir, err)
	}
	return writeFiles(dir, pages)
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

// WriteLoad puts the manifest and the summary of a load run into its run
// folder, each file whole or not at all and without secrets. The manifest
// comes last: a folder that has one is complete.
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
	return writeFiles(dir, []textFile{{RunSummaryFile, summary}, {RunManifestFile, manifest}})
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

func pageFiles(r *Report) ([]textFile, error) {
	junit, err := junitText(r)
	if err != nil {
		return nil, err
	}
	page, err := pageText(r)
	if err != nil {
		return nil, err
	}
	return []textFile{{JUnitFile, junit}, {SummaryFile, markdownText(r)}, {PageFile, page}}, nil
}

func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// textFile is a file to be written.
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
	temp, err := os.CreateTemp(dir, "."+f.name+".*")
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
	return os.Rename(temp.Name(), filepath.Join(dir, f.name))
}

func readFile(path, schema string, into any) error {
	text, err := readBounded(path)
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

func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFileBytes {
		return nil, fmt.Errorf("%s: larger than %d MiB", path, maxFileBytes>>20)
	}
	return text, nil
}
