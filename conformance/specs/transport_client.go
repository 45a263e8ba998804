package specs

import (
	"context"
	"fmt"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/probe"
)

const stateReconnecting = "RECONNECTING INTERRUPTED"

var (
	// soonLost makes an outage count soon; it must only be long enough for nothing else to take that long.
	soonLost = Announce{"reconnect_threshold_ms": 150}
	// lateLost makes an outage count so late that no quick return can miss it.
	lateLost = Announce{"reconnect_threshold_ms": 5000}
)

// RegisterTransportClient registers the specs of the connection and of outages on a client.
func RegisterTransportClient(env *Env) {
	Describe("client connection", func() { registerClientFrames(env) })
	Describe("client outage", func() { registerClientOutage(env) })
	Describe("client return", func() { registerClientReturn(env) })
	Describe("client close code", func() { registerClientClose(env) })
}

func registerClientFrames(env *Env) {
	It("pings when it has nothing to say", Verifies("RTM-TRANSPORT-057"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice", Announce{"ping_interval_ms": 100})

		alice.AwaitSent(ctx, probe.Kind("ping"))
	})
	It("ignores what it does not know", Verifies("RTM-TRANSPORT-069"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.Tap.Drop(probe.ToServer, probe.Kind("peer.send"))
		sending, _ := alice.BeginSendToPeer(ctx, env.UID("bob"), alice.Text(ctx, "hi"))
		request := alice.AwaitSent(ctx, probe.Kind("peer.send"))

		_ = alice.Tap.Inject(probe.ToClient, `{"kind":"presence.changed","uid":"bob"}`)
		_ = alice.Tap.Inject(probe.ToClient, fmt.Sprintf(`{"kind":"peer.send.ok","id":%d,"received":true,"colour":{"name":"blue"}}`, request.ID))

		sending.Wait(ctx).OK()
		Observe("the state", alice.State(ctx)).Is("CONNECTED")
	})
	It("numbers its requests upwards", Verifies("RTM-TRANSPORT-070"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		if lobby := alice.lobby(ctx); lobby != nil {
			lobby.Join(ctx).OK()
		}
		_, sending := alice.SendToPeer(ctx, bob.UID, alice.Text(ctx, "hi"))

		last := int64(0)
		for _, frame := range alice.Tap.Seen(probe.ToServer) {
			Observe("the kind of a frame of the client", frame.Kind).IsNot("")
			if frame.ID != 0 {
				Observe("the id after "+fmt.Sprint(last), frame.ID).IsAtLeast(last + 1)
				last = frame.ID
			}
		}
		sending.OK()
	})
	It("takes answers in any order", Verifies("RTM-TRANSPORT-071"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob", WithoutAck())
		slow, received := alice.BeginSendToPeer(ctx, bob.UID, alice.Text(ctx, "slow"))
		message := bob.Await(ctx, probe.Kind("peer.message"))

		_, fast := alice.SendToPeer(ctx, env.UID("nobody"), alice.Text(ctx, "fast"))
		fast.OK()

		seq, _ := message.Int("seq")
		bob.Ack(seq)
		slow.Wait(ctx).OK()
		Observe("hasPeerReceived of the slow message", *received).Is(true)
	})
}

func registerClientOutage(env *Env) {
	It("that is short changes no state", Verifies("RTM-TRANSPORT-056"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice", lateLost), env.Login(ctx, "bob")

		alice.Tap.Cut()

		alice.awaitResume(ctx)
		alice.sendMarker(ctx, bob)
		Observe("the states that the listeners heard", States(alice.Events())).Is([]string{stateConnecting, stateConnected})
	})
	It("that is long leads to RECONNECTING", Verifies("RTM-TRANSPORT-058"), func(ctx SpecContext) {
		alice := env.lostClient(ctx)

		Observe("the state", alice.State(ctx)).Is("RECONNECTING")
		Observe("the states that the listeners heard", States(alice.Events())).Is([]string{stateConnecting, stateConnected, stateReconnecting})
	})
	It("ends in CONNECTED by itself", Verifies("RTM-TRANSPORT-059"), func(ctx SpecContext) {
		alice := env.lostClient(ctx)

		alice.Tap.Admit()

		alice.AwaitEventWithin(ctx, env.Within("login"), OnState("CONNECTED", "LOGIN_SUCCESS"))
	})
	It("is tried to be ended again and again", Verifies("RTM-TRANSPORT-060"), func(ctx SpecContext) {
		alice := env.lostClient(ctx)

		alice.awaitAttempts(ctx, 5)

		Observe("the state", alice.State(ctx)).Is("RECONNECTING")
	})
	It("can be ended by a logout", Verifies("RTM-TRANSPORT-065"), func(ctx SpecContext) {
		alice := env.lostClient(ctx)

		alice.Begin(ctx, "logout", env.Within("send"), alice.Client.Logout)

		alice.AwaitEventWithin(ctx, env.Within("send"), OnState("DISCONNECTED", "LOGOUT"))
	})
	It("that is mere silence is noticed too", Verifies("RTM-TRANSPORT-066"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice", Announce{"ping_interval_ms": 100, "reconnect_threshold_ms": 300})
		any := probe.Matching("any frame", func(probe.Object) bool { return true })
		alice.Tap.Drop(probe.ToClient, any)
		alice.Tap.Drop(probe.ToServer, any)

		alice.AwaitEvent(ctx, OnState("RECONNECTING", "INTERRUPTED"))
	})
}

// lostClient returns a client in RECONNECTING whose link is cut and whose attempts to connect are refused.
func (e *Env) lostClient(ctx context.Context) *Subject {
	GinkgoHelper()
	alice := e.LoginClient(ctx, "alice", soonLost)
	alice.lose(ctx)
	return alice
}

func (s *Subject) lose(ctx context.Context) {
	GinkgoHelper()
	s.Tap.Refuse()
	s.Tap.Cut()
	s.AwaitEvent(ctx, OnState("RECONNECTING", "INTERRUPTED"))
}

// awaitAttempts waits until the client has tried to connect this often in all, its first login included.
func (s *Subject) awaitAttempts(ctx context.Context, count int) {
	GinkgoHelper()
	waiting, cancel := bounded(ctx, s.env.Within("login"))
	defer cancel()
	if err := s.Tap.AwaitAttempts(waiting, count); err != nil {
		missing(ctx, fmt.Sprintf("%s tries to connect %d times in all", s.Name, count), err)
	}
}

// awaitResume waits for the login with which the client asks for its session back, and for its answer.
func (s *Subject) awaitResume(ctx context.Context) (login, answer probe.Object) {
	GinkgoHelper()
	login = s.AwaitSentWithin(ctx, s.env.Within("login"), probe.Matching("a login with resume", func(o probe.Object) bool {
		return o.Kind == "login" && o.Value("resume.session") != nil
	}))
	answer = s.AwaitReceived(ctx, probe.Matching("the answer to the resume", func(o probe.Object) bool { return o.ID == login.ID }))
	return login, answer
}

// cursors are the channels that a login asks to resume, each with its cursor.
func cursors(login probe.Object) []string {
	list, _ := login.Value("resume.channels").([]any)
	words := []string{}
	for _, cursor := range list {
		if members, ok := cursor.(map[string]any); ok {
			words = append(words, fmt.Sprintf("%v %v", members["channel"], members["seq"]))
		}
	}
	return words
}

func registerClientReturn(env *Env) {
	It("resumes with what was received", Verifies("RTM-TRANSPORT-061"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		alice.JoinChannel(ctx, id)
		session := alice.AwaitReceived(ctx, probe.Kind("login.ok")).Value("session")
		bob.SendPeer(ctx, alice.UID, "peer").OK()
		bob.SendChannel(ctx, id, "channel").OK()
		seq, _ := alice.AwaitReceived(ctx, probe.Kind("channel.message")).Int("seq")
		alice.AwaitEvent(ctx, OnText("channel"))

		alice.Tap.Cut()

		login, _ := alice.awaitResume(ctx)
		Observe("the session asked for", login.Value("resume.session")).Is(session)
		Observe("the cursor of peer messages", login.Value("resume.peer_seq")).Is(int64(1))
		Observe("the cursors of the channels", cursors(login)).Is([]string{fmt.Sprintf("%s %d", id, seq)})
	})
	It("within the grace time keeps the channels", Verifies("RTM-TRANSPORT-062"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		lobby := alice.JoinChannel(ctx, id)
		alice.Tap.Cut()
		_, answer := alice.awaitResume(ctx)
		Observe("resumed", answer.Value("resumed")).Is(true)

		lobby.SendText(ctx, "back").OK()
		bob.Await(ctx, channelMessage(id, "back"))
		alice.sendMarker(ctx, bob)

		Observe("the joins and leaves heard", append(Heard(adapter.MemberJoined, alice.Events()), Heard(adapter.MemberLeft, alice.Events())...)).IsEmpty()
	})
	It("after the grace time joins the channels again", Verifies("RTM-TRANSPORT-063"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice", soonLost)
		lobby := alice.JoinChannel(ctx, id)
		bob.Await(ctx, probe.Kind("channel.member_joined").With("uid", alice.UID))
		alice.lose(ctx)
		bob.AwaitWithin(ctx, env.Within("session_grace_ms"), probe.Kind("channel.member_left").With("uid", alice.UID))

		alice.Tap.Admit()

		bob.AwaitWithin(ctx, env.Within("login"), probe.Kind("channel.member_joined").With("uid", alice.UID))
		alice.AwaitEvent(ctx, OnState("CONNECTED", "LOGIN_SUCCESS"))
		lobby.SendText(ctx, "back").OK()
	})
	It("brings what was missed, once and in order", Verifies("RTM-TRANSPORT-064"), func(ctx SpecContext) {
		id := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", id), env.LoginClient(ctx, "alice")
		alice.JoinChannel(ctx, id)
		bob.SendChannel(ctx, id, "before").OK()
		alice.AwaitEvent(ctx, OnText("before"))
		alice.Tap.Refuse()
		alice.Tap.Cut()

		bob.Start("peer.send", probe.F("to", alice.UID), probe.F("text", "held"))
		for i := range 3 {
			bob.SendChannel(ctx, id, fmt.Sprintf("channel %d", i)).OK()
		}
		alice.Tap.Admit()
		alice.AwaitEventWithin(ctx, env.Within("login"), OnText("channel 2"))
		bob.SendChannel(ctx, id, "marker").OK()
		alice.AwaitEvent(ctx, OnText("marker"))

		Observe("the channel texts heard", textsOf(adapter.ChannelMessage, alice.Events())).Is([]string{"before", "channel 0", "channel 1", "channel 2", "marker"})
		Observe("the peer texts heard", textsOf(adapter.MessageFromPeer, alice.Events())).Is([]string{"held"})
	})
}

func registerClientClose(env *Env) {
	DescribeTable("that is retryable is followed by a resume", Verifies("RTM-TRANSPORT-067"),
		func(ctx SpecContext, code int) {
			alice := env.LoginClient(ctx, "alice")

			_ = alice.Tap.CloseClient(code, "")

			alice.awaitResume(ctx)
		},
		Entry("a slow consumer", 4000), Entry("a silent connection", 4001), Entry("of the retry range, and not listed", 4099),
		Entry("normal, although no logout asked for it", 1000),
	)

	stopped := func(ctx context.Context, alice *Subject) {
		GinkgoHelper()
		alice.AwaitEvent(ctx, EventMatcher{"a state without a session", func(e adapter.Event) bool {
			return e.Kind == adapter.StateChanged && (e.State == "ABORTED" || e.State == "DISCONNECTED")
		}})
		_ = alice.Logout(ctx).Err()
		alice.Login(ctx).OK()
		Observe("the number of connections, of the first and the last login", alice.Tap.Links()).Is(2)
	}
	It("that is terminal is not followed by anything", Verifies("RTM-TRANSPORT-068"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")

		// The server closes a connection with a bad frame with 4204.
		_ = alice.Tap.Inject(probe.ToServer, "this is no frame")

		stopped(ctx, alice)
	})
	DescribeTable("that is terminal is not followed by anything, whichever it is", Verifies("RTM-TRANSPORT-068"),
		func(ctx SpecContext, code int) {
			alice := env.LoginClient(ctx, "alice")

			_ = alice.Tap.CloseClient(code, "")

			stopped(ctx, alice)
		},
		Entry("a login elsewhere", 4200), Entry("of the terminal range, and not listed", 4299), Entry("a frame that is too big", 1009),
	)
}
