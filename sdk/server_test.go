package rtm_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	rtm "github.com/rtmkit/rtmkit/sdk"
)

const appID = "0123456789abcdef0123456789abcdef"

// cable is a reference server behind a listener in memory, whose links can be cut.
type cable struct {
	server *refserver.Server
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once

	mu    sync.Mutex
	links []net.Conn // the clients' ends
	down  bool
}

func newCable(t testing.TB, change ...func(*refserver.Config)) *cable {
	t.Helper()
	cfg := refserver.DefaultConfig()
	cfg.Limits.Calls = nil
	for _, f := range change {
		f(&cfg)
	}
	server, err := refserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{server: server, conns: make(chan net.Conn), closed: make(chan struct{})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(c)
	}()
	t.Cleanup(func() {
		_ = server.Shutdown(context.Background())
		<-served
	})
	return c
}

func (c *cable) Accept() (net.Conn, error) {
	select {
	case conn := <-c.conns:
		return conn, nil
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

func (c *cable) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

func (c *cable) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (c *cable) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	select {
	case c.conns <- far:
		c.links = append(c.links, near)
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.closed:
		return nil, net.ErrClosed
	}
}

// cut breaks every link, and keeps them broken while down.
func (c *cable) cut(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
	for _, link := range c.links {
		_ = link.Close()
	}
	c.links = nil
}

func (c *cable) restore() { c.cut(false) }

// client returns a client that is logged in as uid.
func (c *cable) client(t testing.TB, uid string) *rtm.Client {
	t.Helper()
	client, err := rtm.New(rtm.Config{URL: "ws://cable/rtm/v1", AppID: appID, Dial: c.dial, LoginInterval: -1,
		Backoff: rtm.Backoff{Min: 10 * time.Millisecond, Max: 100 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	if err := client.Login(context.Background(), uid, ""); err != nil {
		t.Fatal(err)
	}
	return client
}

// heard collects what a listener hears.
type heard struct {
	mu    sync.Mutex
	lines []string
}

func (h *heard) add(line string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, line)
}

func (h *heard) take() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	lines := h.lines
	h.lines = nil
	return lines
}

// pass lets d go by on the bubble's clock, and everything that it brings happen.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
