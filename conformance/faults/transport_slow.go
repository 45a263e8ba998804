package faults

// slowFaults are broken servers: clients that do not read.
var slowFaults = []Fault{
	{
		Name: "transport.slow-member-holds-up-its-channel", Text: "While one member does not read, the others get no channel messages.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-073"}, Plant: stateless(func(l *Link) {
			queueing(l, func(f *Frame) bool {
				for _, other := range l.Proxy.Links() {
					if other != l && f.Is("channel.message") && other.slow() {
						l.Activate()
						return false
					}
				}
				return true
			})
		}),
	},
	{
		Name: "transport.slow-messages-dropped", Text: "Channel messages for a client that reads too slowly are dropped, and it stays connected.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-074"}, Plant: stateless(func(l *Link) {
			queueing(l, func(f *Frame) bool {
				if !f.Is("channel.message") || !l.slow() {
					return true
				}
				l.Activate()
				return false
			})
		}),
	},
	{
		Name: "transport.slow-closed-as-overload", Text: "A client that reads too slowly is closed as if the server were overloaded.", Subject: Server,
		Breaks: []string{"RTM-TRANSPORT-074"}, Plant: stateless(func(l *Link) {
			queueing(l, func(f *Frame) bool {
				if f.Is("channel.message") && l.slow() {
					l.Activate()
					l.CloseClient(4101, "overloaded")
				}
				return true
			})
		}),
	},
}

// slowBytes are how many bytes wait for a client when the faults call it slow: more than wait for a moment behind a burst.
const slowBytes = 1 << 20

// slow tells whether the client reads too slowly for what is sent to it.
func (l *Link) slow() bool { return len(l.queues[index(ToClient)].pending) > slowBytes }

// queueing takes every frame of the server off its hands at once, so that the server never meets a slow reader, and
// passes on those that keep wants.
func queueing(l *Link, keep func(f *Frame) bool) {
	var waiting []*Frame
	send := func() {
		for _, f := range waiting {
			l.Send(ToClient, f)
		}
		waiting = nil
	}
	l.OnServer = func(f *Frame) bool {
		if keep(f) {
			if waiting = append(waiting, f.clone()); len(waiting) == 1 {
				// A hook's own link is written before the next frame is read; a timer's is not waited for.
				l.After(0, send)
			}
		}
		return false
	}
	l.OnServerGone = func() bool {
		send()
		return true
	}
}
