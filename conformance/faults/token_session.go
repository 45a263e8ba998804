package faults

import "time"

// tokenSessionFaults are broken servers: the tokens of sessions, their end and their renewal.
var tokenSessionFaults = []Fault{
	{
		Name: "token.006-ends-its-session", Text: "A session with a token of format 006 ends with the token.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-014"},
		Plant: withToken("006", func(l *Link, c credential, _ *Frame) {
			l.After(time.Until(c.end), l.expire)
		}),
	},
	{
		Name: "token.announced-long-before", Text: "A token of format 007 is announced at the login, with the whole of its life left.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-015"},
		Plant: withToken("007", func(l *Link, c credential, _ *Frame) {
			l.Activate()
			l.ToClient(`{"kind":"token.will_expire","left_ms":%d}`, c.life.Milliseconds())
		}),
	},
	{
		Name: "token.announced-as-over", Text: "The notice says that no time is left.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-015"},
		Plant:  fromServer(kind("token.will_expire"), set("left_ms", 0)),
	},
	{
		Name: "token.short-not-announced", Text: "A token that lasts less than the notice time is not announced.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-023"},
		Plant: func(*Proxy) func(*Link) {
			return func(l *Link) {
				short := false
				watch := tokenOf(l, "007", func(c credential, login *Frame) {
					var limits struct {
						Notice int64 `json:"token_notice_ms"`
					}
					short = login.Get("limits", &limits) && c.life.Milliseconds() < limits.Notice
				})
				l.OnServer = func(f *Frame) bool {
					watch(f)
					if !short || !f.Is("token.will_expire") {
						return true
					}
					l.Activate()
					return false
				}
			}
		},
	},
	{
		Name: "token.ends-as-an-eviction", Text: "The end of a token is told as a login elsewhere.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-016"},
		Plant:  fromServer(kind("login.kicked").and(func(f *Frame) bool { return f.Text("reason") == "TOKEN_EXPIRED" }), set("reason", "REMOTE_LOGIN")),
	},
	{
		Name: "token.ends-with-a-plain-close", Text: "After the end of a token the connection is closed with 1000.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-016"},
		Plant:  fromServer(closing(4202), recode(1000)),
	},
	{
		Name: "token.ends-in-spite-of-renewal", Text: "A session ends with the token of its login, whether or not it was renewed.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-017"},
		Plant: func(*Proxy) func(*Link) {
			return func(l *Link) {
				renewed := false
				watch := tokenOf(l, "007", func(c credential, _ *Frame) {
					l.After(time.Until(c.end), func() {
						if renewed {
							l.expire()
						}
					})
				})
				l.OnServer = func(f *Frame) bool {
					watch(f)
					renewed = renewed || f.Is("token.renew.ok")
					return true
				}
			}
		},
	},
	{
		Name: "token.empty-renewal-before-login", Text: "Without a session a renewal is refused for it before its token is looked at.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-018"},
		Plant: answered(refusal("token.renew", 2), func(l *Link, _ *Frame) bool { return l.UID == "" },
			failWith(102, "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN")),
	},
	{
		Name: "token.empty-renewal-accepted", Text: "A renewal with an empty token is accepted.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-018"},
		Plant: answered(refusal("token.renew", 2), func(l *Link, _ *Frame) bool { return l.UID != "" },
			instead("token.renew.ok", nil)),
	},
	{
		Name: "token.renewed-before-login", Text: "A renewal without a session is accepted.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-019"},
		Plant:  fromServer(refusal("token.renew", 102), instead("token.renew.ok", nil)),
	},
	{
		Name: "token.renewed-for-another-user", Text: "A renewal is accepted with a token of another user.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-020"},
		Plant:  fromServer(refusal("token.renew", 6), instead("token.renew.ok", nil)),
	},
	{
		Name: "token.bad-renewal-ends-the-session", Text: "A renewal with an invalid token is refused and ends the session.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-020"},
		Plant:  fromServer(refusal("token.renew", 6), thenEnd),
	},
	{
		Name: "token.renewed-with-an-expired-one", Text: "A renewal is accepted with an expired token.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-021"},
		Plant:  fromServer(refusal("token.renew", 5), instead("token.renew.ok", nil)),
	},
	{
		Name: "token.expired-renewal-as-invalid", Text: "A renewal with an expired token is refused as one with an invalid token.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-021"},
		Plant:  fromServer(refusal("token.renew", 5), failWith(6, "RENEW_TOKEN_ERR_INVALID_TOKEN")),
	},
	{
		Name: "token.expired-renewal-ends-the-session", Text: "A renewal with an expired token is refused and ends the session.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-021"},
		Plant:  fromServer(refusal("token.renew", 5), thenEnd),
	},
	{
		Name: "token.renewed-at-any-rate", Text: "Renewals above the announced rate are accepted.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-022"},
		Plant:  fromServer(refusal("token.renew", 4), instead("token.renew.ok", nil)),
	},
	{
		Name: "token.renewed-less-often", Text: "The last of the renewals that the announced rate allows is refused.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-022"},
		Plant:  tooStrict("token.renew", "renew", 4, "RENEW_TOKEN_ERR_TOO_OFTEN"),
	},
}

// withToken plants something that is done behind the answer to each login with a token of this format.
func withToken(format string, do func(l *Link, c credential, login *Frame)) Plant {
	return stateless(func(l *Link) {
		l.OnServer = func(f *Frame) bool {
			pass := true
			tokenOf(l, format, func(c credential, login *Frame) {
				l.Send(ToClient, f.clone())
				do(l, c, login)
				pass = false
			})(f)
			return pass
		}
	})
}

// tokenOf returns a function that looks at frames of the server, and tells of each login answer to a token of a format.
func tokenOf(l *Link, format string, tell func(c credential, answer *Frame)) func(f *Frame) {
	return func(f *Frame) {
		login := l.Asked(f)
		if login == nil || !f.Is("login.ok") {
			return
		}
		if c, ok := credentialOf(login); ok && c.format == format {
			tell(c, f)
		}
	}
}

// expire ends the session of a link as the end of its token does.
func (l *Link) expire() {
	l.Activate()
	l.ToClient(`{"kind":"login.kicked","reason":"TOKEN_EXPIRED"}`)
	l.end(4202, "token_expired")
}
