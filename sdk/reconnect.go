package rtm

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// outage is the time from the loss of a link to the next one.
type outage struct {
	timer *time.Timer   // until the loss is worth a word
	said  chan struct{} // closed when the state is RECONNECTING
	told  bool          // TokenExpired has been emitted
}

// run is the session's goroutine: it waits for the end of each link and brings the
// next one, until the session is over.
func (s *session) run(link *conn) {
	defer close(s.ended)
	p := newPauses(s.c.cfg.Backoff)
	for {
		since := time.Now()
		select {
		case <-link.done:
		case <-s.ctx.Done():
			link.close(s.goodbye)
			s.c.delivery.wakeReader()
			<-link.done
			return
		}
		e := &link.ending
		if time.Since(since) >= stableAfter {
			p.reset()
		}
		if s.aborted(e) {
			return
		}
		s.c.cfg.Logger.Info("rtm: link lost", "uid", s.uid, "code", e.code.String(), "cause", e.err)
		s.lost(e)
		if s.isLeaving() {
			// A server closes behind its answer to a logout; a login now would bring the
			// user back.
			<-s.ctx.Done()
			return
		}
		if link = s.reconnect(e, &p); link == nil {
			return
		}
	}
}

func (s *session) isLeaving() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.leaving
}

// aborted ends the session if e is terminal.
func (s *session) aborted(e *ending) bool {
	reason, terminal := e.terminal()
	if terminal {
		s.c.mu.Lock()
		s.end(Aborted, reason, wire.CloseNormal)
		s.c.mu.Unlock()
	}
	return terminal
}

// lost begins an outage. Messages without an answer keep waiting, because their
// receipt may come after the resume; requests that may be made twice are held, to
// be made again.
func (s *session) lost(e *ending) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.over.Load() {
		return
	}
	s.link = nil
	for _, k := range s.calls.inOrder() {
		switch {
		case k.op == wire.KindLogout:
			s.calls.close(k, answer{err: errLinkLost})
		case k.answered == nil:
			s.calls.take(k) // restoring the session does its work
		case k.again != nil:
			s.calls.rename(k)
			s.holdLocked(k.id, k.again(nil, k.id))
		}
	}
	select {
	case <-s.renewed:
	default:
	}
	o := &outage{said: make(chan struct{})}
	s.outage = o
	threshold := wire.Millis(s.c.limits.Load().ReconnectThresholdMS)
	o.timer = time.AfterFunc(time.Until(e.at.Add(threshold)), func() { s.say(o) })
}

// say tells that the link has been lost for longer than the threshold (rule 77).
func (s *session) say(o *outage) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.outage == o && !s.over.Load() {
		s.c.setState(Reconnecting, ReasonInterrupted)
		close(o.said)
	}
}

// reconnect retries without limit (rule 78) and returns the new link, or nil when
// the session is over.
func (s *session) reconnect(lost *ending, p *pauses) *conn {
	var bad *wire.FrameError
	if lost.code.Policy() == wire.PolicyRetryLater || errors.As(lost.err, &bad) {
		p.later()
	}
	for {
		pause := time.NewTimer(p.next())
		select {
		case <-pause.C:
		case <-s.ctx.Done():
			pause.Stop()
			return nil
		}
		link, ok, token, err := s.attempt()
		if err == nil {
			return s.restore(link, ok)
		}
		e := endingOf(err)
		if s.ctx.Err() != nil || s.aborted(&e) {
			return nil
		}
		s.c.cfg.Logger.Info("rtm: cannot reconnect yet", "uid", s.uid, "attempt", p.attempt, "cause", err)
		switch code, _ := CodeOf(err); {
		case code == wire.LoginTokenExpired || code == wire.LoginInvalidToken:
			if !s.renew(code, token, p) {
				return nil
			}
		case e.code.Policy() == wire.PolicyRetryLater || code == wire.LoginTooOften:
			p.later()
		}
	}
}

// attempt logs in once more and asks for the session back. It also returns the
// token that it used.
func (s *session) attempt() (*conn, *wire.LoginOK, string, error) {
	c := s.c
	c.mu.Lock()
	login := &wire.Login{
		ID: s.calls.nextID(), AppID: c.cfg.AppID, UID: s.uid, Token: s.token,
		Resume: &wire.Resume{Session: s.id, PeerSeq: s.peerSeq},
	}
	if s.offered != "" {
		login.Token = s.offered
	}
	for _, ch := range s.joined() {
		login.Resume.Channels = append(login.Resume.Channels, wire.Cursor{Channel: ch.id, Seq: ch.cursor})
	}
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, c.cfg.LoginTimeout)
	defer cancel()
	link, ok, err := open(ctx, &c.cfg, login)
	return link, ok, login.Token, err
}

// renew acts on a token that the server refused at a reconnect, and reports
// whether to try again. A token from RenewToken is taken back. When the session's
// own token has expired, listeners hear of it once, in RECONNECTING, and the
// session waits for RenewToken (rules 41, 44, 89). Any other refusal may be the
// server's, so the session keeps trying.
func (s *session) renew(refusal wire.Code, refused string, p *pauses) bool {
	c := s.c
	c.mu.Lock()
	o, offered := s.outage, s.offered
	if offered == refused {
		s.offered = ""
		code := wire.RenewInvalidToken
		if refusal == wire.LoginTokenExpired {
			code = wire.RenewTokenExpired
		}
		for _, k := range s.calls.inOrder() {
			if k.op == wire.KindTokenRenew {
				s.calls.close(k, answer{err: &Error{Op: code.Op, Code: code, FromServer: true, Message: next(code)}})
			}
		}
	}
	c.mu.Unlock()
	if offered == "" && refusal != wire.LoginTokenExpired {
		return true
	}
	p.reset() // the next attempt is one that the user's token has earned
	if offered != "" {
		return true
	}
	select {
	case <-o.said:
	case <-s.renewed:
		return true
	case <-s.ctx.Done():
		return false
	}
	if !o.told {
		o.told = true
		c.delivery.push(event{kind: eventTokenExpired})
	}
	select {
	case <-s.renewed:
		return true
	case <-s.ctx.Done():
		return false
	}
}

// restore takes up the session over a new link: it joins the channels again that
// the server does not have, and sends what was held. It returns the link, or nil
// if the session is over.
func (s *session) restore(link *conn, ok *wire.LoginOK) *conn {
	c := s.c
	c.mu.Lock()
	if s.over.Load() {
		c.mu.Unlock()
		link.close(s.goodbye)
		return nil
	}
	s.outage.timer.Stop()
	s.outage = nil
	s.id = ok.Session
	limits := effective(ok.Limits)
	c.limits.Store(&limits)
	if s.offered != "" {
		s.token, s.offered = s.offered, ""
	}
	rejoin := s.joined()
	if ok.Resumed {
		rejoin = slices.DeleteFunc(rejoin, func(ch *Channel) bool { return !slices.Contains(ok.Missing, ch.id) })
	} else {
		s.peerSeq = 0
		s.forget()
	}
	s.acked = s.peerSeq
	held := s.held
	s.held = nil
	for _, ch := range rejoin {
		s.held = append(s.held, s.rejoin(ch))
	}
	s.held = append(s.held, held...)
	if c.state == Reconnecting {
		c.setState(Connected, ReasonLoginSuccess)
	}
	c.mu.Unlock()
	c.cfg.Logger.Info("rtm: link restored", "uid", s.uid, "resumed", ok.Resumed, "rejoined", len(rejoin))
	s.serve(link)
	s.release(link)
	return link
}

// release sends what is held and only then lets new calls use the link, so that
// nothing overtakes.
func (s *session) release(link *conn) {
	for {
		s.c.mu.Lock()
		held := s.held
		s.held, s.heldBytes = nil, 0
		if len(held) == 0 {
			s.link = link
			s.c.mu.Unlock()
			return
		}
		held = slices.DeleteFunc(held, func(h framed) bool {
			k := s.calls.waiting[h.id]
			if k != nil {
				k.sent = true
			}
			return k == nil
		})
		s.c.mu.Unlock()
		for i, h := range held {
			if link.write(s.ctx, h.frame) != nil {
				s.holdAgain(held[i:])
				return
			}
		}
	}
}

// holdAgain puts frames back that a link did not take. The loss of that link is
// dealt with by the session's goroutine.
func (s *session) holdAgain(rest []framed) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for _, h := range rest {
		if k := s.calls.waiting[h.id]; k != nil {
			k.sent = k.repeated
			s.heldBytes += len(h.frame)
		}
	}
	s.held = append(slices.Clone(rest), s.held...)
}

// forget ends the calls whose answer died with the old session. The lock is held.
func (s *session) forget() {
	for _, k := range s.calls.inOrder() {
		if k.sent && k.again == nil {
			s.calls.close(k, answer{err: &Error{Op: k.op, Code: timeouts[k.op],
				Message: "the server lost the session before the answer came; " + unknownOutcome}})
		}
	}
}

// joined returns the channels that the session is in, by id. The lock is held.
func (s *session) joined() []*Channel {
	var list []*Channel
	for _, ch := range s.c.channels {
		if ch.state == joined {
			list = append(list, ch)
		}
	}
	slices.SortFunc(list, func(a, b *Channel) int { return strings.Compare(a.id, b.id) })
	return list
}

// rejoin makes the request that joins ch again, from where it was. The lock is held.
func (s *session) rejoin(ch *Channel) framed {
	return s.background(wire.KindChannelJoin,
		func(a answer) { s.rejoined(ch, a) },
		func(dst []byte, id uint64) []byte {
			return (&wire.ChannelJoin{ID: id, Channel: ch.id, After: ch.cursor}).Append(dst)
		})
}

// rejoined takes the answer to a rejoin. The lock is held.
func (s *session) rejoined(ch *Channel, a answer) {
	if s.over.Load() || s.c.channels[ch.id] != ch || ch.state != joined {
		return
	}
	var e *Error
	switch {
	case a.err == nil:
		// A server that has forgotten the channel counts afresh.
		if f, ok := a.frame.(*wire.ChannelJoinOK); ok && f.Seq < ch.cursor {
			ch.cursor = f.Seq
		}
	case errors.Is(a.err, wire.JoinAlready):
	case errors.As(a.err, &e) && e.FromServer && e.Code != wire.JoinTooOften && e.Code != wire.JoinSameTooOften && e.Code != wire.JoinFailure:
		s.c.cfg.Logger.Warn("rtm: cannot join the channel again after an outage", "channel", ch.id, "cause", a.err)
		ch.free()
	default:
		time.AfterFunc(rejoinWait, func() { s.rejoinLater(ch) })
	}
}

func (s *session) rejoinLater(ch *Channel) {
	s.c.mu.Lock()
	link := s.link
	if link == nil || s.over.Load() || s.c.channels[ch.id] != ch || ch.state != joined {
		s.c.mu.Unlock()
		return
	}
	h := s.rejoin(ch)
	s.c.mu.Unlock()
	_ = link.write(s.ctx, h.frame)
}
