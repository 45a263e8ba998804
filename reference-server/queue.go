package refserver

import (
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	// flushRounds bounds how often one Flush writes what others keep adding, before a
	// goroutine of the connection's own takes over.
	flushRounds = 4
	// keepBytes is the capacity above which an emptied buffer is left to the collector
	// instead of the pool.
	keepBytes = 64 << 10
)

// sink is the writing half of a socket as a queue needs it.
type sink interface {
	// tryWrite writes what the socket takes without waiting and returns how much that
	// was: nothing if the socket cannot be written that way.
	tryWrite(p []byte) int
	// Write waits until p is written or the write deadline is over.
	Write(p []byte) (n int, err error)
	SetWriteDeadline(t time.Time) error
}

// queue is the bounded byte queue of one connection: an engine.Outlet. Whoever fills
// the empty queue owes it a Flush; while somebody writes, he takes along what others
// add. Nobody waits for the socket: what it refuses is handed to a goroutine that
// lives until the queue is empty.
type queue struct {
	sink sink
	// overflowed is called once when the bound is passed, with the mutex held.
	overflowed func()
	// finished is called once when the close frame is out or cannot get out any more.
	finished func()
	// patience is how long the last bytes and the close frame may take.
	patience time.Duration

	mu        sync.Mutex
	waiting   []segment
	spare     []segment // spare is the empty list that waiting changes places with
	size      int       // size counts the bytes waiting and those being written
	limit     int
	boundless bool // boundless: a resume is being filled in; the limit waits
	owed      bool // owed: somebody is in debt with a Flush
	writing   bool // writing: somebody writes and will look again
	closing   bool // closing: a close frame is the last thing that goes out
	dead      bool // dead: nothing goes out any more

	over chan struct{} // over is closed when the queue ends; nil while nobody awaits it

	calls, sent uint64 // calls and bytes of writing, for the metrics
}

// segment is a part of the queue: an own buffer that small frames are copied into, or
// a long frame shared with other queues.
type segment struct {
	bytes []byte
	own   *buffer
}

// buffer is a piece of memory from the pool.
type buffer struct{ bytes []byte }

var buffers = sync.Pool{New: func() any { return new(buffer) }}

func (s *segment) recycle() {
	if s.own != nil && cap(s.bytes) <= keepBytes {
		s.own.bytes = s.bytes[:0]
		buffers.Put(s.own)
	}
	*s = segment{}
}

// Put queues one frame as a text frame.
func (q *queue) Put(frame []byte) (owed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing {
		return false
	}
	if q.overflows(len(frame) + headerBytes) {
		return q.overflow()
	}
	s := q.open()
	before := len(s.bytes)
	s.bytes = appendHeader(s.bytes, opText, len(frame))
	if len(frame) <= engine.ShareBytes {
		s.bytes = append(s.bytes, frame...)
		q.size += len(s.bytes) - before
		return q.owe()
	}
	q.size += len(s.bytes) - before + len(frame)
	q.waiting = append(q.waiting, segment{bytes: frame})
	return q.owe()
}

// putRaw queues bytes that are WebSocket frames already.
func (q *queue) putRaw(p []byte) (owed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing {
		return false
	}
	// Pongs are asked for by the client, as often as it likes.
	if q.overflows(len(p)) {
		return q.overflow()
	}
	s := q.open()
	s.bytes = append(s.bytes, p...)
	q.size += len(p)
	return q.owe()
}

// overflows reports whether n more bytes are over the limit.
func (q *queue) overflows(n int) bool { return q.size+n > q.limit && !q.boundless }

// overflow drops what waits and closes the connection as a slow consumer.
func (q *queue) overflow() (owed bool) {
	q.overflowed()
	q.discard()
	return q.finish(wire.CloseSlowConsumer, wire.CloseSlowConsumer.String())
}

// close queues a close frame behind everything that waits; nothing can follow it. It
// reports whether the caller owes a Flush, and whether the close is the first.
func (q *queue) close(code wire.CloseCode, reason string) (owed, first bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closing {
		return false, false
	}
	return q.finish(code, reason), true
}

func (q *queue) finish(code wire.CloseCode, reason string) (owed bool) {
	s := q.open()
	before := len(s.bytes)
	s.bytes = appendClose(s.bytes, code, reason)
	q.size += len(s.bytes) - before
	q.closing = true
	// From here on a goroutine that waits for the socket must not wait for ever.
	_ = q.sink.SetWriteDeadline(time.Now().Add(q.patience))
	return q.owe()
}

// await waits, if a close frame is on its way, until it is out or cannot get out any
// more, or until the timeout is over: a socket that is closed earlier would lose it.
func (q *queue) await(timeout time.Duration) {
	q.mu.Lock()
	if !q.closing || q.dead {
		q.mu.Unlock()
		return
	}
	over := make(chan struct{})
	q.over = over
	q.mu.Unlock()
	// The write deadline ends most waits before; not every connection obeys one.
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-over:
	case <-timer.C:
	}
}

// end makes the queue take and write nothing more, and tells so.
func (q *queue) end() {
	q.closing, q.dead = true, true
	q.finished()
	if q.over != nil {
		close(q.over)
	}
}

// kill makes the queue drop everything: the socket is gone.
func (q *queue) kill() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closing, q.dead = true, true
	q.discard()
}

// lift suspends the limit while a resume puts what was missed. That may be more than a
// connection may have waiting in normal life; it is bounded by what the server holds.
func (q *queue) lift() {
	q.mu.Lock()
	q.boundless = true
	q.mu.Unlock()
}

// settle restores the limit, counted from what waits now.
func (q *queue) settle() {
	q.mu.Lock()
	q.limit += q.size
	q.boundless = false
	q.mu.Unlock()
}

func (q *queue) owe() bool {
	if q.owed || q.writing {
		return false
	}
	q.owed = true
	return true
}

// open returns the own buffer at the end of the queue, a new one if there is none.
func (q *queue) open() *segment {
	if n := len(q.waiting); n == 0 || q.waiting[n-1].own == nil {
		own := buffers.Get().(*buffer)
		q.waiting = append(q.waiting, segment{own.bytes[:0], own})
	}
	return &q.waiting[len(q.waiting)-1]
}

// discard forgets what waits and is not being written.
func (q *queue) discard() {
	for i := range q.waiting {
		q.size -= len(q.waiting[i].bytes)
		q.waiting[i].recycle()
	}
	q.waiting = q.waiting[:0]
}

// Flush writes what waits, as far as the socket takes it.
func (q *queue) Flush() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.owed = false
	if q.writing || q.dead {
		return
	}
	q.writing = true
	for round := 0; len(q.waiting) > 0; round++ {
		segments := q.take()
		if round == flushRounds {
			go q.drain(segments, 0, 0)
			return
		}
		for i := range segments {
			p := segments[i].bytes
			q.mu.Unlock()
			n := q.sink.tryWrite(p)
			q.mu.Lock()
			q.account(n)
			if n < len(p) {
				go q.drain(segments, i, n)
				return
			}
		}
		q.giveBack(segments)
	}
	q.pause()
}

// take takes what waits.
func (q *queue) take() []segment {
	segments := q.waiting
	q.waiting, q.spare = q.spare[:0], nil
	return segments
}

// giveBack keeps the memory of what has been written.
func (q *queue) giveBack(segments []segment) {
	for i := range segments {
		segments[i].recycle()
	}
	if cap(segments) <= 16 {
		q.spare = segments[:0]
	}
}

func (q *queue) account(n int) {
	q.size -= n
	q.calls++
	q.sent += uint64(n)
}

// drain writes segments from byte at of the i-th on, and all that comes behind them,
// waiting for the socket. It runs as the goroutine of a connection whose socket is
// full, or cannot be written without waiting.
func (q *queue) drain(segments []segment, i, at int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		for ; i < len(segments); i, at = i+1, 0 {
			q.mu.Unlock()
			n, err := q.sink.Write(segments[i].bytes[at:])
			q.mu.Lock()
			q.account(n)
			if err != nil {
				q.discard()
				q.end()
				return
			}
		}
		q.giveBack(segments)
		if len(q.waiting) == 0 {
			q.pause()
			return
		}
		segments, i, at = q.take(), 0, 0
	}
}

// pause ends a turn of writing: the queue is empty.
func (q *queue) pause() {
	q.writing = false
	if q.closing && !q.dead {
		q.end()
	}
}
