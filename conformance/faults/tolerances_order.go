package faults

import (
	"slices"
	"time"
)

// orderTolerances are odd and legal subjects too: those that take their time, change an order or leave gaps.
var orderTolerances = []Tolerance{
	{
		Name: "slow", Text: "Everything that the server sends takes 2 ms more; no clause says how long a frame may take.", Subject: Server,
		Plant: stateless(func(l *Link) {
			const delay = 2 * time.Millisecond
			var line []*Frame // nil stands for the end of the connection
			next := func() {
				first := line[0]
				if line = line[1:]; first != nil {
					l.Send(ToClient, first)
				} else {
					l.endClient()
				}
			}
			// The timers may fire in any order; each lets the first in line go.
			l.OnServer = func(f *Frame) bool {
				l.Activate()
				line = append(line, f.clone())
				l.After(delay, next)
				return false
			}
			l.OnServerGone = func() bool {
				line = append(line, nil)
				l.After(delay, next)
				return false
			}
		}),
	},
	{
		Name: "answers-overtake", Text: "Answers to requests that were sent closely come in the reverse order (answers).", Subject: Server,
		Plant: stateless(func(l *Link) {
			const pause = 1 * time.Millisecond
			var held []*Frame
			release := func() {
				for _, answer := range held {
					l.Send(ToClient, answer)
				}
				held = nil
			}
			l.OnServer = func(f *Frame) bool {
				switch {
				case f.Is("login.ok", "logout.ok", "login.kicked"), f.Opcode == OpClose:
					// What is behind these belongs to another session, or is behind the last frame.
					release()
					return true
				case f.ID == 0 || l.Asked(f) == nil || f.Is("channel.join.ok"):
					// The messages of a channel follow the answer to the join, so that one does not wait.
					return true
				}
				if len(held) == 0 {
					l.After(pause, func() {
						slices.Reverse(held)
						release()
					})
				} else {
					l.Activate()
				}
				held = append(held, f.clone())
				return false
			}
			l.OnServerGone = func() bool {
				release()
				return true
			}
		}),
	},
	{
		Name: "seq-gaps", Text: "There are large gaps between the numbers of a channel (channel-message).", Subject: Server,
		Plant: func(*Proxy) func(*Link) {
			const gap = 1000
			// The first number that is seen of a channel stays as it is.
			first := make(map[string]int64)
			spread := func(channel string, f *Frame) {
				seq := f.Int("seq")
				if first[channel] == 0 {
					first[channel] = seq
				}
				f.Set("seq", first[channel]+(seq-first[channel])*gap)
			}
			back := func(channel string, cursor int64) int64 {
				if first[channel] == 0 || cursor <= first[channel] {
					return cursor
				}
				return first[channel] + (cursor-first[channel])/gap
			}
			return func(l *Link) {
				l.OnServer = func(f *Frame) bool {
					switch asked := l.Asked(f); {
					case f.Is("channel.message"):
						l.Activate()
						spread(f.Text("channel"), f)
					case f.Is("channel.join.ok") && asked != nil:
						spread(asked.Text("channel"), f)
					}
					return true
				}
				l.OnClient = func(f *Frame) bool {
					if f.Is("channel.join") && f.Int("after") > 0 {
						f.Set("after", back(f.Text("channel"), f.Int("after")))
					}
					var resume struct {
						Session  string `json:"session"`
						PeerSeq  int64  `json:"peer_seq"`
						Channels []*struct {
							Channel string `json:"channel"`
							Seq     int64  `json:"seq"`
						} `json:"channels"`
					}
					if f.Is("login") && f.Get("resume", &resume) && len(resume.Channels) > 0 {
						for _, cursor := range resume.Channels {
							if cursor != nil { // null is the suite's to judge
								cursor.Seq = back(cursor.Channel, cursor.Seq)
							}
						}
						f.Set("resume", resume)
					}
					return true
				}
			}
		},
	},
	{
		Name: "one-held", Text: "One message is held for a user whose link is lost, and later ones are not (peer-held).", Subject: Server,
		Plant: func(p *Proxy) func(*Link) {
			type user struct{ app, uid string }
			// away counts the messages to users whose link ended without a logout or an eviction.
			away := make(map[user]int)
			return func(l *Link) {
				ended := false
				gone := func() bool {
					if newest := p.User(l.UID); !ended && l.UID != "" && (newest == nil || newest == l) {
						away[user{l.App, l.UID}] = 1
					}
					return true
				}
				l.OnClientGone, l.OnServerGone = gone, gone
				l.OnServer = func(f *Frame) bool {
					switch {
					case f.Is("login.ok"):
						delete(away, user{l.App, l.UID})
					case f.Is("logout.ok", "login.kicked"):
						ended = true
					}
					return true
				}
				l.OnClient = func(f *Frame) bool {
					to := user{l.App, f.Text("to")}
					if l.UID == "" || !f.Is("peer.send") || !f.Has("text") || f.Has("raw") || f.Has("description") || away[to] == 0 {
						return true
					}
					if away[to]++; away[to] == 2 {
						return true
					}
					l.Activate()
					l.Send(ToClient, compose("peer.send.ok", map[string]any{"id": f.ID, "received": false}))
					return false
				}
			}
		},
	},
}

// endClient ends the client's connection behind everything that it was sent.
func (l *Link) endClient() {
	l.queues[index(ToClient)].closing = true
	l.Proxy.written[writing{l, ToClient}] = true
}
