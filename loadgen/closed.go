package loadgen

import (
	"fmt"
	"sync"
	"time"
)

// nearCeiling is the share of its ceiling from which on a closed loop was paced by it rather than by the answers.
const nearCeiling = 0.95

// closed reports whether the workload is a closed loop. Check sees to it that then all its entries are.
func (w Workload) closed() bool {
	return len(w.Traffic) > 0 && w.Traffic[0].Executor == Closed
}

// checkClosed names the first thing that keeps an entry from being a closed loop, or from standing beside the others.
func (w Workload) checkClosed(path string, t Traffic) *problem {
	if first := w.Traffic[0].Executor; (t.Executor == Closed) != w.closed() {
		return bad(path+".executor", "it is %s, and traffic[0] is %s; a closed entry slows down with the server and takes the load off it that an open one measures, so make them all closed or none", t.Executor, first)
	}
	if t.Executor != Closed {
		return nil
	}
	places := t.Outstanding * w.streamsOf(t)
	switch {
	case t.Outstanding < 1 || t.Outstanding > maxMessages:
		return bad(path+".outstanding", "%d; a closed loop needs the number of messages that each stream may have without an answer, 1 or more", t.Outstanding)
	case places > maxMessages:
		return bad(path+".outstanding", "%d messages of each of %d streams are more than the ledger holds (%d); lower it", t.Outstanding, w.streamsOf(t), maxMessages)
	case places > w.Limits.MaxInFlight:
		return bad(path+".outstanding", "%d messages of each of %d streams are %d without an answer, more than the %d of limits.max_in_flight; lower it, or raise that limit",
			t.Outstanding, w.streamsOf(t), places, w.Limits.MaxInFlight)
	}
	return nil
}

// ceiling returns the schedule of a closed entry that is answered at once: its most messages. Every stream has the same
// number of them, because nobody knows beforehand which will be answered faster.
func ceiling(rate Rate, span time.Duration, streams int) constant {
	c := newConstant(rate, span)
	c.n = (c.n + streams - 1) / streams * streams
	return c
}

// title is the workload's name in results. It says of a closed loop that it is one, so that nobody sets its latencies
// beside those of an open loop by mistake.
func (w Workload) title() string {
	if w.closed() {
		return w.Name + ", closed loop"
	}
	return w.Name
}

// notes are the sentences that a reader of the run's numbers must know; achieved is how many messages a second it sent.
func (p *plan) notes(achieved float64) (notes []string) {
	if ceiling, _ := p.offered(); p.closed() && achieved > nearCeiling*ceiling {
		notes = append(notes, fmt.Sprintf("The ceiling of %s held the closed loop back; raise rate to see how fast the server itself lets it go.", Rate(ceiling)))
	}
	for _, t := range p.traffic {
		if t.Executor == Closed {
			notes = append(notes, fmt.Sprintf("Closed loop: each stream of %s had at most %d messages without an answer, so that a slow server was sent less. "+
				"These latencies cannot be compared with those of an open loop, and no schedule lag is measured.", t.ID, t.Outstanding))
		}
	}
	return notes
}

// loop keeps a closed run going. A stream has as many places as it may have messages without an answer; an answer frees
// the place of its message, and a free place is a message to be sent. Places stay taken from one phase to the next: what
// the warm-up left unanswered counts in the measured phase, too.
type loop struct {
	plan *plan
	wake chan struct{} // holds a token when something has happened

	mu    sync.Mutex
	freed []int32 // streams, once for each place that became free since the player last looked

	// The player's own.
	looked []int32 // the other half of freed
	places []int32 // by stream: free ones
	round  *round
	next   []int32 // by stream: its next message's number in this phase
	from   []int64 // by stream: the run time from which the ceiling lets it send that message
	ready  []turnOf
}

// turnOf is a stream with a free place, and when the ceiling lets it send.
type turnOf struct {
	due    int64
	stream int32
}

func newLoop(p *plan) *loop {
	l := &loop{
		plan: p, wake: make(chan struct{}, 1),
		places: make([]int32, p.streams), next: make([]int32, p.streams), from: make([]int64, p.streams),
		ready: make([]turnOf, 0, p.streams),
	}
	all := 0
	for _, t := range p.traffic {
		for s := range t.streams {
			if p.mine.has(t.streams[s].sender) {
				l.places[t.firstStream+s] = int32(t.Outstanding)
			}
		}
		all += len(t.streams) * t.Outstanding
	}
	l.freed, l.looked = make([]int32, 0, all), make([]int32, 0, all)
	return l
}

// free gives a place of the stream back. Any goroutine may call it.
func (l *loop) free(stream int) {
	l.back(stream)
	l.knock()
}

// back gives a place back without a reason to send on it at once, so that what was refused for now is tried again when
// something else has moved.
func (l *loop) back(stream int) {
	l.mu.Lock()
	l.freed = append(l.freed, int32(stream))
	l.mu.Unlock()
}

// knock wakes the player.
func (l *loop) knock() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// begin readies the loop for a phase.
func (l *loop) begin(r *round) {
	l.round = r
	l.ready = l.ready[:0]
	clear(l.next)
	for _, t := range l.plan.traffic {
		for s := range t.streams {
			// The streams begin one after the other, as the ceiling has them.
			l.from[t.firstStream+s] = r.start + int64(float64(s)/float64(t.Rate)*1e9)
		}
	}
	for stream, places := range l.places {
		if places > 0 {
			l.push(int32(stream))
		}
	}
}

// push puts a stream in line for its next message of the phase, if it has one. A stream stands there once at most.
func (l *loop) push(stream int32) {
	entry, s := l.plan.entryOfStream(uint32(stream))
	if n := int(l.next[stream])*len(entry.streams) + s; n >= entry.schedule(l.round.main).count() {
		return
	}
	l.ready = append(l.ready, turnOf{l.from[stream], stream})
	for i := len(l.ready) - 1; i > 0; {
		parent := (i - 1) / 2
		if l.ready[parent].due <= l.ready[i].due {
			break
		}
		l.ready[parent], l.ready[i] = l.ready[i], l.ready[parent]
		i = parent
	}
}

// pop takes the stream that may send first out of the line.
func (l *loop) pop() (stream int32) {
	stream = l.ready[0].stream
	last := len(l.ready) - 1
	l.ready[0] = l.ready[last]
	l.ready = l.ready[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if l.ready[child].due < l.ready[least].due {
				least = child
			}
		}
		if least == i {
			return stream
		}
		l.ready[i], l.ready[least] = l.ready[least], l.ready[i]
		i = least
	}
}

// collect takes over the places that became free.
func (l *loop) collect() {
	l.mu.Lock()
	l.freed, l.looked = l.looked[:0], l.freed
	l.mu.Unlock()
	for _, stream := range l.looked {
		if l.places[stream]++; l.places[stream] == 1 {
			l.push(stream)
		}
	}
}

// gather moves what may be sent now to the sender's turn and returns how many messages that is.
func (l *loop) gather(s *sender, now int64) (taken int64) {
	l.collect()
	for len(l.ready) > 0 && l.ready[0].due <= now && len(s.turn) < maxTurn {
		stream := l.pop()
		entry, number := l.plan.entryOfStream(uint32(stream))
		n := int(l.next[stream])*len(entry.streams) + number
		if l.round.main {
			n += entry.warm.count()
		}
		l.next[stream]++
		// A stream that is behind its ceiling by a moment catches up; one that had to wait for answers does not.
		gap := int64(float64(len(entry.streams)) / float64(entry.Rate) * 1e9)
		l.from[stream] = max(l.from[stream]+gap, now)
		if l.places[stream]--; l.places[stream] > 0 {
			l.push(stream)
		}
		s.count(now)
		s.add(s.ledger.entries[entry.index], n, now)
		taken++
	}
	return taken
}

// playClosed sends the messages of a round until its end, each when a place is free for it, or until stop is called.
// Answers wake it; the timer is for the ceiling and for the end.
func (s *sender) playClosed(r *round, end int64) {
	l := s.ledger.loop
	l.begin(r)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		now := s.clock.now()
		if s.stopped.Load() || now >= end {
			return
		}
		if taken := l.gather(s, now); taken > 0 {
			s.flush(r.main, taken)
			continue
		}
		until := end
		if len(l.ready) > 0 {
			until = min(until, l.ready[0].due)
		}
		timer.Reset(time.Duration(until - now))
		select {
		case <-l.wake:
		case <-timer.C:
		}
	}
}
