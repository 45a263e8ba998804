package faults

import (
	"encoding/json"
	"slices"
	"time"
)

// transportClientFaults are broken clients: their frames, and what they make of a lost link.
var transportClientFaults = []Fault{
	{
		Name: "transport.client-short-outage-told", Text: "An outage counts as long after 100 ms, whatever the server announces.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-056"},
		Plant: stateless(func(l *Link) {
			l.OnServer = func(f *Frame) bool {
				if f.Is("login.ok") {
					l.Activate()
					// It pings often, so that no silence of the link counts as an outage.
					setLimits(f, map[string]any{"reconnect_threshold_ms": 100, "ping_interval_ms": 20})
				}
				return true
			}
			l.OnClient = func(f *Frame) bool {
				if !f.Is("login") || !f.Has("resume") {
					return true
				}
				late := f.clone()
				l.After(300*time.Millisecond, func() { l.Send(ToServer, late) })
				return false
			}
		}),
	},
	{
		Name: "transport.client-never-pings", Text: "The client sends no pings.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-057"},
		Plant: fromClient(kind("ping"), func(l *Link, f *Frame) bool {
			l.ToClient(`{"kind":"pong","id":%d}`, f.ID)
			return false
		}),
	},
	{
		Name: "transport.client-outage-hidden", Text: "The state stays CONNECTED in a long outage.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-058"},
		Lines: answering("state", func(_ *talk, _, reply line) bool { return reply.inside("ok").text("state") == "RECONNECTING" },
			ok(map[string]any{"state": "CONNECTED"})),
	},
	{
		Name: "transport.client-outage-by-the-server", Text: "The reason of RECONNECTING is BANNED_BY_SERVER.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-058"},
		Lines:  forAnotherReason("INTERRUPTED", "BANNED_BY_SERVER"),
	},
	{
		Name: "transport.client-outage-told-late", Text: "An outage counts as long after 4 seconds, whatever the server announces.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-058"},
		Plant: fromServer(kind("login.ok"), func(_ *Link, f *Frame) bool {
			setLimits(f, map[string]any{"reconnect_threshold_ms": 4000})
			return true
		}),
	},
	{
		Name: "transport.client-return-for-login", Text: "The reason of CONNECTED after an outage is LOGIN.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-059"},
		Lines: onEvent("ConnectionStateChanged", func(t *talk, e line) []line {
			switch client := e.text("client"); {
			case e.text("state") == "RECONNECTING":
				t.count(client)
			case e.text("state") == "CONNECTED" && t.seen[client] > 0:
				return only(e.with("reason", "LOGIN"))
			}
			return only(e)
		}),
	},
	{
		Name: "transport.client-gives-up", Text: "The client tries to connect again three times at most.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-060"},
		Plant: func(p *Proxy) func(*Link) {
			p.Admit(4)
			return func(*Link) {}
		},
	},
	{
		Name: "transport.client-deaf-to-silence", Text: "The client takes its own pings for an answer.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-066"},
		Plant: fromClient(kind("ping"), func(l *Link, f *Frame) bool {
			l.ToClient(`{"kind":"pong","id":%d}`, f.ID)
			return true
		}),
	},
	{
		Name: "transport.client-retry-is-terminal", Text: "The client stops for good when the server closes a silent connection.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-067"},
		Plant:  fromServer(closing(4001), recode(4204)),
	},
	{
		Name: "transport.client-unlisted-is-terminal", Text: "The client stops for good when it does not know the code of a close.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-067"},
		Plant:  fromServer(closingBetween(4003, 4099), recode(4204)),
	},
	{
		Name: "transport.client-normal-is-terminal", Text: "The client takes a 1000 that it did not ask for for the end.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-067"},
		Plant: stateless(func(l *Link) {
			asked := false
			l.OnClient = func(f *Frame) bool {
				asked = asked || f.Is("logout")
				return true
			}
			l.OnServer = func(f *Frame) bool {
				if asked || !closing(1000)(f) {
					return true
				}
				l.Activate()
				return recode(4204)(l, f)
			}
		}),
	},
	{
		Name: "transport.client-terminal-is-retry", Text: "The client returns after the close for a bad frame.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-068"},
		Plant:  fromServer(closing(4204), recode(4001)),
	},
	{
		Name: "transport.client-unlisted-is-retry", Text: "The client returns after a terminal close with a code that it does not know.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-068"},
		Plant:  fromServer(closingBetween(4205, 4299), recode(4001)),
	},
	{
		Name: "transport.client-stops-and-connects", Text: "The client connects again after a terminal close, although it says that it has stopped.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-068"},
		Plant: fromServer(closingBetween(4200, 4299), func(l *Link, _ *Frame) bool {
			l.Proxy.Open()
			return true
		}),
	},
	{
		Name: "transport.client-strict-kinds", Text: "The client closes the connection for a frame of an unknown kind.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-069"},
		Plant: fromServer(func(f *Frame) bool { return f.Kind != "" && f.ID == 0 && !slices.Contains(unaskedKinds, f.Kind) },
			func(l *Link, _ *Frame) bool {
				l.CloseClient(4204, "bad_frame")
				return false
			}),
	},
	{
		Name: "transport.client-strict-members", Text: "The client drops frames with members that it does not know.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-069"},
		Plant:  fromServer(kind("peer.send.ok").and(hasOther("kind", "id", "received")), swallow),
	},
	{
		Name: "transport.client-counts-down", Text: "Request ids count down.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-070"},
		Plant:  otherIDs(func(id int64) int64 { return 1<<40 - id }),
	},
	{
		Name: "transport.client-two-ids", Text: "Request ids are 1 and 2 in turn.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-070"},
		Plant:  otherIDs(func(id int64) int64 { return (id+1)%2 + 1 }),
	},
	{
		Name: "transport.client-binary-frames", Text: "Messages are sent in binary frames.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-070"},
		Plant: fromClient(kind("peer.send"), func(_ *Link, f *Frame) bool {
			f.Opcode, f.changed = OpBinary, true
			return true
		}),
	},
	{
		Name: "transport.client-any-answer", Text: "An answer to a message settles all that are open.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-071"},
		Plant: stateless(func(l *Link) {
			var open []int64
			l.OnClient = func(f *Frame) bool {
				if f.Is("peer.send") {
					open = append(open, f.ID)
				}
				return true
			}
			l.OnServer = func(f *Frame) bool {
				if !f.Is("peer.send.ok") {
					return true
				}
				for _, id := range open {
					if id != f.ID {
						l.Activate()
						twin := f.clone()
						twin.Set("id", id)
						l.Send(ToClient, twin)
					}
				}
				open = nil
				return true
			}
		}),
	},
}

// transportClientReturnFaults are broken clients: what they do when they come back.
var transportClientReturnFaults = []Fault{
	{
		Name: "transport.client-resumes-peers-from-zero", Text: "A resume asks for all peer messages of the session.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-061"},
		Plant:  resuming(func(resume map[string]json.RawMessage) { resume["peer_seq"] = json.RawMessage(`0`) }),
	},
	{
		Name: "transport.client-resumes-channels-from-before", Text: "A resume asks again for the last message of each channel.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-061"},
		Plant: resuming(func(resume map[string]json.RawMessage) {
			var cursors []cursor
			_ = json.Unmarshal(resume["channels"], &cursors)
			for i := range cursors {
				cursors[i].Seq--
			}
			resume["channels"], _ = json.Marshal(cursors)
		}),
	},
	{
		Name: "transport.client-resumes-no-session", Text: "A resume does not name the session.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-061"},
		Plant:  resuming(func(resume map[string]json.RawMessage) { resume["session"] = json.RawMessage(`""`) }),
	},
	{
		Name: "transport.client-resumes-no-channels", Text: "A resume names no channels.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-061"},
		Plant:  resuming(func(resume map[string]json.RawMessage) { delete(resume, "channels") }),
	},
	{
		Name: "transport.client-return-leaves", Text: "A client that comes back leaves the channels that it was in.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-062"},
		Plant: inRooms(func(l *Link, in rooms) {
			watch(l, every, func(f *Frame) bool {
				if resumed(f) {
					for channel := range in[f.Text("session")] {
						l.Activate()
						l.Request("channel.leave", map[string]any{"channel": channel})
					}
				}
				return !l.Own(f)
			})
		}),
	},
	{
		Name: "transport.client-stays-out", Text: "After the end of its session the client takes itself for a member of its channels.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-063"},
		Plant: stateless(func(l *Link) {
			returning := false
			l.OnClient = func(f *Frame) bool {
				returning = returning || f.Is("login") && f.Has("resume")
				if !returning || !f.Is("channel.join") {
					return true
				}
				l.Activate()
				l.ToClient(`{"kind":"channel.join.ok","id":%d,"seq":1,"count":1}`, f.ID)
				return false
			}
		}),
	},
	{
		Name: "transport.client-first-missed-lost", Text: "The first channel message that was missed is lost.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-064"},
		Plant:  losingFirstAfterResume("channel.message"),
	},
	{
		Name: "transport.client-held-lost", Text: "The first peer message that was missed is lost.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-064"},
		Plant:  losingFirstAfterResume("peer.message"),
	},
	{
		Name: "transport.client-held-twice", Text: "Peer messages that were missed are handed over twice.", Subject: Client,
		Breaks: []string{"RTM-TRANSPORT-064"},
		Plant: func(*Proxy) func(*Link) {
			own := make(insertions)
			return func(l *Link) {
				own.plant(l)
				back, inStep := false, l.OnServer
				l.OnServer = func(f *Frame) bool {
					back = back || resumed(f)
					if back && f.Is("peer.message") {
						l.Activate()
						own[l].last = f.Int("seq") - 1 + int64(len(own[l].at))
						own.insert(l, f.Text("from"), f.Text("text"))
					}
					return inStep(f)
				}
			}
		},
	},
}

// unaskedKinds are the kinds of frames that a server sends unasked.
var unaskedKinds = []string{
	"login.kicked", "token.will_expire", "peer.message", "channel.message", "channel.member_joined", "channel.member_left",
	"channel.member_count", "error",
}

// closingBetween picks close frames with a code of a range.
func closingBetween(first, last int) match {
	return func(f *Frame) bool {
		code, _ := f.CloseCode()
		return f.Opcode == OpClose && first <= code && code <= last
	}
}

// setLimits changes limits in a login answer.
func setLimits(f *Frame, changed map[string]any) {
	limits := make(map[string]any)
	f.Get("limits", &limits)
	for name, value := range changed {
		limits[name] = value
	}
	f.Set("limits", limits)
}

// otherIDs plants other ids of requests. The client gets each answer under the id that it has chosen.
func otherIDs(other func(id int64) int64) Plant {
	return stateless(func(l *Link) {
		own := make(map[int64]int64)
		l.OnClient = func(f *Frame) bool {
			if f.ID != 0 {
				l.Activate()
				id := f.ID
				f.Set("id", other(id))
				own[f.ID] = id
			}
			return true
		}
		l.OnServer = func(f *Frame) bool {
			if id := own[f.ID]; f.ID != 0 && id != 0 {
				f.Set("id", id)
			}
			return true
		}
	})
}

// losingFirstAfterResume plants the loss of the first frame of a kind behind the answer to a resume.
func losingFirstAfterResume(lost string) Plant {
	return stateless(func(l *Link) {
		back := false
		l.OnServer = func(f *Frame) bool {
			back = back || resumed(f)
			if !back || !f.Is(lost) {
				return true
			}
			back = false
			l.Activate()
			return false
		}
	})
}
