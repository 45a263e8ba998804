package rtm

import (
	"bytes"
	"context"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// What waits for the listeners is bounded by not reading on: above softBytes the
// reading goroutine pauses, unless a call waits for its answer, which may well be
// one that a listener made and that stands behind what is read next; above
// hardBytes it pauses all the same.
const (
	softBytes = 4 << 20
	hardBytes = 16 << 20
)

// eventBytes is what an event costs beside its payload.
const eventBytes = 256

type eventKind uint8

const (
	eventState eventKind = iota
	eventPeerMessage
	eventChannelMessage
	eventMemberJoined
	eventMemberLeft
	eventMemberCount
	eventTokenExpired
	eventTokenWillExpire
	eventBarrier
)

// event is one thing that the listeners hear of.
type event struct {
	kind    eventKind
	state   State
	reason  Reason
	channel *Channel
	stay    uint64 // the stay in channel to which the event belongs
	message *Message
	uid     string
	number  int64
	passed  chan struct{} // of a barrier
}

func (e *event) size() int64 {
	size := int64(eventBytes)
	if e.message != nil {
		size += int64(e.message.payload.Size())
	}
	return size
}

// delivery runs the listeners of one client, one event after another, on a
// goroutine that lives while there is a session or something to deliver.
type delivery struct {
	deliver  func(*event) // calls the listeners of one event; may panic
	panicked func(e *event, value any, stack []byte)

	mu        sync.Mutex
	work      sync.Cond // signals the delivering goroutine: an event, or no more hold
	room      sync.Cond // signals a pausing reader
	idle      sync.Cond // signals that the delivering goroutine is gone
	queue     []event
	batch     []event // what the delivering goroutine has taken
	at        int     // the next event of batch
	current   event   // the one that is being delivered
	running   bool
	held      bool // keeps the goroutine while there is nothing to do
	goroutine uint64
	bytes     atomic.Int64
	pausing   atomic.Bool
}

func newDelivery(deliver func(*event), panicked func(*event, any, []byte)) *delivery {
	d := &delivery{deliver: deliver, panicked: panicked}
	d.work.L, d.room.L, d.idle.L = &d.mu, &d.mu, &d.mu
	return d
}

// push queues an event. It does not block and may be called with any lock held
// that no listener is called under.
func (d *delivery) push(e event) {
	d.bytes.Add(e.size())
	d.mu.Lock()
	d.pushLocked(e)
	d.mu.Unlock()
}

func (d *delivery) pushLocked(e event) {
	d.queue = append(d.queue, e)
	d.wakeLocked()
}

func (d *delivery) wakeLocked() {
	if !d.running {
		d.running = true
		go d.run()
		return
	}
	d.work.Signal()
}

// hold keeps the delivering goroutine alive while on, so that a session does not
// start one for each event.
func (d *delivery) hold(on bool) {
	d.mu.Lock()
	d.held = on
	d.work.Signal()
	d.mu.Unlock()
}

func (d *delivery) run() {
	finished := false
	// A listener may end its goroutine, as testing.T.FailNow does; the events
	// behind it still have to be delivered.
	defer func() {
		if !finished {
			go d.run()
		}
	}()
	id := goroutineID()
	for {
		d.mu.Lock()
		d.goroutine = id
		for d.at == len(d.batch) && len(d.queue) == 0 {
			d.batch, d.at = d.batch[:0], 0
			if !d.held {
				d.batch, d.queue = nil, nil
				d.running, d.goroutine = false, 0
				d.idle.Broadcast()
				d.mu.Unlock()
				finished = true
				return
			}
			d.work.Wait()
		}
		if d.at == len(d.batch) {
			d.batch, d.queue, d.at = d.queue, d.batch[:0], 0
		}
		d.mu.Unlock()
		for d.at < len(d.batch) {
			d.current = d.batch[d.at]
			d.batch[d.at] = event{}
			d.at++
			d.one(&d.current)
		}
	}
}

// one delivers e. A listener that panics stops the later listeners of this event
// and nothing else (rule 226).
func (d *delivery) one(e *event) {
	defer func() {
		d.bytes.Add(-e.size())
		if d.pausing.Load() {
			d.wakeReader()
		}
		if value := recover(); value != nil {
			d.panicked(e, value, debug.Stack())
		}
	}()
	if e.kind == eventBarrier {
		close(e.passed)
		return
	}
	d.deliver(e)
}

// settle waits until everything pushed so far has been delivered, or ctx ends. It
// does not wait when a listener of this client calls it, which would be for itself.
func (d *delivery) settle(ctx context.Context) {
	passed := make(chan struct{})
	d.mu.Lock()
	if !d.running || d.insideLocked() {
		d.mu.Unlock()
		return
	}
	e := event{kind: eventBarrier, passed: passed}
	d.bytes.Add(e.size())
	d.pushLocked(e)
	d.mu.Unlock()
	select {
	case <-passed:
	case <-ctx.Done():
	}
}

// wait returns when the delivering goroutine is gone, or at once when a listener
// of this client calls it.
func (d *delivery) wait() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.running && !d.insideLocked() {
		d.idle.Wait()
	}
}

// pause blocks the reading goroutine while too much waits to be delivered and give
// does not tell it to go on. It returns how long it blocked.
func (d *delivery) pause(give func() bool) time.Duration {
	if d.bytes.Load() <= softBytes {
		return 0
	}
	since := time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.pausing.Store(true)
	for d.bytes.Load() > softBytes && !give() {
		d.room.Wait()
	}
	d.pausing.Store(false)
	return time.Since(since)
}

// wakeReader makes a pausing reader look again.
func (d *delivery) wakeReader() {
	d.mu.Lock()
	d.room.Broadcast()
	d.mu.Unlock()
}

func (d *delivery) insideLocked() bool { return d.goroutine != 0 && d.goroutine == goroutineID() }

// goroutineID returns the number of the calling goroutine. The language has no
// other way to tell that a call comes from inside a listener; it is asked for only
// where a call would wait for listeners.
func goroutineID() uint64 {
	var buf [32]byte
	text := buf[:runtime.Stack(buf[:], false)] // "goroutine 18 [running]:…"
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	number, _, _ := bytes.Cut(text, []byte(" "))
	id, _ := strconv.ParseUint(string(number), 10, 64)
	return id
}
