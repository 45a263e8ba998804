package model

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/reference-server/engine/memory"

	refserver "github.com/rtmkit/rtmkit/reference-server"
)

// defect is what is broken in a server. What is nil works.
type defect struct {
	// deliver takes the place of the delivery of a peer message.
	deliver func(s *session, b *engine.Batch, m engine.Peer) engine.Fate
	// evict is called before a session that another login evicts has ended.
	evict func(s *session)
	// cursor changes the cursor of a join.
	cursor func(after uint64) uint64
	// joined is called when a member has joined.
	joined func(m *membership, b *engine.Batch)
	// attach changes the cursor of a resume.
	attach func(after uint64) uint64
	// published is called when a message was published.
	published func(m *membership, b *engine.Batch, payload []byte)
	// counts changes an answer.
	counts func(counts []int)
	// rewrite changes frames on their way.
	rewrite func(direction probe.Direction, payload []byte) ([]byte, bool)
}

// faultyEngine is a memory engine with a defect.
type faultyEngine struct {
	engine.Engine
	defect defect

	mu      sync.Mutex
	evicted map[string]bool
}

func (e *faultyEngine) Login(ctx context.Context, b *engine.Batch, app, uid string, s engine.Session) (engine.Seat, error) {
	own := &session{Session: s, uid: uid, engine: e}
	inner, err := e.Engine.Login(ctx, b, app, uid, own)
	return &seat{inner, own}, err
}

// wasEvicted tells whether a session of the user was ever evicted.
func (e *faultyEngine) wasEvicted(uid string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.evicted[uid]
}

type session struct {
	engine.Session
	uid    string
	engine *faultyEngine

	mu      sync.Mutex
	members []*membership
	keeps   bool
}

func (s *session) Deliver(b *engine.Batch, m engine.Peer) engine.Fate {
	if deliver := s.engine.defect.deliver; deliver != nil {
		return deliver(s, b, m)
	}
	return s.Session.Deliver(b, m)
}

func (s *session) Evict(b *engine.Batch) {
	s.engine.mu.Lock()
	s.engine.evicted[s.uid] = true
	s.engine.mu.Unlock()
	if evict := s.engine.defect.evict; evict != nil {
		evict(s)
	}
	s.Session.Evict(b)
}

// leaveAll ends the memberships behind the back of the server.
func (s *session) leaveAll(b *engine.Batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.members {
		m.Membership.Leave(b)
	}
	s.members, s.keeps = nil, true
}

type seat struct {
	engine.Seat
	session *session
}

func (s *seat) Join(ctx context.Context, b *engine.Batch, channel string, out engine.Outlet, after uint64, confirm func(uint64, int)) (engine.Membership, error) {
	defect := s.session.engine.defect
	if defect.cursor != nil {
		after = defect.cursor(after)
	}
	inner, err := s.Seat.Join(ctx, b, channel, out, after, confirm)
	m := &membership{Membership: inner, channel: channel, session: s.session, out: out}
	s.session.mu.Lock()
	s.session.members = append(s.session.members, m)
	s.session.mu.Unlock()
	if defect.joined != nil {
		defect.joined(m, b)
	}
	return m, err
}

func (s *seat) Counts(ctx context.Context, dst []int, channels []string) ([]int, error) {
	counts, err := s.Seat.Counts(ctx, dst, channels)
	if change := s.session.engine.defect.counts; change != nil {
		change(counts)
	}
	return counts, err
}

type membership struct {
	engine.Membership
	channel string
	session *session
	out     engine.Outlet
}

func (m *membership) Publish(ctx context.Context, b *engine.Batch, payload []byte) (int, error) {
	n, err := m.Membership.Publish(ctx, b, payload)
	if published := m.session.engine.defect.published; published != nil {
		published(m, b, payload)
	}
	return n, err
}

func (m *membership) Attach(ctx context.Context, b *engine.Batch, out engine.Outlet, after uint64) error {
	m.out = out
	if attach := m.session.engine.defect.attach; attach != nil {
		after = attach(after)
	}
	return m.Membership.Attach(ctx, b, out, after)
}

func (m *membership) Leave(b *engine.Batch) {
	m.session.mu.Lock()
	keeps := m.session.keeps
	m.session.mu.Unlock()
	if !keeps {
		m.Membership.Leave(b)
	}
}

func swallowing(part string) func(probe.Direction, []byte) ([]byte, bool) {
	return func(direction probe.Direction, payload []byte) ([]byte, bool) {
		return payload, direction != probe.ToClient || !bytes.Contains(payload, []byte(part))
	}
}

func replacing(way probe.Direction, pattern, with string) func(probe.Direction, []byte) ([]byte, bool) {
	expression := regexp.MustCompile(pattern)
	return func(direction probe.Direction, payload []byte) ([]byte, bool) {
		if direction != way {
			return payload, true
		}
		return expression.ReplaceAll(payload, []byte(with)), true
	}
}

// defects are classes of bugs that servers have had, and how many steps a script needs at most to show one.
var defects = map[string]struct {
	defect defect
	steps  int
}{
	"a member that leaves is not told": {defect{rewrite: swallowing(`"channel.member_left"`)}, 5},
	"a message comes back to its sender": {defect{published: func(m *membership, b *engine.Batch, payload []byte) {
		b.Put(m.out, fmt.Appendf(nil, `{"kind":"channel.message","channel":%q,"from":%q,"seq":9000000000000000,"ts":1,%s}`, m.channel, m.session.uid, payload))
	}}, 3},
	"a kick leaves the memberships": {defect{evict: func(s *session) {
		s.mu.Lock()
		s.keeps = true
		s.mu.Unlock()
	}}, 5},
	"the cleanup of an evicted session ends what its successor joined": {defect{joined: func(m *membership, b *engine.Batch) {
		if m.session.engine.wasEvicted(m.session.uid) {
			m.session.leaveAll(b)
		}
	}}, 5},
	"a lost link leaves the channels at once": {defect{deliver: func(s *session, b *engine.Batch, m engine.Peer) engine.Fate {
		fate := s.Session.Deliver(b, m)
		if fate == engine.Held {
			s.leaveAll(b)
		}
		return fate
	}}, 5},
	"a resume brings the last message again": {defect{attach: func(after uint64) uint64 { return after - 1 }}, 7},
	"a resume brings nothing of a channel":   {defect{attach: func(uint64) uint64 { return 0 }}, 7},
	"a resume leaves the channels": {defect{rewrite: replacing(probe.ToServer,
		`("resume":\{.*"channels":)\[.*?\]`, `$1[]`)}, 4},
	"a join with a cursor brings nothing": {defect{cursor: func(uint64) uint64 { return 0 }}, 8},
	"a peer message comes twice": {defect{deliver: func(s *session, b *engine.Batch, m engine.Peer) engine.Fate {
		s.Session.Deliver(b, m)
		return s.Session.Deliver(b, m)
	}}, 3},
	"a message in the grace is said to be received": {defect{rewrite: replacing(probe.ToClient,
		`"received":false`, `"received":true`)}, 2},
	"a channel that nobody is in counts one": {defect{counts: func(counts []int) {
		for i := range counts {
			counts[i] = max(counts[i], 1)
		}
	}}, 2},
	"a member is told of its own coming": {defect{joined: func(m *membership, b *engine.Batch) {
		b.Put(m.out, fmt.Appendf(nil, `{"kind":"channel.member_joined","channel":%q,"uid":%q}`, m.channel, m.session.uid))
	}}, 2},
	"a kick is not told": {defect{rewrite: swallowing(`"login.kicked"`)}, 2},
}

// startFaulty starts a reference server with a defect.
func startFaulty(t *testing.T, d defect) Server {
	t.Helper()
	server := startReference(t, func(c *refserver.Config) {
		inner := memory.New(c.Limits)
		t.Cleanup(func() { _ = inner.Close() })
		c.Engine = &faultyEngine{Engine: inner, defect: d, evicted: make(map[string]bool)}
	})
	if d.rewrite == nil {
		return server
	}
	tap, err := probe.NewTap(server.URL, probe.TapOptions{Rewrite: d.rewrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tap.Close() })
	server.URL = tap.URL()
	return server
}

// suitePrograms is how many programs of a kind a run of the suite makes.
const suitePrograms = 20

func TestADefectIsFoundAndShownByAShortScript(t *testing.T) {
	for name, test := range defects {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startFaulty(t, test.defect)
			server.Budget = 2 * time.Second
			var failure *Failure
			for _, shape := range []string{"core", "channels", "reconnect"} {
				var err error
				if failure, err = Judge(t.Context(), server, shapes[shape], 1, suitePrograms); err != nil {
					t.Fatal(err)
				}
				if failure != nil {
					break
				}
			}
			if failure == nil {
				t.Fatal("no program finds the defect")
			}
			t.Logf("from %d steps\n%s", failure.Steps, failure.Scenario())
			if len(failure.Program) > test.steps {
				t.Errorf("the script has %d steps, want at most %d", len(failure.Program), test.steps)
			}
		})
	}
}

func TestWhatIsFoundIsAScenarioThatFindsItAgain(t *testing.T) {
	server := startFaulty(t, defects["a channel that nobody is in counts one"].defect)
	failure, err := Judge(t.Context(), server, shapes["channels"], 3, suitePrograms)
	if err != nil || failure == nil {
		t.Fatal(failure, err)
	}
	program, err := Parse(failure.Scenario())
	if err != nil {
		t.Fatal(err)
	}
	divergence, err := Run(t.Context(), server, program)
	if err != nil || divergence == nil || divergence.Step != failure.Divergence.Step {
		t.Errorf("the scenario ends with %v, %v", divergence, err)
	}
}
