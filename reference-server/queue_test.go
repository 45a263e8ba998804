package refserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// fickleSink takes random parts without waiting, and the rest when it is waited for.
type fickleSink struct {
	mu     sync.Mutex
	random *rand.Rand
	got    bytes.Buffer
	broken bool
}

func (s *fickleSink) tryWrite(p []byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.random.IntN(len(p) + 1)
	s.got.Write(p[:n])
	return n
}

func (s *fickleSink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return 0, errors.New("broken")
	}
	return s.got.Write(p)
}

func (s *fickleSink) SetWriteDeadline(time.Time) error { return nil }

// frames parses what a server has written.
func frames(t *testing.T, r io.Reader) (payloads []string, closed int) {
	t.Helper()
	for {
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			if err != io.EOF {
				t.Fatal("a header is cut off")
			}
			return payloads, closed
		}
		n := uint64(head[1])
		switch n {
		case 126:
			var b [2]byte
			_, _ = io.ReadFull(r, b[:])
			n = uint64(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			_, _ = io.ReadFull(r, b[:])
			n = binary.BigEndian.Uint64(b[:])
		}
		p := make([]byte, n)
		if _, err := io.ReadFull(r, p); err != nil {
			t.Fatalf("a payload of %d bytes is cut off", n)
		}
		switch head[0] {
		case opText:
			payloads = append(payloads, string(p))
		case opClose:
			closed++
			if len(p) > 125 {
				t.Fatalf("a close frame has %d bytes", len(p))
			}
		default:
			t.Fatalf("a frame begins with %x", head[0])
		}
	}
}

func TestQueueKeepsEveryByteInOrder(t *testing.T) {
	for seed := range uint64(20) {
		sink := &fickleSink{random: rand.New(rand.NewPCG(seed, 1))}
		finished := make(chan struct{})
		q := queue{sink: sink, limit: 1 << 30, finished: func() { close(finished) }, overflowed: func() { t.Error("overflow") }}
		const writers, each = 4, 100
		var done sync.WaitGroup
		for w := range writers {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			done.Go(func() {
				var b engine.Batch
				for i := range each {
					pad := random.IntN(300)
					if random.IntN(20) == 0 {
						pad = random.IntN(80 << 10)
					}
					b.Put(&q, fmt.Appendf(nil, "%d %d %s", w, i, bytes.Repeat([]byte{'x'}, pad)))
					if random.IntN(4) == 0 {
						b.Flush()
					}
				}
				b.Flush()
			})
		}
		done.Wait()
		if owed, first := q.close(wire.CloseDraining, "draining"); !first {
			t.Fatal("the queue was closed before")
		} else if owed {
			q.Flush()
		}
		if q.Put([]byte("late")) {
			t.Fatal("a closed queue takes a frame")
		}
		<-finished
		payloads, closed := frames(t, &sink.got)
		if len(payloads) != writers*each || closed != 1 {
			t.Fatalf("seed %d: %d frames and %d closes came out", seed, len(payloads), closed)
		}
		next := [writers]int{}
		for _, p := range payloads {
			var w, i int
			if _, err := fmt.Sscanf(p, "%d %d", &w, &i); err != nil || next[w] != i {
				t.Fatalf("seed %d: %.20s came when writer %d was at %d", seed, p, w, next[w])
			}
			next[w]++
		}
		q.mu.Lock()
		if q.size != 0 {
			t.Errorf("%d bytes are still counted", q.size)
		}
		q.mu.Unlock()
	}
}

func TestOverflowDropsWhatWaitsAndCloses(t *testing.T) {
	sink := &countingSink{}
	overflows, finished := 0, 0
	q := queue{sink: sink, limit: 1000, overflowed: func() { overflows++ }, finished: func() { finished++ }}
	frame := bytes.Repeat([]byte{'x'}, 100)
	owed := 0
	for range 20 {
		if q.Put(frame) {
			owed++
		}
	}
	if overflows != 1 || owed != 1 {
		t.Fatalf("%d overflows, %d debts", overflows, owed)
	}
	q.Flush()
	if finished != 1 || sink.bytes != 2+2+len("slow_consumer") {
		t.Fatalf("finished %d times, %d bytes", finished, sink.bytes)
	}
}

func TestSlowReaderIsStillReadWhileItCatchesUp(t *testing.T) {
	c, _ := newBench(t).login("bob")
	patience := time.Duration(c.srv.cfg.Limits.SilenceMS) * time.Millisecond
	before := time.Now()
	c.queue.mu.Lock()
	c.queue.overflow()
	c.queue.mu.Unlock()

	// The socket takes the close frame at once. What stands before it there is not read yet.
	c.queue.Flush()

	if until := c.lingers.Load(); until < c.srv.elapsed(before.Add(patience)) {
		t.Errorf("it is read for %v", time.Duration(until-c.srv.elapsed(before)))
	}
}

func TestPongsForAClientThatDoesNotReadAreBounded(t *testing.T) {
	overflows := 0
	q := queue{sink: &countingSink{}, limit: 1000, overflowed: func() { overflows++ }, finished: func() {}}
	for range 20 {
		q.putRaw(make([]byte, 100))
		if q.size > 1000+headerBytes {
			t.Fatalf("%d bytes wait, the limit is 1000", q.size)
		}
	}
	if overflows != 1 {
		t.Fatalf("%d overflows", overflows)
	}
}

func TestResumeMayExceedTheLimitOnce(t *testing.T) {
	q := queue{sink: &countingSink{}, limit: 100, overflowed: func() { t.Fatal("overflow") }, finished: func() {}}
	q.lift()
	for range 10 {
		q.Put(make([]byte, 50))
	}
	q.settle()
	q.Put(make([]byte, 50))
	overflow := false
	q.overflowed = func() { overflow = true }
	q.Put(make([]byte, 50))
	if !overflow {
		t.Fatal("the limit did not come back")
	}
}

func TestBrokenSocketEndsTheQueue(t *testing.T) {
	sink := &fickleSink{random: rand.New(rand.NewPCG(1, 1)), broken: true}
	finished := make(chan struct{})
	q := queue{sink: sink, limit: 1 << 20, finished: func() { close(finished) }, overflowed: func() {}}
	for range 100 {
		if q.Put(make([]byte, 1000)) {
			q.Flush()
		}
	}
	<-finished
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.dead || len(q.waiting) != 0 {
		t.Fatalf("dead %v, %d segments", q.dead, len(q.waiting))
	}
}

func TestHeadersFitTheirPayloads(t *testing.T) {
	for _, n := range []int{0, 1, 125, 126, 65535, 65536, 200000} {
		got, _ := frames(t, bytes.NewReader(appendText(nil, make([]byte, n))))
		if len(got) != 1 || len(got[0]) != n {
			t.Errorf("%d bytes came as %d frames", n, len(got))
		}
	}
}

func TestServerYieldsOnlyWhenItIsBusy(t *testing.T) {
	var p pace
	now := time.Unix(1000, 0)
	p.yield(1, now)
	for range 100 {
		now = now.Add(time.Millisecond)
		p.yield(10, now)
	}
	if p.busy.Load() {
		t.Error("10,000 writes in a second count as busy")
	}
	for range 100 {
		now = now.Add(time.Millisecond)
		p.yield(200, now)
	}
	if !p.busy.Load() {
		t.Error("200,000 writes in a second do not count as busy")
	}
	p.yield(1, now.Add(time.Minute))
	if p.busy.Load() {
		t.Error("still busy after a minute of rest")
	}
}
