package loadgen

import (
	"errors"
	"sync/atomic"
)

// maxTurn bounds how many messages one turn takes, so that a generator far behind still flushes now and then.
const maxTurn = 4096

// sender plays rounds: it sleeps until messages are due, hands them to their sessions, and writes each session once per
// turn. One goroutine does all of it, so that nothing but that goroutine's own work can make a message late.
type sender struct {
	plan     *plan
	ledger   *ledger
	clock    *clock
	pacer    pacer
	grid     grid
	sessions []Session
	shard    *shard
	maxOut   int64

	offered  []int64      // messages due, by second of the run
	overruns atomic.Int64 // grid steps missed altogether
	sheds    atomic.Int64
	stopped  atomic.Bool

	bodies  []([]byte) // by traffic entry, everything but the stamp in place
	turn    []message  // what is due now
	dirty   []int32    // sessions with something in this turn
	head    []int32    // by session: its first message in turn, or -1
	tail    []int32
	samples []sample
	stamper stamper
}

// message is one message of a turn.
type message struct {
	account *account
	n       int
	due     int64
	next    int32 // the session's next message in the turn, or -1
}

func newSender(l *ledger, c *clock, p pacer, sessions []Session, shard *shard) *sender {
	s := &sender{
		plan: l.plan, ledger: l, clock: c, pacer: p, sessions: sessions, shard: shard,
		maxOut: int64(l.plan.Limits.MaxInFlight),
		turn:   make([]message, 0, maxTurn), samples: make([]sample, 0, maxTurn),
		head: make([]int32, len(sessions)), tail: make([]int32, len(sessions)),
	}
	for i := range s.head {
		s.head[i] = -1
	}
	total := Rate(0)
	for _, t := range l.plan.traffic {
		s.bodies = append(s.bodies, newBody(t.Payload))
		total += t.peak()
	}
	s.grid = gridFor(total)
	return s
}

// stop makes play return at its next turn.
func (s *sender) stop() {
	s.stopped.Store(true)
	if l := s.ledger.loop; l != nil {
		l.knock()
	}
}

// play sends the messages of a round, each as soon as it is due, until there are no more or stop is called. The calling
// goroutine has to end behind it, because the pacer takes its thread.
func (s *sender) play(r *round) {
	s.pacer.start()
	for !s.stopped.Load() {
		entry, due := r.peek()
		if entry == nil {
			return
		}
		wake := s.grid.wake(due)
		s.pacer.wait(wake)
		now := s.clock.now()
		if s.grid.step > 0 && now-wake > s.grid.step {
			s.overruns.Add(1)
		}
		s.flush(r.main, s.gather(r, now))
	}
}

// gather moves what is due from the round to the turn, in due order and linked by session. It returns how many messages
// were due.
func (s *sender) gather(r *round, now int64) (taken int64) {
	flying := s.ledger.inFlight()
	for len(s.turn) < maxTurn {
		entry, due := r.peek()
		if entry == nil || due > now {
			return taken
		}
		taken++
		n := r.take(entry)
		a := s.ledger.entries[entry.index]
		s.count(due)
		if flying >= s.maxOut {
			a.fate[n] = fateShed
			s.sheds.Add(1)
			continue
		}
		flying++
		s.add(a, n, due)
	}
	return taken
}

// add puts a message into the turn, behind those of the same session.
func (s *sender) add(a *account, n int, due int64) {
	stream, _ := a.streamOf(n)
	i := int32(len(s.turn))
	s.turn = append(s.turn, message{account: a, n: n, due: due, next: -1})
	if s.head[stream.sender] < 0 {
		s.head[stream.sender] = i
		s.dirty = append(s.dirty, stream.sender)
	} else {
		s.turn[s.tail[stream.sender]].next = i
	}
	s.tail[stream.sender] = i
}

func (s *sender) count(due int64) {
	second := int(due / 1e9)
	for second >= len(s.offered) {
		s.offered = append(s.offered, 0)
	}
	s.offered[second]++
}

// flush hands the turn over, session by session: all its messages, then one write.
func (s *sender) flush(main bool, taken int64) {
	done := tally{due: taken}
	for _, session := range s.dirty {
		now := s.clock.now()
		for i := s.head[session]; i >= 0; i = s.turn[i].next {
			m := &s.turn[i]
			if s.ledger.loop != nil {
				m.due = now // in a closed loop a message is due when it goes out
			}
			if !s.queue(session, m, now) {
				continue
			}
			done.sent++
			if main && s.ledger.loop == nil {
				s.samples = append(s.samples, sample{metricLag, now - m.due})
			}
		}
		s.sessions[session].Flush()
		s.head[session] = -1
	}
	s.shard.record(s.samples, done)
	s.turn, s.dirty, s.samples = s.turn[:0], s.dirty[:0], s.samples[:0]
}

// queue hands one message to its session and enters its fate.
func (s *sender) queue(session int32, m *message, now int64) bool {
	a := m.account
	stream, seq := a.streamOf(m.n)
	stamp := Stamp{
		Run: s.ledger.run, Shard: s.plan.shards[stream.sender], Stream: uint32(a.firstStream + m.n%len(a.streams)), Seq: uint32(seq), Due: m.due,
	}
	if a.measured(m.n) {
		stamp.Phase = 1
	}
	body := s.bodies[a.index]
	s.stamper.seal(&stamp, body, a.Payload.Type)
	group := &s.plan.groups[stream.group]
	// The answer may come before Queue returns, so the books are written first and corrected after a failure.
	a.wrote[m.n].Store(now)
	a.fate[m.n] = fateSent
	a.owed.Add(int64(stream.steady))
	a.sent.Add(1)
	err := s.sessions[session].Queue(Outgoing{
		Tag: uint64(a.first + m.n), Channel: group.channel >= 0, To: s.plan.destination(group),
		Raw: a.Payload.Type == Raw, Body: body,
	})
	if err == nil {
		return true
	}
	a.sent.Add(-1)
	a.owed.Add(-int64(stream.steady))
	a.fate[m.n] = fateFailed
	var failure *Failure
	if errors.As(err, &failure) && failure.Class == ClassQueueFull {
		a.fate[m.n] = fateShed
		s.sheds.Add(1)
		if l := s.ledger.loop; l != nil {
			l.back(a.firstStream + m.n%len(a.streams))
		}
	}
	return false
}
