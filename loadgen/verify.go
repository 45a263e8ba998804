package loadgen

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/rtmkit/rtmkit/reports"
)

// Difference is one thing in a run folder that does not follow from the rest of the folder.
type Difference struct {
	// File is the file, relative to the folder that was verified.
	File string
	// Path is the place in the file, such as metrics[0].p99_ns; empty for the file as a whole.
	Path string
	// Stored is what stands there.
	Stored string
	// Derived is what follows from the other files, or a sentence that says why nothing does.
	Derived string
}

// String returns the difference as one line.
func (d Difference) String() string {
	place := d.File
	if d.Path != "" {
		place += "  " + d.Path
	}
	return fmt.Sprintf("%s  stored %s  derived %s", place, d.Stored, d.Derived)
}

// Verification is what [Verify] found.
type Verification struct {
	// Runs are the run folders that were looked at, relative to the folder that was verified.
	Runs []string
	// Differences are what does not hold; none when every number follows from the raw files.
	Differences []Difference
}

// ErrNoRun is what [Verify] returns, wrapped, for a folder that holds no load run.
var ErrNoRun = errors.New("the folder holds no load run")

// Verify derives every number of a run folder again from its raw files, and compares: lengths and SHA-256 of the files
// with the manifest, the workload with its hash, the intervals and samples of the histogram log with the counts taken
// while the run lasted, the percentile files and the summary number by number with what the raw files give.
//
// A report folder is verified through the run folders in it. The error is for a folder that cannot be read, that holds
// no run ([ErrNoRun]), or that a later version of rtmkit wrote.
//
// Verify proves that a run was not changed by accident or by half. It cannot prove who made it.
func Verify(dir string) (*Verification, error) {
	v := new(Verification)
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("verify %s: %w: it is a file", dir, ErrNoRun)
	}
	if _, err := os.Stat(filepath.Join(dir, reports.RunManifestFile)); err == nil {
		return v, v.run(dir, ".")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("verify %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, reports.ReportFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("verify %s: %w; give a folder that rtmkit load run wrote with --out", dir, ErrNoRun)
		}
		return nil, fmt.Errorf("verify %w", err)
	}
	report, err := reports.Read(dir)
	if err != nil {
		return nil, fmt.Errorf("verify %s: %w", dir, err)
	}
	for i := range report.Loads {
		name := filepath.FromSlash(report.Loads[i].Dir)
		if name == "" || !filepath.IsLocal(name) {
			continue
		}
		if err := v.run(filepath.Join(dir, name), name); err != nil {
			return nil, err
		}
	}
	if len(v.Runs) == 0 {
		return nil, fmt.Errorf("verify %s: %w", dir, ErrNoRun)
	}
	return v, nil
}

// run verifies one run folder, which differences call by the name.
func (v *Verification) run(dir, name string) error {
	v.Runs = append(v.Runs, name)
	f := &folderCheck{Verification: v, dir: dir, name: name}
	return f.all()
}

// folderCheck verifies one run folder.
type folderCheck struct {
	*Verification
	dir, name string
	manifest  reports.Manifest
	raw       raw
	derived   reports.Summary
}

func (c *folderCheck) differ(file, path string, stored, derived any) {
	c.Differences = append(c.Differences, Difference{
		filepath.Join(c.name, file), path, fmt.Sprint(stored), fmt.Sprint(derived),
	})
}

// broken notes a file that nothing can be derived from.
func (c *folderCheck) broken(file string, err error) {
	c.differ(file, "", "a file", "nothing: "+err.Error())
}

func (c *folderCheck) open(file string) (io.ReadCloser, error) {
	return os.Open(filepath.Join(c.dir, filepath.FromSlash(file)))
}

// read gives a file to a reader and notes its error.
func (c *folderCheck) read(file string, read func(io.Reader) error) bool {
	in, err := c.open(file)
	if err == nil {
		err = read(in)
		in.Close()
	}
	if err != nil {
		c.broken(file, err)
	}
	return err == nil
}

func (c *folderCheck) all() error {
	text, err := os.ReadFile(filepath.Join(c.dir, reports.RunManifestFile))
	if err != nil {
		return fmt.Errorf("verify %w", err)
	}
	var head struct {
		Schema string `json:"schema"`
	}
	if json.Unmarshal(text, &head) == nil && head.Schema != reports.LoadSchema {
		return fmt.Errorf("verify %s: schema is %q, this version of rtmkit reads %q only", filepath.Join(c.dir, reports.RunManifestFile), head.Schema, reports.LoadSchema)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c.manifest); err != nil {
		c.broken(reports.RunManifestFile, err)
		return nil
	}
	c.files()
	if c.workload() && c.tables() {
		c.derive()
	}
	return nil
}

// rawFiles are what the manifest of the run has to name.
func (c *folderCheck) rawFiles() []string {
	list := []string{WorkloadFile, HistogramFile, SeriesFile, EventsFile, BooksFile, LedgerFile}
	if len(c.manifest.Parts) == 0 {
		return append(list, HealthFile)
	}
	for i := range c.manifest.Parts {
		list = append(list, partHealthFile(i))
	}
	return list
}

// files holds lengths and sums against the manifest.
func (c *folderCheck) files() {
	for _, name := range c.rawFiles() {
		if !slices.ContainsFunc(c.manifest.Files, func(f reports.File) bool { return f.Name == name }) {
			c.differ(reports.RunManifestFile, "files", "no "+name, name)
		}
	}
	for i, f := range c.manifest.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) {
			c.differ(reports.RunManifestFile, fmt.Sprintf("files[%d].name", i), f.Name, "a name inside the folder")
			continue
		}
		in, err := c.open(f.Name)
		if err != nil {
			c.broken(f.Name, err)
			continue
		}
		sum := sha256.New()
		n, err := io.Copy(sum, in)
		in.Close()
		if err != nil {
			c.broken(f.Name, err)
			continue
		}
		// The length first: it says more than two sums.
		if n != f.Bytes {
			c.differ(reports.RunManifestFile, fmt.Sprintf("files[%d].bytes (%s)", i, f.Name), f.Bytes, n)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
			c.differ(reports.RunManifestFile, fmt.Sprintf("files[%d].sha256 (%s)", i, f.Name), f.SHA256, got)
		}
	}
}

// workload makes the plan again.
func (c *folderCheck) workload() bool {
	return c.read(WorkloadFile, func(r io.Reader) error {
		text, err := io.ReadAll(io.LimitReader(r, maxWorkloadBytes))
		if err != nil {
			return err
		}
		if reports.Redact(string(text)) != c.manifest.Workload {
			c.differ(reports.RunManifestFile, "workload", "another workload", "the text of "+WorkloadFile)
		}
		w, err := ParseWorkload(filepath.Join(c.dir, WorkloadFile), text)
		if err != nil {
			return err
		}
		if got := w.sum(); got != c.manifest.WorkloadSHA256 {
			c.differ(reports.RunManifestFile, "workload_sha256", c.manifest.WorkloadSHA256, got)
		}
		if w.Seed != c.manifest.Seed {
			c.differ(reports.RunManifestFile, "seed", c.manifest.Seed, w.Seed)
		}
		if reports.Redact(w.title()) != c.manifest.Name {
			c.differ(reports.RunManifestFile, "name", c.manifest.Name, w.title())
		}
		if c.raw.plan, err = newPlan(w); err != nil {
			return err
		}
		return c.shards(text)
	})
}

// shards holds what the manifest says of shards against the workload, and makes the plan that of the shard or, for a
// merged run, of all.
func (c *folderCheck) shards(workload []byte) error {
	c.raw.parts = c.manifest.Parts
	for i := range c.manifest.Parts {
		if s := &c.manifest.Parts[i].Shard; s.Index != i || s.Count != len(c.manifest.Parts) {
			c.differ(reports.RunManifestFile, fmt.Sprintf("parts[%d].shard", i), fmt.Sprintf("%d of %d", s.Index, s.Count), fmt.Sprintf("%d of %d", i, len(c.manifest.Parts)))
		} else if err := c.shard(s, fmt.Sprintf("parts[%d].shard", i), workload); err != nil {
			return err
		}
	}
	c.raw.plan.take(0, 1)
	if c.manifest.Shard == nil {
		return nil
	}
	return c.shard(c.manifest.Shard, "shard", workload)
}

func (c *folderCheck) shard(m *reports.Shard, path string, workload []byte) error {
	s := &Shard{m.Index, m.Count, m.StartAt}
	if err := c.raw.plan.checkShard(s); err != nil {
		return err
	}
	c.raw.plan.take(s.Index, s.Count)
	if want := s.manifest(c.raw.plan); *want != *m {
		c.differ(reports.RunManifestFile, path, fmt.Sprintf("%+v", *m), fmt.Sprintf("%+v", *want))
	}
	if id := fmt.Sprintf("%08x", s.runID(workload)); id != c.manifest.RunID {
		c.differ(reports.RunManifestFile, "run_id", c.manifest.RunID, id)
	}
	return nil
}

// tables reads the raw files.
func (c *folderCheck) tables() bool {
	r := &c.raw
	r.latencies = new(latencies)
	var histograms []histogramEvent
	read := c.read(EventsFile, func(in io.Reader) (err error) { histograms, err = readEvents(in, r); return err })
	read = c.read(SeriesFile, func(in io.Reader) (err error) { r.series, err = readSeries(in); return err }) && read
	for i := range r.parts {
		c.read(partHealthFile(i), func(in io.Reader) error { return c.partHealth(i, in) })
	}
	if len(r.parts) == 0 {
		read = c.read(HealthFile, func(in io.Reader) (err error) { r.vitals, err = readVitals(in); return err }) && read
	}
	read = c.read(BooksFile, func(in io.Reader) (err error) { r.books, err = readBooks(in, r.plan); return err }) && read
	r.watch()
	read = c.read(HistogramFile, func(in io.Reader) error { return c.histograms(in, histograms) }) && read
	if began := r.startedAt(); !began.Equal(c.manifest.StartedAt) {
		c.differ(reports.RunManifestFile, "started_at", c.manifest.StartedAt.UTC(), began.UTC())
	}
	if r.facts.LostNS != c.manifest.LostNS {
		c.differ(reports.RunManifestFile, "lost_ns", c.manifest.LostNS, r.facts.LostNS)
	}
	if r.facts.Interrupted != c.manifest.Interrupted {
		c.differ(reports.RunManifestFile, "interrupted", c.manifest.Interrupted, r.facts.Interrupted)
	}
	if stored, derived := fmt.Sprint(orZero(c.manifest.Aborted)), fmt.Sprint(orZero(r.facts.Aborted)); stored != derived {
		c.differ(reports.RunManifestFile, "aborted", stored, derived)
	}
	return read
}

func orZero[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// partHealth holds what the manifest of a merged run says of the machines that played a part against that part's rows.
// Lag and cost per message follow from files that the part alone has.
func (c *folderCheck) partHealth(i int, in io.Reader) error {
	rows, err := readVitals(in)
	if err != nil {
		return err
	}
	stored, derived := c.raw.parts[i].Health, healthOf(rows)
	derived.LagP50NS, derived.LagP99NS, derived.LagMaxNS = stored.LagP50NS, stored.LagP99NS, stored.LagMaxNS
	derived.ServerCPUPerMessageNS, derived.LagLimitNS = stored.ServerCPUPerMessageNS, int64(lagLimit(c.raw.plan.Workload))
	derived.Series = nil
	a, err := treeOf(stored)
	if err != nil {
		return err
	}
	b, err := treeOf(derived)
	if err != nil {
		return err
	}
	c.compare(reports.RunManifestFile, fmt.Sprintf("parts[%d].health", i), a, b)
	return nil
}

// histograms reads the histogram log and holds it against the counts that were taken while the run lasted, because a
// line that is missing as a whole leaves no other trace.
func (c *folderCheck) histograms(in io.Reader, counted []histogramEvent) error {
	l := c.raw.latencies
	zero := c.raw.facts.ZeroMS
	err := readHDRLog(in, func(i interval) error {
		second := (i.startMS - zero) / 1000
		if second < 0 || second >= maxSeconds || (i.startMS-zero)%1000 != 0 {
			return fmt.Errorf("the interval of %s begins at %d ms, which is no second of the run", i.metric, i.startMS)
		}
		if p := l.points[i.metric]; len(p) > 0 && p[len(p)-1].Second >= int(second) {
			return fmt.Errorf("the interval of %s in second %d stands out of order", i.metric, second)
		}
		l.add(i.metric, int(second), i.histogram)
		return nil
	})
	if err != nil {
		return err
	}
	var want [metrics]histogramEvent
	for _, e := range counted {
		m, known := metricNamed(e.Metric)
		if !known {
			c.differ(EventsFile, "histogram.metric", e.Metric, "a metric that is known")
			continue
		}
		want[m] = e
		l.over[m] = e.Overflow
	}
	for m := range metrics {
		if want[m].Intervals != l.seconds[m] {
			c.differ(HistogramFile, "intervals of "+m.String(), l.seconds[m], want[m].Intervals)
		}
		if want[m].Samples != l.count(m) {
			c.differ(HistogramFile, "samples of "+m.String(), l.count(m), want[m].Samples)
		}
	}
	return nil
}

// derive makes everything that follows from the raw files, and compares.
func (c *folderCheck) derive() {
	c.derived = summarize(&c.raw)
	c.summary(c.derived)
	c.sums(c.derived.Ledger)
	c.read(LedgerFile, func(in io.Reader) error { return c.ledger(in, c.derived.Ledger) })
	for m := range metrics {
		name := m.String() + hgrm
		listed := slices.ContainsFunc(c.manifest.Files, func(f reports.File) bool { return f.Name == name })
		h := c.raw.latencies.total[m]
		if listed != (h != nil) {
			c.differ(name, "", word(listed), word(h != nil))
		}
		if h == nil || !listed {
			continue
		}
		c.read(name, func(in io.Reader) error { return c.percentiles(name, in, m) })
	}
}

func word(there bool) string {
	if there {
		return "a file"
	}
	return "no file"
}

func (c *folderCheck) percentiles(name string, in io.Reader, m metric) error {
	var want bytes.Buffer
	if err := writeHGRM(&want, c.raw.latencies.total[m]); err != nil {
		return err
	}
	got, err := io.ReadAll(io.LimitReader(in, int64(want.Len())+1))
	if err != nil {
		return err
	}
	stored, derived := bytes.Split(got, []byte("\n")), bytes.Split(want.Bytes(), []byte("\n"))
	for i := range max(len(stored), len(derived)) {
		var s, d []byte
		if i < len(stored) {
			s = stored[i]
		}
		if i < len(derived) {
			d = derived[i]
		}
		if !bytes.Equal(s, d) {
			c.differ(name, fmt.Sprintf("line %d", i+1), fmt.Sprintf("%q", s), fmt.Sprintf("%q", d))
			return nil
		}
	}
	return nil
}

// sums holds the columns of the seconds against the books: two counts of the same things by different code.
func (c *folderCheck) sums(rows []reports.LedgerRow) {
	var seconds, books reports.SeriesPoint
	for _, p := range c.raw.series {
		seconds.Offered += p.Offered
		seconds.Sent += p.Sent
		seconds.Acked += p.Acked
		seconds.Delivered += p.Delivered
	}
	for _, r := range rows {
		books.Offered += r.Scheduled
		books.Sent += r.Sent
		books.Acked += r.AckedReceived + r.AckedNotReceived + r.AckError
		books.Delivered += r.Received
	}
	for _, column := range []struct {
		name            string
		stored, derived int64
	}{
		{"offered", seconds.Offered, books.Offered}, {"sent", seconds.Sent, books.Sent},
		{"acked", seconds.Acked, books.Acked}, {"delivered", seconds.Delivered, books.Delivered},
	} {
		if column.stored != column.derived {
			c.differ(SeriesFile, "sum of "+column.name, column.stored, column.derived)
		}
	}
}
