package probe

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Conn is one WebSocket connection to a server. It is safe for concurrent use. What arrives goes to its inbox; the waits
// are in inbox.go, the requests in request.go.
type Conn struct {
	options  Options
	ws       *websocket.Conn
	link     *gatedConn
	response *http.Response
	inbox    inbox
	lastID   atomic.Int64
	autoAck  atomic.Bool
	done     chan struct{}
	workers  sync.WaitGroup

	writing sync.Mutex
}

// receiveLimit bounds one message from the server; the largest legal frame is far smaller.
const receiveLimit = 4 << 20

func newConn(ws *websocket.Conn, link *gatedConn, response *http.Response, options Options) *Conn {
	c := &Conn{options: options, ws: ws, link: link, response: response, done: make(chan struct{})}
	c.inbox.init(options.Actor)
	c.autoAck.Store(options.AutoAck)
	ws.SetReadLimit(receiveLimit)
	ws.SetPingHandler(c.receivePing)
	ws.SetPongHandler(c.receivePong)
	ws.SetCloseHandler(c.receiveClose)
	c.workers.Go(c.read)
	if options.AutoPing > 0 {
		c.workers.Go(c.keepAlive)
	}
	return c
}

// Actor returns the name of the connection in traces and errors.
func (c *Conn) Actor() string { return c.options.Actor }

// Trace returns the trace that the connection records to.
func (c *Conn) Trace() *Trace { return c.options.Trace }

// Response returns the header and status with which the server accepted the handshake.
func (c *Conn) Response() *http.Response { return c.response }

// AutoAck switches the acknowledgement of peer messages on or off. Off, messages that arrive stay unacknowledged until
// [Conn.Ack] is called.
func (c *Conn) AutoAck(on bool) { c.autoAck.Store(on) }

// PauseReading stops taking bytes from the socket, so that the server meets a slow consumer. Nothing that was not yet
// received reaches the inbox before [Conn.ResumeReading].
func (c *Conn) PauseReading() { c.link.pause(true) }

// ResumeReading undoes [Conn.PauseReading].
func (c *Conn) ResumeReading() { c.link.pause(false) }

// Close drops the connection without a closing handshake and waits until nothing of it runs any more. The server sees
// the end of the stream. It may be called again.
func (c *Conn) Close() error {
	err := c.link.Close()
	c.workers.Wait()
	return err
}

// Cut resets the connection, as a crash or a firewall would, and waits until nothing of it runs any more.
func (c *Conn) Cut() error {
	err := c.link.cut()
	c.workers.Wait()
	return err
}

func (c *Conn) read() {
	defer close(c.done)
	for {
		opcode, payload, err := c.ws.ReadMessage()
		if err != nil {
			c.end(err)
			return
		}
		if opcode != websocket.TextMessage {
			c.record(ToClient, describeBytes("binary", payload))
			c.inbox.broken(errors.New("the server sent a binary message"))
			continue
		}
		c.record(ToClient, string(payload))
		object, err := Decode(payload)
		if err != nil {
			c.inbox.broken(fmt.Errorf("%w: %s", err, shorten(redact(string(payload)), 200)))
			continue
		}
		object.At = time.Now()
		c.receive(object)
	}
}

func (c *Conn) receive(object Object) {
	if !c.inbox.put(object) {
		_ = c.link.Close()
		return
	}
	if seq, ok := object.Int("seq"); ok && object.Kind == "peer.message" && c.autoAck.Load() {
		// A failed write shows as the end of the connection.
		_ = c.Ack(seq)
	}
}

// end tells the inbox how the connection ended: with the code of the close frame, or 1006 when there was none.
func (c *Conn) end(err error) {
	var closed *websocket.CloseError
	if errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure {
		c.inbox.end(closed.Code, closed.Text, nil)
	} else {
		c.record(ToClient, "<end of connection>")
		c.inbox.end(websocket.CloseAbnormalClosure, "", err)
	}
	_ = c.link.Close()
}

func (c *Conn) receivePing(payload string) error {
	c.record(ToClient, describeBytes("ping", []byte(payload)))
	if c.options.AutoPong {
		_ = c.SendBytes(OpPong, []byte(payload))
	}
	return nil
}

func (c *Conn) receivePong(payload string) error {
	c.record(ToClient, describeBytes("pong", []byte(payload)))
	c.inbox.pong(payload)
	return nil
}

// receiveClose completes the closing handshake. It is the one thing a connection does unasked: a server that waits for
// it would hold up every spec about closing.
func (c *Conn) receiveClose(code int, reason string) error {
	c.record(ToClient, describeClose(code, reason))
	if code == websocket.CloseNoStatusReceived {
		_ = c.SendBytes(OpClose, nil)
	} else {
		_ = c.SendBytes(OpClose, ClosePayload(code, ""))
	}
	return nil
}

func (c *Conn) keepAlive() {
	ticker := time.NewTicker(c.options.AutoPing)
	defer ticker.Stop()
	for {
		select {
		case <-c.done:
			return
		case <-ticker.C:
			id := c.lastID.Add(1)
			c.inbox.discard(id)
			if c.SendJSON(F("kind", "ping"), F("id", id)) != nil {
				return
			}
		}
	}
}

func (c *Conn) record(direction Direction, payload string) {
	c.options.Trace.Record(c.options.Actor, direction, payload)
}

func describeClose(code int, reason string) string {
	if reason == "" {
		return fmt.Sprintf("<close %d>", code)
	}
	return fmt.Sprintf("<close %d %s>", code, reason)
}
