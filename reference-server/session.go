package refserver

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// session is a logged-in user. It outlives its connection by the grace time, and is
// what everything else is keyed by: a late cleanup of an old connection or session
// cannot touch the one that took its place.
type session struct {
	srv    *Server
	app    string
	uid    string
	id     sessionID
	secret [16]byte

	// turn orders what happens to the session: one frame, one attach, one end at a time.
	turn     sync.Mutex
	seat     engine.Seat
	channels map[string]engine.Membership
	calls    *calls // calls is nil where nothing is limited
	grant    token.Grant
	over     bool // over: the session has ended

	// mu guards what other sessions and the sweep touch. conn and ended are written under
	// turn and mu, so that either is enough to read them.
	mu       sync.Mutex
	conn     *conn // conn is nil while the link is lost
	opening  bool  // opening: the session has its uid and no connection yet
	ended    bool
	contact  int64 // contact is the last contact before the link was lost
	tokenDue int64 // tokenDue is when the token wants attention, in Unix milliseconds; zero for never
	inbox    inbox
	outcomes []outcome // outcomes are answers that wait for a resume
}

// sessionID finds a session; it is no secret.
type sessionID [8]byte

// outcome is the answer to a peer.send that could not be sent because the sender's
// link was lost or its connection is ending.
type outcome struct {
	request uint64
	outcome engine.Receipt
}

// maxOutcomes bounds the answers that wait for one session's resume.
const maxOutcomes = 4096

func (s *Server) newSession(app, uid string) *session {
	u := &session{srv: s, app: app, uid: uid, opening: true}
	// crypto/rand.Read does not fail.
	_, _ = rand.Read(u.id[:])
	_, _ = rand.Read(u.secret[:])
	return u
}

// name returns the value that login.ok carries and a resume repeats.
func (s *session) name() string {
	return hex.EncodeToString(s.id[:]) + hex.EncodeToString(s.secret[:])
}

// sessionNamed returns the session that name stands for, compared in constant time.
func (s *Server) sessionNamed(name string) *session {
	b, err := hex.DecodeString(name)
	if err != nil || len(b) != len(sessionID{})+16 {
		return nil
	}
	s.mu.Lock()
	u := s.sessions[sessionID(b[:8])]
	s.mu.Unlock()
	if u == nil || subtle.ConstantTimeCompare(u.secret[:], b[8:]) != 1 {
		return nil
	}
	return u
}

// Deliver takes a peer message for this session.
func (s *session) Deliver(b *engine.Batch, m engine.Peer) engine.Fate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return engine.Offline
	}
	if !s.inbox.fits(len(m.Payload), s.srv.cfg.InboxBytes) {
		s.srv.metrics.drops[dropInboxFull].Add(1)
		return engine.Full
	}
	live := s.opening || s.conn != nil && !s.conn.ending.Load()
	deadline := s.srv.elapsed(b.Now) + int64(wire.Millis(s.srv.cfg.Limits.AckTimeoutMS))
	frame := s.inbox.add(m, b.Now.UnixMilli(), deadline, !live)
	if !live {
		return engine.Held
	}
	if !s.opening {
		b.Put(&s.conn.queue, frame)
		s.inbox.sent = s.inbox.seq
	}
	return engine.Pending
}

// Receipt answers a peer.send of this session.
func (s *session) Receipt(b *engine.Batch, request uint64, r engine.Receipt) {
	s.srv.metrics.receipts[r].Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
	case s.conn != nil && !s.conn.ending.Load():
		s.conn.putOutcome(b, outcome{request, r})
	case len(s.outcomes) < maxOutcomes:
		s.outcomes = append(s.outcomes, outcome{request, r})
	default:
		s.srv.metrics.drops[dropOutcome].Add(1)
	}
}

// attach gives the session a connection: first the login.ok, then the answers and the
// peer messages that the client has missed. The turn is held.
func (s *session) attach(c *conn, ok *wire.LoginOK) {
	b := &c.burst.batch
	s.mu.Lock()
	defer s.mu.Unlock()
	c.put(ok)
	for _, o := range s.outcomes {
		c.putOutcome(b, o)
	}
	s.outcomes = nil
	for i := range s.inbox.count {
		b.Put(&c.queue, s.inbox.at(i).frame.bytes)
	}
	s.inbox.sent = s.inbox.seq
	s.conn, s.opening = c, false
}

// detach takes note that connection c has ended. The session goes into its grace time,
// counted from the last contact, unless it has another connection by now.
func (s *session) detach(c *conn) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.lose(c)
}

func (s *session) lose(c *conn) {
	if s.conn != c {
		return
	}
	s.mu.Lock()
	s.conn = nil
	s.contact = c.heard.Load()
	s.mu.Unlock()
}

// takeOver ends what the session has with its connection and returns the connection.
func (s *session) takeOver() *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conn
	s.conn = nil
	return c
}

// setGrant notes the token of the session. The turn is held.
func (s *session) setGrant(grant token.Grant) {
	s.grant = grant
	s.mu.Lock()
	s.tokenDue = 0
	if grant.EnforcedInSession {
		s.tokenDue = grant.ExpiresAt.UnixMilli() - s.srv.cfg.Limits.TokenNoticeMS
	}
	s.mu.Unlock()
}

// end ends the session: its channels are left, its uid is given back, and its
// connection is released and returned. What its inbox holds is settled by the caller
// or times out. The turn is held.
func (s *session) end(b *engine.Batch) *conn {
	s.over = true
	s.mu.Lock()
	c := s.conn
	s.conn, s.ended, s.opening = nil, true, false
	s.outcomes = nil
	s.mu.Unlock()
	for name, m := range s.channels {
		m.Leave(b)
		delete(s.channels, name)
	}
	if s.seat != nil {
		s.seat.Logout(b)
	}
	return c
}

// kick ends the session and tells its client why.
func (s *session) kick(b *engine.Batch, reason wire.KickReason, code wire.CloseCode) {
	if s.over {
		return
	}
	c := s.end(b)
	s.srv.log.Debug("session ended", "app", s.app, "uid", s.uid, "reason", reason)
	if c == nil {
		return
	}
	b.Put(&c.queue, (&wire.LoginKicked{Reason: reason}).Append(nil))
	c.closeThrough(b, code, code.String())
}

// Evict ends the session because a newer login has the uid.
func (s *session) Evict(b *engine.Batch) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.kick(b, wire.KickRemoteLogin, wire.CloseRemoteLogin)
}

// elapsed returns the time since the server's start, in nanoseconds.
func (s *Server) elapsed(t time.Time) int64 { return int64(t.Sub(s.start)) }
