package refserver

import (
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// sweepInterval returns how often the server looks at its deadlines: a fraction of the
// shortest, so that nothing is late by more than a sixteenth of it.
func sweepInterval(c *Config) time.Duration {
	l := &c.Limits
	least := wire.Millis(l.LoginTimeoutMS)
	for _, ms := range []int64{l.SilenceMS, l.SessionGraceMS, l.AckTimeoutMS, l.TokenNoticeMS} {
		least = min(least, wire.Millis(ms))
	}
	return min(max(least/16, 5*time.Millisecond), 250*time.Millisecond)
}

// sweepUntilStopped looks at every deadline of every connection and session again and
// again: one goroutine instead of a timer for each of them.
func (s *Server) sweepUntilStopped() {
	defer close(s.swept)
	tick := time.NewTicker(sweepInterval(&s.cfg))
	defer tick.Stop()
	w := &sweep{burst: &burst{}}
	for {
		select {
		case <-s.ctx.Done():
			return
		case now := <-tick.C:
			w.run(s, now)
		}
	}
}

// sweep is the memory of the sweeping goroutine.
type sweep struct {
	burst    *burst
	conns    []*conn
	sessions []*session
}

func (w *sweep) run(s *Server, now time.Time) {
	s.mu.Lock()
	for c := range s.conns {
		if !c.logged.Load() {
			w.conns = append(w.conns, c)
		}
	}
	for _, u := range s.sessions {
		w.sessions = append(w.sessions, u)
	}
	s.mu.Unlock()

	at := s.elapsed(now)
	w.burst.batch.Now = now
	for _, c := range w.conns {
		if !c.ending.Load() && at-c.opened >= int64(wire.Millis(s.cfg.Limits.LoginTimeoutMS)) && !c.logged.Load() {
			c.shut(wire.CloseLoginTimeout)
		}
	}
	for _, u := range w.sessions {
		u.sweep(w.burst, at)
	}
	w.burst.batch.Flush()
	clear(w.conns)
	clear(w.sessions)
	w.conns, w.sessions = w.conns[:0], w.sessions[:0]
}

// sweep looks at the deadlines of one session at the time at.
func (s *session) sweep(u *burst, at int64) {
	limits := &s.srv.cfg.Limits
	s.mu.Lock()
	u.receipts = s.inbox.expired(at, u.receipts[:0])
	c, ended := s.conn, s.ended
	settled := ended && !s.inbox.waiting()
	gone := c == nil && s.graceOver(at)
	token := c != nil && s.tokenDue != 0 && u.batch.Now.UnixMilli() >= s.tokenDue
	s.mu.Unlock()
	u.answer()
	switch {
	case settled:
		s.srv.drop(s)
	case ended:
	case gone:
		s.expire(&u.batch, at)
	case c != nil && at-c.heard.Load() >= int64(wire.Millis(limits.SilenceMS)):
		s.silent(c)
	case token:
		s.tokenTick(&u.batch)
	}
}

// graceOver reports whether the session has been without contact for too long. Its
// mutex is held.
func (s *session) graceOver(at int64) bool {
	return !s.ended && !s.opening && at-s.contact >= int64(wire.Millis(s.srv.cfg.Limits.SessionGraceMS))
}

// silent closes a connection on which nothing came for too long.
func (s *session) silent(c *conn) {
	s.detach(c)
	c.shut(wire.CloseSilent)
}

// expire ends a session whose grace time is over.
func (s *session) expire(b *engine.Batch, at int64) {
	s.turn.Lock()
	defer s.turn.Unlock()
	s.mu.Lock()
	gone := s.conn == nil && s.graceOver(at)
	held := s.inbox.count
	s.mu.Unlock()
	if gone {
		s.srv.metrics.drops[dropSessionEnded].Add(uint64(held))
		s.end(b)
		s.srv.log.Debug("session expired", "app", s.app, "uid", s.uid)
	}
}

// tokenTick warns of the end of the token, or ends the session with it.
func (s *session) tokenTick(b *engine.Batch) {
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.conn == nil || !s.grant.EnforcedInSession {
		return
	}
	left := s.grant.ExpiresAt.Sub(b.Now)
	if left <= 0 {
		s.kick(b, wire.KickTokenExpired, wire.CloseTokenExpired)
		return
	}
	if left > wire.Millis(s.srv.cfg.Limits.TokenNoticeMS) {
		// Renewed in between.
		return
	}
	b.Put(&s.conn.queue, (&wire.TokenWillExpire{LeftMS: left.Milliseconds()}).Append(nil))
	s.mu.Lock()
	s.tokenDue = s.grant.ExpiresAt.UnixMilli()
	s.mu.Unlock()
}

// ban ends the session on behalf of the operator.
func (s *session) ban() bool {
	b := engine.Batch{Now: time.Now()}
	defer b.Flush()
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.over {
		return false
	}
	s.kick(&b, wire.KickBanned, wire.CloseBanned)
	return true
}
