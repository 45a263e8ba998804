package loadgen

import (
	"sync"
	"sync/atomic"

	"github.com/rtmkit/rtmkit/reports"
)

// What the generator did with a message that was due.
const (
	fateNone   uint8 = iota // not due yet, or the run was cut short before
	fateSent                // handed to its session
	fateShed                // not sent: the generator had too much in flight
	fateFailed              // not sent: its session had ended
)

// What the server answered to a message that was sent.
const (
	answerNone        uint8 = iota
	answerReceived          // received true, or a confirmed channel message
	answerNotReceived       // received false
	answerError             // an error
	answerTimeout           // nothing until the run was over
	answerLost              // nothing, and the session had ended
)

// ledger knows of every message of a run what became of it. Its tables have one place for each message and one bit for
// each delivery that has to happen; each place is written by one goroutine, so that the tables need no locks: the fate
// by the sending goroutine, the answer by the sender's session, the bits by the receiver's session.
type ledger struct {
	plan    *plan
	run     uint32
	entries []*account
	inboxes []*inbox
	faults  faults
	target  *target
	loop    *loop // of a closed run; else nil
}

// account is the ledger of one traffic entry.
type account struct {
	*trafficPlan
	fate   []uint8
	answer []uint8
	wrote  []atomic.Int64 // run time at which the write began

	// answeredAt is the run time at which the answer came; nil unless sessions come and go.
	answeredAt []int64

	// For channel messages: receivers still missing, and the first and last arrival in run time.
	left          []atomic.Int32
	firstAt, last []atomic.Int64

	sent, answered atomic.Int64 // messages
	owed           atomic.Int64 // deliveries that those who stay have to get, of messages not answered to the contrary
	delivered      atomic.Int64 // first deliveries to those who stay
}

func newLedger(p *plan, run uint32) *ledger {
	l := &ledger{plan: p, run: run, target: &target{halt: func() {}}}
	if p.closed() {
		l.loop = newLoop(p)
	}
	for _, t := range p.traffic {
		n := t.count()
		a := &account{trafficPlan: t, fate: make([]uint8, n), answer: make([]uint8, n), wrote: make([]atomic.Int64, n)}
		if len(p.churn) > 0 {
			a.answeredAt = make([]int64, n)
		}
		if t.Op == OpChannel {
			a.left, a.firstAt, a.last = make([]atomic.Int32, n), make([]atomic.Int64, n), make([]atomic.Int64, n)
			for i := range n {
				s, _ := t.streamOf(i)
				a.left[i].Store(s.steady)
				a.firstAt[i].Store(1<<63 - 1)
			}
		}
		l.entries = append(l.entries, a)
	}
	for session, groups := range p.seats() {
		b := newInbox(l, session)
		for _, g := range groups {
			if p.mine.has(int32(session)) {
				b.addSeat(g)
			}
		}
		l.inboxes = append(l.inboxes, b)
	}
	return l
}

// inFlight returns how many messages were sent and not answered yet.
func (l *ledger) inFlight() (n int64) {
	for _, a := range l.entries {
		n += a.sent.Load() - a.answered.Load()
	}
	return n
}

// settled reports whether every message sent so far is answered and delivered wherever it has to be. Sessions that come
// and go are left out: what they have to get is known at the end, and the end of their connections brings it.
func (l *ledger) settled() bool {
	for _, a := range l.entries {
		sent := a.sent.Load()
		if a.answered.Load() < sent || a.delivered.Load() < a.owed.Load() {
			return false
		}
	}
	return true
}

// due returns the run time at which measured message n was due; of a closed entry, which has sent it already.
func (a *account) due(n int, mainStart int64) int64 {
	if a.Executor == Closed {
		return a.wrote[n].Load()
	}
	return mainStart + a.main.due(n-a.warm.count())
}

// arrived notes the arrival of channel message n at one of its receivers and reports, at the last of them, when the
// first and the last came.
func (a *account) arrived(n int, at int64) (first, last int64, complete bool) {
	for old := a.firstAt[n].Load(); at < old && !a.firstAt[n].CompareAndSwap(old, at); {
		old = a.firstAt[n].Load()
	}
	for old := a.last[n].Load(); at > old && !a.last[n].CompareAndSwap(old, at); {
		old = a.last[n].Load()
	}
	if a.left[n].Add(-1) != 0 {
		return 0, 0, false
	}
	return a.firstAt[n].Load(), a.last[n].Load(), true
}

// close gives every message that nothing was heard of its final answer and returns the latencies at which it was given
// up, one for each unanswered message of the measured phase. It is called when all sessions have ended.
func (l *ledger) close(at int64, mainStart int64) (givenUp []sample) {
	for _, a := range l.entries {
		for n, fate := range a.fate {
			if fate != fateSent || a.answer[n] != answerNone {
				continue
			}
			s, _ := a.streamOf(n)
			if l.inboxes[s.sender].ended.Load() {
				a.answer[n] = answerLost
				continue
			}
			a.answer[n] = answerTimeout
			l.faults.count(string(a.Op)+".send", ClassAckTimeout, 0, 1)
			if a.measured(n) {
				givenUp = append(givenUp, sample{a.ackMetric(), at - a.due(n, mainStart)})
			}
		}
	}
	return givenUp
}

// ackMetric returns the metric of the entry's answers.
func (t *trafficPlan) ackMetric() metric {
	if t.Op == OpChannel {
		return metricChannelAck
	}
	return metricPeerAck
}

// books returns the ledger's tables, which nothing writes to any more. It is called after close.
func (l *ledger) books() *books {
	b := &books{plan: l.plan, sessions: make([]sessionBook, len(l.inboxes))}
	for _, a := range l.entries {
		b.entries = append(b.entries, entryBook{a.fate, a.answer})
	}
	for i := l.plan.mine.first; i < l.plan.mine.last; i++ {
		in := l.inboxes[i]
		b.sessions[i] = sessionBook{seats: in.seats, counts: in.counts, foreign: in.foreign, corrupt: in.corrupt}
	}
	return b
}

// anomalyKind names what is wrong with one delivery.
type anomalyKind string

const (
	anomalyLost         anomalyKind = "lost"
	anomalyDuplicated   anomalyKind = "duplicated"
	anomalyReordered    anomalyKind = "reordered"
	anomalyLeaked       anomalyKind = "leaked"
	anomalyForeign      anomalyKind = "foreign"
	anomalyCorrupt      anomalyKind = "corrupt"
	anomalyFalseReceipt anomalyKind = "false_receipt"
)

// anomaly is one delivery gone wrong. Entry is nil when the message could not be identified.
type anomaly struct {
	kind     anomalyKind
	entry    *trafficPlan
	message  int
	receiver int32
}

// maxAnomalies bounds how many anomalies are kept one by one; their counts are always exact.
const maxAnomalies = 10_000

// faults collects what goes wrong. It is off the hot path: in a good run nothing calls it.
type faults struct {
	mu     sync.Mutex
	list   []anomaly
	errors map[reports.ErrorCount]int64 // keyed with Count zero
}

func (f *faults) note(a anomaly) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) < maxAnomalies {
		f.list = append(f.list, a)
	}
}

func (f *faults) count(op, class string, code int, n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.errors == nil {
		f.errors = map[reports.ErrorCount]int64{}
	}
	f.errors[reports.ErrorCount{Op: op, Class: class, Code: code}] += n
}

func (f *faults) failure(err *Failure) { f.count(err.Op, err.Class, err.Code, 1) }
