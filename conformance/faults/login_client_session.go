package faults

// loginClientSessionFaults are broken clients: the end of sessions, calls without one, and listeners.
var loginClientSessionFaults = []Fault{
	{
		Name: "login.client-evicted-and-connected", Text: "An evicted client still says that it is connected.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-054"},
		Lines: answering("state", func(_ *talk, _, reply line) bool { return reply.inside("ok").text("state") == "ABORTED" },
			ok(map[string]any{"state": "CONNECTED"})),
	},
	{
		Name: "login.client-evicted-for-a-ban", Text: "The reason of every eviction is BANNED_BY_SERVER.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-054"},
		Plant:  fromServer(kicked("REMOTE_LOGIN"), set("reason", "BANNED_BY_SERVER")),
	},
	{
		Name: "login.client-banned-for-a-login", Text: "The reason of every eviction is REMOTE_LOGIN.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-058"},
		Plant:  fromServer(kicked("BANNED_BY_SERVER"), set("reason", "REMOTE_LOGIN")),
	},
	{
		Name: "login.client-evicted-and-back", Text: "An evicted client connects again by itself.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-055"},
		Plant: fromServer(kind("login.kicked"), func(l *Link, _ *Frame) bool {
			l.Proxy.Open()
			return true
		}),
	},
	{
		Name: "login.client-aborted-and-sending", Text: "A message that is sent in ABORTED is taken for sent.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-056"},
		Lines: answering("sendPeer", func(t *talk, asked, _ line) bool { return t.state(asked) == "ABORTED" },
			ok(map[string]any{"hasPeerReceived": false})),
	},
	{
		Name: "login.client-aborted-for-good", Text: "A logout in ABORTED fails.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-057"},
		Lines: pretending("logout", func(t *talk, c line) bool { return t.state(c) == "ABORTED" },
			failed("logout", 102, "LOGOUT_ERR_USER_NOT_LOGGED_IN")),
	},
	{
		Name: "login.client-sends-without-a-session", Text: "A message that is sent before the login is taken for sent.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-059"},
		Lines:  answering("sendPeer", before102("DISCONNECTED"), ok(map[string]any{"hasPeerReceived": false})),
	},
	{
		Name: "login.client-connects-for-a-message", Text: "A message that is sent before the login opens a connection.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-059"},
		Lines: onCommand("sendPeer", func(t *talk, c line) []line {
			if t.users[c.text("client")] != "" {
				return only(c)
			}
			return connecting(t, c, failed("peer.send", 102, "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN"))
		}),
	},
	{
		Name: "login.client-looks-at-the-channel-first", Text: "Leaving a channel before the login fails as for one that is not joined.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-059"},
		Lines:  answering("leaveChannel", before102("DISCONNECTED"), failed("channel.leave", 3, "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL")),
	},
	{
		Name: "login.client-counts-without-a-session", Text: "Before the login every channel has no members.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-059"},
		Lines:  answering("memberCounts", before102("DISCONNECTED"), ok(map[string]any{"counts": map[string]any{}})),
	},
	{
		Name: "login.client-sends-while-connecting", Text: "A message that is sent during CONNECTING is taken for sent.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-060"},
		Lines:  answering("sendPeer", before102("CONNECTING"), ok(map[string]any{"hasPeerReceived": false})),
	},
	{
		Name: "login.client-joins-while-connecting", Text: "A join during CONNECTING fails with JOIN_CHANNEL_ERR_FAILURE.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-060"},
		Lines:  answering("joinChannel", before102("CONNECTING"), failed("channel.join", 1, "JOIN_CHANNEL_ERR_FAILURE")),
	},
	{
		Name: "login.client-errors-of-one-operation", Text: "The errors of all sends name the operation channel.send.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-062"},
		Lines: answering("sendPeer", before102("DISCONNECTED"),
			failed("channel.send", 102, "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN")),
	},
	{
		Name: "login.client-errors-without-names", Text: "An error has the code of the API and no name.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-062"},
		Lines: onReply("sendPeer", func(_ *talk, _, reply line) []line {
			if reply["error"] == nil {
				return only(reply)
			}
			return only(reply.with("error", reply.inside("error").with("name", "")))
		}),
	},
	{
		Name: "login.client-listeners-in-another-order", Text: "The listener that was registered second runs first.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-065"},
		Lines: onEvent("ConnectionStateChanged", func(t *talk, e line) []line {
			names := t.listeners[e.text("client")]
			switch {
			case len(names) > 1 && e.text("listener") == names[0]:
				t.held = only(e)
				return nil
			case len(names) > 1 && e.text("listener") == names[1]:
				return append(only(e), t.held...)
			}
			return only(e)
		}),
	},
	{
		Name: "login.client-listeners-stay", Text: "Removing all listeners of a client removes none.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-066"},
		Lines:  pretending("removeAllListeners", func(_ *talk, c line) bool { return c["client"] != nil }, ok(nil)),
	},
	{
		Name: "login.client-silences-its-channels", Text: "Removing all listeners of a client removes those of its channels too.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-066"},
		Lines: onCommand("removeAllListeners", func(t *talk, c line) []line {
			commands := only(c)
			for channel, room := range t.rooms {
				if c["client"] != nil && room["client"] == c["client"] {
					commands = append(commands, t.command("removeAllListeners", line{"channel": channel}))
				}
			}
			return commands
		}),
	},
	{
		Name: "login.client-drops-under-load", Text: "One of many messages reaches only one of two listeners.", Subject: Client,
		Breaks: []string{"RTM-LOGIN-067"},
		Lines: losing("MessageFromPeer", func(t *talk, e line) bool {
			return len(t.listeners[e.text("client")]) > 1 && t.count(e.text("client")) == 50
		}),
	},
}

// kicked picks the ends of sessions for one reason.
func kicked(reason string) match {
	return kind("login.kicked").and(func(f *Frame) bool { return f.Text("reason") == reason })
}

// before102 is the condition that a call fails with 102 in this state.
func before102(state string) func(*talk, line, line) bool {
	return func(t *talk, asked, reply line) bool { return reply.code() == 102 && t.state(asked) == state }
}
