package refserver

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// burst is what a reading goroutine needs while it handles the frames of one read. It
// comes from a pool, so that an idle connection holds none of it.
type burst struct {
	batch    engine.Batch
	envelope wire.Envelope
	frame    []byte    // frame holds the frame being handled
	receipts []receipt // receipts are what an acknowledgement has settled
	counts   counts
}

// counts are what one burst adds to the server's counters.
type counts struct{ frames, peer, channel, deliveries, acks uint64 }

var bursts = sync.Pool{New: func() any { return new(burst) }}

// drop trims what a single large frame has blown up, and gives the burst back.
func (u *burst) drop() {
	if cap(u.frame) > keepBytes {
		u.frame = nil
	}
	if cap(u.batch.Scratch) > keepBytes {
		u.batch.Scratch = nil
	}
	u.envelope = wire.Envelope{}
	bursts.Put(u)
}

const (
	// paceWindow is how often the rate of writes is looked at.
	paceWindow = 10 * time.Millisecond
	// busyWrites is the number of writes in a second above which a goroutine yields
	// before it flushes, so that others that have input add theirs first. Below it
	// yielding costs more than it saves.
	busyWrites = 50_000
)

// pace knows whether the server writes so much that yielding pays.
type pace struct {
	since  atomic.Int64 // since is when the window began, in nanoseconds
	writes atomic.Int64
	busy   atomic.Bool
}

// yield lets other ready goroutines run first if the server is busy. n is the number
// of writes that the caller is about to make.
func (p *pace) yield(n int, now time.Time) {
	writes := p.writes.Add(int64(n))
	if since, at := p.since.Load(), now.UnixNano(); at-since >= int64(paceWindow) && p.since.CompareAndSwap(since, at) {
		p.writes.Add(-writes)
		p.busy.Store(writes > busyWrites*(at-since)/int64(time.Second))
	}
	if p.busy.Load() {
		runtime.Gosched()
	}
}
