package rtm

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// call is a request from the moment it is made until it is answered or given up.
type call struct {
	id       uint64
	op       wire.Kind
	sent     bool        // the request may have reached the server
	answered chan answer // takes the one answer; nil when nobody waits
	settle   func(answer)

	// again writes the request anew, for requests that may safely be made twice;
	// nil for messages. After a lost link such a request is sent again, and an
	// error forgive then says that the first one had worked; of a request that was
	// held, that the resume had done its work.
	again    func(dst []byte, id uint64) []byte
	forgive  wire.Code
	repeated bool
	held     bool

	deadline   time.Time
	line       *line
	prev, next *call
}

// answer is how a call ended: err, or what the server said.
type answer struct {
	received bool       // of peer.send.ok
	frame    wire.Frame // other answers; nil where they say nothing but success
	err      error
	sent     bool // the request may have reached the server
}

// undecided reports whether the request failed in a way that leaves open whether
// the server has acted on it.
func (a answer) undecided() bool { return a.err != nil && a.sent && !saidByServer(a.err) }

// line holds the calls of one timeout, oldest first.
type line struct {
	timeout     time.Duration
	first, last *call
}

func (l *line) add(k *call) {
	k.line, k.prev, k.next = l, l.last, nil
	if l.last == nil {
		l.first = k
	} else {
		l.last.next = k
	}
	l.last = k
}

func (l *line) remove(k *call) {
	if k.prev == nil {
		l.first = k.next
	} else {
		k.prev.next = k.next
	}
	if k.next == nil {
		l.last = k.prev
	} else {
		k.next.prev = k.prev
	}
	k.line, k.prev, k.next = nil, nil, nil
}

// calls are the requests of a session that wait for their answer, by id. They
// outlive connections. One timer serves all of them. Every method but nextID and
// some wants the client's lock.
type calls struct {
	mu      *sync.Mutex // the client's lock
	lastID  atomic.Uint64
	waiting map[uint64]*call
	sends   line
	others  line
	timer   *time.Timer
	due     time.Time // when the timer fires; zero when it does not
	count   atomic.Int64
	spare   sync.Pool // calls that are settled and taken
}

func newCalls(mu *sync.Mutex, cfg *Config) *calls {
	return &calls{
		mu:      mu,
		waiting: map[uint64]*call{},
		sends:   line{timeout: cfg.SendTimeout},
		others:  line{timeout: cfg.CallTimeout},
	}
}

func (cs *calls) nextID() uint64 { return cs.lastID.Add(1) }

// some reports whether a call waits for its answer. It needs no lock.
func (cs *calls) some() bool { return cs.count.Load() > 0 }

// make returns a call that somebody waits for. It needs no lock, and neither does
// free.
func (cs *calls) make(op wire.Kind) *call {
	k, ok := cs.spare.Get().(*call)
	if !ok {
		k = &call{answered: make(chan answer, 1)}
	}
	k.op = op
	return k
}

// free makes a call available again once it is settled and its answer is taken.
func (cs *calls) free(k *call) {
	*k = call{answered: k.answered}
	cs.spare.Put(k)
}

// open enters a call that is about to be made.
func (cs *calls) open(k *call) {
	k.id = cs.nextID()
	cs.waiting[k.id] = k
	cs.count.Add(1)
	l := &cs.others
	if k.op == wire.KindPeerSend || k.op == wire.KindChannelSend {
		l = &cs.sends
	}
	k.deadline = time.Now().Add(l.timeout)
	l.add(k)
	if cs.due.IsZero() || k.deadline.Before(cs.due) {
		cs.arm(k.deadline)
	}
}

func (cs *calls) arm(due time.Time) {
	cs.due = due
	if cs.timer == nil {
		cs.timer = time.AfterFunc(time.Until(due), cs.expire)
		return
	}
	cs.timer.Reset(time.Until(due))
}

// expire ends the calls whose time is over. It runs off the timer, takes the lock,
// and arms the timer for the oldest call left; so a session whose calls are
// answered pays for one look in each timeout.
func (cs *calls) expire() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	now := time.Now()
	cs.due = time.Time{}
	for _, l := range []*line{&cs.sends, &cs.others} {
		for l.first != nil && !l.first.deadline.After(now) {
			k := l.first
			cs.close(k, answer{err: timedOut(k.op, l.timeout, k.sent)})
		}
	}
	for _, l := range []*line{&cs.sends, &cs.others} {
		if l.first != nil && (cs.due.IsZero() || l.first.deadline.Before(cs.due)) {
			cs.arm(l.first.deadline)
		}
	}
}

// drop gives a call up and reports whether it was still waiting; if not, its
// answer is there to be taken.
func (cs *calls) drop(k *call, a answer) bool {
	if cs.waiting[k.id] != k {
		return false
	}
	cs.take(k)
	if k.settle != nil {
		k.settle(a)
	}
	return true
}

// answer ends the call with this id, if it still waits.
func (cs *calls) answer(id uint64, a answer) {
	if k := cs.waiting[id]; k != nil {
		cs.close(k, a)
	}
}

func (cs *calls) close(k *call, a answer) {
	if code, ok := CodeOf(a.err); ok && (k.repeated || k.held) && code == k.forgive {
		a = answer{}
	}
	a.sent = k.sent
	cs.take(k)
	if k.settle != nil {
		k.settle(a)
	}
	if k.answered != nil {
		k.answered <- a
	}
}

func (cs *calls) take(k *call) {
	delete(cs.waiting, k.id)
	cs.count.Add(-1)
	k.line.remove(k)
}

// rename gives a call that is sent again a new id.
func (cs *calls) rename(k *call) {
	delete(cs.waiting, k.id)
	k.id = cs.nextID()
	k.repeated = true
	cs.waiting[k.id] = k
}

// inOrder returns the waiting calls, oldest first.
func (cs *calls) inOrder() []*call {
	list := make([]*call, 0, len(cs.waiting))
	for _, id := range slices.Sorted(maps.Keys(cs.waiting)) {
		list = append(list, cs.waiting[id])
	}
	return list
}

// fail ends every call and stops the timer.
func (cs *calls) fail(err func(*call) error) {
	for _, k := range cs.inOrder() {
		cs.close(k, answer{err: err(k)})
	}
	if cs.timer != nil {
		cs.timer.Stop()
	}
}
