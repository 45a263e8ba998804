package loadgen

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// stub is a small RTM server over real sockets, written on the library's WebSocket and the strict decoder: neither the
// driver's own framing nor the scanner takes part, so that their errors cannot hide. It knows logins, joins, peer and
// channel messages, receipts and logout.
type stub struct {
	*httptest.Server
	// chop splits every frame to the client into fragments of so many bytes, with a ping in between; 0 for whole frames.
	chop int
	// greet, if set, writes a whole server frame right behind the handshake.
	greet []byte
	// onFrame, if set, sees each frame first and reports whether it has handled it.
	onFrame func(c *stubConn, f wire.Frame) bool
	// onEnd, if set, learns how each connection ended.
	onEnd func(c *stubConn, err error)

	mu      sync.Mutex
	users   map[string]*stubConn
	members map[string]map[string]bool
	limits  wire.Limits
}

type stubConn struct {
	stub *stub
	ws   *websocket.Conn
	uid  string

	mu      sync.Mutex
	seq     uint64
	waiting map[uint64]func() // by seq: what to do at the receipt
}

func newStub(t testing.TB) *stub {
	s := &stub{users: map[string]*stubConn{}, members: map[string]map[string]bool{}, limits: wire.DefaultLimits()}
	s.limits.Calls = nil
	upgrader := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != wire.Path {
			http.NotFound(w, r)
			return
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		if s.greet != nil {
			_, _ = ws.NetConn().Write(s.greet)
		}
		c := &stubConn{stub: s, ws: ws, waiting: map[uint64]func(){}}
		c.read()
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *stub) url() string { return strings.Replace(s.URL, "http://", "ws://", 1) + wire.Path }

func (c *stubConn) read() {
	defer c.ws.Close()
	for {
		_, p, err := c.ws.ReadMessage()
		if err != nil {
			if c.stub.onEnd != nil {
				c.stub.onEnd(c, err)
			}
			break
		}
		f, err := wire.Decode(p)
		if err != nil {
			c.close(int(wire.CloseBadFrame))
			break
		}
		if c.stub.onFrame == nil || !c.stub.onFrame(c, f) {
			c.serve(f)
		}
	}
	c.stub.mu.Lock()
	defer c.stub.mu.Unlock()
	if c.stub.users[c.uid] != c {
		return // logged in anew
	}
	delete(c.stub.users, c.uid)
	for _, members := range c.stub.members {
		delete(members, c.uid)
	}
}

func (c *stubConn) close(code int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
}

func (c *stubConn) write(f wire.Frame) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writeLocked(f)
}

func (c *stubConn) writeLocked(f wire.Frame) {
	p := f.Append(nil)
	if c.stub.chop == 0 {
		_ = c.ws.WriteMessage(websocket.TextMessage, p)
		return
	}
	// The library cannot write fragments; these are small enough to be written by hand, unmasked as a server's are.
	opcode := byte(opText)
	for len(p) > 0 {
		n := min(c.stub.chop, len(p))
		final := byte(0)
		if n == len(p) {
			final = 0x80
		}
		raw := append([]byte{final | opcode, byte(n)}, p[:n]...)
		_, _ = c.ws.NetConn().Write(append(raw, 0x80|opPing, 2, 'h', 'i'))
		p, opcode = p[n:], opContinuation
	}
}

func (c *stubConn) serve(f wire.Frame) {
	s := c.stub
	switch f := f.(type) {
	case *wire.Login:
		c.uid = f.UID
		s.mu.Lock()
		s.users[f.UID] = c
		s.mu.Unlock()
		c.write(&wire.LoginOK{ID: f.ID, Session: "s", Server: wire.Server{Name: "stub", Version: "1"}, Limits: s.limits})
	case *wire.ChannelJoin:
		s.mu.Lock()
		if s.members[f.Channel] == nil {
			s.members[f.Channel] = map[string]bool{}
		}
		s.members[f.Channel][c.uid] = true
		n := len(s.members[f.Channel])
		s.mu.Unlock()
		c.write(&wire.ChannelJoinOK{ID: f.ID, Seq: 1, Count: n})
		c.write(&wire.ChannelMemberCount{Channel: f.Channel, Count: n})
	case *wire.ChannelLeave:
		s.mu.Lock()
		delete(s.members[f.Channel], c.uid)
		s.mu.Unlock()
		c.write(&wire.OK{Answers: wire.KindChannelLeave, ID: f.ID})
	case *wire.PeerSend:
		s.mu.Lock()
		to := s.users[f.To]
		s.mu.Unlock()
		if to == nil {
			c.write(&wire.PeerSendOK{ID: f.ID})
			return
		}
		to.mu.Lock()
		defer to.mu.Unlock()
		to.seq++
		to.waiting[to.seq] = func() { c.write(&wire.PeerSendOK{ID: f.ID, Received: true}) }
		to.writeLocked(&wire.PeerMessage{Seq: to.seq, From: c.uid, TS: 1, Message: f.Message})
	case *wire.PeerAck:
		c.mu.Lock()
		var receipts []func()
		for seq, receipt := range c.waiting {
			if seq <= f.Seq {
				receipts = append(receipts, receipt)
				delete(c.waiting, seq)
			}
		}
		c.mu.Unlock()
		for _, receipt := range receipts {
			receipt()
		}
	case *wire.ChannelSend:
		s.mu.Lock()
		var to []*stubConn
		for uid := range s.members[f.Channel] {
			if other := s.users[uid]; other != nil && uid != c.uid {
				to = append(to, other)
			}
		}
		s.mu.Unlock()
		for _, other := range to {
			other.write(&wire.ChannelMessage{Channel: f.Channel, From: c.uid, Seq: 1, TS: 1, Message: f.Message})
		}
		c.write(&wire.OK{Answers: wire.KindChannelSend, ID: f.ID})
	case *wire.Ping:
		c.write(&wire.Pong{ID: f.ID})
	case *wire.Logout:
		c.write(&wire.OK{Answers: wire.KindLogout, ID: f.ID})
		c.close(int(wire.CloseNormal))
	}
}
