package engine

import "time"

// ShareBytes is the frame length above which an [Outlet] may keep the frame that was
// put instead of a copy. Whoever puts a longer frame must not change it afterwards.
const ShareBytes = 4 << 10

// Outlet is where frames for one connection go. It queues; it never waits for the
// socket.
type Outlet interface {
	// Put queues one frame, the JSON object without any header. It reports true when
	// the caller is the first to fill the empty queue and so owes it a Flush; frames put
	// by others before that Flush go out with it. A frame for a connection that ends is
	// dropped.
	Put(frame []byte) (owed bool)
	// Flush writes what is queued as far as the socket takes it without waiting.
	Flush()
}

// Batch is the output that one goroutine has caused and not written yet. The goroutine
// puts frames for any number of connections and flushes each of them once when its own
// input is used up, so that a burst of input costs one write per touched connection.
// A Batch belongs to one goroutine; the zero value is ready for use.
type Batch struct {
	// Now is when the input that is being handled was read. All that is handled in one
	// batch shares it, so that a message costs no look at the clock.
	Now time.Time
	// Scratch is memory for whoever builds a frame that is put at once. It holds nothing
	// from one call to the next. Putting a frame that is longer than [ShareBytes] and
	// built here gives the memory away: Scratch is nil afterwards.
	Scratch []byte

	owed []Outlet
}

// Put queues frame at o and remembers the debt if there is one.
func (b *Batch) Put(o Outlet, frame []byte) {
	if o.Put(frame) {
		b.owed = append(b.owed, o)
	}
	// The outlet may have kept the frame itself. Built over, it would carry the next
	// frame, perhaps another user's, to this one.
	if len(frame) > ShareBytes && cap(b.Scratch) > 0 && &frame[0] == &b.Scratch[:1][0] {
		b.Scratch = nil
	}
}

// Owe remembers that o has been filled and must be flushed with the batch.
func (b *Batch) Owe(o Outlet) { b.owed = append(b.owed, o) }

// Owed returns how many outlets wait for the flush.
func (b *Batch) Owed() int { return len(b.owed) }

// Flush writes what the batch has put. The batch can be used again.
func (b *Batch) Flush() {
	for i := 0; i < len(b.owed); i++ {
		b.owed[i].Flush()
	}
	clear(b.owed)
	b.owed = b.owed[:0]
}
