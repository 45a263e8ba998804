package loadgen

import (
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// cutPatience is how long a message may be on its way behind its answer. Whoever was cut off sooner need not have it: it
// may have died in a socket.
const cutPatience = time.Second

// expect works out, when the run is over, what the coming and going of sessions makes of the deliveries, and enters it
// into the seats. Runs in which all sessions stay expect every message everywhere.
func (c *churn) expect(l *ledger) {
	if len(c.accounts) == 0 {
		return
	}
	patience := func(session int32) int64 {
		if l.plan.roles[session] != roleSlow {
			return int64(cutPatience)
		}
		// A server that cuts a slow reader off drops what waited for it, which is what came during a pause.
		longest := time.Duration(0)
		for _, a := range c.accounts {
			longest = max(longest, a.Hold)
		}
		return int64(cutPatience + longest)
	}
	streams := l.streamsByGroup()
	for _, b := range l.inboxes {
		for i := range b.seats {
			s := &b.seats[i]
			g := &l.plan.groups[s.group]
			log := c.logs[place{b.session, g.channel}]
			switch {
			case log == nil && len(b.ends) == 0:
				continue
			case log == nil:
				log = newPresence()
			}
			s.expect(log.cut(b.ends), l.entries[g.entry], streams[s.group], patience(b.session))
		}
	}
}

// expect fills in which messages the session of the seat need not get, and which it must not.
func (s *seat) expect(log *presence, a *account, streams []int, patience int64) {
	s.excused, s.forbidden = make(bitmap, len(s.seen)), make(bitmap, len(s.seen))
	for _, number := range streams {
		for n := number; n < a.count(); n += len(a.streams) {
			if a.fate[n] != fateSent {
				continue
			}
			answered := a.answeredAt[n]
			if a.answer[n] == answerTimeout || a.answer[n] == answerLost {
				answered = never
			}
			bit := s.bit(a.streams[number].slot, n/len(a.streams))
			switch log.duty(a.wrote[n].Load(), answered, patience) {
			case dutyMay:
				s.excused.set(bit)
			case dutyMustNot:
				s.excused.set(bit)
				s.forbidden.set(bit)
			}
		}
	}
}

// absent counts an answer that is right because the receiver of a peer message was not surely there.
func (b *books) absent(row *reports.LedgerRow, t *trafficPlan, n int) {
	answer := b.entries[t.index].answer[n]
	if t.Op != OpPeer || answer != answerNotReceived && answer != answerError {
		return
	}
	s, seq := t.streamOf(n)
	seat := seatIn(b.sessions[b.plan.groups[s.group].receivers[0]].seats, s.group)
	switch {
	case seat == nil || !seat.excused.has(seat.bit(s.slot, seq)):
	case answer == answerNotReceived:
		row.AbsentNotReceived++
	default:
		row.AbsentError++
	}
}

// streamsByGroup returns for each group the numbers of the streams that lead into it, within their traffic entry.
func (l *ledger) streamsByGroup() [][]int {
	streams := make([][]int, len(l.plan.groups))
	for _, a := range l.entries {
		for number, s := range a.streams {
			streams[s.group] = append(streams[s.group], number)
		}
	}
	return streams
}
