package refserver

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	// loginFrameBytes bounds a frame before login, unless a resume may need more.
	loginFrameBytes = 16 << 10
	// tokenBytes and cursorBytes are what a resume needs for its token, names and the
	// like, and for each channel.
	tokenBytes  = 4 << 10
	cursorBytes = 128
	// ownInputBytes is the read buffer of a connection whose socket cannot do better.
	ownInputBytes = 4 << 10
	// lingerTimeout is how long a connection is read after its close frame went out, so
	// that the other side gets to read the frame.
	lingerTimeout = time.Second
	// closeTimeout is how long the last bytes and the close frame of a connection may take,
	// unless the announced silence is longer.
	closeTimeout = 5 * time.Second
)

// conn is one connection: a goroutine that reads and handles frames, and a queue. It
// is the net.Conn that the WebSocket library reads from, which is how it knows when
// its input is used up.
type conn struct {
	socket
	srv     *Server
	ws      *websocket.Conn
	queue   queue
	address netip.Addr

	heard   atomic.Int64 // heard is when bytes came last, in nanoseconds since the server's start
	ending  atomic.Bool  // ending: a close frame is queued; what comes in is not handled
	leave   atomic.Bool  // leave: the server drains; close when the input is used up
	logged  atomic.Bool  // logged: the connection has a session
	lingers atomic.Int64 // lingers is until when the connection is read after its close frame
	catchUp time.Time    // catchUp is until when a slow reader may read its close frame; guarded by queue.mu

	// The rest belongs to the reading goroutine.
	burst   *burst
	input   []byte // input is what has been received and not read yet
	own     []byte // own is the read buffer where the socket has none to lend
	session *session
	logins  meter

	opened int64 // opened is when the connection was made, in nanoseconds since the server's start
}

func (s *Server) newConn(nc net.Conn, address netip.Addr) *conn {
	c := &conn{srv: s, address: address}
	c.socket.open(nc)
	if c.raw == nil {
		c.own = make([]byte, ownInputBytes)
	}
	c.queue.sink = &c.socket
	c.queue.limit = s.cfg.QueueBytes
	c.queue.patience = max(closeTimeout, wire.Millis(s.cfg.Limits.SilenceMS))
	c.queue.overflowed = func() {
		c.ending.Store(true)
		c.catchUp = time.Now().Add(c.queue.patience)
		s.metrics.closed(wire.CloseSlowConsumer)
		s.metrics.drops[dropSlowConsumer].Add(1)
	}
	c.queue.finished = c.linger
	c.opened = s.elapsed(time.Now())
	c.heard.Store(c.opened)
	return c
}

// Read gives the WebSocket library bytes. When there are none left it settles what the
// handled ones have caused, and waits for more.
func (c *conn) Read(p []byte) (int, error) {
	if len(c.input) == 0 {
		c.settle()
		input, err := c.receive(c.own)
		for err != nil {
			if !c.woken(err) {
				return 0, err
			}
			c.settle()
			input, err = c.receive(c.own)
		}
		now := time.Now()
		c.heard.Store(c.srv.elapsed(now))
		c.input = input
		c.burst = bursts.Get().(*burst)
		c.burst.batch.Now = now
	}
	n := copy(p, c.input)
	c.input = c.input[n:]
	return n, nil
}

// woken reports whether err, of a read, is no end of the connection: a drain wakes the
// reading goroutine with a deadline in the past.
func (c *conn) woken(err error) bool {
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if until := c.lingers.Load(); until != 0 && c.srv.elapsed(time.Now()) >= until {
		return false
	}
	_ = c.Conn.SetReadDeadline(time.Time{})
	// The close frame may have gone out in between.
	if until := c.lingers.Load(); until != 0 {
		_ = c.Conn.SetReadDeadline(c.srv.start.Add(time.Duration(until)))
	}
	return true
}

// wake makes the reading goroutine look at leave.
func (c *conn) wake() {
	c.leave.Store(true)
	_ = c.Conn.SetReadDeadline(time.Unix(1, 0))
}

// settle flushes what the reading goroutine owes and gives its memory back.
func (c *conn) settle() {
	if c.leave.Load() {
		c.close(wire.CloseDraining)
	}
	u := c.burst
	if u == nil {
		return
	}
	c.burst = nil
	c.release()
	if owed := u.batch.Owed(); owed > 0 {
		c.srv.pace.yield(owed, u.batch.Now)
		u.batch.Flush()
	}
	c.srv.metrics.add(&u.counts)
	u.counts = counts{}
	u.drop()
}

// Write takes what the WebSocket library writes by itself: the handshake, pongs, and
// close frames, which become the connection's own.
func (c *conn) Write(p []byte) (int, error) {
	switch {
	case c.burst == nil:
		if c.queue.putRaw(p) {
			c.queue.Flush()
		}
	case p[0] == opClose && len(p) >= 4:
		code := wire.CloseCode(p[2])<<8 | wire.CloseCode(p[3])
		reason := string(p[4:])
		if reason == "" {
			reason = code.String()
		}
		c.closeWith(code, reason)
	default:
		if c.queue.putRaw(p) {
			c.burst.batch.Owe(&c.queue)
		}
	}
	return len(p), nil
}

// SetWriteDeadline does nothing: the library sets deadlines for writes of its own,
// which never wait here.
func (c *conn) SetWriteDeadline(time.Time) error { return nil }

// close queues the close frame for code, behind everything else; its reason is the
// name of the code. It is called by the reading goroutine.
func (c *conn) close(code wire.CloseCode) { c.closeWith(code, code.String()) }

func (c *conn) closeWith(code wire.CloseCode, reason string) {
	if c.burst != nil {
		c.closeThrough(&c.burst.batch, code, reason)
		return
	}
	c.shut(code)
}

// shut is close for every other goroutine than the reading one.
func (c *conn) shut(code wire.CloseCode) {
	var b engine.Batch
	c.closeThrough(&b, code, code.String())
	b.Flush()
}

// closeThrough queues the close frame as output of batch b.
func (c *conn) closeThrough(b *engine.Batch, code wire.CloseCode, reason string) {
	// First of all, because a closed queue drops what others put: who sees that the
	// connection ends keeps it for a resume.
	c.ending.Store(true)
	owed, first := c.queue.close(code, reason)
	if first {
		c.srv.metrics.closed(code)
	}
	if owed {
		b.Owe(&c.queue)
	}
}

// echo answers the client's close frame. The client chose the code, so it is not
// counted by code.
func (c *conn) echo(code wire.CloseCode) {
	c.ending.Store(true)
	if owed, _ := c.queue.close(code, code.String()); owed {
		c.burst.batch.Owe(&c.queue)
	}
}

// linger bounds how long the connection is still read: the close frame is out, or the
// socket is broken. For a slow reader the frame is out when the socket has taken it, and
// much may stand before it there.
func (c *conn) linger() {
	c.ending.Store(true)
	until := time.Now().Add(lingerTimeout)
	if until.Before(c.catchUp) {
		until = c.catchUp
	}
	c.lingers.Store(c.srv.elapsed(until))
	_ = c.Conn.SetReadDeadline(until)
}

// serve reads and handles frames until the connection ends.
func (c *conn) serve() {
	defer c.end()
	defer c.survive()
	c.ws.SetReadLimit(max(loginFrameBytes, tokenBytes+cursorBytes*int64(c.srv.cfg.Limits.Channels)))
	c.ws.SetCloseHandler(func(code int, _ string) error {
		if code == websocket.CloseNoStatusReceived {
			code = websocket.CloseNormalClosure
		}
		c.echo(wire.CloseCode(code))
		return nil
	})
	for {
		kind, r, err := c.ws.NextReader()
		if err == nil {
			err = c.fill(r)
		}
		if err != nil {
			if c.ending.Load() && !ended(err) {
				c.discard()
			}
			return
		}
		switch {
		case c.ending.Load():
		case kind != websocket.TextMessage:
			c.close(wire.CloseUnsupported)
		default:
			c.burst.counts.frames++
			c.handle(c.burst.frame)
		}
	}
}

// survive keeps a defect that one client has found from ending the server for all.
func (c *conn) survive() {
	if value := recover(); value != nil {
		found, ok := value.(*defect)
		if !ok {
			found = &defect{value, debug.Stack()}
		}
		c.srv.log.Error("a defect ended a connection", "address", c.address, "panic", found.value, "stack", string(found.stack))
		c.close(wire.CloseInternal)
		c.discard()
	}
}

// fill reads one message into the burst's frame.
func (c *conn) fill(r io.Reader) error {
	// Reading may block, and then the burst changes; the frame moves along.
	frame := c.burst.frame[:0]
	c.burst.frame = nil
	for {
		if len(frame) == cap(frame) {
			frame = slices.Grow(frame, max(1<<10, cap(frame)))
		}
		n, err := r.Read(frame[len(frame):cap(frame)])
		frame = frame[:len(frame)+n]
		if err == io.EOF {
			c.burst.frame = frame
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// ended reports whether err says that nothing more can be read.
func ended(err error) bool {
	var closed *websocket.CloseError
	var network net.Error
	return errors.As(err, &closed) || errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed)
}

// discard reads on without understanding, until the other side or the deadline ends
// it, so that the close frame is not lost to a reset.
func (c *conn) discard() {
	var p [512]byte
	for {
		if _, err := c.Read(p[:]); err != nil {
			return
		}
	}
}

// end releases what the connection holds. The session, if it still is this
// connection's, goes into its grace time.
func (c *conn) end() {
	if c.session != nil {
		c.session.detach(c)
	}
	c.settle()
	c.queue.await(c.queue.patience)
	c.queue.kill()
	_ = c.Conn.Close()
	c.srv.forget(c)
}
