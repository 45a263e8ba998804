package faults

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"
)

// hostileFaults are broken servers: frames that no honest client sends, and clients that disturb.
var hostileFaults = []Fault{
	{
		Name: "transport.hostile-bad-json-closed-with-1007", Text: "A frame that is not JSON is closed with the code for bad UTF-8.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-009"}, Plant: fromClient(badJSON, closingWith(1007)),
	},
	{
		Name: "transport.hostile-byte-order-mark-skipped", Text: "A byte order mark before the JSON is skipped.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-009"},
		Plant: fromClient(text(func(p []byte) bool { return bytes.HasPrefix(p, bom) }), rewritten(func(payload string) string {
			return strings.TrimPrefix(payload, string(bom))
		})),
	},
	{
		Name: "transport.hostile-array-is-a-batch", Text: "An array of frames is handled as these frames.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-010"},
		Plant: fromClient(text(func(p []byte) bool { return json.Valid(p) && p[0] == '[' }), rewritten(func(payload string) string {
			return strings.Trim(payload, "[]")
		})),
	},
	{
		Name: "transport.hostile-no-object-closed-with-1003", Text: "JSON that is no object is closed with the code for binary messages.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-010"},
		Plant:  fromClient(text(func(p []byte) bool { return json.Valid(p) && !isObject(p) }), closingWith(1003)),
	},
	{
		Name: "transport.hostile-last-of-two-names-counts", Text: "Of two members of one name the last counts.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-011"}, Plant: fromClient(doubled, reencoded),
	},
	{
		Name: "transport.hostile-name-twice-closed-with-1002", Text: "A name that stands twice is closed with a code of RFC 6455.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-011"}, Plant: fromClient(doubled, closingWith(1002)),
	},
	{
		Name: "transport.hostile-case-of-names-ignored", Text: "Member names are read without regard to case.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-012"}, Plant: fromClient(miscased, lowered),
	},
	{
		Name: "transport.hostile-case-of-ascii-alone", Text: "Member names are compared in the case of ASCII letters alone, without the letters that fold to them.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-012"},
		Plant: fromClient(text(func(p []byte) bool { return slices.ContainsFunc(memberNames(p), folding) }), func(_ *Link, f *Frame) bool {
			for _, name := range memberNames(f.Payload) {
				if folding(name) {
					f.Delete(name)
				}
			}
			return true
		}),
	},
	{
		Name: "transport.hostile-half-a-surrogate-replaced", Text: "Half a surrogate pair is read as U+FFFD.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-080"}, Plant: fromClient(halfSurrogate, rewritten(replaced)),
	},
	{
		Name: "transport.hostile-half-a-surrogate-closed-with-1007", Text: "Half a surrogate pair is closed as text that is not UTF-8.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-080"}, Plant: fromClient(halfSurrogate, closingWith(1007)),
	},
	{
		Name: "transport.hostile-bad-utf8-replaced", Text: "Bytes that are not UTF-8 are read as U+FFFD.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-013"}, Plant: fromClient(notUTF8, rewritten(func(payload string) string {
			return strings.ToValidUTF8(payload, "\ufffd")
		})),
	},
	{
		Name: "transport.hostile-bad-utf8-closed-with-4204", Text: "Text that is not UTF-8 is closed as a bad frame.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-013"}, Plant: fromClient(notUTF8, closingWith(4204)),
	},
	{
		Name: "transport.hostile-binary-read-as-text", Text: "A binary message is read like text.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-014"},
		Plant: fromClient(isBinary, func(_ *Link, f *Frame) bool {
			f.Opcode = OpText
			f.SetPayload(f.Payload)
			return true
		}),
	},
	{
		Name: "transport.hostile-binary-closed-with-1002", Text: "A binary message is closed with 1002.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-014"}, Plant: fromClient(isBinary, closingWith(1002)),
	},
	{
		Name: "transport.hostile-frame-above-the-limit-read", Text: "A frame that is somewhat larger than announced is handled.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-015"}, Plant: bySize(1, func(_ *Link, f *Frame) bool {
			f.SetPayload(bytes.Replace(f.Payload, []byte("xx"), []byte("x"), 1))
			return true
		}),
	},
	{
		Name: "transport.hostile-frame-of-the-limit-refused", Text: "A frame of exactly the announced size is refused.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-015"}, Plant: bySize(0, closingWith(1009)),
	},
	{
		Name: "transport.hostile-huge-frame-closed-with-4101", Text: "A frame that is far too large is closed as an overload.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-015"}, Plant: fromServer(closing(1009), recode(4101)),
	},
	{
		Name: "transport.hostile-id-in-quotes-read", Text: "An id in quotes is read as a number.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-016"},
		Plant: fromClient(kind("ping").and(func(f *Frame) bool { return f.Text("id") != "" }), func(_ *Link, f *Frame) bool {
			f.Set("id", json.RawMessage(f.Text("id")))
			return true
		}),
	},
	{
		Name: "transport.hostile-id-of-zero-answered", Text: "A request with the id 0 is answered under it.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-016"},
		Plant: fromClient(kind("ping").and(func(f *Frame) bool { return string(f.members["id"]) == "0" }), func(l *Link, _ *Frame) bool {
			l.ToClient(`{"kind":"pong","id":0}`)
			return false
		}),
	},
	{
		Name: "transport.hostile-id-rounded", Text: "An id with a fraction is rounded.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-016"},
		Plant: fromClient(kind("ping").and(func(f *Frame) bool { return bytes.Contains(f.members["id"], []byte(".")) }), func(_ *Link, f *Frame) bool {
			whole, _, _ := bytes.Cut(f.members["id"], []byte("."))
			f.Set("id", json.RawMessage(whole))
			return true
		}),
	},
	{
		Name: "transport.hostile-id-of-2-to-the-53-read", Text: "An id that a double cannot hold is handled under a smaller one.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-016"},
		Plant: fromClient(kind("ping").and(func(f *Frame) bool { return f.ID > 1<<53-1 }), func(_ *Link, f *Frame) bool {
			f.Set("id", int64(1<<53-1))
			return true
		}),
	},
	{
		Name: "transport.hostile-request-without-id-is-a-notice", Text: "A request without an id is taken for a notice that nobody knows.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-016"}, Plant: fromClient(kind("ping").and(func(f *Frame) bool { return !f.Has("id") }), swallow),
	},
	{
		Name: "transport.hostile-id-of-an-unknown-kind-not-read", Text: "A frame of an unknown kind with a bad id is taken for one without.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-078"}, Plant: fromClient(match(unknownKind).and(oddID), remove("id")),
	},
	{
		Name: "transport.hostile-id-of-an-acknowledgement-not-read", Text: "The id of an acknowledgement is ignored, whatever it is.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-078"}, Plant: fromClient(kind("peer.ack").and(oddID), remove("id")),
	},
	{
		Name: "transport.hostile-null-in-a-list-left-out", Text: "Null in a list counts as an absent element.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-017"},
		Plant: fromClient(kind("channel.count").and(func(f *Frame) bool { return len(withoutNulls(f)) < listed(f) }), func(_ *Link, f *Frame) bool {
			f.Set("channels", withoutNulls(f))
			return true
		}),
	},
	{
		Name: "transport.hostile-number-read-as-text", Text: "A number where a text belongs is read as its digits.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-017"},
		Plant: fromClient(kind("peer.send").and(func(f *Frame) bool { return f.Int("to") != 0 }), func(_ *Link, f *Frame) bool {
			f.Set("to", string(f.members["to"]))
			return true
		}),
	},
	{
		Name: "transport.hostile-wrong-type-is-an-error", Text: "A channel that is no text gets the error of a bad id, and the connection stays open.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-017"},
		Plant: fromClient(kind("channel.join").and(func(f *Frame) bool { return f.Has("channel") && f.members["channel"][0] != '"' }), func(_ *Link, f *Frame) bool {
			f.Set("channel", "")
			return true
		}),
	},
	{
		Name: "transport.hostile-rest-of-the-message-ignored", Text: "What follows the JSON object in a message is ignored.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-018"}, Plant: fromClient(trailing, rewritten(func(payload string) string {
			end, _ := firstValue([]byte(payload))
			return payload[:end]
		})),
	},
	{
		Name: "transport.hostile-rest-of-the-message-closed-with-1007", Text: "Something behind the JSON object is closed with 1007.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-018"}, Plant: fromClient(trailing, closingWith(1007)),
	},
	{
		Name: "transport.hostile-kinds-of-servers-are-unknown", Text: "A frame that only servers send gets the error of an unknown kind.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-029"},
		Plant: fromClient(kind("pong", "login.ok"), func(_ *Link, f *Frame) bool {
			f.SetPayload([]byte(`{"kind":"novelty","id":5}`))
			return true
		}),
	},
	{
		Name: "transport.hostile-unmasked-frame-read", Text: "A frame without a mask is handled.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-072"},
		Plant: fromClient(func(f *Frame) bool { return !f.Masked && f.Payload != nil }, func(_ *Link, f *Frame) bool {
			f.SetPayload(f.Payload)
			return true
		}),
	},
	{
		Name: "transport.hostile-reserved-bits-ignored", Text: "The reserved bits of a frame are ignored.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-072"},
		Plant: fromClient(func(f *Frame) bool { return f.Reserved != 0 }, func(_ *Link, f *Frame) bool {
			f.Reserved = 0
			f.SetPayload(f.Payload)
			return true
		}),
	},
	{
		Name: "transport.hostile-message-behind-the-close-sent", Text: "A message that comes behind a frame that is closed for is sent all the same.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-081"}, Plant: sendingBehindTheClose,
	},
	{
		Name: "transport.hostile-breach-ends-others", Text: "A connection that is closed for a breach takes the others of its channel along.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-020"}, Plant: endingOthers(func(l *Link, end func()) {
			gone := false
			l.OnClientGone = func() bool {
				gone = true
				return true
			}
			l.OnServerGone = func() bool {
				if !gone {
					end()
				}
				return true
			}
		}),
	},
	{
		Name: "transport.hostile-cut-ends-others", Text: "A connection that breaks takes the others of its channel along.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-030"}, Plant: endingOthers(func(l *Link, end func()) {
			l.OnClientGone = func() bool {
				end()
				return true
			}
		}),
	},
}

var bom = []byte("\ufeff")

// text picks whole text messages by their content.
func text(holds func(payload []byte) bool) match {
	return func(f *Frame) bool { return f.Opcode == OpText && f.Final && f.Payload != nil && holds(f.Payload) }
}

// badJSON picks messages that do not begin with a JSON value.
var badJSON = text(func(p []byte) bool {
	_, ok := firstValue(p)
	return utf8.Valid(p) && !ok
})

// trailing picks messages with something behind a JSON value.
var trailing = text(func(p []byte) bool {
	end, ok := firstValue(p)
	return ok && len(bytes.TrimSpace(p[end:])) > 0
})

var notUTF8 = text(func(p []byte) bool { return !utf8.Valid(p) })

func isBinary(f *Frame) bool { return f.Opcode == OpBinary }

// doubled picks objects in which a name stands twice.
var doubled = text(func(p []byte) bool {
	names := memberNames(p)
	slices.Sort(names)
	return len(slices.Compact(slices.Clone(names))) < len(names)
})

// miscased picks objects with a name in capital letters.
var miscased = text(func(p []byte) bool {
	return slices.ContainsFunc(memberNames(p), func(name string) bool { return name != strings.ToLower(name) })
})

// folding tells whether a name has one of the letters outside ASCII that are an ASCII letter in another case.
func folding(name string) bool { return strings.ContainsAny(name, "\u017f\u212a") }

// halfSurrogate picks messages that a lenient reader finds U+FFFD in, though nobody wrote it.
var halfSurrogate = text(func(p []byte) bool {
	return json.Valid(p) && !strings.Contains(string(p), "\ufffd") && strings.Contains(replaced(string(p)), "\ufffd")
})

// replaced is JSON as a lenient reader understands it.
func replaced(payload string) string {
	var value any
	_ = json.Unmarshal([]byte(payload), &value)
	encoded, _ := json.Marshal(value)
	return string(encoded)
}

// oddID picks frames with an id that none may have.
func oddID(f *Frame) bool {
	var id int64
	return f.Has("id") && (!f.Get("id", &id) || id < 1 || id > 1<<53-1)
}

// withoutNulls are the channels that a frame lists, but for those that are null; listed is how many there are with them.
func withoutNulls(f *Frame) []string {
	kept := []string{}
	var channels []*string
	_ = f.Get("channels", &channels)
	for _, channel := range channels {
		if channel != nil {
			kept = append(kept, *channel)
		}
	}
	return kept
}

func listed(f *Frame) int {
	var channels []*string
	_ = f.Get("channels", &channels)
	return len(channels)
}

// sendingBehindTheClose delivers the peer messages that a client sends behind a frame that is closed for.
func sendingBehindTheClose(*Proxy) func(*Link) {
	sent := make(insertions)
	return func(l *Link) {
		over := false
		sent.plant(l)
		l.OnClient = before(l.OnClient, func(f *Frame) {
			if receiver := l.Proxy.User(f.Text("to")); over && f.Is("peer.send") && receiver != nil {
				l.Activate()
				sent.insert(receiver, l.UID, f.Text("text"))
			}
			over = over || badJSON(f)
		})
	}
}

func isObject(p []byte) bool {
	p = bytes.TrimSpace(p)
	return len(p) > 0 && p[0] == '{'
}

// firstValue returns where the first JSON value ends, and whether there is one.
func firstValue(p []byte) (end int, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(p))
	var value json.RawMessage
	if decoder.Decode(&value) != nil {
		return 0, false
	}
	return int(decoder.InputOffset()), true
}

// memberNames returns the names of an object in their order, also those that stand twice; nil for anything else.
func memberNames(p []byte) []string {
	if !json.Valid(p) || !isObject(p) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(p))
	_, _ = decoder.Token()
	var names []string
	for decoder.More() {
		name, _ := decoder.Token()
		var value json.RawMessage
		_ = decoder.Decode(&value)
		names = append(names, name.(string))
	}
	return names
}

// reencoded is the rewriting of an object as a lenient reader understood it.
func reencoded(_ *Link, f *Frame) bool {
	f.SetPayload(f.encode())
	return true
}

// lowered is the rewriting of all names to lower case, in which the last of two counts.
func lowered(_ *Link, f *Frame) bool {
	members := f.members
	for _, name := range memberNames(f.Payload) {
		if lower := strings.ToLower(name); lower != name {
			members[lower] = members[name]
			delete(members, name)
		}
	}
	f.SetPayload(f.encode())
	return true
}

// bySize plants a rewriting of the frames that are this many bytes longer than the announced limit.
func bySize(above int64, rewrite func(*Link, *Frame) bool) Plant {
	return stateless(func(l *Link) {
		limit := int64(0)
		l.OnServer = func(f *Frame) bool {
			if f.Is("login.ok") {
				limit = limitOf(f, "frame_bytes")
			}
			return true
		}
		l.OnClient = func(f *Frame) bool {
			if limit == 0 || f.Payload == nil || f.Length != uint64(limit+above) {
				return true
			}
			l.Activate()
			return rewrite(l, f)
		}
	})
}

// endingOthers plants the end of all connections that share a channel with the one that the hooks of one tell to.
func endingOthers(hooks func(l *Link, end func())) Plant {
	return inRooms(func(l *Link, in rooms) {
		hooks(l, func() {
			in.others(l, func(other *Link, _ string) {
				l.Activate()
				other.CutClient()
			})
		})
	})
}
