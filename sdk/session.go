package rtm

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	heldBytes  = 1 << 20 // what may wait for a link, beyond it calls fail
	namesKept  = 1024    // uids whose strings are shared among messages
	rejoinWait = time.Second
)

// session is one logged-in session, from the login until logout, abort or close,
// over as many connections as it takes. It reconnects; see reconnect.go.
type session struct {
	c      *Client
	uid    string
	calls  *calls
	over   atomic.Bool // set under the lock
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when the session's goroutine is gone

	// Under the client's lock.
	id        string // the resume secret
	token     string // the token that last worked
	offered   string // a token that RenewToken has brought and no server accepted yet
	renewed   chan struct{}
	link      *conn    // nil during an outage
	outage    *outage  // nil while there is a link
	held      []framed // requests that wait for a link, in order
	heldBytes int
	goodbye   wire.CloseCode
	leaving   bool // Logout has begun and will end the session, whatever comes

	// Of the reading goroutine, and between connections of the session's own.
	peerSeq  uint64 // the last peer message received
	acked    uint64 // the last one acknowledged
	envelope wire.Envelope
	scratch  []byte
	names    map[string]string
}

// framed is the frame of a call.
type framed struct {
	id    uint64
	frame []byte
}

// newSession makes the session that the server granted. The client's lock is held.
func newSession(c *Client, uid, token string, calls *calls, link *conn, ok *wire.LoginOK) *session {
	s := &session{
		c: c, uid: uid, token: token, calls: calls, link: link, id: ok.Session,
		ended: make(chan struct{}), renewed: make(chan struct{}, 1),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// serve begins to read from link.
func (s *session) serve(link *conn) {
	link.start(s.calls.nextID,
		func(frame []byte) error { return s.handle(link, frame) },
		func() { s.acknowledge(link) })
}

// open enters a call and returns the link for it, nil during an outage. The
// client's lock is held.
func (s *session) open(k *call) *conn {
	s.calls.open(k)
	k.sent = s.link != nil
	if s.c.delivery.pausing.Load() {
		// The answer may stand behind what the reader does not read.
		s.c.delivery.wakeReader()
	}
	return s.link
}

// exchange sends the frame of call k, or holds it during an outage, and waits for
// the answer.
func (s *session) exchange(ctx context.Context, k *call, link *conn, h framed) answer {
	for {
		var err error
		if link != nil {
			err = link.write(ctx, h.frame)
		}
		if link != nil && err == nil {
			break
		}
		if link = s.hold(k, h, link, err); link == nil {
			break
		}
	}
	select {
	case a := <-k.answered:
		return a
	case <-ctx.Done():
	}
	s.c.mu.Lock()
	a := answer{err: cancelled(k.op, ctx, k.sent), sent: k.sent}
	if s.calls.drop(k, a) {
		s.c.mu.Unlock()
		return a
	}
	s.c.mu.Unlock()
	return <-k.answered
}

// hold keeps the frame of a call until there is a link (rule 87), unless there is
// one by now that has not been tried, which it returns. What is held in vain ends
// with its call's timeout.
func (s *session) hold(k *call, h framed, tried *conn, failure error) *conn {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.calls.waiting[h.id] != k {
		return nil // answered, or held already under another id
	}
	k.sent = k.repeated // the first one may have arrived
	switch {
	case failure != nil && failure != errLinkLost: // the caller's context
	case s.link != nil && s.link != tried:
		k.sent = true
		return s.link
	case s.heldBytes+len(h.frame) > heldBytes:
		s.calls.close(k, answer{err: failed(k.op, "nothing was sent: the link is lost and too much waits for it already; try again later", nil)})
	default:
		k.held = true
		s.holdLocked(h.id, append([]byte(nil), h.frame...))
	}
	return nil
}

func (s *session) holdLocked(id uint64, frame []byte) {
	s.held = append(s.held, framed{id, frame})
	s.heldBytes += len(frame)
}

// background makes a request whose answer nobody waits for. The client's lock is
// held; the frame must be written once it is not.
func (s *session) background(op wire.Kind, settle func(answer), encode func(dst []byte, id uint64) []byte) framed {
	k := &call{op: op, settle: settle}
	s.open(k)
	return framed{k.id, encode(nil, k.id)}
}

// end ends the session in state; the first call counts. The client's lock is held.
// The session's goroutine closes the link with goodbye.
func (s *session) end(state State, reason Reason, goodbye wire.CloseCode) {
	if s.over.Swap(true) {
		return
	}
	c := s.c
	c.session = nil
	s.goodbye = goodbye
	if s.outage != nil {
		s.outage.timer.Stop()
	}
	why := "the session ended (" + reason.String() + ") before the answer came"
	s.calls.fail(func(k *call) error {
		if !k.sent {
			return failed(k.op, why+"; nothing was sent", nil)
		}
		return failed(k.op, why+"; "+unknownOutcome, nil)
	})
	for _, ch := range c.channels {
		ch.state = outside
	}
	clear(c.channels)
	if reason == ReasonTokenExpired {
		c.delivery.push(event{kind: eventTokenExpired})
	}
	c.setState(state, reason)
	c.delivery.hold(false)
	s.cancel()
}

// handle takes one frame of the server. It runs on the reading goroutine.
func (s *session) handle(link *conn, p []byte) error {
	if s.over.Load() {
		return nil
	}
	e := &s.envelope
	if wire.Scan(p, e) {
		switch e.Kind {
		case wire.KindPeerMessage:
			s.peerMessage(e.Seq, e.From, e.TS, s.message(e))
		case wire.KindChannelMessage:
			s.channelMessage(e.Channel, e.From, e.Seq, e.TS, s.message(e))
		case wire.KindPeerSendOK:
			s.answer(wire.KindPeerSend, e.ID, answer{received: e.Received})
		case wire.KindChannelSendOK:
			s.answer(wire.KindChannelSend, e.ID, answer{})
		case wire.KindPong:
		default:
			return wrongWay(e.Kind)
		}
	} else {
		frame, err := wire.Decode(p)
		if err != nil {
			return err
		}
		if err := s.take(frame); err != nil {
			return err
		}
	}
	if s.c.delivery.bytes.Load() > softBytes {
		s.pause(link)
	}
	return nil
}

// take takes a frame that is not of the traffic, or not in canonical form.
func (s *session) take(frame wire.Frame) error {
	switch f := frame.(type) {
	case *wire.PeerMessage:
		s.peerMessage(f.Seq, []byte(f.From), f.TS, f.Message)
	case *wire.ChannelMessage:
		s.channelMessage([]byte(f.Channel), []byte(f.From), f.Seq, f.TS, f.Message)
	case *wire.PeerSendOK:
		s.answer(wire.KindPeerSend, f.ID, answer{received: f.Received})
	case *wire.OK:
		s.answer(f.Answers, f.ID, answer{})
	case *wire.ChannelJoinOK:
		s.answer(wire.KindChannelJoin, f.ID, answer{frame: f})
	case *wire.ChannelMembersOK:
		s.answer(wire.KindChannelMembers, f.ID, answer{frame: f})
	case *wire.ChannelCountOK:
		s.answer(wire.KindChannelCount, f.ID, answer{frame: f})
	case *wire.Error:
		s.refused(f)
	case *wire.ChannelMemberJoined:
		s.channelEvent(f.Channel, event{kind: eventMemberJoined, uid: f.UID})
	case *wire.ChannelMemberLeft:
		s.channelEvent(f.Channel, event{kind: eventMemberLeft, uid: f.UID})
	case *wire.ChannelMemberCount:
		s.channelEvent(f.Channel, event{kind: eventMemberCount, number: int64(f.Count)})
	case *wire.TokenWillExpire:
		s.c.delivery.push(event{kind: eventTokenWillExpire, number: f.LeftMS})
	case *wire.LoginKicked:
		return &kickError{f.Reason}
	case *wire.Pong, *wire.LoginOK, *wire.Unknown:
	default:
		return wrongWay(frame.Kind())
	}
	return nil
}

func wrongWay(kind wire.Kind) error {
	return &wire.FrameError{Close: wire.CloseBadFrame, Reason: "a server does not send " + string(kind)}
}

func (s *session) answer(op wire.Kind, id uint64, a answer) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if k := s.calls.waiting[id]; k != nil && k.op != op {
		a = answer{err: failed(k.op, "the server gave the answer to "+string(op)+"; "+unknownOutcome, nil)}
	}
	s.calls.answer(id, a)
}

func (s *session) refused(f *wire.Error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if k := s.calls.waiting[f.ID]; k != nil {
		s.calls.close(k, answer{err: refusedByServer(k.op, f)})
		return
	}
	s.c.cfg.Logger.Debug("rtm: an error without a request", "op", f.Op, "code", f.Code, "name", f.Name)
}

// peerMessage takes a peer message, each once: after a resume the server sends
// again what it has no acknowledgement for.
func (s *session) peerMessage(seq uint64, from []byte, ts int64, m wire.Message) {
	if seq <= s.peerSeq {
		return
	}
	s.peerSeq = seq
	if m.Type == wire.MessageInvalid {
		s.c.cfg.Logger.Warn("rtm: the server sent a peer message without content", "seq", seq)
		return
	}
	s.c.delivery.push(event{
		kind: eventPeerMessage, uid: s.name(from),
		message: &Message{payload: m, received: true, at: ts},
	})
}

// message decodes the payload of a scanned frame.
func (s *session) message(e *wire.Envelope) wire.Message {
	text, ok := e.AppendText(s.scratch[:0])
	if !ok {
		return e.Message()
	}
	if cap(text) <= keepBytes {
		s.scratch = text
	}
	return wire.TextMessage(string(text))
}

// acknowledge tells the server what has been received. It runs when the reading
// goroutine has used up its input, so that one acknowledgement covers a burst, and
// before the listeners have seen any of it.
func (s *session) acknowledge(link *conn) {
	if s.peerSeq > s.acked {
		s.acked = s.peerSeq
		s.scratch = wire.AppendPeerAck(s.scratch[:0], s.acked)
		_ = link.add(s.scratch)
	}
}

// pause stops reading while too much waits for the listeners. What has been
// received is acknowledged first.
func (s *session) pause(link *conn) {
	s.acknowledge(link)
	link.pause(func() {
		link.net.flush()
		s.c.delivery.pause(func() bool {
			return link.closing.Load() || s.calls.some() && s.c.delivery.bytes.Load() < hardBytes
		})
	})
}

// name returns uid as a string that messages of the same sender share.
func (s *session) name(uid []byte) string {
	if name, ok := s.names[string(uid)]; ok {
		return name
	}
	if s.names == nil || len(s.names) >= namesKept {
		s.names = map[string]string{}
	}
	name := string(uid)
	s.names[name] = name
	return name
}

// reasons maps what ends a session for good to what listeners hear.
var (
	kickReasons = map[wire.KickReason]Reason{
		wire.KickRemoteLogin:  ReasonRemoteLogin,
		wire.KickBanned:       ReasonBanned,
		wire.KickTokenExpired: ReasonTokenExpired,
	}
	closeReasons = map[wire.CloseCode]Reason{
		wire.CloseRemoteLogin:  ReasonRemoteLogin,
		wire.CloseBanned:       ReasonBanned,
		wire.CloseTokenExpired: ReasonTokenExpired,
		wire.CloseSuperseded:   ReasonRemoteLogin,
	}
)

// terminal tells whether the session cannot go on after this ending, and what
// listeners hear then. An ending for which the vendor API has no word, such as a
// frame that the server could not read, is INTERRUPTED.
func (e *ending) terminal() (Reason, bool) {
	if e.kicked != "" {
		if reason, ok := kickReasons[e.kicked]; ok {
			return reason, true
		}
		return ReasonInterrupted, true
	}
	if e.code == 0 || e.code.Policy() != wire.PolicyTerminal {
		return "", false
	}
	if reason, ok := closeReasons[e.code]; ok {
		return reason, true
	}
	return ReasonInterrupted, true
}
