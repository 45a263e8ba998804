package faults

// channelClientFaults are broken clients: channel objects and membership.
var channelClientFaults = []Fault{
	{
		Name: "channel.client-not-before-login", Text: "A channel object is not created before the first login.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-051"},
		Lines: answering("createChannel", func(t *talk, asked, _ line) bool { return t.users[asked.text("client")] == "" },
			failed("channel.new", 1, "CREATE_CHANNEL_ERR_INVALID_ARGUMENT")),
	},
	{
		Name: "channel.client-connects-for-an-object", Text: "Creating a channel object opens a connection.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-051"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case l.text("cmd") == "createChannel" && t.users[l.text("client")] == "":
				t.asked[l.number("seq")]["connecting"] = true
				return append(only(l), connecting(t, l, ok(nil))...)
			case asked["connecting"] != nil:
				return nil
			}
			return only(l)
		}),
	},
	{
		Name: "channel.client-any-id", Text: "Any text makes a channel id.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-052"},
		Lines: onCommand("createChannel", func(_ *talk, c line) []line {
			if goodUID(c.text("id")) {
				return only(c)
			}
			return only(c.with("id", "a channel"))
		}),
	},
	{
		Name: "channel.client-id-cut", Text: "A channel id that is too long is cut.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-052"},
		Lines: onCommand("createChannel", func(_ *talk, c line) []line {
			if id := c.text("id"); tooLong(id) {
				return only(c.with("id", first64(id)))
			}
			return only(c)
		}),
	},
	{
		Name: "channel.client-one-object-for-an-id", Text: "A second channel object of one id is the first.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-053"},
		Lines: overheard(func(t *talk, _, l line) []line {
			room := t.rooms[l.text("channel")]
			if room == nil || l["cmd"] == nil || l.text("cmd") == "createChannel" {
				return only(l)
			}
			first := l.text("channel")
			for handle, other := range t.rooms {
				if other["client"] == room["client"] && other["id"] == room["id"] && other.number("seq") < t.rooms[first].number("seq") {
					first = handle
				}
			}
			return only(l.with("channel", first))
		}),
	},
	{
		Name: "channel.client-joins-for-itself", Text: "A join does not reach the server.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-054"},
		Lines:  pretending("joinChannel", always, ok(nil)),
	},
	{
		Name: "channel.client-joins-and-leaves", Text: "A join makes the user a member and leaves again at once.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-054"},
		// The answer waits for that of the leave, so that nobody can see the member in between.
		Plant: func(*Proxy) func(*Link) {
			return func(l *Link) {
				leaving := make(map[int64]*Frame)
				l.OnServer = func(f *Frame) bool {
					switch asked := l.Asked(f); {
					case l.Own(f):
						if joined := leaving[f.ID]; joined != nil {
							l.Send(ToClient, joined)
						}
						return false
					case f.Is("channel.join.ok") && asked != nil:
						l.Activate()
						leaving[l.Request("channel.leave", map[string]any{"channel": asked.Text("channel")})] = f.clone()
						return false
					}
					return true
				}
			}
		},
	},
	{
		Name: "channel.client-joined-through-both", Text: "A channel is joined through a second object too.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-055"},
		Lines:  answering("joinChannel", withCode(202), ok(nil)),
	},
	{
		Name: "channel.client-second-object-already-joined", Text: "A join through a second object fails like one through the first.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-055"},
		Lines:  answering("joinChannel", withCode(202), failed("channel.join", 6, "JOIN_CHANNEL_ERR_ALREADY_JOINED")),
	},
	{
		Name: "channel.client-joined-twice", Text: "A join of a joined channel succeeds.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-056"},
		Lines:  answering("joinChannel", withCode(6), ok(nil)),
	},
	{
		Name: "channel.client-sends-unjoined", Text: "Sending to a channel that is not joined succeeds.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-057"},
		Lines:  answering("sendChannel", withCode(5), ok(nil)),
	},
	{
		Name: "channel.client-leaves-unjoined", Text: "Leaving a channel that is not joined succeeds.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-058"},
		Lines:  answering("leaveChannel", withCode(3), ok(nil)),
	},
	{
		Name: "channel.client-lists-unjoined", Text: "A channel that is not joined has no members.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-059"},
		Lines:  answering("members", withCode(5), ok(map[string]any{"members": []string{}})),
	},
	{
		Name: "channel.client-21st-joined", Text: "The join of one channel more than 20 is taken for one that succeeds.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-060"},
		Lines:  answering("joinChannel", withCode(5), ok(nil)),
	},
	{
		Name: "channel.client-objects-counted", Text: "Channel objects that are not joined count against the limit.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-061"},
		Lines: answering("joinChannel", func(t *talk, asked, reply line) bool {
			objects := 0
			for _, room := range t.rooms {
				if room.text("client") == t.clientOf(asked) {
					objects++
				}
			}
			return reply.succeeded() && objects > 20
		}, failed("channel.join", 5, "JOIN_CHANNEL_ERR_EXCEED_LIMIT")),
	},
	{
		Name: "channel.client-left-counted", Text: "Channels that were left count against the limit.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-062"},
		Lines: answering("joinChannel", func(t *talk, asked, reply line) bool {
			return reply.succeeded() && t.count(t.clientOf(asked)) > 20
		}, failed("channel.join", 5, "JOIN_CHANNEL_ERR_EXCEED_LIMIT")),
	},
	{
		Name: "channel.client-left-for-good", Text: "A channel object that was left cannot join again.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-063"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case asked.text("cmd") == "leaveChannel" && l.succeeded():
				t.count(asked.text("channel"))
			case asked.text("cmd") == "joinChannel" && t.seen[asked.text("channel")] > 0 && l.succeeded():
				return only(failed("channel.join", 6, "JOIN_CHANNEL_ERR_ALREADY_JOINED").with("seq", l["seq"]))
			}
			return only(l)
		}),
	},
	{
		Name: "channel.client-left-and-heard", Text: "A leave does not reach the server.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-064"},
		Lines:  pretending("leaveChannel", always, ok(nil)),
	},
	{
		Name: "channel.client-refusal-without-code", Text: "A join that the server refuses fails with JOIN_CHANNEL_ERR_FAILURE, whatever the server says.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-074"},
		Lines:  answering("joinChannel", withCode(7), failed("channel.join", 1, "JOIN_CHANNEL_ERR_FAILURE")),
	},
	{
		Name: "channel.client-refusal-sticks", Text: "After a join that was refused the object counts as joined.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-074"},
		Lines: onReply("joinChannel", func(t *talk, asked, reply line) []line {
			switch room := asked.text("channel"); {
			case reply.code() == 7:
				t.count(room)
			case reply.succeeded() && t.seen[room] > 0:
				return only(failed("channel.join", 6, "JOIN_CHANNEL_ERR_ALREADY_JOINED").with("seq", reply["seq"]))
			}
			return only(reply)
		}),
	},
	{
		Name: "channel.client-joined-over-a-logout", Text: "After a logout and a login a channel object counts as joined.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-077"},
		Lines: answering("joinChannel", func(t *talk, asked, reply line) bool {
			return reply.succeeded() && t.count(asked.text("channel")) > 1
		}, failed("channel.join", 6, "JOIN_CHANNEL_ERR_ALREADY_JOINED")),
	},
	{
		Name: "channel.client-sends-over-a-logout", Text: "After a logout and a login a message to a channel of before is taken for sent.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-077"},
		Lines: overheard(func(t *talk, asked, l line) []line {
			switch {
			case asked.text("cmd") == "joinChannel" && l.succeeded():
				t.count(asked.text("channel"))
			case asked.text("cmd") == "sendChannel" && l.code() == 5 && t.seen[asked.text("channel")] > 0:
				return only(ok(nil).with("seq", l["seq"]))
			}
			return only(l)
		}),
	},
}
