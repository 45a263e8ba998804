package refserver_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestReceiptIsTrueOnlyAfterTheReceiversAck(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	id := alice.peerSend("bob", "hi")
	m := expect[*wire.PeerMessage](bob)
	if m.From != "alice" || m.Seq != 1 || m.Message.Text != "hi" || m.TS == 0 {
		t.Fatalf("bob got %s", m.Append(nil))
	}
	alice.quiet()
	bob.send(&wire.PeerAck{Seq: m.Seq})
	alice.receipt(id, true)
	alice.receipt(alice.peerSend("nobody", "hi"), false)
}

func TestSenderIsTakenFromTheSession(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	alice.text(`{"kind":"peer.send","id":5,"to":"bob","from":"carol","text":"hi"}`)
	if m := expect[*wire.PeerMessage](bob); m.From != "alice" {
		t.Fatalf("bob got %s", m.Append(nil))
	}
}

func TestMessagesPassUnchanged(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	big := strings.Repeat("é", 16<<10)
	for i, f := range []struct {
		sent string
		want wire.Message
	}{
		{`"text":""`, wire.TextMessage("")},
		{`"text":"q\"\\\u0001\u00e9\ud83d\ude00/\/"`, wire.TextMessage("q\"\\\x01é😀//")},
		{`"text":"` + big + `"`, wire.TextMessage(big)},
		{`"raw":"AAEC/w==","description":"d"`, wire.RawMessage([]byte{0, 1, 2, 255}, "d")},
		{`"raw":""`, wire.RawMessage([]byte{}, "")},
		{`"raw":"AA==","description":""`, wire.RawMessage([]byte{0}, "")},
	} {
		alice.text(`{"kind":"peer.send","id":` + strconv.Itoa(i+10) + `,"to":"bob",` + f.sent + `}`)
		m := expect[*wire.PeerMessage](bob).Message
		if m.Type != f.want.Type || m.Text != f.want.Text || !bytes.Equal(m.Raw, f.want.Raw) || m.Description != f.want.Description {
			t.Errorf("%.60s came as %.60q %v", f.sent, m.Text, m.Raw)
		}
	}
}

func TestOneAckSettlesAllMessagesBeforeIt(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	var ids []uint64
	for range 100 {
		ids = append(ids, alice.peerSend("bob", "hi"))
	}
	for i := range 100 {
		if m := expect[*wire.PeerMessage](bob); m.Seq != uint64(i)+1 {
			t.Fatalf("seq %d at %d", m.Seq, i)
		}
	}
	bob.send(&wire.PeerAck{Seq: 50})
	for _, id := range ids[:50] {
		alice.receipt(id, true)
	}
	alice.quiet()
	bob.send(&wire.PeerAck{Seq: 50})
	bob.send(&wire.PeerAck{Seq: 3})
	bob.send(&wire.PeerAck{Seq: 100})
	for _, id := range ids[50:] {
		alice.receipt(id, true)
	}
	bob.send(&wire.PeerAck{Seq: 101})
	bob.closedWith(wire.CloseBadFrame)
}

func TestUserCanSendToItself(t *testing.T) {
	s := overTCP(t)
	alice := s.login("alice")
	id := alice.peerSend("alice", "note")
	m := expect[*wire.PeerMessage](alice)
	alice.send(&wire.PeerAck{Seq: m.Seq})
	alice.receipt(id, true)
}

func TestMessageWithoutAckTimesOut(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		began := time.Now()
		alice.peerSend("bob", "hi")
		expect[*wire.PeerMessage](bob)
		got := stay(8900*time.Millisecond, alice, bob)
		if len(got[0]) > 0 {
			t.Fatalf("after %v alice got %s", time.Since(began), got[0][0].Append(nil))
		}
		got = stay(time.Second, alice, bob)
		alice.id = 2
		if f, ok := got[0][0].(*wire.Error); !ok || f.Code != wire.PeerTimeout.Number || f.Op != wire.KindPeerSend || f.ID != 2 {
			t.Fatalf("alice got %s", got[0][0].Append(nil))
		}
		// A late ack changes nothing and harms nobody.
		bob.send(&wire.PeerAck{Seq: 1})
		bob.quiet()
		alice.quiet()
		// The next one times out as well.
		alice.peerSend("bob", "hi again")
		expect[*wire.PeerMessage](bob)
		got = stay(10*time.Second, alice, bob)
		if f := of[*wire.Error](got[0]); len(f) != 1 || f[0].Code != wire.PeerTimeout.Number {
			t.Fatalf("alice got %v", got[0])
		}
	})
}

func TestLogoutWithoutAckAnswersFalse(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	id := alice.peerSend("bob", "hi")
	expect[*wire.PeerMessage](bob)
	bob.id++
	bob.send(&wire.Logout{ID: bob.id})
	if f := expect[*wire.OK](bob); f.Answers != wire.KindLogout {
		t.Fatalf("bob got %s", f.Append(nil))
	}
	bob.closedWith(wire.CloseNormal)
	alice.receipt(id, false)
	alice.receipt(alice.peerSend("bob", "hi"), false)
}

func TestEvictionLeavesTheOutcomeUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		alice.peerSend("bob", "hi")
		expect[*wire.PeerMessage](bob)
		fresh := s.login("bob")
		got := stay(8*time.Second, alice, fresh)
		if len(got[0])+len(got[1]) > 0 {
			t.Fatalf("after 8 s: %v", got)
		}
		got = stay(2*time.Second, alice, fresh)
		if f, ok := got[0][0].(*wire.Error); !ok || f.Code != wire.PeerTimeout.Number {
			t.Fatalf("alice got %s", got[0][0].Append(nil))
		}
	})
}

func TestFullInboxAnswersFalse(t *testing.T) {
	s := overTCP(t, func(c *refserver.Config) {
		c.InboxBytes = 1 << 19
		c.QueueBytes = 1 << 22
	})
	alice, bob := s.login("alice"), s.login("bob")
	text := strings.Repeat("x", 30<<10)
	const sent = 40
	for range sent {
		alice.peerSend("bob", text)
	}
	refused := of[*wire.PeerSendOK](alice.collect())
	delivered := len(of[*wire.PeerMessage](bob.collect()))
	if len(refused) == 0 || len(refused)+delivered != sent {
		t.Fatalf("of %d, %d delivered and %d answered", sent, delivered, len(refused))
	}
	for _, f := range refused {
		if f.Received {
			t.Fatal("a receipt is true")
		}
	}
	bob.send(&wire.PeerAck{Seq: uint64(delivered)})
	for range delivered {
		if !expect[*wire.PeerSendOK](alice).Received {
			t.Fatal("an acknowledged message is not received")
		}
	}
	id := alice.peerSend("bob", text)
	m := expect[*wire.PeerMessage](bob)
	if m.Seq != uint64(delivered)+1 {
		t.Fatalf("seq %d after %d", m.Seq, delivered)
	}
	bob.send(&wire.PeerAck{Seq: m.Seq})
	alice.receipt(id, true)
}

func TestBadPeerSendsAreRefused(t *testing.T) {
	s := overTCP(t)
	alice := s.login("alice")
	alice.id = 9
	for _, c := range []struct {
		text string
		code wire.Code
	}{
		{`{"kind":"peer.send","id":9,"to":"","text":"hi"}`, wire.PeerInvalidUserID},
		{`{"kind":"peer.send","id":9,"text":"hi"}`, wire.PeerInvalidUserID},
		{`{"kind":"peer.send","id":9,"to":"é","text":"hi"}`, wire.PeerInvalidUserID},
		{`{"kind":"peer.send","id":9,"to":"null","text":"hi"}`, wire.PeerInvalidUserID},
		{`{"kind":"peer.send","id":9,"to":"bob"}`, wire.PeerInvalidMessage},
		{`{"kind":"peer.send","id":9,"to":"bob","text":"a","raw":""}`, wire.PeerInvalidMessage},
		{`{"kind":"peer.send","id":9,"to":"bob","text":"a","description":"d"}`, wire.PeerInvalidMessage},
		{`{"kind":"peer.send","id":9,"to":"bob","raw":"A"}`, wire.PeerInvalidMessage},
		{`{"kind":"peer.send","id":9,"to":"bob","text":"` + strings.Repeat("x", 32769) + `"}`, wire.PeerInvalidMessage},
		{`{"kind":"peer.send","id":9,"to":"bob","text":"` + strings.Repeat("é", 16385) + `"}`, wire.PeerInvalidMessage},
	} {
		alice.text(c.text)
		alice.refused(c.code)
	}
	alice.receipt(alice.peerSend("bob", strings.Repeat("x", 32768)), false)
}
