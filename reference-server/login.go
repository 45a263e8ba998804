package refserver

import (
	"errors"
	"time"

	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// login answers a login: arguments, state, rate, and then the token.
func (c *conn) login(f *wire.Login) {
	if err := wire.CheckID(f.UID); err != nil {
		c.refuse(f.ID, wire.LoginInvalidArgument, "the uid cannot be used: "+err.Error())
		return
	}
	certificate, listed := c.srv.cfg.Apps[f.AppID]
	if err := wire.CheckAppID(f.AppID); err != nil {
		c.refuse(f.ID, wire.LoginInvalidAppID, "the app id cannot be used: "+err.Error())
		return
	}
	if !listed && !c.srv.cfg.OpenApps {
		c.refuse(f.ID, wire.LoginInvalidAppID, "this server does not serve the app")
		return
	}
	if c.session != nil {
		c.refuse(f.ID, wire.LoginAlready, "this connection is logged in; log out first")
		return
	}
	if c.srv.draining.Load() {
		c.close(wire.CloseDraining)
		return
	}
	now := c.burst.batch.Now
	switch c.logins.try(c.srv.rates[limitLogin], c.srv.elapsed(now)) {
	case callTooOften:
		c.refuse(f.ID, wire.LoginTooOften, "too many logins on this connection; wait a second")
		return
	case callFlood:
		c.close(wire.CloseFlood)
		return
	}
	grant, refusal := c.srv.check(f.Token, token.App{ID: f.AppID, Certificate: certificate}, f.UID, now)
	if refusal != nil {
		code, text := wire.LoginInvalidToken, "the token is not valid for this app and user"
		switch {
		case f.Token == "":
			text = "this app needs a token"
		case errors.Is(refusal, token.ErrExpired):
			code, text = wire.LoginTokenExpired, "the token is past its end; log in with a new one"
		}
		c.srv.log.Info("login refused", "app", f.AppID, "uid", f.UID, "code", code.Name, "why", token.Reason(refusal))
		c.refuse(f.ID, code, text)
		return
	}
	if f.Resume == nil || !c.resume(f, grant) {
		c.open(f, grant)
	}
}

// check verifies a token; an app without a certificate needs none (rule 29).
func (s *Server) check(text string, app token.App, uid string, now time.Time) (token.Grant, error) {
	if app.Certificate == "" {
		return token.Grant{}, nil
	}
	return token.Verify(text, app, uid, now)
}

// open makes a new session, which evicts the one that has the uid.
func (c *conn) open(f *wire.Login, grant token.Grant) {
	s := c.srv.newSession(f.AppID, f.UID)
	// The turn is held until login.ok is queued: whoever evicts this session waits.
	s.turn.Lock()
	defer s.turn.Unlock()
	// Before the engine is asked: a login that finds no place evicts nobody.
	if code := c.srv.remember(s); code != 0 {
		c.close(code)
		return
	}
	seat, err := c.srv.engine.Login(c.srv.ctx, &c.burst.batch, f.AppID, f.UID, s)
	if err != nil {
		c.srv.drop(s)
		c.srv.log.Error("login failed", "app", f.AppID, "uid", f.UID, "err", err)
		c.refuse(f.ID, wire.LoginUnknown, "the server cannot log anybody in now; try again")
		return
	}
	s.seat = seat
	s.setGrant(grant)
	c.begin(s)
	s.attach(c, c.srv.loginOK(f.ID, s, false))
	c.srv.metrics.logins.Add(1)
	c.srv.log.Debug("login", "app", s.app, "uid", s.uid, "address", c.address)
}

// resume continues the session that the client names, or reports false if there is
// none for it.
func (c *conn) resume(f *wire.Login, grant token.Grant) bool {
	s := c.srv.sessionNamed(f.Resume.Session)
	if s == nil || s.app != f.AppID || s.uid != f.UID {
		return false
	}
	s.turn.Lock()
	defer s.turn.Unlock()
	if s.over {
		return false
	}
	if f.Resume.PeerSeq > s.delivered() {
		c.close(wire.CloseBadFrame)
		return true
	}
	if old := s.takeOver(); old != nil {
		// The session goes on over the newer connection.
		old.closeThrough(&c.burst.batch, wire.CloseSuperseded, wire.CloseSuperseded.String())
	}
	s.setGrant(grant)
	c.begin(s)

	ok := c.srv.loginOK(f.ID, s, true)
	cursors := make(map[string]uint64, len(f.Resume.Channels))
	for _, cursor := range f.Resume.Channels {
		if _, twice := cursors[cursor.Channel]; twice {
			continue // the first one counts
		}
		cursors[cursor.Channel] = cursor.Seq
		if s.channels[cursor.Channel] == nil {
			ok.Missing = append(ok.Missing, cursor.Channel)
		}
	}
	c.queue.lift()
	defer c.queue.settle()
	b := &c.burst.batch
	_ = s.acknowledge(c.burst, f.Resume.PeerSeq)
	s.attach(c, ok)
	for name, m := range s.channels {
		after, named := cursors[name]
		if !named || m.Attach(c.srv.ctx, b, &c.queue, after) != nil {
			m.Leave(b)
			delete(s.channels, name)
		}
	}
	for _, m := range s.channels {
		m.Recount(b)
	}
	c.srv.metrics.resumes.Add(1)
	c.srv.log.Debug("resume", "app", s.app, "uid", s.uid, "address", c.address)
	return true
}

// begin turns a connection that waits for its login into one with a session.
func (c *conn) begin(s *session) {
	c.session = s
	c.logged.Store(true)
	c.ws.SetReadLimit(int64(c.srv.cfg.Limits.FrameBytes))
}

func (s *Server) loginOK(id uint64, u *session, resumed bool) *wire.LoginOK {
	return &wire.LoginOK{
		ID: id, Session: u.name(), Resumed: resumed, ServerTS: time.Now().UnixMilli(),
		Server: wire.Server{Name: s.cfg.Name, Version: s.cfg.Version}, Limits: s.cfg.Limits,
	}
}

// logout ends the session; the turn is held.
func (c *conn) logout(f *wire.Logout) {
	s := c.session
	s.end(&c.burst.batch)
	s.refuse(c.burst)
	c.srv.drop(s)
	c.srv.log.Debug("logout", "app", s.app, "uid", s.uid)
	c.putOK(wire.KindLogout, f.ID)
	c.close(wire.CloseNormal)
}
