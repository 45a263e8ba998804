package refserver

import (
	"sync"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// letterOverhead is what a message in an inbox costs besides its bytes.
const letterOverhead = 96

// letter is a peer message that its receiver has not acknowledged.
type letter struct {
	frame    *buffer
	back     engine.ReturnPath // back is nil once the sender has its answer
	request  uint64
	deadline int64 // deadline is when the sender is told of a timeout, in nanoseconds
}

var letterFrames = sync.Pool{New: func() any { return new(buffer) }}

// inbox holds the unacknowledged peer messages of a session in the order of their seq.
type inbox struct {
	letters []letter // letters is a ring
	head    int
	count   int
	bytes   int
	seq     uint64 // seq is that of the last message
	sent    uint64 // sent is the seq of the last message that a connection was given
	due     int    // due is how many letters from the head on have their answer
}

// fits reports whether a payload of n bytes fits into limit bytes.
func (x *inbox) fits(n, limit int) bool { return x.bytes+n+letterOverhead <= limit }

// add puts a message behind the others and returns its frame.
func (x *inbox) add(m engine.Peer, ts, deadline int64, answered bool) []byte {
	if x.count == len(x.letters) {
		x.grow()
	}
	x.seq++
	frame := letterFrames.Get().(*buffer)
	frame.bytes = wire.AppendPeerMessage(frame.bytes[:0], x.seq, m.From, ts, m.Payload)
	l := &x.letters[(x.head+x.count)%len(x.letters)]
	*l = letter{frame: frame, back: m.Back, request: m.Request, deadline: deadline}
	if answered {
		l.back = nil
	}
	x.count++
	x.bytes += len(frame.bytes) + letterOverhead
	return frame.bytes
}

func (x *inbox) grow() {
	letters := make([]letter, max(4, 2*len(x.letters)))
	for i := range x.count {
		letters[i] = *x.at(i)
	}
	x.letters, x.head = letters, 0
}

func (x *inbox) at(i int) *letter { return &x.letters[(x.head+i)%len(x.letters)] }

// first returns the seq of the oldest letter.
func (x *inbox) first() uint64 { return x.seq - uint64(x.count) + 1 }

// acknowledge removes all letters up to seq and appends to settled those whose senders
// wait for an answer.
func (x *inbox) acknowledge(seq uint64, settled []receipt) []receipt {
	for x.count > 0 && x.first() <= seq {
		l := x.at(0)
		if l.back != nil {
			settled = append(settled, receipt{l.back, l.request, engine.Received})
		}
		x.bytes -= len(l.frame.bytes) + letterOverhead
		x.release(l)
		x.head = (x.head + 1) % len(x.letters)
		x.count--
		x.due = max(0, x.due-1)
	}
	if x.count == 0 && len(x.letters) > 64 {
		x.letters, x.head = nil, 0
	}
	return settled
}

// release gives the frame's memory back. Long frames may be shared with the queue.
func (x *inbox) release(l *letter) {
	if c := cap(l.frame.bytes); c <= engine.ShareBytes {
		letterFrames.Put(l.frame)
	}
	*l = letter{}
}

// expired appends to settled the letters whose deadline is over, and keeps them for a
// resume.
func (x *inbox) expired(now int64, settled []receipt) []receipt {
	for ; x.due < x.count; x.due++ {
		l := x.at(x.due)
		if l.back == nil {
			continue
		}
		if l.deadline > now {
			break
		}
		settled = append(settled, receipt{l.back, l.request, engine.TimedOut})
		l.back = nil
	}
	return settled
}

// waiting reports whether a sender waits for an answer.
func (x *inbox) waiting() bool {
	for i := x.due; i < x.count; i++ {
		if x.at(i).back != nil {
			return true
		}
	}
	return false
}

// refuse appends to settled every letter whose sender waits, as not received.
func (x *inbox) refuse(settled []receipt) []receipt {
	for ; x.due < x.count; x.due++ {
		if l := x.at(x.due); l.back != nil {
			settled = append(settled, receipt{l.back, l.request, engine.NotReceived})
			l.back = nil
		}
	}
	return settled
}

// receipt is an answer on its way to the sender of a peer message.
type receipt struct {
	back    engine.ReturnPath
	request uint64
	outcome engine.Receipt
}
