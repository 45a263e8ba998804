package loadgen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// churning is how many operations of one entry may be under way at once. What is due beyond waits, and the wait counts.
const churning = 256

// churnPlan is a traffic entry that sends nothing, spelt out. Its events are numbered 0, 1, 2, … over warm-up and
// measured phase; event n takes place n mod places.
type churnPlan struct {
	Traffic
	warm, main schedule
	places     []place // channels numbered as in the plan
}

// addChurn spells out the entries that let sessions come and go.
func (p *plan) addChurn(ranges map[string][2]int) {
	for i := range p.Traffic {
		t := &p.Traffic[i]
		if !t.Op.churns() {
			continue
		}
		seed := uint64(p.Seed) + uint64(i)<<32
		entry := &churnPlan{
			Traffic: *t,
			warm:    t.warmSchedule(p.Phases.Warmup, seed, 1),
			main:    t.mainSchedule(p.Phases.Measure, seed+1, 1),
			places:  p.placesOf(t),
		}
		for k := range entry.places {
			if at := &entry.places[k]; t.Op == OpJoin {
				at.channel += int32(ranges[t.Channel][0])
				p.moving[*at] = true
			}
		}
		p.churn = append(p.churn, entry)
	}
}

// has reports whether the workload has an entry of the op.
func (w *Workload) has(op Op) bool {
	for i := range w.Traffic {
		if w.Traffic[i].Op == op {
			return true
		}
	}
	return false
}

// checkAbilities names an entry that needs what the sessions of the driver cannot do.
func (p *plan) checkAbilities(s Session) *problem {
	for i := range p.Traffic {
		var able bool
		need := ""
		switch p.Traffic[i].Op {
		case OpReconnect:
			_, able = s.(Cutter)
			need = "be cut off"
		case OpPause:
			_, able = s.(Pauser)
			need = "stop reading"
		default:
			continue
		}
		if !able {
			return bad(fmt.Sprintf("traffic[%d].op", i), "%s needs sessions that can %s, and those of this driver (%T) cannot; leave the entry out or use another driver", p.Traffic[i].Op, need, s)
		}
	}
	return nil
}

// churnAccount is the ledger of one entry that lets sessions come and go.
type churnAccount struct {
	*churnPlan
	ops   []operation
	deeds []deeds // by operation
}

// churn lets sessions come and go. It works beside the sender: sessions that it touches send nothing.
type churn struct {
	crew     *crew
	clock    *clock
	faults   *faults
	accounts []*churnAccount
	logs     map[place]*presence // of the places whose sessions come and go

	mu   sync.Mutex
	last map[int32]chan struct{} // by session: closed when the last of its operations so far is over
}

func newChurn(c *crew, l *ledger) *churn {
	p := l.plan
	t := &churn{crew: c, clock: c.clock, faults: &l.faults, logs: map[place]*presence{}, last: map[int32]chan struct{}{}}
	for i, tables := range p.newDeeds() {
		t.accounts = append(t.accounts, &churnAccount{p.churn[i], p.churn[i].operations(), tables})
	}
	for at := range p.moving {
		t.logs[at] = newPresence()
	}
	for session, role := range p.roles {
		if role != roleCut {
			continue
		}
		t.logs[place{int32(session), -1}] = newPresence()
		for _, channel := range p.joins[session] {
			t.logs[place{int32(session), channel}] = newPresence()
		}
	}
	return t
}

// churnRound is the coming and going of one phase.
type churnRound struct {
	*churn
	playing context.Context // ends when nothing new may begin
	working context.Context // ends when what is under way has to end
	cancel  context.CancelFunc
	end     int64 // run time of the phase's end as planned, when pauses end too
	tasks   sync.WaitGroup
	open    atomic.Int64
}

// begin plays the schedules of a phase, from start to end.
func (c *churn) begin(ctx context.Context, main bool, start, end int64) *churnRound {
	r := &churnRound{churn: c, playing: ctx, end: end}
	r.working, r.cancel = context.WithCancel(context.WithoutCancel(ctx))
	for _, a := range c.accounts {
		r.open.Add(1)
		r.tasks.Go(func() {
			defer r.open.Add(-1)
			if main {
				r.play(a, a.main, a.warm.count(), start)
			} else {
				r.play(a, a.warm, 0, start)
			}
		})
	}
	return r
}

// idle reports whether every operation of the phase is over.
func (r *churnRound) idle() bool { return r.open.Load() == 0 }

// stop ends what is still under way and waits for it.
func (r *churnRound) stop() {
	r.cancel()
	r.tasks.Wait()
}

// play begins the operations of one entry, each when it is due.
func (r *churnRound) play(a *churnAccount, s schedule, first int, start int64) {
	places := make(chan struct{}, churning)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range s.count() {
		due := start + s.due(i)
		timer.Reset(time.Duration(max(due-r.clock.now(), 0)))
		select {
		case <-timer.C:
		case <-r.playing.Done():
		case <-r.working.Done():
		}
		if due > r.clock.now() {
			return
		}
		n := first + i
		a.deeds[a.planned(n)][n] = deedUnfinished
		select {
		case places <- struct{}{}:
		case <-r.playing.Done():
		case <-r.working.Done():
		}
		if r.playing.Err() != nil || r.working.Err() != nil {
			continue
		}
		at := a.places[n%len(a.places)]
		before, over := r.queue(at.session)
		r.open.Add(1)
		r.tasks.Go(func() {
			defer r.open.Add(-1)
			defer func() { <-places }()
			defer close(over)
			select {
			case <-before:
			case <-r.working.Done():
				return
			}
			r.do(&deed{churnRound: r, account: a, n: n, at: at, due: due})
		})
	}
}

// queue puts an operation behind the others of a session. It may begin when before is closed, and closes over.
func (c *churn) queue(session int32) (before <-chan struct{}, over chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.last[session]
	if last == nil {
		last = make(chan struct{})
		close(last)
	}
	over = make(chan struct{})
	c.last[session] = over
	return last, over
}

// deed is one event on its way.
type deed struct {
	*churnRound
	account *churnAccount
	n       int
	at      place
	due     int64
}

// try performs an operation of the event and enters what became of it: a latency from the given time on, or a failure.
func (d *deed) try(op int, from int64, do func(ctx context.Context) error) error {
	a := d.account
	a.deeds[op][d.n] = deedUnfinished
	ctx, cancel := context.WithTimeout(d.working, connectPatience)
	defer cancel()
	err := do(ctx)
	switch {
	case err == nil:
		a.deeds[op][d.n] = deedDone
		if o := a.ops[op]; o.timed && d.n >= a.warm.count() {
			d.crew.inboxes[d.at.session].shard.record([]sample{{o.metric, d.clock.now() - from}}, tally{})
		}
	case d.working.Err() == nil:
		a.deeds[op][d.n] = deedFailed
		d.crew.inboxes[d.at.session].shard.record(nil, tally{errors: 1})
		failure, is := errors.AsType[*Failure](err)
		if !is {
			failure = &Failure{Op: a.ops[op].name, Class: ClassToken}
		}
		d.faults.failure(failure)
	}
	return err
}

func (r *churnRound) do(d *deed) {
	switch d.account.Op {
	case OpJoin:
		d.toggle()
	case OpLogin:
		d.visit()
	case OpReconnect:
		_ = d.try(0, d.due, d.reconnect)
	case OpPause:
		_ = d.try(0, d.due, d.pause)
	}
}

// toggle lets a member leave, or join if it is away. After a failure that may be another operation than planned.
func (d *deed) toggle() {
	d.account.deeds[d.account.planned(d.n)][d.n] = deedNone
	if d.logs[d.at].away() {
		_ = d.try(1, d.due, func(ctx context.Context) error { return d.join(ctx, d.at) })
	} else {
		_ = d.try(0, d.due, d.leave)
	}
}

func (d *deed) join(ctx context.Context, at place) error {
	log := d.logs[at]
	log.enter(d.clock.now())
	err := d.crew.sessions[at.session].Join(ctx, d.crew.plan.channels[at.channel].name)
	switch {
	case err == nil:
		log.entered(d.clock.now())
	case answered(err):
		log.refused()
	}
	return err
}

func (d *deed) leave(ctx context.Context) error {
	log := d.logs[d.at]
	log.leave(d.clock.now(), false)
	err := d.crew.sessions[d.at.session].Leave(ctx, d.crew.plan.channels[d.at.channel].name)
	// A server refuses to let go only who is no member.
	if err == nil || answered(err) {
		log.left(d.clock.now())
	}
	return err
}

// answered reports whether the server itself has refused the operation, so that it surely had no effect.
func answered(err error) bool {
	failure, is := errors.AsType[*Failure](err)
	return is && failure.Code != 0 && failure.Class != ClassClosed && failure.Class != ClassKicked
}

// visit logs in and out again.
func (d *deed) visit() {
	var session Session
	err := d.try(0, d.due, func(ctx context.Context) (err error) {
		session, err = d.crew.open(ctx, int(d.at.session))
		return err
	})
	if err == nil {
		_ = d.try(1, d.clock.now(), session.Close)
		d.gone()
	}
}

// gone notes that the session has no connection any more, and that this was meant.
func (d *deed) gone() {
	if b := d.crew.inboxes[d.at.session]; !b.ended.Load() {
		b.ledger.target.closed()
	}
}

// reconnect cuts the session off and brings it back to where it was.
func (d *deed) reconnect(ctx context.Context) error {
	session := d.at.session
	self := d.logs[d.at]
	all := []*presence{self}
	channels := d.crew.plan.joins[session]
	for _, channel := range channels {
		all = append(all, d.logs[place{session, channel}])
	}
	for _, log := range all {
		log.leave(d.clock.now(), true)
	}
	if old := d.crew.sessions[session]; old != nil {
		old.(Cutter).Cut()
		d.gone()
		d.crew.sessions[session] = nil
	}
	for _, log := range all {
		log.left(d.clock.now())
	}
	self.enter(d.clock.now())
	fresh, err := d.crew.open(ctx, int(session))
	if err != nil {
		if answered(err) {
			self.refused()
		}
		return err
	}
	self.entered(d.clock.now())
	d.crew.sessions[session] = fresh
	for _, channel := range channels {
		if err := d.join(ctx, place{session, channel}); err != nil {
			return err
		}
	}
	return nil
}

// pause stops the session's reading for a while. The end of the phase ends a pause, so that what waits can drain.
func (d *deed) pause(context.Context) error {
	if d.crew.inboxes[d.at.session].ended.Load() {
		return &Failure{Op: "pause", Class: ClassRead, Text: "the session had ended"}
	}
	session := d.crew.sessions[d.at.session].(Pauser)
	session.Pause(true)
	defer session.Pause(false)
	wait(d.playing, min(d.account.Hold, time.Duration(d.end-d.clock.now())))
	return nil
}

// books returns the run's tables, which nothing writes to any more.
func (r *run) books() *books {
	b := r.ledger.books()
	for _, a := range r.churn.accounts {
		b.churn = append(b.churn, a.deeds)
	}
	return b
}
