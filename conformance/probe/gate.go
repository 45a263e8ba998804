package probe

import (
	"net"
	"sync"
)

// gatedConn is a network connection whose reading can be paused, so that the operating system's buffers fill up and the
// server meets a slow consumer.
type gatedConn struct {
	net.Conn

	mu     sync.Mutex
	change sync.Cond
	paused bool
	closed bool
}

func newGatedConn(conn net.Conn) *gatedConn {
	gated := &gatedConn{Conn: conn}
	gated.change.L = &gated.mu
	return gated
}

func (c *gatedConn) setReceiveBuffer(size int) error {
	if buffered, ok := c.Conn.(interface{ SetReadBuffer(bytes int) error }); ok && size > 0 {
		return buffered.SetReadBuffer(size)
	}
	return nil
}

// Read waits for the gate before and after the read, because a read that was under way when the gate closed must not
// hand over what it got.
func (c *gatedConn) Read(p []byte) (int, error) {
	c.wait()
	n, err := c.Conn.Read(p)
	c.wait()
	return n, err
}

func (c *gatedConn) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.paused && !c.closed {
		c.change.Wait()
	}
}

func (c *gatedConn) pause(paused bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = paused
	c.change.Broadcast()
}

// Close ends the connection and lets a paused reader go.
func (c *gatedConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.change.Broadcast()
	c.mu.Unlock()
	return c.Conn.Close()
}

// cut ends the connection with a reset, as a crashed machine or a firewall would.
func (c *gatedConn) cut() error {
	reset(c.Conn)
	return c.Close()
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = tcp.SetLinger(0)
	}
}
