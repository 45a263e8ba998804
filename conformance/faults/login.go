package faults

// loginFaults are broken servers: sessions, from the login to its end.
var loginFaults = []Fault{
	{
		Name: "login.without-session", Text: "The login answer names no session.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-001"},
		Plant:  fromServer(kind("login.ok"), set("session", "")),
	},
	{
		Name: "login.opens-nothing", Text: "A login is answered with login.ok, and then a ping finds no session.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-001"},
		Plant: fromClient(kind("ping"), func(l *Link, f *Frame) bool {
			return l.refuse(f, 102, "PING_ERR_USER_NOT_LOGGED_IN")
		}),
	},
	{
		Name: "login.again-is-welcome", Text: "A second login on a session is answered with login.ok.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-018"},
		Plant:  fromServer(refusal("login", 8), openDoor),
	},
	{
		Name: "login.again-as-another", Text: "A second login with another uid is refused for another reason than the session.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-018"},
		Plant: answered(refusal("login", 8), func(l *Link, login *Frame) bool { return login.Text("uid") != l.UID },
			failWith(2, "LOGIN_ERR_REJECTED")),
	},
	{
		Name: "login.again-ends-the-session", Text: "A second login on a session is refused and ends the session.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-018"},
		Plant:  fromServer(refusal("login", 8), thenEnd),
	},
	{
		Name: "login.once-per-connection", Text: "A refused login ends the connection.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-019"},
		Plant:  fromServer(refusal("login", 3), thenEnd),
	},
	{
		Name: "login.sticks-to-its-uid", Text: "After a refused login another uid is refused on the connection.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-019"},
		Plant: stateless(func(l *Link) {
			first, failed := "", false
			l.OnClient = func(f *Frame) bool {
				if !f.Is("login") || !failed || f.Text("uid") == first {
					return true
				}
				l.Activate()
				return l.refuse(f, 8, "LOGIN_ERR_ALREADY_LOGIN")
			}
			l.OnServer = func(f *Frame) bool {
				if login := l.Asked(f); login != nil && !failed && refusal("login", 3)(f) {
					first, failed = login.Text("uid"), true
				}
				return true
			}
		}),
	},
	{
		Name: "login.time-in-seconds", Text: "The server_ts is in seconds.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-032"},
		Plant:  fromServer(kind("login.ok"), scale("server_ts", 1, 1000)),
	},
	{
		Name: "login.time-in-microseconds", Text: "The server_ts is in microseconds.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-032"},
		Plant:  fromServer(kind("login.ok"), scale("server_ts", 1000, 1)),
	},
	{
		Name: "logout.without-session", Text: "A logout without a session is answered with logout.ok.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-024"},
		Plant:  fromServer(refusal("logout", 102), instead("logout.ok", nil)),
	},
	{
		Name: "logout.without-answer", Text: "A logout is not answered before the connection is closed.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-025"},
		Plant:  fromServer(kind("logout.ok"), swallow),
	},
	{
		Name: "logout.closed-as-going-away", Text: "After a logout the connection is closed with 1001.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-025"},
		Plant:  fromServer(closing(1000), recode(1001)),
	},
	{
		Name: "logout.leaves-the-user-online", Text: "A user who has logged out is taken for online.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-026"},
		Plant: func(*Proxy) func(*Link) {
			gone := make(map[string]bool)
			late := make(map[*Frame]bool)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					if f.Is("peer.send") && gone[f.Text("to")] {
						late[l.Asked(f)] = true
					}
					return true
				}
				l.OnServer = func(f *Frame) bool {
					switch {
					case f.Is("logout.ok"):
						gone[l.UID] = true
					case f.Is("login.ok"):
						delete(gone, l.UID)
					case f.Is("peer.send.ok") && late[l.Asked(f)]:
						l.Activate()
						f.Set("received", true)
					}
					return true
				}
			}
		},
	},
	{
		Name: "logout.leaves-one-channel", Text: "A logout leaves the channel that was joined first, and no other.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-027"},
		Plant: func(*Proxy) func(*Link) {
			type member struct{ uid, channel string }
			kept := make(map[member]bool)
			return func(l *Link) {
				var joined []string
				l.OnClient = func(f *Frame) bool {
					if f.Is("logout") && len(joined) > 0 {
						for _, channel := range joined[1:] {
							kept[member{l.UID, channel}] = true
						}
					}
					return true
				}
				l.OnServer = func(f *Frame) bool {
					switch join := l.Asked(f); {
					case f.Is("channel.join.ok") && join != nil:
						joined = append(joined, join.Text("channel"))
						delete(kept, member{l.UID, join.Text("channel")})
					case f.Is("channel.member_left") && kept[member{f.Text("uid"), f.Text("channel")}]:
						l.Activate()
						return false
					}
					return true
				}
			}
		},
	},
	{
		Name: "logout.locks-the-user-out", Text: "A user who has logged out cannot log in again.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-028"},
		Plant: func(*Proxy) func(*Link) {
			gone := make(map[string]bool)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					if !f.Is("login") || !gone[f.Text("uid")] {
						return true
					}
					l.Activate()
					return l.refuse(f, 2, "LOGIN_ERR_REJECTED")
				}
				l.OnServer = func(f *Frame) bool {
					if f.Is("logout.ok") {
						gone[l.UID] = true
					}
					return true
				}
			}
		},
	},
	{
		Name: "login.rate-without-effect", Text: "Logins above the announced rate are tried like all others.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-029"},
		Plant:  fromServer(refusal("login", 10), failWith(5, "LOGIN_ERR_INVALID_TOKEN")),
	},
	{
		Name: "login.rate-as-a-rejection", Text: "Logins above the announced rate are refused without saying why.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-029"},
		Plant:  fromServer(refusal("login", 10), failWith(2, "LOGIN_ERR_REJECTED")),
	},
	{
		Name: "login.rate-counts-bad-arguments", Text: "Logins with a bad uid count against the login rate.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-030"},
		Plant: stateless(func(l *Link) {
			bad := 0
			l.OnServer = func(f *Frame) bool {
				if refusal("login", 3)(f) {
					bad++
				}
				return true
			}
			// One refusal leaves the connection able to log in at any rate that a server may announce.
			l.OnClient = func(f *Frame) bool {
				if !f.Is("login") || bad < 2 {
					return true
				}
				l.Activate()
				return l.refuse(f, 10, "LOGIN_ERR_TOO_OFTEN")
			}
		}),
	},
	{
		Name: "login.rates-count-before-it", Text: "Messages that were refused for want of a session count against the send rate.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-031"},
		Plant: stateless(func(l *Link) {
			refused, full := 0, false
			l.OnServer = func(f *Frame) bool {
				if refusal("peer.send", 102)(f) {
					refused++
				}
				if limit := callLimit(f, "send"); limit > 0 {
					full = refused >= limit
				}
				return true
			}
			l.OnClient = func(f *Frame) bool {
				if !f.Is("peer.send") || !full {
					return true
				}
				l.Activate()
				return l.refuse(f, 5, "PEER_MESSAGE_ERR_TOO_OFTEN")
			}
		}),
	},
}

// thenEnd is the rewriting that ends the session and the connection behind a frame.
func thenEnd(l *Link, f *Frame) bool {
	l.Send(ToClient, f)
	l.end(1000, "")
	return false
}

// scale is the rewriting that changes a number.
func scale(name string, times, by int64) func(*Link, *Frame) bool {
	return func(_ *Link, f *Frame) bool {
		f.Set(name, f.Int(name)*times/by)
		return true
	}
}

// tooStrict plants the refusal of the request that reaches the announced count of a call on a link.
func tooStrict(request, call string, code int, name string) Plant {
	return stateless(func(l *Link) {
		limit, count := 0, 0
		l.OnServer = func(f *Frame) bool {
			limit = max(limit, callLimit(f, call))
			return true
		}
		l.OnClient = func(f *Frame) bool {
			if !f.Is(request) {
				return true
			}
			if count++; limit == 0 || count%limit != 0 {
				return true
			}
			l.Activate()
			return l.refuse(f, code, name)
		}
	})
}

// callLimit returns how often the server lets a call pass, as a login answer announces it, or 0.
func callLimit(login *Frame, call string) int {
	var limits struct {
		Calls []struct {
			Call  string
			Count int
		}
	}
	if login.Is("login.ok") && login.Get("limits", &limits) {
		for _, limit := range limits.Calls {
			if limit.Call == call {
				return limit.Count
			}
		}
	}
	return 0
}
