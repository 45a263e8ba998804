package specs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

const (
	joinInvalidArgument = "JOIN_CHANNEL_ERR_INVALID_ARGUMENT"
	joinExceedLimit     = "JOIN_CHANNEL_ERR_EXCEED_LIMIT"
)

// fill joins the user to this many channels and returns its place in each.
func (a *Actor) fill(ctx context.Context, count int) []probe.Cursor {
	GinkgoHelper()
	places := make([]probe.Cursor, count)
	for i := range places {
		places[i] = a.joinAt(ctx, a.env.Channel(fmt.Sprintf("%s%d", a.Name, i)))
	}
	return places
}

func registerChannelLimit(env *Env) {
	limit := func() int { return env.Limits.Number("channels") }

	It("lets a user be in as many channels as announced", Verifies("RTM-CHANNEL-014"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")

		alice.fill(ctx, limit())
	})

	It("refuses one channel more", Verifies("RTM-CHANNEL-015"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		alice.fill(ctx, limit())

		alice.Join(ctx, env.Channel("more")).Refused(5, joinExceedLimit)
	})

	It("gives the place of a channel back on leaving", Verifies("RTM-CHANNEL-016"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		places := alice.fill(ctx, limit())

		alice.Leave(ctx, places[0].Channel).OK()

		alice.Join(ctx, env.Channel("more")).OK()
		alice.Join(ctx, env.Channel("one more")).Refused(5, joinExceedLimit)
	})

	DescribeTable("takes no place for a failed join", Verifies("RTM-CHANNEL-017"),
		func(ctx SpecContext, code int64, name string, bad func(joined string) string) {
			alice := env.Login(ctx, "alice")
			places := alice.fill(ctx, limit()-1)

			alice.Join(ctx, bad(places[0].Channel)).Refused(code, name)

			alice.Join(ctx, env.Channel("last")).OK()
		},
		Entry("with a bad id", int64(3), joinInvalidArgument, id65),
		Entry("of a channel joined before", int64(6), "JOIN_CHANNEL_ERR_ALREADY_JOINED", func(joined string) string { return joined }),
	)

	It("counts each user alone", Verifies("RTM-CHANNEL-018"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		places := alice.fill(ctx, limit())

		bob.Join(ctx, places[0].Channel).OK()
	})

	It("lets a message be as large as announced", Verifies("RTM-CHANNEL-034"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)
		text := strings.Repeat("x", env.Limits.Number("message_bytes"))

		alice.SendChannel(ctx, lobby, text).OK()

		Observe("the text that bob gets", bob.Await(ctx, probe.Kind("channel.message")).Value("text")).Is(text)
	})

	It("refuses a message that is one byte larger", Verifies("RTM-CHANNEL-035"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)

		alice.SendChannel(ctx, lobby, strings.Repeat("x", env.Limits.Number("message_bytes")+1)).Refused(4, channelInvalidMessage)
	})
}

func registerChannelIDs(env *Env) {
	DescribeTable("is refused when it breaks the rules", Verifies("RTM-CHANNEL-019"),
		func(ctx SpecContext, id func(unique string) string) {
			env.Login(ctx, "alice").Join(ctx, id(env.Channel("lobby"))).Refused(3, joinInvalidArgument)
		},
		badIDEntries(),
	)

	DescribeTable("may hold all of the alphabet", Verifies("RTM-CHANNEL-020"),
		func(ctx SpecContext, id func(unique string) string) {
			channel := id(env.Channel("c"))
			alice, bob := env.member(ctx, "alice", channel), env.member(ctx, "bob", channel)

			alice.SendChannel(ctx, channel, "hi").OK()

			bob.Await(ctx, channelMessage(channel, "hi"))
		},
		Entry("64 bytes", id64),
		Entry("capital letters", func(unique string) string { return unique + idAlphabet[0][:26] }),
		Entry("small letters", func(unique string) string { return unique + idAlphabet[0][26:] }),
		Entry("digits, the space and marks", func(unique string) string { return idAlphabet[1] + unique }),
	)

	DescribeTable("is another one when it differs", Verifies("RTM-CHANNEL-021"),
		func(ctx SpecContext, other func(channel string) string) {
			lobby := env.Channel("lobby  a")
			alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", other(lobby))
			alice.Join(ctx, other(lobby)).OK()
			alice.SendChannel(ctx, lobby, "to the one").OK()

			alice.SendChannel(ctx, other(lobby), "to the other").OK()

			Observe("what bob gets", Texts(bob.Until(ctx, channelMessage(other(lobby), "to the other")))).Is([]string{"to the other"})
		},
		Entry("in case", strings.ToUpper),
		Entry("in a leading space", func(channel string) string { return " " + channel }),
		Entry("in a trailing space", func(channel string) string { return channel + " " }),
		Entry("in a repeated space", func(channel string) string { return strings.ReplaceAll(channel, "  ", " ") }),
	)

	for _, name := range slices.Sorted(maps.Keys(badSpaces)) {
		It("is refused with "+name, Verifies("RTM-CHANNEL-022"), func(ctx SpecContext) {
			env.Login(ctx, "alice").Join(ctx, env.Channel("a"+badSpaces[name]+"b")).Refused(3, joinInvalidArgument)
		})
	}
}

func registerChannelRates(env *Env) {
	It("refuse messages above the rate that peers and channels share", Verifies("RTM-CHANNEL-044"), func(ctx SpecContext) {
		limit, lobby := env.announcedCall("send"), env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.Login(ctx, "bob")

		answers := alice.burst(ctx, limit.Count+1, func(i int) Asked {
			if i%2 == 0 && i < limit.Count {
				return alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi"))
			}
			return alice.Start("channel.send", probe.F("channel", lobby), probe.F("text", "hi"))
		})

		answers[limit.Count].Refused(3, "CHANNEL_MESSAGE_ERR_TOO_OFTEN")
	})

	It("refuse joins above the rate", Verifies("RTM-CHANNEL-045"), func(ctx SpecContext) {
		limit := env.announcedCall("join")
		alice := env.Login(ctx, "alice")
		// Each join but the last is followed by a leave, so that the channel limit does not come first.
		answers := alice.burst(ctx, limit.Count+1, func(i int) Asked {
			channel := probe.F("channel", env.Channel(fmt.Sprintf("c%d", i)))
			join := alice.Start("channel.join", channel)
			alice.Start("channel.leave", channel)
			return join
		})

		answers[limit.Count].Refused(7, "JOIN_CHANNEL_ERR_TOO_OFTEN")
	})

	It("refuse joins of one channel above the rate", Verifies("RTM-CHANNEL-046"), func(ctx SpecContext) {
		limit := env.announcedCall("join_same")
		alice, channel := env.Login(ctx, "alice"), probe.F("channel", env.Channel("lobby"))

		answers := alice.burst(ctx, limit.Count+1, func(int) Asked {
			join := alice.Start("channel.join", channel)
			alice.Start("channel.leave", channel)
			return join
		})

		answers[limit.Count].Refused(8, "JOIN_CHANNEL_ERR_JOIN_SAME_CHANNEL_TOO_OFTEN")
	})

	It("refuse member lists above the rate", Verifies("RTM-CHANNEL-047"), func(ctx SpecContext) {
		limit, lobby := env.announcedCall("members"), env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)

		answers := alice.burst(ctx, limit.Count+1, func(int) Asked { return alice.Start("channel.members", probe.F("channel", lobby)) })

		answers[limit.Count].Refused(4, "GET_MEMBERS_ERR_TOO_OFTEN")
	})

	It("refuse member counts above the rate", Verifies("RTM-CHANNEL-048"), func(ctx SpecContext) {
		limit := env.announcedCall("count")
		alice, channels := env.Login(ctx, "alice"), probe.F("channels", []string{env.Channel("lobby")})

		answers := alice.burst(ctx, limit.Count+1, func(int) Asked { return alice.Start("channel.count", channels) })

		answers[limit.Count].Refused(3, "GET_CHANNEL_MEMBER_COUNT_ERR_TOO_OFTEN")
	})
}

// burst sends requests back to back, asks for success of all but the last, and returns their answers. A burst stays
// within one window of a call limit unless the machine stands still for that long.
func (a *Actor) burst(ctx context.Context, count int, start func(i int) Asked) []Answer {
	GinkgoHelper()
	requests := make([]Asked, count)
	for i := range requests {
		requests[i] = start(i)
	}
	answers := make([]Answer, count)
	for i, request := range requests {
		answers[i] = a.Answer(ctx, request)
		if i < count-1 {
			answers[i].OK()
		}
	}
	return answers
}
