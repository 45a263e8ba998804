package specs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/probe"
)

// messageBytes is the API's limit of a message, 32 KB.
const messageBytes = 32 << 10

// RegisterPeerClient registers the specs of peer messages on a client.
func RegisterPeerClient(env *Env) {
	Describe("client peer message", func() {
		registerClientPeerReceipt(env)
		registerClientPeerReceive(env)
		registerClientPeerRefused(env)
		registerClientPeerOutage(env)
	})
}

func registerClientPeerReceipt(env *Env) {
	It("resolves with true when the peer received it", Verifies("RTM-PEER-031"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")

		received, outcome := alice.SendToPeer(ctx, bob.UID, alice.Text(ctx, "hi"))

		outcome.OK()
		Observe("hasPeerReceived", received).Is(true)
	})
	It("resolves with false when the server says so", Verifies("RTM-PEER-032"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.Tap.Drop(probe.ToServer, probe.Kind("peer.send"))
		sending, received := alice.BeginSendToPeer(ctx, env.UID("nobody"), alice.Text(ctx, "hi"))

		request := alice.AwaitSent(ctx, probe.Kind("peer.send"))
		_ = alice.Tap.Inject(probe.ToClient, fmt.Sprintf(`{"kind":"peer.send.ok","id":%d,"received":false}`, request.ID))

		sending.Wait(ctx).OK()
		Observe("hasPeerReceived", *received).Is(false)
	})
	It("can be sent again when it is one's own", Verifies("RTM-PEER-037"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		message := alice.Text(ctx, "twice")

		for range 2 {
			_, outcome := alice.SendToPeer(ctx, bob.UID, message)
			outcome.OK()
		}

		for range 2 {
			bob.Await(ctx, probe.Kind("peer.message").With("text", "twice"))
		}
	})
	It("carries any text as UTF-8", Verifies("RTM-PEER-046"), func(ctx SpecContext) {
		const text = "Grüße, 中文, \U0001F469\u200d\U0001F680 \"quoted\" \\ \t\u2028 end"
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")

		_, outcome := alice.SendToPeer(ctx, bob.UID, alice.Text(ctx, text))

		outcome.OK()
		got, _ := bob.Await(ctx, probe.Kind("peer.message")).Text("text")
		Observe("the text that bob gets", got).Is(text)
	})
	It("fails when the server does not answer", Verifies("RTM-PEER-043"), func(ctx SpecContext) {
		alice := env.LoginClient(ctx, "alice")
		alice.Tap.Drop(probe.ToServer, probe.Kind("peer.send"))

		_, outcome := alice.SendToPeer(ctx, env.UID("bob"), alice.Text(ctx, "hi"))

		outcome.Fails(2, "PEER_MESSAGE_ERR_TIMEOUT")
	})
	DescribeTable("fails with the server's code", Verifies("RTM-PEER-044"),
		func(ctx SpecContext, code int, name string) {
			alice := env.LoginClient(ctx, "alice")
			alice.refuse(ctx, "peer.send", code, name)

			_, outcome := alice.SendToPeer(ctx, env.UID("bob"), alice.Text(ctx, "hi"))

			outcome.Fails(code, name)
		},
		Entry("sent too often", 5, "PEER_MESSAGE_ERR_TOO_OFTEN"), Entry("unacknowledged", 2, "PEER_MESSAGE_ERR_TIMEOUT"),
		Entry("failed", 1, "PEER_MESSAGE_ERR_FAILURE"),
	)
}

func registerClientPeerReceive(env *Env) {
	It("arrives with text, sender and time", Verifies("RTM-PEER-033"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")

		bob.SendPeer(ctx, alice.UID, "hi").OK()

		event := alice.AwaitEvent(ctx, On(adapter.MessageFromPeer))
		ts, _ := alice.AwaitReceived(ctx, probe.Kind("peer.message")).Int("ts")
		Observe("the text", event.Message.Text()).Is("hi")
		Observe("the sender", event.From).Is(bob.UID)
		Observe("the server's time in Unix milliseconds", event.Message.ServerReceivedAt().UnixMilli()).Is(ts)
	})
	It("arrives raw with its description", Verifies("RTM-PEER-034"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")

		bob.Request(ctx, "peer.send", probe.F("to", alice.UID), probe.F("raw", "AAH/gA=="), probe.F("description", "four bytes")).OK()

		event := alice.AwaitEvent(ctx, On(adapter.MessageFromPeer))
		Observe("the bytes", event.Message.Raw()).Is([]byte{0, 1, 255, 128})
		Observe("the description", event.Message.Description()).Is("four bytes")
	})
	It("is acknowledged", Verifies("RTM-PEER-035"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		var last Answer
		for range 3 {
			last = bob.SendPeer(ctx, alice.UID, "hi").OK()
		}

		Observe("received", last.Value("received")).Is(true)
		alice.AwaitSent(ctx, probe.Kind("peer.ack").With("seq", 3))
	})
	It("is handed over in the order of arrival", Verifies("RTM-PEER-045"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		want := bob.sendMany(alice.UID, 50)

		heard := alice.UntilEvent(ctx, OnText(want[len(want)-1]))

		Observe("the texts in the order of the listener's calls", heardTexts(heard)).Is(want)
	})
	It("is refused for sending once received", Verifies("RTM-PEER-036"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		bob.SendPeer(ctx, alice.UID, "hi").OK()
		received := alice.AwaitEvent(ctx, On(adapter.MessageFromPeer)).Message

		_, outcome := alice.SendToPeer(ctx, bob.UID, received)
		outcome.Fails(7, peerInvalidMessage)

		alice.sendMarker(ctx, bob)
		Observe("the peer messages that the client put on the wire", Texts(alice.Sent("peer.send"))).Is([]string{"marker"})
	})
	It("is handed over once when it comes twice", Verifies("RTM-PEER-047"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		bob.SendPeer(ctx, alice.UID, "once").OK()
		frame := alice.AwaitReceived(ctx, probe.Kind("peer.message"))

		_ = alice.Tap.Inject(probe.ToClient, string(frame.Raw))
		bob.SendPeer(ctx, alice.UID, "marker").OK()

		Observe("the texts heard", heardTexts(alice.UntilEvent(ctx, OnText("marker")))).Is([]string{"once", "marker"})
	})
}

// sendMany sends numbered texts without waiting for their answers and returns them.
func (a *Actor) sendMany(to string, count int) []string {
	GinkgoHelper()
	texts := make([]string, count)
	for i := range texts {
		texts[i] = fmt.Sprintf("message %d", i)
		a.Start("peer.send", probe.F("to", to), probe.F("text", texts[i]))
	}
	return texts
}

// sendMarker sends a message that must arrive: the barrier behind which anything sent before would have been seen.
func (s *Subject) sendMarker(ctx context.Context, to *Actor) {
	GinkgoHelper()
	_, outcome := s.SendToPeer(ctx, to.UID, s.Text(ctx, "marker"))
	outcome.OK()
}

// heardTexts returns the texts of the messages among events, in order.
func heardTexts(heard []adapter.Event) []string {
	texts := []string{}
	for _, event := range heard {
		if event.Message != nil {
			texts = append(texts, event.Message.Text())
		}
	}
	return texts
}

// textsOf returns the texts of the messages of one kind among events, in order.
func textsOf(kind string, heard []adapter.Event) []string {
	return heardTexts(slices.DeleteFunc(slices.Clone(heard), func(event adapter.Event) bool { return event.Kind != kind }))
}

func registerClientPeerRefused(env *Env) {
	big := []any{
		Entry("a text", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Text(ctx, strings.Repeat("x", messageBytes+1))
		}),
		Entry("a text of fewer characters than bytes", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Text(ctx, strings.Repeat("é", messageBytes/2)+"x")
		}),
		Entry("raw bytes", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Raw(ctx, make([]byte, messageBytes+1), "")
		}),
		Entry("raw bytes with their description", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Raw(ctx, make([]byte, messageBytes), "x")
		}),
	}
	DescribeTable("fails above 32 KB", append([]any{Verifies("RTM-PEER-038"),
		func(ctx SpecContext, message func(context.Context, *Subject) adapter.Message) {
			alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
			_, outcome := alice.SendToPeer(ctx, bob.UID, message(ctx, alice))
			outcome.Fails(7, peerInvalidMessage)
		}}, big...)...,
	)
	DescribeTable("works at exactly 32 KB", Verifies("RTM-PEER-039"),
		func(ctx SpecContext, message func(context.Context, *Subject) adapter.Message) {
			alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
			received, outcome := alice.SendToPeer(ctx, bob.UID, message(ctx, alice))
			outcome.OK()
			Observe("hasPeerReceived", received).Is(true)
		},
		Entry("a text", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Text(ctx, strings.Repeat("x", messageBytes))
		}),
		Entry("raw bytes with their description", func(ctx context.Context, s *Subject) adapter.Message {
			return s.Raw(ctx, make([]byte, messageBytes-4), "four")
		}),
	)
	DescribeTable("fails for a bad peer id", Verifies("RTM-PEER-040"),
		func(ctx SpecContext, peer string) {
			alice := env.LoginClient(ctx, "alice")
			_, outcome := alice.SendToPeer(ctx, peer, alice.Text(ctx, "hi"))
			outcome.Fails(6, peerInvalidUserID)
		},
		Entry("empty", ""), Entry("null", "null"), Entry("65 bytes", strings.Repeat("x", 65)), Entry("a mark outside the alphabet", "a*b"), Entry("a CJK character", "中"),
	)
	It("fails with 102 for a bad peer id before login", Verifies("RTM-PEER-041"), func(ctx SpecContext) {
		alice := env.Client(ctx, "alice")

		_, outcome := alice.SendToPeer(ctx, "null", alice.Text(ctx, "hi"))

		outcome.Fails(102, peerNotLoggedIn)
	})
	It("fails when it is no message", Verifies("RTM-PEER-042"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")

		_, outcome := alice.SendToPeer(ctx, bob.UID, nil)
		if errors.Is(outcome.Err(), adapter.ErrUnsupported) {
			env.cannotJudge("in the client's language everything that can be sent is a message")
		}
		outcome.Fails(7, peerInvalidMessage)

		alice.sendMarker(ctx, bob)
		Observe("the peer messages that the client put on the wire", Texts(alice.Sent("peer.send"))).Is([]string{"marker"})
	})
}

func registerClientPeerOutage(env *Env) {
	It("is sent after the reconnect when the link was lost", Verifies("RTM-PEER-048"), func(ctx SpecContext) {
		alice, bob := env.LoginClient(ctx, "alice"), env.Login(ctx, "bob")
		alice.Tap.Refuse()
		alice.Tap.Cut()
		// Its first attempt to connect shows that the client has noticed.
		alice.awaitAttempts(ctx, 2)
		sending, received := alice.BeginSendToPeer(ctx, bob.UID, alice.Text(ctx, "from the outage"))
		alice.Tap.Admit()

		sending.Wait(ctx).OK()

		bob.Await(ctx, probe.Kind("peer.message").With("text", "from the outage"))
		Observe("hasPeerReceived", *received).Is(true)
	})
}
