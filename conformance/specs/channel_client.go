package specs

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/probe"
)

// channelsAtOnce is the API's limit of channels that a client is in at once.
const channelsAtOnce = 20

// RegisterChannelClient registers the specs of channels on a client.
func RegisterChannelClient(env *Env) {
	Describe("client channel", func() {
		registerClientChannelObject(env)
		registerClientMembership(env)
		registerClientChannelLimit(env)
		registerClientChannelMessage(env)
		registerClientChannelMessageRefused(env)
		registerClientMembers(env)
	})
}

func registerClientChannelObject(env *Env) {
	It("is created locally and before login", Verifies("RTM-CHANNEL-051"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")

		lobby := alice.NewChannel(ctx, env.Channel("lobby"))

		Observe("the id of the object", lobby.Channel.ID()).Is(env.Channel("lobby"))
		Observe("the number of connections", alice.Tap.Links()).Is(0)
	})
	DescribeTable("is not created with a bad id", Verifies("RTM-CHANNEL-052"),
		func(ctx SpecContext, id string) {
			alice := env.Client(ctx, "alice")
			_, err := alice.Client.NewChannel(ctx, id)
			Outcome{who: "alice", what: "createChannel", err: err}.Fails(1, "CREATE_CHANNEL_ERR_INVALID_ARGUMENT")
		},
		Entry("empty", ""), Entry("null", "null"), Entry("65 bytes", strings.Repeat("x", 65)), Entry("a mark outside the alphabet", "a*b"),
		Entry("a CJK character", "中"), Entry("a control character", "a\x00b"),
	)
	It("is another object when it is created again", Verifies("RTM-CHANNEL-053"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		first, second := alice.NewChannel(ctx, env.Channel("lobby")), alice.NewChannel(ctx, env.Channel("lobby"))

		first.Join(ctx).OK()

		_, listing := second.Members(ctx)
		listing.Fails(5, "GET_MEMBERS_ERR_NOT_IN_CHANNEL")
	})
}

func registerClientMembership(env *Env) {
	It("is joined on the server", Verifies("RTM-CHANNEL-054"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob := env.member(ctx, "bob", lobby)
		alice := env.LoginClient(ctx, "alice")

		alice.JoinChannel(ctx, lobby)

		alice.AwaitSent(ctx, probe.Kind("channel.join").With("channel", lobby))
		members, _ := bob.Members(ctx, lobby).OK().Texts("members")
		Observe("the members", members).HoldsExactly([]string{alice.UID, bob.UID})
	})
	It("cannot be joined through a second object", Verifies("RTM-CHANNEL-055"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.JoinChannel(ctx, env.Channel("lobby"))

		alice.NewChannel(ctx, env.Channel("lobby")).Join(ctx).Fails(202, "JOIN_CHANNEL_ERR_ALREADY_JOINED_CHANNEL_OF_SAME_ID")
	})
	It("cannot be joined twice", Verifies("RTM-CHANNEL-056"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, env.Channel("lobby"))

		lobby.Join(ctx).Fails(6, "JOIN_CHANNEL_ERR_ALREADY_JOINED")
	})
	It("must be joined for sending", Verifies("RTM-CHANNEL-057"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.NewChannel(ctx, env.Channel("lobby")).SendText(ctx, "hi").Fails(5, "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL")
	})
	It("must be joined for leaving", Verifies("RTM-CHANNEL-058"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.NewChannel(ctx, env.Channel("lobby")).Leave(ctx).Fails(3, "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL")
	})
	It("must be joined for the member list", Verifies("RTM-CHANNEL-059"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		_, listing := alice.NewChannel(ctx, env.Channel("lobby")).Members(ctx)
		listing.Fails(5, "GET_MEMBERS_ERR_NOT_IN_CHANNEL")
	})
	It("can be joined again after a leave", Verifies("RTM-CHANNEL-063"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, env.Channel("lobby"))
		lobby.Leave(ctx).OK()

		lobby.Join(ctx).OK()
	})
	It("is silent after a leave", Verifies("RTM-CHANNEL-064"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, id)
		lobby.Leave(ctx).OK()

		bob.SendChannel(ctx, id, "unheard").OK()
		bob.SendPeer(ctx, alice.UID, "marker").OK()

		Observe("the texts heard", heardTexts(alice.UntilEvent(ctx, OnText("marker")))).Is([]string{"marker"})
	})
	It("reports the server's refusal of a join and can be joined later", Verifies("RTM-CHANNEL-074"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		lobby := alice.NewChannel(ctx, env.Channel("lobby"))
		allow := alice.refuse(ctx, "channel.join", 7, "JOIN_CHANNEL_ERR_TOO_OFTEN")
		lobby.Join(ctx).Fails(7, "JOIN_CHANNEL_ERR_TOO_OFTEN")
		allow()

		lobby.Join(ctx).OK()
	})
	It("can be joined again after a logout and a login", Verifies("RTM-CHANNEL-077"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, env.Channel("lobby"))
		alice.Logout(ctx).OK()
		alice.Login(ctx).OK()

		lobby.SendText(ctx, "hi").Fails(5, "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL")
		lobby.Join(ctx).OK()
	})
}

// joinMany joins channels until the client is at the limit, and returns their objects.
func (s *Subject) joinMany(ctx context.Context, count int) []*Room {
	GinkgoHelper()
	rooms := make([]*Room, count)
	for i := range rooms {
		rooms[i] = s.JoinChannel(ctx, s.env.Channel(fmt.Sprintf("room%d", i)))
	}
	return rooms
}

func registerClientChannelLimit(env *Env) {
	const exceedLimit = "JOIN_CHANNEL_ERR_EXCEED_LIMIT"
	It("is refused as the 21st", Verifies("RTM-CHANNEL-060"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.joinMany(ctx, channelsAtOnce)

		alice.NewChannel(ctx, env.Channel("one more")).Join(ctx).Fails(5, exceedLimit)
	})
	It("does not count while it is not joined", Verifies("RTM-CHANNEL-061"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		for i := range channelsAtOnce + 5 {
			alice.NewChannel(ctx, env.Channel(fmt.Sprintf("unjoined%d", i)))
		}

		alice.joinMany(ctx, channelsAtOnce)
	})
	It("makes room when it is left", Verifies("RTM-CHANNEL-062"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		rooms := alice.joinMany(ctx, channelsAtOnce)
		rooms[0].Leave(ctx).OK()

		alice.NewChannel(ctx, env.Channel("one more")).Join(ctx).OK()
	})
}

func registerClientChannelMessage(env *Env) {
	It("delivers messages with text, sender and time", Verifies("RTM-CHANNEL-065"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.LoginClient(ctx, "alice")
		alice.JoinChannel(ctx, lobby)

		bob.SendChannel(ctx, lobby, "hi").OK()

		event := alice.AwaitEvent(ctx, On(adapter.ChannelMessage))
		ts, _ := alice.AwaitReceived(ctx, probe.Kind("channel.message")).Int("ts")
		Observe("the text", event.Message.Text()).Is("hi")
		Observe("the sender", event.From).Is(bob.UID)
		Observe("the channel", event.Channel).Is(lobby)
		Observe("the server's time in Unix milliseconds", event.Message.ServerReceivedAt().UnixMilli()).Is(ts)
	})
	It("delivers raw messages", Verifies("RTM-CHANNEL-073"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.LoginClient(ctx, "bob"), env.LoginClient(ctx, "alice")
		alice.JoinChannel(ctx, id)

		bob.JoinChannel(ctx, id).Send(ctx, bob.Raw(ctx, []byte{0, 1, 255, 128}, "four bytes")).OK()

		event := alice.AwaitEvent(ctx, On(adapter.ChannelMessage))
		Observe("the bytes", event.Message.Raw()).Is([]byte{0, 1, 255, 128})
		Observe("the description", event.Message.Description()).Is("four bytes")
	})
	It("does not deliver one's own messages", Verifies("RTM-CHANNEL-066"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, id)

		lobby.SendText(ctx, "my own").OK()
		bob.Await(ctx, channelMessage(id, "my own"))
		bob.SendChannel(ctx, id, "marker").OK()

		Observe("the texts heard", heardTexts(alice.UntilEvent(ctx, OnText("marker")))).Is([]string{"marker"})
	})
	It("delivers in the order of arrival", Verifies("RTM-CHANNEL-076"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		alice.JoinChannel(ctx, id)
		want := make([]string, 50)
		for i := range want {
			want[i] = fmt.Sprintf("message %d", i)
			bob.Start("channel.send", probe.F("channel", id), probe.F("text", want[i]))
		}

		heard := alice.UntilEvent(ctx, OnText(want[len(want)-1]))

		Observe("the texts in the order of the listener's calls", heardTexts(heard)).Is(want)
	})
	It("falls silent alone when its listeners are removed", Verifies("RTM-CHANNEL-075"), func(ctx SpecContext) {
		first, second := env.Channel("first"), env.Channel("second")
		bob, alice := env.member(ctx, "bob", first), env.LoginClient(ctx, "alice")
		bob.Join(ctx, second).OK()
		silenced := alice.JoinChannel(ctx, first)
		alice.JoinChannel(ctx, second)

		silenced.RemoveAllListeners(ctx)
		bob.SendChannel(ctx, first, "unheard").OK()
		bob.SendChannel(ctx, second, "heard").OK()

		Observe("the texts heard", heardTexts(alice.UntilEvent(ctx, OnText("heard")))).Is([]string{"heard"})
	})
}

func registerClientChannelMessageRefused(env *Env) {
	It("refuses to send a received message", Verifies("RTM-CHANNEL-071"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, id)
		bob.SendChannel(ctx, id, "hi").OK()
		received := alice.AwaitEvent(ctx, On(adapter.ChannelMessage)).Message

		lobby.Send(ctx, received).Fails(4, channelInvalidMessage)

		lobby.SendText(ctx, "marker").OK()
		Observe("the channel messages that the client put on the wire", Texts(alice.Sent("channel.send"))).Is([]string{"marker"})
	})
	DescribeTable("refuses messages above 32 KB", Verifies("RTM-CHANNEL-072"),
		func(ctx SpecContext, message func(context.Context, *Subject) adapter.Message) {
			alice := env.LoginClient(ctx, "alice")
			alice.JoinChannel(ctx, env.Channel("lobby")).Send(ctx, message(ctx, alice)).Fails(4, channelInvalidMessage)
		},
		Entry("a text", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Text(ctx, strings.Repeat("x", messageBytes+1))
		}),
		Entry("raw bytes with their description", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Raw(ctx, make([]byte, messageBytes), "x")
		}),
	)
}

func registerClientMembers(env *Env) {
	It("tells who joins and leaves, and not about itself", Verifies("RTM-CHANNEL-067"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		alice := env.LoginClient(ctx, "alice")
		alice.JoinChannel(ctx, id)
		carol := env.UID("carol")
		for _, kind := range []string{"channel.member_joined", "channel.member_left"} {
			_ = alice.Tap.Inject(probe.ToClient, fmt.Sprintf(`{"kind":%q,"channel":%q,"uid":%q}`, kind, id, carol))
		}

		heard := alice.UntilEvent(ctx, OnMember(adapter.MemberLeft, carol))

		Observe("the joins heard", Heard(adapter.MemberJoined, heard)).Is([]string{adapter.MemberJoined + " " + id + " " + carol})
		Observe("the leaves heard", Heard(adapter.MemberLeft, heard)).Is([]string{adapter.MemberLeft + " " + id + " " + carol})
	})
	It("tells how many members there are", Verifies("RTM-CHANNEL-068"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		alice := env.LoginClient(ctx, "alice")
		count := func(n int) EventMatcher {
			return EventMatcher{fmt.Sprintf("%s %d", adapter.MemberCountUpdated, n), func(e adapter.Event) bool { return e.Kind == adapter.MemberCountUpdated && e.Count == n }}
		}

		alice.JoinChannel(ctx, id)
		alice.AwaitEventWithin(ctx, env.Within("count_interval_ms"), count(1))

		env.member(ctx, "bob", id)
		alice.AwaitEventWithin(ctx, env.Within("count_interval_ms"), count(2))
	})
	It("lists all members", Verifies("RTM-CHANNEL-069"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, id)

		members, outcome := lobby.Members(ctx)

		outcome.OK()
		Observe("the members", members).HoldsExactly([]string{alice.UID, bob.UID})
	})
	It("is counted without joining", Verifies("RTM-CHANNEL-070"), func(ctx SpecContext) {
		lobby, empty := env.Channel("lobby"), env.Channel("empty")
		env.member(ctx, "bob", lobby)
		alice := env.LoginClient(ctx, "alice")

		counts, outcome := alice.MemberCounts(ctx, lobby, empty)

		outcome.OK()
		Observe("the counts", counts).Is(map[string]int{lobby: 1, empty: 0})
	})
}
