package specs

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

const (
	peerInvalidMessage = "PEER_MESSAGE_ERR_INVALID_MESSAGE"
	peerInvalidUserID  = "PEER_MESSAGE_ERR_INVALID_USERID"
	peerNotLoggedIn    = "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN"
)

// RegisterPeer registers the specs of peer messages and their receipts on a server.
func RegisterPeer(env *Env) {
	Describe("peer receipt", func() { registerPeerReceipt(env) })
	Describe("peer message", func() { registerPeerMessage(env) })
	Describe("peer message size", func() { registerPeerSize(env) })
	Describe("peer message refused", func() { registerPeerRefusals(env) })
}

// peerMessage matches a peer message with this text.
func peerMessage(text string) probe.Matcher { return probe.Kind("peer.message").With("text", text) }

func registerPeerReceipt(env *Env) {
	It("is true when the peer acknowledges", Verifies("RTM-PEER-001"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

		receipt := alice.SendPeer(ctx, bob.UID, "hi").OK()

		Observe("received", receipt.Value("received")).Is(true)
	})

	It("is false when the peer is offline", Verifies("RTM-PEER-002"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")

		receipt := alice.SendPeer(ctx, env.UID("nobody"), "hi").OK()

		Observe("received", receipt.Value("received")).Is(false)
	})

	It("waits for the acknowledgement", Verifies("RTM-PEER-003"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob", WithoutAck())

		alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi"))
		bob.Await(ctx, peerMessage("hi"))
		alice.Ping(ctx).OK()

		Observe("the receipts before the acknowledgement", Of("peer.send.ok", alice.Conn.Inbox())).IsEmpty()
	})

	It("is a timeout when a connected peer does not acknowledge", Verifies("RTM-PEER-004"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob", WithoutAck())

		sent := alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi"))

		alice.AnswerWithin(ctx, env.Within("ack_timeout_ms"), sent).Refused(2, "PEER_MESSAGE_ERR_TIMEOUT")
	})

	It("is true for every message up to the one acknowledged", Verifies("RTM-PEER-005"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob", WithoutAck())
		var sent []Asked
		for _, text := range []string{"one", "two", "three"} {
			sent = append(sent, alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", text)))
		}
		last, _ := bob.Await(ctx, peerMessage("three")).Int("seq")

		bob.Ack(last)

		for _, each := range sent {
			Observe("received", alice.Answer(ctx, each).OK().Value("received")).Is(true)
		}
	})

	It("is not held up by a peer that does not acknowledge", Verifies("RTM-PEER-022"), func(ctx SpecContext) {
		alice, mute, bob := env.Login(ctx, "alice"), env.Login(ctx, "mute", WithoutAck()), env.Login(ctx, "bob")
		alice.Start("peer.send", probe.F("to", mute.UID), probe.F("text", "hi"))
		mute.Await(ctx, peerMessage("hi"))

		receipt := alice.SendPeer(ctx, bob.UID, "hi").OK()

		Observe("received", receipt.Value("received")).Is(true)
	})

	It("is not made by acknowledging what was never sent", Verifies("RTM-PEER-023"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob", WithoutAck())
		alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi"))
		seq, _ := bob.Await(ctx, peerMessage("hi")).Int("seq")

		bob.Ack(seq + 1)

		Observe("the close code of bob's connection", bob.AwaitClose(ctx)).Is(4204)
		alice.Ping(ctx).OK()
		for _, receipt := range Of("peer.send.ok", alice.Conn.Inbox()) {
			Observe("received", receipt.Value("received")).Is(false)
		}
	})

	It("is false when the peer logs out before it acknowledges", Verifies("RTM-PEER-026"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob", WithoutAck())
		sent := alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi"))
		bob.Await(ctx, peerMessage("hi"))

		bob.Logout(ctx).OK()

		Observe("received", alice.Answer(ctx, sent).OK().Value("received")).Is(false)
	})

	It("is false at once when the peer's link is lost", Verifies("RTM-PEER-025"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		bob.lost(ctx, alice)

		receipt := alice.SendPeer(ctx, bob.UID, "hi").OK()

		Observe("received", receipt.Value("received")).Is(false)
	})
}

func registerPeerMessage(env *Env) {
	It("names the user of the session as the sender", Verifies("RTM-PEER-006"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

		alice.Request(ctx, "peer.send", probe.F("to", bob.UID), probe.F("text", "hi"), probe.F("from", env.UID("mallory"))).OK()

		Observe("the sender that bob sees", bob.Await(ctx, peerMessage("hi")).Value("from")).Is(alice.UID)
	})

	It("carries the server's time of receipt", Verifies("RTM-PEER-007"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		before := env.serverTime(ctx)

		alice.SendPeer(ctx, bob.UID, "hi").OK()

		Observe("ts", bob.Await(ctx, peerMessage("hi")).Value("ts")).liesBetween(before, env.serverTime(ctx))
	})

	DescribeTable("arrives with its text unchanged", Verifies("RTM-PEER-008"),
		func(ctx SpecContext, text string) {
			alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

			alice.SendPeer(ctx, bob.UID, text).OK()

			Observe("the text that bob gets", bob.Await(ctx, probe.Kind("peer.message")).Value("text")).Is(text)
		},
		textEntries(),
	)

	It("arrives with its bytes and its description", Verifies("RTM-PEER-009"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		raw := base64.StdEncoding.EncodeToString(allBytes())

		alice.Request(ctx, "peer.send", probe.F("to", bob.UID), probe.F("raw", raw), probe.F("description", "päckchen")).OK()

		message := bob.Await(ctx, probe.Kind("peer.message"))
		Observe("the bytes that bob gets", message.Value("raw")).Is(raw)
		Observe("the description that bob gets", message.Value("description")).Is("päckchen")
	})

	It("reaches nobody but its peer", Verifies("RTM-PEER-010"), func(ctx SpecContext) {
		alice, bob, carol := env.Login(ctx, "alice"), env.Login(ctx, "bob"), env.Login(ctx, "carol")
		alice.SendPeer(ctx, bob.UID, "for bob").OK()

		alice.SendPeer(ctx, carol.UID, "for carol").OK()

		Observe("what carol gets", Texts(carol.Until(ctx, peerMessage("for carol")))).Is([]string{"for carol"})
	})

	It("is not kept for a peer that is offline", Verifies("RTM-PEER-019"), func(ctx SpecContext) {
		alice := env.Login(ctx, "alice")
		alice.SendPeer(ctx, env.UID("bob"), "too early").OK()
		bob := env.Login(ctx, "bob")

		alice.SendPeer(ctx, bob.UID, "in time").OK()

		Observe("what bob gets", Texts(bob.Until(ctx, peerMessage("in time")))).Is([]string{"in time"})
	})

	It("arrives in the order of sending", Verifies("RTM-PEER-020"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		texts := numbered(50)

		for _, text := range texts {
			alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", text))
		}

		Observe("what bob gets", Texts(bob.Until(ctx, peerMessage(texts[len(texts)-1])))).Is(texts)
	})

	It("is numbered from 1 without gaps", Verifies("RTM-PEER-021"), func(ctx SpecContext) {
		alice, bob, carol := env.Login(ctx, "alice"), env.Login(ctx, "bob"), env.Login(ctx, "carol")
		var seqs []any
		for _, sender := range []*Actor{alice, carol, alice} {
			sender.SendPeer(ctx, bob.UID, "hi").OK()

			seqs = append(seqs, bob.Await(ctx, peerMessage("hi")).Value("seq"))
		}

		Observe("the seqs of bob's messages", seqs).Is([]any{int64(1), int64(2), int64(3)})
	})
}

func registerPeerSize(env *Env) {
	It("may be as large as announced", Verifies("RTM-PEER-011"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
		text := strings.Repeat("x", env.Limits.Number("message_bytes"))

		alice.SendPeer(ctx, bob.UID, text).OK()

		Observe("the text that bob gets", bob.Await(ctx, probe.Kind("peer.message")).Value("text")).Is(text)
	})

	It("may not be one byte larger", Verifies("RTM-PEER-012"), func(ctx SpecContext) {
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

		alice.SendPeer(ctx, bob.UID, strings.Repeat("x", env.Limits.Number("message_bytes")+1)).Refused(7, peerInvalidMessage)
	})

	DescribeTable("counts bytes of UTF-8", Verifies("RTM-PEER-013"),
		func(ctx SpecContext, character string, extra int, accepted bool) {
			alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
			text := filledText(env.Limits.Number("message_bytes")+extra, character)

			answer := alice.SendPeer(ctx, bob.UID, text)

			if accepted {
				answer.OK()
			} else {
				answer.Refused(7, peerInvalidMessage)
			}
		},
		Entry("of 2-byte characters, at the limit", "é", 0, true), Entry("of 2-byte characters, one over", "é", 1, false),
		Entry("of 3-byte characters, at the limit", "中", 0, true), Entry("of 3-byte characters, one over", "中", 1, false),
		Entry("of 4-byte characters, at the limit", "😀", 0, true), Entry("of 4-byte characters, one over", "😀", 1, false),
		Entry("of characters that JSON escapes, at the limit", "\"", 0, true), Entry("of characters that JSON escapes, one over", "\"", 1, false),
		Entry("of characters that JSON writes as six, at the limit", "\x01", 0, true),
	)

	DescribeTable("counts bytes and description together", Verifies("RTM-PEER-014"),
		func(ctx SpecContext, description, extra int, accepted bool) {
			alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")
			raw := make([]byte, env.Limits.Number("message_bytes")-description+extra)

			answer := alice.Request(ctx, "peer.send", probe.F("to", bob.UID),
				probe.F("raw", base64.StdEncoding.EncodeToString(raw)), probe.F("description", strings.Repeat("d", description)))

			if accepted {
				answer.OK()
			} else {
				answer.Refused(7, peerInvalidMessage)
			}
		},
		Entry("bytes alone at the limit", 0, 0, true), Entry("bytes alone one over", 0, 1, false),
		Entry("together at the limit", 1000, 0, true), Entry("together one over", 1000, 1, false),
	)
}

func registerPeerRefusals(env *Env) {
	DescribeTable("when it is no message", Verifies("RTM-PEER-015"),
		func(ctx SpecContext, payload []probe.Field) {
			alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

			alice.Request(ctx, "peer.send", append([]probe.Field{probe.F("to", bob.UID)}, payload...)...).Refused(7, peerInvalidMessage)
		},
		Entry("neither text nor bytes", noMessage), Entry("both text and bytes", bothMessages),
	)

	DescribeTable("when its bytes are not Base64", Verifies("RTM-PEER-018"),
		func(ctx SpecContext, raw string) {
			alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

			alice.Request(ctx, "peer.send", probe.F("to", bob.UID), probe.F("raw", raw)).Refused(7, peerInvalidMessage)
		},
		badBase64Entries(),
	)

	DescribeTable("when the peer id breaks the rules", Verifies("RTM-PEER-016"),
		func(ctx SpecContext, id func(unique string) string) {
			env.Login(ctx, "alice").SendPeer(ctx, id(env.UID("bob")), "hi").Refused(6, peerInvalidUserID)
		},
		badIDEntries(),
	)

	DescribeTable("without a session", Verifies("RTM-PEER-017"),
		func(ctx SpecContext, to string, payload []probe.Field) {
			alice := env.Connect(ctx, "alice")

			alice.Request(ctx, "peer.send", append([]probe.Field{probe.F("to", to)}, payload...)...).Refused(102, peerNotLoggedIn)
		},
		Entry("to a good peer", "bob", []probe.Field{probe.F("text", "hi")}),
		Entry("to a bad peer id", "null", []probe.Field{probe.F("text", "hi")}),
		Entry("with nothing to send", "bob", noMessage),
	)

	It("above the announced rate", Verifies("RTM-PEER-024"), func(ctx SpecContext) {
		limit := env.announcedCall("send")
		alice, bob := env.Login(ctx, "alice"), env.Login(ctx, "bob")

		answers := alice.burst(ctx, limit.Count+1, func(int) Asked {
			return alice.Start("peer.send", probe.F("to", bob.UID), probe.F("text", "hi"))
		})

		answers[limit.Count].Refused(5, "PEER_MESSAGE_ERR_TOO_OFTEN")
	})
}

// serverTime asks the server for its time by logging in a user, so that times are compared on one clock.
func (e *Env) serverTime(ctx context.Context) int64 {
	GinkgoHelper()
	clock := e.Connect(ctx, "clock")
	clock.UID = e.UID(fmt.Sprintf("clock%d", e.counter.Add(1)))
	ts, _ := clock.Login(ctx).OK().Int("server_ts")
	return ts
}

// liesBetween asks for a time in milliseconds from first to last, both included.
func (o Observation) liesBetween(first, last int64) {
	ts, whole := o.got.(int64)
	o.IsAbout(fmt.Sprintf("lies between %d and %d, the server's times before and after", first, last), whole && first <= ts && ts <= last)
}

// textEntries are texts that a careless codec changes.
func textEntries() []TableEntry {
	texts := map[string]string{
		"plain": "hi", "quotes and backslashes": `"\" \\ /`, "control characters": "\x00\x01\a\b\t\n\f\r\x1f\x7f",
		"markup": "<b>&amp;</b>", "accents": "déjà vu, e\u0301", "CJK": "你好，世界", "right to left": "שלום عليكم",
		"emoji with joiners": "👩\u200d👩\u200d👧 🇩🇪", "line separators of JavaScript": "a\u2028b\u2029c",
		"noncharacters and the last code point": "\uffff\ufdd0\U0010ffff", "spaces at the ends": "  a  ", "JSON": `{"kind":"logout"}`,
	}
	var entries []TableEntry
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		entries = append(entries, Entry(name, texts[name]))
	}
	return entries
}

// allBytes are the 256 bytes.
func allBytes() []byte {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return all
}

// filledText is a text of exactly size bytes that is made of the character, with letters to fill up.
func filledText(size int, character string) string {
	return strings.Repeat(character, size/len(character)) + strings.Repeat("x", size%len(character))
}

// numbered are texts that tell their place.
func numbered(count int) []string {
	texts := make([]string, count)
	for i := range texts {
		texts[i] = fmt.Sprintf("message %d of %d", i+1, count)
	}
	return texts
}

// Payloads that are no message.
var (
	noMessage    = []probe.Field{}
	bothMessages = []probe.Field{probe.F("text", "hi"), probe.F("raw", "aGk=")}
)

func badBase64Entries() []TableEntry {
	return []TableEntry{
		Entry("other characters", "%%%%"), Entry("without padding", "aGk"), Entry("the alphabet for URLs", "_-_-"),
		Entry("with a line break", "aGlo\naGlo"), Entry("cut short", "aGloa"),
	}
}

// badIDEntries are ids that break a rule which no source doubts, as functions of an id that is unique.
func badIDEntries() []TableEntry {
	with := func(part string) func(string) string {
		return func(unique string) string { return "a" + part + unique }
	}
	entries := []TableEntry{
		Entry("empty", func(string) string { return "" }), Entry("null", func(string) string { return "null" }), Entry("65 bytes", id65),
	}
	for _, mark := range badMarks {
		entries = append(entries, Entry("with the mark "+mark, with(mark)))
	}
	for _, characters := range []map[string]string{badForeign, badControls} {
		for _, name := range slices.Sorted(maps.Keys(characters)) {
			entries = append(entries, Entry("with "+name, with(characters[name])))
		}
	}
	return entries
}
