package refserver

import (
	"errors"

	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// renew answers a token.renew: the new token replaces the old one, its end included.
func (c *conn) renew(f *wire.TokenRenew) {
	s := c.session
	now := c.burst.batch.Now
	if !c.allow(f.ID, limitRenew, wire.RenewTooOften) {
		return
	}
	grant, err := c.srv.check(f.Token, token.App{ID: s.app, Certificate: c.srv.cfg.Apps[s.app]}, s.uid, now)
	if err != nil {
		code, text := wire.RenewInvalidToken, "the token is not valid for this app and user; the old one stays in force"
		if errors.Is(err, token.ErrExpired) {
			code, text = wire.RenewTokenExpired, "the token is past its end; the old one stays in force"
		}
		c.srv.log.Info("renewal refused", "app", s.app, "uid", s.uid, "code", code.Name, "why", token.Reason(err))
		c.refuse(f.ID, code, text)
		return
	}
	s.setGrant(grant)
	c.putOK(wire.KindTokenRenew, f.ID)
}
