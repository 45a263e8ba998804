package faults

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// peerClientFaults are broken clients: peer messages that are sent.
var peerClientFaults = []Fault{
	{
		Name: "peer.client-receipt-never", Text: "hasPeerReceived is always false.", Subject: Client,
		Breaks: []string{"RTM-PEER-031"},
		Lines:  answering("sendPeer", well, ok(map[string]any{"hasPeerReceived": false})),
	},
	{
		Name: "peer.client-receipt-always", Text: "hasPeerReceived is always true.", Subject: Client,
		Breaks: []string{"RTM-PEER-032"},
		Lines:  answering("sendPeer", well, ok(map[string]any{"hasPeerReceived": true})),
	},
	{
		Name: "peer.client-offline-fails", Text: "Sending to an offline peer fails.", Subject: Client,
		Breaks: []string{"RTM-PEER-032"},
		Lines: answering("sendPeer", func(_ *talk, _, reply line) bool {
			return reply.succeeded() && reply.inside("ok")["hasPeerReceived"] == false
		},
			failed("peer.send", 1, "PEER_MESSAGE_ERR_FAILURE")),
	},
	{
		Name: "peer.client-received-sent-on", Text: "A received message is sent like any other.", Subject: Client,
		Breaks: []string{"RTM-PEER-036"},
		Lines:  copying("sendPeer", isReceived, contentsOf),
	},
	{
		Name: "peer.client-received-sent-and-refused", Text: "A received message is put on the wire before it is refused.", Subject: Client,
		Breaks: []string{"RTM-PEER-036"},
		Lines:  copyingAndRefusing("sendPeer", failed("peer.send", 7, "PEER_MESSAGE_ERR_INVALID_MESSAGE")),
	},
	{
		Name: "peer.client-sent-once", Text: "A message of one's own is refused when it is sent again.", Subject: Client,
		Breaks: []string{"RTM-PEER-037"},
		Lines: answering("sendPeer", func(t *talk, asked, _ line) bool { return t.count(asked.text("client")+" "+asked.text("message")) > 1 },
			failed("peer.send", 7, "PEER_MESSAGE_ERR_INVALID_MESSAGE")),
	},
	{
		Name: "peer.client-big-cut", Text: "A message that is too big is cut and sent.", Subject: Client,
		Breaks: []string{"RTM-PEER-038"},
		Lines:  copying("sendPeer", func(t *talk, c line) bool { return payloadOf(t, c) > apiMessageBytes }, cutContents),
	},
	{
		Name: "peer.client-characters-counted", Text: "The size of a text is counted in characters.", Subject: Client,
		Breaks: []string{"RTM-PEER-038"},
		Lines: copying("sendPeer", func(t *talk, c line) bool {
			text := t.message(c).text("text")
			return len(text) > apiMessageBytes && utf8.RuneCountInString(text) <= apiMessageBytes
		}, cutContents),
	},
	{
		Name: "peer.client-description-not-counted", Text: "The description does not count for the size of a raw message.", Subject: Client,
		Breaks: []string{"RTM-PEER-038"},
		Lines: copying("sendPeer", func(t *talk, c line) bool {
			return payloadOf(t, c) > apiMessageBytes && payloadOf(t, c)-len(t.message(c).text("description")) <= apiMessageBytes
		}, cutContents),
	},
	{
		Name: "peer.client-exactly-the-limit-refused", Text: "A message of exactly 32 KB is refused.", Subject: Client,
		Breaks: []string{"RTM-PEER-039"},
		Lines: answering("sendPeer", func(t *talk, asked, _ line) bool { return payloadOf(t, asked) == apiMessageBytes },
			failed("peer.send", 7, "PEER_MESSAGE_ERR_INVALID_MESSAGE")),
	},
	{
		Name: "peer.client-bad-peer-offline", Text: "A bad peer id is taken for a user who is offline.", Subject: Client,
		Breaks: []string{"RTM-PEER-040"},
		Lines:  answering("sendPeer", withCode(6), ok(map[string]any{"hasPeerReceived": false})),
	},
	{
		Name: "peer.client-bad-peer-failure", Text: "A bad peer id fails with PEER_MESSAGE_ERR_FAILURE.", Subject: Client,
		Breaks: []string{"RTM-PEER-040"},
		Lines:  answering("sendPeer", withCode(6), failed("peer.send", 1, "PEER_MESSAGE_ERR_FAILURE")),
	},
	{
		Name: "peer.client-peer-before-session", Text: "A bad peer id is refused before the client looks at its session.", Subject: Client,
		Breaks: []string{"RTM-PEER-041"},
		Lines: answering("sendPeer", func(_ *talk, asked, reply line) bool { return reply.code() == 102 && !goodUID(asked.text("to")) },
			failed("peer.send", 6, "PEER_MESSAGE_ERR_INVALID_USERID")),
	},
	{
		Name: "peer.client-anything-sent", Text: "Something that is not a message is sent as its text.", Subject: Client,
		Breaks: []string{"RTM-PEER-042"},
		Lines:  copying("sendPeer", isNothing, func(*talk, line) line { return line{"text": "null"} }),
	},
	{
		Name: "peer.client-anything-fails-otherwise", Text: "Something that is not a message fails with PEER_MESSAGE_ERR_FAILURE.", Subject: Client,
		Breaks: []string{"RTM-PEER-042"},
		Lines: answering("sendPeer", func(t *talk, asked, reply line) bool { return isNothing(t, asked) && reply.code() == 7 },
			failed("peer.send", 1, "PEER_MESSAGE_ERR_FAILURE")),
	},
	{
		Name: "peer.client-timeout-as-failure", Text: "A send without an answer fails with PEER_MESSAGE_ERR_FAILURE.", Subject: Client,
		Breaks: []string{"RTM-PEER-043"},
		Lines:  answering("sendPeer", withCode(2), failed("peer.send", 1, "PEER_MESSAGE_ERR_FAILURE")),
	},
	{
		Name: "peer.client-timeout-as-receipt", Text: "A send without an answer resolves with hasPeerReceived false.", Subject: Client,
		Breaks: []string{"RTM-PEER-043"},
		Lines:  answering("sendPeer", withCode(2), ok(map[string]any{"hasPeerReceived": false})),
	},
	{
		Name: "peer.client-refusal-without-code", Text: "A send that the server refuses fails with PEER_MESSAGE_ERR_FAILURE, whatever the server says.", Subject: Client,
		Breaks: []string{"RTM-PEER-044"},
		Lines:  answering("sendPeer", withCode(5), failed("peer.send", 1, "PEER_MESSAGE_ERR_FAILURE")),
	},
	{
		Name: "peer.client-no-emoji", Text: "Characters beyond the basic plane are replaced.", Subject: Client,
		Breaks: []string{"RTM-PEER-046"},
		Lines: onCommand("createMessage", func(_ *talk, c line) []line {
			if c["text"] == nil {
				return only(c)
			}
			return only(c.with("text", strings.Map(func(r rune) rune {
				if r > 0xffff {
					return utf8.RuneError
				}
				return r
			}, c.text("text"))))
		}),
	},
	{
		Name: "peer.client-outage-loses-messages", Text: "A message that is sent while the link is lost fails.", Subject: Client,
		Breaks: []string{"RTM-PEER-048"},
		Plant: stateless(func(l *Link) {
			back := false
			l.OnClient = func(f *Frame) bool {
				back = back || f.Is("login") && f.Has("resume")
				if !back || !f.Is("peer.send") {
					return true
				}
				l.Activate()
				l.ToClient(`{"kind":"error","id":%d,"op":"peer.send","code":1,"name":"PEER_MESSAGE_ERR_FAILURE","message":"the link was lost"}`, f.ID)
				return false
			}
		}),
	},
}

// peerClientReceiveFaults are broken clients: peer messages that arrive.
var peerClientReceiveFaults = []Fault{
	{
		Name: "peer.client-text-trimmed", Text: "The text of a received message lacks its last character.", Subject: Client,
		Breaks: []string{"RTM-PEER-033"},
		Lines:  changing("MessageFromPeer", "text", withoutLast),
	},
	{
		Name: "peer.client-sender-is-oneself", Text: "The sender of a received message is its receiver.", Subject: Client,
		Breaks: []string{"RTM-PEER-033"},
		Lines: onEvent("MessageFromPeer", func(t *talk, e line) []line {
			return only(e.with("from", t.users[e.text("client")]))
		}),
	},
	{
		Name: "peer.client-time-in-seconds", Text: "The time of a received message is in seconds.", Subject: Client,
		Breaks: []string{"RTM-PEER-033"},
		Lines:  inSeconds("MessageFromPeer"),
	},
	{
		Name: "peer.client-raw-without-description", Text: "A received raw message has no description.", Subject: Client,
		Breaks: []string{"RTM-PEER-034"},
		Lines:  changing("MessageFromPeer", "description", to("")),
	},
	{
		Name: "peer.client-raw-up-to-zero", Text: "The bytes of a received raw message end at the first zero.", Subject: Client,
		Breaks: []string{"RTM-PEER-034"},
		Lines:  changing("MessageFromPeer", "raw", to("")),
	},
	{
		Name: "peer.client-never-acknowledges", Text: "Peer messages are not acknowledged.", Subject: Client,
		Breaks: []string{"RTM-PEER-035"},
		Plant:  fromClient(kind("peer.ack"), swallow),
	},
	{
		Name: "peer.client-acknowledges-the-first", Text: "Every acknowledgement is of the first message.", Subject: Client,
		Breaks: []string{"RTM-PEER-035"},
		Plant:  fromClient(kind("peer.ack").and(func(f *Frame) bool { return f.Int("seq") > 1 }), set("seq", 1)),
	},
	{
		Name: "peer.client-order-of-chance", Text: "Two peer messages are handed over in the wrong order.", Subject: Client,
		Breaks: []string{"RTM-PEER-045"},
		Lines:  swapping("MessageFromPeer"),
	},
	{
		Name: "peer.client-repeated-twice", Text: "A peer message that comes twice on the wire is handed over twice.", Subject: Client,
		Breaks: []string{"RTM-PEER-047"},
		Plant: func(*Proxy) func(*Link) {
			own := make(insertions)
			return func(l *Link) {
				own.plant(l)
				seen, inStep := int64(0), l.OnServer
				l.OnServer = func(f *Frame) bool {
					if seq := f.Int("seq"); f.Is("peer.message") && seq <= seen {
						l.Activate()
						own.insert(l, f.Text("from"), f.Text("text"))
						return false
					} else if f.Is("peer.message") {
						seen = seq
					}
					return inStep(f)
				}
			}
		},
	},
}

// apiMessageBytes is the API's limit of a message, 32 KB.
const apiMessageBytes = 32 << 10

// payloadOf returns the size of a message that is to be sent.
func payloadOf(t *talk, send line) int {
	message := t.message(send)
	raw, _ := base64.StdEncoding.DecodeString(message.text("raw"))
	return len(message.text("text")) + len(raw) + len(message.text("description"))
}

// cutContents returns short contents of the same kind as those of a message.
func cutContents(t *talk, send line) line {
	if t.message(send)["raw"] != nil {
		return line{"raw": "AAH/gA==", "description": ""}
	}
	return line{"text": "x"}
}

// isReceived is the condition of a send that its message was received.
func isReceived(t *talk, send line) bool { return t.message(send)["event"] != nil }

// isNothing is the condition of a send that what it sends is no message.
func isNothing(_ *talk, send line) bool { return send["message"] == nil }

// withoutLast is the change into a text without its last character.
func withoutLast(value any) any {
	text, _ := value.(string)
	_, size := utf8.DecodeLastRuneInString(text)
	return text[:len(text)-size]
}

// inSeconds plants times of received messages that are a thousand times too small.
func inSeconds(event string) func(*Counter) Lines {
	return onEvent(event, func(_ *talk, e line) []line {
		return only(e.with("server_received_ms", e.number("server_received_ms")/1000))
	})
}
