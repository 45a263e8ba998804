package specs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

func sorted[V any](table map[string]V) []string { return slices.Sorted(maps.Keys(table)) }

// dropped cuts the user off and waits until the server has given up on it, which the witness sees in the channel.
func (a *Actor) dropped(ctx context.Context, witness *Actor, channel string) {
	GinkgoHelper()
	a.Cut()
	witness.AwaitWithin(ctx, a.env.Within("session_grace_ms"), memberLeft(channel, a))
}

// lost cuts the user off and waits until the server knows. Until then it may write to the dead connection, and what
// becomes of that is unknown; from then on a message to the user is answered with received false. It returns the texts by
// which the witness found out; they may be among those that the user gets after a resume, see [sentBy], and a server that
// bounds what it holds may hold nothing else.
func (a *Actor) lost(ctx context.Context, witness *Actor) (sent []string) {
	GinkgoHelper()
	a.Cut()
	// When the grace time is over the answer is the same, but for another reason.
	waiting, cancel := bounded(ctx, min(a.env.Answer(), a.env.Limits.Duration("session_grace_ms")/2))
	defer cancel()
	for pause := 10; waiting.Err() == nil; pause *= 2 {
		sent = append(sent, fmt.Sprintf("are you there? %d", len(sent)+1))
		asked := witness.Start("peer.send", probe.F("to", a.UID), probe.F("text", sent[len(sent)-1]))
		// The pings are a pause in which the server can take note. It doubles, so that few messages pile up.
		for range pause {
			witness.Ping(ctx).OK()
		}
		known := probe.Kind("peer.send.ok").With("id", asked.id).With("received", false)
		if slices.ContainsFunc(witness.Conn.Pending(), known.Match) {
			return sent
		}
	}
	missing(ctx, "a message to a user whose link is lost is answered with received false", context.Cause(waiting))
	return nil
}

// sentBy returns the frames that come from this user.
func sentBy(user *Actor, frames []probe.Object) []probe.Object {
	return slices.DeleteFunc(slices.Clone(frames), func(frame probe.Object) bool { return frame.Value("from") != user.UID })
}

// pass lets this much time pass: one connection after the other stays silent until the server closes it.
func (e *Env) pass(ctx context.Context, duration time.Duration) {
	GinkgoHelper()
	for start := time.Now(); time.Since(start) < duration; {
		clock := e.Connect(ctx, "clock", silent)
		clock.UID = e.UID("clock")
		clock.Login(ctx).OK()
		clock.AwaitCloseWithin(ctx, e.Within("silence_ms"))
	}
}

func registerGrace(env *Env) {
	It("is not told to the others while the session lasts", Verifies("RTM-TRANSPORT-032"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		bob.Await(ctx, memberJoined(lobby, alice))
		alice.lost(ctx, bob)
		back, _ := alice.Resume(ctx, 0, place)

		back.Leave(ctx, lobby).OK()
		back.SendPeer(ctx, bob.UID, "that was all").OK()

		told := bob.Until(ctx, peerMessage("that was all"))
		Observe("the joins that bob is told", uids(Of("channel.member_joined", told))).IsEmpty()
		Observe("the leaves that bob is told", uids(Of("channel.member_left", told))).HasLength(1)
	})

	It("makes the user offline when the grace time is over", Verifies("RTM-TRANSPORT-034"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.member(ctx, "alice", lobby)
		alice.dropped(ctx, bob, lobby)
		receipt := bob.SendPeer(ctx, alice.UID, "to nobody").OK()
		Observe("received", receipt.Value("received")).Is(false)

		back := alice.Again(ctx)

		bob.SendPeer(ctx, alice.UID, "welcome back").OK()
		Observe("what alice gets", Texts(back.Until(ctx, peerMessage("welcome back")))).Is([]string{"welcome back"})
	})

	It("is told as a join when the user comes back later", Verifies("RTM-TRANSPORT-047"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		bob.Await(ctx, memberJoined(lobby, alice))
		alice.dropped(ctx, bob, lobby)
		back, _ := alice.Resume(ctx, 0, place)

		back.Request(ctx, "channel.join", probe.F("channel", lobby), probe.F("after", place.Seq)).OK()

		bob.Await(ctx, memberJoined(lobby, alice))
	})

	It("ends the session when the user logs in without resuming", Verifies("RTM-TRANSPORT-045"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.member(ctx, "alice", lobby)
		alice.lost(ctx, bob)

		again := alice.Again(ctx)

		Observe("the new session", again.Session).IsNot(alice.Session)
		bob.Await(ctx, memberLeft(lobby, alice))
	})
}

func registerResume(env *Env) {
	It("continues the session", Verifies("RTM-TRANSPORT-031"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		alice.Cut()

		_, answer := alice.Resume(ctx, 0)

		Observe("resumed", answer.OK().Value("resumed")).Is(true)
		Observe("the session", answer.Value("session")).Is(alice.Session)
	})

	It("keeps the channels", Verifies("RTM-TRANSPORT-033"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.Cut()
		back, _ := alice.Resume(ctx, 0, place)

		bob.SendChannel(ctx, lobby, "welcome back").OK()

		back.Await(ctx, channelMessage(lobby, "welcome back"))
		back.SendChannel(ctx, lobby, "thank you").OK()
		bob.Await(ctx, channelMessage(lobby, "thank you"))
	})

	It("leaves the channels that it does not name", Verifies("RTM-TRANSPORT-050"), func(ctx SpecContext) {
		lobby, hall := env.Channel("lobby"), env.Channel("hall")
		bob, alice := env.member(ctx, "bob", hall), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.Join(ctx, hall).OK()
		alice.Cut()

		alice.Resume(ctx, 0, place)

		bob.Await(ctx, memberLeft(hall, alice))
	})

	It("lists the channels that the user is not in", Verifies("RTM-TRANSPORT-049"), func(ctx SpecContext) {
		lobby, hall := env.Channel("lobby"), env.Channel("hall")
		alice := env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.Cut()

		_, answer := alice.Resume(ctx, 0, place, probe.Cursor{Channel: hall})

		missing, _ := answer.OK().Texts("missing")
		Observe("the missing channels", missing).Is([]string{hall})
	})

	It("lists each of them once, and one that can be no channel", Verifies("RTM-TRANSPORT-049"), func(ctx SpecContext) {
		lobby, hall := env.Channel("lobby"), probe.Cursor{Channel: env.Channel("hall")}
		alice := env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.Cut()

		_, answer := alice.Resume(ctx, 0, hall, place, probe.Cursor{Channel: "null"}, hall)

		missing, _ := answer.OK().Texts("missing")
		Observe("the missing channels", missing).HoldsExactly([]string{hall.Channel, "null"})
	})

	It("counts the channels against the limit", Verifies("RTM-TRANSPORT-046"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		places := alice.fill(ctx, env.Limits.Number("channels"))
		alice.Cut()

		back, _ := alice.Resume(ctx, 0, places...)

		back.Join(ctx, env.Channel("more")).Refused(5, joinExceedLimit)
	})

	It("opens a new session after the grace time", Verifies("RTM-TRANSPORT-035"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.member(ctx, "alice", lobby)
		alice.dropped(ctx, bob, lobby)

		_, answer := alice.Resume(ctx, 0)

		Observe("resumed", answer.OK().Value("resumed")).Is(false)
		Observe("the session", answer.Value("session")).IsNot(alice.Session)
	})

	It("opens a new session when there is none to resume", Verifies("RTM-TRANSPORT-042"), func(ctx SpecContext) {
		alice := env.Connect(ctx, "alice")
		alice.Session = "nothing-of-that-name"

		back, answer := alice.Resume(ctx, 0)

		Observe("resumed", answer.OK().Value("resumed")).Is(false)
		Observe("the session", back.Session).IsNot(alice.Session)
	})

	It("does not hand over another user's session", Verifies("RTM-TRANSPORT-043"), func(ctx SpecContext) {
		alice, mallory := env.Login(ctx, "alice"), env.Connect(ctx, "mallory")
		mallory.Session = alice.Session

		thief, answer := mallory.Resume(ctx, 0)

		Observe("resumed", answer.OK().Value("resumed")).Is(false)
		Observe("mallory's session", thief.Session).IsNot(alice.Session)
		thief.SendPeer(ctx, alice.UID, "still there?").OK()
		alice.Await(ctx, peerMessage("still there?").With("from", mallory.UID))
	})

	It("takes over from a connection that is still open", Verifies("RTM-TRANSPORT-044"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

		back, answer := alice.Resume(ctx, 0)

		Observe("resumed", answer.OK().Value("resumed")).Is(true)
		Observe("the close code of the old connection", alice.AwaitClose(ctx)).Is(4203)
		bob.SendPeer(ctx, alice.UID, "hi").OK()
		back.Await(ctx, peerMessage("hi"))
	})

	It("brings the answer that the lost link could not", Verifies("RTM-TRANSPORT-051"), func(ctx SpecContext) {
		alice, bob, carol := env.Login(ctx, "alice"), env.Login(ctx, "bob", WithoutAck()), env.Login(ctx, "carol")
		sent := alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi"))
		seq, _ := bob.Await(ctx, peerMessage("hi")).Int("seq")
		alice.lost(ctx, carol)
		bob.Ack(seq)
		bob.Ping(ctx).OK()

		back, _ := alice.Resume(ctx, 0)

		back.Await(ctx, probe.Kind("peer.send.ok").With("id", sent.id).With("received", true))
	})
}

func registerReplay(env *Env) {
	It("delivers the peer messages of the outage", Verifies("RTM-TRANSPORT-036"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		sent := append(alice.lost(ctx, bob), "one", "two")
		bob.SendPeer(ctx, alice.UID, "one").OK()
		bob.SendPeer(ctx, alice.UID, "two").OK()

		back, _ := alice.Resume(ctx, 0)

		bob.SendPeer(ctx, alice.UID, "welcome back").OK()
		got := Texts(back.Until(ctx, peerMessage("welcome back")))
		Observe("what alice gets of the outage", got[:len(got)-1]).isBeginning(sent)
	})

	It("does not repeat peer messages up to the cursor", Verifies("RTM-TRANSPORT-037"), func(ctx SpecContext) {
		alice, bob, carol := env.Login(ctx, "alice", WithoutAck()), env.Login(ctx, "bob"), env.Login(ctx, "carol")
		bob.Start("peer.send", probe.F("to", alice.UID), probe.F("text", "one"))
		seq, _ := alice.Await(ctx, peerMessage("one")).Int("seq")
		alice.lost(ctx, carol)

		back, _ := alice.Resume(ctx, seq)

		bob.SendPeer(ctx, alice.UID, "two").OK()
		Observe("what alice gets", Texts(sentBy(bob, back.Until(ctx, peerMessage("two"))))).Is([]string{"two"})
	})

	It("cannot acknowledge what was only held", Verifies("RTM-TRANSPORT-082"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		sent := append(alice.lost(ctx, bob), "held")
		bob.SendPeer(ctx, alice.UID, "held").OK()
		hasty, credentials := alice.Elsewhere(ctx), env.Credentials(ctx, alice.UID)
		// A server that holds less than all has not even given this number to a message.
		credentials.Resume = &probe.Resume{Session: alice.Session, PeerSeq: int64(len(sent))}

		hasty.Start("login", credentials.Fields()...)

		Observe("the close code", hasty.awaitRefusal(ctx)).Is(4204)
		back, _ := alice.Resume(ctx, 0)
		bob.SendPeer(ctx, alice.UID, "welcome back").OK()
		got := Texts(back.Until(ctx, peerMessage("welcome back")))
		Observe("what alice gets of the outage", got[:len(got)-1]).isBeginning(sent)
	})

	It("takes acknowledgements like any other", Verifies("RTM-TRANSPORT-048"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		alice.lost(ctx, bob)
		back, _ := alice.Resume(ctx, 0)
		seq, _ := back.Await(ctx, probe.Kind("peer.message")).Int("seq")

		back.Ack(seq)

		back.Ping(ctx).OK()
		receipt := bob.SendPeer(ctx, alice.UID, "next").OK()
		Observe("received", receipt.Value("received")).Is(true)
	})

	It("delivers the channel messages of the outage in order and once", Verifies("RTM-TRANSPORT-038"), func(ctx SpecContext) {
		lobby, texts := env.Channel("lobby"), numbered(5)
		bob, alice := env.member(ctx, "bob", lobby), env.member(ctx, "alice", lobby)
		bob.SendChannel(ctx, lobby, "before").OK()
		last, _ := alice.Await(ctx, channelMessage(lobby, "before")).Int("seq")
		alice.Cut()
		bob.sendAll(ctx, lobby, texts)

		back, _ := alice.Resume(ctx, 0, probe.Cursor{Channel: lobby, Seq: last})

		bob.SendChannel(ctx, lobby, "welcome back").OK()
		Observe("what alice gets", Texts(back.Until(ctx, channelMessage(lobby, "welcome back")))).Is(append(texts, "welcome back"))
	})

	DescribeTable("takes the first of two cursors for a channel", Verifies("RTM-TRANSPORT-083"),
		func(ctx SpecContext, first, second int, want ...string) {
			lobby := env.Channel("lobby")
			bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
			places := []probe.Cursor{alice.joinAt(ctx, lobby), {Channel: lobby}}
			bob.SendChannel(ctx, lobby, "hi").OK()
			places[1].Seq, _ = alice.Await(ctx, channelMessage(lobby, "hi")).Int("seq")
			alice.Cut()

			back, _ := alice.Resume(ctx, 0, places[first], places[second])

			bob.SendChannel(ctx, lobby, "welcome back").OK()
			Observe("what alice gets", Texts(back.Until(ctx, channelMessage(lobby, "welcome back")))).Is(want)
		},
		Entry("the older one", 0, 1, "hi", "welcome back"), Entry("the newer one", 1, 0, "welcome back"),
	)

	DescribeTable("delivers nothing behind a cursor", Verifies("RTM-TRANSPORT-084"),
		func(ctx SpecContext, cursor func(position int64) int64) {
			lobby := env.Channel("lobby")
			bob, alice := env.member(ctx, "bob", lobby), env.member(ctx, "alice", lobby)
			bob.SendChannel(ctx, lobby, "hi").OK()
			position, _ := alice.Await(ctx, channelMessage(lobby, "hi")).Int("seq")
			alice.Cut()

			back, _ := alice.Resume(ctx, 0, probe.Cursor{Channel: lobby, Seq: cursor(position)})

			bob.SendChannel(ctx, lobby, "welcome back").OK()
			Observe("what alice gets", Texts(back.Until(ctx, channelMessage(lobby, "welcome back")))).Is([]string{"welcome back"})
		},
		Entry("of 0", func(int64) int64 { return 0 }), Entry("at the channel's position", func(position int64) int64 { return position }),
		Entry("far above it", func(int64) int64 { return 1<<53 - 1 }),
	)

	It("delivers no more of a channel than announced, the newest", Verifies("RTM-TRANSPORT-039"), func(ctx SpecContext) {
		lobby, limit := env.Channel("lobby"), env.Limits.Number("replay_messages")
		texts := numbered(limit + 5)
		bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.lost(ctx, bob)
		bob.sendAll(ctx, lobby, texts)

		back, _ := alice.Resume(ctx, 0, place)

		bob.SendChannel(ctx, lobby, "welcome back").OK()
		got := Texts(Of("channel.message", back.Until(ctx, channelMessage(lobby, "welcome back"))))
		Observe("what alice gets", got).Is(append(texts[5:], "welcome back"))
	})

	It("does not deliver the user's own channel messages", Verifies("RTM-TRANSPORT-052"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.SendChannel(ctx, lobby, "from alice").OK()
		alice.Cut()
		bob.SendChannel(ctx, lobby, "from bob").OK()

		back, _ := alice.Resume(ctx, 0, place)

		Observe("what alice gets", Texts(back.Until(ctx, channelMessage(lobby, "from bob")))).Is([]string{"from bob"})
	})

	It("follows a join with a cursor", Verifies("RTM-TRANSPORT-041"), func(ctx SpecContext) {
		lobby, texts := env.Channel("lobby"), numbered(3)
		bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.Leave(ctx, lobby).OK()
		bob.sendAll(ctx, lobby, texts)

		alice.Request(ctx, "channel.join", probe.F("channel", lobby), probe.F("after", place.Seq)).OK()

		Observe("what alice gets", Texts(alice.Until(ctx, channelMessage(lobby, texts[2])))).Is(texts)
	})

	It("does not deliver what is older than announced", Verifies("RTM-TRANSPORT-040"), func(ctx SpecContext) {
		lobby := env.Channel("lobby")
		bob, alice := env.member(ctx, "bob", lobby), env.Login(ctx, "alice")
		place := alice.joinAt(ctx, lobby)
		alice.Leave(ctx, lobby).OK()
		bob.SendChannel(ctx, lobby, "old").OK()
		env.pass(ctx, env.Limits.Duration("replay_ms"))
		bob.SendChannel(ctx, lobby, "new").OK()

		// A session may end sooner than messages grow old, so alice comes back by a join with her cursor.
		alice.Request(ctx, "channel.join", probe.F("channel", lobby), probe.F("after", place.Seq)).OK()

		Observe("what alice gets", Texts(alice.Until(ctx, channelMessage(lobby, "new")))).Is([]string{"new"})
	})
}

// isBeginning asks for at least the first of the texts that were sent during an outage: a server may bound what it holds,
// so the last ones may be missing.
func (o Observation) isBeginning(sent []string) {
	held, _ := o.got.([]string)
	o.IsAbout(fmt.Sprintf("is what was sent, %s, or its beginning", show(sent)),
		len(held) > 0 && len(held) <= len(sent) && slices.Equal(held, sent[:len(held)]))
}

// sendAll sends these texts to a channel and waits until they are accepted.
func (a *Actor) sendAll(ctx context.Context, channel string, texts []string) {
	GinkgoHelper()
	for _, text := range texts {
		a.SendChannel(ctx, channel, text).OK()
	}
}
