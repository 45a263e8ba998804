package rtm

import (
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	batchBytes = 1 << 20  // above it, writers wait before they add more
	keepBytes  = 64 << 10 // a larger buffer is not kept for the next batch
)

// batchConn is a net.Conn that writes in batches: Write only appends, and what has
// gathered goes out when the reading goroutine is about to wait for input, or by a
// flush that the first writer schedules and that lets other goroutines add to it.
// So a burst of requests, or the acknowledgement of a burst of messages, is one
// system call and one wake-up of the server.
type batchConn struct {
	net.Conn
	beforeRead func() // set before the reading goroutine starts; adds what it owes

	mu       sync.Mutex
	buf      []byte
	spare    []byte
	flushing bool
	err      error
	drained  chan struct{} // not nil while a writer waits for room
	idle     sync.Cond     // signals that no flush is going on

	born    time.Time
	read    atomic.Int64 // when bytes last came, in nanoseconds since born
	written atomic.Int64 // when bytes last went
}

func newBatchConn(c net.Conn) *batchConn {
	b := &batchConn{Conn: c, born: time.Now()}
	b.idle.L = &b.mu
	return b
}

// heard returns when bytes last came.
func (b *batchConn) heard() time.Time { return b.born.Add(time.Duration(b.read.Load())) }

// sent returns when bytes last went.
func (b *batchConn) sent() time.Time { return b.born.Add(time.Duration(b.written.Load())) }

// contact makes now the time of the last contact.
func (b *batchConn) contact() { b.read.Store(int64(time.Since(b.born))) }

// Write appends p to the batch.
func (b *batchConn) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return 0, b.err
	}
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// Read sends the batch and then reads.
func (b *batchConn) Read(p []byte) (int, error) {
	if b.beforeRead != nil {
		b.beforeRead()
	}
	b.flush()
	n, err := b.Conn.Read(p)
	if n > 0 {
		b.contact()
	}
	return n, err
}

// SetWriteDeadline does nothing: writes do not block. The websocket package sets a
// deadline with each message.
func (b *batchConn) SetWriteDeadline(time.Time) error { return nil }

// Close ends the connection and waits until nobody writes any more.
func (b *batchConn) Close() error {
	b.fail(net.ErrClosed)
	err := b.Conn.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.flushing {
		b.idle.Wait()
	}
	return err
}

// full returns nil while there is room for more, and else a channel that closes
// when the batch has gone out.
func (b *batchConn) full() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buf) < batchBytes || b.err != nil {
		return nil
	}
	if b.drained == nil {
		b.drained = make(chan struct{})
	}
	return b.drained
}

// schedule sees to it that the batch goes out soon, without blocking the caller.
func (b *batchConn) schedule() {
	if !b.begin() {
		return
	}
	go func() {
		runtime.Gosched()
		b.drain()
	}()
}

// flush sends the batch, unless somebody else is at it.
func (b *batchConn) flush() {
	if b.begin() {
		b.drain()
	}
}

// finish sends the batch and waits until it has gone out.
func (b *batchConn) finish() {
	b.flush()
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.flushing {
		b.idle.Wait()
	}
}

func (b *batchConn) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flushing || len(b.buf) == 0 || b.err != nil {
		return false
	}
	b.flushing = true
	return true
}

func (b *batchConn) drain() {
	b.mu.Lock()
	for len(b.buf) > 0 && b.err == nil {
		out := b.buf
		b.buf, b.spare = b.spare, nil
		b.mu.Unlock()
		_, err := b.Conn.Write(out)
		b.written.Store(int64(time.Since(b.born)))
		b.mu.Lock()
		if cap(out) <= keepBytes {
			b.spare = out[:0]
		}
		if err != nil {
			b.failLocked(err)
			// The reading goroutine is the one that tells of the loss.
			_ = b.Conn.Close()
		}
		b.wakeLocked()
	}
	b.flushing = false
	b.idle.Broadcast()
	b.mu.Unlock()
}

func (b *batchConn) fail(err error) {
	b.mu.Lock()
	b.failLocked(err)
	b.wakeLocked()
	b.mu.Unlock()
}

func (b *batchConn) failLocked(err error) {
	if b.err == nil {
		b.err, b.buf = err, nil
	}
}

func (b *batchConn) wakeLocked() {
	if b.drained != nil {
		close(b.drained)
		b.drained = nil
	}
}
