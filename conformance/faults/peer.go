package faults

import "time"

// peerFaults are broken servers: the receipts of peer messages, and who gets them.
var peerFaults = []Fault{
	{
		Name: "peer.never-received", Text: "A message that was acknowledged is answered with received false.", Subject: Server,
		Breaks: []string{"RTM-PEER-001"},
		Plant:  fromServer(received(true), set("received", false)),
	},
	{
		Name: "peer.of-strangers-refused", Text: "A message is refused when its receiver has never written to the sender.", Subject: Server,
		Breaks: []string{"RTM-PEER-001"},
		Plant: func(*Proxy) func(*Link) {
			type pair struct{ from, to string }
			wrote := make(map[pair]bool)
			return func(l *Link) {
				l.OnServer = func(f *Frame) bool {
					sent := l.Asked(f)
					switch {
					case f.Is("peer.message"):
						wrote[pair{f.Text("from"), l.UID}] = true
					case sent != nil && received(true)(f) && !wrote[pair{sent.Text("to"), l.UID}]:
						l.Activate()
						return instead("error", map[string]any{
							"op": "peer.send", "code": 1, "name": "PEER_MESSAGE_ERR_FAILURE", "message": "the two do not know each other",
						})(l, f)
					}
					return true
				}
			}
		},
	},
	{
		Name: "peer.offline-received", Text: "A message to a user who is offline is answered with received true.", Subject: Server,
		Breaks: []string{"RTM-PEER-002"},
		Plant:  fromServer(received(false), set("received", true)),
	},
	{
		Name: "peer.offline-is-an-error", Text: "A message to a user who is offline is answered with an error.", Subject: Server,
		Breaks: []string{"RTM-PEER-002"},
		Plant:  fromServer(received(false), timeout),
	},
	{
		Name: "peer.written-is-received", Text: "A message is answered with received true once it was written to the receiver.", Subject: Server,
		Breaks: []string{"RTM-PEER-003", "RTM-PEER-004", "RTM-PEER-026"},
		Plant: func(p *Proxy) func(*Link) {
			open := newReceipts(p)
			return func(l *Link) {
				open.plant(l)
				l.OnServer = before(l.OnServer, func(f *Frame) {
					if !f.Is("peer.message") {
						return
					}
					if sender, id := open.oldest(l, f.Text("from")); sender != nil {
						l.Activate()
						sender.ToClient(`{"kind":"peer.send.ok","id":%d,"received":true}`, id)
						open.answered(sender, id)
					}
				})
			}
		},
	},
	{
		Name: "peer.timeout-is-not-received", Text: "A message that was not acknowledged in time is answered with received false.", Subject: Server,
		Breaks: []string{"RTM-PEER-004"},
		Plant:  fromServer(refusal("peer.send", 2), instead("peer.send.ok", map[string]any{"received": false})),
	},
	{
		Name: "peer.ack-of-one-message", Text: "An acknowledgement covers only the oldest message that has none.", Subject: Server,
		Breaks: []string{"RTM-PEER-005"},
		Plant: stateless(func(l *Link) {
			acked, last := int64(0), int64(0)
			l.OnServer = func(f *Frame) bool {
				if f.Is("peer.message") {
					last = f.Int("seq")
				}
				return true
			}
			l.OnClient = func(f *Frame) bool {
				if !f.Is("peer.ack") {
					return true
				}
				if f.Int("seq") > acked+1 && f.Int("seq") <= last {
					l.Activate()
					f.Set("seq", acked+1)
				}
				acked = f.Int("seq")
				return true
			}
		}),
	},
	{
		Name: "peer.one-receiver-at-a-time", Text: "A message waits while one to another receiver is unanswered.", Subject: Server,
		Breaks: []string{"RTM-PEER-022"},
		Plant: stateless(func(l *Link) {
			var waiting []*Frame
			open := make(map[int64]string)
			l.OnClient = func(f *Frame) bool {
				if !f.Is("peer.send") {
					return true
				}
				for _, to := range open {
					if to != f.Text("to") {
						l.Activate()
						waiting = append(waiting, f.clone())
						return false
					}
				}
				open[f.ID] = f.Text("to")
				return true
			}
			l.OnServer = func(f *Frame) bool {
				delete(open, f.ID)
				for len(open) == 0 && len(waiting) > 0 {
					open[waiting[0].ID] = waiting[0].Text("to")
					l.Send(ToServer, waiting[0])
					waiting = waiting[1:]
				}
				return true
			}
		}),
	},
	{
		Name: "peer.ack-of-anything", Text: "An acknowledgement of a message that was never sent is taken for the last one.", Subject: Server,
		Breaks: []string{"RTM-PEER-023"},
		Plant: neverSent(func(l *Link, f *Frame, last int64) bool {
			f.Set("seq", last)
			return true
		}),
	},
	{
		Name: "peer.wild-ack-confirms", Text: "An acknowledgement of a message that was never sent closes the connection and confirms all others.", Subject: Server,
		Breaks: []string{"RTM-PEER-023"},
		Plant: neverSent(func(l *Link, _ *Frame, last int64) bool {
			l.ToServer(`{"kind":"peer.ack","seq":%d}`, last)
			return true
		}),
	},
	{
		Name: "peer.wild-ack-is-a-retry", Text: "After an acknowledgement of a message that was never sent the connection is closed with 4002.", Subject: Server,
		Breaks: []string{"RTM-PEER-023"},
		Plant: neverSent(func(l *Link, f *Frame, _ int64) bool {
			l.CloseClient(4002, "internal")
			return true
		}),
	},
	{
		Name: "peer.sent-at-any-rate", Text: "Messages above the announced rate are sent.", Subject: Server,
		Breaks: []string{"RTM-PEER-024"},
		Plant:  fromServer(refusal("peer.send", 5), instead("peer.send.ok", map[string]any{"received": true})),
	},
	{
		Name: "peer.sent-less-often", Text: "The last of the messages that the announced rate allows is refused.", Subject: Server,
		Breaks: []string{"RTM-PEER-024"},
		Plant:  tooStrict("peer.send", "send", 5, "PEER_MESSAGE_ERR_TOO_OFTEN"),
	},
	{
		Name: "peer.lost-link-received", Text: "A message to a user whose link was lost is answered with received true.", Subject: Server,
		Breaks: []string{"RTM-PEER-025"},
		Plant:  toLost(set("received", true)),
	},
	{
		Name: "peer.lost-link-is-a-timeout", Text: "A message to a user whose link was lost is answered with a timeout.", Subject: Server,
		Breaks: []string{"RTM-PEER-025"},
		Plant:  toLost(timeout),
	},
	{
		Name: "peer.logout-is-received", Text: "A logout acknowledges the messages that the user was given.", Subject: Server,
		Breaks: []string{"RTM-PEER-026"},
		Plant:  atLogout(set("received", true)),
	},
	{
		Name: "peer.logout-is-a-timeout", Text: "A message to a user who logs out without an acknowledgement is answered with a timeout.", Subject: Server,
		Breaks: []string{"RTM-PEER-026"},
		Plant:  atLogout(timeout),
	},
	{
		Name: "peer.to-everybody", Text: "A peer message reaches every user of the app.", Subject: Server,
		Breaks: []string{"RTM-PEER-010"},
		Plant: func(*Proxy) func(*Link) {
			extra := make(insertions)
			return func(l *Link) {
				extra.plant(l)
				l.OnServer = before(l.OnServer, func(f *Frame) {
					for _, other := range l.Proxy.Links() {
						if f.Is("peer.message") && other != l && other.UID != "" && other.App == l.App && other.UID != f.Text("from") {
							l.Activate()
							extra.insert(other, f.Text("from"), f.Text("text"))
						}
					}
				})
			}
		},
	},
	{
		Name: "peer.kept-for-later", Text: "A message to a user who is offline is delivered at the next login.", Subject: Server,
		Breaks: []string{"RTM-PEER-019"},
		Plant: func(*Proxy) func(*Link) {
			extra := make(insertions)
			type message struct{ from, text string }
			kept := make(map[string][]message)
			return func(l *Link) {
				extra.plant(l)
				next := l.OnServer
				l.OnServer = func(f *Frame) bool {
					if sent := l.Asked(f); sent != nil && received(false)(f) {
						kept[sent.Text("to")] = append(kept[sent.Text("to")], message{l.UID, sent.Text("text")})
					}
					if !f.Is("login.ok") || f.Bool("resumed") || len(kept[l.UID]) == 0 {
						return next(f)
					}
					l.Activate()
					l.Send(ToClient, f.clone())
					for _, late := range kept[l.UID] {
						extra.insert(l, late.from, late.text)
					}
					delete(kept, l.UID)
					return false
				}
			}
		},
	},
	{
		Name: "peer.two-workers", Text: "Of two messages that follow each other closely the second arrives first.", Subject: Server,
		Breaks: []string{"RTM-PEER-020"},
		Plant: stateless(func(l *Link) {
			var held *Frame
			release := func() {
				if held != nil {
					l.Send(ToServer, held)
					held = nil
				}
			}
			l.OnClient = func(f *Frame) bool {
				switch {
				case !f.Is("peer.send"):
					release()
				case held == nil:
					own := f.clone()
					held = own
					// A message that none follows is late and not lost.
					l.After(50*time.Millisecond, func() {
						if held == own {
							release()
						}
					})
					return false
				default:
					l.Activate()
					l.Send(ToServer, f.clone())
					release()
					return false
				}
				return true
			}
		}),
	},
	{
		Name: "peer.numbered-from-0", Text: "The peer messages of a session are numbered from 0.", Subject: Server,
		Breaks: []string{"RTM-PEER-021"},
		Plant:  renumbered(func(seq int64) int64 { return seq - 1 }, func(seq int64) int64 { return seq + 1 }),
	},
	{
		Name: "peer.numbers-skip-one", Text: "The number 2 is left out where peer messages are numbered.", Subject: Server,
		Breaks: []string{"RTM-PEER-021"},
		Plant: renumbered(func(seq int64) int64 {
			if seq > 1 {
				return seq + 1
			}
			return seq
		}, func(seq int64) int64 {
			if seq > 2 {
				return seq - 1
			}
			return seq
		}),
	},
}

// received picks receipts with this answer.
func received(yes bool) match {
	return kind("peer.send.ok").and(func(f *Frame) bool { return f.Has("received") && f.Bool("received") == yes })
}

// timeout is the rewriting of a receipt into the error that the outcome is unknown.
func timeout(l *Link, f *Frame) bool {
	return instead("error", map[string]any{
		"op": "peer.send", "code": 2, "name": "PEER_MESSAGE_ERR_TIMEOUT", "message": "no acknowledgement came",
	})(l, f)
}

// neverSent plants something that is done about an acknowledgement of a message that was never sent; last is the seq of
// the last one that was.
func neverSent(do func(l *Link, f *Frame, last int64) bool) Plant {
	return stateless(func(l *Link) {
		last := int64(0)
		l.OnServer = func(f *Frame) bool {
			if f.Is("peer.message") {
				last = f.Int("seq")
			}
			return true
		}
		l.OnClient = func(f *Frame) bool {
			if !f.Is("peer.ack") || f.Int("seq") <= last {
				return true
			}
			l.Activate()
			return do(l, f, last)
		}
	})
}

// toLost plants a rewriting of the receipts of messages that were sent to a user whose link was lost, once the server
// knows of the loss.
func toLost(rewrite func(*Link, *Frame) bool) Plant {
	return func(*Proxy) func(*Link) {
		lost, known := make(map[string]bool), make(map[string]bool)
		late := make(map[*Frame]bool)
		return func(l *Link) {
			ended := false
			l.OnClient = func(f *Frame) bool {
				if f.Is("peer.send") && known[f.Text("to")] {
					late[l.Asked(f)] = true
				}
				return true
			}
			l.OnServer = func(f *Frame) bool {
				sent := l.Asked(f)
				switch {
				case f.Is("login.ok"):
					delete(lost, l.UID)
					delete(known, l.UID)
				case f.Is("login.kicked", "logout.ok"):
					ended = true
				case received(false)(f) && late[sent]:
					l.Activate()
					return rewrite(l, f)
				case received(false)(f) && sent != nil && lost[sent.Text("to")]:
					known[sent.Text("to")] = true
				}
				return true
			}
			l.OnClientGone = func() bool {
				if l.UID != "" && !ended {
					lost[l.UID] = true
				}
				return true
			}
		}
	}
}

// atLogout plants a rewriting of the receipts of messages that were under way when their receiver asked to log out.
func atLogout(rewrite func(*Link, *Frame) bool) Plant {
	return func(p *Proxy) func(*Link) {
		open := newReceipts(p)
		late := make(map[*Frame]bool)
		return func(l *Link) {
			open.plant(l)
			l.OnClient = before(l.OnClient, func(f *Frame) {
				if f.Is("logout") {
					for _, sent := range open.of(l) {
						late[sent] = true
					}
				}
			})
			next := l.OnServer
			l.OnServer = func(f *Frame) bool {
				next(f)
				if !received(false)(f) || !late[l.Asked(f)] {
					return true
				}
				l.Activate()
				return rewrite(l, f)
			}
		}
	}
}
