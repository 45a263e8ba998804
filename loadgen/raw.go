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
	vitals    []vital               // health.csv
	windows   []window              // events.jsonl, as all that follows
	errors    []reports.ErrorCount
	facts     facts
	vigil     *vigil              // has seen every second of latencies
	parts     []reports.ShardPart // of a merged run, from its manifest
}

// facts are what is true of a run and stands in no other table.
type facts struct {
	// ZeroMS is the run's time zero, a whole second, in milliseconds since the epoch.
	ZeroMS int64 `json:"zero_ms"`
	// Interrupted tells that the run was cut short from outside.
	Interrupted bool `json:"interrupted,omitempty"`
	// Aborted tells which threshold cut the run short.
	Aborted *reports.Abort `json:"aborted,omitempty"`
	// WarmupLeft tells that the warm-up had not drained when the measured phase began.
	WarmupLeft bool `json:"warmup_left,omitempty"`
	// LostNS is when the last session broke off, in run time; 0 when the target stayed.
	LostNS int64 `json:"lost_ns,omitempty"`
	// Local tells that the server's address is of the generator's own machine.
	Local bool `json:"local,omitempty"`
	// Client tells that the sessions were those of a client library in a process of its own.
	Client bool `json:"client,omitempty"`
}

// watch lets the thresholds see every second of the latencies that are read from now on.
func (r *raw) watch() {
	r.vigil = newVigil(&r.plan.Workload)
	r.latencies.vigil = r.vigil
	if w := r.window(phaseMeasure); w != nil {
		r.vigil.begin(w.start)
	}
}

// summarize says what came out of a run. It is a pure function of its argument.
func summarize(r *raw) reports.Summary {
	s := reports.Summary{Schema: reports.LoadSchema}
	s.OfferedPerS, s.ExpectedDeliveriesPerS = r.plan.offered()
	s.Metrics = r.latencies.summaries()
	s.Ledger = r.books.rows()
	s.Operations = r.books.operations()
	s.Equations = append(r.books.equations(s.Ledger, r.latencies.count), r.books.operationEquations(r.latencies.count)...)
	s.Errors = r.errors
	s.Phases = r.phases()
	s.Series = r.series
	evidence := r.evidence()
	span := r.plan.Phases.Measure.Seconds()
	if m := r.window(phaseMeasure); m != nil && (r.facts.Interrupted || r.facts.Aborted != nil || r.facts.LostNS > 0) {
		span = max(time.Duration(m.end-m.start).Seconds(), 1e-9)
	}
	s.AchievedPerS = float64(evidence.Sent) / span
	if r.plan.closed() && s.OfferedPerS > 0 {
		// Nothing was offered but what the answers made room for; the plan knows the ceiling only.
		s.OfferedPerS, s.ExpectedDeliveriesPerS = s.AchievedPerS, s.ExpectedDeliveriesPerS*s.AchievedPerS/s.OfferedPerS
	}
	delivered := r.books.delivered()
	s.DeliveredPerS = float64(delivered) / span
	s.Health = r.health(delivered)
	evidence.add(s.Health, r.facts.Local)
	s.Validity = Judge(evidence)
	if len(r.parts) > 0 {
		s.Validity, s.Health = worst(r.parts), together(r.parts, s.Health, delivered)
	}
	s.Thresholds = r.vigil.judge(&s, r.latencies.total, r.facts.Aborted)
	return s
}

// began returns when the first phase began, in run time.
func (r *raw) began() int64 {
	if len(r.windows) == 0 {
		return 0
	}
	return r.windows[0].start
}

// startedAt returns when the run began, by the clock of its machine.
func (r *raw) startedAt() time.Time {
	return time.UnixMilli(r.facts.ZeroMS).Add(time.Duration(r.began()))
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
	limit := lagLimit(r.plan.Workload)
	e := Evidence{LagLimit: limit, LostAt: time.Duration(r.facts.LostNS), WarmupLeft: r.facts.WarmupLeft, Client: r.facts.Client, Seconds: len(r.latencies.points[metricLag])}
	if h := r.latencies.total[metricLag]; h != nil {
		e.LagP99 = time.Duration(h.ValueAtPercentile(99))
	}
	for _, p := range r.latencies.points[metricLag] {
		if p.P99NS > int64(limit) {
			e.LateSeconds++
		}
		if p.P99NS > int64(limit/2) {
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
	for _, row := range r.books.operations() {
		e.Operations += row.Scheduled
	}
	return e
}

// health is what the rows tell, with what comes from the latencies.
func (r *raw) health(delivered int64) reports.Health {
	h := healthOf(r.vitals)
	h.LagLimitNS, h.Series = int64(lagLimit(r.plan.Workload)), healthSeries(r.vitals)
	if lag := r.latencies.total[metricLag]; lag != nil {
		q := lag.ValueAtPercentilesSlice([]float64{50, 99})
		h.LagP50NS, h.LagP99NS, h.LagMaxNS = q[0], q[1], lag.Max()
	}
	if delivered > 0 {
		h.ServerCPUPerMessageNS = float64(h.ServerCPUNS) / float64(delivered)
	}
	return h
}
