package loadgen

import (
	"math"
	"slices"
	"sort"
)

// never is a run time that no run reaches.
const never = math.MaxInt64

// stay is one stretch of presence, in run time. The session may be there from begun on, is there for sure from entered
// to leaving, and is away for sure from gone on. What did not happen is never.
type stay struct {
	begun, entered, leaving, gone int64
	abrupt                        bool // it ended without a goodbye
}

// presence is the log of one place: when its session was there. Operations on one session follow each other, so that a
// log has one writer at a time; it is read when the run is over.
type presence struct{ stays []stay }

// newPresence returns the log of a place whose session is there from the beginning.
func newPresence() *presence { return &presence{[]stay{{leaving: never, gone: never}}} }

// enter notes that the server is about to be asked to let the session in.
func (p *presence) enter(at int64) {
	p.stays = append(p.stays, stay{begun: at, entered: never, leaving: never, gone: never})
}

// entered notes that the server has confirmed it.
func (p *presence) entered(at int64) { p.stays[len(p.stays)-1].entered = at }

// refused notes that the server has said no.
func (p *presence) refused() { p.stays = p.stays[:len(p.stays)-1] }

// leave notes that the session is about to go. A second try does not move the time of the first.
func (p *presence) leave(at int64, abrupt bool) {
	if n := len(p.stays); n > 0 && at < p.stays[n-1].leaving {
		p.stays[n-1].leaving, p.stays[n-1].abrupt = at, abrupt
	}
}

// left notes that the session is away for sure, whatever was unsure before.
func (p *presence) left(at int64) {
	for i := len(p.stays) - 1; i >= 0 && p.stays[i].gone > at; i-- {
		p.stays[i].gone = at
	}
}

// away reports whether the session is away for sure.
func (p *presence) away() bool {
	n := len(p.stays)
	return n == 0 || p.stays[n-1].gone != never
}

// cut returns the log with the ends of connections that the session did not choose.
func (p *presence) cut(ends []int64) *presence {
	cut := &presence{slices.Clone(p.stays)}
	for _, end := range ends {
		for i := range cut.stays {
			s := &cut.stays[i]
			if s.begun > end || s.gone <= end {
				continue
			}
			s.gone = end
			if end < s.leaving {
				s.leaving, s.abrupt = end, true
			}
		}
	}
	return cut
}

// duty says what has to happen with a message at a place.
type duty uint8

const (
	dutyMay     duty = iota // it was just coming or going
	dutyMust                // it was there
	dutyMustNot             // it was away
)

// duty returns what has to happen with a message that was written at began and answered at answered, never for one
// without an answer. A session that was there from began to answered has to get it, for the server had taken it before
// the session left. Only when the session was cut off less than patience after the answer the message may have died on
// its way.
//
// Of two things in one nanosecond nobody knows which came first.
func (p *presence) duty(began, answered, patience int64) duty {
	first := sort.Search(len(p.stays), func(i int) bool { return p.stays[i].gone >= began })
	verdict := dutyMustNot
	for _, s := range p.stays[first:] {
		if s.begun > answered {
			break
		}
		if s.entered < began && answered < s.leaving && (!s.abrupt || s.leaving-answered >= patience) {
			return dutyMust
		}
		verdict = dutyMay
	}
	return verdict
}
