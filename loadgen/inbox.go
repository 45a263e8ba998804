package loadgen

import (
	"sync/atomic"
	"time"
)

// inbox is the receiving side of one session: it is the session's [Handler] and keeps its part of the ledger. Only the
// session's reading goroutine touches it while the session lives.
type inbox struct {
	ledger  *ledger
	session int32
	uid     string
	clock   *clock
	shard   *shard

	seats            []seat
	counts           []arrivals // by traffic entry
	foreign, corrupt int64
	slow             bool        // a slow reader: its latencies are its own doing
	ended            atomic.Bool // the session broke off before the run closed it
	ends             []int64     // when, in run time: sessions that reconnect can end more than once

	fresh   []int64 // first deliveries of this batch to those who stay, by traffic entry
	samples []sample
	stamper stamper
}

func newInbox(l *ledger, session int) *inbox {
	return &inbox{
		ledger: l, session: int32(session), uid: l.plan.uids[session], slow: l.plan.roles[session] == roleSlow,
		counts: make([]arrivals, len(l.entries)), fresh: make([]int64, len(l.entries)),
		samples: make([]sample, 0, 64),
	}
}

func (b *inbox) addSeat(number int32) {
	g := &b.ledger.plan.groups[number]
	s := seat{group: number, seqs: g.seqs, last: make([]int32, g.streams)}
	s.steady = b.ledger.plan.stays(place{b.session, g.channel})
	s.seen = newBitmap(g.bits())
	for i := range s.last {
		s.last[i] = -1
	}
	b.seats = append(b.seats, s)
}

func (b *inbox) seat(group int32) *seat { return seatIn(b.seats, group) }

// Handle enters what one read brought into the ledger and the histograms.
func (b *inbox) Handle(at time.Time, events []Event) {
	now := b.clock.at(at)
	var done tally
	for i := range events {
		switch e := &events[i]; e.Kind {
		case Delivered:
			done.delivered++
			b.delivered(now, e)
		case Answered, Refused:
			b.answered(now, e, &done)
		case Ended:
			b.ended.Store(true)
			b.ends = append(b.ends, now)
			b.ledger.target.broke(now)
			done.errors++
			b.ledger.faults.failure(e.Failure)
		}
		if len(b.samples) > cap(b.samples)-4 {
			b.shard.record(b.samples, tally{})
			b.samples = b.samples[:0]
		}
	}
	b.shard.record(b.samples, done)
	b.samples = b.samples[:0]
	for i, n := range b.fresh {
		if n > 0 {
			b.ledger.entries[i].delivered.Add(n)
			b.fresh[i] = 0
		}
	}
}

func (b *inbox) delivered(now int64, e *Event) {
	kind := Text
	if e.Raw {
		kind = Raw
	}
	var stamp Stamp
	if !b.stamper.open(&stamp, e.Body, kind) {
		b.stray(anomalyCorrupt, &b.corrupt)
		return
	}
	if stamp.Run != b.ledger.run {
		b.stray(anomalyForeign, &b.foreign)
		return
	}
	entry, number := b.ledger.plan.entryOfStream(stamp.Stream)
	if entry == nil {
		b.stray(anomalyCorrupt, &b.corrupt)
		return
	}
	a, s := b.ledger.entries[entry.index], &entry.streams[number]
	n := int(stamp.Seq)*len(entry.streams) + number
	if n >= entry.count() || stamp.Shard != b.ledger.plan.shards[s.sender] || !b.routed(s, e) {
		b.stray(anomalyCorrupt, &b.corrupt)
		return
	}
	counts := &b.counts[entry.index]
	counts.received++
	seat := b.seat(s.group)
	if seat == nil || s.sender == b.session {
		counts.leaked++
		b.ledger.faults.note(anomaly{anomalyLeaked, entry, n, b.session})
		return
	}
	bit := seat.bit(s.slot, int(stamp.Seq))
	if seat.has(bit) {
		counts.duplicated++
		b.ledger.faults.note(anomaly{anomalyDuplicated, entry, n, b.session})
		return
	}
	seat.set(bit)
	if last := &seat.last[s.slot]; int32(stamp.Seq) < *last {
		counts.reordered++
		b.ledger.faults.note(anomaly{anomalyReordered, entry, n, b.session})
	} else {
		*last = int32(stamp.Seq)
	}
	if !b.ledger.plan.mine.has(s.sender) {
		// Another process sent it, by another clock.
		return
	}
	if seat.steady {
		b.fresh[entry.index]++
	}
	if !b.slow {
		b.timed(now, a, n, stamp.Due, seat.steady, s.split)
	}
}

// routed reports whether a message came under the name of its sender and through its channel.
func (b *inbox) routed(s *stream, e *Event) bool {
	p := b.ledger.plan
	if string(e.From) != p.uids[s.sender] {
		return false
	}
	if c := p.groups[s.group].channel; c >= 0 {
		return string(e.Channel) == p.channels[c].name
	}
	return e.Channel == nil
}

func (b *inbox) stray(kind anomalyKind, count *int64) {
	*count++
	b.ledger.faults.note(anomaly{kind: kind, receiver: b.session})
}

// timed records the latencies that a first delivery of message n shows. First and last are those among the members who
// stay, for whether the others have to get the message is known only at the end; and of a channel that is split over
// processes nobody knows them.
func (b *inbox) timed(now int64, a *account, n int, due int64, steady, split bool) {
	if a.Op == OpPeer {
		if a.measured(n) {
			b.samples = append(b.samples, sample{metricPeerDeliver, now - due})
		}
		return
	}
	var first, last int64
	complete := false
	if steady {
		first, last, complete = a.arrived(n, now)
	}
	if !a.measured(n) {
		return
	}
	b.samples = append(b.samples, sample{metricChannelDeliver, now - due})
	if complete && !split {
		b.samples = append(b.samples, sample{metricChannelFirst, first - due}, sample{metricChannelLast, last - due})
	}
}

// answered enters the answer to one of the session's own messages.
func (b *inbox) answered(now int64, e *Event, done *tally) {
	if e.Tag >= uint64(b.ledger.plan.messages) {
		b.violation(done)
		return
	}
	entry, n := b.ledger.plan.entryOf(int(e.Tag))
	a := b.ledger.entries[entry.index]
	s, _ := a.streamOf(n)
	if s.sender != b.session || a.answer[n] != answerNone {
		b.violation(done)
		return
	}
	done.acked++
	if l := b.ledger.loop; l != nil {
		defer l.free(a.firstStream + n%len(a.streams))
	}
	if a.answeredAt != nil {
		a.answeredAt[n] = now
	}
	if e.Kind == Refused {
		a.answer[n] = answerError
		a.owed.Add(-int64(s.steady))
		a.answered.Add(1)
		done.errors++
		b.ledger.faults.failure(e.Failure)
		return
	}
	a.answer[n] = answerReceived
	if !e.Received {
		a.answer[n] = answerNotReceived
		a.owed.Add(-int64(s.steady))
	}
	a.answered.Add(1)
	if !a.measured(n) {
		return
	}
	b.samples = append(b.samples, sample{a.ackMetric(), now - a.due(n, b.clock.mainStart())})
	if a.Op == OpPeer {
		b.samples = append(b.samples, sample{metricPeerAckService, now - a.wrote[n].Load()})
	}
}

// WriteBlocked records how long the connection held up what was written, of the sessions that read as fast as they can.
func (b *inbox) WriteBlocked(d time.Duration) {
	if b.slow || b.clock.mainStart() == 0 {
		return
	}
	b.shard.record([]sample{{metricWriteBlock, int64(d)}}, tally{})
}

// violation counts an answer to nothing, or a second answer.
func (b *inbox) violation(done *tally) {
	done.errors++
	b.ledger.faults.count("session", ClassProtocol, 0, 1)
}
