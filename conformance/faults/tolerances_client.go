package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// clientTolerances are odd and legal clients. Those of lines name the clause of ADAPTER.md that allows them.
var clientTolerances = []Tolerance{
	{
		Name: "client-unknown-members", Text: "Frames, and the objects in them, have members that nobody knows (unknown-fields).", Subject: Client,
		Plant: fromClient(whole, func(_ *Link, f *Frame) bool {
			var resume map[string]json.RawMessage
			if f.Get("resume", &resume) && resume != nil {
				var cursors []map[string]any
				if json.Unmarshal(resume["channels"], &cursors) == nil && len(cursors) > 0 {
					for _, cursor := range cursors {
						cursor["novelty"] = "lobby"
					}
					resume["channels"], _ = json.Marshal(cursors)
				}
				resume["novelty"] = json.RawMessage(`{"session":1}`)
				f.Set("resume", resume)
			}
			f.Set("novelty", json.RawMessage(`{"kind":"logout","id":1,"text":[null,true,"",-1.5e-7]}`))
			return true
		}),
	},
	{
		Name: "client-nulls", Text: "Members that are absent are written as null (absent-members).", Subject: Client,
		Plant: fromClient(kind("login", "peer.send", "channel.send"), func(_ *Link, f *Frame) bool {
			names := []string{"text", "raw", "description"}
			if f.Is("login") {
				names = []string{"resume"}
			}
			for _, name := range names {
				if !f.Has(name) && (name != "description" || f.Has("text")) {
					f.Set(name, nil)
				}
			}
			return true
		}),
	},
	{
		Name: "client-empty-members", Text: "Optional members are written, empty (absent-members).", Subject: Client,
		Plant: fromClient(kind("login", "peer.send", "channel.send", "channel.join"), func(_ *Link, f *Frame) bool {
			for name, value := range map[string]any{"token": "", "after": 0, "description": ""} {
				fits := map[string]bool{"token": f.Is("login"), "after": f.Is("channel.join"), "description": f.Text("raw") != ""}
				if fits[name] && !f.Has(name) {
					f.Set(name, value)
				}
			}
			return true
		}),
	},
	{
		Name: "client-unknown-kinds", Text: "Before each frame there is one of a kind that nobody knows, without id (unknown-kinds).", Subject: Client,
		Plant: stateless(func(l *Link) {
			open := false
			l.OnServer = func(f *Frame) bool {
				open = open || f.Is("login.ok")
				return true
			}
			l.OnClient = func(f *Frame) bool {
				if open && whole(f) {
					l.Activate()
					l.ToServer(`{"kind":"novelty","id":null,"to":"nobody","channel":"nowhere","text":"never mind","seq":1}`)
				}
				return true
			}
		}),
	},
	{
		Name: "client-pings-often", Text: "Behind each request there is a ping, and between ids there are gaps (ping, envelope).", Subject: Client,
		Plant: func(*Proxy) func(*Link) {
			next := int64(0)
			return func(l *Link) {
				asked, open := make(map[int64]int64), false
				l.OnServer = func(f *Frame) bool {
					open = open || f.Is("login.ok")
					id, known := asked[f.ID]
					if f.ID == 0 || !known {
						return true
					}
					delete(asked, f.ID)
					if id != 0 {
						f.Set("id", id)
					}
					return id != 0
				}
				l.OnClient = func(f *Frame) bool {
					if f.ID == 0 {
						return true
					}
					next += 7
					asked[next] = f.ID
					f.Set("id", next)
					if !open || f.Is("login", "logout") {
						return true
					}
					l.Activate()
					l.Send(ToServer, f.clone())
					next += 7
					asked[next] = 0
					l.ToServer(`{"kind":"ping","id":%d}`, next)
					return false
				}
			}
		},
	},
	{
		Name: "client-late-acks", Text: "One acknowledgement stands for all messages of 5 ms, and it comes twice (peer-ack).", Subject: Client,
		Plant: stateless(func(l *Link) {
			var held *Frame
			l.OnClient = func(f *Frame) bool {
				if !f.Is("peer.ack") {
					return true
				}
				l.Activate()
				if held == nil {
					l.After(5*time.Millisecond, func() {
						l.Send(ToServer, held)
						l.Send(ToServer, held)
						held = nil
					})
				}
				held = f.clone()
				return false
			}
		}),
	},
	{
		Name: "client-offers-more", Text: "The client offers a second subprotocol, and compression (connect, compression).", Subject: Client,
		Plant: stateless(func(l *Link) {
			l.OnRequest = func(r *http.Request) {
				l.Activate()
				r.Header.Set("Sec-WebSocket-Protocol", "rtm.v1.json, novelty.v2")
				r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits")
			}
		}),
	},
	{
		Name: "client-other-spelling", Text: "Frames have other members first, much white space, and all of their strings escaped (canonical).", Subject: Client,
		Plant: fromClient(whole, func(_ *Link, f *Frame) bool {
			f.SetPayload(respell(f.Payload))
			return true
		}),
	},
	{
		Name: "client-fragments", Text: "Frames come in WebSocket fragments with pings and pongs between them (text-frames, ping).", Subject: Client,
		Plant: stateless(func(l *Link) {
			const payload = "still there?"
			l.OnServer = func(f *Frame) bool { return f.Opcode != OpPong || string(f.Payload) != payload }
			l.OnClient = func(f *Frame) bool {
				if !whole(f) {
					return true
				}
				l.Activate()
				half := len(f.Payload) / 2
				for i, part := range [][]byte{nil, f.Payload[:half], f.Payload[half:]} {
					l.Send(ToServer, fragment(i, 3, part))
					if i < 2 {
						l.Send(ToServer, control(OpPing, payload))
						l.Send(ToServer, control(OpPong, "unasked"))
					}
				}
				return false
			}
		}),
	},
	{
		Name: "client-odd-handles", Text: "The handles of received messages are long, and look like anything (handles).", Subject: Client,
		Lines: overheard(func(t *talk, _, l line) []line {
			const odd = "r/\"\\é😀 received by the client as number "
			handle := l.text("message")
			switch {
			case l["event"] != nil && handle != "":
				return only(l.with("message", odd+handle))
			case len(handle) > len(odd) && handle[:len(odd)] == odd:
				return only(l.with("message", handle[len(odd):]))
			}
			return only(l)
		}),
	},
	{
		Name: "client-native-errors", Text: "Errors tell what the SDK said, at length, and that the outcome is unknown (replies).", Subject: Client,
		Lines: overheard(func(_ *talk, asked, l line) []line {
			if asked == nil || l["error"] == nil {
				return only(l)
			}
			said := l.inside("error").with("native", fmt.Sprintf("%02000d\r\n<b>\"\\\x01é😀</b> ok error unsupported", 0)).with("indefinite", true)
			return only(l.with("error", said))
		}),
	},
	{
		Name: "client-silent-after-close", Text: "What a client was waiting for when it was closed gets no reply, and events of it follow (commands).", Subject: Client,
		Lines: overheard(func(t *talk, asked, l line) []line {
			client := t.clientOf(asked)
			switch {
			case l.text("cmd") == "close":
				t.count(l.text("client"))
			case asked.text("cmd") == "close":
				return append(only(l), t.events(client, "ConnectionStateChanged", line{"state": "DISCONNECTED", "reason": "LOGOUT"})...)
			case asked != nil && t.seen[client] > 0:
				return nil
			}
			return only(l)
		}),
	},
	{
		Name: "client-spaced-lines", Text: "Lines have other members first, spaces, and all of their strings escaped (lines).", Subject: Client,
		Lines: func(counter *Counter) Lines {
			return func(toAdapter bool, raw []byte) [][]byte {
				if toAdapter {
					return [][]byte{raw}
				}
				counter.Hit()
				return [][]byte{bytes.Map(func(r rune) rune {
					if r == '\n' {
						return ' '
					}
					return r
				}, respell(raw))}
			}
		},
	},
	{
		Name: "client-late-lines", Text: "Lines come 10 ms late; no clause says how long one may take (order).", Subject: Client,
		Lines: func(counter *Counter) Lines {
			const delay = 10 * time.Millisecond
			var last time.Time
			return func(_ bool, raw []byte) [][]byte {
				// Lines that come closely are late together, so that many do not take long.
				if time.Since(last) > time.Millisecond {
					counter.Hit()
					<-time.After(delay)
				}
				last = time.Now()
				return [][]byte{raw}
			}
		},
	},
}
