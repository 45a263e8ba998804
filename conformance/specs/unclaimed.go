package specs

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/probe"
)

// RegisterUnclaimed registers the specs of what a subject does not claim: it must refuse that in the specified way instead
// of doing half of it.
func RegisterUnclaimed(env *Env) {
	Describe("unclaimed on a server", func() { registerUnclaimedServer(env) })
	Describe("unclaimed on a client", func() { registerUnclaimedClient(env) })
}

func registerUnclaimedServer(env *Env) {
	It("channels are unknown", Verifies("RTM-CHANNEL-079"), func(ctx SpecContext) {
		alice, lobby := env.Login(ctx, "alice"), probe.F("channel", env.Channel("lobby"))

		for _, kind := range []string{"channel.join", "channel.send", "channel.members", "channel.leave"} {
			alice.Request(ctx, kind, lobby, probe.F("text", "hi")).RefusedAs("frame", 1, "FRAME_ERR_UNKNOWN_KIND")
		}
		alice.Request(ctx, "channel.count", probe.F("channels", []string{env.Channel("lobby")})).RefusedAs("frame", 1, "FRAME_ERR_UNKNOWN_KIND")

		alice.Ping(ctx).OK()
	})
	It("tokens mean nothing", Verifies("RTM-TOKEN-031"), func(ctx SpecContext) {
		if env.Token != nil {
			env.cannotJudge("the app of the run needs tokens, although the server does not claim them")
		}
		alice := env.Connect(ctx, "alice")

		alice.LoginAs(ctx, probe.Credentials{AppID: env.AppID, UID: alice.UID, Token: "no token at all"}).OK()
	})
	It("a session that was lost is not brought back", Verifies("RTM-TRANSPORT-076"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		alice.Cut()

		_, answer := alice.Resume(ctx, 0)

		Observe("resumed", answer.OK().Value("resumed")).Is(false)
	})
	It("call limits are not announced", Verifies("RTM-TRANSPORT-077"), func(ctx SpecContext) {
		answer := env.Connect(ctx, "alice").Login(ctx).OK()

		Observe("the announced call limits", answer.Value("limits.calls")).Is([]any{})
	})
}

func registerUnclaimedClient(env *Env) {
	unsupported := func(what string, err error) {
		GinkgoHelper()
		Observe(what, show(err)).IsAbout("is unsupported", errors.Is(err, adapter.ErrUnsupported))
	}
	It("channels cannot be made", Verifies("RTM-CHANNEL-080"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")

		_, err := alice.Client.NewChannel(ctx, env.Channel("lobby"))
		unsupported("the creation of a channel object", err)
		_, counting := alice.MemberCounts(ctx, env.Channel("lobby"))
		unsupported("the count of members", counting.Err())
	})
	It("a token cannot be renewed", Verifies("RTM-TOKEN-032"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")

		unsupported("the renewal", alice.Do(ctx, "renewToken", env.Within("send"), func(ctx context.Context) error {
			return alice.Client.RenewToken(ctx, "a token")
		}).Err())
	})
}
