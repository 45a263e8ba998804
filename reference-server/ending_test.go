package refserver_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestReceiptsWaitForASenderWhoseConnectionEnds(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		id := alice.peerSend("bob", "hi")
		m := expect[*wire.PeerMessage](bob)
		// Alice's connection is closed by the server, and alice does not read it.
		alice.text(`{"kind":"unknown`)
		synctest.Wait()
		bob.send(&wire.PeerAck{Seq: m.Seq})
		bob.quiet()
		again := s.resume(alice, 0)
		if !again.ok.Resumed {
			t.Fatal("not resumed")
		}
		again.receipt(id, true)
	})
}

// A pipe, as a TLS connection, is written by a goroutine that may come late.
func TestCloseOfTheClientIsEchoedBehindWhatWaits(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice := s.login("alice")
		alice.send(&wire.Ping{ID: 7})
		bye := websocket.FormatCloseMessage(int(wire.CloseNormal), "")
		if err := alice.ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if pong := expect[*wire.Pong](alice); pong.ID != 7 {
			t.Fatalf("got %s", pong.Append(nil))
		}
		alice.closedWith(wire.CloseNormal)
	})
}

func TestResumeMayNameAllChannels(t *testing.T) {
	const channels = 180
	bubble(t, func(t *testing.T, s *testServer) {
		alice := s.login("alice")
		var cursors []wire.Cursor
		for i := range channels {
			name := fmt.Sprintf("%0*d", wire.MaxIDBytes, i)
			cursors = append(cursors, wire.Cursor{Channel: name, Seq: alice.join(name).Seq})
		}
		alice.drop()
		again := s.resume(alice, 0, cursors...)
		if !again.ok.Resumed || len(again.ok.Missing) > 0 {
			t.Fatalf("got %s", again.ok.Append(nil))
		}
	}, limits(func(l *wire.Limits) { l.Channels = channels }))
}

func TestServerFullOfSessionsTakesResumesOnly(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		try := func(uid string) {
			t.Helper()
			c := s.connect()
			c.send(&wire.Login{ID: 1, AppID: testApp, UID: uid})
			c.closedWith(wire.CloseOverloaded)
		}
		alice := s.login("alice")
		try("bob")
		alice.drop()
		synctest.Wait()
		// The session in its grace time holds its place.
		try("bob")
		// Nobody is evicted for a login that finds no place.
		try("alice")
		again := s.resume(alice, 0)
		if !again.ok.Resumed {
			t.Fatal("not resumed")
		}
		again.send(&wire.Logout{ID: 99})
		again.closedWith(wire.CloseNormal)
		s.login("bob").quiet()
	}, func(c *refserver.Config) { c.MaxSessions = 1 })
}
