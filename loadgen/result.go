package loadgen

import (
	"fmt"
	"slices"
	"time"

	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// expected returns how long the run takes if nothing goes wrong and nothing has to drain.
func (p *plan) expected() time.Duration {
	if sessions := p.mine.last - p.mine.first; int(sessions) < len(p.uids) {
		return time.Duration(p.timetable(0).close)
	}
	connect := float64(p.connecting())/float64(p.Sessions.Rate) + float64(p.joinedBy)/float64(p.Sessions.JoinRate)
	return time.Duration(connect*float64(time.Second)) + p.Phases.Warmup + p.Phases.Measure
}

// raw takes stock of the run. Everything has ended by then.
func (r *run) raw(interrupted bool) *raw {
	raw := &raw{
		plan: r.plan, books: r.books(), latencies: &r.recorder.latencies, series: r.series(),
		errors: r.ledger.faults.counts(),
		vitals: r.monitor.rows,
		facts:  facts{ZeroMS: r.clock.zero.UnixMilli(), Interrupted: interrupted, WarmupLeft: r.warmupLeft, Local: loopback(r.options.URL), Aborted: r.aborted.Load(), LostNS: r.ledger.target.lostAt.Load(), Client: r.options.Client != nil},
		vigil:  r.vigil,
	}
	for _, w := range r.windows {
		raw.windows = append(raw.windows, *w)
	}
	return raw
}

// text returns the workload as a run folder keeps it.
func (p *plan) text() []byte {
	text, err := p.YAML()
	if err != nil {
		// A checked workload always encodes; should it not, the run still stands.
		return []byte("# " + err.Error() + "\n")
	}
	return text
}

func (r *run) manifest(interrupted bool) reports.Manifest {
	text := r.plan.text()
	server := r.crew.target
	m := reports.Manifest{
		Schema: reports.LoadSchema, Name: r.plan.title(), ToolVersion: r.options.ToolVersion,
		Workload: string(text), WorkloadSHA256: r.plan.sum(), Seed: r.plan.Seed,
		Target: r.options.URL, Server: reports.Identity{Name: server.Name, Version: server.Version},
		ProtocolVersion: wire.Subprotocol, Environment: reports.CollectEnvironment(),
		StartedAt: r.clock.wall(r.windows[0].start), EndedAt: time.Now(),
		Command: r.options.Command, Notes: r.options.Notes, Interrupted: interrupted, Aborted: r.aborted.Load(),
		LostNS: r.ledger.target.lostAt.Load(),
		Client: r.options.Client,
		RunID:  fmt.Sprintf("%08x", r.ledger.run),
	}
	if s := r.options.Shard; s != nil {
		m.Shard = s.manifest(r.plan)
		m.Notes = append(slices.Clone(m.Notes), s.note(r.plan))
	}
	m.Pacer = pacerInfo(r.pacer, r.sender.grid)
	if r.plan.closed() {
		m.Pacer = reports.Pacer{Kind: "closed loop", Clock: m.Pacer.Clock}
	}
	return m
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
