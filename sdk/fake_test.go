package rtm

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

const appID = "0123456789abcdef0123456789abcdef"

// fake is a scripted server behind a listener in memory: a test takes each
// connection, says what it expects to come and what the server answers.
type fake struct {
	t      testing.TB
	dialed chan net.Conn
	conns  chan *fakeConn
	closed chan struct{}
	once   sync.Once
	down   atomic.Bool  // refuses dials
	dials  atomic.Int64 // counts them, refused ones included
	mute   atomic.Bool  // selects no subprotocol
	refuse atomic.Int64 // answers the upgrade with this status, if not zero
}

func newFake(t testing.TB) *fake {
	f := &fake{t: t, dialed: make(chan net.Conn), conns: make(chan *fakeConn, 16), closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if status := f.refuse.Load(); status != 0 {
			http.Error(w, "no", int(status))
			return
		}
		upgrader := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}}
		if f.mute.Load() {
			upgrader.Subprotocols = nil
		}
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		c := &fakeConn{t: t, ws: ws, writing: make(chan struct{}, 1), in: make(chan wire.Frame, 4096), gone: make(chan struct{})}
		f.conns <- c
		c.read()
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(f)
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-served
		for {
			select {
			case c := <-f.conns:
				c.cut()
			default:
				return
			}
		}
	})
	return f
}

func (f *fake) Accept() (net.Conn, error) {
	select {
	case c := <-f.dialed:
		return c, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *fake) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

func (f *fake) Addr() net.Addr { return &net.UnixAddr{Name: "memory", Net: "memory"} }

func (f *fake) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	f.dials.Add(1)
	if f.down.Load() {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	select {
	case f.dialed <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

// client returns a client of the fake. Options change its config.
func (f *fake) client(options ...func(*Config)) *Client {
	f.t.Helper()
	cfg := Config{URL: "ws://memory/rtm/v1", AppID: appID, Dial: f.dial, LoginInterval: -1}
	for _, option := range options {
		option(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = c.Close() })
	return c
}

// accept returns the next connection, before its login.
func (f *fake) accept() *fakeConn { return <-f.conns }

// login takes the next connection and grants what it asks for.
func (f *fake) login(change ...func(*wire.LoginOK)) (*fakeConn, *wire.Login) {
	f.t.Helper()
	c := f.accept()
	login := expect[*wire.Login](c)
	c.grant(login, change...)
	return c, login
}

func (c *fakeConn) grant(login *wire.Login, change ...func(*wire.LoginOK)) {
	ok := &wire.LoginOK{ID: login.ID, Session: "s1", Limits: wire.DefaultLimits(), Server: wire.Server{Name: "fake", Version: "1"}}
	if login.Resume != nil {
		ok.Session, ok.Resumed = login.Resume.Session, true
	}
	for _, change := range change {
		change(ok)
	}
	c.send(ok)
}

func fresh(ok *wire.LoginOK) { ok.Session, ok.Resumed = "s2", false }

// connected returns a client that is logged in as alice, and its connection.
func (f *fake) connected(options ...func(*Config)) (*Client, *fakeConn) {
	f.t.Helper()
	c := f.client(options...)
	conns := make(chan *fakeConn, 1)
	go func() {
		conn, _ := f.login()
		conns <- conn
	}()
	if err := c.Login(f.t.Context(), "alice", "secret-token"); err != nil {
		f.t.Fatal(err)
	}
	return c, <-conns
}

// fakeConn is the server's end of one connection. It answers pings by itself.
type fakeConn struct {
	t       testing.TB
	ws      *websocket.Conn
	writing chan struct{} // a lock that a bubble may wait for
	in      chan wire.Frame
	gone    chan struct{} // closed when the connection has ended
	closed  error         // how
	pings   atomic.Int64
	mute    atomic.Bool // leaves pings unanswered
}

func (c *fakeConn) read() {
	defer close(c.gone)
	defer c.ws.Close()
	for {
		_, p, err := c.ws.ReadMessage()
		if err != nil {
			c.closed = err
			return
		}
		frame, err := wire.Decode(p)
		if err != nil {
			c.t.Errorf("the client sent %q: %v", p, err)
			return
		}
		if ping, ok := frame.(*wire.Ping); ok {
			c.pings.Add(1)
			if !c.mute.Load() {
				c.send(&wire.Pong{ID: ping.ID})
			}
			continue
		}
		c.in <- frame
	}
}

func (c *fakeConn) send(frames ...wire.Frame) {
	for _, frame := range frames {
		c.sendText(string(frame.Append(nil)))
	}
}

func (c *fakeConn) sendText(text string) {
	c.writing <- struct{}{}
	defer func() { <-c.writing }()
	_ = c.ws.WriteMessage(websocket.TextMessage, []byte(text))
}

// cut breaks the link without a word.
func (c *fakeConn) cut() {
	_ = c.ws.NetConn().Close()
	<-c.gone
}

// outage breaks the link and lets nobody in, until down is false again.
func (f *fake) outage(c *fakeConn) {
	f.down.Store(true)
	c.cut()
	synctest.Wait()
}

// close ends the connection with a close code.
func (c *fakeConn) close(code wire.CloseCode) {
	c.writing <- struct{}{}
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(int(code), code.String()), time.Now().Add(time.Second))
	<-c.writing
	<-c.gone
}

// expect returns the next frame of the client, which must be of type F.
func expect[F wire.Frame](c *fakeConn) F {
	c.t.Helper()
	var zero F
	select {
	case frame := <-c.in:
		f, ok := frame.(F)
		if !ok {
			c.t.Fatalf("the client sent %s, not a %T", frame.Append(nil), zero)
		}
		return f
	case <-c.gone:
		select {
		case frame := <-c.in:
			if f, ok := frame.(F); ok {
				return f
			}
		default:
		}
		c.t.Fatalf("the connection ended (%v) while a %T was expected", c.closed, zero)
	}
	return zero
}

// silent proves that the client has sent nothing but acknowledgements, by a message that it must
// acknowledge: what it sent before stands before the acknowledgement.
func (c *fakeConn) silent(seq uint64) {
	c.t.Helper()
	c.send(&wire.PeerMessage{Seq: seq, From: "barrier", TS: 1, Message: wire.TextMessage("barrier")})
	for expect[*wire.PeerAck](c).Seq < seq {
	}
}

// record collects what a client tells its listeners.
type record struct {
	mu    sync.Mutex
	lines []string
}

func (r *record) add(parts ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, strings.Join(parts, " "))
}

func (r *record) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.lines...)
}

func (r *record) want(t testing.TB, lines ...string) {
	t.Helper()
	if got := r.all(); strings.Join(got, "|") != strings.Join(lines, "|") {
		t.Fatalf("got  %q\nwant %q", got, lines)
	}
}

func listen(c *Client) *record {
	r := &record{}
	c.OnConnectionStateChanged(func(s State, reason Reason) { r.add(s.String(), reason.String()) })
	c.OnTokenExpired(func() { r.add("token expired in", c.State().String()) })
	c.OnTokenWillExpire(func(left time.Duration) { r.add("token will expire in", left.String()) })
	c.OnMessage(func(m *Message, peer string) { r.add(peer, "says", m.Text()) })
	return r
}

func listenChannel(r *record, ch *Channel) {
	ch.OnMessage(func(m *Message, member string) { r.add(member, "says", m.Text(), "in", ch.ID()) })
	ch.OnMemberJoined(func(uid string) { r.add(uid, "joined", ch.ID()) })
	ch.OnMemberLeft(func(uid string) { r.add(uid, "left", ch.ID()) })
	ch.OnMemberCount(func(n int) { r.add(ch.ID(), "has", strings.Repeat("I", n)) })
}

// later runs f and returns a channel with its result, for calls that wait for the
// script.
func later[T any](f func() T) <-chan T {
	result := make(chan T, 1)
	go func() { result <- f() }()
	return result
}

func code(t testing.TB, err error, want wire.Code) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %s (%d)", err, want.Name, want.Number)
	}
}

func succeed(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pass lets d go by on the bubble's clock, and everything that it brings happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

// serverFrame wraps a payload of at most 125 bytes as a server's WebSocket frame.
func serverFrame(p []byte) []byte { return append([]byte{0x81, byte(len(p))}, p...) }
