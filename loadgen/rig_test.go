package loadgen

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rig is a server in memory with planted faults, and the [Driver] for it. One goroutine does its work, in the order in
// which messages were flushed.
type rig struct {
	limits wire.Limits
	// tamper may change what becomes of the n-th message, counted from 0.
	tamper func(n int, r *routed)
	// stall is how long the server does nothing from the moment at which message stallAt reaches it.
	stallAt int
	stall   time.Duration
	// connect, if set, replaces the answer to a login.
	connect func(uid string) error
	// stuck, if set, names users whose logins are never answered.
	stuck func(uid string) bool
	// ask, if set, is asked before a join or leave; its error is the answer.
	ask func(op, uid string) error
	// opened, if set, learns of every session.
	opened func(*rigSession)

	resumed  atomic.Int64 // pauses that ended
	mu       sync.Mutex
	sessions map[string]*rigSession
	members  map[string][]string
	queue    chan rigMessage
	served   int
	workers  sync.WaitGroup
}

// routed is a message on its way: who gets it how often, and what the sender is told.
type routed struct {
	to     []string // receivers, repeated for duplicates
	from   string   // whose name it carries
	via    string   // the channel it carries
	answer Event    // with kind Delivered for no answer at all
	body   []byte
	hold   int           // deliver it only behind so many later messages of the run
	cut    bool          // end the sender's session instead of answering
	insist bool          // claim the receipt of who is not there
	tell   string        // who gets the answer
	again  []string      // who gets it after that
	spread time.Duration // the server takes so long before each receiver but the first
	late   time.Duration // the server answers first, and delivers so much later
}

type rigMessage struct {
	Outgoing
	from string
}

type rigSession struct {
	rig    *rig
	uid    string
	handle Handler
	events chan Event
	over   chan struct{}
	queued []rigMessage
	mu     sync.Mutex
	ended  bool
	closed bool
	paused chan struct{}
}

func newRig() *rig {
	s := &rig{
		limits: wire.DefaultLimits(), stallAt: -1,
		sessions: map[string]*rigSession{}, members: map[string][]string{},
		queue: make(chan rigMessage, 1<<16),
	}
	s.limits.Calls = nil
	return s
}

func (s *rig) Open(ctx context.Context, login Login, handle Handler) (Session, error) {
	if s.connect != nil {
		if err := s.connect(login.UID); err != nil {
			return nil, err
		}
	}
	if s.stuck != nil && s.stuck(login.UID) {
		<-ctx.Done()
		return nil, &Failure{Op: "login", Class: ClassAckTimeout, Text: context.Cause(ctx).Error()}
	}
	session := &rigSession{rig: s, uid: login.UID, handle: handle, events: make(chan Event, 1<<10), over: make(chan struct{})}
	s.mu.Lock()
	s.sessions[login.UID] = session
	first := len(s.sessions) == 1
	s.mu.Unlock()
	if first {
		s.workers.Go(s.serve)
	}
	s.workers.Go(session.dispatch)
	if s.opened != nil {
		s.opened(session)
	}
	return session, nil
}

// dispatch hands the session's events over one by one.
func (c *rigSession) dispatch() {
	for e := range c.events {
		c.mu.Lock()
		paused := c.paused
		c.mu.Unlock()
		if paused != nil {
			<-paused
		}
		c.handle.Handle(time.Now(), []Event{e})
	}
	close(c.over)
}

func (c *rigSession) Server() (wire.Server, wire.Limits) {
	return wire.Server{Name: "rig", Version: "1"}, c.rig.limits
}

func (c *rigSession) Join(_ context.Context, channel string) error {
	if c.rig.ask != nil {
		if err := c.rig.ask("join", c.uid); err != nil {
			return err
		}
	}
	c.rig.mu.Lock()
	defer c.rig.mu.Unlock()
	c.rig.members[channel] = append(c.rig.members[channel], c.uid)
	return nil
}

func (c *rigSession) Leave(_ context.Context, channel string) error {
	if c.rig.ask != nil {
		if err := c.rig.ask("leave", c.uid); err != nil {
			return err
		}
	}
	c.rig.remove(c.uid, channel)
	return nil
}

// remove ends a membership, or all of a user with the channel "".
func (s *rig) remove(uid, channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, members := range s.members {
		if channel == "" || name == channel {
			s.members[name] = slices.DeleteFunc(members, func(m string) bool { return m == uid })
		}
	}
}

// Cut ends the session as Close does, for this server has no grace.
func (c *rigSession) Cut() { _ = c.Close(context.Background()) }

// Pause holds the session's events back.
func (c *rigSession) Pause(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case on && c.paused == nil:
		c.paused = make(chan struct{})
	case !on && c.paused != nil:
		close(c.paused)
		c.paused = nil
		c.rig.resumed.Add(1)
	}
}

func (c *rigSession) Queue(m Outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return &Failure{Op: "session", Class: ClassWrite, Text: "ended"}
	}
	m.Body = slices.Clone(m.Body)
	c.queued = append(c.queued, rigMessage{m, c.uid})
	return nil
}

func (c *rigSession) Flush() {
	for _, m := range c.queued {
		c.rig.queue <- m
	}
	c.queued = c.queued[:0]
}

// end breaks the session off as a dead link would.
func (c *rigSession) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.ended = true
		c.events <- Event{Kind: Ended, Failure: &Failure{Op: "session", Class: ClassClosed, Code: 4002, Text: "internal"}}
		close(c.events)
	}
}

func (c *rigSession) put(e Event) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.events <- e
	}
	return !c.closed
}

func (c *rigSession) Close(context.Context) error {
	c.Pause(false)
	c.mu.Lock()
	c.closed = true
	if !c.ended {
		c.ended = true
		close(c.events)
	}
	c.mu.Unlock()
	<-c.over
	c.rig.leave(c.uid)
	return nil
}

// leave stops the server after the last session.
func (s *rig) leave(uid string) {
	s.remove(uid, "")
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, uid)
	if len(s.sessions) == 0 {
		close(s.queue)
	}
}

// serve routes messages until no session is left.
func (s *rig) serve() {
	type late struct {
		deliver func()
		wait    int
	}
	var held []late
	for m := range s.queue {
		n := s.served
		s.served++
		if n == s.stallAt {
			time.Sleep(s.stall)
		}
		deliver, hold := s.route(n, m)
		if hold > 0 {
			held = append(held, late{deliver, hold})
			continue
		}
		deliver()
		for i := range held {
			if held[i].wait--; held[i].wait == 0 {
				held[i].deliver()
			}
		}
		held = slices.DeleteFunc(held, func(l late) bool { return l.wait == 0 })
	}
}

// route decides what becomes of message n.
func (s *rig) route(n int, m rigMessage) (deliver func(), hold int) {
	r := &routed{answer: Event{Kind: Answered, Tag: m.Tag, Received: true}, body: m.Body, to: []string{m.To}, from: m.from, via: m.To, tell: m.from}
	s.mu.Lock()
	if m.Channel {
		r.to = slices.DeleteFunc(slices.Clone(s.members[m.To]), func(uid string) bool { return uid == m.from })
	}
	s.mu.Unlock()
	if s.tamper != nil {
		s.tamper(n, r)
	}
	answer := func() {
		if r.cut {
			s.session(m.from).end()
		} else if r.answer.Kind != Delivered {
			s.put(r.tell, r.answer)
			for _, uid := range r.again {
				s.put(uid, r.answer)
			}
		}
	}
	return func() {
		if r.late > 0 {
			answer()
			time.Sleep(r.late)
		}
		for i, uid := range r.to {
			if i > 0 && r.spread > 0 {
				time.Sleep(r.spread)
			}
			e := Event{Kind: Delivered, From: []byte(r.from), Body: r.body, Raw: m.Raw}
			if m.Channel {
				e.Channel = []byte(r.via)
			}
			if !s.put(uid, e) && !m.Channel && !r.insist {
				r.answer.Received = false
			}
		}
		if r.late == 0 {
			answer()
		}
	}, r.hold
}

func (s *rig) session(uid string) *rigSession {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[uid]
}

// put reports whether the user had a session that nobody had closed; one that broke off is none the wiser.
func (s *rig) put(uid string, e Event) bool {
	session := s.session(uid)
	return session != nil && session.put(e)
}

// inBubble runs f with a fake clock: time stands still while anything can happen, and then jumps.
func inBubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// play runs the workload against the rig with the fake clock's pacer, and fails the test on an error.
func (s *rig) play(t *testing.T, ctx context.Context, w Workload, o Options) *reports.Load {
	t.Helper()
	load, err := s.run(ctx, w, o)
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return load
}

// run plays the workload and verifies the run's folder, whether the test asked for one or not.
func (s *rig) run(ctx context.Context, w Workload, o Options) (*reports.Load, error) {
	if o.Dir == "" {
		parent, err := os.MkdirTemp("", "rig")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(parent)
		o.Dir = filepath.Join(parent, "run")
	}
	o.Driver = s
	o.URL = "ws://rig/rtm/v1"
	if o.pacer == nil {
		o.pacer = func(c *clock) pacer { return sleeper{c} }
	}
	o.look = func() usage { return usage{} }
	load, err := Run(ctx, w, o)
	s.workers.Wait()
	if load == nil || err != nil {
		return load, err
	}
	return load, verified(o.Dir)
}

// verified returns an error unless every number of the run folder follows from its raw files.
func verified(dir string) error {
	found, err := Verify(dir)
	if err != nil {
		return err
	}
	for _, d := range found.Differences {
		err = errors.Join(err, errors.New(d.String()))
	}
	return err
}

// metricOf returns a metric of a run by name.
func metricOf(t *testing.T, load *reports.Load, name string) reports.Metric {
	t.Helper()
	for _, m := range load.Summary.Metrics {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("the run has no metric %q", name)
	return reports.Metric{}
}

// balanced fails the test unless every equation of the run holds.
func balanced(t *testing.T, load *reports.Load) {
	t.Helper()
	for _, e := range load.Summary.Equations {
		if !e.Holds {
			t.Errorf("%s: %s does not hold: %d and %d", e.Traffic, e.Text, e.Left, e.Right)
		}
	}
}

// small is a quick workload of n peer messages without warm-up.
func small(n int) Workload {
	w := Peer(1000, time.Duration(n)*time.Millisecond, 10)
	w.Phases.Warmup = 0
	w.Phases.Drain = 2 * time.Second
	return w
}
