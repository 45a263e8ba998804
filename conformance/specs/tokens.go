package specs

import (
	"context"
	"fmt"
	"time"

	"github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/sdk/token"
)

// MintFor returns a token source that mints for an app whose certificate the suite has.
func MintFor(app token.App) func(ctx context.Context, uid string) (string, error) {
	return func(_ context.Context, uid string) (string, error) {
		return token.Mint007(app, uid, token.Options{Lifetime: time.Hour})
	}
}

// format is one of the two token formats.
type format struct {
	name string
	mint func(app token.App, uid string, options token.Options) (string, error)
}

var (
	format006 = format{"006", token.Mint006}
	format007 = format{"007", token.Mint007}
)

// valid is how a token is minted that lives for the next hours.
var valid = token.Options{Lifetime: 12 * time.Hour}

// token mints a token of the certified app.
func (f format) token(env *Env, uid string, options token.Options) string {
	return f.tokenOf(env.TokenApp, uid, options)
}

// tokenOf mints a token of any app. The suite's own inputs are always fit to mint.
func (f format) tokenOf(app token.App, uid string, options token.Options) string {
	text, err := f.mint(app, uid, options)
	if err != nil {
		panic(fmt.Sprintf("specs: mint a token of format %s: %v", f.name, err))
	}
	return text
}

// expired is how a token of the format is minted whose time is over: format 006 always lives for 24 hours.
func (f format) expired() token.Options {
	return token.Options{IssuedAt: time.Now().Add(-25 * time.Hour), Lifetime: time.Hour}
}

// endingAt mints a token of the format that ends at a whole second.
func (f format) endingAt(env *Env, uid string, end time.Time) string {
	issued := end.Add(-token.MaxLifetime)
	return f.token(env, uid, token.Options{IssuedAt: issued, Lifetime: token.MaxLifetime})
}

// soon returns the next whole second that leaves time to log in before it, on a machine that is busy with other things
// too.
func soon() time.Time { return time.Now().Add(2600 * time.Millisecond).Truncate(time.Second) }

// till is the budget for what happens when a token ends.
func (e *Env) till(end time.Time) time.Duration { return time.Until(end) + e.Answer() }

// passes waits until a token that ends a second later has ended its session, so that a server has had time for all that
// it does at the end of another.
func (e *Env) passes(ctx context.Context, end time.Time) {
	ginkgo.GinkgoHelper()
	later := end.Add(time.Second)
	clock := e.loginCertified(ctx, "clock", func(uid string) string { return format007.endingAt(e, uid, later) })
	clock.AwaitWithin(ctx, e.till(later), probe.Kind("login.kicked"))
}

// certified are the credentials of a user of the certified app.
func (e *Env) certified(uid, token string) probe.Credentials {
	return probe.Credentials{AppID: e.TokenApp.ID, UID: uid, Token: token}
}

// loginCertified logs an actor in to the certified app, which must work.
func (e *Env) loginCertified(ctx context.Context, name string, mint func(uid string) string) *Actor {
	actor := e.Connect(ctx, name)
	actor.LoginAs(ctx, e.certified(actor.UID, mint(actor.UID))).OK()
	return actor
}
