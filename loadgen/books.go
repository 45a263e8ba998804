package loadgen

import (
	"math/bits"

	"github.com/rtmkit/rtmkit/reports"
)

// books is what a run knows of its messages once it is over: plain data, from which the ledger's rows and equations
// follow by the plan alone. The live tables are in ledger and inbox; a run folder keeps the books in its file [BooksFile].
type books struct {
	plan     *plan
	entries  []entryBook   // by traffic entry
	sessions []sessionBook // by session
	churn    [][]deeds     // by entry that lets sessions come and go, and by its operations
}

// entryBook has a place for each message of a traffic entry.
type entryBook struct{ fate, answer []uint8 }

// sessionBook is what one session received. A session that another process played has no seats and no counts.
type sessionBook struct {
	seats            []seat
	counts           []arrivals // by traffic entry
	foreign, corrupt int64
}

// arrivals counts what reached one session of one traffic entry.
type arrivals struct{ received, duplicated, reordered, leaked int64 }

// seat is a session's place in a group: a bit for each message of the group. Without excused and forbidden every message
// that the server confirmed has to arrive.
type seat struct {
	group     int32
	seqs      int32
	steady    bool // the session is here for the whole run, and reads without pause
	seen      bitmap
	excused   bitmap  // may arrive and need not, for instance because the session was just joining; nil for none
	forbidden bitmap  // must not arrive, because the session was no member; nil for none
	last      []int32 // highest number seen of each stream, from -1; only while the run lasts
}

func (s *seat) bit(slot int32, seq int) int { return int(slot)*int(s.seqs) + seq }
func (s *seat) has(bit int) bool            { return s.seen.has(bit) }
func (s *seat) set(bit int)                 { s.seen.set(bit) }

// bitmap is a list of bits; nil holds none that is set.
type bitmap []uint64

func newBitmap(bits int) bitmap { return make(bitmap, (bits+63)/64) }

func (b bitmap) has(bit int) bool { return b != nil && b[bit>>6]&(1<<(bit&63)) != 0 }

// count returns how many bits are set from one up to but not including another.
func (b bitmap) count(from, to int) (n int64) {
	for from < to {
		word := b[from>>6] >> (from & 63)
		if rest := to - from; rest < 64 {
			word &= 1<<rest - 1
		}
		n += int64(bits.OnesCount64(word))
		from += 64 - from&63
	}
	return n
}

func (b bitmap) set(bit int) { b[bit>>6] |= 1 << (bit & 63) }

// seatIn finds the place in a group. A session sits in 20 channels at most, so that a search beats a map.
func seatIn(seats []seat, group int32) *seat {
	for i := range seats {
		if seats[i].group == group {
			return &seats[i]
		}
	}
	return nil
}

// delivery is what became of one message at one of its receivers.
type delivery uint8

const (
	deliveryNone   delivery = iota // it did not arrive, as it may or must
	deliveryOnce                   // it had to arrive and did
	deliveryLost                   // it had to arrive and did not
	deliveryMay                    // it arrived, as it may
	deliveryLeaked                 // it arrived and must not
)

// delivery judges message n of an entry, which is number seq of the stream, at a receiver. The receipt is false when the
// server claimed the arrival of a peer message that neither came nor was excused.
func (b *books) delivery(t *trafficPlan, n int, s *stream, seq int, receiver int32) (d delivery, falseReceipt bool) {
	seat := seatIn(b.sessions[receiver].seats, s.group)
	if seat == nil {
		return deliveryNone, false // another process plays the receiver
	}
	bit := seat.bit(s.slot, seq)
	confirmed := b.entries[t.index].fate[n] == fateSent && b.entries[t.index].answer[n] == answerReceived
	has, excused, forbidden := seat.has(bit), seat.excused.has(bit), seat.forbidden.has(bit)
	if t.Op == OpPeer && confirmed {
		excused = false // the receiving client itself has confirmed the receipt, whatever became of it later
	}
	falseReceipt = confirmed && t.Op == OpPeer && !has && !excused
	switch {
	case has && forbidden:
		d = deliveryLeaked
	case has && confirmed && !excused:
		d = deliveryOnce
	case has:
		d = deliveryMay
	case confirmed && !excused && !forbidden:
		d = deliveryLost
	}
	return d, falseReceipt
}

// rows balances the accounts of all entries. Messages that cannot be told to belong to one, because they carry no stamp
// of this run, stand in a row of their own when there are any.
func (b *books) rows() []reports.LedgerRow {
	var rows []reports.LedgerRow
	for _, t := range b.plan.traffic {
		rows = append(rows, b.row(t))
	}
	stray := reports.LedgerRow{Traffic: "(unknown)"}
	for i := range b.sessions {
		stray.Foreign += b.sessions[i].foreign
		stray.Corrupt += b.sessions[i].corrupt
	}
	stray.Received = stray.Foreign + stray.Corrupt
	if stray.Received > 0 {
		rows = append(rows, stray)
	}
	return rows
}

// row balances the account of one traffic entry.
func (b *books) row(t *trafficPlan) reports.LedgerRow {
	row := reports.LedgerRow{Traffic: t.ID}
	for n, fate := range b.entries[t.index].fate {
		if fate == fateNone && b.mine(t, n) {
			continue
		}
		switch fate {
		case fateShed:
			row.Shed++
		case fateFailed:
			row.SendFailed++
		case fateSent:
			row.Sent++
		}
		if fate != fateNone {
			row.Scheduled++
		}
		b.balance(&row, t, n)
		b.absent(&row, t, n)
	}
	for i := range b.sessions {
		if counts := b.sessions[i].counts; counts != nil {
			c := &counts[t.index]
			row.Received += c.received
			row.Duplicated += c.duplicated
			row.Reordered += c.reordered
			row.Leaked += c.leaked
		}
	}
	return row
}

// mine reports whether this process had to send message n of an entry. Of the messages of another process only arrivals
// are known here.
func (b *books) mine(t *trafficPlan, n int) bool {
	s, _ := t.streamOf(n)
	return b.plan.mine.has(s.sender)
}

// balance adds message n to the row: its answer, and what arrived where.
func (b *books) balance(row *reports.LedgerRow, t *trafficPlan, n int) {
	if b.entries[t.index].fate[n] == fateSent {
		switch b.entries[t.index].answer[n] {
		case answerReceived:
			row.AckedReceived++
		case answerNotReceived:
			row.AckedNotReceived++
		case answerError:
			row.AckError++
		case answerTimeout:
			row.AckTimeout++
		case answerLost:
			row.AckLost++
		}
	}
	s, seq := t.streamOf(n)
	for _, receiver := range b.plan.groups[s.group].receivers {
		if receiver == s.sender {
			continue
		}
		d, falseReceipt := b.delivery(t, n, s, seq, receiver)
		switch d {
		case deliveryOnce:
			row.Expected++
			row.DeliveredOnce++
		case deliveryLost:
			row.Expected++
			row.Lost++
		case deliveryMay:
			row.MayDelivered++
		case deliveryLeaked:
			row.Leaked++
		}
		if falseReceipt {
			row.FalseReceipts++
		}
	}
}

// delivered returns how many messages of the measured phase arrived, each counted once at each receiver.
func (b *books) delivered() (total int64) {
	for _, t := range b.plan.traffic {
		for number := range t.streams {
			s := &t.streams[number]
			warm, all := t.inStream(number, t.warm.count()), t.inStream(number, t.count())
			for _, receiver := range b.plan.groups[s.group].receivers {
				if seat := seatIn(b.sessions[receiver].seats, s.group); seat != nil && receiver != s.sender {
					total += seat.seen.count(seat.bit(s.slot, warm), seat.bit(s.slot, all))
				}
			}
		}
	}
	return total
}

// anomalies returns what the books show to have gone wrong and no session could see while the run lasted: losses, false
// receipts, and arrivals that were forbidden. It returns the first most of them.
func (b *books) anomalies(most int) (list []anomaly) {
	for _, t := range b.plan.traffic {
		for n, fate := range b.entries[t.index].fate {
			if fate == fateNone && b.mine(t, n) {
				continue
			}
			s, seq := t.streamOf(n)
			for _, receiver := range b.plan.groups[s.group].receivers {
				if receiver == s.sender {
					continue
				}
				if len(list) >= most {
					return list[:most]
				}
				d, falseReceipt := b.delivery(t, n, s, seq, receiver)
				switch d {
				case deliveryLost:
					list = append(list, anomaly{anomalyLost, t, n, receiver})
				case deliveryLeaked:
					list = append(list, anomaly{anomalyLeaked, t, n, receiver})
				}
				if falseReceipt {
					list = append(list, anomaly{anomalyFalseReceipt, t, n, receiver})
				}
			}
		}
	}
	return list[:min(len(list), most)]
}

// equations returns what must hold of the rows, each computed from both sides. Samples is the number of samples of each
// metric; measured answers are counted again from the tables.
func (b *books) equations(rows []reports.LedgerRow, samples func(metric) int64) []reports.Equation {
	var list []reports.Equation
	add := func(traffic, text string, left, right int64) {
		list = append(list, reports.Equation{Traffic: traffic, Text: text, Left: left, Right: right, Holds: left == right})
	}
	for _, r := range rows {
		add(r.Traffic, "scheduled = sent + shed + send_failed", r.Scheduled, r.Sent+r.Shed+r.SendFailed)
		add(r.Traffic, "sent = acked_received + acked_not_received + ack_error + ack_timeout + ack_lost",
			r.Sent, r.AckedReceived+r.AckedNotReceived+r.AckError+r.AckTimeout+r.AckLost)
		add(r.Traffic, "expected = delivered_once + lost", r.Expected, r.DeliveredOnce+r.Lost)
		add(r.Traffic, "received = delivered_once + may_delivered + duplicated + leaked + foreign + corrupt",
			r.Received, r.DeliveredOnce+r.MayDelivered+r.Duplicated+r.Leaked+r.Foreign+r.Corrupt)
	}
	answers := map[metric]int64{}
	for _, t := range b.plan.traffic {
		answers[t.ackMetric()] += 0
		for n := t.warm.count(); n < t.count(); n++ {
			switch b.entries[t.index].answer[n] {
			case answerReceived, answerNotReceived, answerTimeout:
				answers[t.ackMetric()]++
			}
		}
	}
	for _, m := range []metric{metricPeerAck, metricChannelAck} {
		if n, used := answers[m]; used {
			add("", "samples of "+m.String()+" = measured messages answered or given up", samples(m), n)
		}
	}
	return list
}
