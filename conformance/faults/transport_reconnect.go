package faults

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// reconnectFaults are broken servers: lost links, resumes and what was missed.
var reconnectFaults = []Fault{
	{
		Name: "transport.resume-never", Text: "A resume is a fresh login.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-031"}, Plant: fromClient(kind("login").and(has("resume")), remove("resume")),
	},
	{
		Name: "transport.resume-new-session-id", Text: "A resumed session gets a new id.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-031"}, Plant: fromServer(resumed, func(_ *Link, f *Frame) bool {
			f.Set("session", f.Text("session")+"2")
			return true
		}),
	},
	{
		Name: "transport.grace-cut-told-as-left", Text: "The others are told at once that a user whose link broke has left.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-032"}, Plant: inRooms(func(l *Link, in rooms) {
			l.OnClientGone = func() bool {
				in.tell(l, "channel.member_left")
				return true
			}
		}),
	},
	{
		Name: "transport.grace-resume-told-as-joined", Text: "The others are told that a user who resumes has joined.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-032"}, Plant: inRooms(func(l *Link, in rooms) {
			watch(l, resumed, func(*Frame) bool {
				in.tell(l, "channel.member_joined")
				return true
			})
		}),
	},
	{
		Name: "transport.resume-channels-lost", Text: "A resumed session has left its channels.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-033"}, Plant: resuming(func(resume map[string]json.RawMessage) { delete(resume, "channels") }),
	},
	{
		Name: "transport.grace-for-ever", Text: "A user whose link broke stays online for ever.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-034"}, Plant: stateless(stayingOnline),
	},
	{
		Name: "transport.grace-message-kept-beyond", Text: "A message to a user who is offline is delivered at the next login.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-034"}, Plant: storingForOffline,
	},
	{
		Name: "transport.resume-ended-session-resumed", Text: "A session that has ended is said to be resumed.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-035"}, Plant: claiming(func(asker, owner string) bool { return asker == owner }),
	},
	{
		Name: "transport.resume-unknown-session-resumed", Text: "A session that never was is said to be resumed.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-042"}, Plant: claiming(func(_, owner string) bool { return owner == "" }),
	},
	{
		Name: "transport.resume-unknown-session-refused", Text: "A login that resumes a session that never was is refused.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-042"},
		Plant: fromServer(kind("login.ok").and(func(f *Frame) bool { return !f.Bool("resumed") }), func(l *Link, f *Frame) bool {
			if asked := l.Asked(f); asked == nil || !asked.Has("resume") {
				return true
			}
			return instead("error", map[string]any{"op": "login", "code": 1, "name": "LOGIN_ERR_UNKNOWN", "message": "no such session"})(l, f)
		}),
	},
	{
		Name: "transport.resume-session-of-another-resumed", Text: "Who knows the session of another user gets it.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-043"}, Plant: claiming(func(asker, owner string) bool { return owner != "" && asker != owner }),
	},
	{
		Name: "transport.resume-owner-of-the-session-closed", Text: "Who knows the session of another user ends that user's connection.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-043"}, Plant: owning(func(l *Link, _ *Frame, _, owner string) {
			if victim := l.Proxy.User(owner); victim != nil && owner != "" && owner != l.UID {
				l.Activate()
				victim.CloseClient(4203, "superseded")
			}
		}),
	},
	{
		Name: "transport.resume-old-connection-closed-with-4200", Text: "The connection that a resume takes over from is closed as a remote login.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-044"}, Plant: fromServer(closing(4203), recode(4200)),
	},
	{
		Name: "transport.resume-old-connection-stays", Text: "The connection that a resume takes over from stays open.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-044"}, Plant: stateless(func(l *Link) {
			superseded := false
			l.OnServer = func(f *Frame) bool {
				if closing(4203)(f) {
					superseded = true
					l.Activate()
				}
				return !superseded
			}
			l.OnServerGone = func() bool { return !superseded }
		}),
	},
	{
		Name: "transport.grace-login-resumes-unasked", Text: "A login without a resume gets the session in its grace back.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-045"}, Plant: resumingUnasked,
	},
	{
		Name: "transport.resume-channels-not-counted", Text: "The channels that a resume brought back do not count against the limit.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-046"}, Plant: afterResume(refusal("channel.join", 5), instead("channel.join.ok", map[string]any{"seq": 1, "count": 1})),
	},
	{
		Name: "transport.grace-return-not-told", Text: "A user who has been in a channel before joins it unnoticed.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-047"}, Plant: stateless(func(l *Link) {
			known := make(map[string]bool)
			watch(l, kind("channel.member_joined"), func(f *Frame) bool {
				who := f.Text("channel") + "/" + f.Text("uid")
				if known[who] {
					l.Activate()
					return false
				}
				known[who] = true
				return true
			})
		}),
	},
	{
		Name: "transport.resume-acknowledgement-refused", Text: "The acknowledgement of a message that a resume brought is closed as one that was never sent.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-048"}, Plant: stateless(func(l *Link) {
			back := false
			watch(l, resumed, func(*Frame) bool {
				back = true
				return true
			})
			l.OnClient = func(f *Frame) bool {
				if !back || !f.Is("peer.ack") {
					return true
				}
				l.Activate()
				return closingWith(4204)(l, f)
			}
		}),
	},
	{
		Name: "transport.resume-missing-not-listed", Text: "The answer to a resume does not list what is missing.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-049"}, Plant: fromServer(resumed, remove("missing")),
	},
	{
		Name: "transport.resume-missing-listed-twice", Text: "The answer to a resume lists what is missing as often as it was asked for.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-049"}, Plant: stateless(func(l *Link) {
			watch(l, match(resumed).and(has("missing")), func(f *Frame) bool {
				var missing, again []string
				f.Get("missing", &missing)
				for _, c := range namedIn(l.Asked(f)) {
					if slices.Contains(missing, c.Channel) {
						again = append(again, c.Channel)
					}
				}
				l.Activate()
				f.Set("missing", again)
				return true
			})
		}),
	},
	{
		Name: "transport.resume-bad-channel-not-missing", Text: "The answer to a resume leaves out what can be no channel.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-049"}, Plant: fromServer(match(resumed).and(has("missing")), func(_ *Link, f *Frame) bool {
			var missing []string
			f.Get("missing", &missing)
			f.Set("missing", slices.DeleteFunc(missing, func(id string) bool { return id == "null" }))
			return true
		}),
	},
	{
		Name: "transport.resume-last-of-two-cursors-counts", Text: "Of two cursors for one channel the last counts.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-083"}, Plant: cursors(func(named []cursor) []cursor {
			slices.Reverse(named)
			return named
		}),
	},
	{
		Name: "transport.resume-oldest-of-two-cursors-counts", Text: "Of two cursors for one channel the oldest counts.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-083"}, Plant: cursors(func(named []cursor) []cursor {
			slices.SortStableFunc(named, func(a, b cursor) int { return cmp.Compare(a.Seq, b.Seq) })
			return named
		}),
	},
	{
		Name: "transport.replay-of-everything-behind-0", Text: "A cursor of 0 replays all that is kept of the channel.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-084"}, Plant: cursors(func(named []cursor) []cursor {
			for i := range named {
				named[i].Seq = max(1, named[i].Seq)
			}
			return named
		}),
	},
	{
		Name: "transport.replay-of-everything-behind-the-future", Text: "A cursor above the channel's position replays all that is kept of the channel.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-084"}, Plant: cursors(func(named []cursor) []cursor {
			for i := range named {
				if named[i].Seq == 1<<53-1 {
					named[i].Seq = 1
				}
			}
			return named
		}),
	},
	{
		Name: "transport.resume-held-message-acknowledged", Text: "A resume may acknowledge a message that was only held.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-082"}, Plant: unwritten(func(_ *Link, _ *Frame, resume map[string]json.RawMessage, written int64) bool {
			resume["peer_seq"], _ = json.Marshal(written)
			return true
		}),
	},
	{
		Name: "transport.resume-held-message-acknowledged-and-lost", Text: "A resume that acknowledges a message that was only held is closed, and what it acknowledged is lost.",
		Subject: Server, Breaks: []string{"RTM-TRANSPORT-082"}, Plant: losingUnwritten,
	},
	{
		Name: "transport.resume-wild-acknowledgement-refused", Text: "A resume that acknowledges a message that was only held fails with an error.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-082"}, Plant: unwritten(func(l *Link, f *Frame, _ map[string]json.RawMessage, _ int64) bool {
			return l.refuse(f, 1, "LOGIN_ERR_UNKNOWN")
		}),
	},
	{
		Name: "transport.resume-unnamed-channels-kept", Text: "A resume keeps the channels that it does not name.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-050"}, Plant: inRooms(func(l *Link, in rooms) {
			l.OnClient = func(f *Frame) bool {
				changeResume(l, f, in.complete)
				return true
			}
		}),
	},
	{
		Name: "transport.resume-late-answer-lost", Text: "An answer that became known while the link was lost is not sent.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-051"},
		Plant: stateless(func(l *Link) {
			watch(l, kind("peer.send.ok"), func(f *Frame) bool {
				if l.Asked(f) != nil {
					return true
				}
				l.Activate()
				return false
			})
		}),
	},
	{
		Name: "transport.resume-first-held-message-lost", Text: "Of the messages that each sender sent during an outage the first is lost.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-036"}, Plant: stateless(func(l *Link) {
			heard := make(map[string]bool)
			losing := afterResume(kind("peer.message").and(func(f *Frame) bool { return !heard[f.Text("from")] }), func(_ *Link, f *Frame) bool {
				heard[f.Text("from")] = true
				return false
			})
			losing(l.Proxy)(l)
		}),
	},
	{
		Name: "transport.resume-peer-cursor-ignored", Text: "A resume repeats what its cursor says has been received.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-037"}, Plant: resuming(func(resume map[string]json.RawMessage) { delete(resume, "peer_seq") }),
	},
	{
		Name: "transport.replay-begins-one-too-late", Text: "The first channel message behind a cursor is not delivered.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-038", "RTM-TRANSPORT-041"}, Plant: stateless(losingFirstMessage),
	},
	{
		Name: "transport.replay-twice", Text: "Channel messages are delivered twice on resume.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-038"}, Plant: afterResume(kind("channel.message"), twice),
	},
	{
		Name: "transport.replay-out-of-order", Text: "Channel messages are delivered on resume out of order, every second one before the one that was sent first.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-038"}, Plant: stateless(func(l *Link) {
			var held *Frame
			swapping := afterResume(kind("channel.message"), func(_ *Link, f *Frame) bool {
				if held == nil {
					held = f.clone()
					return false
				}
				older := held
				held = nil
				return behind(l, f, older)
			})
			swapping(l.Proxy)(l)
		}),
	},
	{
		Name: "transport.replay-from-the-cursor-on", Text: "The channel message at the cursor is delivered again on resume.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-038"}, Plant: resuming(func(resume map[string]json.RawMessage) {
			var cursors []cursor
			_ = json.Unmarshal(resume["channels"], &cursors)
			for i := range cursors {
				cursors[i].Seq--
			}
			resume["channels"], _ = json.Marshal(cursors)
		}),
	},
	{
		Name: "transport.replay-more-than-announced", Text: "All channel messages of an outage are delivered, however many.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-039"}, Plant: replaying(func(uid string, login *Frame, sent []sentMessage) []sentMessage {
			sent = slices.DeleteFunc(sent, func(m sentMessage) bool { return m.from == uid })
			return sent[:max(0, len(sent)-int(limitOf(login, "replay_messages")))]
		}),
	},
	{
		Name: "transport.replay-older-than-announced", Text: "Channel messages are delivered behind a cursor however old they are.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-040"}, Plant: replaying(func(uid string, login *Frame, sent []sentMessage) []sentMessage {
			age := time.Duration(limitOf(login, "replay_ms")) * time.Millisecond
			return slices.DeleteFunc(sent, func(m sentMessage) bool { return m.from == uid || time.Since(m.at) <= age })
		}),
	},
	{
		Name: "transport.replay-own-messages", Text: "A user's own channel messages are among those delivered on resume.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-052"}, Plant: replaying(func(uid string, _ *Frame, sent []sentMessage) []sentMessage {
			return slices.DeleteFunc(sent, func(m sentMessage) bool { return m.from != uid })
		}),
	},
	{
		Name: "transport.resume-alters-the-next-message", Text: "After a resume the next channel message to the user is altered.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-075"},
		Plant: stateless(func(l *Link) {
			alter := false
			l.OnServer = func(f *Frame) bool {
				switch {
				case f.Is("login.ok"):
					alter = f.Bool("resumed")
				case alter && f.Is("channel.message"):
					alter = false
					l.Activate()
					f.Set("text", f.Text("text")+" and more")
				}
				return true
			}
		}),
	},
}
