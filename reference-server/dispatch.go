package refserver

import (
	"errors"
	"runtime/debug"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// handle handles one frame. What a session does happens under its turn, so that no
// frame of a connection takes effect after another one has taken the session over.
func (c *conn) handle(p []byte) {
	s := c.session
	if s == nil {
		c.apart(func() { c.decode(p) })
		return
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.conn != c {
		return
	}
	e := &c.burst.envelope
	if !wire.Scan(p, e) {
		c.apart(func() { c.decode(p) })
		return
	}
	switch e.Kind {
	case wire.KindPeerSend:
		c.peerSend(e.ID, e.To, e.Payload, e.Size)
	case wire.KindPeerAck:
		c.peerAck(e.Seq)
	case wire.KindChannelSend:
		c.channelSend(e.ID, e.Channel, e.Payload, e.Size)
	case wire.KindPing:
		c.pong(e.ID)
	default:
		c.close(wire.CloseBadFrame)
	}
}

// apart runs f on a goroutine of its own and waits for it. A goroutine keeps the stack
// that it has grown, and an idle connection must not keep the one of a JSON decoder or
// a token check.
func (c *conn) apart(f func()) {
	done := make(chan *defect)
	go func() {
		var found *defect
		defer func() {
			if value := recover(); value != nil {
				found = &defect{value, debug.Stack()}
			}
			done <- found
		}()
		f()
	}()
	if found := <-done; found != nil {
		panic(found)
	}
}

// defect is a panic that is passed on to another goroutine.
type defect struct {
	value any
	stack []byte
}

// decode handles a frame that is not traffic in canonical form.
func (c *conn) decode(p []byte) {
	f, err := wire.Decode(p)
	if err != nil {
		code := wire.CloseBadFrame
		var bad *wire.FrameError
		if errors.As(err, &bad) {
			code = bad.Close
		}
		c.srv.log.Debug("bad frame", "address", c.address, "err", err)
		c.close(code)
		return
	}
	switch f := f.(type) {
	case *wire.Login:
		c.login(f)
	case *wire.TokenRenew:
		switch {
		case f.Token == "":
			// The argument is checked before the session (rule 46).
			c.refuse(f.ID, wire.RenewInvalidArgument, "the token is empty; the old one stays in force")
		case c.inSession(f.ID, f):
			c.renew(f)
		}
	case *wire.Unknown:
		if f.ID != 0 {
			c.refuse(f.ID, wire.FrameUnknownKind, "this server does not know the request")
		}
	case *wire.PeerAck:
		switch {
		case c.session != nil:
			c.peerAck(f.Seq)
		case f.Seq > 0:
			c.close(wire.CloseBadFrame)
		}
	default:
		c.request(f)
	}
}

// request handles the requests that need a session.
func (c *conn) request(f wire.Frame) {
	switch f := f.(type) {
	case *wire.PeerSend:
		if c.inSession(f.ID, f) {
			c.peerSend(f.ID, []byte(f.To), f.Message.AppendPayload(nil), f.Message.Size())
		}
	case *wire.ChannelSend:
		if c.inSession(f.ID, f) {
			c.channelSend(f.ID, []byte(f.Channel), f.Message.AppendPayload(nil), f.Message.Size())
		}
	case *wire.ChannelJoin:
		if c.inSession(f.ID, f) {
			c.join(f)
		}
	case *wire.ChannelLeave:
		if c.inSession(f.ID, f) {
			c.leaveChannel(f)
		}
	case *wire.ChannelMembers:
		if c.inSession(f.ID, f) {
			c.members(f)
		}
	case *wire.ChannelCount:
		if c.inSession(f.ID, f) {
			c.count(f)
		}
	case *wire.Logout:
		if c.inSession(f.ID, f) {
			c.logout(f)
		}
	case *wire.Ping:
		if c.inSession(f.ID, f) {
			c.pong(f.ID)
		}
	default:
		// A kind that only servers send.
		c.close(wire.CloseBadFrame)
	}
}

// inSession reports whether the connection has a session, and refuses the request if
// it has none.
func (c *conn) inSession(id uint64, f wire.Frame) bool {
	if c.session != nil {
		return true
	}
	code, _ := wire.NotLoggedIn(f.Kind())
	c.refuse(id, code, "log in first")
	return false
}

// put queues a frame for the client.
func (c *conn) put(f wire.Frame) {
	u := c.burst
	u.batch.Scratch = f.Append(u.batch.Scratch[:0])
	u.batch.Put(&c.queue, u.batch.Scratch)
}

func (c *conn) putOK(answers wire.Kind, id uint64) {
	u := c.burst
	u.batch.Scratch = wire.AppendOK(u.batch.Scratch[:0], answers, id)
	u.batch.Put(&c.queue, u.batch.Scratch)
}

func (c *conn) refuse(id uint64, code wire.Code, message string) {
	c.srv.metrics.refused(code)
	c.put(wire.Refuse(id, code, message))
}

func (c *conn) pong(id uint64) {
	u := c.burst
	u.batch.Scratch = wire.AppendPong(u.batch.Scratch[:0], id)
	u.batch.Put(&c.queue, u.batch.Scratch)
}
