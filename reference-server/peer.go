package refserver

import (
	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// peerSend routes a message to one user. It is answered when the receiver has
// acknowledged it, or at once when the receiver cannot be reached.
func (c *conn) peerSend(id uint64, to, payload []byte, size int) {
	s, u := c.session, c.burst
	if !wire.ValidID(to) {
		c.refuse(id, wire.PeerInvalidUserID, "the uid in to cannot be used")
		return
	}
	if len(payload) == 0 || size > c.srv.cfg.Limits.MessageBytes {
		c.refuse(id, wire.PeerInvalidMessage, invalidMessage(payload))
		return
	}
	if !c.allow(id, limitSend, wire.PeerTooOften) {
		return
	}
	u.counts.peer++
	fate, err := s.seat.Send(c.srv.ctx, &u.batch, to,
		engine.Peer{From: s.uid, Back: s, Request: id, Payload: payload})
	if err != nil {
		c.refuse(id, wire.PeerFailure, "the server could not route the message")
		return
	}
	if fate != engine.Pending {
		c.srv.metrics.fates[fate].Add(1)
		u.batch.Scratch = wire.AppendPeerSendOK(u.batch.Scratch[:0], id, false)
		u.batch.Put(&c.queue, u.batch.Scratch)
	}
}

// invalidMessage says why a message is refused.
func invalidMessage(payload []byte) string {
	if len(payload) == 0 {
		return "the frame needs either text or raw"
	}
	return "the message is over message_bytes"
}

// peerAck settles all peer messages up to seq.
func (c *conn) peerAck(seq uint64) {
	if !c.session.acknowledge(c.burst, seq) {
		c.close(wire.CloseBadFrame)
	}
}

// acknowledge settles the messages up to seq and answers their senders. It reports
// false for a seq that was never sent.
func (s *session) acknowledge(u *burst, seq uint64) bool {
	if !s.settle(u, seq) {
		return false
	}
	u.counts.acks += uint64(len(u.receipts))
	u.answer()
	return true
}

// settle moves the messages up to seq out of the inbox and their receipts to u.
func (s *session) settle(u *burst, seq uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq > s.inbox.sent {
		return false
	}
	u.receipts = s.inbox.acknowledge(seq, u.receipts[:0])
	return true
}

// refuse tells the senders of all that is not acknowledged that it was not received.
func (s *session) refuse(u *burst) {
	s.mu.Lock()
	u.receipts = s.inbox.refuse(u.receipts[:0])
	s.mu.Unlock()
	u.answer()
}

// delivered returns the seq of the last peer message that a connection was given: only
// such a one can have been received.
func (s *session) delivered() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inbox.sent
}

// answer sends the receipts that the burst has collected. No lock is held.
func (u *burst) answer() {
	for _, r := range u.receipts {
		r.back.Receipt(&u.batch, r.request, r.outcome)
	}
	clear(u.receipts)
	u.receipts = u.receipts[:0]
}

// putOutcome answers a peer.send. The session's mutex is held, so it is written
// without the burst of c, which belongs to another goroutine.
func (c *conn) putOutcome(b *engine.Batch, o outcome) {
	if o.outcome == engine.TimedOut {
		b.Put(&c.queue, wire.Refuse(o.request, wire.PeerTimeout,
			"the receiver did not acknowledge in time; whether it has the message is unknown").Append(nil))
		return
	}
	b.Scratch = wire.AppendPeerSendOK(b.Scratch[:0], o.request, o.outcome == engine.Received)
	b.Put(&c.queue, b.Scratch)
}
