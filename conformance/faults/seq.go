package faults

import "time"

// renumbered plants other seqs; see [seqs].
func renumbered(toClient, toServer func(seq int64) int64) Plant {
	return stateless(func(l *Link) {
		seqs(l, toClient, toServer)
		l.OnServer = before(l.OnServer, func(f *Frame) {
			if f.Is("peer.message") && toClient(f.Int("seq")) != f.Int("seq") {
				l.Activate()
			}
		})
	})
}

// seqs renumbers the peer messages of a link: what the client sees is toClient of the server's seq, and what it
// acknowledges is given to the server as toServer of it, where 0 swallows the acknowledgement.
func seqs(l *Link, toClient, toServer func(seq int64) int64) {
	l.OnServer = func(f *Frame) bool {
		if f.Is("peer.message") {
			f.Set("seq", toClient(f.Int("seq")))
		}
		return true
	}
	l.OnClient = func(f *Frame) bool {
		if !f.Is("peer.ack") {
			return true
		}
		seq := toServer(f.Int("seq"))
		f.Set("seq", seq)
		return seq > 0
	}
}

// insertions are the peer messages that the proxy has put among those of the server.
type insertions map[*Link]*inserted

type inserted struct {
	last int64   // the highest seq that the client has seen
	at   []int64 // the seqs of the messages of the proxy
}

// plant keeps the seqs of a link in step.
func (i insertions) plant(l *Link) {
	own := new(inserted)
	i[l] = own
	seqs(l, func(seq int64) int64 {
		own.last = seq + int64(len(own.at))
		return own.last
	}, func(seq int64) int64 {
		server := seq
		for _, at := range own.at {
			if at <= seq {
				server--
			}
		}
		return server
	})
}

// insert delivers a peer message to a link, before the frame that is being looked at.
func (i insertions) insert(l *Link, from, text string) {
	own := i[l]
	own.last++
	own.at = append(own.at, own.last)
	message := newFrame([]byte(`{"kind":"peer.message"}`))
	message.Set("seq", own.last)
	message.Set("from", from)
	message.Set("ts", time.Now().UnixMilli())
	message.Set("text", text)
	l.Send(ToClient, message)
}
