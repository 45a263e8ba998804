package rtm

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

type sent struct {
	receipt Receipt
	err     error
}

func send(c *Client, ctx context.Context, peer string, m *Message) <-chan sent {
	return later(func() sent {
		receipt, err := c.SendToPeer(ctx, peer, m)
		return sent{receipt, err}
	})
}

func TestReceiptSaysWhetherThePeerHasTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		for _, received := range []bool{true, false} {
			done := send(c, t.Context(), "bob", NewText("hi"))
			frame := expect[*wire.PeerSend](conn)
			if frame.To != "bob" || frame.Message.Text != "hi" {
				t.Fatalf("sent %s", frame.Append(nil))
			}
			conn.send(&wire.PeerSendOK{ID: frame.ID, Received: received})
			got := <-done
			succeed(t, got.err)
			if got.receipt.HasPeerReceived != received {
				t.Fatal(got.receipt)
			}
		}
	})
}

func TestAnswersMayOvertakeEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		first := send(c, t.Context(), "bob", NewText("1"))
		one := expect[*wire.PeerSend](conn)
		second := send(c, t.Context(), "bob", NewText("2"))
		two := expect[*wire.PeerSend](conn)
		conn.sendText(`{"received":false , "id":` + itoa(two.ID) + `, "kind":"peer.send.ok", "later":{}}`)
		if got := <-second; got.err != nil || got.receipt.HasPeerReceived {
			t.Fatal(got)
		}
		conn.send(&wire.PeerSendOK{ID: one.ID, Received: true})
		if got := <-first; got.err != nil || !got.receipt.HasPeerReceived {
			t.Fatal(got)
		}
		conn.send(&wire.PeerSendOK{ID: one.ID, Received: true}) // once more: ignored
		conn.silent(1)
	})
}

func TestSendWithoutReceiptTimesOutAfterTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		start := time.Now()
		first := send(c, t.Context(), "bob", NewText("1"))
		one := expect[*wire.PeerSend](conn)
		pass(3 * time.Second)
		second := send(c, t.Context(), "bob", NewText("2"))
		expect[*wire.PeerSend](conn)
		got := <-first
		code(t, got.err, wire.PeerTimeout)
		if took := time.Since(start); took != 10*time.Second || !strings.Contains(got.err.Error(), "unknown") {
			t.Fatal(took, got.err)
		}
		conn.send(&wire.PeerSendOK{ID: one.ID, Received: true}) // too late: ignored
		code(t, (<-second).err, wire.PeerTimeout)
		if took := time.Since(start); took != 13*time.Second {
			t.Fatal(took)
		}
		if c.State() != Connected {
			t.Fatal(c.State())
		}
	})
}

func TestServerRefusesASend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		for _, want := range []wire.Code{wire.PeerTimeout, wire.PeerTooOften, wire.PeerIncompatible, {Op: wire.KindPeerSend, Number: 77, Name: "NEW"}, wire.FrameUnknownKind} {
			done := send(c, t.Context(), "bob", NewText("1"))
			conn.send(wire.Refuse(expect[*wire.PeerSend](conn).ID, want, "because"))
			got := <-done
			code(t, got.err, want)
			if e := got.err.(*Error); !e.FromServer || e.Op != wire.KindPeerSend || !strings.Contains(e.Error(), want.Name) || !strings.Contains(e.Error(), "because") {
				t.Fatal(e)
			}
		}
	})
}

func TestRefusedMessagesPutNoFrameOnTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		ch, _ := c.NewChannel("lobby")
		join(t, ch, conn, 1)
		var received *Message
		c.OnMessage(func(m *Message, _ string) { received = m })
		conn.silent(1)
		synctest.Wait()
		if !received.Received() || received.Text() != "barrier" || !received.ServerReceivedAt().Equal(time.UnixMilli(1)) {
			t.Fatal(received)
		}
		for name, m := range map[string]*Message{
			"nothing":                 nil,
			"the zero message":        {},
			"a received message":      received,
			"32 KB and a byte":        NewText(strings.Repeat("x", 32<<10+1)),
			"32 KB with description":  NewRaw(make([]byte, 32<<10), "d"),
			"text that is not UTF-8":  NewText("a\xff"),
			"description not UTF-8":   NewRaw(nil, "\xc0"),
			"32 KB and 1 in two byte": NewText(strings.Repeat("é", 16<<10) + "x"),
		} {
			_, err := c.SendToPeer(t.Context(), "bob", m)
			if !errors.Is(err, wire.PeerInvalidMessage) {
				t.Errorf("%s to a peer: %v", name, err)
			}
			if err := ch.Send(t.Context(), m); !errors.Is(err, wire.ChannelSendInvalidMessage) {
				t.Errorf("%s to a channel: %v", name, err)
			}
		}
		_, err := c.SendToPeer(t.Context(), "a'b", NewText("x"))
		code(t, err, wire.PeerInvalidUserID)
		conn.silent(2)
	})
}

func TestMessagesOfEveryAllowedShapeAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		raw := []byte{0, 1, 255}
		own := NewRaw(raw, "d")
		raw[0] = 7 // the message keeps what it was made from
		for name, m := range map[string]*Message{
			"empty text": NewText(""), "emoji": NewText("😀\n\"\\"), "32 KB": NewText(strings.Repeat("x", 32<<10)),
			"raw": own, "empty raw": NewRaw(nil, ""), "32 KB raw": NewRaw(bytes.Repeat([]byte{9}, 32<<10-1), "d"),
			"32 KB that are long on the wire": NewText(strings.Repeat("\x01", 32<<10)),
			"raw again":                       own,
		} {
			done := send(c, t.Context(), "bob", m)
			frame := expect[*wire.PeerSend](conn)
			conn.send(&wire.PeerSendOK{ID: frame.ID, Received: true})
			if got := <-done; got.err != nil || frame.Message.Type != m.Type() || frame.Message.Text != m.Text() ||
				!bytes.Equal(frame.Message.Raw, m.Raw()) || frame.Message.Description != m.Description() {
				t.Errorf("%s: %v", name, got.err)
			}
			if m.Received() || !m.ServerReceivedAt().IsZero() {
				t.Errorf("%s: an own message counts as received", name)
			}
		}
		if own.Raw()[0] != 0 {
			t.Error("the message changed with the slice it was made from")
		}
	})
}

func TestReceivedMessagesAreDeliveredInOrderAndAcknowledgedBeforeListenersRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		hold := make(chan struct{})
		c.OnMessage(func(m *Message, peer string) {
			<-hold
			r.add(peer, m.Text(), string(m.Raw()), m.Description())
		})
		conn.send(
			&wire.PeerMessage{Seq: 1, From: "bob", TS: 5, Message: wire.TextMessage("a")},
			&wire.PeerMessage{Seq: 2, From: "bob", TS: 5, Message: wire.RawMessage([]byte("b"), "c")},
		)
		conn.sendText(`{"kind":"peer.message","seq":3, "from":"eve","ts":1,"text":"d"}`) // not canonical
		for last := uint64(0); last != 3; {
			last = expect[*wire.PeerAck](conn).Seq
		}
		r.want(t)
		close(hold)
		synctest.Wait()
		r.want(t, "bob a  ", "bob  b c", "eve d  ")
	})
}

func TestOneAcknowledgementCoversABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		_, conn := f.connected()
		var burst []byte
		for seq := uint64(1); seq <= 20; seq++ {
			burst = append(burst, serverFrame((&wire.PeerMessage{Seq: seq, From: "bob", Message: wire.TextMessage("x")}).Append(nil))...)
		}
		if _, err := conn.ws.NetConn().Write(burst); err != nil {
			t.Fatal(err)
		}
		if ack := expect[*wire.PeerAck](conn); ack.Seq != 20 {
			t.Fatalf("acknowledged %d first", ack.Seq)
		}
	})
}

func TestCancelledSendSaysWhatIsKnownOfItsOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		ctx, cancel := context.WithCancel(t.Context())
		done := send(c, ctx, "bob", NewText("1"))
		expect[*wire.PeerSend](conn)
		cancel()
		err := (<-done).err
		var e *Error
		if !errors.Is(err, context.Canceled) || !errors.As(err, &e) || e.Op != wire.KindPeerSend || !strings.Contains(err.Error(), "outcome is unknown") {
			t.Fatal(err)
		}
		_, err = c.SendToPeer(ctx, "bob", NewText("2"))
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "nothing was sent") {
			t.Fatal(err)
		}
		conn.silent(1)
		f.outage(conn)
		ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = c.SendToPeer(ctx, "bob", NewText("3"))
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nothing was sent") {
			t.Fatal(err)
		}
	})
}
