package loadgen

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// arrivals of one session, one by one.
type listener struct {
	events  chan Event
	blocked chan time.Duration
}

func newListener() *listener {
	return &listener{make(chan Event, 64), make(chan time.Duration, 64)}
}

func (l *listener) Handle(_ time.Time, events []Event) {
	for _, e := range events {
		e.Body = slices.Clone(e.Body)
		l.events <- e
	}
}

func (l *listener) WriteBlocked(d time.Duration) { l.blocked <- d }

func open(t *testing.T, s *stub, uid string, h Handler) Session {
	t.Helper()
	session, err := (&WireDriver{URL: s.url(), AppID: testApp}).Open(t.Context(), Login{UID: uid}, h)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestMembersLeaveOverRealSockets(t *testing.T) {
	s := newStub(t)
	session := open(t, s, "a", ignore{})
	if err := session.Join(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	if err := session.Leave(t.Context(), "room"); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	members := len(s.members["room"])
	s.mu.Unlock()
	if members != 0 {
		t.Errorf("%d members after the leave", members)
	}
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		leave, is := f.(*wire.ChannelLeave)
		if is {
			c.write(&wire.Error{ID: leave.ID, Op: wire.KindChannelLeave, Code: 3, Name: "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL"})
		}
		return is
	}
	if err := session.Leave(t.Context(), "room"); err == nil || !strings.Contains(err.Error(), "channel.leave: the server answered 3") {
		t.Errorf("a refused leave: %v", err)
	}
	if err := session.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCutSaysNoGoodbye(t *testing.T) {
	s := newStub(t)
	ended := make(chan error, 1)
	s.onEnd = func(_ *stubConn, err error) { ended <- err }
	frames := make(chan wire.Frame, 16)
	s.onFrame = func(_ *stubConn, f wire.Frame) bool {
		frames <- f
		return false
	}
	l := newListener()
	session := open(t, s, "a", l)
	session.(Cutter).Cut()
	if err := <-ended; err == nil || websocket.IsCloseError(err, websocket.CloseNormalClosure) {
		t.Errorf("the server saw %v, want a dead link", err)
	}
	if <-frames; len(frames) != 0 {
		t.Errorf("the server got %+v behind the login", <-frames)
	}
	if len(l.events) != 0 {
		t.Errorf("the cut was told as %+v", <-l.events)
	}
	if err := session.Queue(Outgoing{To: "b", Body: []byte("x")}); err == nil {
		t.Error("a session that was cut takes messages")
	}
	if err := session.Close(t.Context()); err != nil {
		t.Errorf("closing what was cut: %v", err)
	}
}

func TestPausedSessionReadsNothingAndKeepsPinging(t *testing.T) {
	s := newStub(t)
	s.limits.PingIntervalMS = 20
	var reader *stubConn
	pinged := make(chan struct{}, 64)
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		switch f.(type) {
		case *wire.Login:
			reader = c
		case *wire.Ping:
			select {
			case pinged <- struct{}{}:
			default:
			}
		}
		return false
	}
	l := newListener()
	session := open(t, s, "a", l)
	for round, body := range []string{"first", "second"} {
		session.(Pauser).Pause(true)
		session.(Pauser).Pause(true) // twice is once
		reader.write(&wire.PeerMessage{Seq: uint64(round + 1), From: "b", TS: 1, Message: wire.TextMessage(body)})
		for range 3 {
			<-pinged
		}
		if len(l.events) != 0 {
			t.Fatalf("read %+v in a pause", <-l.events)
		}
		session.(Pauser).Pause(false)
		if e := <-l.events; string(e.Body) != body {
			t.Errorf("after the pause came %+v", e)
		}
	}
	session.(Pauser).Pause(true)
	if err := session.Close(t.Context()); err != nil {
		t.Errorf("closing in a pause: %v", err)
	}
}

func TestCutEndsAPause(t *testing.T) {
	session := open(t, newStub(t), "a", ignore{})
	session.(Pauser).Pause(true)
	session.(Cutter).Cut()
	if err := session.Join(t.Context(), "room"); err == nil {
		t.Error("a session that was cut joins")
	}
}

func TestBlockedWritesAreTimedUntilTheSocketHasEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		l := newListener()
		s := newWireSession(near, nil, l)
		go s.read()
		if err := s.Queue(Outgoing{To: "b", Body: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		s.Flush()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		<-ctx.Done()
		if _, err := far.Read(make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
		if got := <-l.blocked; got != 30*time.Millisecond {
			t.Errorf("blocked for %v, want 30ms", got)
		}
		s.Cut()
		far.Close()
	})
}

func TestBlockedWritesOfTheMeasuredPhaseAreAMetric(t *testing.T) {
	r := hotRun(t, Peer(100, time.Second, 4))
	b := r.ledger.inboxes[0]
	b.WriteBlocked(time.Second) // before the measured phase
	r.clock.setMainStart(1)
	b.WriteBlocked(3 * time.Millisecond)
	r.ledger.inboxes[1].slow = true
	r.ledger.inboxes[1].WriteBlocked(time.Second)
	r.recorder.collect(0)
	if h := r.recorder.total[metricWriteBlock]; h.TotalCount() != 1 || h.Max()/1000 != 3000 {
		t.Errorf("%d samples up to %d ns, want one of 3 ms", h.TotalCount(), h.Max())
	}
	for _, s := range r.crew.sessions {
		s.(*wireSession).conn.Close()
	}
}
