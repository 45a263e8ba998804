package refserver_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testApp = "0123456789abcdef0123456789abcdef"

// testServer is a server behind a listener, on TCP or in memory.
type testServer struct {
	*refserver.Server
	t    testing.TB
	dial func() (net.Conn, error)
}

func configFor(change ...func(*refserver.Config)) refserver.Config {
	cfg := refserver.DefaultConfig()
	cfg.Limits.Calls = nil
	for _, f := range change {
		f(&cfg)
	}
	return cfg
}

// overTCP starts a server on the loopback.
func overTCP(t testing.TB, change ...func(*refserver.Config)) *testServer {
	t.Helper()
	srv, err := refserver.New(configFor(change...))
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(srv.Handler())
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		web.Close()
	})
	addr := web.Listener.Addr().String()
	return &testServer{srv, t, func() (net.Conn, error) { return net.Dial("tcp", addr) }}
}

// inMemory starts a server on pipes, for use inside a synctest bubble.
func inMemory(t testing.TB, change ...func(*refserver.Config)) *testServer {
	t.Helper()
	srv, err := refserver.New(configFor(change...))
	if err != nil {
		t.Fatal(err)
	}
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(l)
	}()
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		<-served
	})
	return &testServer{srv, t, l.dial}
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   atomic.Bool
}

func (l *pipeListener) dial() (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	if !l.once.Swap(true) {
		close(l.closed)
	}
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (s *testServer) dialContext(context.Context, string, string) (net.Conn, error) { return s.dial() }

var noDeadline time.Time

// client is a raw client: it sends text and reads frames.
type client struct {
	t   testing.TB
	ws  *websocket.Conn
	id  uint64
	uid string
	ok  *wire.LoginOK
}

func (s *testServer) connect() *client {
	s.t.Helper()
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, NetDialContext: s.dialContext}
	ws, resp, err := d.Dial("ws://server"+wire.Path, http.Header{})
	if err != nil {
		s.t.Fatalf("dial: %v %v", err, resp)
	}
	c := &client{t: s.t, ws: ws}
	s.t.Cleanup(func() { _ = ws.Close() })
	return c
}

// login connects and logs in.
func (s *testServer) login(uid string) *client {
	s.t.Helper()
	c := s.connect()
	c.login(&wire.Login{AppID: testApp, UID: uid})
	return c
}

func (c *client) login(f *wire.Login) {
	c.t.Helper()
	c.id++
	f.ID = c.id
	c.uid = f.UID
	c.send(f)
	c.ok = expect[*wire.LoginOK](c)
}

func (c *client) send(f wire.Frame) { c.t.Helper(); c.text(string(f.Append(nil))) }

func (c *client) text(s string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.TextMessage, []byte(s)); err != nil {
		c.t.Fatalf("%s writes: %v", c.uid, err)
	}
}

func (c *client) next() (wire.Frame, error) {
	_ = c.ws.SetReadDeadline(time.Now().Add(10 * time.Minute))
	_, p, err := c.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	f, err := wire.Decode(p)
	if err != nil {
		c.t.Errorf("the server sent a frame that cannot be decoded: %s: %v", p, err)
	}
	if got := string(f.Append(nil)); got != string(p) {
		c.t.Errorf("the server sent a frame that is not canonical: %s, canonical: %s", p, got)
	}
	return f, nil
}

// expect reads the next frame, which must be of type F.
func expect[F wire.Frame](c *client) F {
	c.t.Helper()
	f, err := c.next()
	if err != nil {
		c.t.Fatalf("%s reads: %v; expected %T", c.uid, err, *new(F))
	}
	got, ok := f.(F)
	if !ok {
		c.t.Fatalf("%s got %s; expected %T", c.uid, f.Append(nil), got)
	}
	return got
}

// refused reads the next frame, which must be the error code.
func (c *client) refused(code wire.Code) {
	c.t.Helper()
	f := expect[*wire.Error](c)
	if f.Op != code.Op || f.Code != code.Number || f.Name != code.Name || f.ID != c.id {
		c.t.Fatalf("%s got %s; expected %v", c.uid, f.Append(nil), code)
	}
}

// closedWith reads until the close, skipping frames, and checks its code and reason.
func (c *client) closedWith(code wire.CloseCode) {
	c.t.Helper()
	for {
		f, err := c.next()
		if err == nil {
			c.t.Logf("%s skips %.80s", c.uid, f.Append(nil))
			continue
		}
		closed, ok := err.(*websocket.CloseError)
		if !ok || closed.Code != int(code) || closed.Text != code.String() {
			c.t.Fatalf("%s: the connection ended with %v; expected %d %s", c.uid, err, int(code), code)
		}
		return
	}
}

// quiet proves that nothing waits for the client: the next frame answers a ping.
func (c *client) quiet() {
	c.t.Helper()
	c.id++
	c.send(&wire.Ping{ID: c.id})
	if f := expect[*wire.Pong](c); f.ID != c.id {
		c.t.Fatalf("%s: pong %d for ping %d", c.uid, f.ID, c.id)
	}
}

func (c *client) peerSend(to, text string) uint64 {
	c.t.Helper()
	c.id++
	c.send(&wire.PeerSend{ID: c.id, To: to, Message: wire.TextMessage(text)})
	return c.id
}

func (c *client) receipt(id uint64, received bool) {
	c.t.Helper()
	f := expect[*wire.PeerSendOK](c)
	if f.ID != id || f.Received != received {
		c.t.Fatalf("%s got %s; expected id %d, received %v", c.uid, f.Append(nil), id, received)
	}
}

// join joins a channel and reads the answer and the count.
func (c *client) join(channel string) *wire.ChannelJoinOK {
	c.t.Helper()
	return c.joinAfter(channel, 0)
}

func (c *client) joinAfter(channel string, after uint64) *wire.ChannelJoinOK {
	c.t.Helper()
	c.id++
	c.send(&wire.ChannelJoin{ID: c.id, Channel: channel, After: after})
	ok := expect[*wire.ChannelJoinOK](c)
	count := expect[*wire.ChannelMemberCount](c)
	if count.Channel != channel || count.Count != ok.Count {
		c.t.Fatalf("%s: count %s after join of %d", c.uid, count.Append(nil), ok.Count)
	}
	return ok
}

func (c *client) leave(channel string) {
	c.t.Helper()
	c.id++
	c.send(&wire.ChannelLeave{ID: c.id, Channel: channel})
	expect[*wire.OK](c)
}

func (c *client) channelSend(channel, text string) {
	c.t.Helper()
	c.id++
	c.send(&wire.ChannelSend{ID: c.id, Channel: channel, Message: wire.TextMessage(text)})
	expect[*wire.OK](c)
}

func appID(n int) string { return strings.Repeat(string(rune('a'+n)), 32) }

// bubble runs f against a server in memory, in virtual time.
func bubble(t *testing.T, f func(t *testing.T, s *testServer), change ...func(*refserver.Config)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, inMemory(t, change...)) })
}

func limits(change func(*wire.Limits)) func(*refserver.Config) {
	return func(c *refserver.Config) { change(&c.Limits) }
}

func callLimitsOn(c *refserver.Config) { c.Limits.Calls = wire.DefaultCalls() }

// drop cuts the link without a word.
func (c *client) drop() { _ = c.ws.NetConn().Close() }

// resume connects again and asks for the session back.
func (s *testServer) resume(old *client, peerSeq uint64, cursors ...wire.Cursor) *client {
	s.t.Helper()
	c := s.connect()
	c.id = old.id
	c.login(&wire.Login{AppID: testApp, UID: old.uid,
		Resume: &wire.Resume{Session: old.ok.Session, PeerSeq: peerSeq, Channels: cursors}})
	return c
}

// collect returns the frames that wait for the client, up to the answer to a ping.
func (c *client) collect() (frames []wire.Frame) {
	c.t.Helper()
	c.id++
	c.send(&wire.Ping{ID: c.id})
	for {
		f, err := c.next()
		if err != nil {
			c.t.Fatalf("%s reads: %v", c.uid, err)
		}
		if pong, ok := f.(*wire.Pong); ok && pong.ID == c.id {
			return frames
		}
		frames = append(frames, f)
	}
}

// stay lets time pass in a bubble while all clients keep contact, and returns what
// each of them got.
func stay(d time.Duration, clients ...*client) [][]wire.Frame {
	got := make([][]wire.Frame, len(clients))
	for end := time.Now().Add(d); ; time.Sleep(min(time.Second, time.Until(end))) {
		for i, c := range clients {
			got[i] = append(got[i], c.collect()...)
		}
		if !time.Now().Before(end) {
			return got
		}
	}
}

// of returns the frames of one type.
func of[F wire.Frame](frames []wire.Frame) (some []F) {
	for _, f := range frames {
		if f, ok := f.(F); ok {
			some = append(some, f)
		}
	}
	return some
}
