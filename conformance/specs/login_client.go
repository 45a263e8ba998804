package specs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/probe"
)

const (
	stateConnecting   = "CONNECTING LOGIN"
	stateConnected    = "CONNECTED LOGIN_SUCCESS"
	loginAlready      = "LOGIN_ERR_ALREADY_LOGIN"
	logoutNotLoggedIn = "LOGOUT_ERR_USER_NOT_LOGGED_IN"
)

// RegisterLoginClient registers the specs of sessions on a client.
func RegisterLoginClient(env *Env) {
	Describe("client", func() {
		Describe("creation", func() { registerCreation(env) })
		Describe("login", func() { registerClientLogin(env) })
		Describe("logout", func() { registerClientLogout(env) })
		Describe("ABORTED", func() { registerAborted(env) })
		Describe("without a session", func() { registerWithoutSession(env) })
		Describe("listeners", func() { registerListeners(env) })
	})
}

func registerCreation(env *Env) {
	refused := func(ctx context.Context, appID string) {
		GinkgoHelper()
		client, err := env.NewClient(ctx, adapter.Options{URL: env.Server, AppID: appID})
		if err == nil {
			_ = client.Close()
		}
		Outcome{who: "a client", what: "creation", err: err}.Fails(1, "CREATE_INSTANCE_ERR_INVALID_ARGUMENT")
	}
	DescribeTable("fails for an app id of the wrong length", Verifies("RTM-LOGIN-036"),
		func(ctx SpecContext, appID string) { refused(ctx, appID) },
		Entry("31 characters", strings.Repeat("a", 31)), Entry("33 characters", strings.Repeat("a", 33)), Entry("none", ""),
	)
	DescribeTable("fails for an app id with a strange character", Verifies("RTM-LOGIN-037"),
		func(ctx SpecContext, character string) { refused(ctx, strings.Repeat("a", 31)+character) },
		Entry("a space", " "), Entry("a mark", "-"), Entry("a control character", "\x01"), Entry("a letter with an accent", "é"),
	)
	It("opens no connection", Verifies("RTM-LOGIN-038"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")

		Observe("the state of a new client", alice.State(ctx)).Is("DISCONNECTED")
		Observe("the number of connections", alice.Tap.Links()).Is(0)
	})
	It("gives clients that are independent", Verifies("RTM-LOGIN-039"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.LoginClient(ctx, "bob")
		alice.Logout(ctx).OK()

		Observe("the state of bob", bob.State(ctx)).Is("CONNECTED")
		Observe("the states that bob's listeners heard", States(bob.Events())).Is([]string{stateConnecting, stateConnected})
	})
}

// refuse keeps the next requests of a kind from the server and answers the first with this error, as the server would.
// The returned function lets later requests through again.
func (s *Subject) refuse(ctx context.Context, kind string, code int, name string) (allow func()) {
	GinkgoHelper()
	allow = s.Tap.Drop(probe.ToServer, probe.Kind(kind))
	go func() {
		defer GinkgoRecover()
		request, err := s.Tap.Await(ctx, probe.ToServer, probe.Kind(kind))
		if err == nil {
			s.injectError(request.ID, kind, code, name)
		}
	}()
	return allow
}

func (s *Subject) injectError(id int64, op string, code int, name string) {
	_ = s.Tap.Inject(probe.ToClient, fmt.Sprintf(`{"kind":"error","id":%d,"op":%q,"code":%d,"name":%q,"message":"refused by the suite"}`, id, op, code, name))
}

func registerClientLogin(env *Env) {
	It("goes through CONNECTING to CONNECTED", Verifies("RTM-LOGIN-040"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")

		alice.AwaitEvent(ctx, OnState("CONNECTED", ""))

		Observe("the states that the listeners heard", States(alice.Events())).Is([]string{stateConnecting, stateConnected})
		Observe("the state", alice.State(ctx)).Is("CONNECTED")
	})
	It("settles after its state event", Verifies("RTM-LOGIN-041"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")

		Observe("the states that the listeners heard by then", States(alice.Events())).Is([]string{stateConnecting, stateConnected})
	})

	badUIDs := []any{
		Entry("empty", ""), Entry("null", "null"), Entry("65 bytes", strings.Repeat("x", 65)), Entry("a mark outside the alphabet", "a*b"),
		Entry("a CJK character", "中"), Entry("an emoji", "😀"), Entry("a control character", "a\x00b"),
	}
	DescribeTable("fails for a bad uid without asking the server", append([]any{Verifies("RTM-LOGIN-042"),
		func(ctx SpecContext, uid string) {
			alice := env.Client(ctx, "alice")

			alice.LoginAs(ctx, uid, "").Fails(3, loginInvalidArgument)

			Observe("the number of connections", alice.Tap.Links()).Is(0)
		}}, badUIDs...)...,
	)
	It("changes no state for a bad uid", Verifies("RTM-LOGIN-043"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		alice.LoginAs(ctx, "null", "").Fails(3, loginInvalidArgument)

		Observe("the state", alice.State(ctx)).Is("DISCONNECTED")
		alice.Login(ctx).OK()

		Observe("the states that the listeners heard", States(alice.UntilEvent(ctx, OnState("CONNECTED", "")))).Is([]string{stateConnecting, stateConnected})
	})

	DescribeTable("fails with the server's code", Verifies("RTM-LOGIN-044"),
		func(ctx SpecContext, code int, name string) {
			alice := env.Client(ctx, "alice")
			alice.refuse(ctx, "login", code, name)

			alice.Login(ctx).Fails(code, name)

			heard := States(alice.UntilEvent(ctx, OnState("DISCONNECTED", "")))
			Observe("the states that the listeners heard", heard).Is([]string{stateConnecting, "DISCONNECTED LOGIN_FAILURE"})
		},
		Entry("for an invalid token", 5, loginInvalidToken), Entry("for an expired token", 6, loginTokenExpired),
		Entry("for an unknown app", 4, "LOGIN_ERR_INVALID_APP_ID"),
	)
	It("ends when the server does not answer", Verifies("RTM-LOGIN-045"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		alice.Tap.Drop(probe.ToServer, probe.Kind("login"))

		alice.Login(ctx).Fails(9, "LOGIN_ERR_TIMEOUT")

		heard := States(alice.UntilEvent(ctx, OnState("DISCONNECTED", "")))
		Observe("the states that the listeners heard", heard).Is([]string{stateConnecting, "DISCONNECTED LOGIN_TIMEOUT"})
	})

	DescribeTable("fails while the client is logging in", Verifies("RTM-LOGIN-047"),
		func(ctx SpecContext, name string) {
			alice := env.Client(ctx, "alice")
			release := alice.Tap.Hold(probe.ToServer, probe.Kind("login"))
			first := alice.BeginLogin(ctx, alice.UID, env.Credentials(ctx, alice.UID).Token)
			alice.AwaitSent(ctx, probe.Kind("login"))

			alice.LoginAs(ctx, env.UID(name), "").Fails(8, loginAlready)

			release()
			first.Wait(ctx).OK()
		},
		Entry("as the same user", "alice"), Entry("as another user", "bob"),
	)
	DescribeTable("fails while the client is logged in", Verifies("RTM-LOGIN-047"),
		func(ctx SpecContext, name string) {
			alice := env.LoginClient(ctx, "alice")

			alice.LoginAs(ctx, env.UID(name), "").Fails(8, loginAlready)

			Observe("the state", alice.State(ctx)).Is("CONNECTED")
		},
		Entry("as the same user", "alice"), Entry("as another user", "bob"),
	)
	DescribeTable("works after one that failed", Verifies("RTM-LOGIN-048"),
		func(ctx SpecContext, name string) {
			alice := env.Client(ctx, "alice")
			allow := alice.refuse(ctx, "login", 5, loginInvalidToken)
			alice.Login(ctx).Fails(5, loginInvalidToken)
			allow()

			uid := env.UID(name)
			alice.LoginAs(ctx, uid, env.Credentials(ctx, uid).Token).OK()
		},
		Entry("as the same user", "alice"), Entry("as another user", "bob"),
	)
	It("without a token sends none", Verifies("RTM-LOGIN-063"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		alice.BeginLogin(ctx, alice.UID, "")

		login := alice.AwaitSent(ctx, probe.Kind("login"))

		Observe("the member token", login.Value("token")).IsOneOf(nil, "", probe.Null{})
	})
}

func registerClientLogout(env *Env) {
	It("ends in DISCONNECTED", Verifies("RTM-LOGIN-049"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")

		alice.Logout(ctx).OK()

		alice.AwaitEvent(ctx, OnState("DISCONNECTED", "LOGOUT"))
		Observe("the state", alice.State(ctx)).Is("DISCONNECTED")
	})
	It("fails before a login", Verifies("RTM-LOGIN-050"), func(ctx SpecContext) {
		env.Client(ctx, "alice").Logout(ctx).Fails(102, logoutNotLoggedIn)
	})
	It("fails after a logout", Verifies("RTM-LOGIN-050"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.Logout(ctx).OK()

		alice.Logout(ctx).Fails(102, logoutNotLoggedIn)
	})
	It("fails after a login that failed", Verifies("RTM-LOGIN-050"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		alice.refuse(ctx, "login", 5, loginInvalidToken)
		alice.Login(ctx).Fails(5, loginInvalidToken)

		alice.Logout(ctx).Fails(102, logoutNotLoggedIn)
	})
	It("waits for the login that is under way", Verifies("RTM-LOGIN-051"), func(ctx SpecContext) {
		bob := env.Login(ctx, "bob")
		// Nothing shows when the client has begun to wait: a logout that comes after the login has failed gets 102 and
		// proves nothing, so it is tried again.
		for range 20 {
			alice, logout, login := env.clientBetween(ctx)
			for range 10 {
				bob.Ping(ctx).OK()
			}
			Observe("that the logout returns before the login has ended", logout.Returned()).Is(false)
			alice.injectError(login.ID, "login", 5, loginInvalidToken)
			outcome := logout.Wait(ctx)
			if failure := new(adapter.Error); errors.As(outcome.Err(), &failure) && failure.Code == 102 {
				continue
			}
			outcome.Fails(5, loginInvalidToken)
			return
		}
		Violated("a logout during CONNECTING fails with the login's own error", "it fails with "+logoutNotLoggedIn)
	})
	DescribeTable("can be followed by a login", Verifies("RTM-LOGIN-052"),
		func(ctx SpecContext, name string) {
			alice := env.LoginClient(ctx, "alice")
			alice.Logout(ctx).OK()

			uid := env.UID(name)
			alice.LoginAs(ctx, uid, env.Credentials(ctx, uid).Token).OK()
		},
		Entry("of the same user", "alice"), Entry("of another user", "bob"),
	)
}

// clientBetween returns a client whose login is under way, a logout that was called meanwhile, and the login frame.
func (e *Env) clientBetween(ctx context.Context) (client *Subject, logout *Call, login probe.Object) {
	GinkgoHelper()
	alice := e.Client(ctx, "alice")
	alice.Tap.Drop(probe.ToServer, probe.Kind("login"))
	alice.BeginLogin(ctx, alice.UID, e.Credentials(ctx, alice.UID).Token)
	login = alice.AwaitSent(ctx, probe.Kind("login"))
	return alice, alice.Begin(ctx, "logout", e.Within("login"), alice.Client.Logout), login
}

// abortedClient returns a client that was told of another login with its uid.
func (e *Env) abortedClient(ctx context.Context) *Subject {
	GinkgoHelper()
	alice := e.LoginClient(ctx, "alice")
	alice.kick("REMOTE_LOGIN")
	alice.AwaitEvent(ctx, OnState("ABORTED", "REMOTE_LOGIN"))
	return alice
}

func registerAborted(env *Env) {
	It("is where an eviction leads", Verifies("RTM-LOGIN-054"), func(ctx SpecContext) {
		alice := env.abortedClient(ctx)

		Observe("the state", alice.State(ctx)).Is("ABORTED")
	})
	It("is not left by reconnecting", Verifies("RTM-LOGIN-055"), func(ctx SpecContext) {
		alice := env.abortedClient(ctx)
		alice.Logout(ctx).OK()
		alice.Login(ctx).OK()

		Observe("the number of connections, of the first and the last login", alice.Tap.Links()).Is(2)
	})
	It("refuses every operation that needs a session", Verifies("RTM-LOGIN-056"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		lobby := alice.lobby(ctx)
		if lobby != nil {
			lobby.Join(ctx).OK()
		}
		alice.kick("REMOTE_LOGIN")
		alice.AwaitEvent(ctx, OnState("ABORTED", "REMOTE_LOGIN"))

		_, sending := alice.SendToPeer(ctx, env.UID("bob"), alice.Text(ctx, "hi"))
		sending.FailsAnyhow()
		if lobby != nil {
			_, counting := alice.MemberCounts(ctx, env.Channel("lobby"))
			counting.FailsAnyhow()
			lobby.SendText(ctx, "hi").FailsAnyhow()
			alice.NewChannel(ctx, env.Channel("hall")).Join(ctx).FailsAnyhow()
		}
		if env.claims("tokens") {
			alice.RenewToken(ctx, "a token").FailsAnyhow()
		}
		alice.Login(ctx).Fails(8, loginAlready)
	})
	It("is left by a logout", Verifies("RTM-LOGIN-057"), func(ctx SpecContext) {
		alice := env.abortedClient(ctx)

		alice.Logout(ctx).OK()

		alice.AwaitEvent(ctx, OnState("DISCONNECTED", "LOGOUT"))
		alice.Login(ctx).OK()
	})
	It("is where a ban leads", Verifies("RTM-LOGIN-058"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")

		alice.kick("BANNED_BY_SERVER")

		alice.AwaitEvent(ctx, OnState("ABORTED", "BANNED_BY_SERVER"))
	})
}

// kick ends the client's session as the server would.
func (s *Subject) kick(reason string) {
	_ = s.Tap.Inject(probe.ToClient, fmt.Sprintf(`{"kind":"login.kicked","reason":%q}`, reason))
}

// needSession calls every operation that needs a session and gives each outcome, with the name of its code 102. Without a
// room it leaves channels out.
func (s *Subject) needSession(ctx context.Context, lobby *Room, check func(Outcome, string)) {
	_, sending := s.SendToPeer(ctx, s.env.UID("bob"), s.Text(ctx, "hi"))
	check(sending, "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN")
	if lobby == nil {
		return
	}
	check(lobby.Join(ctx), "JOIN_CHANNEL_ERR_USER_NOT_LOGGED_IN")
	check(lobby.SendText(ctx, "hi"), "CHANNEL_MESSAGE_ERR_USER_NOT_LOGGED_IN")
}

// lobby makes a channel object for a spec that is not about channels, or nil where the client does not claim them.
func (s *Subject) lobby(ctx context.Context) *Room {
	if !s.env.claims("channels") {
		return nil
	}
	return s.NewChannel(ctx, s.env.Channel("lobby"))
}

func registerWithoutSession(env *Env) {
	It("every operation fails with 102 and sends nothing", Verifies("RTM-LOGIN-059"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		lobby := alice.lobby(ctx)
		check := func(outcome Outcome, name string) { outcome.Fails(102, name) }

		alice.needSession(ctx, lobby, check)
		if lobby != nil {
			check(lobby.Leave(ctx), "LEAVE_CHANNEL_ERR_USER_NOT_LOGGED_IN")
			_, listing := lobby.Members(ctx)
			check(listing, "GET_MEMBERS_ERR_USER_NOT_LOGGED_IN")
			_, counting := alice.MemberCounts(ctx, env.Channel("lobby"))
			check(counting, "GET_CHANNEL_MEMBER_COUNT_ERR_USER_NOT_LOGGED_IN")
		}

		Observe("the number of connections", alice.Tap.Links()).Is(0)
	})
	It("sending and joining fail with 102 during CONNECTING", Verifies("RTM-LOGIN-060"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		lobby := alice.lobby(ctx)
		alice.Tap.Drop(probe.ToServer, probe.Kind("login"))
		alice.BeginLogin(ctx, alice.UID, "")
		alice.AwaitSent(ctx, probe.Kind("login"))

		alice.needSession(ctx, lobby, func(outcome Outcome, name string) { outcome.Fails(102, name) })
	})
	It("an error names its operation", Verifies("RTM-LOGIN-062"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		lobby := alice.lobby(ctx)
		var operations []string
		alice.needSession(ctx, lobby, func(outcome Outcome, name string) {
			outcome.Fails(102, name)
			failure := new(adapter.Error)
			_ = errors.As(outcome.Err(), &failure)
			operations = append(operations, failure.Op)
		})

		want := []string{"peer.send"}
		if lobby != nil {
			want = append(want, "channel.join", "channel.send")
		}
		Observe("the operations of the errors", operations).Is(want)
	})
}

func registerListeners(env *Env) {
	It("run in the order of their registration", Verifies("RTM-LOGIN-065"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")
		alice.Listen(ctx, "second", alice.events.put)
		alice.Listen(ctx, "third", alice.events.put)

		alice.Login(ctx).OK()

		alice.AwaitEvent(ctx, EventMatcher{"the third listener's CONNECTED", func(e adapter.Event) bool { return e.Listener == "third" && e.State == "CONNECTED" }})
		var order []string
		for _, event := range alice.Events() {
			order = append(order, event.State+" "+event.Listener)
		}
		Observe("who heard what", order).Is([]string{
			"CONNECTING ", "CONNECTING second", "CONNECTING third", "CONNECTED ", "CONNECTED second", "CONNECTED third",
		})
	})
	It("fall silent when all of a client are removed", Verifies("RTM-LOGIN-066"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		lobby := env.Channel("lobby")
		alice.JoinChannel(ctx, lobby)
		bob.Join(ctx, lobby).OK()

		alice.RemoveAllListeners(ctx)
		bob.SendPeer(ctx, alice.UID, "unheard").OK()
		bob.SendChannel(ctx, lobby, "heard").OK()

		heard := alice.UntilEvent(ctx, OnText("heard"))
		Observe("the peer messages heard", Heard(adapter.MessageFromPeer, heard)).IsEmpty()
	})
	It("run one at a time and miss nothing", Verifies("RTM-LOGIN-067"), func(ctx SpecContext) {
		const messages = 50
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		var inside, overlaps atomic.Int32
		alice.Listen(ctx, "watch", func(event adapter.Event) {
			if inside.Add(1) > 1 {
				overlaps.Add(1)
			}
			alice.events.put(event)
			inside.Add(-1)
		})

		for i := range messages {
			bob.Start("peer.send", probe.F("to", alice.UID), probe.F("text", fmt.Sprint(i)))
		}
		bob.SendPeer(ctx, alice.UID, "last").OK()

		heard := alice.UntilEvent(ctx, EventMatcher{"the last message", func(e adapter.Event) bool {
			return e.Listener == "watch" && e.Message != nil && e.Message.Text() == "last"
		}})
		Observe("the number of calls, two listeners for each message", len(Heard(adapter.MessageFromPeer, heard))).Is(2 * (messages + 1))
		Observe("the calls at the same time", overlaps.Load()).Is(int32(0))
	})
}
