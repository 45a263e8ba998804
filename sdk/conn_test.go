package rtm

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestBinaryFrameEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		_, conn := f.connected()
		succeed(t, conn.ws.WriteMessage(websocket.BinaryMessage, []byte(`{"kind":"pong","id":1}`)))
		<-conn.gone
		if !strings.Contains(conn.closed.Error(), "1003") {
			t.Fatal(conn.closed)
		}
		f.login()
	})
}

func TestFrameOverTheBoundEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		_, conn := f.connected()
		go conn.sendText(`{"kind":"peer.message","seq":1,"from":"bob","ts":1,"text":"` + strings.Repeat("x", readBytes) + `"}`)
		<-conn.gone
		if !strings.Contains(conn.closed.Error(), "1009") {
			t.Fatal(conn.closed)
		}
		f.login()
	})
}

func TestServerWithoutTheSubprotocolIsNoRTMServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.mute.Store(true)
		err := f.client().Login(t.Context(), "alice", "")
		code(t, err, wire.LoginUnknown)
		if !strings.Contains(err.Error(), wire.Subprotocol) {
			t.Fatal(err)
		}
	})
}

func TestAnswersToALoginThatMakeNoSense(t *testing.T) {
	for _, text := range []string{
		`{"kind":"login.ok","id":7,"session":"s"}`, `{"kind":"login.ok","id":1,"session":""}`, `what`, `{"kind":"login.kicked","reason":"BANNED_BY_SERVER"}`,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t)
			c := f.client()
			done := later(func() error { return c.Login(t.Context(), "alice", "") })
			conn := f.accept()
			expect[*wire.Login](conn)
			conn.sendText(`{"kind":"news.of.tomorrow"}`) // unknown: ignored
			conn.sendText(text)
			code(t, <-done, wire.LoginUnknown)
			<-conn.gone
		})
	}
}

// gauge is a network that takes one write at a time and lets the test watch.
type gauge struct {
	net.Conn
	writes chan []byte
	closed chan struct{}
	once   sync.Once
}

func newGauge() *gauge {
	return &gauge{writes: make(chan []byte), closed: make(chan struct{})}
}

func (g *gauge) Write(p []byte) (int, error) {
	select {
	case g.writes <- append([]byte(nil), p...):
		return len(p), nil
	case <-g.closed:
		return 0, net.ErrClosed
	}
}

func (g *gauge) Read([]byte) (int, error) {
	<-g.closed
	return 0, io.EOF
}

func (g *gauge) Close() error {
	g.once.Do(func() { close(g.closed) })
	return nil
}

func TestWritesOfOneMomentGoOutTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGauge()
		b := newBatchConn(g)
		for _, text := range []string{"a", "b"} {
			if _, err := io.WriteString(b, text); err != nil {
				t.Fatal(err)
			}
			b.schedule()
		}
		if got := string(<-g.writes); got != "ab" {
			t.Fatalf("%q", got)
		}
		// What comes while a write is under way goes out with the next one.
		_, _ = io.WriteString(b, "c")
		b.schedule()
		synctest.Wait()
		_, _ = io.WriteString(b, "d")
		b.schedule()
		_, _ = io.WriteString(b, "e")
		b.schedule()
		if first, second := string(<-g.writes), string(<-g.writes); first != "c" || second != "de" {
			t.Fatalf("%q %q", first, second)
		}
		succeed(t, b.Close())
	})
}

func TestWhatTheReaderAddsGoesOutAtItsNextRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGauge()
		b := newBatchConn(g)
		b.beforeRead = func() { _, _ = io.WriteString(b, "owed") }
		_, _ = io.WriteString(b, "added ")
		read := later(func() error { _, err := b.Read(make([]byte, 1)); return err })
		if got := string(<-g.writes); got != "added owed" {
			t.Fatalf("%q", got)
		}
		succeed(t, b.Close())
		if err := <-read; err != io.EOF {
			t.Fatal(err)
		}
	})
}

func TestWritersWaitWhileTheBatchIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGauge()
		b := newBatchConn(g)
		if b.full() != nil {
			t.Fatal("an empty batch is full")
		}
		_, _ = b.Write(make([]byte, batchBytes))
		room := b.full()
		if room == nil {
			t.Fatal("a full batch has room")
		}
		b.schedule()
		<-g.writes
		<-room
		if b.full() != nil {
			t.Fatal("still full")
		}
		// A connection that ends lets nobody wait.
		_, _ = b.Write(make([]byte, batchBytes))
		room = b.full()
		succeed(t, b.Close())
		<-room
		if _, err := b.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
			t.Fatal(err)
		}
	})
}

func TestCloseDoesNotWaitForAStuckNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		conn.writing <- struct{}{} // the server takes nothing: its answer to the ping is stuck
		pass(2500 * time.Millisecond)
		for range 3 {
			go c.SendToPeer(t.Context(), "bob", NewText("x"))
		}
		synctest.Wait()
		start := time.Now()
		succeed(t, c.Close())
		if took := time.Since(start); took > closeTimeout {
			t.Fatal(took)
		}
		<-conn.writing
	})
}
