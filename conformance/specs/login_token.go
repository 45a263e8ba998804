package specs

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/sdk/token"
)

// RegisterToken registers the specs of access tokens on a server, which belong to the area login.
func RegisterToken(env *Env) {
	Describe("token", func() {
		registerTokenCheck(env)
		registerTokenTime(env)
		registerTokenRenew(env)
	})
}

func registerTokenCheck(env *Env) {
	refused := func(ctx context.Context, name, token string, code int64, codeName string) {
		GinkgoHelper()
		alice := env.Connect(ctx, name)
		alice.LoginAs(ctx, env.certified(alice.UID, token)).Refused(code, codeName)
	}

	It("is needed where the app has a certificate", Verifies("RTM-TOKEN-001"), func(ctx SpecContext) {
		refused(ctx, "alice", "", 5, loginInvalidToken)
	})

	DescribeTable("counts as absent", Verifies("RTM-TOKEN-002"),
		func(ctx SpecContext, token any) {
			alice := env.Connect(ctx, "alice")
			fields := append(env.certified(alice.UID, "").Fields(), probe.F("token", token))
			alice.Request(ctx, "login", fields...).Refused(5, loginInvalidToken)
		},
		Entry("when it is empty", ""), Entry("when it is null", nil),
	)

	It("of format 006 is accepted", Verifies("RTM-TOKEN-003"), func(ctx SpecContext) {
		env.loginCertified(ctx, "alice", func(uid string) string { return format006.token(env, uid, valid) })
	})
	It("of format 007 is accepted", Verifies("RTM-TOKEN-004"), func(ctx SpecContext) {
		env.loginCertified(ctx, "alice", func(uid string) string { return format007.token(env, uid, valid) })
	})

	for _, format := range []format{format006, format007} {
		Context("of format "+format.name, func() {
			It("is refused for another uid", Verifies("RTM-TOKEN-005"), func(ctx SpecContext) {
				refused(ctx, "alice", format.token(env, env.UID("mallory"), valid), 5, loginInvalidToken)
			})
			It("is refused for another app", Verifies("RTM-TOKEN-006"), func(ctx SpecContext) {
				other := token.App{ID: strings.Repeat("0123456789abcdef", 2), Certificate: env.TokenApp.Certificate}
				refused(ctx, "alice", format.tokenOf(other, env.UID("alice"), valid), 5, loginInvalidToken)
			})
			It("is refused when another certificate signed it", Verifies("RTM-TOKEN-007"), func(ctx SpecContext) {
				forger := token.App{ID: env.TokenApp.ID, Certificate: strings.Repeat("fedcba9876543210", 2)}
				refused(ctx, "alice", format.tokenOf(forger, env.UID("alice"), valid), 5, loginInvalidToken)
			})
			It("is refused when it is cut short", Verifies("RTM-TOKEN-007"), func(ctx SpecContext) {
				whole := format.token(env, env.UID("alice"), valid)
				refused(ctx, "alice", whole[:len(whole)/2], 5, loginInvalidToken)
			})
			It("is refused when it has expired", Verifies("RTM-TOKEN-008"), func(ctx SpecContext) {
				refused(ctx, "alice", format.token(env, env.UID("alice"), format.expired()), 6, loginTokenExpired)
			})
			It("serves more than one login", Verifies("RTM-TOKEN-009"), func(ctx SpecContext) {
				text := format.token(env, env.UID("alice"), valid)
				for range 3 {
					env.loginCertified(ctx, "alice", func(string) string { return text })
				}
			})
		})
	}

	DescribeTable("is refused when it is no token at all", Verifies("RTM-TOKEN-007"),
		func(ctx SpecContext, text string) { refused(ctx, "alice", text, 5, loginInvalidToken) },
		Entry("a word", "token"), Entry("a bare format", "007"), Entry("a space", " "), Entry("another format", "008"+strings.Repeat("A", 100)),
	)

	DescribeTable("must be a string", Verifies("RTM-TOKEN-010"),
		func(ctx SpecContext, value any) {
			alice := env.Connect(ctx, "alice")
			fields := append(env.certified(alice.UID, "").Fields(), probe.F("token", value))
			Observe("what the server does about the login", alice.refusal(ctx, "login", fields...)).IsOneOf("error 3", "close 4204")
		},
		Entry("not a number", 7), Entry("not a boolean", true), Entry("not an object", json.RawMessage(`{}`)), Entry("not an array", json.RawMessage(`[]`)),
	)
}

func registerTokenTime(env *Env) {
	It("of format 006 is valid beyond its privilege time", Verifies("RTM-TOKEN-011"), func(ctx SpecContext) {
		early := token.Options{IssuedAt: time.Now().Add(-time.Hour), Lifetime: time.Minute}
		env.loginCertified(ctx, "alice", func(uid string) string { return format006.token(env, uid, early) })
	})

	It("of format 007 ends after 24 hours even if it says more", Verifies("RTM-TOKEN-012"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")
		long := token.Options{IssuedAt: time.Now().Add(-25 * time.Hour), Lifetime: 48 * time.Hour}
		alice.LoginAs(ctx, env.certified(alice.UID, format007.token(env, alice.UID, long))).Refused(6, loginTokenExpired)
	})

	It("of format 007 with no life is expired at once", Verifies("RTM-TOKEN-013"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")
		dead := format007.token(env, alice.UID, token.Options{Lifetime: token.Expired})
		alice.LoginAs(ctx, env.certified(alice.UID, dead)).Refused(6, loginTokenExpired)
	})

	It("of format 006 may end while its session goes on", Verifies("RTM-TOKEN-014"), func(ctx SpecContext) {
		end := soon()
		alice := env.loginCertified(ctx, "alice", func(uid string) string { return format006.endingAt(env, uid, end) })

		env.passes(ctx, end)

		alice.Ping(ctx).OK()
	})

	It("of format 007 is announced before its end", Verifies("RTM-TOKEN-015"), func(ctx SpecContext) {
		notice := env.Limits.Duration("token_notice_ms")
		alice := env.loginCertified(ctx, "alice", func(uid string) string {
			return format007.endingAt(env, uid, time.Now().Add(notice+time.Second).Truncate(time.Second))
		})

		before := alice.UntilWithin(ctx, time.Second+env.Answer(), probe.Kind("token.will_expire"))

		left, _ := before[len(before)-1].Int("left_ms")
		// The protocol does not say how exact left_ms is; a fifth more than the notice is certainly not the notice.
		Observe("left_ms", left).IsAtMost(notice.Milliseconds() * 6 / 5)
		Observe("left_ms", left).IsAtLeast(1)
	})

	It("of format 007 that is shorter than the notice is announced at once", Verifies("RTM-TOKEN-023"), func(ctx SpecContext) {
		notice := env.Limits.Duration("token_notice_ms")
		if notice < 3*time.Second {
			env.cannotJudge("the announced notice time is too short for a token of whole seconds that is shorter")
		}
		alice := env.loginCertified(ctx, "alice", func(uid string) string {
			return format007.token(env, uid, token.Options{Lifetime: (notice - time.Second).Truncate(time.Second)})
		})

		alice.Await(ctx, probe.Kind("token.will_expire"))
	})

	It("of format 007 ends its session", Verifies("RTM-TOKEN-016"), func(ctx SpecContext) {
		end := soon()
		alice := env.loginCertified(ctx, "alice", func(uid string) string { return format007.endingAt(env, uid, end) })

		alice.AwaitWithin(ctx, env.till(end), probe.Kind("login.kicked").With("reason", "TOKEN_EXPIRED"))

		Observe("the close code", alice.AwaitClose(ctx)).Is(4202)
	})

	It("that was renewed no longer ends its session", Verifies("RTM-TOKEN-017"), func(ctx SpecContext) {
		end := soon()
		alice := env.loginCertified(ctx, "alice", func(uid string) string { return format007.endingAt(env, uid, end) })
		alice.RenewToken(ctx, format007.token(env, alice.UID, valid)).OK()

		env.passes(ctx, end)

		alice.Ping(ctx).OK()
	})
}

func registerTokenRenew(env *Env) {
	const invalidArgument = "RENEW_TOKEN_ERR_INVALID_ARGUMENT"
	It("cannot be renewed with an empty one before login", Verifies("RTM-TOKEN-018"), func(ctx SpecContext) {
		env.Connect(ctx, "alice").RenewToken(ctx, "").Refused(2, invalidArgument)
	})
	It("cannot be renewed with an empty one after login", Verifies("RTM-TOKEN-018"), func(ctx SpecContext) {
		env.Login(ctx, "alice").RenewToken(ctx, "").Refused(2, invalidArgument)
	})

	It("cannot be renewed without a session", Verifies("RTM-TOKEN-019"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")
		alice.RenewToken(ctx, env.anyToken(ctx, alice.UID)).Refused(102, "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN")
	})

	for _, format := range []format{format006, format007} {
		It("cannot be renewed with one of format "+format.name+" for another uid", Verifies("RTM-TOKEN-020"), func(ctx SpecContext) {
			alice := env.loginCertified(ctx, "alice", func(uid string) string { return format007.token(env, uid, valid) })

			alice.RenewToken(ctx, format.token(env, env.UID("mallory"), valid)).Refused(6, "RENEW_TOKEN_ERR_INVALID_TOKEN")

			alice.Ping(ctx).OK()
		})
		It("cannot be renewed with an expired one of format "+format.name, Verifies("RTM-TOKEN-021"), func(ctx SpecContext) {
			alice := env.loginCertified(ctx, "alice", func(uid string) string { return format007.token(env, uid, valid) })

			alice.RenewToken(ctx, format.token(env, alice.UID, format.expired())).Refused(5, "RENEW_TOKEN_ERR_TOKEN_EXPIRED")

			alice.Ping(ctx).OK()
		})
	}

	It("cannot be renewed more often than announced", Verifies("RTM-TOKEN-022"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		fresh := env.anyToken(ctx, alice.UID)
		var renewals []Asked
		for range env.announcedCall("renew").Count + 1 {
			renewals = append(renewals, alice.Start("token.renew", probe.F("token", fresh)))
		}
		last := len(renewals) - 1
		for _, renewal := range renewals[:last] {
			alice.Answer(ctx, renewal).OK()
		}

		alice.Answer(ctx, renewals[last]).Refused(4, "RENEW_TOKEN_ERR_TOO_OFTEN")
	})
}

// anyToken returns a token that the app of the run accepts in a renewal: an open app accepts any that is not empty.
func (e *Env) anyToken(ctx context.Context, uid string) string {
	if token := e.Credentials(ctx, uid).Token; token != "" {
		return token
	}
	return "an open app accepts any token"
}
