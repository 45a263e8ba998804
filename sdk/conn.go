package rtm

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	dialTimeout  = 5 * time.Second // for the network connection, within the login timeout
	closeTimeout = time.Second     // for getting a close frame out
	readBytes    = 1 << 20         // the least bound on a frame of the server
)

// conn is one connection that has logged in. It carries frames both ways, keeps
// the link alive with pings and tells how it ended. It knows nothing of
// reconnecting and nothing of what the frames mean.
type conn struct {
	ws  *websocket.Conn
	net *batchConn

	writing sync.Mutex // the websocket package takes one writer at a time
	closing atomic.Bool
	buf     []byte // the frame being read

	pingEvery time.Duration
	patience  time.Duration // silence that means a lost link
	pingID    func() uint64
	watchdog  *time.Timer
	due       time.Time // when the watchdog meant to run
	pinged    time.Time
	paused    atomic.Bool // the reader does not read, so that silence means nothing
	silent    atomic.Bool // the watchdog gave the link up

	done   chan struct{} // closed when the connection has ended
	ending ending        // valid once done is closed
}

// ending is how a connection ended.
type ending struct {
	code   wire.CloseCode  // code is the server's close code, or zero.
	kicked wire.KickReason // kicked is the reason that login.kicked gave, or empty.
	at     time.Time       // at is when the link was lost: the last contact if it fell silent.
	err    error           // err is the cause for people.
}

// kickError is a login.kicked.
type kickError struct{ reason wire.KickReason }

func (e *kickError) Error() string { return "the server ended the session: " + string(e.reason) }

var errSilent = errors.New("nothing came for too long")

// handshakeError is an answer that no RTM server gives, so that asking again
// within the same login is in vain.
type handshakeError struct {
	what string
	err  error
}

func (e *handshakeError) Error() string {
	if e.err == nil {
		return e.what
	}
	return e.what + ": " + e.err.Error()
}

func (e *handshakeError) Unwrap() error { return e.err }

// open connects and logs in. What the server refuses is an *Error with FromServer.
func open(ctx context.Context, cfg *Config, login *wire.Login) (*conn, *wire.LoginOK, error) {
	c := &conn{done: make(chan struct{})}
	var stop func() bool
	dialer := websocket.Dialer{
		Subprotocols:      []string{wire.Subprotocol},
		ReadBufferSize:    4 << 10,
		WriteBufferSize:   4 << 10,
		NetDialContext:    c.dial(cfg, false, &stop),
		NetDialTLSContext: c.dial(cfg, true, &stop),
	}
	ws, resp, err := dialer.DialContext(ctx, cfg.URL, nil)
	if err == nil && ws.Subprotocol() != wire.Subprotocol {
		err = &handshakeError{what: "the server speaks WebSocket, but not " + wire.Subprotocol}
	}
	c.ws = ws
	var ok *wire.LoginOK
	if err == nil {
		ok, err = c.login(login)
	}
	// From here on the caller's context must not end the connection.
	if stop != nil && !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		if c.net != nil {
			_ = c.net.Close()
		}
		return nil, nil, explain(ctx, resp, err)
	}
	limits := effective(ok.Limits)
	c.patience = wire.Millis(limits.ReconnectThresholdMS)
	c.pingEvery = wire.Millis(limits.PingIntervalMS)
	if c.pingEvery >= c.patience {
		c.pingEvery = c.patience / 2 // silence counts only with a ping of one's own out
	}
	ws.SetReadLimit(max(int64(limits.FrameBytes), readBytes))
	return c, ok, nil
}

// dial returns the dialer for plain or TLS connections. The end of the context
// closes what it opened, until stop is called.
func (c *conn) dial(cfg *Config, secure bool, stop *func() bool) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		dialing, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		raw, err := cfg.Dial(dialing, network, addr)
		if err != nil {
			return nil, err
		}
		if secure {
			settings := cfg.TLS.Clone()
			if settings == nil {
				settings = new(tls.Config)
			}
			if settings.ServerName == "" {
				settings.ServerName, _, _ = net.SplitHostPort(addr)
			}
			settings.NextProtos = []string{"http/1.1"}
			secured := tls.Client(raw, settings)
			if err := secured.HandshakeContext(dialing); err != nil {
				_ = raw.Close()
				return nil, err
			}
			raw = secured
		}
		c.net = newBatchConn(raw)
		*stop = context.AfterFunc(ctx, func() { _ = c.net.Close() })
		return c.net, nil
	}
}

// login sends the login and reads its answer, which is the first frame that comes.
func (c *conn) login(login *wire.Login) (*wire.LoginOK, error) {
	c.ws.SetReadLimit(readBytes)
	if err := c.ws.WriteMessage(websocket.TextMessage, login.Append(nil)); err != nil {
		return nil, err
	}
	for {
		frame, err := c.next()
		if err != nil {
			return nil, err
		}
		answer, err := wire.Decode(frame)
		if err != nil {
			return nil, &handshakeError{"the server's answer to the login cannot be read", err}
		}
		switch f := answer.(type) {
		case *wire.LoginOK:
			if f.ID != login.ID || f.Session == "" {
				return nil, &handshakeError{what: "the server granted a login that was not asked for, or no session"}
			}
			return f, nil
		case *wire.Error:
			return nil, refusedByServer(wire.KindLogin, f)
		case *wire.LoginKicked:
			return nil, &kickError{f.Reason}
		}
	}
}

// explain turns what the dialer says into what a user can act on.
func explain(ctx context.Context, resp *http.Response, err error) error {
	var untrusted *tls.CertificateVerificationError
	var notTLS tls.RecordHeaderError
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, websocket.ErrBadHandshake) && resp != nil:
		what := fmt.Sprintf("the server answered %q to the WebSocket upgrade; check that it is an RTM server and that the path is %s",
			resp.Status, wire.Path)
		if resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests {
			return errors.New(what) // it may do better in a moment
		}
		return &handshakeError{what: what}
	case errors.As(err, &untrusted):
		return &handshakeError{"the server's certificate is not trusted; check Config.TLS and the host name", err}
	case errors.As(err, &notTLS):
		return &handshakeError{"the server does not speak TLS; check the scheme of Config.URL", err}
	}
	return err
}

// start begins to read. It calls handle with each frame, whose bytes are only valid
// during the call, and beforeRead when the input is used up; both on the reading
// goroutine. An error of handle ends the connection.
func (c *conn) start(pingID func() uint64, handle func(frame []byte) error, beforeRead func()) {
	c.pingID = pingID
	c.net.beforeRead = beforeRead
	c.writing.Lock()
	c.pinged = time.Now()
	c.due = c.pinged.Add(c.pingEvery)
	c.watchdog = time.AfterFunc(c.pingEvery, c.watch)
	c.writing.Unlock()
	go c.read(handle)
}

func (c *conn) read(handle func(frame []byte) error) {
	var err error
	for err == nil {
		var frame []byte
		if frame, err = c.next(); err == nil {
			err = handle(frame)
		}
	}
	c.end(err)
}

// next reads one frame into the connection's buffer.
func (c *conn) next() ([]byte, error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return nil, err
	}
	if kind != websocket.TextMessage {
		return nil, &wire.FrameError{Close: wire.CloseUnsupported, Reason: "a binary frame came"}
	}
	if cap(c.buf) > keepBytes {
		c.buf = nil
	}
	c.buf, err = appendAll(c.buf[:0], r)
	return c.buf, err
}

func appendAll(dst []byte, r io.Reader) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			dst = append(dst, make([]byte, max(512, len(dst)))...)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

// endingOf reads from an error how a connection ended.
func endingOf(err error) ending {
	e := ending{at: time.Now(), err: err}
	var closed *websocket.CloseError
	var kick *kickError
	switch {
	case errors.As(err, &kick):
		e.kicked = kick.reason
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure && closed.Code != websocket.CloseNoStatusReceived:
		e.code = wire.CloseCode(closed.Code)
	}
	return e
}

// end settles how the connection ended. Only the reading goroutine calls it.
func (c *conn) end(err error) {
	c.ending = endingOf(err)
	if c.silent.Load() {
		c.ending = ending{at: c.net.heard(), err: errSilent}
	}
	var bad *wire.FrameError
	switch {
	case c.silent.Load():
	case errors.As(err, &bad):
		c.close(bad.Close)
	case c.ending.kicked != "":
		c.close(wire.CloseNormal)
	default:
		c.finish() // the websocket package may have answered with a close frame
	}
	c.closing.Store(true)
	c.writing.Lock()
	c.watchdog.Stop()
	c.writing.Unlock()
	_ = c.net.Close()
	close(c.done)
}

// write sends a frame. It waits while too much is waiting to be sent.
func (c *conn) write(ctx context.Context, frame []byte) error {
	for room := c.net.full(); room != nil; room = c.net.full() {
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := c.add(frame)
	c.net.schedule()
	return err
}

// add puts a frame into the batch, which goes out at the reader's next read. It is
// for the reading goroutine, and does not block.
func (c *conn) add(frame []byte) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if c.closing.Load() || c.ws.WriteMessage(websocket.TextMessage, frame) != nil {
		return errLinkLost
	}
	return nil
}

// close ends the connection with a close frame, as far as the link takes it. The
// reading goroutine settles the rest; wait for done.
func (c *conn) close(code wire.CloseCode) {
	if c.closing.Swap(true) {
		return
	}
	c.writing.Lock()
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(int(code), code.String()), time.Now().Add(closeTimeout))
	c.writing.Unlock()
	c.finish()
	_ = c.net.Close()
}

// finish sends what is waiting, as far as the link takes it: a flush that is stuck,
// this one or another's, must not hold up the end.
func (c *conn) finish() {
	stuck := time.AfterFunc(closeTimeout, func() { _ = c.net.Conn.Close() })
	c.net.finish()
	stuck.Stop()
}

// pause runs f, during which the reading goroutine does not read.
func (c *conn) pause(f func()) {
	c.paused.Store(true)
	f()
	c.net.contact()
	c.paused.Store(false)
}

// watch runs when a ping may be due or the link may be lost.
func (c *conn) watch() {
	now := time.Now()
	late := now.Sub(c.due) > c.patience/4
	heard := c.net.heard()
	// A watchdog that itself ran late says that this process stood still; what the
	// server sent meanwhile has not been read yet.
	if !late && !c.paused.Load() && now.Sub(heard) >= c.patience {
		c.silent.Store(true)
		_ = c.net.Close()
		return
	}
	ping := earliest(heard, c.net.sent())
	if ping.Before(c.pinged) {
		ping = c.pinged
	}
	ping = ping.Add(c.pingEvery)
	if !now.Before(ping) {
		c.pinged = now
		var room [64]byte
		_ = c.add((&wire.Ping{ID: c.pingID()}).Append(room[:0]))
		c.net.schedule()
		ping = now.Add(c.pingEvery)
	}
	lost := heard.Add(c.patience)
	if !lost.After(now) {
		lost = now.Add(c.patience / 4)
	}
	c.due = earliest(ping, lost)
	c.writing.Lock()
	defer c.writing.Unlock()
	if !c.closing.Load() {
		c.watchdog.Reset(c.due.Sub(now))
	}
}

func earliest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
