package faults

import "strings"

// joined is what an answer to a join holds.
var joined = map[string]any{"seq": 1, "count": 1}

// channelFaults are broken servers: who comes to a channel and who leaves it.
var channelFaults = []Fault{
	{
		Name: "channel.join-makes-no-member", Text: "A join of a channel that exists is answered, and the user is no member.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-001"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if asked := l.Asked(f); asked != nil && f.Is("channel.join.ok") && f.Int("count") > 1 {
					l.Activate()
					l.Request("channel.leave", map[string]any{"channel": asked.Text("channel")})
				}
				return true
			}
		}),
	},
	{
		Name: "channel.unknown-refused", Text: "A channel has to exist before it can be joined.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-001"},
		Plant: refusing("channel.join", 1, "JOIN_CHANNEL_ERR_FAILURE", func(_ *roster, _ *Link, _, answer *Frame) bool {
			return answer.Int("count") == 1
		}),
	},
	{
		Name: "channel.join-untold", Text: "Nobody is told who joins.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-002"},
		Plant:  fromServer(kind("channel.member_joined"), swallow),
	},
	{
		Name: "channel.join-without-uid", Text: "The others are told that somebody joined, and not who.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-002"},
		Plant:  fromServer(kind("channel.member_joined"), remove("uid")),
	},
	{
		Name: "channel.join-told-to-self", Text: "The one who joins is told its own join.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-003"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				if asked == nil || !f.Is("channel.join.ok") {
					return true
				}
				l.Activate()
				return behind(l, f, memberEvent("channel.member_joined", asked.Text("channel"), l.UID))
			}
		}),
	},
	{
		Name: "channel.joined-twice", Text: "A join of a channel that the session is in succeeds.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-013"},
		Plant:  accepting("channel.join", 6, joined, anyRequest),
	},
	{
		Name: "channel.joined-twice-202", Text: "A join of a channel that the session is in gets the code for a second object.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-013"},
		Plant: fromServer(refusal("channel.join", 6), refused("channel.join", 202, "JOIN_CHANNEL_ERR_ALREADY_JOINED_CHANNEL_OF_SAME_ID")),
	},
	{
		Name: "channel.history-on-join", Text: "A join without a cursor brings the last message of the channel.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-040"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			last := make(map[string]*Frame)
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				switch {
				case asked != nil && f.Is("channel.send.ok"):
					last[asked.Text("channel")] = r.message(l.UID, asked, now())
				case asked != nil && f.Is("channel.join.ok") && !asked.Has("after") && last[asked.Text("channel")] != nil:
					l.Activate()
					return behind(l, f, last[asked.Text("channel")])
				}
				return true
			}
		}),
	},
	{
		Name: "channel.uid-listed-for-each-session", Text: "A uid that joined in an evicted session too is a member twice.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-041"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			sessions := make(map[string]map[string]bool)
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				switch {
				case asked == nil:
				case f.Is("channel.join.ok"):
					key := asked.Text("channel") + "\n" + l.UID
					if sessions[key] == nil {
						sessions[key] = make(map[string]bool)
					}
					sessions[key][l.Session] = true
				case f.Is("channel.members.ok"):
					var members, listed []string
					f.Get("members", &members)
					for _, uid := range members {
						for range max(1, len(sessions[asked.Text("channel")+"\n"+uid])) {
							listed = append(listed, uid)
						}
					}
					if len(listed) > len(members) {
						l.Activate()
						f.Set("members", listed)
					}
				}
				return true
			}
		}),
	},
	{
		Name: "channel.leave-untold", Text: "Nobody is told who leaves.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-009"},
		Plant:  fromServer(kind("channel.member_left"), swallow),
	},
	{
		Name: "channel.leave-refused", Text: "A leave is answered with a failure.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-009"},
		Plant:  fromServer(kind("channel.leave.ok"), refused("channel.leave", 1, "LEAVE_CHANNEL_ERR_FAILURE")),
	},
	{
		Name: "channel.stranger-leaves", Text: "One who never was a member leaves with success.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-010"},
		Plant:  accepting("channel.leave", 3, nil, anyRequest),
	},
	{
		Name: "channel.left-twice", Text: "A second leave succeeds like the first.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-010"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				if asked == nil || !refusal("channel.leave", 3)(f) || !r.was[place{l, asked.Text("channel")}] {
					return true
				}
				l.Activate()
				return instead("channel.leave.ok", nil)(l, f)
			}
		}),
	},
	{
		Name: "channel.messages-after-leave", Text: "Messages of a channel go on to one who has left it.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-011"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if asked := l.Asked(f); asked != nil && f.Is("channel.send.ok") {
					for _, gone := range r.gone(asked.Text("channel")) {
						l.Activate()
						gone.Send(ToClient, r.message(l.UID, asked, now()))
					}
				}
				return true
			}
		}),
	},
	{
		Name: "channel.events-after-leave", Text: "Joins of a channel are told to one who has left it.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-011"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if asked := l.Asked(f); asked != nil && f.Is("channel.join.ok") {
					for _, gone := range r.gone(asked.Text("channel")) {
						l.Activate()
						gone.Send(ToClient, memberEvent("channel.member_joined", asked.Text("channel"), l.UID))
					}
				}
				return true
			}
		}),
	},
	{
		Name: "channel.count-after-leave", Text: "The one who leaves a channel is told its new count.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-011"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				asked := l.Asked(f)
				if asked == nil || !f.Is("channel.leave.ok") {
					return true
				}
				l.Activate()
				return behind(l, f, compose("channel.member_count", map[string]any{
					"channel": asked.Text("channel"), "count": len(r.members(asked.Text("channel"))),
				}))
			}
		}),
	},
	{
		Name: "channel.no-return", Text: "One who has left a channel cannot join it again.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-012"},
		Plant: refusing("channel.join", 6, "JOIN_CHANNEL_ERR_ALREADY_JOINED", func(r *roster, l *Link, asked, _ *Frame) bool {
			return r.was[place{l, asked.Text("channel")}]
		}),
	},
	{
		Name: "channel.deaf-after-return", Text: "One who has joined a channel again gets none of its messages.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-012"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if !f.Is("channel.message") || !r.was[place{l, f.Text("channel")}] {
					return true
				}
				l.Activate()
				return false
			}
		}),
	},
	{
		Name: "channel.return-untold", Text: "Nobody is told that a member who left has joined again.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-078"},
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			left := make(map[string]bool)
			return func(l *Link, f *Frame) bool {
				switch key := f.Text("channel") + "\n" + f.Text("uid"); {
				case f.Is("channel.member_left"):
					left[key] = true
				case f.Is("channel.member_joined") && left[key]:
					l.Activate()
					return false
				}
				return true
			}
		}),
	},
	{
		Name: "channel.twice-after-return", Text: "One who has joined a channel again gets each of its messages twice.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-078"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if !f.Is("channel.message") || !r.was[place{l, f.Text("channel")}] {
					return true
				}
				l.Activate()
				return twice(l, f)
			}
		}),
	},
	{
		Name: "channel.dropped-untold", Text: "Nobody is told that a user who was dropped has left.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-049"},
		Plant: followingDropped(func(_ *roster, dropped map[string]bool, _ *Link, f *Frame) bool {
			return !f.Is("channel.member_left") || !dropped[f.Text("uid")]
		}),
	},
	{
		Name: "channel.dropped-stays-listed", Text: "A user who was dropped stays in the member list.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-049"},
		Plant: followingDropped(func(_ *roster, dropped map[string]bool, _ *Link, f *Frame) bool {
			var members []string
			if f.Is("channel.members.ok") && f.Get("members", &members) {
				for uid := range dropped {
					members = append(members, uid)
				}
				f.Set("members", members)
			}
			return true
		}),
	},
	withoutSession("join", "channel.join", joined),
	withoutSession("leave", "channel.leave", nil),
	withoutSession("send", "channel.send", nil),
	withoutSession("members", "channel.members", map[string]any{"members": []string{}}),
	withoutSession("count", "channel.count", map[string]any{"counts": []int{0}}),
	{
		Name: "channel.state-before-session", Text: "Sending without a session gets the error of one who is no member.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-008"},
		Plant: fromServer(refusal("channel.send", 102), refused("channel.send", 5, "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL")),
	},
}

// withoutSession is the fault of one operation that works before the login.
func withoutSession(name, op string, members map[string]any) Fault {
	return Fault{
		Name: "channel." + name + "-without-session", Text: strings.ToUpper(name[:1]) + name[1:] + " succeeds without a session.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-008"},
		Plant: accepting(op, 102, members, anyRequest),
	}
}

// followingDropped is [following] with the users of whom others were told that they left although they neither left the
// channel nor logged out nor logged in elsewhere.
func followingDropped(rewrite func(r *roster, dropped map[string]bool, l *Link, f *Frame) bool) Plant {
	return following(func(r *roster) func(*Link, *Frame) bool {
		dropped, ended := make(map[string]bool), make(map[string]bool)
		return func(l *Link, f *Frame) bool {
			switch uid := f.Text("uid"); {
			case f.Is("login.ok"):
				delete(ended, l.UID)
			case f.Is("logout.ok"):
				ended[l.UID] = true
			case f.Is("channel.member_left") && r.proxy.User(uid) == nil && !ended[uid]:
				l.Activate()
				dropped[uid] = true
			}
			return rewrite(r, dropped, l, f)
		}
	})
}
