package faults

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// peerMessageFaults are broken servers: the content of peer messages, its size, and what is refused.
var peerMessageFaults = slices.Concat([]Fault{
	{
		Name: "peer.sender-as-claimed", Text: "The receiver is told the sender that the request claims.", Subject: Server,
		Breaks: []string{"RTM-PEER-006"},
		Plant: func(*Proxy) func(*Link) {
			claims := make(map[string]string)
			return func(l *Link) {
				l.OnClient = func(f *Frame) bool {
					if f.Is("peer.send") && f.Has("from") {
						claims[l.UID] = f.Text("from")
					}
					return true
				}
				l.OnServer = func(f *Frame) bool {
					if claim := claims[f.Text("from")]; f.Is("peer.message") && claim != "" {
						l.Activate()
						f.Set("from", claim)
					}
					return true
				}
			}
		},
	},
	{
		Name: "peer.time-in-seconds", Text: "The ts of a peer message is in seconds.", Subject: Server,
		Breaks: []string{"RTM-PEER-007"},
		Plant:  fromServer(kind("peer.message"), scale("ts", 1, 1000)),
	},
	{
		Name: "peer.time-of-another-zone", Text: "The ts of a peer message is an hour late, as in another time zone.", Subject: Server,
		Breaks: []string{"RTM-PEER-007"},
		Plant: fromServer(kind("peer.message"), func(_ *Link, f *Frame) bool {
			f.Set("ts", f.Int("ts")+time.Hour.Milliseconds())
			return true
		}),
	},
	changedText("peer.text-trimmed", "Spaces at the ends of a text are cut off.",
		func(text string) string { return strings.Trim(text, " ") }),
	changedText("peer.text-without-controls", "Control characters are taken out of a text.",
		func(text string) string { return without(text, unicode.IsControl) }),
	changedText("peer.text-ends-at-nul", "A text ends at its first NUL.", func(text string) string {
		head, _, _ := strings.Cut(text, "\x00")
		return head
	}),
	changedText("peer.text-unescaped", "The entities of HTML in a text are resolved.",
		func(text string) string { return strings.ReplaceAll(text, "&amp;", "&") }),
	changedText("peer.text-escaped", "The markup of HTML in a text is escaped.",
		func(text string) string { return strings.ReplaceAll(text, "<", "&lt;") }),
	changedText("peer.text-composed", "A letter with a combining mark in a text is made one character.",
		func(text string) string { return strings.ReplaceAll(text, "e\u0301", "é") }),
	changedText("peer.text-without-joiners", "Zero-width joiners are taken out of a text.",
		func(text string) string { return without(text, func(r rune) bool { return r == '\u200d' }) }),
	changedText("peer.text-of-three-bytes", "Characters of more than three bytes in a text are replaced.", func(text string) string {
		return strings.Map(func(r rune) rune {
			if utf8.RuneLen(r) > 3 {
				return utf8.RuneError
			}
			return r
		}, text)
	}),
	changedText("peer.text-with-line-breaks", "Line separators of Unicode in a text become line breaks.",
		func(text string) string { return strings.NewReplacer("\u2028", "\n", "\u2029", "\n").Replace(text) }),
	changedText("peer.text-without-noncharacters", "Noncharacters are taken out of a text.",
		func(text string) string {
			return without(text, func(r rune) bool { return r&0xfffe == 0xfffe || r >= 0xfdd0 && r <= 0xfdef })
		}),
	{
		Name: "peer.no-description", Text: "The description of a raw message gets lost.", Subject: Server,
		Breaks: []string{"RTM-PEER-009"},
		Plant:  fromServer(kind("peer.message").and(func(f *Frame) bool { return f.Has("raw") && f.Has("description") }), remove("description")),
	},
	changedRaw("peer.raw-for-urls", "Raw bytes are delivered in the alphabet for URLs.",
		func(raw []byte) string { return base64.URLEncoding.EncodeToString(raw) }),
	changedRaw("peer.raw-without-padding", "Raw bytes are delivered without padding.",
		func(raw []byte) string { return base64.RawStdEncoding.EncodeToString(raw) }),
	changedRaw("peer.raw-as-text", "Raw bytes are taken for UTF-8, and what is not is replaced.",
		func(raw []byte) string {
			return base64.StdEncoding.EncodeToString([]byte(strings.ToValidUTF8(string(raw), "\ufffd")))
		}),

	sized("peer.size-ends-below", "A text of exactly the announced size is refused.", []string{"RTM-PEER-011"},
		func(f *Frame, limit int) bool {
			return len(f.Text("text")) == limit && utf8.RuneCountInString(f.Text("text")) == limit
		}, overlong),
	sized("peer.size-one-over", "A text of one byte more than announced is cut and sent.", []string{"RTM-PEER-012", "RTM-PEER-013"},
		func(f *Frame, limit int) bool { return len(f.Text("text")) == limit+1 }, fitting),
	sized("peer.size-in-characters", "The size of a text is counted in characters.", []string{"RTM-PEER-013"},
		func(f *Frame, limit int) bool {
			return len(f.Text("text")) > limit && utf8.RuneCountInString(f.Text("text")) <= limit
		}, fitting),
	sized("peer.size-as-written", "The size of a text is counted as it is written in JSON.", []string{"RTM-PEER-013"},
		func(f *Frame, limit int) bool {
			return len(f.Text("text")) <= limit && len(f.members["text"])-2 > limit
		}, overlong),
	sized("peer.size-without-description", "The description does not count for the size of a raw message.", []string{"RTM-PEER-014"},
		func(f *Frame, limit int) bool {
			raw := len(rawOf(f))
			return raw <= limit && raw+len(f.Text("description")) > limit
		}, func(f *Frame, _ int) { f.Delete("description") }),
	sized("peer.size-of-raw-one-over", "Raw bytes of one more than announced are cut and sent.", []string{"RTM-PEER-014"},
		func(f *Frame, limit int) bool { return len(rawOf(f)) == limit+1 }, func(f *Frame, limit int) {
			f.Set("raw", rawOf(f)[:limit])
		}),
	sized("peer.size-of-base64", "The size of raw bytes is counted in characters of Base64.", []string{"RTM-PEER-014"},
		func(f *Frame, limit int) bool { return len(rawOf(f)) <= limit && len(f.Text("raw")) > limit }, overlong),

	{
		Name: "peer.text-before-raw", Text: "Of a message with both text and raw bytes the text is sent.", Subject: Server,
		Breaks: []string{"RTM-PEER-015"},
		Plant:  fromClient(kind("peer.send").and(func(f *Frame) bool { return f.Has("text") && f.Has("raw") }), remove("raw")),
	},
	{
		Name: "peer.nothing-is-a-message", Text: "A message without content is sent as a text.", Subject: Server,
		Breaks: []string{"RTM-PEER-015"},
		Plant:  fromClient(kind("peer.send").and(func(f *Frame) bool { return !f.Has("text") && !f.Has("raw") }), set("text", "(nothing)")),
	},
	lenientRaw("peer.raw-with-any-character", "Characters that are not of Base64 are skipped in raw bytes.",
		func(raw string) bool { return strings.Contains(raw, "%") }),
	lenientRaw("peer.raw-needs-no-padding", "Raw bytes without padding are accepted.",
		func(raw string) bool { _, err := base64.RawStdEncoding.DecodeString(raw); return err == nil }),
	lenientRaw("peer.raw-takes-both-alphabets", "Raw bytes in the alphabet for URLs are accepted.",
		func(raw string) bool { _, err := base64.URLEncoding.DecodeString(raw); return err == nil }),
	lenientRaw("peer.raw-over-lines", "Line breaks in raw bytes are skipped.",
		func(raw string) bool { return strings.ContainsAny(raw, "\r\n") }),
	lenientRaw("peer.raw-cut-short", "What is left over at the end of raw bytes is dropped.",
		func(raw string) bool { return len(raw)%4 == 1 && !strings.ContainsAny(raw, "%\r\n") }),

	acceptedID("peer.send", "to", "peer.to-nobody", "A message to an empty peer id is sent to nobody.", "RTM-PEER-016", empty, renamed),
	acceptedID("peer.send", "to", "peer.to-null", "A message to the peer id null is sent to nobody.", "RTM-PEER-016", null, renamed),
	acceptedID("peer.send", "to", "peer.to-65-bytes", "A peer id of 65 bytes is cut to 64.", "RTM-PEER-016", tooLong, first64),
	{
		Name: "peer.bad-id-is-a-bad-message", Text: "A bad peer id is refused as an invalid message.", Subject: Server,
		Breaks: []string{"RTM-PEER-016"},
		Plant:  fromServer(refusal("peer.send", 6), failWith(7, "PEER_MESSAGE_ERR_INVALID_MESSAGE")),
	},
	{
		Name: "peer.sent-before-login", Text: "A message without a session is answered like one to a user who is offline.", Subject: Server,
		Breaks: []string{"RTM-PEER-017"},
		Plant: answered(refusal("peer.send", 102), func(_ *Link, sent *Frame) bool { return sent.Has("text") },
			instead("peer.send.ok", map[string]any{"received": false})),
	},
	{
		Name: "peer.id-before-session", Text: "Without a session a bad peer id is refused before the session is looked for.", Subject: Server,
		Breaks: []string{"RTM-PEER-017"},
		Plant: answered(refusal("peer.send", 102), func(_ *Link, sent *Frame) bool { return null(sent.Text("to")) },
			failWith(6, "PEER_MESSAGE_ERR_INVALID_USERID")),
	},
	{
		Name: "peer.message-before-session", Text: "Without a session a bad message is refused before the session is looked for.", Subject: Server,
		Breaks: []string{"RTM-PEER-017"},
		Plant: answered(refusal("peer.send", 102), func(_ *Link, sent *Frame) bool { return !sent.Has("text") && !sent.Has("raw") },
			failWith(7, "PEER_MESSAGE_ERR_INVALID_MESSAGE")),
	},
}, strayCharacters("peer.send", "to", "peer.to", "RTM-PEER-016", marks[:2]), strayCharacters("peer.send", "to", "peer.to", "RTM-PEER-016", foreign[:1]),
	strayCharacters("peer.send", "to", "peer.to", "RTM-PEER-016", controls[:1]))

// without takes characters out of a text.
func without(text string, drop func(r rune) bool) string {
	return strings.Map(func(r rune) rune {
		if drop(r) {
			return -1
		}
		return r
	}, text)
}

// changedText is a fault that changes some texts on their way to their receiver.
func changedText(name, text string, change func(string) string) Fault {
	return Fault{
		Name: name, Text: text, Subject: Server, Breaks: []string{"RTM-PEER-008"},
		Plant: fromServer(kind("peer.message").and(func(f *Frame) bool { return f.Has("text") && change(f.Text("text")) != f.Text("text") }),
			func(_ *Link, f *Frame) bool {
				f.Set("text", change(f.Text("text")))
				return true
			}),
	}
}

// changedRaw is a fault that delivers raw bytes in another way.
func changedRaw(name, text string, encode func(raw []byte) string) Fault {
	return Fault{
		Name: name, Text: text, Subject: Server, Breaks: []string{"RTM-PEER-009"},
		Plant: fromServer(kind("peer.message").and(func(f *Frame) bool { return f.Has("raw") && encode(rawOf(f)) != f.Text("raw") }),
			func(_ *Link, f *Frame) bool {
				f.Set("raw", encode(rawOf(f)))
				return true
			}),
	}
}

// lenientRaw is a fault that accepts some raw bytes that are not Base64, as bytes that are.
func lenientRaw(name, text string, some func(raw string) bool) Fault {
	return Fault{
		Name: name, Text: text, Subject: Server, Breaks: []string{"RTM-PEER-018"},
		Plant: fromClient(kind("peer.send").and(func(f *Frame) bool { return !f.Has("text") && f.Has("raw") && rawOf(f) == nil && some(f.Text("raw")) }),
			set("raw", "aGk=")),
	}
}

// rawOf returns the raw bytes of a message, nil when they are not Base64.
func rawOf(f *Frame) []byte {
	text := f.Text("raw")
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil
	}
	return raw
}

// sized is a fault that judges the size of some messages wrongly. The limit is the one that the server announced on the
// link.
func sized(name, text string, ids []string, some func(f *Frame, limit int) bool, change func(f *Frame, limit int)) Fault {
	return Fault{
		Name: name, Text: text, Subject: Server, Breaks: ids,
		Plant: stateless(func(l *Link) {
			limit := 0
			l.OnServer = func(f *Frame) bool {
				var limits struct {
					Bytes int `json:"message_bytes"`
				}
				if f.Is("login.ok") && f.Get("limits", &limits) {
					limit = limits.Bytes
				}
				return true
			}
			l.OnClient = func(f *Frame) bool {
				if limit > 0 && f.Is("peer.send") && some(f, limit) {
					l.Activate()
					change(f, limit)
				}
				return true
			}
		}),
	}
}

// overlong makes a message too large.
func overlong(f *Frame, limit int) {
	f.Delete("raw")
	f.Set("text", strings.Repeat("x", limit+1))
}

// fitting cuts a text so that it is not too large.
func fitting(f *Frame, limit int) {
	text := f.Text("text")[:limit]
	for !utf8.ValidString(text) {
		text = text[:len(text)-1]
	}
	f.Set("text", text)
}
