package refserver

import (
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

const innerApp = "0123456789abcdef0123456789abcdef"

// countingSink takes everything at once and counts the calls.
type countingSink struct{ calls, bytes int }

func (s *countingSink) tryWrite(p []byte) int {
	s.calls++
	s.bytes += len(p)
	return len(p)
}
func (s *countingSink) Write(p []byte) (int, error)      { return s.tryWrite(p), nil }
func (s *countingSink) SetWriteDeadline(time.Time) error { return nil }

// bench is a server without sockets: frames are handled by calling conn.handle.
type bench struct {
	tb  testing.TB
	srv *Server
}

func newBench(tb testing.TB) *bench {
	cfg := DefaultConfig()
	cfg.Limits.Calls = nil
	srv, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = srv.Shutdown(srv.ctx) })
	return &bench{tb, srv}
}

// login returns a connection with a session, and its sink.
func (b *bench) login(uid string) (*conn, *countingSink) {
	near, far := net.Pipe()
	b.tb.Cleanup(func() { near.Close(); far.Close() })
	c := b.srv.newConn(near, netip.Addr{})
	c.ws = new(websocket.Conn)
	sink := new(countingSink)
	c.queue.sink = sink
	b.read(c, (&wire.Login{ID: 1, AppID: innerApp, UID: uid}).Append(nil))
	if c.session == nil {
		b.tb.Fatal("no session")
	}
	return c, sink
}

// read handles frames as if one read had brought them.
func (b *bench) read(c *conn, frames ...[]byte) {
	c.burst = bursts.Get().(*burst)
	c.burst.batch.Now = time.Now()
	for _, p := range frames {
		c.handle(p)
	}
	c.settle()
}

func text(s string) wire.Message { return wire.TextMessage(s) }

var payload64 = text("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

// peerRoute returns a function that sends n messages from one user to another in one
// read, and acknowledges them in another.
func (b *bench) peerRoute(n int) func() {
	alice, _ := b.login("alice")
	bob, _ := b.login("bob")
	var sends [][]byte
	for i := range n {
		sends = append(sends, (&wire.PeerSend{ID: uint64(i) + 10, To: "bob", Message: payload64}).Append(nil))
	}
	ack := make([]byte, 0, 64)
	return func() {
		b.read(alice, sends...)
		ack = wire.AppendPeerAck(ack[:0], bob.session.inbox.seq)
		b.read(bob, ack)
		if bob.session.inbox.count != 0 || alice.ending.Load() || bob.ending.Load() {
			b.tb.Fatal("the messages were not acknowledged")
		}
	}
}

// fanOut returns a function that sends n messages to a channel of so many members in
// one read, and the sinks of the members.
func (b *bench) fanOut(members, n int) (func(), []*countingSink) {
	join := (&wire.ChannelJoin{ID: 2, Channel: "lobby"}).Append(nil)
	var sinks []*countingSink
	for i := range members {
		c, sink := b.login(fmt.Sprint("u", i))
		b.read(c, join)
		sinks = append(sinks, sink)
	}
	alice, _ := b.login("alice")
	b.read(alice, join)
	var sends [][]byte
	for i := range n {
		sends = append(sends, (&wire.ChannelSend{ID: uint64(i) + 10, Channel: "lobby", Message: payload64}).Append(nil))
	}
	return func() { b.read(alice, sends...) }, sinks
}

func TestPeerRouteDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	route := newBench(t).peerRoute(16)
	for range 100 {
		route()
	}
	if n := testing.AllocsPerRun(200, route); n > 1 {
		t.Errorf("16 messages, delivered and acknowledged, cost %v allocations", n)
	}
}

func TestFanOutDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector empties pools")
	}
	send, _ := newBench(t).fanOut(100, 16)
	for range 100 {
		send()
	}
	if n := testing.AllocsPerRun(200, send); n > 2 {
		t.Errorf("16 messages to 100 members cost %v allocations", n)
	}
}

func TestFanOutWritesOncePerMemberAndRead(t *testing.T) {
	send, sinks := newBench(t).fanOut(50, 64)
	before := make([]countingSink, len(sinks))
	for i, s := range sinks {
		before[i] = *s
	}
	send()
	for i, s := range sinks {
		if calls, bytes := s.calls-before[i].calls, s.bytes-before[i].bytes; calls != 1 || bytes < 64*64 {
			t.Fatalf("64 messages of one read reached member %d in %d writes of %d bytes", i, calls, bytes)
		}
	}
}

func BenchmarkPeerRoute(b *testing.B) {
	for _, n := range []int{1, 16} {
		b.Run(fmt.Sprintf("batch=%d", n), func(b *testing.B) {
			route := newBench(b).peerRoute(n)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += n {
				route()
			}
		})
	}
}

func BenchmarkFanOut(b *testing.B) {
	for _, members := range []int{100, 1000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			const n = 16
			send, _ := newBench(b).fanOut(members, n)
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += n {
				send()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*members), "ns/delivery")
		})
	}
}

var _ engine.Outlet = (*queue)(nil)
