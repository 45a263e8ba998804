package loadgen

import (
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// raw is everything that a run saw, as plain data. The run folder holds all of it; what stands in summary.json follows
// from it by summarize alone, whether it comes from a run that has just ended or from a folder.
type raw struct {
	plan      *plan
	books     *books                // books.jsonl.gz
	latencies *latencies            // latency.hlog
	series    []reports.SeriesPoint // series.csv
	windows   []window              // events.jsonl, as all that follows
	errors    []reports.ErrorCount
	edges     edges
	facts     facts
}

// facts are what is true of a run and stands in no other table.
type facts struct {
	// ZeroMS is the run's time zero, a whole second, in milliseconds since the epoch.
	ZeroMS int64 `json:"zero_ms"`
	// Interrupted tells that the run was cut short from outside.
	Interrupted bool `json:"interrupted,omitempty"`
	// WarmupLeft tells that the warm-up had not drained when the measured phase began.
	WarmupLeft bool `json:"warmup_left,omitempty"`
	// Overruns is how many steps of its grid the pacer missed altogether.
	Overruns int64 `json:"overruns,omitempty"`
}

// edges are what generator and server used from the begin of the measured phase to the end of its drain.
type edges struct {
	SpanNS           int64 `json:"span_ns"`
	Cores            int   `json:"cores"`
	GeneratorCPUNS   int64 `json:"generator_cpu_ns"`
	ServerCPUNS      int64 `json:"server_cpu_ns"`
	PressureNS       int64 `json:"pressure_ns"`
	GCPauseMaxNS     int64 `json:"gc_pause_max_ns"`
	ServerRSSMaxByte int64 `json:"server_rss_max_bytes"`
}

func (e edges) share(ns int64, of float64) float64 {
	if e.SpanNS <= 0 || of <= 0 {
		return 0
	}
	return float64(ns) / float64(e.SpanNS) / of
}

// summarize says what came out of a run. It is a pure function of its argument.
func summarize(r *raw) reports.Summary {
	s := reports.Summary{Schema: reports.LoadSchema}
	s.OfferedPerS, s.ExpectedDeliveriesPerS = r.plan.offered()
	s.Metrics = r.latencies.summaries()
	s.Ledger = r.books.rows()
	s.Equations = r.books.equations(s.Ledger, r.latencies.count)
	s.Errors = r.errors
	s.Thresholds = thresholds(s.Ledger)
	s.Phases = r.phases()
	s.Series = r.series
	evidence := r.evidence()
	span := r.plan.Phases.Measure.Seconds()
	if m := r.window(phaseMeasure); m != nil && r.facts.Interrupted {
		span = max(time.Duration(m.end-m.start).Seconds(), 1e-9)
	}
	s.AchievedPerS = float64(evidence.Sent) / span
	if r.plan.closed() {
		// Nothing was offered but what the answers made room for; the plan knows the ceiling only.
		s.OfferedPerS, s.ExpectedDeliveriesPerS = s.AchievedPerS, s.ExpectedDeliveriesPerS*s.AchievedPerS/s.OfferedPerS
	}
	delivered := r.latencies.count(metricPeerDeliver) + r.latencies.count(metricChannelDeliver)
	s.DeliveredPerS = float64(delivered) / span
	s.Validity = Judge(evidence)
	s.Health = r.health(evidence, delivered)
	return s
}

// began returns when the first phase began, in run time.
func (r *raw) began() int64 {
	if len(r.windows) == 0 {
		return 0
	}
	return r.windows[0].start
}

func (r *raw) window(name string) *window {
	for i := range r.windows {
		if r.windows[i].name == name {
			return &r.windows[i]
		}
	}
	return nil
}

func (r *raw) phases() []reports.Phase {
	var list []reports.Phase
	for _, w := range r.windows {
		p := reports.Phase{Name: w.name, StartNS: w.start, DurationNS: w.end - w.start}
		for _, t := range r.plan.traffic {
			for n, fate := range r.books.entries[t.index].fate {
				if fate != fateNone && (w.name == phaseWarmup && !t.measured(n) || w.name == phaseMeasure && t.measured(n)) {
					p.Scheduled++
				}
			}
		}
		list = append(list, p)
	}
	return list
}

// evidence gathers what the verdict rests on.
func (r *raw) evidence() Evidence {
	e := Evidence{WarmupLeft: r.facts.WarmupLeft, Seconds: len(r.latencies.points[metricLag])}
	if h := r.latencies.total[metricLag]; h != nil {
		e.LagP99 = time.Duration(h.ValueAtPercentile(99))
	}
	for _, p := range r.latencies.points[metricLag] {
		if p.P99NS > int64(maxLagP99) {
			e.LateSeconds++
		}
		if p.P99NS > int64(maxLagP99/2) {
			e.HalfLateSeconds++
		}
	}
	for _, t := range r.plan.traffic {
		fate := r.books.entries[t.index].fate
		for n := t.warm.count(); n < t.count(); n++ {
			switch fate[n] {
			case fateNone:
				continue
			case fateSent:
				e.Sent++
			case fateShed:
				e.Shed++
			}
			e.Offered++
		}
	}
	e.GeneratorCPU = r.edges.share(r.edges.GeneratorCPUNS, float64(r.edges.Cores))
	e.Pressure = r.edges.share(r.edges.PressureNS, 1)
	return e
}

func (r *raw) health(e Evidence, delivered int64) reports.Health {
	h := reports.Health{
		GeneratorCPUNS: r.edges.GeneratorCPUNS, GeneratorCPUShare: e.GeneratorCPU,
		GeneratorGCPauseMaxNS: r.edges.GCPauseMaxNS, CPUPressureShare: e.Pressure,
		ServerCPUNS: r.edges.ServerCPUNS, ServerRSSBytes: r.edges.ServerRSSMaxByte, GridOverruns: r.facts.Overruns,
	}
	if lag := r.latencies.total[metricLag]; lag != nil {
		q := lag.ValueAtPercentilesSlice([]float64{50, 99})
		h.LagP50NS, h.LagP99NS, h.LagMaxNS = q[0], q[1], lag.Max()
	}
	if delivered > 0 {
		h.ServerCPUPerMessageNS = float64(h.ServerCPUNS) / float64(delivered)
	}
	return h
}
