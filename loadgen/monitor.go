package loadgen

import (
	"maps"
	"math"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// monitor is the run's once-a-second goroutine: it collects the recorder, writes the histogram log, takes the vitals
// and tells the progress. It is off the hot path.
type monitor struct {
	run *run
	log *hdrLog
	err error // the first error of writing

	mu    sync.Mutex // of all below: the edges of the measured phase come from the run's goroutine
	rows  []vital
	look  func() usage
	last  usage // of the last row without a mark
	begun usage // of the row marked begin

	began   int64
	stopped chan struct{}
	done    chan struct{}
}

func newMonitor(r *run) *monitor {
	return &monitor{
		run: r, look: r.options.look,
		stopped: make(chan struct{}), done: make(chan struct{}),
	}
}

func (m *monitor) start() {
	if w := m.run.folder.hlog(); w != nil {
		m.log, m.err = newHDRLog(w, m.run.clock.zero.UnixMilli())
	}
	m.last = m.look()
	m.began = m.run.clock.now()
	go m.watch()
}

// stop collects what is left and returns the first error of writing.
func (m *monitor) stop() error {
	close(m.stopped)
	<-m.done
	return m.err
}

// watch ticks at the whole seconds of the run.
func (m *monitor) watch() {
	defer close(m.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for second := 0; ; second++ {
		edge := int64(second+1) * int64(time.Second)
		timer.Reset(time.Duration(max(edge-m.run.clock.now(), 0)))
		select {
		case <-timer.C:
			m.tick(second, edge)
		case <-m.stopped:
			m.tick(second, m.run.clock.now())
			return
		}
	}
}

// tick closes one second of the run, which ended at the given run time.
func (m *monitor) tick(second int, end int64) {
	intervals, done := m.run.recorder.collect(second)
	start := m.run.clock.wall(int64(second) * int64(time.Second)).UnixMilli()
	for i, h := range intervals {
		if h != nil && m.log != nil && m.err == nil {
			m.err = m.log.write(metric(i), start, max(m.run.clock.wall(end).UnixMilli(), start+1), h)
		}
	}
	m.judge(end, done)
	v := m.observe(second, intervals[metricLag])
	m.run.scraper.begin()
	m.tell(v, end, done, intervals)
}

// observe adds the row of a second.
func (m *monitor) observe(second int, lag *hdrhistogram.Histogram) vital {
	m.mu.Lock()
	defer m.mu.Unlock()
	v, now := m.row(second, m.last)
	m.last = now
	if lag != nil {
		q := lag.ValueAtPercentilesSlice([]float64{50, 99})
		v.readings[colLagP50], v.readings[colLagP99], v.readings[colLagMax] = float64(q[0]), float64(q[1]), float64(lag.Max())
	}
	m.rows = append(m.rows, v)
	return v
}

// edge adds the row at an edge of the measured phase. It is called outside the schedule, so that it disturbs nothing.
func (m *monitor) edge(mark string) {
	m.run.scraper.fresh()
	m.mu.Lock()
	defer m.mu.Unlock()
	since := m.begun
	if mark == markBegin {
		since = usage{}
	}
	v, now := m.row(int(m.run.clock.now()/int64(time.Second)), since)
	v.mark = mark
	if mark == markBegin {
		m.begun = now
	}
	m.rows = append(m.rows, v)
}

// row makes the row of now, with intervals that began at an earlier look.
func (m *monitor) row(second int, since usage) (vital, usage) {
	now := m.look()
	v := vital{
		second: second, at: m.run.clock.now(), phase: m.run.phase.Load().name, serverBy: now.serverBy,
		readings: readings{
			colOverruns: float64(m.run.sender.overruns.Load()), colShed: float64(m.run.sender.sheds.Load()),
			colInFlight: float64(m.run.ledger.inFlight()),
		},
	}
	maps.Copy(v.readings, now.readings)
	maps.Copy(v.readings, now.since(since))
	return v, now
}

// judge ends the run when a threshold says so.
func (m *monitor) judge(end int64, done tally) {
	r := m.run
	r.vigil.due += done.due
	if r.phase.Load().name != phaseMeasure || r.aborted.Load() != nil {
		return
	}
	if abort := r.vigil.broken(end, r.recorder.total, r.ledger.faults.counts); abort != nil {
		r.aborted.Store(abort)
		r.halt()
	}
}

func (m *monitor) tell(v vital, end int64, done tally, intervals [metrics]*hdrhistogram.Histogram) {
	if m.run.options.Progress == nil {
		return
	}
	// The metrics stand in the order of their weight.
	primary := metricPeerAck
	for primary < metricLag && !m.run.recorder.used[primary] {
		primary++
	}
	p := Progress{
		Phase: v.phase, Elapsed: time.Duration(end - m.began), Total: m.run.plan.expected(),
		Offered: done.due, Sent: done.sent, Acked: done.acked, Delivered: done.delivered, Errors: done.errors,
		InFlight: int64(v.readings[colInFlight]), Failures: m.run.ledger.faults.counts(),
		Metric: primary.String(), LagP99: time.Duration(v.readings[colLagP99]), LagLimit: lagLimit(m.run.plan.Workload),
	}
	if phase := m.run.phase.Load(); phase.name == v.phase {
		p.InPhase = max(time.Duration(end-phase.start), 0)
	}
	switch v.phase {
	case phaseWarmup:
		p.PhaseTotal = m.run.plan.Phases.Warmup
	case phaseMeasure:
		p.PhaseTotal = m.run.plan.Phases.Measure
	}
	if messages, deliveries := m.run.plan.offered(); messages > 0 {
		p.Expected = int64(math.Round(float64(done.due) * deliveries / messages))
	}
	if h := intervals[primary]; h != nil {
		q := h.ValueAtPercentilesSlice([]float64{50, 99})
		p.P50, p.P99, p.Max = time.Duration(q[0]), time.Duration(q[1]), time.Duration(h.Max())
	}
	m.run.options.Progress(p)
}
