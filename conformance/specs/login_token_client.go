package specs

import (
	"context"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/probe"
)

// RegisterTokenClient registers the specs of access tokens on a client.
func RegisterTokenClient(env *Env) {
	const notLoggedIn = "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN"
	Describe("client token", func() {
		It("that will expire is announced to the user", Verifies("RTM-TOKEN-024"), func(ctx SpecContext) {
			alice := env.LoginClient(ctx, "alice")

			_ = alice.Tap.Inject(probe.ToClient, `{"kind":"token.will_expire","left_ms":30000}`)

			alice.AwaitEvent(ctx, On(adapter.TokenWillExpire))
			Observe("the state", alice.State(ctx)).Is("CONNECTED")
		})
		It("that ended leads to ABORTED", Verifies("RTM-TOKEN-025"), func(ctx SpecContext) {
			alice := env.LoginClient(ctx, "alice")

			alice.kick("TOKEN_EXPIRED")

			heard := alice.UntilEvent(ctx, OnState("ABORTED", "TOKEN_EXPIRED"))
			if len(Heard(adapter.TokenExpired, heard)) == 0 {
				alice.AwaitEvent(ctx, On(adapter.TokenExpired))
			}
		})
		It("is renewed without a change of state", Verifies("RTM-TOKEN-026"), func(ctx SpecContext) {
			alice := env.LoginClient(ctx, "alice")
			fresh := env.anyToken(ctx, alice.UID)

			alice.RenewToken(ctx, fresh).OK()

			sent, _ := alice.AwaitSent(ctx, probe.Kind("token.renew")).Text("token")
			Observe("that the token sent is the new one", sent == fresh).Is(true)
			Observe("the states that the listeners heard", States(alice.Events())).Is([]string{stateConnecting, stateConnected})
		})

		empty := func(ctx context.Context, alice *Subject) {
			GinkgoHelper()
			alice.RenewToken(ctx, "").Fails(2, "RENEW_TOKEN_ERR_INVALID_ARGUMENT")
			Observe("the renewals on the wire", alice.Sent("token.renew")).IsEmpty()
		}
		It("cannot be renewed with an empty one before login", Verifies("RTM-TOKEN-027"), func(ctx SpecContext) {
			empty(ctx, env.Client(ctx, "alice"))
		})
		It("cannot be renewed with an empty one after login", Verifies("RTM-TOKEN-027"), func(ctx SpecContext) {
			empty(ctx, env.LoginClient(ctx, "alice"))
		})
		It("cannot be renewed without a session", Verifies("RTM-TOKEN-028"), func(ctx SpecContext) {
			alice := env.Client(ctx, "alice")

			alice.RenewToken(ctx, "a token").Fails(102, notLoggedIn)

			Observe("the number of connections", alice.Tap.Links()).Is(0)
		})

		It("found expired while reconnecting is told once", Verifies("RTM-TOKEN-029"), func(ctx SpecContext) {
			alice, _ := env.expiredWhileReconnecting(ctx)

			Observe("the state", alice.State(ctx)).Is("RECONNECTING")
			Observe("the times that the listeners heard of it", len(Heard(adapter.TokenExpired, alice.Events()))).Is(1)
		})
		It("renewed while reconnecting brings the client back", Verifies("RTM-TOKEN-030"), func(ctx SpecContext) {
			alice, allow := env.expiredWhileReconnecting(ctx)

			allow()
			fresh := env.anyToken(ctx, alice.UID)
			alice.Begin(ctx, "renewToken", env.Within("send"), func(ctx context.Context) error { return alice.Client.RenewToken(ctx, fresh) })

			alice.AwaitEvent(ctx, OnState("CONNECTED", "LOGIN_SUCCESS"))
			Observe("the times that the listeners heard of it", len(Heard(adapter.TokenExpired, alice.Events()))).Is(1)
		})
	})
}

// expiredWhileReconnecting returns a client in RECONNECTING whose login was answered with an expired token, and a
// function that lets further logins through.
func (e *Env) expiredWhileReconnecting(ctx context.Context) (client *Subject, allow func()) {
	GinkgoHelper()
	alice := e.LoginClient(ctx, "alice", soonLost)
	alice.AwaitSent(ctx, probe.Kind("login"))
	alice.lose(ctx)
	allow = alice.refuse(ctx, "login", 6, loginTokenExpired)
	alice.Tap.Admit()
	alice.AwaitEventWithin(ctx, e.Within("login"), On(adapter.TokenExpired))
	return alice, allow
}
