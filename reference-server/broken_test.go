package refserver

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestMessageForABrokenConnectionIsHeld(t *testing.T) {
	b := newBench(t)
	alice, _ := b.login("alice")
	bob, _ := b.login("bob")
	bob.queue.sink = &fickleSink{random: rand.New(rand.NewPCG(1, 1)), broken: true}
	bob.queue.drain([]segment{{bytes: []byte("lost")}}, 0, 0)
	sink := new(keepingSink)
	alice.queue.sink = sink
	b.read(alice, (&wire.PeerSend{ID: 5, To: "bob", Message: text("hi")}).Append(nil))
	got, _ := frames(t, &sink.Buffer)
	if len(got) != 1 || got[0] != `{"kind":"peer.send.ok","id":5,"received":false}` {
		t.Fatalf("alice was answered %q", got)
	}
}

// stuckConn takes long to close, as a TLS connection whose socket is full.
type stuckConn struct {
	net.Conn
	closing chan<- struct{}
	release <-chan struct{}
}

func (c stuckConn) Close() error {
	c.closing <- struct{}{}
	<-c.release
	return c.Conn.Close()
}

func TestConnectionsThatCloseSlowlyAreCutAtOnce(t *testing.T) {
	srv := newBench(t).srv
	closing, release := make(chan struct{}), make(chan struct{})
	const n = 3
	for range n {
		near, far := net.Pipe()
		t.Cleanup(func() { near.Close() })
		srv.mu.Lock()
		srv.conns[srv.newConn(stuckConn{far, closing, release}, netip.Addr{})] = struct{}{}
		srv.mu.Unlock()
	}
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		srv.cut()
	}()
	hung := time.NewTimer(10 * time.Second)
	defer hung.Stop()
	for i := range n {
		select {
		case <-closing:
		case <-hung.C:
			t.Fatalf("%d of %d connections are being closed while one of them hangs", i, n)
		}
	}
	// The tables can be looked at meanwhile.
	srv.Ban(innerApp, "nobody")
	close(release)
	<-cut
	conns, _ := srv.all()
	srv.mu.Lock()
	for _, c := range conns {
		delete(srv.conns, c)
	}
	srv.mu.Unlock()
}
