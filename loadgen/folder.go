package loadgen

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rtmkit/rtmkit/reports"
)

// The raw files of a run folder, beside manifest.json and summary.json.
const (
	// WorkloadFile is the workload as run, with defaults filled in.
	WorkloadFile = "workload.yaml"
	// HistogramFile holds a histogram for each metric and second, in the HdrHistogram log format.
	HistogramFile = "latency.hlog"
	// SeriesFile holds the counters of each second.
	SeriesFile = "series.csv"
	// HealthFile holds the state of generator and server in each second.
	HealthFile = "health.csv"
	// EventsFile holds the phases, the errors by class, and what else is known of the run, one JSON object a line.
	EventsFile = "events.jsonl"
	// BooksFile holds what became of each message, and a bit for each delivery: compressed lines of JSON.
	BooksFile = "books.jsonl.gz"
	// LedgerFile holds the ledger's rows and anomalies for people, one JSON object a line. It names at most 10,000
	// anomalies; the rows count all.
	LedgerFile = "ledger.jsonl"
)

// hgrm ends the names of the files that hold the percentiles of one metric each.
const hgrm = ".hgrm"

// folder is a run folder. A nil folder is none, and takes everything without effect.
type folder struct {
	dir     string
	created bool // by us
	create  func(path string) (io.WriteCloser, error)
	log     io.WriteCloser
	buffer  *bufio.Writer
	logged  error // what kept the log from being whole
}

func createFile(path string) (io.WriteCloser, error) { return os.Create(path) }

// openFolder makes the run folder and begins its histogram log. A folder that holds anything is refused, because two
// runs would mix in it.
func openFolder(dir string, create func(string) (io.WriteCloser, error)) (*folder, error) {
	if dir == "" {
		return nil, nil
	}
	f := &folder{dir: dir, create: create}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		f.created = true
	case err != nil:
		return nil, fmt.Errorf("run folder: %w", err)
	case len(entries) > 0:
		return nil, fmt.Errorf("run folder: %s is not empty; name a new folder", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	if f.log, err = f.create(filepath.Join(dir, HistogramFile)); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	}
	f.buffer = bufio.NewWriter(f.log)
	return f, nil
}

// hlog returns where the histogram log goes, or nil.
func (f *folder) hlog() io.Writer {
	if f == nil {
		return nil
	}
	return f.buffer
}

// discard takes back what openFolder made, for a run that never began.
func (f *folder) discard() {
	if f == nil {
		return
	}
	_ = f.log.Close()
	_ = os.Remove(filepath.Join(f.dir, HistogramFile))
	if f.created {
		// Fails, as it should, when somebody else has put something there.
		_ = os.Remove(f.dir)
	}
}

// logFailed notes that the histogram log is not whole.
func (f *folder) logFailed(err error) {
	if f != nil {
		f.logged = err
	}
}

// write puts everything into the folder, manifest and summary last. Found are the anomalies that sessions saw, more the
// files about generator and server.
//
// What cannot be written, for instance on a full disk, does not keep the rest from being written. It is left out of the
// manifest, which says so, and named in the error. Only the histogram log can stay there in part; the other files are
// whole or not there.
func (f *folder) write(r *raw, found []*anomalyLine, load *reports.Load, more ...textFile) error {
	if f == nil {
		return nil
	}
	flushed := f.buffer.Flush()
	closed := f.log.Close()
	var failed failedFiles
	failed.add(HistogramFile, cmp.Or(f.logged, flushed, closed))
	files := []textFile{
		{WorkloadFile, func(w io.Writer) error { _, err := io.WriteString(w, load.Manifest.Workload); return err }},
		{SeriesFile, func(w io.Writer) error { return writeSeries(w, r.series) }},
		{EventsFile, func(w io.Writer) error { return writeEvents(w, r) }},
		{BooksFile, func(w io.Writer) error { return writeBooks(w, r.books) }},
		{LedgerFile, func(w io.Writer) error { return writeLedger(w, r, load.Summary.Ledger, found) }},
	}
	files = append(append(files, more...), r.plan.traceFiles()...)
	for m := range metrics {
		if h := r.latencies.total[m]; h != nil {
			files = append(files, textFile{m.String() + hgrm, func(w io.Writer) error { return writeHGRM(w, h) }})
		}
	}
	for _, file := range files {
		failed.add(file.name, file.create(f.dir, f.create))
	}
	listed, err := f.list()
	failed.add("the list of files", err)
	load.Manifest.Files = slices.DeleteFunc(listed, func(file reports.File) bool { return slices.Contains(failed.names, file.Name) })
	if failed.first != nil {
		load.Manifest.Notes = append(slices.Clip(load.Manifest.Notes), "The run folder is not whole: "+failed.Error()+".")
	}
	failed.add("summary and manifest", reports.WriteLoad(f.dir, load))
	if failed.first != nil {
		return &failed
	}
	return nil
}

// failedFiles are files of a run folder that could not be written.
type failedFiles struct {
	names []string
	first error
}

func (f *failedFiles) add(name string, err error) {
	if err != nil {
		f.names = append(f.names, name)
		if f.first == nil {
			f.first = err
		}
	}
}

// Error names all files and says what went wrong with the first.
func (f *failedFiles) Error() string {
	return fmt.Sprintf("could not write %s: %v", strings.Join(f.names, ", "), f.first)
}

func (f *failedFiles) Unwrap() error { return f.first }

// list describes the raw files.
func (f *folder) list() ([]reports.File, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	var list []reports.File
	for _, entry := range entries {
		file, err := os.Open(filepath.Join(f.dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.New()
		n, err := io.Copy(sum, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}
		list = append(list, reports.File{Name: entry.Name(), Bytes: n, SHA256: hex.EncodeToString(sum.Sum(nil))})
	}
	return list, nil
}

// textFile is a file and what writes its content.
type textFile struct {
	name  string
	write func(io.Writer) error
}

// create writes the file under another name and gives it its own only when all of it is written.
func (t textFile) create(dir string, create func(string) (io.WriteCloser, error)) error {
	place := filepath.Join(dir, t.name)
	part := filepath.Join(filepath.Dir(place), "."+filepath.Base(place)+".part")
	file, err := create(part)
	if err != nil {
		return err
	}
	buffer := bufio.NewWriter(file)
	err = t.write(buffer)
	if err == nil {
		err = buffer.Flush()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(part, place)
	}
	if err != nil {
		_ = os.Remove(part)
	}
	return err
}

// ledgerLine is one line of ledger.jsonl: either a row or an anomaly.
type ledgerLine struct {
	Row     *reports.LedgerRow `json:"row,omitempty"`
	Anomaly *anomalyLine       `json:"anomaly,omitempty"`
}

// anomalyLine spells an anomaly out. Of a message without a readable stamp only kind and receiver are known.
type anomalyLine struct {
	Kind     anomalyKind `json:"kind"`
	Traffic  string      `json:"traffic,omitempty"`
	Phase    string      `json:"phase,omitempty"`
	Sender   string      `json:"sender,omitempty"`
	To       string      `json:"to,omitempty"`
	Seq      int         `json:"seq"`
	Receiver string      `json:"receiver"`
}

// seen reports whether a session saw the anomaly when it happened. The others follow from the books.
func (a *anomalyLine) seen() bool { return a.Kind != anomalyLost && a.Kind != anomalyFalseReceipt }

func (p *plan) spell(a anomaly) *anomalyLine {
	line := &anomalyLine{Kind: a.kind, Receiver: p.uids[a.receiver]}
	if a.entry == nil {
		return line
	}
	s, seq := a.entry.streamOf(a.message)
	line.Traffic, line.Seq, line.Phase = a.entry.ID, seq, phaseWarmup
	if a.entry.measured(a.message) {
		line.Phase = phaseMeasure
	}
	line.Sender, line.To = p.uids[s.sender], p.destination(&p.groups[s.group])
	return line
}

func writeLedger(w io.Writer, r *raw, rows []reports.LedgerRow, found []*anomalyLine) error {
	encoder := json.NewEncoder(w)
	for i := range rows {
		if err := encoder.Encode(ledgerLine{Row: &rows[i]}); err != nil {
			return err
		}
	}
	// The books are searched only where the rows say that there is something to be found.
	if slices.ContainsFunc(rows, func(r reports.LedgerRow) bool { return !r.Clean() }) {
		for _, a := range r.books.anomalies(maxAnomalies - len(found)) {
			found = append(found, r.plan.spell(a))
		}
	}
	for _, a := range found {
		if err := encoder.Encode(ledgerLine{Anomaly: a}); err != nil {
			return err
		}
	}
	return nil
}

// counts returns the failures by operation, class and code, the most frequent first.
func (f *faults) counts() []reports.ErrorCount {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []reports.ErrorCount
	for key, n := range f.errors {
		key.Count = n
		list = append(list, key)
	}
	slices.SortFunc(list, func(a, b reports.ErrorCount) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Op+a.Class, b.Op+b.Class)
	})
	return list
}
