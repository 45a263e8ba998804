package faults

// tokenClientFaults are broken clients: the end of tokens and their renewal.
var tokenClientFaults = []Fault{
	{
		Name: "token.client-notice-untold", Text: "Listeners do not hear that the token will expire.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-024"},
		Lines:  losing("TokenPrivilegeWillExpire", func(*talk, line) bool { return true }),
	},
	{
		Name: "token.client-notice-aborts", Text: "A token that will expire is taken for one that has.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-024"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case l.text("event") == "TokenPrivilegeWillExpire":
				t.count(l.text("client"))
			case asked.text("cmd") == "state" && t.seen[asked.text("client")] > 0:
				return only(l.with("ok", map[string]any{"state": "ABORTED"}))
			}
			return only(l)
		}),
	},
	{
		Name: "token.client-end-untold", Text: "A token that has ended is told as a change of state only.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-025"},
		Lines:  losing("TokenExpired", func(*talk, line) bool { return true }),
	},
	{
		Name: "token.client-end-as-an-eviction", Text: "The reason of ABORTED is REMOTE_LOGIN when the token has ended.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-025"},
		Lines:  forAnotherReason("TOKEN_EXPIRED", "REMOTE_LOGIN"),
	},
	{
		Name: "token.client-renews-with-the-old", Text: "A renewal sends the token that is being replaced.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-026"},
		Plant: func(*Proxy) func(*Link) {
			old := "the token of the login"
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					switch {
					case f.Is("login") && f.Text("token") != "":
						old = f.Text("token")
					case f.Is("token.renew"):
						l.Activate()
						f.Set("token", old)
					}
					return true
				}
			}
		},
	},
	{
		Name: "token.client-renewal-is-a-login", Text: "A renewal goes through CONNECTING.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-026"},
		Lines: onReply("renewToken", func(t *talk, asked, reply line) []line {
			if !reply.succeeded() {
				return only(reply)
			}
			client := asked.text("client")
			told := t.events(client, "ConnectionStateChanged", line{"state": "CONNECTING", "reason": "LOGIN"})
			told = append(told, t.events(client, "ConnectionStateChanged", line{"state": "CONNECTED", "reason": "LOGIN_SUCCESS"})...)
			return append(told, reply)
		}),
	},
	{
		Name: "token.client-state-before-the-token", Text: "A renewal with an empty token looks at the state first.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-027"},
		Lines: answering("renewToken", func(t *talk, asked, _ line) bool { return t.state(asked) == "DISCONNECTED" },
			failed("token.renew", 102, "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN")),
	},
	{
		Name: "token.client-empty-renewal-sent", Text: "A renewal with an empty token of a session is left to the server.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-027"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case l.text("cmd") == "renewToken" && l.text("token") == "" && t.state(l) == "CONNECTED":
				return only(l.with("token", "undefined"))
			case asked.text("cmd") == "renewToken" && asked.text("token") == "" && l.succeeded():
				return only(failed("token.renew", 2, "RENEW_TOKEN_ERR_INVALID_ARGUMENT").with("seq", l["seq"]))
			}
			return only(l)
		}),
	},
	{
		Name: "token.client-renews-without-a-session", Text: "A renewal without a session succeeds.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-028"},
		Lines:  answering("renewToken", withCode(102), ok(nil)),
	},
	{
		Name: "token.client-connects-for-a-renewal", Text: "A renewal without a session opens a connection.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-028"},
		Lines: onCommand("renewToken", func(t *talk, c line) []line {
			if t.users[c.text("client")] != "" {
				return only(c)
			}
			return connecting(t, c, failed("token.renew", 102, "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN"))
		}),
	},
	{
		Name: "token.client-expired-twice", Text: "Listeners hear twice of a token that was found expired.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-029"},
		Lines: onEvent("TokenExpired", func(t *talk, e line) []line {
			if t.state(e) == "RECONNECTING" {
				return []line{e, e}
			}
			return only(e)
		}),
	},
	{
		Name: "token.client-gives-up-when-expired", Text: "A client that finds its token expired while it reconnects gives up.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-029"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case l.text("event") == "TokenExpired" && t.state(l) == "RECONNECTING":
				t.count(l.text("client"))
			case asked.text("cmd") == "state" && t.seen[asked.text("client")] > 0:
				return only(l.with("ok", map[string]any{"state": "ABORTED"}))
			}
			return only(l)
		}),
	},
	{
		Name: "token.client-renewal-comes-to-nothing", Text: "A renewal while reconnecting does not bring the client back.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-030"},
		Lines:  pretending("renewToken", func(t *talk, c line) bool { return t.state(c) == "RECONNECTING" }, ok(nil)),
	},
	{
		Name: "token.client-back-with-the-old", Text: "A client that comes back after a renewal tries the old token first.", Subject: Client,
		Breaks: []string{"RTM-TOKEN-030"},
		Lines: overheard(func(t *talk, _, l line) []line {
			switch {
			case l.text("cmd") == "renewToken" && t.state(l) == "RECONNECTING":
				t.count(l.text("client"))
			case l.text("event") == "ConnectionStateChanged" && l.text("state") == "CONNECTED" && t.seen[l.text("client")] > 0:
				return append(t.events(l.text("client"), "TokenExpired", line{}), l)
			}
			return only(l)
		}),
	},
}

// connecting has a client that must not connect log in and out in place of a call, and gives the call this reply.
func connecting(t *talk, c line, reply line) []line {
	settled := 0
	both := func(line) []line {
		if settled++; settled < 2 {
			return nil
		}
		return only(reply.with("seq", c["seq"]))
	}
	return []line{
		t.commandThen("login", line{"client": c["client"], "uid": "somebody", "token": ""}, both),
		t.commandThen("logout", line{"client": c["client"]}, both),
	}
}
