package faults

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// This file holds what faults about lost links know of sessions: who is in which channel, who owned which session, and
// what was sent.

// resumed picks the answers to logins that brought a session back.
func resumed(f *Frame) bool { return f.Is("login.ok") && f.Bool("resumed") }

func has(name string) func(f *Frame) bool { return func(f *Frame) bool { return f.Has(name) } }

// watch lets a hook see the server's frames that match, after the hooks that the link has already.
func watch(l *Link, m match, hook func(f *Frame) bool) {
	before := l.OnServer
	l.OnServer = func(f *Frame) bool {
		if before != nil && !before(f) {
			return false
		}
		return !m(f) || hook(f)
	}
}

// afterResume plants a rewriting of the server's frames that match, on connections that have resumed a session.
func afterResume(m match, rewrite func(l *Link, f *Frame) bool) Plant {
	return stateless(func(l *Link) {
		back := false
		l.OnServer = func(f *Frame) bool {
			back = back || resumed(f)
			if !back || !m(f) {
				return true
			}
			l.Activate()
			return rewrite(l, f)
		}
	})
}

// resuming plants a change of what a login asks to resume.
func resuming(change func(resume map[string]json.RawMessage)) Plant {
	return stateless(func(l *Link) {
		l.OnClient = func(f *Frame) bool {
			changeResume(l, f, change)
			return true
		}
	})
}

func changeResume(l *Link, f *Frame, change func(resume map[string]json.RawMessage)) {
	resume := make(map[string]json.RawMessage)
	if f.Is("login") && f.Get("resume", &resume) {
		l.Activate()
		change(resume)
		f.Set("resume", resume)
	}
}

// cursor is a place in a channel, as a resume names it.
type cursor struct {
	Channel string `json:"channel"`
	Seq     int64  `json:"seq"`
}

// namedIn are the cursors that a login names for the channels of its resume.
func namedIn(login *Frame) []cursor {
	var resume struct{ Channels []cursor }
	if login == nil || !login.Get("resume", &resume) {
		return nil
	}
	return resume.Channels
}

// cursors plants a change of the cursors that a resume names.
func cursors(change func(named []cursor) []cursor) Plant {
	return resuming(func(resume map[string]json.RawMessage) {
		var named []cursor
		_ = json.Unmarshal(resume["channels"], &named)
		resume["channels"], _ = json.Marshal(change(named))
	})
}

// unwritten plants a rewriting of logins that acknowledge a peer message which the server has not written; written is the
// last that it has. The rewriting may change what is resumed, and returns false to swallow the login.
func unwritten(rewrite func(l *Link, f *Frame, resume map[string]json.RawMessage, written int64) bool) Plant {
	return func(*Proxy) func(*Link) {
		written := make(map[string]int64) // by session
		return func(l *Link) {
			watch(l, kind("peer.message"), func(f *Frame) bool {
				written[l.Session] = max(written[l.Session], f.Int("seq"))
				return true
			})
			l.OnClient = func(f *Frame) bool {
				var asked struct {
					Session string
					PeerSeq int64 `json:"peer_seq"`
				}
				if !f.Is("login") || !f.Get("resume", &asked) || asked.PeerSeq <= written[asked.Session] {
					return true
				}
				l.Activate()
				pass := true
				changeResume(l, f, func(resume map[string]json.RawMessage) { pass = rewrite(l, f, resume, written[asked.Session]) })
				return pass
			}
		}
	}
}

// losingUnwritten loses the peer messages that a resume was closed for acknowledging.
func losingUnwritten(p *Proxy) func(*Link) {
	lost := int64(0)
	plant := unwritten(func(_ *Link, _ *Frame, resume map[string]json.RawMessage, _ int64) bool {
		_ = json.Unmarshal(resume["peer_seq"], &lost)
		return true
	})(p)
	return func(l *Link) {
		plant(l)
		watch(l, kind("peer.message").and(func(f *Frame) bool { return f.Int("seq") <= lost }), func(*Frame) bool { return false })
	}
}

// rooms are the channels of each session, with the place at which it joined.
type rooms map[string]map[string]int64

// inRooms plants hooks that know who is in which channel.
func inRooms(hooks func(l *Link, in rooms)) Plant {
	return func(*Proxy) func(*Link) {
		in := make(rooms)
		return func(l *Link) {
			watch(l, kind("channel.join.ok", "channel.leave.ok", "logout.ok"), func(f *Frame) bool {
				in.learn(l, f)
				return true
			})
			hooks(l, in)
		}
	}
}

func (in rooms) learn(l *Link, f *Frame) {
	asked := l.Asked(f)
	if asked == nil {
		return
	}
	if in[l.Session] == nil {
		in[l.Session] = make(map[string]int64)
	}
	switch f.Kind {
	case "channel.join.ok":
		in[l.Session][asked.Text("channel")] = f.Int("seq")
	case "channel.leave.ok":
		delete(in[l.Session], asked.Text("channel"))
	case "logout.ok":
		delete(in, l.Session)
	}
}

// others calls a function for each open connection of another user in each channel of the link's session.
func (in rooms) others(l *Link, do func(other *Link, channel string)) {
	for _, other := range l.Proxy.Links() {
		for channel := range in[l.Session] {
			if _, shared := in[other.Session][channel]; shared && other.UID != l.UID {
				do(other, channel)
			}
		}
	}
}

// tell tells the others an event about the link's user.
func (in rooms) tell(l *Link, event string) {
	in.others(l, func(other *Link, channel string) {
		l.Activate()
		other.ToClient(`{"kind":%q,"channel":%q,"uid":%q}`, event, channel, l.UID)
	})
}

// complete adds to a resume the channels of the session that it does not name.
func (in rooms) complete(resume map[string]json.RawMessage) {
	var session string
	var cursors []cursor
	_ = json.Unmarshal(resume["session"], &session)
	_ = json.Unmarshal(resume["channels"], &cursors)
	for _, channel := range slices.Sorted(maps.Keys(in[session])) {
		if !slices.ContainsFunc(cursors, func(c cursor) bool { return c.Channel == channel }) {
			cursors = append(cursors, cursor{channel, in[session][channel]})
		}
	}
	resume["channels"], _ = json.Marshal(cursors)
}

// owning plants a hook that sees the answer to a login that asked for a session and did not get it, with the user who
// had that session, or "".
func owning(refused func(l *Link, answer *Frame, session, owner string)) Plant {
	return func(*Proxy) func(*Link) {
		owners := make(map[string]string)
		return func(l *Link) {
			watch(l, kind("login.ok"), func(f *Frame) bool {
				owners[f.Text("session")] = l.UID
				var resume struct{ Session string }
				if asked := l.Asked(f); asked != nil && asked.Get("resume", &resume) && !f.Bool("resumed") {
					refused(l, f, resume.Session, owners[resume.Session])
				}
				return true
			})
		}
	}
}

// claiming plants the claim that a session was resumed which was not, when asker and owner are as the condition says.
func claiming(condition func(asker, owner string) bool) Plant {
	return owning(func(l *Link, answer *Frame, session, owner string) {
		if condition(l.UID, owner) {
			l.Activate()
			answer.Set("session", session)
			answer.Set("resumed", true)
		}
	})
}

// resumingUnasked makes every login of a user whose link broke a resume.
func resumingUnasked(*Proxy) func(*Link) {
	in, lost := make(rooms), make(map[string]string)
	return func(l *Link) {
		watch(l, kind("channel.join.ok", "channel.leave.ok", "logout.ok"), func(f *Frame) bool {
			in.learn(l, f)
			return true
		})
		l.OnClientGone = func() bool {
			lost[l.UID] = l.Session
			return true
		}
		l.OnClient = func(f *Frame) bool {
			if session := lost[f.Text("uid")]; f.Is("login") && !f.Has("resume") && session != "" {
				l.Activate()
				f.Set("resume", map[string]any{"session": session, "peer_seq": 0})
				changeResume(l, f, in.complete)
			}
			return true
		}
	}
}

// stayingOnline keeps the server from knowing that a client has gone, by pinging for it.
func stayingOnline(l *Link) {
	interval, over := time.Duration(0), false
	l.OnServer = func(f *Frame) bool {
		if f.Is("login.ok") {
			interval = time.Duration(limitOf(f, "ping_interval_ms")) * time.Millisecond
		}
		return !l.Own(f)
	}
	l.OnServerGone = func() bool {
		over = true
		return true
	}
	var ping func()
	ping = func() {
		if !over {
			l.Request("ping", nil)
			l.After(interval, ping)
		}
	}
	l.OnClientGone = func() bool {
		if over || interval == 0 {
			return true
		}
		l.Activate()
		ping()
		return false
	}
}

// storingForOffline keeps the peer messages that were not received and delivers them at the receiver's next login.
func storingForOffline(*Proxy) func(*Link) {
	stored := make(map[string][]*Frame)
	return func(l *Link) {
		delivered := 0
		l.OnClient = func(f *Frame) bool {
			// The server has not sent what it would be told was received.
			if f.Is("peer.ack") && delivered > 0 {
				delivered--
				return false
			}
			return true
		}
		l.OnServer = func(f *Frame) bool {
			asked := l.Asked(f)
			switch {
			case asked == nil:
			case f.Is("peer.send.ok") && !f.Bool("received"):
				message := asked.clone()
				message.Set("from", l.UID)
				stored[asked.Text("to")] = append(stored[asked.Text("to")], message)
			case f.Is("login.ok") && !f.Bool("resumed") && len(stored[l.UID]) > 0:
				l.Send(ToClient, f.clone())
				for _, m := range stored[l.UID] {
					l.Activate()
					delivered++
					l.ToClient(`{"kind":"peer.message","seq":%d,"from":%q,"ts":%d,"text":%s}`,
						delivered, m.Text("from"), time.Now().UnixMilli(), m.members["text"])
				}
				delete(stored, l.UID)
				return false
			}
			return true
		}
	}
}

// losingFirstMessage loses the first channel message behind each cursor.
func losingFirstMessage(l *Link) {
	due := make(map[string]bool)
	l.OnServer = func(f *Frame) bool {
		for channel := range askedBehind(l, f) {
			due[channel] = true
		}
		if channel := f.Text("channel"); f.Is("channel.message") && due[channel] {
			l.Activate()
			delete(due, channel)
			return false
		}
		return true
	}
}

// askedBehind returns the cursors of the request that an answer grants a replay for.
func askedBehind(l *Link, answer *Frame) map[string]int64 {
	asked := l.Asked(answer)
	if asked == nil {
		return nil
	}
	behind := make(map[string]int64)
	if answer.Is("channel.join.ok") && asked.Has("after") {
		behind[asked.Text("channel")] = asked.Int("after")
	}
	var resume struct{ Channels []cursor }
	if resumed(answer) && asked.Get("resume", &resume) {
		for _, c := range resume.Channels {
			behind[c.Channel] = c.Seq
		}
	}
	return behind
}

// sentMessage is a message that was sent to a channel.
type sentMessage struct {
	from string
	text json.RawMessage
	at   time.Time
}

// replaying plants further messages in front of what the server replays of a channel: those that pick leaves of all that
// were sent to it. It is given the user who gets them, and the answer to that user's login.
func replaying(pick func(uid string, login *Frame, sent []sentMessage) []sentMessage) Plant {
	return func(*Proxy) func(*Link) {
		sent := make(map[string][]sentMessage)
		return func(l *Link) {
			var login *Frame
			l.OnServer = func(f *Frame) bool {
				if asked := l.Asked(f); f.Is("channel.send.ok") && asked != nil {
					channel := asked.Text("channel")
					sent[channel] = append(sent[channel], sentMessage{l.UID, asked.members["text"], time.Now()})
				}
				if f.Is("login.ok") {
					login = f.clone()
				}
				more := false
				for channel, seq := range askedBehind(l, f) {
					for _, m := range pick(l.UID, login, slices.Clone(sent[channel])) {
						if !more {
							l.Send(ToClient, f.clone())
						}
						more = true
						seq++
						l.Activate()
						l.ToClient(`{"kind":"channel.message","channel":%q,"from":%q,"seq":%d,"ts":%d,"text":%s}`,
							channel, m.from, seq, m.at.UnixMilli(), m.text)
					}
				}
				return !more
			}
		}
	}
}
