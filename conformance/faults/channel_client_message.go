package faults

import "slices"

// channelClientMessageFaults are broken clients: the messages and the members of channels.
var channelClientMessageFaults = []Fault{
	{
		Name: "channel.client-text-trimmed", Text: "The text of a channel message lacks its last character.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-065"},
		Lines:  changing("ChannelMessage", "text", withoutLast),
	},
	{
		Name: "channel.client-sender-is-oneself", Text: "The sender of a channel message is its receiver.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-065"},
		Lines: onEvent("ChannelMessage", func(t *talk, e line) []line {
			return only(e.with("from", t.users[t.clientOf(e)]))
		}),
	},
	{
		Name: "channel.client-time-in-seconds", Text: "The time of a channel message is in seconds.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-065"},
		Lines:  inSeconds("ChannelMessage"),
	},
	{
		Name: "channel.client-hears-itself", Text: "The sender hears its own channel message.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-066"},
		Lines: onReply("sendChannel", func(t *talk, asked, reply line) []line {
			text := t.message(asked)["text"]
			if !reply.succeeded() || text == nil {
				return only(reply)
			}
			return append(t.events(asked.text("channel"), "ChannelMessage", line{
				"message": "r of one's own", "from": t.users[t.clientOf(asked)], "text": text, "server_received_ms": 1700000000000,
			}), reply)
		}),
	},
	{
		Name: "channel.client-own-join-told", Text: "The listeners of a channel hear MemberJoined of the client itself.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-067"},
		Lines: onReply("joinChannel", func(t *talk, asked, reply line) []line {
			if !reply.succeeded() {
				return only(reply)
			}
			return append(t.events(asked.text("channel"), "MemberJoined", line{"uid": t.users[t.clientOf(asked)]}), reply)
		}),
	},
	{
		Name: "channel.client-joins-untold", Text: "Listeners hear of members that leave, and not of those that join.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-067"},
		Lines:  losing("MemberJoined", func(*talk, line) bool { return true }),
	},
	{
		Name: "channel.client-counts-the-others", Text: "The count of members leaves the client itself out.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-068"},
		Lines: onEvent("MemberCountUpdated", func(_ *talk, e line) []line {
			return only(e.with("count", e.number("count")-1))
		}),
	},
	{
		Name: "channel.client-first-count-untold", Text: "Listeners do not hear of the count after the client's own join.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-068"},
		Lines: losing("MemberCountUpdated", func(t *talk, e line) bool {
			return t.count(e.text("channel")+" "+e.text("listener")) == 1
		}),
	},
	{
		Name: "channel.client-lists-the-others", Text: "The list of members leaves the client itself out.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-069"},
		Lines: onReply("members", func(t *talk, asked, reply line) []line {
			members, listed := reply.inside("ok")["members"].([]any)
			if !listed {
				return only(reply)
			}
			others := slices.DeleteFunc(slices.Clone(members), func(uid any) bool { return uid == t.users[t.clientOf(asked)] })
			return only(reply.with("ok", map[string]any{"members": others}))
		}),
	},
	{
		Name: "channel.client-counts-no-empty", Text: "Channels without members are missing among the counts.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-070"},
		Lines: onReply("memberCounts", func(_ *talk, _, reply line) []line {
			counts := make(line)
			for channel := range line(reply.inside("ok").inside("counts")) {
				if count := reply.inside("ok").inside("counts").number(channel); count > 0 {
					counts[channel] = count
				}
			}
			if !reply.succeeded() {
				return only(reply)
			}
			return only(reply.with("ok", map[string]any{"counts": counts}))
		}),
	},
	{
		Name: "channel.client-counts-joined-only", Text: "The count of a channel that is not joined is refused.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-070"},
		Lines:  answering("memberCounts", well, failed("channel.count", 1, "GET_CHANNEL_MEMBER_COUNT_ERR_FAILURE")),
	},
	{
		Name: "channel.client-received-sent-on", Text: "A received message is sent to a channel like any other.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-071"},
		Lines:  copying("sendChannel", isReceived, contentsOf),
	},
	{
		Name: "channel.client-received-sent-and-refused", Text: "A received message is put on the wire before it is refused.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-071"},
		Lines:  copyingAndRefusing("sendChannel", failed("channel.send", 4, "CHANNEL_MESSAGE_ERR_INVALID_MESSAGE")),
	},
	{
		Name: "channel.client-big-cut", Text: "A channel message that is too big is cut and sent.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-072"},
		Lines:  copying("sendChannel", func(t *talk, c line) bool { return payloadOf(t, c) > apiMessageBytes }, cutContents),
	},
	{
		Name: "channel.client-description-not-counted", Text: "The description does not count for the size of a raw channel message.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-072"},
		Lines: copying("sendChannel", func(t *talk, c line) bool {
			return payloadOf(t, c) > apiMessageBytes && payloadOf(t, c)-len(t.message(c).text("description")) <= apiMessageBytes
		}, cutContents),
	},
	{
		Name: "channel.client-raw-without-description", Text: "A raw channel message has no description.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-073"},
		Lines:  changing("ChannelMessage", "description", to("")),
	},
	{
		Name: "channel.client-raw-up-to-zero", Text: "The bytes of a raw channel message end at the first zero.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-073"},
		Lines:  changing("ChannelMessage", "raw", to("")),
	},
	{
		Name: "channel.client-listeners-stay", Text: "Removing all listeners of a channel removes none.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-075"},
		Lines:  pretending("removeAllListeners", func(_ *talk, c line) bool { return c["channel"] != nil }, ok(nil)),
	},
	{
		Name: "channel.client-silences-all", Text: "Removing all listeners of a channel removes those of every channel.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-075"},
		Lines: onCommand("removeAllListeners", func(t *talk, c line) []line {
			// The one that is answered comes last, so that the others are silent by then.
			var commands []line
			for channel, room := range t.rooms {
				if c["channel"] != nil && channel != c["channel"] && room["client"] == t.clientOf(c) {
					commands = append(commands, t.command("removeAllListeners", line{"channel": channel}))
				}
			}
			return append(commands, c)
		}),
	},
	{
		Name: "channel.client-order-of-chance", Text: "Two channel messages are handed over in the wrong order.", Subject: Client,
		Breaks: []string{"RTM-CHANNEL-076"},
		Lines:  swapping("ChannelMessage"),
	},
}
