package faults

import "strings"

// loginClientFaults are broken clients: their creation, logins and logouts.
var loginClientFaults = []Fault{
	{
		Name: "login.client-app-id-of-any-length", Text: "An app id of any length makes a client.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-036"},
		Lines: onCommand("createClient", func(_ *talk, c line) []line {
			if len(c.text("app_id")) == 32 {
				return only(c)
			}
			return only(c.with("app_id", strings.Repeat("a", 32)))
		}),
	},
	{
		Name: "login.client-app-id-refused-otherwise", Text: "A bad app id is refused with a code that the API does not list.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-036"},
		Lines:  answering("createClient", withCode(1), failed("client.new", 0, "")),
	},
	{
		Name: "login.client-app-id-of-anything", Text: "Any 32 characters make an app id.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-037"},
		Lines: onCommand("createClient", func(_ *talk, c line) []line {
			if id := c.text("app_id"); len([]rune(id)) == 32 {
				return only(c.with("app_id", id[:31]+"a"))
			}
			return only(c)
		}),
	},
	{
		Name: "login.client-connects-when-created", Text: "A client opens its connection when it is created.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-038"},
		Plant: func(p *Proxy) func(*Link) {
			p.Counter.Hit()
			p.Open()
			return func(*Link) {}
		},
	},
	{
		Name: "login.client-connecting-when-created", Text: "A client that was never logged in says that it is connecting.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-038"},
		Lines: answering("state", func(t *talk, asked, _ line) bool { return t.users[asked.text("client")] == "" },
			ok(map[string]any{"state": "CONNECTING"})),
	},
	{
		Name: "login.client-states-shared", Text: "The listeners of every client hear of the state of each.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-039"},
		Lines: onEvent("ConnectionStateChanged", func(t *talk, e line) []line {
			told := only(e)
			for client := range t.users {
				if client != e.text("client") && e.text("state") == "DISCONNECTED" {
					told = append(told, t.events(client, "ConnectionStateChanged", line{"state": e["state"], "reason": e["reason"]})...)
				}
			}
			return told
		}),
	},
	{
		Name: "login.client-logout-ends-all", Text: "A logout of one client changes the state of all.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-039"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case asked.text("cmd") == "logout":
				t.count("logouts")
			case asked.text("cmd") == "state" && t.seen["logouts"] > 0 && l.inside("ok").text("state") == "CONNECTED":
				return only(l.with("ok", map[string]any{"state": "DISCONNECTED"}))
			}
			return only(l)
		}),
	},
	{
		Name: "login.client-connecting-untold", Text: "Listeners do not hear of CONNECTING.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-040"},
		Lines:  losing("ConnectionStateChanged", inState("CONNECTING")),
	},
	{
		Name: "login.client-connected-for-login", Text: "The reason of CONNECTED is LOGIN.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-040"},
		Lines: onEvent("ConnectionStateChanged", func(_ *talk, e line) []line {
			if e.text("state") == "CONNECTED" {
				return only(e.with("reason", "LOGIN"))
			}
			return only(e)
		}),
	},
	{
		Name: "login.client-settles-first", Text: "A login settles before its listeners hear of CONNECTED.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-041"},
		// The event waits for the next line, so that it cannot come in time by chance.
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case l.text("event") == "ConnectionStateChanged" && l.text("state") == "CONNECTED":
				t.held = append(t.held, l)
				return nil
			case l["cmd"] == nil && asked.text("cmd") != "login" && len(t.held) > 0:
				passed := append(t.held, l)
				t.held = nil
				return passed
			}
			return only(l)
		}),
	},
	{
		Name: "login.client-bad-uid-asked", Text: "A login with a bad uid is left to the server.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-042", "RTM-LOGIN-043"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case l.text("cmd") == "login" && !goodUID(l.text("uid")):
				return only(l.with("uid", "somebody"))
			case asked.text("cmd") == "login" && !goodUID(asked.text("uid")) && l.succeeded():
				return only(failed("login", 3, "LOGIN_ERR_INVALID_ARGUMENT").with("seq", l["seq"]))
			}
			return only(l)
		}),
	},
	{
		Name: "login.client-uid-cut", Text: "A uid that is too long is cut.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-042"},
		Lines: onCommand("login", func(_ *talk, c line) []line {
			if uid := c.text("uid"); tooLong(uid) {
				return only(c.with("uid", first64(uid)))
			}
			return only(c)
		}),
	},
	{
		Name: "login.client-bad-uid-told", Text: "A login with a bad uid goes through CONNECTING.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-043"},
		Lines: onReply("login", func(t *talk, asked, reply line) []line {
			if reply.code() != 3 {
				return only(reply)
			}
			client := asked.text("client")
			told := t.events(client, "ConnectionStateChanged", line{"state": "CONNECTING", "reason": "LOGIN"})
			told = append(told, t.events(client, "ConnectionStateChanged", line{"state": "DISCONNECTED", "reason": "LOGIN_FAILURE"})...)
			return append(told, reply)
		}),
	},
	{
		Name: "login.client-refusal-without-code", Text: "A login that the server refuses fails with LOGIN_ERR_UNKNOWN, whatever the server says.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-044"},
		Lines: answering("login", func(_ *talk, _, reply line) bool { return reply.code() >= 4 && reply.code() <= 6 },
			failed("login", 1, "LOGIN_ERR_UNKNOWN")),
	},
	{
		Name: "login.client-refused-for-a-logout", Text: "A login that is refused leads to DISCONNECTED for LOGOUT.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-044"},
		Lines:  forAnotherReason("LOGIN_FAILURE", "LOGOUT"),
	},
	{
		Name: "login.client-timeout-without-code", Text: "A login without an answer fails with LOGIN_ERR_UNKNOWN.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-045"},
		Lines:  answering("login", withCode(9), failed("login", 1, "LOGIN_ERR_UNKNOWN")),
	},
	{
		Name: "login.client-timeout-told-as-failure", Text: "A login without an answer leads to DISCONNECTED for LOGIN_FAILURE.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-045"},
		Lines:  forAnotherReason("LOGIN_TIMEOUT", "LOGIN_FAILURE"),
	},
	{
		Name: "login.client-same-uid-twice", Text: "A second login with the same uid succeeds and does nothing.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-047", "RTM-LOGIN-056"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			user := func(login line) string { return login.text("client") + " " + login.text("uid") }
			switch {
			case asked.text("cmd") == "login" && l.code() == 8 && t.seen[user(asked)] > 0:
				return only(ok(nil).with("seq", l["seq"]))
			case l.text("cmd") == "login" && t.state(l) == "DISCONNECTED":
				t.count(user(l))
			}
			return only(l)
		}),
	},
	{
		Name: "login.client-second-login-refused-otherwise", Text: "A second login fails with LOGIN_ERR_REJECTED.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-047"},
		Lines:  answering("login", withCode(8), failed("login", 2, "LOGIN_ERR_REJECTED")),
	},
	{
		Name: "login.client-failure-sticks", Text: "After a login that failed the client counts as logged in until a logout.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-048"},
		Lines: onReply("login", func(t *talk, asked, reply line) []line {
			client := asked.text("client")
			if t.seen[client] > 0 && reply.succeeded() {
				return only(failed("login", 8, "LOGIN_ERR_ALREADY_LOGIN").with("seq", reply["seq"]))
			}
			if reply.code() != 0 {
				t.count(client)
			}
			return only(reply)
		}),
	},
	{
		Name: "login.client-one-user-forever", Text: "A client that has tried to log in as one user cannot log in as another.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-048", "RTM-LOGIN-052"},
		Lines: onReply("login", func(t *talk, asked, reply line) []line {
			client, uid := asked.text("client"), asked.text("uid")
			if t.seen[client] > 0 && t.seen[client+" "+uid] == 0 && reply.succeeded() {
				return only(failed("login", 2, "LOGIN_ERR_REJECTED").with("seq", reply["seq"]))
			}
			t.count(client)
			t.count(client + " " + uid)
			return only(reply)
		}),
	},
	{
		Name: "login.client-empty-token-written-out", Text: "A login without a token sends the word undefined as one.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-063"},
		Plant:  fromClient(kind("login").and(func(f *Frame) bool { return f.Text("token") == "" }), set("token", "undefined")),
	},
	{
		Name: "login.client-logout-keeps-the-state", Text: "The state stays CONNECTED after a logout.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-049"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case asked.text("cmd") == "logout" && l.succeeded():
				t.count(asked.text("client"))
			case asked.text("cmd") == "state" && t.seen[asked.text("client")] > 0:
				return only(l.with("ok", map[string]any{"state": "CONNECTED"}))
			}
			return only(l)
		}),
	},
	{
		Name: "login.client-logout-for-an-interruption", Text: "A logout leads to DISCONNECTED for INTERRUPTED.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-049"},
		Lines:  forAnotherReason("LOGOUT", "INTERRUPTED"),
	},
	{
		Name: "login.client-logout-of-nothing", Text: "A logout without a session succeeds.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-050"},
		Lines:  answering("logout", withCode(102), ok(nil)),
	},
	{
		Name: "login.client-logout-does-not-wait", Text: "A logout during CONNECTING fails at once.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-051"},
		Lines: pretending("logout", func(t *talk, c line) bool { return t.waits("login", c) },
			failed("logout", 102, "LOGOUT_ERR_USER_NOT_LOGGED_IN")),
	},
	{
		Name: "login.client-logout-swallows-the-failure", Text: "A logout that has waited for a login succeeds although the login failed.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-051"},
		Lines:  answering("logout", func(_ *talk, _, reply line) bool { return reply.code() != 0 && reply.code() != 102 }, ok(nil)),
	},
	{
		Name: "login.client-logout-is-final", Text: "A client that was logged out cannot log in again.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-052"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case asked.text("cmd") == "logout" && l.succeeded():
				t.count(asked.text("client"))
			case asked.text("cmd") == "login" && t.seen[asked.text("client")] > 0 && l.succeeded():
				return only(failed("login", 8, "LOGIN_ERR_ALREADY_LOGIN").with("seq", l["seq"]))
			}
			return only(l)
		}),
	},
}

// inState is the condition of an event that tells of a state.
func inState(state string) func(*talk, line) bool {
	return func(_ *talk, e line) bool { return e.text("state") == state }
}

// goodUID tells whether a uid is good as far as the specs ask for it.
func goodUID(uid string) bool {
	return uid != "" && uid != "null" && len(uid) <= 64 && !strings.ContainsFunc(uid, func(r rune) bool { return r < ' ' || r > '~' || r == '*' })
}

// forAnotherReason plants another reason of state changes.
func forAnotherReason(reason, other string) func(*Counter) Lines {
	return onEvent("ConnectionStateChanged", func(_ *talk, e line) []line {
		if e.text("reason") == reason {
			return only(e.with("reason", other))
		}
		return only(e)
	})
}
