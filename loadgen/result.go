package loadgen

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// expected returns how long the run takes if nothing goes wrong and nothing has to drain.
func (p *plan) expected() time.Duration {
	connect := float64(len(p.uids))/float64(p.Sessions.Rate) + float64(p.joinedBy)/float64(p.Sessions.JoinRate)
	return time.Duration(connect*float64(time.Second)) + p.Phases.Warmup + p.Phases.Measure
}

// result makes the run's result from its books. Everything has ended by then.
func (r *run) result(interrupted bool) *reports.Load {
	rows := r.ledger.rows()
	load := &reports.Load{Manifest: r.manifest(interrupted)}
	s := &load.Summary
	s.Schema = reports.LoadSchema
	offered, expected := r.plan.offered()
	s.OfferedPerS, s.ExpectedDeliveriesPerS = offered, expected
	s.Metrics = r.recorder.summaries()
	s.Ledger = rows
	s.Equations = r.ledger.equations(rows, func(m metric) int64 { return r.recorder.total[m].TotalCount() })
	s.Errors = r.ledger.faults.counts()
	s.Thresholds = thresholds(rows)
	s.Phases = r.phases()
	s.Series = r.series()
	evidence := r.evidence()
	span := r.plan.Phases.Measure.Seconds()
	if m := r.window(phaseMeasure); m != nil && interrupted {
		span = max(time.Duration(m.end-m.start).Seconds(), 1e-9)
	}
	s.AchievedPerS = float64(evidence.Sent) / span
	delivered := r.recorder.count(metricPeerDeliver) + r.recorder.count(metricChannelDeliver)
	s.DeliveredPerS = float64(delivered) / span
	s.Validity = Judge(evidence)
	s.Health = r.health(evidence, delivered)
	return load
}

func (r *run) manifest(interrupted bool) reports.Manifest {
	text, err := r.plan.YAML()
	if err != nil {
		// A checked workload always encodes; should it not, the run still stands.
		text = []byte("# " + err.Error() + "\n")
	}
	sum := sha256.Sum256(text)
	server := r.crew.server()
	m := reports.Manifest{
		Schema: reports.LoadSchema, Name: r.plan.Name, ToolVersion: r.options.ToolVersion,
		Workload: string(text), WorkloadSHA256: hex.EncodeToString(sum[:]), Seed: r.plan.Seed,
		Target: r.options.URL, Server: reports.Identity{Name: server.Name, Version: server.Version},
		ProtocolVersion: wire.Subprotocol, Environment: reports.CollectEnvironment(),
		StartedAt: r.clock.wall(r.windows[0].start), EndedAt: time.Now(),
		Command: r.options.Command, Notes: r.options.Notes, Interrupted: interrupted,
	}
	m.Pacer = pacerInfo(r.pacer, r.sender.grid)
	return m
}

func (r *run) window(name string) *window {
	for _, w := range r.windows {
		if w.name == name {
			return w
		}
	}
	return nil
}

func (r *run) phases() []reports.Phase {
	var list []reports.Phase
	for _, w := range r.windows {
		p := reports.Phase{Name: w.name, StartNS: w.start, DurationNS: w.end - w.start}
		for _, a := range r.ledger.entries {
			for n, fate := range a.fate {
				if fate != fateNone && (w.name == phaseWarmup && !a.measured(n) || w.name == phaseMeasure && a.measured(n)) {
					p.Scheduled++
				}
			}
		}
		list = append(list, p)
	}
	return list
}

// series puts what was offered, by due time, beside what was completed, by the time of completion.
func (r *run) series() []reports.SeriesPoint {
	series := r.recorder.series
	for second, n := range r.sender.offered {
		if second < len(series) {
			series[second].Offered = n
		}
	}
	return series
}

// evidence gathers what the verdict rests on.
func (r *run) evidence() Evidence {
	e := Evidence{WarmupLeft: r.warmupLeft, Seconds: len(r.recorder.points[metricLag])}
	if h := r.recorder.total[metricLag]; h.TotalCount() > 0 {
		e.LagP99 = time.Duration(h.ValueAtPercentile(99))
	}
	for _, p := range r.recorder.points[metricLag] {
		if p.P99NS > int64(maxLagP99) {
			e.LateSeconds++
		}
		if p.P99NS > int64(maxLagP99/2) {
			e.HalfLateSeconds++
		}
	}
	for _, a := range r.ledger.entries {
		for n := a.warm.count(); n < a.count(); n++ {
			switch a.fate[n] {
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
	var v vital
	v.compare(r.before, r.after, r.span)
	e.GeneratorCPU, e.Pressure = v.generatorCPU, v.pressure
	return e
}

func (r *run) health(e Evidence, delivered int64) reports.Health {
	lag := r.recorder.total[metricLag]
	h := reports.Health{
		GeneratorCPUNS: int64(r.after.generatorCPU - r.before.generatorCPU), GeneratorCPUShare: e.GeneratorCPU,
		GeneratorGCPauseMaxNS: int64(r.after.gcPauseMax), CPUPressureShare: e.Pressure,
		ServerCPUNS: int64(r.after.serverCPU - r.before.serverCPU),
	}
	if lag.TotalCount() > 0 {
		q := lag.ValueAtPercentilesSlice([]float64{50, 99})
		h.LagP50NS, h.LagP99NS, h.LagMaxNS = q[0], q[1], lag.Max()
	}
	h.GridOverruns = r.sender.overruns
	if delivered > 0 {
		h.ServerCPUPerMessageNS = float64(h.ServerCPUNS) / float64(delivered)
	}
	for _, v := range r.monitor.vitals {
		h.ServerRSSBytes = max(h.ServerRSSBytes, v.serverRSS)
	}
	return h
}

// thresholds judges what every run has to keep, whatever its workload: the server takes each message, answers it, and
// reaches each peer, all of whom are online.
func thresholds(rows []reports.LedgerRow) []reports.Threshold {
	var total reports.LedgerRow
	for _, row := range rows {
		total.AckError += row.AckError
		total.AckTimeout += row.AckTimeout
		total.AckLost += row.AckLost
		total.AckedNotReceived += row.AckedNotReceived
		total.SendFailed += row.SendFailed
	}
	var list []reports.Threshold
	for _, t := range []struct {
		name  string
		value int64
	}{
		{"ack_error", total.AckError},
		{"ack_timeout + ack_lost", total.AckTimeout + total.AckLost},
		{"acked_not_received", total.AckedNotReceived},
		{"send_failed", total.SendFailed},
	} {
		list = append(list, reports.Threshold{Expr: t.name + " == 0", Observed: fmt.Sprint(t.value), Holds: t.value == 0})
	}
	return list
}

func (r *recorder) count(m metric) int64 {
	if r.total[m] == nil {
		return 0
	}
	return r.total[m].TotalCount()
}
