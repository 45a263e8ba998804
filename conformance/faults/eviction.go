package faults

// evictionFaults are broken servers: the login of a user who is logged in elsewhere.
var evictionFaults = []Fault{
	{
		Name: "eviction.refused", Text: "A login is refused while the user is logged in elsewhere.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-020"},
		Plant: stateless(func(l *Link) {
			l.OnClient = func(f *Frame) bool {
				if !evicts(l, f) {
					return true
				}
				l.Activate()
				return l.refuse(f, 8, "LOGIN_ERR_ALREADY_LOGIN")
			}
		}),
	},
	{
		Name: "eviction.without-a-word", Text: "An evicted session is closed without login.kicked.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-021"},
		Plant:  fromServer(remoteLogin, swallow),
	},
	{
		Name: "eviction.as-a-ban", Text: "An evicted session is told that it was banned.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-021"},
		Plant:  fromServer(remoteLogin, set("reason", "BANNED_BY_SERVER")),
	},
	{
		Name: "eviction.closed-as-superseded", Text: "An evicted session is closed with 4203.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-021"},
		Plant:  fromServer(closing(4200), recode(4203)),
	},
	{
		Name: "eviction.not-told-in-channels", Text: "The members of its channels are not told that an evicted session has left.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-022"},
		Plant: func(*Proxy) func(*Link) {
			evicted := make(map[string]bool)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					switch {
					case evicts(l, f):
						evicted[f.Text("uid")] = true
					case f.Is("channel.join"):
						delete(evicted, l.UID)
					}
					return true
				}
				l.OnServer = func(f *Frame) bool {
					if !f.Is("channel.member_left") || !evicted[f.Text("uid")] {
						return true
					}
					l.Activate()
					return false
				}
			}
		},
	},
	{
		Name: "eviction.hands-its-channels-over", Text: "The session that evicts another is in the channels of the other.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-022"},
		Plant: func(*Proxy) func(*Link) {
			joined := make(map[*Link][]string)
			return func(l *Link) {
				var inherited []string
				l.OnClient = func(f *Frame) bool {
					if evicts(l, f) {
						inherited = joined[l.Proxy.User(f.Text("uid"))]
					}
					return true
				}
				l.OnServer = func(f *Frame) bool {
					switch join := l.Asked(f); {
					case l.Own(f):
						return false
					case f.Is("channel.join.ok") && join != nil:
						joined[l] = append(joined[l], join.Text("channel"))
					case f.Is("login.ok"):
						for _, channel := range inherited {
							l.Activate()
							l.Request("channel.join", map[string]any{"channel": channel})
						}
						inherited = nil
					}
					return true
				}
			}
		},
	},
	{
		Name: "eviction.waits-for-a-message", Text: "An evicted session ends with the next message to the user, which it still gets.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-021", "RTM-LOGIN-023"},
		Plant: func(*Proxy) func(*Link) {
			kept := make(map[string]*Link)
			return func(l *Link) {
				own := false
				l.OnServer = func(f *Frame) bool {
					switch {
					case remoteLogin(f):
						l.Activate()
						kept[l.UID], own = l, true
						return false
					case closing(4200)(f):
						return !own
					case f.Is("peer.message") && kept[l.UID] != nil:
						old := kept[l.UID]
						delete(kept, l.UID)
						old.Send(ToClient, f.clone())
						old.evict()
					}
					return true
				}
				l.OnServerGone = func() bool { return !own }
			}
		},
	},
	{
		Name: "eviction.spares-one-of-many", Text: "Of more than three logins with one uid, one loses and is not told.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-034"},
		Plant: func(*Proxy) func(*Link) {
			logins, spared := make(map[string]int), make(map[string]*Link)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					if f.Is("login") {
						logins[f.Text("uid")]++
					}
					return true
				}
				l.OnServer = func(f *Frame) bool {
					if remoteLogin(f) && logins[l.UID] > 3 && spared[l.UID] == nil {
						l.Activate()
						spared[l.UID] = l
					}
					return l.UID == "" || spared[l.UID] != l
				}
				l.OnServerGone = func() bool { return l.UID == "" || spared[l.UID] != l }
			}
		},
	},
	{
		Name: "eviction.of-all", Text: "Of more than three logins with one uid, even the last is evicted.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-034"},
		Plant: func(*Proxy) func(*Link) {
			logins := make(map[string]int)
			return func(l *Link) {
				l.OnServer = func(f *Frame) bool {
					if f.Is("login.ok") {
						if logins[l.UID]++; logins[l.UID] > 3 {
							l.Activate()
							l.Send(ToClient, f.clone())
							l.evict()
							return false
						}
					}
					return true
				}
			}
		},
	},
	{
		Name: "eviction.third-session-hears-twice", Text: "From the third session of a user on, every peer message is delivered twice.", Subject: Server,
		Breaks: []string{"RTM-LOGIN-069"},
		Plant: func(*Proxy) func(*Link) {
			sessions := make(map[string]int)
			return func(l *Link) {
				l.OnServer = func(f *Frame) bool {
					switch {
					case f.Is("login.ok") && !f.Bool("resumed"):
						sessions[l.UID]++
					case f.Is("peer.message") && sessions[l.UID] > 2:
						l.Activate()
						return twice(l, f)
					}
					return true
				}
			}
		},
	},
	{
		Name: "eviction.ends-the-user-late", Subject: Server,
		Text:   "An evicted connection that ends without having answered its close frame ends the session that replaced it.",
		Breaks: []string{"RTM-LOGIN-035"},
		Plant: func(*Proxy) func(*Link) {
			lingering := make(map[string]*Link)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					switch {
					case evicts(l, f):
						lingering[f.Text("uid")] = l.Proxy.User(f.Text("uid"))
					case f.Opcode == OpClose && lingering[l.UID] == l:
						delete(lingering, l.UID)
					}
					return true
				}
				// A proxy may hear of the end after all else, so a message to the user is looked at too.
				l.OnServer = func(f *Frame) bool {
					if old := lingering[l.UID]; old == nil || old == l || !f.Is("channel.message") {
						return true
					}
					l.Activate()
					l.end(1000, "")
					return false
				}
				l.OnClientGone = func() bool {
					if newer := l.Proxy.User(l.UID); lingering[l.UID] == l && newer != nil && newer != l {
						l.Activate()
						newer.end(1000, "")
					}
					return true
				}
			}
		},
	},
}

// remoteLogin picks the frames that tell of an eviction.
func remoteLogin(f *Frame) bool { return f.Is("login.kicked") && f.Text("reason") == "REMOTE_LOGIN" }

// evicts tells whether a frame of a client is a login that ends a session which the user has on another link.
func evicts(l *Link, f *Frame) bool {
	if !f.Is("login") || f.Has("resume") {
		return false
	}
	other := l.Proxy.User(f.Text("uid"))
	return other != nil && other != l && other.App == f.Text("app_id")
}
