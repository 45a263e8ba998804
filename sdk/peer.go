package rtm

import (
	"context"
	"sync"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Receipt tells what became of a message to a user.
type Receipt struct {
	// HasPeerReceived is true only after the receiving client acknowledged the
	// message. It is false when the server has the message and the receiver cannot
	// be reached (rules 94, 95).
	HasPeerReceived bool
}

// SendToPeer sends m to one user, who need not be known in any way (rule 93), and
// waits for the receipt. Messages to one user arrive in the order of the calls
// while both links last. During an outage the message is held and sent after the
// reconnect (rule 87); a receipt may also come over the next link.
//
// Codes, checked in this order: wire.PeerInvalidMessage (7) for what is no message,
// is larger than the announced size or was received, wire.PeerNotLoggedIn (102),
// wire.PeerInvalidUserID (6); then wire.PeerTimeout (2) without a receipt within
// Config.SendTimeout, which leaves the outcome unknown, wire.PeerTooOften (5) and
// wire.PeerFailure (1). When ctx ends the error wraps its cause and says whether
// the message may have been sent.
func (c *Client) SendToPeer(ctx context.Context, peer string, m *Message) (Receipt, error) {
	const op = wire.KindPeerSend
	if err := m.check(wire.PeerInvalidMessage, c.limits.Load().MessageBytes); err != nil {
		return Receipt{}, err
	}
	c.mu.Lock()
	s, err := c.live(op)
	if err == nil && !wire.ValidID(peer) {
		err = refuse(wire.PeerInvalidUserID, "%q is no user id: %v", clip(peer), wire.CheckID(peer))
	}
	if err == nil && ctx.Err() != nil {
		err = cancelled(op, ctx, false)
	}
	if err != nil {
		c.mu.Unlock()
		return Receipt{}, err
	}
	k := s.calls.make(op)
	link := s.open(k)
	c.mu.Unlock()

	buf := framePool.Get().(*[]byte)
	send := wire.PeerSend{ID: k.id, To: peer, Message: m.payload}
	*buf = send.Append((*buf)[:0])
	a := s.transmit(ctx, k, link, buf)
	return Receipt{HasPeerReceived: a.received}, a.err
}

var framePool = sync.Pool{New: func() any { return new([]byte) }}

// transmit sends the frame of a message, waits for the answer and frees both.
func (s *session) transmit(ctx context.Context, k *call, link *conn, buf *[]byte) answer {
	a := s.exchange(ctx, k, link, framed{k.id, *buf})
	s.calls.free(k)
	framePool.Put(buf)
	return a
}
