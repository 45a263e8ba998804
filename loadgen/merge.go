package loadgen

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/rtmkit/rtmkit/reports"
)

// MergeError says that run folders are not all the parts of one run.
type MergeError struct {
	// Err says which folder is in the way, and why.
	Err error
}

// Error returns the text of Err.
func (e *MergeError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *MergeError) Unwrap() error { return e.Err }

// MergeOptions say what stands in the manifest of a merged run beside what its parts say.
type MergeOptions struct {
	// ToolVersion and Command go into the manifest as they are; secrets in Command are blacked out.
	ToolVersion, Command string
}

// Merge puts the run folders of all parts of a run together to one run folder, out, which is new or empty. Histograms are
// added bucket by bucket for each metric and second, and the books are joined, so that the ledger of the merged run judges
// every delivery, between the parts too. The result is a run folder like any other, which [Verify] accepts; its manifest
// describes the parts, and it is as valid as the least valid of them.
//
// The error is a [*MergeError] when the folders are not all the parts of one run, each once, or when one of them does not
// follow from its raw files; otherwise it is about the folder out.
func Merge(dirs []string, out string, o MergeOptions) (*reports.Load, error) {
	parts, err := readParts(dirs)
	if err != nil {
		return nil, &MergeError{err}
	}
	folder, err := openFolder(out, createFile)
	if err != nil {
		return nil, err
	}
	load, err := parts.join(folder, o)
	if err != nil {
		return nil, fmt.Errorf("run folder %s: %w", out, err)
	}
	return load, nil
}

// parts are the parts of a run, in their order.
type parts []*folderCheck

func readParts(dirs []string) (parts, error) {
	if len(dirs) == 0 {
		return nil, errors.New("there is nothing to merge; name the run folders of all shards")
	}
	var list parts
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, reports.RunManifestFile)); err != nil {
			return nil, fmt.Errorf("%s: %w", dir, ErrNoRun)
		}
		c := &folderCheck{Verification: new(Verification), dir: dir, name: "."}
		if err := c.all(); err != nil {
			return nil, err
		}
		if len(c.Differences) > 0 {
			return nil, fmt.Errorf("%s does not follow from its raw files: %s; rtmkit load verify shows all that differs", dir, c.Differences[0])
		}
		if c.manifest.Shard == nil {
			return nil, fmt.Errorf("%s is a run of its own; give the folders of runs with --shard", dir)
		}
		list = append(list, c)
	}
	return list, list.belong()
}

// belong returns an error unless these are all the parts of one run.
func (p parts) belong() error {
	first := p[0]
	for _, c := range p[1:] {
		for _, same := range []struct {
			name       string
			this, that any
		}{
			{"workload_sha256", c.manifest.WorkloadSHA256, first.manifest.WorkloadSHA256},
			{"seed", c.manifest.Seed, first.manifest.Seed},
			{"shard.count", c.manifest.Shard.Count, first.manifest.Shard.Count},
			{"shard.start_at", c.manifest.Shard.StartAt.UTC(), first.manifest.Shard.StartAt.UTC()},
			{"run_id", c.manifest.RunID, first.manifest.RunID},
			{"tool_version", c.manifest.ToolVersion, first.manifest.ToolVersion},
			{"protocol_version", c.manifest.ProtocolVersion, first.manifest.ProtocolVersion},
		} {
			if same.this != same.that {
				return fmt.Errorf("%s is not a part of the same run as %s: its %s is %v, not %v", c.dir, first.dir, same.name, same.this, same.that)
			}
		}
	}
	slices.SortStableFunc(p, func(a, b *folderCheck) int { return cmp.Compare(a.manifest.Shard.Index, b.manifest.Shard.Index) })
	for i, c := range p {
		if i > 0 && c.manifest.Shard.Index == p[i-1].manifest.Shard.Index {
			return fmt.Errorf("%s and %s are both shard %d", p[i-1].dir, c.dir, c.manifest.Shard.Index)
		}
	}
	for i := range p[0].manifest.Shard.Count {
		if i >= len(p) || p[i].manifest.Shard.Index != i {
			return fmt.Errorf("shard %d of %d is missing; a run without it cannot be judged", i, p[0].manifest.Shard.Count)
		}
	}
	return nil
}

// join writes the merged run.
func (p parts) join(f *folder, o MergeOptions) (*reports.Load, error) {
	whole, err := newPlan(p[0].raw.plan.Workload)
	if err != nil {
		return nil, err
	}
	r := p.raw(whole)
	load := &reports.Load{Manifest: p.manifest(r, o)}
	if err := p.histograms(f, r.latencies); err != nil {
		return nil, err
	}
	load.Summary = summarize(r)
	found, err := p.anomalies()
	if err != nil {
		return nil, err
	}
	var health []textFile
	for i, c := range p {
		health = append(health, textFile{partHealthFile(i), func(w io.Writer) error {
			in, err := c.open(HealthFile)
			if err != nil {
				return err
			}
			defer in.Close()
			_, err = io.Copy(w, in)
			return err
		}})
	}
	return load, f.write(r, found, load, health...)
}

// partHealthFile is where a merged run keeps the [HealthFile] of a part.
func partHealthFile(index int) string { return fmt.Sprintf("health-%d.csv", index) }

// raw joins all raw data but the histograms.
func (p parts) raw(whole *plan) *raw {
	r := &raw{plan: whole, books: p.books(whole, p[0].raw.plan.shards), latencies: new(latencies)}
	r.facts.ZeroMS = p[0].raw.facts.ZeroMS
	var failures faults
	for _, c := range p {
		r.parts = append(r.parts, partOf(&c.manifest, &c.derived))
		for second, point := range c.raw.series {
			if second == len(r.series) {
				r.series = append(r.series, reports.SeriesPoint{Second: second})
			}
			sum := &r.series[second]
			sum.Offered += point.Offered
			sum.Sent += point.Sent
			sum.Acked += point.Acked
			sum.Delivered += point.Delivered
			sum.Errors += point.Errors
		}
		for _, e := range c.raw.errors {
			failures.count(e.Op, e.Class, e.Code, e.Count)
		}
		for _, w := range c.raw.windows {
			if known := r.window(w.name); known != nil {
				known.start, known.end = min(known.start, w.start), max(known.end, w.end)
			} else {
				r.windows = append(r.windows, w)
			}
		}
		for m := range metrics {
			r.latencies.over[m] += c.raw.latencies.over[m]
		}
		r.facts.Interrupted = r.facts.Interrupted || c.raw.facts.Interrupted
		r.facts.WarmupLeft = r.facts.WarmupLeft || c.raw.facts.WarmupLeft
		r.facts.Local = r.facts.Local || c.raw.facts.Local
		r.facts.LostNS = max(r.facts.LostNS, c.raw.facts.LostNS)
		if r.facts.Aborted == nil {
			r.facts.Aborted = c.raw.facts.Aborted
		}
	}
	r.errors = failures.counts()
	r.watch()
	return r
}

// books takes the fate and answer of each message from the part that sent it, and what arrived from the part that received
// it.
func (p parts) books(whole *plan, owner []uint8) *books {
	b := &books{plan: whole}
	for _, t := range whole.traffic {
		e := entryBook{make([]uint8, t.count()), make([]uint8, t.count())}
		for n := range t.count() {
			s, _ := t.streamOf(n)
			from := &p[owner[s.sender]].raw.books.entries[t.index]
			e.fate[n], e.answer[n] = from.fate[n], from.answer[n]
		}
		b.entries = append(b.entries, e)
	}
	for session, part := range owner {
		b.sessions = append(b.sessions, p[part].raw.books.sessions[session])
	}
	return b
}

func (p parts) manifest(r *raw, o MergeOptions) reports.Manifest {
	m := p[0].manifest
	m.ToolVersion, m.Command = o.ToolVersion, o.Command
	m.Shard, m.Files, m.Parts = nil, nil, r.parts
	m.Notes = []string{fmt.Sprintf("This run was merged from %d shards. Latencies are those of deliveries within a shard; the ledger holds all.", len(p))}
	m.Interrupted, m.Aborted, m.LostNS = r.facts.Interrupted, r.facts.Aborted, r.facts.LostNS
	m.StartedAt = r.startedAt()
	for _, c := range p {
		if c.manifest.EndedAt.After(m.EndedAt) {
			m.EndedAt = c.manifest.EndedAt
		}
		for _, note := range c.manifest.Notes {
			if own := (&Shard{Index: c.manifest.Shard.Index, Count: len(p)}).note(c.raw.plan); note != own && !slices.Contains(m.Notes, note) {
				m.Notes = append(m.Notes, note)
			}
		}
	}
	return m
}

// histograms adds up the histogram logs, second by second.
func (p parts) histograms(f *folder, into *latencies) error {
	var next []func() (interval, error, bool)
	for _, c := range p {
		pull, stop := iter.Pull2(c.intervals())
		defer stop()
		next = append(next, pull)
	}
	zero := p[0].raw.facts.ZeroMS
	log, err := newHDRLog(f.hlog(), zero)
	if err != nil {
		return err
	}
	heads := make([]*interval, len(p))
	pull := func(i int) error {
		line, err, more := next[i]()
		if heads[i] = nil; err == nil && more {
			heads[i] = &line
		}
		return err
	}
	for i := range p {
		if err := pull(i); err != nil {
			return err
		}
	}
	for {
		var least *interval
		for _, h := range heads {
			if h != nil && (least == nil || h.before(least)) {
				least = h
			}
		}
		if least == nil {
			return nil
		}
		sum := interval{least.metric, least.startMS, least.endMS, newHistogram()}
		for i, h := range heads {
			if h == nil || h.startMS != sum.startMS || h.metric != sum.metric {
				continue
			}
			sum.add(h.histogram)
			sum.endMS = max(sum.endMS, h.endMS)
			if err := pull(i); err != nil {
				return err
			}
		}
		if err := log.write(sum.metric, sum.startMS, sum.endMS, sum.histogram); err != nil {
			return err
		}
		into.add(sum.metric, int((sum.startMS-zero)/1000), sum.histogram)
	}
}

func (i *interval) before(o *interval) bool {
	return i.startMS < o.startMS || i.startMS == o.startMS && i.metric < o.metric
}

func (i *interval) add(h *hdrhistogram.Histogram) { i.histogram.Merge(h) }

// intervals returns the lines of the part's histogram log.
func (c *folderCheck) intervals() iter.Seq2[interval, error] {
	return func(yield func(interval, error) bool) {
		stopped := errors.New("stopped")
		in, err := c.open(HistogramFile)
		if err == nil {
			defer in.Close()
			err = readHDRLog(bufio.NewReader(in), func(line interval) error {
				if !yield(line, nil) {
					return stopped
				}
				return nil
			})
		}
		if err != nil && !errors.Is(err, stopped) {
			yield(interval{}, fmt.Errorf("%s: %w", c.dir, err))
		}
	}
}

// anomalies returns what the sessions of all parts saw. What follows from the books is judged anew.
func (p parts) anomalies() (found []*anomalyLine, err error) {
	for _, c := range p {
		in, err := c.open(LedgerFile)
		if err != nil {
			return nil, err
		}
		err = readLedger(in, func(_ int, line ledgerLine) {
			if a := line.Anomaly; a != nil && a.seen() && len(found) < maxAnomalies {
				found = append(found, a)
			}
		})
		if err := errors.Join(err, in.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", c.dir, err)
		}
	}
	return found, nil
}
