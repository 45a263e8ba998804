package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// tolerances are odd and legal subjects. The text of each names the clause of sdk/wire/PROTOCOL.md that allows it. Those
// that look at whole frames come before the one that cuts frames in pieces, so that they can stand in front of each other.
var tolerances = slices.Concat(orderTolerances, contentTolerances, frameTolerances, clientTolerances)

// contentTolerances say the same in other words.
var contentTolerances = []Tolerance{
	{
		Name: "odd-errors", Text: "The message of an error is empty or a long text with line breaks and markup (error-frame).", Subject: Server,
		Plant: fromServer(kind("error"), func(_ *Link, f *Frame) bool {
			message := ""
			if f.Int("code")%2 == 0 {
				message = fmt.Sprintf("%04000d\r\n<b>\"\\\x00é中😀</b>", 0)
			}
			f.Set("message", message)
			return true
		}),
	},
	{
		Name: "odd-sessions", Text: "The session is a string of exactly 128 characters, most of them outside ASCII (login-request).", Subject: Server,
		Plant: func(*Proxy) func(*Link) {
			real := make(map[string]string)
			return func(l *Link) {
				l.OnServer = func(f *Frame) bool {
					if f.Is("login.ok") {
						l.Activate()
						odd := []rune(f.Text("session") + ` "\/`)
						for len(odd) < 128 {
							odd = append(odd, '😀')
						}
						real[string(odd)] = f.Text("session")
						f.Set("session", string(odd))
					}
					return true
				}
				l.OnClient = func(f *Frame) bool {
					var resume map[string]any
					if f.Is("login") && f.Get("resume", &resume) {
						if session, ok := resume["session"].(string); ok && real[session] != "" {
							resume["session"] = real[session]
							f.Set("resume", resume)
						}
					}
					return true
				}
			}
		},
	},
	{
		Name: "coarse-clock", Text: "The server's clock ticks once a second, so that messages share their times (time).", Subject: Server,
		Plant: fromServer(kind("login.ok", "peer.message", "channel.message"), func(_ *Link, f *Frame) bool {
			for _, name := range []string{"server_ts", "ts"} {
				if f.Has(name) {
					f.Set(name, f.Int(name)/1000*1000)
				}
			}
			return true
		}),
	},
	{
		Name: "lists-in-other-order", Text: "The members of a channel are listed in another order each time (channel-members).", Subject: Server,
		Plant: following(func(*roster) func(*Link, *Frame) bool {
			turn := 0
			return func(l *Link, f *Frame) bool {
				var members []string
				if !f.Is("channel.members.ok") || !f.Get("members", &members) || len(members) < 2 {
					return true
				}
				l.Activate()
				turn++
				at := turn % len(members)
				f.Set("members", append(slices.Clone(members[at:]), members[:at]...))
				return true
			}
		}),
	},
	{
		Name: "unknown-members", Text: "Frames, and the objects in them, have members that nobody knows (unknown-fields).", Subject: Server,
		Plant: fromServer(whole, func(_ *Link, f *Frame) bool {
			for _, name := range []string{"server", "limits"} {
				var object map[string]json.RawMessage
				if f.Get(name, &object) {
					object["novelty"], object["calls_ms"] = json.RawMessage(`{"a":[1]}`), json.RawMessage(`0`)
					f.Set(name, object)
				}
			}
			f.Set("novelty", json.RawMessage(`{"kind":"login.kicked","id":1,"text":[null,true,"",-1.5e-7,1e999,`+strings.Repeat("[{\"a\":", 14)+"1"+strings.Repeat("}]", 14)+`]}`))
			f.Set("", -1)
			return true
		}),
	},
	{
		Name: "nulls", Text: "Members that are absent are written as null (absent-members).", Subject: Server,
		Plant: fromServer(kind("login.ok", "peer.message", "channel.message"), func(_ *Link, f *Frame) bool {
			names := []string{"text", "raw", "description"}
			if f.Is("login.ok") {
				names = []string{"missing"}
			}
			for _, name := range names {
				if !f.Has(name) {
					f.Set(name, nil)
				}
			}
			return true
		}),
	},
	{
		Name: "empty-members", Text: "Optional members are written, empty (absent-members).", Subject: Server,
		Plant: fromServer(kind("login.ok", "peer.message", "channel.message"), func(_ *Link, f *Frame) bool {
			name, value := "description", any("")
			if f.Is("login.ok") {
				name, value = "missing", []string{}
			}
			if !f.Has(name) {
				f.Set(name, value)
			}
			return true
		}),
	},
	{
		Name: "unknown-kinds", Text: "Before each frame there are some of kinds that nobody knows, without id (unknown-kinds).", Subject: Server,
		Plant: fromServer(whole, func(l *Link, _ *Frame) bool {
			l.ToClient(`{"kind":"novelty","id":null,"from":"nobody","to":"nobody","text":"never mind","seq":1,"ts":1,"count":1}`)
			l.ToClient(`{"kind":"presence.changed","uid":"nobody","online":true}`)
			return true
		}),
	},
	{
		Name: "other-spelling", Text: "Frames have other members first, much white space, and all of their strings escaped (canonical).",
		Subject: Server,
		Plant: fromServer(whole, func(_ *Link, f *Frame) bool {
			f.SetPayload(respell(f.Payload))
			return true
		}),
	},
	{
		Name: "little-server", Text: "A server that claims core alone refuses the rest as specified (unknown-kinds, resume, call-limits).",
		Subject: Server, Claims: little, Plant: stateless(littleServer),
	},
	{
		Name: "little-client", Text: "A client that claims core alone answers the rest with unsupported, as the adapter protocol says.",
		Subject: Client, Claims: little, Lines: littleClient,
	},
}

// frameTolerances are about WebSocket frames.
var frameTolerances = []Tolerance{
	{
		Name: "odd-close-reasons", Text: "The reason of a close frame is empty or another text than the name of its code (close-codes).", Subject: Server,
		Plant: fromServer(func(f *Frame) bool { return f.Opcode == OpClose && len(f.Payload) >= 2 }, func(_ *Link, f *Frame) bool {
			code, _ := f.CloseCode()
			reason := ""
			if code%2 == 0 {
				reason = "Auf Wiedersehen, 再见"
			}
			f.SetClose(code, reason)
			return true
		}),
	},
	{
		Name: "breaches-cut", Text: "A breach of RFC 6455 is answered with a reset instead of 1002 (close-codes).", Subject: Server,
		Plant: stateless(func(l *Link) {
			l.OnServer = func(f *Frame) bool {
				if code, _ := f.CloseCode(); f.Opcode != OpClose || code != 1002 {
					return true
				}
				l.Activate()
				l.CutClient()
				return false
			}
		}),
	},
	{
		Name: "fragments", Text: "Frames come in WebSocket fragments, some of them empty, with pings and pongs between them (text-frames, ping).",
		Subject: Server,
		Plant: stateless(func(l *Link) {
			const payload = "still there?"
			l.OnClient = func(f *Frame) bool { return f.Opcode != OpPong || string(f.Payload) != payload }
			l.OnServer = func(f *Frame) bool {
				if !whole(f) {
					return true
				}
				l.Activate()
				half := len(f.Payload) / 2
				for i, part := range [][]byte{nil, f.Payload[:half], nil, f.Payload[half:]} {
					l.Send(ToClient, fragment(i, 4, part))
					if i < 3 {
						l.Send(ToClient, control(OpPing, payload))
						l.Send(ToClient, control(OpPong, "unasked"))
					}
				}
				return false
			}
		}),
	},
	{
		Name: "relay", Text: "Everything passes as it is, through a proxy.", Subject: Server,
		Plant: fromServer(every, pass),
	},
}

// every picks all frames, and whole the text messages that came in one piece.
func every(*Frame) bool { return true }

func whole(f *Frame) bool { return f.Opcode == OpText && f.Final && f.Kind != "" }

// pass is the rewriting that changes nothing.
func pass(*Link, *Frame) bool { return true }

// fragment returns one of several frames that make up a text message.
func fragment(i, of int, part []byte) *Frame {
	f := &Frame{Opcode: OpContinuation, Final: i == of-1}
	if i == 0 {
		f.Opcode = OpText
	}
	f.SetPayload(part)
	return f
}

// control returns a control frame.
func control(opcode byte, payload string) *Frame {
	f := &Frame{Opcode: opcode, Final: true}
	f.SetPayload([]byte(payload))
	return f
}

// respell writes JSON that means the same as other JSON and looks as different as can be.
func respell(payload []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return payload
	}
	out := new(bytes.Buffer)
	spell(out, value)
	return out.Bytes()
}

func spell(out *bytes.Buffer, value any) {
	const space = " \t\r\n"
	out.WriteString(space)
	switch value := value.(type) {
	case map[string]any:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		slices.Sort(names)
		slices.Reverse(names)
		for i, name := range names {
			out.WriteString(opened(i, "{"))
			spell(out, name)
			out.WriteString(":")
			spell(out, value[name])
		}
		out.WriteString(closed(len(names), "{}"))
	case []any:
		for i, element := range value {
			out.WriteString(opened(i, "["))
			spell(out, element)
		}
		out.WriteString(closed(len(value), "[]"))
	case string:
		if len(value) > 1000 {
			// The largest messages stay as large as they are.
			encoded, _ := json.Marshal(value)
			out.Write(encoded)
			break
		}
		out.WriteByte('"')
		for _, unit := range utf16.Encode([]rune(value)) {
			fmt.Fprintf(out, `\u%04X`, unit)
		}
		out.WriteByte('"')
	default:
		encoded, _ := json.Marshal(value)
		out.Write(encoded)
	}
	out.WriteString(space)
}

// opened is what stands before an element of a list, and closed what stands behind the last.
func opened(i int, bracket string) string {
	if i == 0 {
		return bracket
	}
	return ","
}

func closed(count int, brackets string) string {
	if count == 0 {
		return brackets
	}
	return brackets[1:]
}
