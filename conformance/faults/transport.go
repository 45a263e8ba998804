package faults

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// transportFaults are broken servers: connections and frames.
var transportFaults = []Fault{
	{
		Name: "transport.handshake-no-subprotocol-selected", Text: "The handshake is accepted without selecting a subprotocol.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-001"},
		Plant: stateless(func(l *Link) {
			l.OnResponse = func(r *http.Response) {
				r.Header.Del("Sec-WebSocket-Protocol")
				l.Activate()
			}
		}),
	},
	{
		Name: "transport.handshake-accepted-without-subprotocol", Text: "A client that does not offer the subprotocol is let in.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-002"}, Plant: lettingInWithoutSubprotocol,
	},
	{
		Name: "transport.handshake-refused-with-426", Text: "A handshake without the subprotocol is refused with status 426.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-002"},
		Plant: stateless(func(l *Link) {
			l.OnResponse = func(r *http.Response) {
				if r.StatusCode == http.StatusBadRequest {
					r.StatusCode, r.Status = http.StatusUpgradeRequired, ""
					l.Activate()
				}
			}
		}),
	},
	{
		Name: "transport.handshake-at-any-path", Text: "A client is let in at any path.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-085"},
		Plant: stateless(func(l *Link) {
			l.OnRequest = func(r *http.Request) {
				if r.URL.Path != l.Proxy.target.Path {
					r.URL.Path = l.Proxy.target.Path
					l.Activate()
				}
			}
		}),
	},
	{
		Name: "transport.handshake-query-refused", Text: "A query makes another address of the path.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-085"},
		Plant: stateless(func(l *Link) {
			asked := false
			l.OnRequest = func(r *http.Request) { asked = r.URL.RawQuery != "" }
			l.OnResponse = func(r *http.Response) {
				if asked {
					r.StatusCode, r.Status = http.StatusNotFound, ""
					l.Activate()
				}
			}
		}),
	},
	{
		Name: "transport.handshake-compression-agreed", Text: "A client that offers compression gets it.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-003"}, Plant: agreeingOnCompression,
	},
	{
		Name: "transport.handshake-foreign-origin-accepted", Text: "A browser may connect from any origin.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-053"},
		Plant: stateless(func(l *Link) {
			l.OnRequest = func(r *http.Request) {
				if r.Header.Get("Origin") != "" {
					r.Header.Del("Origin")
					l.Activate()
				}
			}
		}),
	},
	{
		Name: "transport.limits-one-not-announced", Text: "The login answer leaves silence_ms out.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-004"}, Plant: announcing(func(limits map[string]any) { delete(limits, "silence_ms") }),
	},
	{
		Name: "transport.limits-zero-for-none", Text: "The login answer announces a limit of 0 for none at all.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-004"}, Plant: announcing(func(limits map[string]any) { limits["replay_messages"] = 0 }),
	},
	{
		Name: "transport.limits-no-call-list", Text: "The login answer announces no list of call limits, not even an empty one.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-004"}, Plant: announcing(func(limits map[string]any) { delete(limits, "calls") }),
	},
	{
		Name: "transport.answers-errors-twice", Text: "An error is answered twice.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-005"}, Plant: fromServer(kind("error"), twice),
	},
	{
		Name: "transport.answers-id-of-the-request-before", Text: "Every sixteenth ping is answered with the id of the one before.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-005"},
		Plant: fromServer(kind("pong").and(func(f *Frame) bool { return f.ID%16 == 0 }), func(_ *Link, f *Frame) bool {
			f.Set("id", f.ID-1)
			return true
		}),
	},
	{
		Name: "transport.ping-id-of-32-bits", Text: "A pong carries the lower 32 bits of the id only.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-006"},
		Plant: fromServer(kind("pong").and(func(f *Frame) bool { return f.ID >= 1<<32 }), func(_ *Link, f *Frame) bool {
			f.Set("id", uint32(f.ID))
			return true
		}),
	},
	{
		Name: "transport.ping-before-login-answered", Text: "A ping without a session is answered with pong.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-054"}, Plant: fromServer(refusal("ping", 102), instead("pong", nil)),
	},
	{
		Name: "transport.ping-before-login-closes", Text: "A ping without a session gets its error and ends the connection.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-054"}, Plant: fromServer(refusal("ping", 102), thenClose(4003)),
	},
	{
		Name: "transport.frames-unknown-members-refused", Text: "A message with a member that is not defined closes the connection.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-007"},
		Plant:  fromClient(kind("peer.send").and(hasOther("kind", "id", "to", "text", "raw", "description")), closingWith(4204)),
	},
	{
		Name: "transport.frames-unknown-kind-as-its-own-operation", Text: "The error of an unknown kind names that kind as the operation.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-008"},
		Plant: fromServer(refusal("frame", 1), func(l *Link, f *Frame) bool {
			if asked := l.Asked(f); asked != nil {
				f.Set("op", asked.Kind)
			}
			return true
		}),
	},
	{
		Name: "transport.frames-unknown-kind-ends-the-session", Text: "An unknown kind gets its error and ends the connection.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-008"}, Plant: fromServer(refusal("frame", 1), thenClose(4204)),
	},
	{
		Name: "transport.frames-unknown-notice-answered", Text: "A notice of an unknown kind is answered with an error.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-055"},
		Plant: fromClient(func(f *Frame) bool { return unknownKind(f) && !f.Has("id") }, func(l *Link, _ *Frame) bool {
			l.ToClient(`{"kind":"error","op":"frame","code":1,"name":"FRAME_ERR_UNKNOWN_KIND","message":"unknown kind"}`)
			return false
		}),
	},
	{
		Name: "transport.frames-null-is-a-value", Text: "A raw payload of null is taken for bad Base64.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-019"},
		Plant: fromClient(kind("peer.send").and(func(f *Frame) bool { return isNull(f, "raw") }), func(l *Link, f *Frame) bool {
			l.ToClient(`{"kind":"error","id":%d,"op":"peer.send","code":7,"name":"PEER_MESSAGE_ERR_INVALID_MESSAGE","message":"bad Base64"}`, f.ID)
			return false
		}),
	},
	{
		Name: "transport.frames-null-has-a-wrong-type", Text: "A text of null closes the connection as a value of the wrong type.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-019"}, Plant: fromClient(kind("peer.send").and(func(f *Frame) bool { return isNull(f, "text") }), closingWith(4204)),
	},
	{
		Name: "transport.frames-kind-must-stand-first", Text: "A frame that does not begin with its kind is refused.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-021"},
		Plant:  fromClient(kind(requestKinds...).and(func(f *Frame) bool { return !strings.HasPrefix(string(f.Payload), `{"kind":`) }), closingWith(4204)),
	},
	{
		Name: "transport.frames-escapes-are-not-read", Text: "Escapes in a value are compared as they are written.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-021"},
		Plant: fromClient(kind("ping").and(func(f *Frame) bool { return strings.Contains(string(f.Payload), `\u00`) }), func(l *Link, f *Frame) bool {
			l.ToClient(`{"kind":"error","id":%d,"op":"frame","code":1,"name":"FRAME_ERR_UNKNOWN_KIND","message":"unknown kind"}`, f.ID)
			l.CloseClient(4204, "")
			return false
		}),
	},
	{
		Name: "transport.frames-31-levels-deep", Text: "A frame with as many levels of nesting as a reader has to accept is refused.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-079"},
		Plant:  fromClient(text(func(p []byte) bool { return nesting(p) == 32 }), closingWith(4204)),
	},
	{
		Name: "transport.frames-fragments-refused", Text: "A message in fragments closes the connection.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-022"},
		Plant:  fromClient(func(f *Frame) bool { return f.Opcode == OpText && !f.Final }, closingWith(1002)),
	},
	{
		Name: "transport.frames-pong-without-payload", Text: "A WebSocket pong does not repeat the payload of the ping.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-023"},
		Plant: fromServer(func(f *Frame) bool { return f.Opcode == OpPong }, func(_ *Link, f *Frame) bool {
			f.SetPayload(nil)
			return true
		}),
	},
	{
		Name: "transport.frames-server-writes-a-name-twice", Text: "A receipt names its kind twice.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-024"}, Plant: fromServer(kind("channel.members.ok"), rewritten(func(payload string) string {
			return `{"kind":"channel.members.ok",` + strings.TrimPrefix(payload, "{")
		})),
	},
	{
		Name: "transport.frames-server-joins-two-in-one-message", Text: "Frames that leave together share one WebSocket message.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-024"}, Plant: fromServer(kind("channel.count.ok"), rewritten(func(payload string) string {
			return payload + "\n" + `{"kind":"novelty"}`
		})),
	},
	{
		Name: "transport.frames-server-writes-binary", Text: "Messages leave as binary.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-024"},
		Plant: fromServer(kind("channel.leave.ok"), func(_ *Link, f *Frame) bool {
			f.Opcode = OpBinary
			f.SetPayload(f.Payload)
			return true
		}),
	},
	{
		Name: "transport.errors-without-name", Text: "Errors have a code and no name.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-025"}, Plant: fromServer(kind("error"), remove("name")),
	},
	{
		Name: "transport.errors-without-message", Text: "Errors have no message.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-025"}, Plant: fromServer(kind("error"), remove("message")),
	},
	{
		Name: "transport.errors-code-of-another-operation", Text: "A bad receiver is refused with the code of a bad message.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-025"}, Plant: fromServer(refusal("peer.send", 6), set("code", 7)),
	},
	{
		Name: "transport.silence-closed-as-normal", Text: "A silent connection is closed with 1000.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-026"}, Plant: fromServer(closing(4001), recode(1000)),
	},
	{
		Name: "transport.silence-no-login-closed-as-silent", Text: "A connection that never logs in is closed with 4001.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-027"}, Plant: fromServer(closing(4003), recode(4001)),
	},
	{
		Name: "transport.silence-a-ping-is-no-contact", Text: "A connection that only pings is closed as silent.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-028"}, Plant: deafToPings,
	},
	{
		Name: "transport.silence-half-a-frame-is-no-contact", Text: "A part of a frame does not count as contact.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-086"}, Plant: stateless(func(l *Link) {
			l.OnPart = func() bool {
				l.Activate()
				return false
			}
		}),
	},
}

// requestKinds are the kinds of frames that a client may send.
var requestKinds = []string{
	"login", "logout", "ping", "token.renew", "peer.send", "peer.ack",
	"channel.join", "channel.leave", "channel.send", "channel.members", "channel.count",
}

func unknownKind(f *Frame) bool { return f.Kind != "" && !f.Is(requestKinds...) }

func hasOther(names ...string) func(f *Frame) bool {
	return func(f *Frame) bool {
		known := 0
		for _, name := range names {
			if f.Has(name) {
				known++
			}
		}
		return len(f.members) > known
	}
}

// nesting is how many levels deep the objects and lists of a message stand in each other.
func nesting(payload []byte) (deepest int) {
	decoder, depth := json.NewDecoder(bytes.NewReader(payload)), 0
	for {
		token, err := decoder.Token()
		if err != nil {
			return deepest
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			deepest = max(deepest, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// closingWith is the rewriting that closes the client's connection instead of passing the frame on.
func closingWith(code int) func(*Link, *Frame) bool {
	return func(l *Link, _ *Frame) bool {
		l.CloseClient(code, "")
		return false
	}
}

// thenClose is the rewriting that closes the client's connection behind the frame.
func thenClose(code int) func(*Link, *Frame) bool {
	return func(l *Link, f *Frame) bool {
		l.Send(ToClient, f.clone())
		l.CloseClient(code, "")
		return false
	}
}

// rewritten is the rewriting of the whole text of a frame.
func rewritten(rewrite func(payload string) string) func(*Link, *Frame) bool {
	return func(_ *Link, f *Frame) bool {
		f.SetPayload([]byte(rewrite(string(f.Payload))))
		return true
	}
}

// announcing plants a change of the limits in login answers.
func announcing(change func(limits map[string]any)) Plant {
	return fromServer(kind("login.ok"), func(_ *Link, f *Frame) bool {
		limits := make(map[string]any)
		_ = json.Unmarshal(f.members["limits"], &limits)
		change(limits)
		f.Set("limits", limits)
		return true
	})
}

// limitOf returns a limit of a login answer.
func limitOf(f *Frame, name string) int64 {
	limits := make(map[string]json.RawMessage)
	var value int64
	if f.Get("limits", &limits) {
		_ = json.Unmarshal(limits[name], &value)
	}
	return value
}

func lettingInWithoutSubprotocol(*Proxy) func(*Link) {
	return func(l *Link) {
		offered := true
		l.OnRequest = func(r *http.Request) {
			offered = strings.Contains(r.Header.Get("Sec-WebSocket-Protocol"), "rtm.v1.json")
			r.Header.Set("Sec-WebSocket-Protocol", "rtm.v1.json")
		}
		l.OnResponse = func(r *http.Response) {
			if !offered {
				r.Header.Del("Sec-WebSocket-Protocol")
				l.Activate()
			}
		}
	}
}

func agreeingOnCompression(*Proxy) func(*Link) {
	return func(l *Link) {
		offered := false
		l.OnRequest = func(r *http.Request) {
			offered = strings.Contains(r.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
		}
		l.OnResponse = func(r *http.Response) {
			if offered {
				r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; server_no_context_takeover; client_no_context_takeover")
				l.Activate()
			}
		}
	}
}

func deafToPings(*Proxy) func(*Link) {
	return func(l *Link) {
		spoke := false
		l.OnClient = func(f *Frame) bool {
			spoke = spoke || f.Kind != "" && !f.Is("ping")
			return true
		}
		l.OnServer = func(f *Frame) bool {
			if silence := limitOf(f, "silence_ms"); f.Is("login.ok") && silence > 0 {
				spoke = false
				l.After(time.Duration(silence)*time.Millisecond, func() {
					if !spoke {
						l.Activate()
						l.CloseClient(4001, "silent")
					}
				})
			}
			return true
		}
	}
}
