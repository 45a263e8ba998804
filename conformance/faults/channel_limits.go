package faults

import (
	"strings"
	"unicode"
)

const joinExceedLimit = "JOIN_CHANNEL_ERR_EXCEED_LIMIT"

// channelLimitFaults are broken servers: the channel limit, channel ids and call limits.
var channelLimitFaults = []Fault{
	{
		Name: "channel.one-channel-less", Text: "The last channel that the announced limit allows is refused.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-014"},
		Plant: refusing("channel.join", 5, joinExceedLimit, func(r *roster, l *Link, _, _ *Frame) bool {
			return r.channels(l) >= r.limit("channels")
		}),
	},
	{
		Name: "channel.one-channel-more", Text: "A join above the announced limit succeeds.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-015"},
		Plant:  accepting("channel.join", 5, joined, anyRequest),
	},
	{
		Name: "channel.limit-as-rate", Text: "A join above the announced limit gets the code for too many calls.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-015"},
		Plant:  fromServer(refusal("channel.join", 5), refused("channel.join", 7, "JOIN_CHANNEL_ERR_TOO_OFTEN")),
	},
	{
		Name: "channel.place-kept-on-leave", Text: "A channel that was left goes on counting.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-016"},
		Plant: refusing("channel.join", 5, joinExceedLimit, func(r *roster, l *Link, _, _ *Frame) bool {
			return r.joins[l] > r.limit("channels")
		}),
	},
	{
		Name: "channel.no-limit-after-leave", Text: "After a leave the channel limit is gone.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-016"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			return func(l *Link, f *Frame) bool {
				if !refusal("channel.join", 5)(f) || r.leaves[l] == 0 {
					return true
				}
				l.Activate()
				return instead("channel.join.ok", joined)(l, f)
			}
		}),
	},
	{
		Name: "channel.bad-id-takes-place", Text: "A join with a bad id counts.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-017"},
		Plant:  failedJoinsCount(3),
	},
	{
		Name: "channel.second-join-takes-place", Text: "A refused second join of a channel counts.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-017"},
		Plant:  failedJoinsCount(6),
	},
	{
		Name: "channel.limit-for-all", Text: "The channel limit counts the channels of all users together.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-018"},
		Plant: refusing("channel.join", 5, joinExceedLimit, func(r *roster, _ *Link, _, _ *Frame) bool {
			var all int64
			for _, l := range r.proxy.Links() {
				all += r.channels(l)
			}
			return all > r.limit("channels")
		}),
	},
	{
		Name: "channel.id-of-65-bytes", Text: "A channel id of 65 bytes is cut to 64.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-019"},
		Plant: fromClient(kind("channel.join").and(func(f *Frame) bool { return len(f.Text("channel")) == 65 }), func(_ *Link, f *Frame) bool {
			f.Set("channel", f.Text("channel")[:64])
			return true
		}),
	},
	badID("null", "The channel id null is accepted.", func(id string) bool { return id == "null" }),
	badID("empty", "An empty channel id is accepted.", func(id string) bool { return id == "" }),
	badID("with-quotes", "Quotes in a channel id are accepted.", func(id string) bool { return strings.ContainsAny(id, `"'`+"`") }),
	badID("with-slashes", "Slashes in a channel id are accepted.", func(id string) bool { return strings.ContainsAny(id, `/\`) }),
	badID("with-letters", "Letters of any alphabet in a channel id are accepted.", func(id string) bool {
		return strings.ContainsFunc(id, func(r rune) bool { return r > 0x7f && unicode.IsLetter(r) })
	}),
	badID("with-controls", "Control characters in a channel id are accepted.", func(id string) bool {
		return strings.ContainsFunc(id, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) })
	}),
	badID("with-emoji", "An emoji in a channel id is accepted.", func(id string) bool {
		return strings.ContainsFunc(id, func(r rune) bool { return r > 0xffff })
	}),
	goodID("of-64-bytes-refused", "A channel id of 64 bytes is refused.", func(id string) bool { return len(id) == 64 }),
	goodID("with-capitals-refused", "Capital letters in a channel id are refused.", func(id string) bool {
		return strings.ContainsFunc(id, unicode.IsUpper)
	}),
	goodID("with-small-z-refused", "The letter z in a channel id is refused.", func(id string) bool { return strings.Contains(id, "z") }),
	goodID("with-comma-refused", "A comma in a channel id is refused.", func(id string) bool { return strings.Contains(id, ",") }),
	foldedID("case", "Channel ids are compared without regard to case.", strings.ToLower),
	foldedID("leading-space", "Leading spaces of channel ids do not count.", func(id string) string { return strings.TrimLeft(id, " ") }),
	foldedID("trailing-space", "Trailing spaces of channel ids do not count.", func(id string) string { return strings.TrimRight(id, " ") }),
	foldedID("repeated-space", "Repeated spaces in channel ids count once.", func(id string) string { return strings.ReplaceAll(id, "  ", " ") }),
	{
		Name: "channel.id-with-tab", Text: "A tab or a line break in a channel id is accepted.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-022"},
		Plant:  accepting("channel.join", 3, joined, func(asked *Frame) bool { return strings.ContainsAny(asked.Text("channel"), "\t\n\r") }),
	},
	{
		Name: "channel.id-with-unicode-space", Text: "A space other than the plain one in a channel id is accepted.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-022"},
		Plant: accepting("channel.join", 3, joined, func(asked *Frame) bool {
			return strings.ContainsFunc(asked.Text("channel"), func(r rune) bool { return r > 0xff && unicode.IsSpace(r) })
		}),
	},
	{
		Name: "channel.too-many-counts", Text: "More channels than announced are counted at once.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-031"},
		Plant:  accepting("channel.count", 5, map[string]any{"counts": []int{}}, anyRequest),
	},
	{
		Name: "channel.counts-refused-as-arguments", Text: "Too many channels to count get the code for a bad argument.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-031"},
		Plant:  fromServer(refusal("channel.count", 5), refused("channel.count", 2, "GET_CHANNEL_MEMBER_COUNT_ERR_INVALID_ARGUMENT")),
	},
	{
		Name: "channel.bad-id-counts-0", Text: "A bad channel id is counted as a channel that nobody is in.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-032"},
		Plant:  accepting("channel.count", 2, map[string]any{"counts": []int{0, 0}}, anyRequest),
	},
	{
		Name: "channel.count-of-null", Text: "The channel id null is counted.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-032"},
		Plant: accepting("channel.count", 2, map[string]any{"counts": []int{0, 0}}, func(asked *Frame) bool {
			var channels []string
			return asked.Get("channels", &channels) && len(channels) > 0 && channels[len(channels)-1] == "null"
		}),
	},
	{
		Name: "channel.send-rate-free", Text: "Messages above the announced rate are accepted.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-044"},
		Plant:  accepting("channel.send", 3, nil, anyRequest),
	},
	{
		Name: "channel.send-rate-apart", Text: "Channel messages have a rate of their own beside that of peer messages.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-044"},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			sent := make(map[*Link]int64)
			return func(l *Link, f *Frame) bool {
				if f.Is("channel.send.ok") {
					sent[l]++
				}
				if !refusal("channel.send", 3)(f) || sent[l] >= r.call("send") {
					return true
				}
				l.Activate()
				sent[l]++
				return instead("channel.send.ok", nil)(l, f)
			}
		}),
	},
	{
		Name: "channel.join-rate-free", Text: "Joins above the announced rate succeed.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-045"},
		Plant:  accepting("channel.join", 7, joined, anyRequest),
	},
	{
		Name: "channel.join-rate-as-limit", Text: "Joins above the announced rate get the code of the channel limit.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-045"},
		Plant:  fromServer(refusal("channel.join", 7), refused("channel.join", 5, joinExceedLimit)),
	},
	{
		Name: "channel.same-join-rate-free", Text: "Joins of one channel above the announced rate succeed.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-046"},
		Plant:  accepting("channel.join", 8, joined, anyRequest),
	},
	{
		Name: "channel.same-join-rate-as-rate", Text: "Joins of one channel above the announced rate get the code of the common rate.",
		Subject: Server, Breaks: []string{"RTM-CHANNEL-046"},
		Plant: fromServer(refusal("channel.join", 8), refused("channel.join", 7, "JOIN_CHANNEL_ERR_TOO_OFTEN")),
	},
	{
		Name: "channel.list-rate-free", Text: "Member lists above the announced rate succeed.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-047"},
		Plant:  accepting("channel.members", 4, map[string]any{"members": []string{}}, anyRequest),
	},
	earlyRate("list-rate-one-early", "The last member list that the announced rate allows is refused.",
		"RTM-CHANNEL-047", "channel.members", "members", 4, "GET_MEMBERS_ERR_TOO_OFTEN"),
	{
		Name: "channel.count-rate-free", Text: "Counts above the announced rate succeed.", Subject: Server,
		Breaks: []string{"RTM-CHANNEL-048"},
		Plant:  accepting("channel.count", 3, map[string]any{"counts": []int{0}}, anyRequest),
	},
	earlyRate("count-rate-one-early", "The last count that the announced rate allows is refused.",
		"RTM-CHANNEL-048", "channel.count", "count", 3, "GET_CHANNEL_MEMBER_COUNT_ERR_TOO_OFTEN"),
}

// failedJoinsCount plants that joins which were refused with this code take a place.
func failedJoinsCount(code int64) Plant {
	return following(func(r *roster) func(*Link, *Frame) bool {
		failed := make(map[*Link]int64)
		return func(l *Link, f *Frame) bool {
			if refusal("channel.join", code)(f) {
				failed[l]++
			}
			if !f.Is("channel.join.ok") || r.channels(l)+failed[l] <= r.limit("channels") {
				return true
			}
			l.Activate()
			return refused("channel.join", 5, joinExceedLimit)(l, f)
		}
	})
}

// badID is the fault of accepting some ids that break the rules.
func badID(name, text string, which func(id string) bool) Fault {
	return Fault{
		Name: "channel.id-" + name, Text: text, Subject: Server, Breaks: []string{"RTM-CHANNEL-019"},
		Plant: accepting("channel.join", 3, joined, func(asked *Frame) bool { return which(asked.Text("channel")) }),
	}
}

// goodID is the fault of refusing some ids that keep the rules.
func goodID(name, text string, which func(id string) bool) Fault {
	return Fault{
		Name: "channel.id-" + name, Text: text, Subject: Server, Breaks: []string{"RTM-CHANNEL-020"},
		Plant: refusing("channel.join", 3, "JOIN_CHANNEL_ERR_INVALID_ARGUMENT", func(_ *roster, _ *Link, asked, _ *Frame) bool {
			return which(asked.Text("channel"))
		}),
	}
}

// foldedID is the fault of taking different ids for the same. Each client is told of a channel by the name it uses.
func foldedID(name, text string, fold func(id string) string) Fault {
	plant := stateless(func(l *Link) {
		names := make(map[string]string)
		l.OnClient = func(f *Frame) bool {
			if id := f.Text("channel"); fold(id) != id {
				l.Activate()
				names[fold(id)] = id
				f.Set("channel", fold(id))
			}
			return true
		}
		l.OnServer = func(f *Frame) bool {
			if id, ok := names[f.Text("channel")]; ok {
				f.Set("channel", id)
			}
			return true
		}
	})
	return Fault{Name: "channel.id-folds-" + name, Text: text, Subject: Server, Breaks: []string{"RTM-CHANNEL-021"}, Plant: plant}
}

// earlyRate is the fault of a call limit that lets one call less pass than announced.
func earlyRate(name, text, breaks, op, call string, code int64, errorName string) Fault {
	return Fault{
		Name: "channel." + name, Text: text, Subject: Server, Breaks: []string{breaks},
		Plant: following(func(r *roster) func(*Link, *Frame) bool {
			passed := make(map[*Link]int64)
			return func(l *Link, f *Frame) bool {
				if !f.Is(op + ".ok") {
					return true
				}
				if passed[l]++; passed[l] != r.call(call) {
					return true
				}
				l.Activate()
				return refused(op, code, errorName)(l, f)
			}
		}),
	}
}
