package specs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

const (
	loginInvalidArgument = "LOGIN_ERR_INVALID_ARGUMENT"
	loginInvalidToken    = "LOGIN_ERR_INVALID_TOKEN"
	loginTokenExpired    = "LOGIN_ERR_TOKEN_EXPIRED"
)

// RegisterLogin registers the specs of sessions on a server: login, eviction and logout.
func RegisterLogin(env *Env) {
	Describe("login", func() {
		It("opens a session", Verifies("RTM-LOGIN-001"), func(ctx SpecContext) {
			alice := env.Connect(ctx, "alice")

			alice.Login(ctx).OK()

			Observe("the session of the login answer", alice.Session).IsNot("")
			alice.Ping(ctx).OK()
		})

		registerLoginIDs(env)
		registerLoginStates(env)
	})
	Describe("eviction", func() { registerEviction(env) })
	Describe("logout", func() { registerLogout(env) })
	Describe("login rate", func() { registerLoginRate(env) })
}

func registerLoginIDs(env *Env) {
	accepted := func(ctx context.Context, uid string) {
		GinkgoHelper()
		env.Connect(ctx, "alice").LoginAs(ctx, env.Credentials(ctx, uid)).OK()
	}
	// A token is not minted for a uid that breaks the rules; the arguments are checked first.
	refused := func(ctx context.Context, uid string) {
		GinkgoHelper()
		credentials := probe.Credentials{AppID: env.AppID, UID: uid}
		env.Connect(ctx, "alice").LoginAs(ctx, credentials).Refused(3, loginInvalidArgument)
	}

	It("accepts a uid of 64 bytes", Verifies("RTM-LOGIN-002"), func(ctx SpecContext) {
		accepted(ctx, id64(env.UID("alice")))
	})
	It("refuses a uid of 65 bytes", Verifies("RTM-LOGIN-003"), func(ctx SpecContext) {
		refused(ctx, id65(env.UID("alice")))
	})
	It("refuses an empty uid", Verifies("RTM-LOGIN-004"), func(ctx SpecContext) {
		refused(ctx, "")
	})
	It("refuses the uid null", Verifies("RTM-LOGIN-005"), func(ctx SpecContext) {
		refused(ctx, "null")
	})

	DescribeTable("accepts a uid that only resembles null", Verifies("RTM-LOGIN-006"),
		func(ctx SpecContext, uid string) { accepted(ctx, uid) },
		func(uid string) string { return fmt.Sprintf("%q", uid) },
		Entry(nil, "NULL"), Entry(nil, "Null"), Entry(nil, " null"), Entry(nil, "undefined"),
	)
	DescribeTable("accepts every character of the id alphabet", Verifies("RTM-LOGIN-007"),
		func(ctx SpecContext, uid string) { accepted(ctx, uid) },
		Entry("letters", idAlphabet[0]), Entry("digits and marks", idAlphabet[1]),
	)
	for _, mark := range badMarks {
		It("refuses a uid with the mark "+mark, Verifies("RTM-LOGIN-008"), func(ctx SpecContext) {
			refused(ctx, env.UID("a"+mark+"b"))
		})
	}
	for _, table := range []struct {
		id         string
		characters map[string]string
	}{{"RTM-LOGIN-009", badForeign}, {"RTM-LOGIN-010", badControls}, {"RTM-LOGIN-011", badSpaces}} {
		for _, name := range slices.Sorted(maps.Keys(table.characters)) {
			It("refuses a uid with "+name, Verifies(table.id), func(ctx SpecContext) {
				refused(ctx, env.UID("a"+table.characters[name]+"b"))
			})
		}
	}

	It("keeps the spaces of a uid", Verifies("RTM-LOGIN-012"), func(ctx SpecContext) {
		bob := env.Login(ctx, "bob")
		spaced := env.Connect(ctx, "spaced")
		spaced.LoginAs(ctx, env.Credentials(ctx, "  "+env.UID("a  b")+" ")).OK()

		spaced.SendPeer(ctx, bob.UID, "hi").OK()

		from, _ := bob.Await(ctx, probe.Kind("peer.message")).Text("from")
		Observe("the sender that bob sees", from).Is(spaced.UID)
		Observe("received, of a message to that uid", bob.SendPeer(ctx, spaced.UID, "hello").OK().Value("received")).Is(true)
	})

	It("takes uids in another case for other users", Verifies("RTM-LOGIN-014"), func(ctx SpecContext) {
		lower, upper := env.Login(ctx, "alice"), env.Login(ctx, "ALICE")
		bob := env.Login(ctx, "bob")

		bob.SendPeer(ctx, lower.UID, "for lower").OK()
		bob.SendPeer(ctx, upper.UID, "for upper").OK()

		Observe("what alice gets", Texts(lower.Until(ctx, probe.Kind("peer.message")))).Is([]string{"for lower"})
		Observe("what ALICE gets", Texts(upper.Until(ctx, probe.Kind("peer.message")))).Is([]string{"for upper"})
	})

	DescribeTable("accepts an ordinary uid made of dots and hashes", Verifies("RTM-LOGIN-015"),
		func(ctx SpecContext, uid string) { accepted(ctx, uid) },
		func(uid string) string { return uid },
		Entry(nil, "."), Entry(nil, ".."), Entry(nil, "#"),
	)
}

func registerLoginStates(env *Env) {
	DescribeTable("refuses an app id of the wrong length", Verifies("RTM-LOGIN-016"),
		func(ctx SpecContext, appID func() string) {
			alice := env.Connect(ctx, "alice")
			alice.LoginAs(ctx, probe.Credentials{AppID: appID(), UID: alice.UID}).Refused(4, "LOGIN_ERR_INVALID_APP_ID")
		},
		Entry("31 characters", func() string { return env.AppID[:31] }),
		Entry("33 characters", func() string { return env.AppID + "0" }),
		Entry("none", func() string { return "" }),
	)

	It("keeps the users of two apps apart", Verifies("RTM-LOGIN-017"), func(ctx SpecContext) {
		alice, stranger := env.Login(ctx, "alice"), env.Connect(ctx, "stranger")
		bob := env.Connect(ctx, "bob")
		bob.LoginAs(ctx, probe.Credentials{AppID: env.OtherAppID, UID: alice.UID}).OK()
		stranger.LoginAs(ctx, probe.Credentials{AppID: env.OtherAppID, UID: stranger.UID}).OK()

		stranger.SendPeer(ctx, alice.UID, "for the other app").OK()
		env.Login(ctx, "carol").SendPeer(ctx, alice.UID, "for this app").OK()

		Observe("what alice gets", Texts(alice.Until(ctx, probe.Kind("peer.message").With("text", "for this app")))).Is([]string{"for this app"})
	})

	DescribeTable("refuses a second login on a session", Verifies("RTM-LOGIN-018"),
		func(ctx SpecContext, name string) {
			alice := env.Login(ctx, "alice")

			alice.LoginAs(ctx, env.Credentials(ctx, env.UID(name))).Refused(8, "LOGIN_ERR_ALREADY_LOGIN")

			bob := env.Login(ctx, "bob")
			bob.SendPeer(ctx, env.UID("alice"), "still there?").OK()
			alice.Await(ctx, probe.Kind("peer.message"))
		},
		Entry("with the same uid", "alice"), Entry("with another uid", "other"),
	)

	It("can be tried again on the connection after a refusal", Verifies("RTM-LOGIN-019"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")
		alice.LoginAs(ctx, probe.Credentials{AppID: env.AppID, UID: ""}).Refused(3, loginInvalidArgument)

		alice.Login(ctx).OK()
	})

	It("tells the server's time in Unix milliseconds", Verifies("RTM-LOGIN-032"), func(ctx SpecContext) {
		answer := env.Connect(ctx, "alice").Login(ctx).OK()

		ts, _ := answer.Int("server_ts")
		// A clock may be wrong by years, but a second is not a millisecond.
		Observe("server_ts as a date", time.UnixMilli(ts).UTC()).IsAbout("lies between 2020 and 2100",
			time.UnixMilli(ts).After(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)) && time.UnixMilli(ts).Before(time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)))
	})

	DescribeTable("needs a uid that is a string", Verifies("RTM-LOGIN-033"),
		func(ctx SpecContext, uid ...probe.Field) {
			alice := env.Connect(ctx, "alice")
			fields := append([]probe.Field{probe.F("app_id", env.AppID)}, uid...)
			Observe("what the server does about the login", alice.refusal(ctx, "login", fields...)).IsOneOf("error 3", "close 4204")
		},
		Entry("missing"), Entry("a number", probe.F("uid", 17)), Entry("a boolean", probe.F("uid", true)),
		Entry("an object", probe.F("uid", json.RawMessage(`{}`))), Entry("an array", probe.F("uid", json.RawMessage(`["alice"]`))),
		Entry("null", probe.F("uid", nil)),
	)
}

// refusal sends a request that a server may refuse in more than one way, and names the way: "error 3" or "close 4204".
func (a *Actor) refusal(ctx context.Context, kind string, fields ...probe.Field) string {
	GinkgoHelper()
	request := a.Start(kind, fields...)
	waiting, cancel := bounded(ctx, a.env.Answer())
	defer cancel()
	answer, err := a.Conn.Answer(waiting, request.id)
	if err == nil {
		if answer.Failed() {
			return fmt.Sprintf("error %d", answer.Code())
		}
		return answer.Kind
	}
	return fmt.Sprintf("close %d", a.AwaitClose(ctx))
}

func registerEviction(env *Env) {
	It("lets the newest login win", Verifies("RTM-LOGIN-020"), func(ctx SpecContext) {
		old := env.Login(ctx, "alice")

		old.Elsewhere(ctx).Login(ctx).OK()
	})

	It("tells the evicted session why", Verifies("RTM-LOGIN-021"), func(ctx SpecContext) {
		old := env.Login(ctx, "alice")

		old.Again(ctx)

		old.Await(ctx, probe.Kind("login.kicked").With("reason", "REMOTE_LOGIN"))
		Observe("the close code of the evicted connection", old.AwaitClose(ctx)).Is(4200)
	})

	It("takes the evicted session out of its channels", Verifies("RTM-LOGIN-022"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, old := env.Login(ctx, "bob"), env.Login(ctx, "alice")
		bob.Join(ctx, lobby).OK()
		old.Join(ctx, lobby).OK()

		newer := old.Again(ctx)

		bob.Await(ctx, probe.Kind("channel.member_left").With("channel", lobby).With("uid", old.UID))
		newer.SendChannel(ctx, lobby, "am I in?").Refused(5, "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL")
	})

	It("sends messages to the new session only", Verifies("RTM-LOGIN-023"), func(ctx SpecContext) {
		bob, old := env.Login(ctx, "bob"), env.Login(ctx, "alice")
		newer := old.Again(ctx)

		bob.SendPeer(ctx, newer.UID, "hi").OK()

		newer.Await(ctx, probe.Kind("peer.message").With("text", "hi"))
		old.AwaitClose(ctx)
		Observe("what the evicted session got", Kinds(Of("peer.message", old.Conn.Inbox()))).IsEmpty()
	})

	It("leaves exactly one session of many that race", Verifies("RTM-LOGIN-034"), func(ctx SpecContext) {
		const racers = 8
		first := env.Connect(ctx, "alice")
		all := []*Actor{first}
		for range racers - 1 {
			all = append(all, first.Elsewhere(ctx))
		}
		var logins []Asked
		for _, racer := range all {
			logins = append(logins, racer.Start("login", env.Credentials(ctx, first.UID).Fields()...))
		}
		for i, racer := range all {
			racer.Answer(ctx, logins[i]).OK()
		}

		// A login that comes after all others ends whatever they left, so each racer ends for one of two reasons.
		last := first.Again(ctx)

		for _, racer := range all {
			Observe("the close code of a session that lost", racer.AwaitClose(ctx)).Is(4200)
		}
		env.Login(ctx, "bob").SendPeer(ctx, last.UID, "hi").OK()
		Observe("how many messages the last session gets", len(Of("peer.message", last.Until(ctx, probe.Kind("peer.message"))))).Is(1)
	})

	It("outlives the late end of the evicted connection", Verifies("RTM-LOGIN-035"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, old := env.Login(ctx, "bob"), env.Login(ctx, "alice")
		bob.Join(ctx, lobby).OK()
		// A connection that does not read the close frame does not end by it.
		old.Conn.PauseReading()
		newer := old.Again(ctx)
		newer.Join(ctx, lobby).OK()

		old.Cut()
		// The server needs a moment to see the end, and nothing tells when it has. Another login is a moment.
		env.Login(ctx, "carol")

		bob.SendChannel(ctx, lobby, "still there?").OK()
		newer.Await(ctx, probe.Kind("channel.message").With("text", "still there?"))
		bob.SendPeer(ctx, newer.UID, "and here?").OK()
		newer.Await(ctx, probe.Kind("peer.message").With("text", "and here?"))
	})
}

func registerLogout(env *Env) {
	It("needs a session", Verifies("RTM-LOGIN-024"), func(ctx SpecContext) {
		env.Connect(ctx, "alice").Logout(ctx).Refused(102, "LOGOUT_ERR_USER_NOT_LOGGED_IN")
	})

	It("is answered and then closed with 1000", Verifies("RTM-LOGIN-025"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")

		alice.Logout(ctx).OK()

		Observe("the close code", alice.AwaitClose(ctx)).Is(1000)
	})

	It("makes the user offline at once", Verifies("RTM-LOGIN-026"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		alice.Logout(ctx).OK()

		receipt := bob.SendPeer(ctx, alice.UID, "hi").OK()

		Observe("received", receipt.Value("received")).Is(false)
	})

	It("leaves all channels", Verifies("RTM-LOGIN-027"), func(ctx SpecContext) {
		lobby, hall := env.Channel("lobby"), env.Channel("hall")
		bob, alice := env.Login(ctx, "bob"), env.Login(ctx, "alice")
		for _, channel := range []string{lobby, hall} {
			bob.Join(ctx, channel).OK()
			alice.Join(ctx, channel).OK()
		}

		alice.Logout(ctx).OK()

		for _, channel := range []string{lobby, hall} {
			bob.Await(ctx, probe.Kind("channel.member_left").With("channel", channel).With("uid", alice.UID))
		}
	})

	DescribeTable("can be followed by a login", Verifies("RTM-LOGIN-028"),
		func(ctx SpecContext, name string) {
			env.Login(ctx, "alice").Logout(ctx).OK()

			env.Login(ctx, name)
		},
		Entry("of the same user", "alice"), Entry("of another user", "bob"),
	)
}

func registerLoginRate(env *Env) {
	announced := func() CallLimit { return env.announcedCall("login") }

	It("refuses logins above the announced rate", Verifies("RTM-LOGIN-029"), func(ctx SpecContext) {
		if env.TokenApp.Certificate == "" {
			env.cannotJudge("only logins with a bad token reach the login rate, and there is no app with a certificate")
		}
		alice := env.Connect(ctx, "alice")
		credentials := probe.Credentials{AppID: env.TokenApp.ID, UID: alice.UID, Token: "not a token"}
		var logins []Asked
		for range announced().Count + 1 {
			logins = append(logins, alice.Start("login", credentials.Fields()...))
		}
		for _, login := range logins[:announced().Count] {
			alice.Answer(ctx, login).Refused(5, loginInvalidToken)
		}

		alice.Answer(ctx, logins[announced().Count]).Refused(10, "LOGIN_ERR_TOO_OFTEN")
	})

	It("does not count logins with bad arguments", Verifies("RTM-LOGIN-030"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")
		for range announced().Count + 1 {
			alice.LoginAs(ctx, probe.Credentials{AppID: env.AppID, UID: ""}).Refused(3, loginInvalidArgument)
		}

		alice.Login(ctx).OK()
	})

	It("does not count calls without a session", Verifies("RTM-LOGIN-031"), func(ctx SpecContext) {
		alice, bob := env.Connect(ctx, "alice"), env.Login(ctx, "bob")
		var sends []Asked
		for range env.announcedCall("send").Count + 1 {
			sends = append(sends, alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi")))
		}
		for _, send := range sends {
			alice.Answer(ctx, send).Refused(102, "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN")
		}
		alice.Login(ctx).OK()

		alice.SendPeer(ctx, bob.UID, "hi").OK()
	})
}

// announcedCall returns the limit of a call in a spec of the profile call-limits, which counts on it.
func (e *Env) announcedCall(name string) CallLimit {
	GinkgoHelper()
	limit, ok := e.Limits.Call(name)
	if !ok {
		e.cannotJudge("the server announces no limit for the call " + name)
	}
	return limit
}
