package faults

import "time"

// tokenFaults are broken servers: the tokens of logins.
var tokenFaults = []Fault{
	{
		Name: "token.not-needed", Text: "An app with a certificate lets users in without a token.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-001"},
		Plant: answered(refusal("login", 5), func(_ *Link, login *Frame) bool { return !login.Has("token") },
			openDoor),
	},
	{
		Name: "token.missing-is-an-argument", Text: "A login without a token is refused as an invalid argument.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-001"},
		Plant: answered(refusal("login", 5), func(_ *Link, login *Frame) bool { return !login.Has("token") },
			failWith(3, "LOGIN_ERR_INVALID_ARGUMENT")),
	},
	{
		Name: "token.empty-is-one", Text: "An empty token is taken for one that is not to be checked.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-002"},
		Plant: answered(refusal("login", 5), func(_ *Link, login *Frame) bool { return isText(login, "token") && login.Text("token") == "" },
			openDoor),
	},
	{
		Name: "token.null-is-a-breach", Text: "The token null is taken for a value of the wrong type.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-002"},
		Plant: fromClient(kind("login").and(func(f *Frame) bool { return isNull(f, "token") }), func(l *Link, _ *Frame) bool {
			l.end(4204, "bad_frame")
			return false
		}),
	},
	refusedToken("token.no-format-006", "A token of format 006 is refused.", "RTM-TOKEN-003",
		func(login *Frame, c credential) bool { return fit(login, c, "006") && c.privilege.After(time.Now()) }),
	refusedToken("token.no-format-007", "A token of format 007 is refused.", "RTM-TOKEN-004",
		func(login *Frame, c credential) bool { return fit(login, c, "007") }),
	acceptedToken("token.of-another-user", "A token is accepted for another user than it was minted for.", "RTM-TOKEN-005", 5,
		func(login *Frame, c credential) bool {
			return c.app == login.Text("app_id") && !c.names(login.Text("uid"))
		}),
	acceptedToken("token.of-another-app", "A token is accepted in another app than it was minted for.", "RTM-TOKEN-006", 5,
		func(login *Frame, c credential) bool {
			return c.app != login.Text("app_id") && c.names(login.Text("uid"))
		}),
	acceptedToken("token.forged", "The signature of a token is not checked.", "RTM-TOKEN-007", 5,
		func(login *Frame, c credential) bool {
			return c.app == login.Text("app_id") && c.names(login.Text("uid"))
		}),
	{
		Name: "token.damaged", Text: "A text that is not a token is refused as an expired one.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-007"},
		Plant: answered(refusal("login", 5), func(_ *Link, login *Frame) bool {
			_, ok := credentialOf(login)
			return login.Text("token") != "" && !ok
		}, failWith(6, "LOGIN_ERR_TOKEN_EXPIRED")),
	},
	acceptedToken("token.expired-006", "An expired token of format 006 is accepted.", "RTM-TOKEN-008", 6,
		func(_ *Frame, c credential) bool { return c.format == "006" }),
	acceptedToken("token.expired-007", "An expired token of format 007 is accepted.", "RTM-TOKEN-008", 6,
		func(_ *Frame, c credential) bool { return c.format == "007" && c.life > 0 && c.life <= day }),
	{
		Name: "token.expired-is-invalid", Text: "An expired token is refused as an invalid one.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-008"},
		Plant: answered(refusal("login", 6), func(_ *Link, login *Frame) bool {
			c, ok := credentialOf(login)
			return ok && (c.format == "006" || c.life > 0 && c.life <= day)
		}, failWith(5, "LOGIN_ERR_INVALID_TOKEN")),
	},
	{
		Name: "token.serves-once", Text: "A token that was used for a login is refused at the next one.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-009"},
		Plant: func(*Proxy) func(*Link) {
			used := make(map[string]bool)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					if !f.Is("login") || f.Has("resume") || !used[f.Text("token")] {
						return true
					}
					l.Activate()
					return l.refuse(f, 5, "LOGIN_ERR_INVALID_TOKEN")
				}
				l.OnServer = func(f *Frame) bool {
					if login := l.Asked(f); f.Is("login.ok") && login.Text("token") != "" {
						used[login.Text("token")] = true
					}
					return true
				}
			}
		},
	},
	{
		Name: "token.of-another-type", Text: "A token that is not a string lets a user in.", Subject: Server,
		Breaks: []string{"RTM-TOKEN-010"},
		Plant: fromClient(kind("login").and(func(f *Frame) bool { return f.Has("token") && !isText(f, "token") && !isNull(f, "token") }), func(l *Link, f *Frame) bool {
			answer := f.clone()
			openDoor(l, answer)
			l.Send(ToClient, answer)
			return false
		}),
	},
	refusedToken("token.privilege-counts", "A token of format 006 ends with its login privilege.", "RTM-TOKEN-011",
		func(_ *Frame, c credential) bool {
			return c.format == "006" && c.privilege.Before(time.Now()) && c.end.After(time.Now())
		}),
	acceptedToken("token.lasts-as-it-says", "A token of format 007 lasts longer than 24 hours when it says so.", "RTM-TOKEN-012", 6,
		func(_ *Frame, c credential) bool { return c.format == "007" && c.life > day && c.end.After(time.Now()) }),
	acceptedToken("token.without-life-lasts", "A token of format 007 with a life of 0 seconds never ends.", "RTM-TOKEN-013", 6,
		func(_ *Frame, c credential) bool { return c.format == "007" && c.life == 0 }),
}

const day = 24 * time.Hour

// fit tells whether a token is of this format and made for the login that it stands in.
func fit(login *Frame, c credential, format string) bool {
	return c.format == format && c.app == login.Text("app_id") && c.names(login.Text("uid"))
}

// acceptedToken is a fault that accepts a bad token, by answering in place of the refusal with this code.
func acceptedToken(name, text, id string, code int64, bad func(login *Frame, c credential) bool) Fault {
	return Fault{
		Name: name, Text: text, Subject: Server, Breaks: []string{id},
		Plant: answered(refusal("login", code), func(_ *Link, login *Frame) bool {
			c, ok := credentialOf(login)
			return ok && bad(login, c)
		}, openDoor),
	}
}

// refusedToken is a fault that refuses a good token, by damaging it.
func refusedToken(name, text, id string, good func(login *Frame, c credential) bool) Fault {
	return Fault{
		Name: name, Text: text, Subject: Server, Breaks: []string{id},
		Plant: fromClient(kind("login").and(func(f *Frame) bool {
			c, ok := credentialOf(f)
			return ok && good(f, c)
		}), func(_ *Link, f *Frame) bool {
			f.Set("token", f.Text("token")[:3])
			return true
		}),
	}
}
