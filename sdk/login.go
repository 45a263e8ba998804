package rtm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// login is a Login at work.
type login struct {
	hurry context.CancelFunc // makes the login stop waiting for listeners
	done  chan struct{}      // closed when it has ended
	err   error              // valid once done is closed
}

// wait waits for the end of the login with the lock released, or for ctx.
func (l *login) wait(mu *sync.Mutex, ctx context.Context) {
	mu.Unlock()
	// A listener may be who waits, and the login must not wait for it in turn.
	l.hurry()
	select {
	case <-l.done:
	case <-ctx.Done():
	}
	mu.Lock()
}

var errLoginTimeout = errors.New("login timeout")

// Login starts a session for uid. An empty token means none (rule 30). It is
// possible only in [Disconnected]; after a login that failed it may be called again
// at once, and after a Logout as another user (rules 51, 60, 64). The state becomes
// [Connecting] before anything else happens, and its listeners, like those of the
// state in which the login ends, have run when Login returns, unless a listener of
// this client is who calls it or ctx has ended.
//
// While the server cannot be reached the client retries until Config.LoginTimeout.
// Once logged in it reconnects by itself; see the package documentation.
//
// Codes, checked in this order: wire.LoginInvalidArgument (3) for a bad uid,
// wire.LoginTooOften (10) within Config.LoginInterval of the last attempt,
// wire.LoginAlready (8) in any other state than Disconnected; then
// wire.LoginTimeout (9), the server's wire.LoginInvalidAppID (4),
// wire.LoginInvalidToken (5) and wire.LoginTokenExpired (6), and wire.LoginUnknown
// (1) when what answers is no RTM server. When ctx ends the login is given up; if
// the server had just granted it, the user stays online there for the grace time.
func (c *Client) Login(ctx context.Context, uid, token string) error {
	if err := wire.CheckID(uid); err != nil {
		return refuse(wire.LoginInvalidArgument, "%q is no user id: %v", clip(uid), err)
	}
	if ctx.Err() != nil {
		return cancelled(wire.KindLogin, ctx, false)
	}
	hurried, hurry := context.WithCancel(ctx)
	defer hurry()
	l := &login{hurry: hurry, done: make(chan struct{})}
	if err := c.beginLogin(l, uid); err != nil {
		return err
	}
	c.delivery.settle(hurried)
	l.err = c.runLogin(ctx, uid, token)
	close(l.done)
	c.delivery.settle(ctx)
	return l.err
}

func (c *Client) beginLogin(l *login, uid string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	switch since := now.Sub(c.lastLogin); {
	case c.closed:
		return &Error{Op: wire.KindLogin, Code: wire.LoginUnknown, Message: "make a new client", Err: errClosed}
	case !c.lastLogin.IsZero() && since < c.cfg.LoginInterval:
		return refuse(wire.LoginTooOften, "the last attempt was %v ago; wait until it is %v ago", since, c.cfg.LoginInterval)
	case c.state == Aborted:
		return refuse(wire.LoginAlready, "the server ended the last session; call Logout first")
	case c.state != Disconnected:
		return refuse(wire.LoginAlready, "%q is logged in or logging in; call Logout first", c.uid)
	}
	c.lastLogin = now
	c.login = l
	c.uid = uid
	c.delivery.hold(true)
	c.setState(Connecting, ReasonLogin)
	return nil
}

// runLogin logs in and leaves CONNECTING, one way or the other.
func (c *Client) runLogin(ctx context.Context, uid, token string) error {
	calls := newCalls(&c.mu, &c.cfg)
	link, ok, err := c.firstLink(ctx, calls, uid, token)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.login = nil
	if err == nil && c.closed {
		link.close(wire.CloseGoingAway)
		err = failed(wire.KindLogin, "make a new client", errClosed)
	}
	if err != nil {
		reason := ReasonLoginFailure
		if code, _ := CodeOf(err); code == wire.LoginTimeout {
			reason = ReasonLoginTimeout
		}
		c.setState(Disconnected, reason)
		c.delivery.hold(false)
		return err
	}
	limits := effective(ok.Limits)
	c.limits.Store(&limits)
	s := newSession(c, uid, token, calls, link, ok)
	c.session = s
	c.setState(Connected, ReasonLoginSuccess)
	s.serve(link)
	go s.run(link)
	return nil
}

// firstLink opens the first connection of a session. It retries what may pass.
func (c *Client) firstLink(ctx context.Context, calls *calls, uid, token string) (*conn, *wire.LoginOK, error) {
	bounded, cancel := context.WithTimeoutCause(ctx, c.cfg.LoginTimeout, errLoginTimeout)
	defer cancel()
	bounded, giveUp := context.WithCancelCause(bounded)
	defer giveUp(nil)
	defer context.AfterFunc(c.life, func() { giveUp(errClosed) })()

	spacing := c.cfg.Backoff
	spacing.Max = max(spacing.Min, min(spacing.Max, c.cfg.LoginTimeout/8))
	p := newPauses(spacing)
	var last error
	for {
		link, ok, err := open(bounded, &c.cfg, &wire.Login{ID: calls.nextID(), AppID: c.cfg.AppID, UID: uid, Token: token})
		if err == nil {
			return link, ok, nil
		}
		if bounded.Err() == nil {
			if final := c.loginFailure(err); final != nil {
				return nil, nil, final
			}
			last = err
			pause := time.NewTimer(p.next())
			select {
			case <-pause.C:
				continue
			case <-bounded.Done():
				pause.Stop()
			}
		}
		switch cause := context.Cause(bounded); cause {
		case errLoginTimeout:
			return nil, nil, &Error{Op: wire.KindLogin, Code: wire.LoginTimeout, Err: last,
				Message: fmt.Sprintf("no answer within %v; check Config.URL and that the server runs", c.cfg.LoginTimeout)}
		case errClosed:
			return nil, nil, failed(wire.KindLogin, "make a new client", errClosed)
		}
		return nil, nil, &Error{Op: wire.KindLogin, Err: context.Cause(bounded),
			Message: "given up before the server answered; the client is logged out"}
	}
}

// loginFailure returns the error to end the login with, or nil if the attempt may
// be repeated.
func (c *Client) loginFailure(err error) error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	var shake *handshakeError
	e := endingOf(err)
	if _, terminal := e.terminal(); terminal || errors.As(err, &shake) {
		return failed(wire.KindLogin, "the server does not take the login", err)
	}
	c.cfg.Logger.Info("rtm: cannot log in yet", "cause", err)
	return nil
}

// Logout ends the session: the user is offline, all channels are left, the channel
// objects and all listeners may be used again (rules 61, 65, 66). It is also the
// way out of [Aborted] and [Reconnecting] (rules 70, 90). The client is
// [Disconnected] when it returns, whatever it returns; an error other than
// wire.LogoutNotLoggedIn (102), which says that there was no session, says that the
// server has not confirmed and may show the user as online until its grace time is
// over. During [Connecting] Logout waits for the login, and returns the login's own
// error if that fails (rule 63).
func (c *Client) Logout(ctx context.Context) error {
	err := c.logout(ctx)
	c.delivery.settle(ctx)
	return err
}

func (c *Client) logout(ctx context.Context) error {
	c.mu.Lock()
	for l := c.login; l != nil; l = c.login {
		l.wait(&c.mu, ctx)
		select {
		case <-l.done:
			if l.err != nil {
				c.mu.Unlock()
				return l.err
			}
		default:
			c.mu.Unlock()
			return cancelled(wire.KindLogout, ctx, false)
		}
	}
	s := c.session
	if s == nil {
		defer c.mu.Unlock()
		if c.state != Aborted {
			return refuse(wire.LogoutNotLoggedIn, "there is no session")
		}
		c.setState(Disconnected, ReasonLogout)
		return nil
	}
	s.leaving = true
	var err error
	if s.link != nil {
		k := s.calls.make(wire.KindLogout)
		link := s.open(k)
		h := framed{k.id, (&wire.Logout{ID: k.id}).Append(nil)}
		c.mu.Unlock()
		a := s.exchange(ctx, k, link, h)
		s.calls.free(k)
		if a.err != nil && a.err != errLinkLost {
			err = a.err
		}
		c.mu.Lock()
	}
	if s.over.Load() { // another Logout, Close, or the server was faster
		defer c.mu.Unlock()
		if c.state == Aborted {
			c.setState(Disconnected, ReasonLogout)
			return nil
		}
		return refuse(wire.LogoutNotLoggedIn, "the session has just ended")
	}
	s.end(Disconnected, ReasonLogout, wire.CloseNormal)
	c.mu.Unlock()
	<-s.ended
	return err
}

// RenewToken replaces the token of the session, without a change of the state
// (rule 45). During an outage the new token is used for the reconnect, and
// RenewToken returns when the server has judged it. Codes: wire.RenewInvalidArgument
// (2) for an empty token, which is checked before the state, wire.RenewNotLoggedIn
// (102), the server's wire.RenewTokenExpired (5), wire.RenewInvalidToken (6) and
// wire.RenewTooOften (4), and wire.RenewFailure (1) without an answer in time.
func (c *Client) RenewToken(ctx context.Context, token string) error {
	const op = wire.KindTokenRenew
	if token == "" {
		return refuse(wire.RenewInvalidArgument, "the token is empty")
	}
	c.mu.Lock()
	s, err := c.live(op)
	if err != nil {
		c.mu.Unlock()
		return err
	}
	s.offered = token
	select {
	case s.renewed <- struct{}{}:
	default:
	}
	encode := func(dst []byte, id uint64) []byte { return (&wire.TokenRenew{ID: id, Token: token}).Append(dst) }
	settle := func(a answer) {
		// Without an answer the token stays on offer, for the next reconnect.
		if a.err == nil {
			s.token = token
		}
		if s.offered == token && (a.err == nil || saidByServer(a.err)) {
			s.offered = ""
		}
	}
	return c.finish(ctx, s, op, encode, settle, wire.Code{}).err
}

// call makes a request that may safely be made twice.
func (c *Client) call(ctx context.Context, s *session, op wire.Kind, encode func([]byte, uint64) []byte) answer {
	return c.finish(ctx, s, op, encode, nil, wire.Code{})
}

// finish makes a request that may safely be made twice and waits for its answer,
// which settle sees first, under the lock. It is called with the lock held and
// returns without it.
func (c *Client) finish(ctx context.Context, s *session, op wire.Kind, encode func([]byte, uint64) []byte, settle func(answer), forgive wire.Code) answer {
	k := s.calls.make(op)
	k.again, k.settle, k.forgive = encode, settle, forgive
	if ctx.Err() != nil {
		a := answer{err: cancelled(op, ctx, false)}
		if settle != nil {
			settle(a)
		}
		c.mu.Unlock()
		s.calls.free(k)
		return a
	}
	link := s.open(k)
	h := framed{k.id, encode(nil, k.id)}
	c.mu.Unlock()
	a := s.exchange(ctx, k, link, h)
	s.calls.free(k)
	return a
}

// clip shortens a string for an error message.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
