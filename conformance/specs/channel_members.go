package specs

import (
	"context"
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// memberCount matches the notice that the channel has this many members.
func memberCount(channel string, count int) probe.Matcher {
	return probe.Kind("channel.member_count").With("channel", channel).With("count", count)
}

// crowd logs this many users in and joins them to the channel.
func (e *Env) crowd(ctx context.Context, channel string, size int) []*Actor {
	GinkgoHelper()
	crowd := make([]*Actor, size)
	for i := range crowd {
		crowd[i] = e.member(ctx, fmt.Sprintf("member%d", i), channel)
	}
	return crowd
}

func registerChannelMembers(env *Env) {
	It("are all listed, the caller included", Verifies("RTM-CHANNEL-023"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob, carol := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby), env.member(ctx, "carol", lobby)
		env.member(ctx, "dave", lobby).Leave(ctx, lobby).OK()

		members, _ := alice.Members(ctx, lobby).OK().Texts("members")

		Observe("the members", members).HoldsExactly([]string{alice.UID, bob.UID, carol.UID})
	})

	It("are not listed for one who is none", Verifies("RTM-CHANNEL-024"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		env.member(ctx, "alice", lobby)

		env.Login(ctx, "bob").Members(ctx, lobby).Refused(5, "GET_MEMBERS_ERR_NOT_IN_CHANNEL")
	})

	It("are listed up to the announced number", Verifies("RTM-CHANNEL-025"), func(ctx SpecContext) {
		lobby, limit := env.Channel("lobby"), env.Limits.Number("members")
		crowd := env.crowd(ctx, lobby, limit+2)

		members, _ := crowd[0].Members(ctx, lobby).OK().Texts("members")

		Observe("how many members are listed", len(members)).Is(limit)
		slices.Sort(members)
		Observe("how many of them are different", len(slices.Compact(members))).Is(limit)
	})

	It("are no longer told about joins and leaves above the announced number", Verifies("RTM-CHANNEL-026"), func(ctx SpecContext) {
		lobby, limit := env.Channel("lobby"), env.Limits.Number("members")
		crowd := env.crowd(ctx, lobby, limit)
		above, alice, bob := env.member(ctx, "above", lobby), crowd[0], crowd[1]
		above.Leave(ctx, lobby).OK()
		last := crowd[limit-1]
		last.Leave(ctx, lobby).OK()

		bob.SendChannel(ctx, lobby, "they are gone").OK()

		alice.Until(ctx, channelMessage(lobby, "they are gone"))
		joined := make([]string, 0, limit)
		for _, member := range crowd[1:] {
			joined = append(joined, member.UID)
		}
		Observe("the joins that alice is told", uids(Of("channel.member_joined", alice.Conn.Inbox()))).Is(joined)
		Observe("the leaves that alice is told", uids(Of("channel.member_left", alice.Conn.Inbox()))).Is([]string{last.UID})
	})
}

func registerChannelCount(env *Env) {
	interval := func() time.Duration { return env.Within("count_interval_ms") }

	It("is told when it changes", Verifies("RTM-CHANNEL-027"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)

		bob := env.member(ctx, "bob", lobby)
		alice.UntilWithin(ctx, interval(), memberCount(lobby, 2))
		bob.Leave(ctx, lobby).OK()
		alice.AwaitWithin(ctx, interval(), memberCount(lobby, 1))
	})

	It("is told at once when it changes first", Verifies("RTM-CHANNEL-081"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		alice.Join(ctx, lobby).OK()

		bob.Join(ctx, lobby).OK()

		// What is sent at once is there before the pong, or at least long before the interval is over.
		alice.pingFor(ctx, env.Limits.Duration("count_interval_ms")/2)
		counts := []any{}
		for _, told := range Of("channel.member_count", alice.Conn.Inbox()) {
			counts = append(counts, told.Value("count"))
		}
		Observe("the counts that alice is told", counts).Holds(int64(2))
	})

	It("is told to the one who joins", Verifies("RTM-CHANNEL-028"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		env.member(ctx, "alice", lobby)

		bob := env.member(ctx, "bob", lobby)

		bob.AwaitWithin(ctx, interval(), memberCount(lobby, 2))
	})

	It("is told no more often than announced", Verifies("RTM-CHANNEL-029"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)
		alice.AwaitWithin(ctx, interval(), memberCount(lobby, 1))
		// A count cannot be sent before the join that made it. So the time from that join to the arrival of the next count
		// is at least the time between the two counts, however slow the network and this machine are.
		caused := make(map[int64]time.Time)
		for count, name := range []string{"bob", "carol", "dave", "erin"} {
			caused[int64(count+2)] = time.Now()
			env.member(ctx, name, lobby)
		}

		counts := Of("channel.member_count", alice.UntilWithin(ctx, 2*interval(), memberCount(lobby, 5)))

		for i, next := range counts[1:] {
			count, _ := counts[i].Int("count")
			Observe("the time between two counts", next.At.Sub(caused[count])).IsAtLeast(env.Limits.Duration("count_interval_ms"))
		}
	})

	It("is answered in the order asked, without joining", Verifies("RTM-CHANNEL-030"), func(ctx SpecContext) {
		lobby, hall := env.Channel("lobby"), env.Channel("hall")
		env.member(ctx, "alice", lobby).Join(ctx, hall).OK()
		env.member(ctx, "bob", hall)

		answer := env.Login(ctx, "carol").Count(ctx, hall, lobby).OK()

		Observe("the counts", answer.Value("counts")).Is([]any{int64(2), int64(1)})
	})

	It("is 0 for a channel that nobody is in", Verifies("RTM-CHANNEL-033"), func(ctx SpecContext) {
		answer := env.Login(ctx, "alice").Count(ctx, env.Channel("empty")).OK()

		Observe("the counts", answer.Value("counts")).Is([]any{int64(0)})
	})

	It("is refused for more channels than announced", Verifies("RTM-CHANNEL-031"), func(ctx SpecContext) {
		channels := make([]string, env.Limits.Number("count_channels")+1)
		for i := range channels {
			channels[i] = env.Channel(fmt.Sprintf("c%d", i))
		}

		env.Login(ctx, "alice").Count(ctx, channels...).Refused(5, "GET_CHANNEL_MEMBER_COUNT_ERR_EXCEED_LIMIT")
	})

	DescribeTable("is refused for a channel id that breaks the rules", Verifies("RTM-CHANNEL-032"),
		func(ctx SpecContext, id func(unique string) string) {
			lobby := env.Channel("lobby")

			env.Login(ctx, "alice").Count(ctx, lobby, id(lobby)).Refused(2, "GET_CHANNEL_MEMBER_COUNT_ERR_INVALID_ARGUMENT")
		},
		badIDEntries(),
	)
}
