package loadgen

import (
	"runtime"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// monitor is the run's once-a-second goroutine: it collects the recorder, writes the histogram log, takes the vitals
// and tells the progress. It is off the hot path.
type monitor struct {
	run    *run
	log    *hdrLog
	vitals []vital
	err    error // the first error of writing

	look    func() usage
	last    usage
	lastAt  int64
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
	m.last, m.lastAt = m.look(), m.run.clock.now()
	m.began = m.lastAt
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
	v := vital{second: second, phase: m.run.phase.Load().name, inFlight: m.run.ledger.inFlight(),
		shed: m.run.sender.sheds.Load(), goroutines: runtime.NumGoroutine()}
	if h := intervals[metricLag]; h != nil {
		q := h.ValueAtPercentilesSlice([]float64{50, 99})
		v.lagP50, v.lagP99, v.lagMax = q[0], q[1], h.Max()
	}
	now, at := m.look(), m.run.clock.now()
	v.compare(m.last, now, time.Duration(at-m.lastAt))
	m.last, m.lastAt = now, at
	m.vitals = append(m.vitals, v)
	m.tell(v, end, done, intervals)
}

func (m *monitor) tell(v vital, end int64, done tally, intervals [metrics]*hdrhistogram.Histogram) {
	if m.run.options.Progress == nil {
		return
	}
	primary := metricPeerAck
	if !m.run.recorder.used[primary] {
		primary = metricChannelDeliver
	}
	p := Progress{
		Phase: v.phase, Elapsed: time.Duration(end - m.began), Total: m.run.plan.expected(),
		Offered: done.due, Sent: done.sent, Acked: done.acked, Delivered: done.delivered, Errors: done.errors,
		Metric: primary.String(), LagP99: time.Duration(v.lagP99),
	}
	if h := intervals[primary]; h != nil {
		q := h.ValueAtPercentilesSlice([]float64{50, 99})
		p.P50, p.P99 = time.Duration(q[0]), time.Duration(q[1])
	}
	m.run.options.Progress(p)
}
