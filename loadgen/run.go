package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// Options say where a run plays and what becomes of its results.
type Options struct {
	// URL is the server's address, such as ws://127.0.0.1:8080/rtm/v1. With a Driver of one's own it is only reported.
	URL string

	// AppID is the application to log in to.
	AppID string

	// Token makes the token of a user; nil means logins without one.
	Token func(uid string) (string, error)

	// TLS configures wss connections; nil means the system's defaults.
	TLS *tls.Config

	// ServerPID is the server's process on this machine, for its CPU and memory and those of all processes that descend
	// from it; 0 when unknown.
	ServerPID int

	// ServerMetrics is the address of the server's Prometheus metrics, such as http://127.0.0.1:9090/metrics, to take its
	// CPU and memory from instead, once a second; empty when unknown. What cannot be read there becomes a note of the
	// manifest.
	ServerMetrics string

	// Dir is the run folder: new or empty. Empty writes none.
	Dir string

	// Shard makes the run one part of a run of several processes; nil plays the whole workload.
	Shard *Shard

	// ToolVersion, Command and Notes go into the manifest as they are; secrets in Command are blacked out.
	ToolVersion, Command string
	// Notes are sentences that readers of the report must know.
	Notes []string

	// Floor is what is measured on this host without a server worth the name; it is stored beside the run. Nil when it is
	// not known.
	Floor *reports.Floor

	// Progress, if set, is called once a second from one goroutine, and must not block.
	Progress func(Progress)

	// Driver opens the sessions; nil means a [WireDriver] for URL, AppID and TLS.
	Driver Driver

	// Client is who the sessions of the Driver are, when they are those of a client library in a process of its own: what
	// is not sent or not answered may be that client's doing then. Nil for sessions of this package.
	Client *reports.Identity

	// Tests with a fake clock replace the locked thread, and real CPU times, which would not fit the fake seconds.
	pacer func(*clock) pacer
	look  func() usage
	// Tests with a disk that is full replace the files of the run folder.
	create func(path string) (io.WriteCloser, error)
}

// Progress is one second of a run.
type Progress struct {
	// Phase is connect, warmup, measure, drain or close.
	Phase string
	// Elapsed is the time since the run began, Total the time it will take as planned: the connect phase and the drain
	// can take more or less.
	Elapsed, Total time.Duration
	// InPhase is the time since the phase began, PhaseTotal the time it will take as planned; zero when that is open.
	InPhase, PhaseTotal time.Duration
	// Offered, Sent, Acked, Delivered and Errors count messages and operations of this second.
	Offered, Sent, Acked, Delivered, Errors int64
	// Expected is how many deliveries the messages offered in this second make when all arrive.
	Expected int64
	// InFlight is how many messages are without an answer now.
	InFlight int64
	// Metric names the metric of P50, P99 and Max: peer.ack, or channel.deliver in a run without peer messages, or what a
	// run without messages measures first, such as login.
	Metric string
	// P50, P99 and Max are this second's latencies; zero without samples.
	P50, P99, Max time.Duration
	// LagP99 is this second's 99th percentile of the schedule lag. Beyond LagLimit the run becomes invalid, beyond half of
	// it degraded.
	LagP99, LagLimit time.Duration
	// Failures counts what has failed so far, by operation and class, the most frequent first.
	Failures []reports.ErrorCount
}

// The phases of a run.
const (
	phaseConnect = "connect"
	phaseWarmup  = "warmup"
	phaseMeasure = "measure"
	phaseDrain   = "drain"
	phaseClose   = "close"
)

const (
	// startLead is the time between planning a schedule's start and the start, for the pacer to get ready.
	startLead = 5 * time.Millisecond
	// closePatience is how long all logouts together may take.
	closePatience = 10 * time.Second
	// interruptedDrain bounds the drain of a run that was cut short.
	interruptedDrain = time.Second
	// settleStep is how often a drain looks whether anything is missing.
	settleStep = time.Millisecond
)

// Run plays the workload against the server and returns what came out.
//
// The error is a [*WorkloadError] for a workload that cannot be run, here or on this server; a [*Failure] somewhere in
// its chain when sessions could not be connected; and otherwise about the run folder. When ctx is done the run stops
// sending, waits a moment for answers, closes its sessions and is written like any other, marked interrupted; Run then
// returns no error. A run whose last session breaks off ends like that at once, marked with the time at which it lost its
// target. [OutcomeOf] turns the two results into an outcome.
//
// On Linux the schedule is kept by a thread of its own, with a higher priority where the process may have one; while
// traffic flows, GOMAXPROCS is one more for it.
func Run(ctx context.Context, w Workload, o Options) (*reports.Load, error) {
	p, err := newPlan(w)
	if err != nil {
		return nil, &WorkloadError{err}
	}
	if o.ServerMetrics != "" {
		if err := CheckMetricsURL(o.ServerMetrics); err != nil {
			return nil, &WorkloadError{fmt.Errorf("the address of the server's metrics: %w", err)}
		}
	}
	ours := false // only our own driver is known to open one connection for a session
	if o.Driver == nil {
		if err := CheckURL(o.URL); err != nil {
			return nil, &WorkloadError{err}
		}
		o.Driver, ours = &WireDriver{URL: o.URL, AppID: o.AppID, TLS: o.TLS}, true
	}
	if o.pacer == nil {
		o.pacer = newPacer
	}
	scraper := newScraper(o.ServerMetrics)
	if o.create == nil {
		o.create = createFile
	}
	if o.look == nil {
		o.look = newObserver(o.ServerPID, scraper).look
	}
	if o.ServerPID == 0 && o.ServerMetrics == "" {
		if unseen := p.watchable(); unseen != nil {
			return nil, &WorkloadError{fmt.Errorf("workload %s: %w", p.Name, *unseen)}
		}
	}
	if o.Shard != nil {
		if err := p.checkShard(o.Shard); err != nil {
			return nil, &WorkloadError{err}
		}
		p.take(o.Shard.Index, o.Shard.Count)
	}
	if ours {
		notes, err := p.preflight(p.resourcesFor(o.URL))
		if err != nil {
			return nil, err
		}
		o.Notes = append(slices.Clip(o.Notes), notes...)
	}
	folder, err := openFolder(o.Dir, o.create)
	if err != nil {
		return nil, err
	}
	if o.Shard != nil {
		if err := o.Shard.await(ctx); err != nil {
			folder.discard()
			return nil, err
		}
	}
	r := newRun(p, o, folder)
	r.scraper = scraper
	r.playing, r.halt = context.WithCancel(ctx)
	defer r.halt()
	r.ledger.target.halt = r.halt
	if err := r.connect(ctx); err != nil {
		folder.discard()
		return nil, err
	}
	r.play(ctx)
	return r.finish(ctx.Err() != nil)
}

// run is one run on its way.
type run struct {
	plan     *plan
	options  Options
	folder   *folder
	clock    *clock
	ledger   *ledger
	recorder *recorder
	crew     *crew
	churn    *churn
	sender   *sender
	pacer    pacer
	monitor  *monitor
	scraper  *scraper // or nil
	vigil    *vigil

	// playing ends when ctx does, or halt is called: because a threshold aborts the run, and aborted says which, or because
	// the target is lost.
	playing context.Context
	halt    context.CancelFunc
	aborted atomic.Pointer[reports.Abort]

	times   timetable // when the phases begin; zero when each follows the other
	phase   atomic.Pointer[window]
	windows []*window

	warmupLeft bool
}

func newRun(p *plan, o Options, folder *folder) *run {
	r := &run{plan: p, options: o, folder: folder, clock: newClock()}
	id := rand.Uint32()
	if o.Shard != nil {
		r.clock = newClockFor(o.Shard.StartAt)
		id = o.Shard.runID(p.text())
		r.times = p.timetable(r.clock.at(o.Shard.StartAt))
	}
	r.ledger = newLedger(p, id)
	r.crew = newCrew(p, r.ledger, r.clock, o, r.times)
	r.churn = newChurn(r.crew, r.ledger)
	r.recorder = newRecorder(1+runtime.GOMAXPROCS(0), slices.Sorted(maps.Keys(p.planned()))...)
	for i, inbox := range r.ledger.inboxes {
		// Shard 0 is the sender's own.
		inbox.clock, inbox.shard = r.clock, r.recorder.shards[1+i%(len(r.recorder.shards)-1)]
	}
	r.pacer = o.pacer(r.clock)
	r.sender = newSender(r.ledger, r.clock, r.pacer, r.crew.sessions, r.recorder.shards[0])
	r.vigil = newVigil(&p.Workload)
	r.recorder.vigil = r.vigil
	r.monitor = newMonitor(r)
	return r
}

// enter ends the current phase and begins another.
func (r *run) enter(name string) {
	now := r.clock.now()
	if last := r.phase.Load(); last != nil {
		last.end = now
	}
	w := &window{name: name, start: now}
	r.windows = append(r.windows, w)
	r.phase.Store(w)
}

// connect logs in and joins. After an error nothing is left open, unless the error is that ctx is done: then the run
// goes on to be closed.
func (r *run) connect(ctx context.Context) error {
	r.enter(phaseConnect)
	r.monitor.start()
	err := r.crew.login(ctx)
	if err == nil {
		err = r.crew.equip(ctx)
	}
	if err == nil {
		err = r.crew.join(ctx)
	}
	if err == nil && ctx.Err() == nil {
		err = r.times.late(r.clock.now())
	}
	if err == nil || ctx.Err() != nil {
		return nil
	}
	r.closeSessions()
	_ = r.monitor.stop()
	_ = r.scraper.close()
	return err
}

// play sends the workload's messages.
func (r *run) play(ctx context.Context) {
	if ctx.Err() != nil {
		return
	}
	cancel := context.AfterFunc(r.playing, r.sender.stop)
	defer cancel()
	defer r.pacer.prepare()()
	if r.plan.Phases.Warmup > 0 {
		r.until(ctx, r.times.warmup)
		r.enter(phaseWarmup)
		churned := r.round(false)
		r.warmupLeft = !r.settle(ctx, churned)
	}
	r.until(ctx, r.times.measure)
	r.enter(phaseMeasure)
	r.vigil.begin(r.phase.Load().start)
	r.monitor.edge(markBegin)
	churned := r.round(true)
	r.enter(phaseDrain)
	r.settle(ctx, churned)
	r.monitor.edge(markEnd)
	r.until(ctx, r.times.close)
}

// until waits for a moment of the timetable, and returns early enough to be ready for it.
func (r *run) until(ctx context.Context, at int64) {
	wait(ctx, time.Duration(at-r.clock.now())-startLead)
}

// round plays the schedules of one phase and waits for the phase's end. What it returns may still be at work.
func (r *run) round(main bool) *churnRound {
	span := r.plan.Phases.Warmup
	start := max(r.clock.now()+int64(startLead), r.times.warmup)
	if main {
		span = r.plan.Phases.Measure
		start = max(start, r.times.measure)
		r.clock.setMainStart(start)
	}
	churned := r.churn.begin(r.playing, main, start, start+int64(span))
	played := make(chan struct{})
	go func() {
		defer close(played)
		if round := r.plan.newRound(main, start); r.ledger.loop == nil {
			r.sender.play(round)
		} else {
			r.sender.playClosed(round, start+int64(span))
		}
	}()
	<-played
	wait(r.playing, time.Duration(start+int64(span)-r.clock.now()))
	return churned
}

// settle waits until no message is missing and nobody is coming or going, as long as the drain may take, and reports
// whether that was reached.
func (r *run) settle(ctx context.Context, churned *churnRound) bool {
	defer churned.stop()
	deadline := r.clock.now() + int64(r.plan.Phases.Drain)
	if ctx.Err() != nil {
		deadline = min(deadline, r.clock.now()+int64(interruptedDrain))
	}
	if r.ledger.target.isLost() {
		deadline = r.clock.now() // nothing can come any more
	}
	settled := func() bool { return r.ledger.settled() && churned.idle() }
	for r.clock.now() < deadline {
		if settled() {
			return true
		}
		wait(context.WithoutCancel(ctx), settleStep)
	}
	return settled()
}

func wait(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (r *run) closeSessions() {
	r.enter(phaseClose)
	ctx, cancel := context.WithTimeoutCause(context.Background(), closePatience, errors.New("the server did not let the sessions go in time"))
	defer cancel()
	if err := r.crew.close(ctx); err != nil {
		if failure, is := errors.AsType[*Failure](err); is {
			r.ledger.faults.failure(failure)
		}
	}
}

// finish closes the sessions, balances the books and writes the run folder.
func (r *run) finish(interrupted bool) (*reports.Load, error) {
	r.closeSessions()
	end := r.clock.now()
	r.phase.Load().end = end
	r.recorder.shards[0].record(r.ledger.close(end, r.clock.mainStart()), tally{})
	r.churn.expect(r.ledger)
	r.folder.logFailed(r.monitor.stop())
	if note := r.scraper.close(); note != "" {
		r.options.Notes = append(slices.Clip(r.options.Notes), note)
	}
	raw := r.raw(interrupted)
	load := &reports.Load{Manifest: r.manifest(interrupted), Summary: summarize(raw)}
	load.Floor = r.options.Floor.For(load.Summary.OfferedPerS)
	load.Manifest.Notes = append(slices.Clip(load.Manifest.Notes), r.plan.notes(load.Summary.AchievedPerS)...)
	var found []*anomalyLine
	for _, a := range r.ledger.faults.list {
		found = append(found, r.plan.spell(a))
	}
	health := textFile{HealthFile, func(w io.Writer) error { return writeVitals(w, raw.vitals) }}
	if err := r.folder.write(raw, found, load, health); err != nil {
		return load, fmt.Errorf("run folder %s: %w", r.options.Dir, err)
	}
	return load, nil
}
