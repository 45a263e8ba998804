package specs

import (
	"context"
	"encoding/base64"
	"slices"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

const channelInvalidMessage = "CHANNEL_MESSAGE_ERR_INVALID_MESSAGE"

// RegisterChannel registers the specs of channels and their messages on a server. Members and counts are in
// channel_members.go, the limits in channel_limits.go.
func RegisterChannel(env *Env) {
	Describe("channel join", func() { registerChannelJoin(env) })
	Describe("channel leave", func() { registerChannelLeave(env) })
	Describe("channel message", func() { registerChannelMessage(env) })
	Describe("channel message refused", func() { registerChannelRefusals(env) })
	Describe("channel members", func() { registerChannelMembers(env) })
	Describe("channel count", func() { registerChannelCount(env) })
	Describe("channel limit", func() { registerChannelLimit(env) })
	Describe("channel id", func() { registerChannelIDs(env) })
	Describe("channel call limits", func() { registerChannelRates(env) })
}

// member logs a user in and joins the channel.
func (e *Env) member(ctx context.Context, name, channel string) *Actor {
	GinkgoHelper()
	actor := e.Login(ctx, name)
	actor.Join(ctx, channel).OK()
	return actor
}

// joinAt joins the user to the channel and returns its place there, for coming back later.
func (a *Actor) joinAt(ctx context.Context, channel string) probe.Cursor {
	GinkgoHelper()
	seq, _ := a.Join(ctx, channel).OK().Int("seq")
	return probe.Cursor{Channel: channel, Seq: seq}
}

// channelMessage matches a message of a channel with this text.
func channelMessage(channel, text string) probe.Matcher {
	return probe.Kind("channel.message").With("channel", channel).With("text", text)
}

// memberJoined matches the notice that a user joined the channel.
func memberJoined(channel string, user *Actor) probe.Matcher {
	return probe.Kind("channel.member_joined").With("channel", channel).With("uid", user.UID)
}

// memberLeft matches the notice that a user left the channel.
func memberLeft(channel string, user *Actor) probe.Matcher {
	return probe.Kind("channel.member_left").With("channel", channel).With("uid", user.UID)
}

// ofChannel returns the frames of one channel.
func ofChannel(channel string, frames []probe.Object) []probe.Object {
	return slices.DeleteFunc(slices.Clone(frames), func(frame probe.Object) bool { return frame.Value("channel") != channel })
}

// behind returns the frames that came after an answer.
func behind(answer Answer, frames []probe.Object) []probe.Object {
	return frames[1+slices.IndexFunc(frames, func(frame probe.Object) bool { return frame.ID == answer.ID }):]
}

// uids are the members "uid" of frames.
func uids(frames []probe.Object) []string {
	uids := []string{}
	for _, frame := range frames {
		uid, _ := frame.Text("uid")
		uids = append(uids, uid)
	}
	return uids
}

func registerChannelJoin(env *Env) {
	It("makes a member, in a new channel and in one that exists", Verifies("RTM-CHANNEL-001"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)

		bob := env.member(ctx, "bob", lobby)

		members, _ := bob.Members(ctx, lobby).OK().Texts("members")
		Observe("the members", members).HoldsExactly([]string{alice.UID, bob.UID})
	})

	It("is told to the other members", Verifies("RTM-CHANNEL-002"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)

		bob := env.member(ctx, "bob", lobby)

		alice.Await(ctx, memberJoined(lobby, bob))
	})

	It("is not told to the one who joins", Verifies("RTM-CHANNEL-003"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob := env.member(ctx, "bob", lobby)

		carol := env.member(ctx, "carol", lobby)

		told := bob.Until(ctx, memberJoined(lobby, carol))
		Observe("the joins that bob is told", uids(Of("channel.member_joined", told))).Is([]string{carol.UID})
	})

	It("is refused when the session is a member already", Verifies("RTM-CHANNEL-013"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)

		alice.Join(ctx, lobby).Refused(6, "JOIN_CHANNEL_ERR_ALREADY_JOINED")
	})

	It("does not bring what was sent before", Verifies("RTM-CHANNEL-040"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)
		alice.SendChannel(ctx, lobby, "too early").OK()
		bob := env.member(ctx, "bob", lobby)

		alice.SendChannel(ctx, lobby, "in time").OK()

		Observe("what bob gets", Texts(bob.Until(ctx, channelMessage(lobby, "in time")))).Is([]string{"in time"})
	})

	It("makes a uid a member once", Verifies("RTM-CHANNEL-041"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.member(ctx, "alice", lobby)

		alice.Again(ctx).Join(ctx, lobby).OK()

		members, _ := bob.Members(ctx, lobby).OK().Texts("members")
		Observe("the members", members).HoldsExactly([]string{alice.UID, bob.UID})
	})
}

func registerChannelLeave(env *Env) {
	It("is told to the other members", Verifies("RTM-CHANNEL-009"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)

		bob.Leave(ctx, lobby).OK()

		alice.Await(ctx, memberLeft(lobby, bob))
	})

	DescribeTable("is refused to one who is no member", Verifies("RTM-CHANNEL-010"),
		func(ctx SpecContext, joined bool) {
			lobby := env.Channel("lobby")
			bob := env.Login(ctx, "bob")
			if joined {
				bob.Join(ctx, lobby).OK()
				bob.Leave(ctx, lobby).OK()
			}

			bob.Leave(ctx, lobby).Refused(3, "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL")
		},
		Entry("never was one", false), Entry("left before", true),
	)

	It("ends what the channel sends", Verifies("RTM-CHANNEL-011"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)
		left := bob.Leave(ctx, lobby).OK()
		alice.SendChannel(ctx, lobby, "while bob is away").OK()
		carol := env.member(ctx, "carol", lobby)

		// Bob comes back, because what is sent to him now cannot overtake what was sent to him while he was away.
		back := bob.Join(ctx, lobby).OK()
		alice.SendChannel(ctx, lobby, "bob is back").OK()
		bob.Until(ctx, channelMessage(lobby, "bob is back"))

		sent := behind(left, bob.Conn.Inbox())
		away := sent[:len(sent)-len(behind(back, sent))]
		Observe("what bob got of the channel while he was away", Kinds(ofChannel(lobby, away))).IsEmpty()
		Observe("the messages that bob got since he left", Texts(sent)).Is([]string{"bob is back"})
		Observe("the joins that bob was told since he left", uids(Of("channel.member_joined", sent))).HoldsNo(carol.UID)
	})

	It("can be followed by a join", Verifies("RTM-CHANNEL-012"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)
		bob.Leave(ctx, lobby).OK()

		bob.Join(ctx, lobby).OK()

		alice.SendChannel(ctx, lobby, "welcome back").OK()
		bob.Await(ctx, channelMessage(lobby, "welcome back"))
	})

	It("happens to a user who is dropped for want of contact", Verifies("RTM-CHANNEL-049"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)

		bob.Cut()

		alice.AwaitWithin(ctx, env.Within("session_grace_ms"), memberLeft(lobby, bob))
		members, _ := alice.Members(ctx, lobby).OK().Texts("members")
		Observe("the members", members).HoldsExactly([]string{alice.UID})
	})
}

func registerChannelMessage(env *Env) {
	It("reaches all other members with its text, sender and time", Verifies("RTM-CHANNEL-004"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob, carol := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby), env.member(ctx, "carol", lobby)
		before := env.serverTime(ctx)

		text := `hi <b>"bob"</b> & 'carol' \ päckchen 😀`
		alice.SendChannel(ctx, lobby, text).OK()

		for _, member := range []*Actor{bob, carol} {
			message := member.Await(ctx, probe.Kind("channel.message").With("channel", lobby))
			Observe("the text that "+member.Name+" gets", message.Value("text")).Is(text)
			Observe("the sender that "+member.Name+" sees", message.Value("from")).Is(alice.UID)
			Observe("ts", message.Value("ts")).liesBetween(before, env.serverTime(ctx))
		}
	})

	It("does not come back to its sender", Verifies("RTM-CHANNEL-005"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)
		alice.SendChannel(ctx, lobby, "from alice").OK()

		bob.SendChannel(ctx, lobby, "from bob").OK()

		Observe("what alice gets", Texts(alice.Until(ctx, channelMessage(lobby, "from bob")))).Is([]string{"from bob"})
	})

	It("is accepted when nobody else is there", Verifies("RTM-CHANNEL-006"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)

		alice.SendChannel(ctx, lobby, "echo?").OK()
	})

	It("arrives with its bytes and its description", Verifies("RTM-CHANNEL-037"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)
		raw := base64.StdEncoding.EncodeToString(allBytes())

		alice.Request(ctx, "channel.send", probe.F("channel", lobby), probe.F("raw", raw), probe.F("description", "päckchen")).OK()

		message := bob.Await(ctx, probe.Kind("channel.message"))
		Observe("the bytes that bob gets", message.Value("raw")).Is(raw)
		Observe("the description that bob gets", message.Value("description")).Is("päckchen")
	})

	It("arrives in the order of sending", Verifies("RTM-CHANNEL-038"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)
		texts := numbered(50)

		for _, text := range texts {
			alice.Start("channel.send", probe.F("channel", lobby), probe.F("text", text))
		}

		Observe("what bob gets", Texts(bob.Until(ctx, channelMessage(lobby, texts[len(texts)-1])))).Is(texts)
	})

	It("is numbered above the number that the join told", Verifies("RTM-CHANNEL-039"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice := env.member(ctx, "alice", lobby)
		alice.SendChannel(ctx, lobby, "before").OK()
		bob := env.Login(ctx, "bob")
		last, told := bob.Join(ctx, lobby).OK().Int("seq")
		Observe("the seq of the answer to the join", last).IsAbout("is a whole number", told)

		for _, text := range numbered(3) {
			alice.SendChannel(ctx, lobby, text).OK()
			seq, _ := bob.Await(ctx, channelMessage(lobby, text)).Int("seq")
			Observe("the seq of the next message", seq).IsAtLeast(last + 1)
			last = seq
		}
	})

	It("names the user of the session as the sender", Verifies("RTM-CHANNEL-042"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", lobby)

		alice.Request(ctx, "channel.send", probe.F("channel", lobby), probe.F("text", "hi"), probe.F("from", env.UID("mallory"))).OK()

		Observe("the sender that bob sees", bob.Await(ctx, channelMessage(lobby, "hi")).Value("from")).Is(alice.UID)
	})

	It("stays in its channel", Verifies("RTM-CHANNEL-043"), func(ctx SpecContext) {
		lobby, hall := env.Channel("lobby"), env.Channel("hall")
		alice, bob := env.member(ctx, "alice", lobby), env.member(ctx, "bob", hall)
		alice.Join(ctx, hall).OK()
		alice.SendChannel(ctx, lobby, "to the lobby").OK()

		alice.SendChannel(ctx, hall, "to the hall").OK()

		Observe("what bob gets", Texts(bob.Until(ctx, channelMessage(hall, "to the hall")))).Is([]string{"to the hall"})
	})
}

func registerChannelRefusals(env *Env) {
	It("from one who is no member", Verifies("RTM-CHANNEL-007"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		env.member(ctx, "alice", lobby)

		env.Login(ctx, "bob").SendChannel(ctx, lobby, "hi").Refused(5, "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL")
	})

	DescribeTable("without a session", Verifies("RTM-CHANNEL-008"),
		func(ctx SpecContext, kind, name string, fields ...probe.Field) {
			env.Connect(ctx, "alice").Request(ctx, kind, fields...).Refused(102, name)
		},
		Entry("join", "channel.join", "JOIN_CHANNEL_ERR_USER_NOT_LOGGED_IN", probe.F("channel", "lobby")),
		Entry("leave", "channel.leave", "LEAVE_CHANNEL_ERR_USER_NOT_LOGGED_IN", probe.F("channel", "lobby")),
		Entry("send", "channel.send", "CHANNEL_MESSAGE_ERR_USER_NOT_LOGGED_IN", probe.F("channel", "lobby"), probe.F("text", "hi")),
		Entry("members", "channel.members", "GET_MEMBERS_ERR_USER_NOT_LOGGED_IN", probe.F("channel", "lobby")),
		Entry("count", "channel.count", "GET_CHANNEL_MEMBER_COUNT_ERR_USER_NOT_LOGGED_IN", probe.F("channels", []string{"lobby"})),
	)

	DescribeTable("when it is no message", Verifies("RTM-CHANNEL-036"),
		func(ctx SpecContext, payload []probe.Field) {
			lobby := env.Channel("lobby")
			alice := env.member(ctx, "alice", lobby)

			alice.Request(ctx, "channel.send", append([]probe.Field{probe.F("channel", lobby)}, payload...)...).Refused(4, channelInvalidMessage)
		},
		Entry("neither text nor bytes", noMessage), Entry("both text and bytes", bothMessages),
	)

	It("when it is no message, from one who is no member", Verifies("RTM-CHANNEL-082"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		env.member(ctx, "alice", lobby)

		env.Login(ctx, "bob").Request(ctx, "channel.send", append([]probe.Field{probe.F("channel", lobby)}, bothMessages...)...).
			Refused(4, channelInvalidMessage)
	})
}
