package loadgen

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// null starts a null server in this process; it ends with the test.
func null(t testing.TB) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- ServeNull(ctx, listener) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("the null server: %v", err)
		}
	})
	return "ws://" + listener.Addr().String() + wire.Path
}

func TestALoadRunAgainstTheNullServerBalances(t *testing.T) {
	url := null(t)
	mixed := brief(Fanout(1000, time.Second, 3, 5))
	mixed.Traffic = append(mixed.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: 500, Payload: Payload{Bytes: 3000, Type: Raw}})
	for name, w := range map[string]Workload{
		"peer": brief(Peer(5000, time.Second, 20)), "two clients": brief(Peer(20_000, time.Second, 2)),
		"channel": brief(Fanout(500, time.Second, 4, 30)), "mixed": mixed,
	} {
		t.Run(name, func(t *testing.T) {
			load, err := Run(t.Context(), w, Options{URL: url, AppID: testApp})
			if err != nil {
				t.Fatal(err)
			}
			balanced(t, load)
			for _, row := range load.Summary.Ledger {
				if oddities(row) != (reports.LedgerRow{}) || row.Sent == 0 || row.DeliveredOnce != row.Expected {
					t.Errorf("ledger %+v", row)
				}
			}
			if load.Manifest.Server.Name != nullName {
				t.Errorf("the manifest names the server %q", load.Manifest.Server.Name)
			}
		})
	}
}

// nullClient is one connection to a null server, spoken by the library and the strict decoder.
type nullClient struct {
	t  *testing.T
	ws *websocket.Conn
}

func dialNull(t *testing.T, url, uid string) *nullClient {
	t.Helper()
	ws, _, err := (&websocket.Dialer{Subprotocols: []string{wire.Subprotocol}}).Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &nullClient{t, ws}
	c.send(&wire.Login{ID: 1, AppID: testApp, UID: uid})
	if ok, is := c.next().(*wire.LoginOK); !is || ok.ID != 1 || ok.Session == "" {
		t.Fatalf("the login of %s is answered by %+v", uid, ok)
	}
	return c
}

func (c *nullClient) send(f wire.Frame) {
	if err := c.ws.WriteMessage(websocket.TextMessage, f.Append(nil)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *nullClient) next() wire.Frame {
	c.t.Helper()
	_ = c.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, p, err := c.ws.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	f, err := wire.Decode(p)
	if err != nil {
		c.t.Fatalf("%s: %v", p, err)
	}
	return f
}

func TestTheNullServerGivesAReceiptOnlyAfterTheAcknowledgement(t *testing.T) {
	url := null(t)
	a, b := dialNull(t, url, "a"), dialNull(t, url, "b")
	a.send(&wire.PeerSend{ID: 7, To: "b", Message: wire.TextMessage("hi")})
	got, is := b.next().(*wire.PeerMessage)
	if !is || got.From != "a" || got.Message.Text != "hi" || got.Seq != 1 {
		t.Fatalf("b got %+v", got)
	}
	// The pong shows that the receipt has not been given: answers of one connection do not overtake.
	a.send(&wire.Ping{ID: 8})
	if pong, is := a.next().(*wire.Pong); !is || pong.ID != 8 {
		t.Fatalf("a got %+v before b has acknowledged", pong)
	}
	b.send(&wire.PeerAck{Seq: 1})
	if ok, is := a.next().(*wire.PeerSendOK); !is || ok.ID != 7 || !ok.Received {
		t.Errorf("the receipt is %+v", ok)
	}
}

func TestTheNullServerPromisesNothingForAReceiverThatIsGone(t *testing.T) {
	url := null(t)
	a, b := dialNull(t, url, "a"), dialNull(t, url, "b")
	a.send(&wire.PeerSend{ID: 7, To: "b", Message: wire.TextMessage("hi")})
	b.next()
	b.send(&wire.Logout{ID: 2})
	if ok, is := a.next().(*wire.PeerSendOK); !is || ok.ID != 7 || ok.Received {
		t.Errorf("the receipt of a message to one who left without a word is %+v", ok)
	}
	a.send(&wire.PeerSend{ID: 8, To: "b", Message: wire.TextMessage("hi")})
	if ok, is := a.next().(*wire.PeerSendOK); !is || ok.ID != 8 || ok.Received {
		t.Errorf("the receipt of a message to nobody is %+v", ok)
	}
}

func TestTheNullServerCopiesToMembersAlone(t *testing.T) {
	url := null(t)
	a, b, c := dialNull(t, url, "a"), dialNull(t, url, "b"), dialNull(t, url, "c")
	for _, member := range []*nullClient{a, b, c} {
		member.send(&wire.ChannelJoin{ID: 2, Channel: "room"})
		if ok, is := member.next().(*wire.ChannelJoinOK); !is || ok.Seq == 0 {
			t.Fatalf("the join is answered by %+v", ok)
		}
	}
	c.send(&wire.ChannelLeave{ID: 3, Channel: "room"})
	if ok, is := c.next().(*wire.OK); !is || ok.Answers != wire.KindChannelLeave {
		t.Fatalf("the leave is answered by %+v", ok)
	}
	a.send(&wire.ChannelSend{ID: 4, Channel: "room", Message: wire.RawMessage([]byte{1, 2}, "two")})
	if got, is := b.next().(*wire.ChannelMessage); !is || got.From != "a" || got.Channel != "room" || string(got.Message.Raw) != "\x01\x02" {
		t.Errorf("b got %+v", got)
	}
	if ok, is := a.next().(*wire.OK); !is || ok.ID != 4 {
		t.Errorf("a got %+v", ok)
	}
	c.send(&wire.ChannelSend{ID: 5, Channel: "room", Message: wire.TextMessage("still here")})
	if refused, is := c.next().(*wire.Error); !is || refused.ID != 5 || refused.Name != wire.ChannelSendNotInChannel.Name {
		t.Errorf("c, who left, got %+v", refused)
	}
	a.send(&wire.ChannelMembers{ID: 6, Channel: "room"})
}

func TestTheNullServerEndsWhatSpeaksSomethingElse(t *testing.T) {
	url := null(t)
	for name, send := range map[string]func(ws *websocket.Conn) error{
		"a binary message": func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.BinaryMessage, []byte("{}")) },
		"no JSON":          func(ws *websocket.Conn) error { return ws.WriteMessage(websocket.TextMessage, []byte("hello")) },
		"unmasked bytes":   func(ws *websocket.Conn) error { _, err := ws.NetConn().Write([]byte{0x81, 2, '{', '}'}); return err },
		"an endless frame": func(ws *websocket.Conn) error {
			_, err := ws.NetConn().Write([]byte{0x81, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0})
			return err
		},
		"an acknowledgement of nothing": func(ws *websocket.Conn) error {
			return ws.WriteMessage(websocket.TextMessage, (&wire.PeerAck{Seq: 9}).Append(nil))
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := dialNull(t, url, "x")
			if err := send(c.ws); err != nil {
				t.Fatal(err)
			}
			_ = c.ws.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, p, err := c.ws.ReadMessage(); err == nil {
				t.Errorf("it answers %s", p)
			}
		})
	}
}

func TestFramesOfAClientAreTakenWholeOrNotAtAll(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := make([]byte, n)
		for i := range payload {
			payload[i] = byte(i)
		}
		whole := appendFrame(nil, opText, payload, 0xdeadbeef)
		for _, cut := range []int{0, 1, 2, 5, len(whole) - 1} {
			if _, size, need := clientFrame(whole[:min(cut, len(whole)-1)]); size != 0 || need <= cut {
				t.Errorf("%d bytes, cut at %d: size %d, needs %d", n, cut, size, need)
			}
		}
		frame, size, _ := clientFrame(append(whole, 1, 2, 3))
		if size != len(whole) || string(frame.payload) != string(payload) {
			t.Errorf("%d bytes: a frame of %d bytes is taken for one of %d", n, len(whole), size)
		}
	}
}

func TestTheNullServerAllocatesNothingForAMessage(t *testing.T) {
	s := &nullServer{users: map[string]*nullConn{}, rooms: map[string]*nullRoom{}, open: map[*nullConn]struct{}{}}
	near, far := net.Pipe()
	t.Cleanup(func() { _, _ = near.Close(), far.Close() })
	a, b := newNullConn(s, near), newNullConn(s, far)
	room := s.room("room")
	for uid, c := range map[string]*nullConn{"a": a, "b": b} {
		s.login(c, uid)
		c.rooms["room"] = room
		room.join(c)
		c.busy = true // somebody writes already, so that the frames stay where they are put
	}
	payload := []byte(`"text":"0123456789012345678901234567890123456789012345678901234567890123"`)
	message := wire.AppendPeerSend(nil, 7, "b", payload)
	sent := wire.AppendChannelSend(nil, 8, "room", payload)
	space := make([]byte, 0, 64)
	allocated := testing.AllocsPerRun(1000, func() {
		a.out, b.out = a.out[:0], b.out[:0]
		if !a.take(message, 1) || !a.take(sent, 1) || !b.take(wire.AppendPeerAck(space, b.seq), 1) {
			t.Fatal("a frame was refused")
		}
	})
	if len(a.out) == 0 || len(b.out) == 0 || len(b.receipts) != 0 {
		t.Fatalf("%d and %d bytes wait, and %d receipts", len(a.out), len(b.out), len(b.receipts))
	}
	if allocated != 0 {
		t.Errorf("%v allocations for a peer message with its receipt and a channel message", allocated)
	}
}
