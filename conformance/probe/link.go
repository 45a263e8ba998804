package probe

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// rule says what happens to the messages of one direction that match: they are dropped, or held until it is removed.
type rule struct {
	direction Direction
	matcher   Matcher
	drop      bool
}

// link is one connection of the client with its connection to the server.
type link struct {
	tap            *Tap
	client, server *websocket.Conn
	pipes          map[Direction]*pipe
}

func newLink(tap *Tap, client, server *websocket.Conn) *link {
	l := &link{tap: tap, client: client, server: server}
	l.pipes = map[Direction]*pipe{
		ToServer: {tap: tap, direction: ToServer, from: client, to: server},
		ToClient: {tap: tap, direction: ToClient, from: server, to: client},
	}
	return l
}

// run passes messages on until both directions have ended, and closes both connections. When one side ends without a
// close frame, the other is ended too; after a close frame the other side is left to finish the closing handshake.
func (l *link) run() {
	var pumps sync.WaitGroup
	for _, pipe := range l.pipes {
		pumps.Go(func() {
			if !pipe.pump() {
				_ = l.client.Close()
				_ = l.server.Close()
			}
		})
	}
	pumps.Wait()
	_ = l.client.Close()
	_ = l.server.Close()
}

func (l *link) cut() {
	for _, conn := range []*websocket.Conn{l.client, l.server} {
		reset(conn.NetConn())
		_ = conn.Close()
	}
}

// pipe is one direction of a link.
type pipe struct {
	tap       *Tap
	direction Direction
	from, to  *websocket.Conn

	mu    sync.Mutex
	rules []*rule
	held  []heldMessage
}

type heldMessage struct {
	rule    *rule
	opcode  int
	payload []byte
}

const tapWriteTimeout = 10 * time.Second

// pump passes messages on and reports whether the sender ended with a close frame.
func (p *pipe) pump() bool {
	p.from.SetReadLimit(receiveLimit)
	p.from.SetPingHandler(func(payload string) error { return p.control(websocket.PingMessage, []byte(payload)) })
	p.from.SetPongHandler(func(payload string) error { return p.control(websocket.PongMessage, []byte(payload)) })
	p.from.SetCloseHandler(func(code int, reason string) error {
		p.record(describeClose(code, reason))
		return p.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
	})
	for {
		opcode, payload, err := p.from.ReadMessage()
		if err != nil {
			var closed *websocket.CloseError
			return errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure
		}
		if !p.pass(opcode, payload) {
			return false
		}
	}
}

func (p *pipe) control(opcode int, payload []byte) error {
	return p.to.WriteControl(opcode, payload, time.Now().Add(tapWriteTimeout))
}

// pass records a message and sends it on unless a rule or the rewriting keeps it. It reports whether the link still works.
func (p *pipe) pass(opcode int, payload []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	object, err := Decode(payload)
	if opcode != websocket.TextMessage || err != nil {
		object = Object{Raw: payload}
	}
	object.At = time.Now()
	if opcode == websocket.TextMessage {
		p.record(string(payload))
	} else {
		p.record(describeBytes("binary", payload))
	}
	if !p.tap.seen[p.direction].put(object) {
		return false
	}
	for _, rule := range p.rules {
		if !rule.matcher.match(object) {
			continue
		}
		if !rule.drop {
			p.held = append(p.held, heldMessage{rule, opcode, payload})
		}
		return true
	}
	return p.send(opcode, payload) == nil
}

func (p *pipe) send(opcode int, payload []byte) error {
	if rewrite := p.tap.options.Rewrite; rewrite != nil {
		var keep bool
		if payload, keep = rewrite(p.direction, payload); !keep {
			return nil
		}
	}
	return p.write(opcode, payload)
}

func (p *pipe) write(opcode int, payload []byte) error {
	_ = p.to.SetWriteDeadline(time.Now().Add(tapWriteTimeout))
	return p.to.WriteMessage(opcode, payload)
}

func (p *pipe) addRule(added *rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = append(p.rules, added)
}

// removeRule passes on what the rule held. A link that ended meanwhile loses it, as a network would.
func (p *pipe) removeRule(removed *rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rules = slices.DeleteFunc(p.rules, func(r *rule) bool { return r == removed })
	p.held = slices.DeleteFunc(p.held, func(message heldMessage) bool {
		if message.rule != removed {
			return false
		}
		_ = p.send(message.opcode, message.payload)
		return true
	})
}

func (p *pipe) record(payload string) {
	p.tap.options.Trace.Record(p.tap.options.Actor, p.direction, payload)
}
