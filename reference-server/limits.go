package refserver

import (
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	// floodFactor and floodWindow say what a flood is: calls at so many times the limit
	// for so long, refused or not.
	floodFactor = 3
	floodWindow = 10 * time.Second
)

// limited is a kind of call that has a rate.
type limited uint8

const (
	limitLogin limited = iota
	limitRenew
	limitSend
	limitJoin
	limitJoinSame
	limitMembers
	limitCount
	limitedKinds
)

// limitedCalls are the names by which limited kinds are announced.
var limitedCalls = [limitedKinds]wire.Call{
	wire.CallLogin, wire.CallRenew, wire.CallSend, wire.CallJoin, wire.CallJoinSame, wire.CallMembers, wire.CallCount,
}

// rates are the call limits of a server, looked up once. A zero rate is no limit.
type rates [limitedKinds]wire.Rate

func ratesOf(l wire.Limits) (r rates) {
	for kind, call := range limitedCalls {
		r[kind], _ = l.Rate(call)
	}
	return r
}

// meter counts the calls of one kind in a sliding window. The zero meter has counted
// nothing. Only calls that pass are in the window, so that a client that is refused
// gets through as soon as the window moves on.
type meter struct {
	passed []int64 // passed is a ring of the times of the last calls that passed
	oldest int

	tries int   // tries counts all calls since began, for the flood
	began int64 // began is when the flood window began
}

// verdict is what a meter says of a call.
type verdict uint8

const (
	callPasses verdict = iota
	callTooOften
	callFlood
)

// try judges a call at the time now, in nanoseconds, and counts it.
func (m *meter) try(rate wire.Rate, now int64) verdict {
	if rate.Count == 0 {
		return callPasses
	}
	if now-m.began >= int64(floodWindow) {
		m.began, m.tries = now, 0
	}
	m.tries++
	window := int64(wire.Millis(rate.WindowMS))
	if len(m.passed) < rate.Count {
		m.passed = append(m.passed, now)
		return callPasses
	}
	if now-m.passed[m.oldest] < window {
		if int64(m.tries)*window > floodFactor*int64(rate.Count)*int64(floodWindow) {
			return callFlood
		}
		return callTooOften
	}
	m.passed[m.oldest] = now
	m.oldest = (m.oldest + 1) % rate.Count
	return callPasses
}

// full reports whether a call at the time now would be refused, without counting it.
func (m *meter) full(rate wire.Rate, now int64) bool {
	return rate.Count > 0 && len(m.passed) == rate.Count && now-m.passed[m.oldest] < int64(wire.Millis(rate.WindowMS))
}

// quiet reports whether the window holds no call any more.
func (m *meter) quiet(rate wire.Rate, now int64) bool {
	if len(m.passed) == 0 {
		return true
	}
	newest := m.passed[(m.oldest+len(m.passed)-1)%len(m.passed)]
	return now-newest >= int64(wire.Millis(rate.WindowMS))
}

// calls are the meters of one session.
type calls struct {
	meters [limitedKinds]meter
	same   map[string]*meter // same holds a meter for each channel joined lately
}

// sweepSame is the number of channels above which idle meters are looked for.
const sweepSame = 64

// joinOf returns the meter of one channel.
func (c *calls) joinOf(channel string, rate wire.Rate, now int64) *meter {
	if m := c.same[channel]; m != nil {
		return m
	}
	if c.same == nil {
		c.same = make(map[string]*meter)
	}
	if len(c.same) >= sweepSame {
		for name, m := range c.same {
			if m.quiet(rate, now) {
				delete(c.same, name)
			}
		}
	}
	m := new(meter)
	c.same[channel] = m
	return m
}

// allow counts a call of the session and refuses it above its rate. A client that
// stays far above it is closed.
func (c *conn) allow(id uint64, kind limited, tooOften wire.Code) bool {
	rate := c.srv.rates[kind]
	if rate.Count == 0 {
		return true
	}
	switch c.session.meters().meters[kind].try(rate, c.srv.elapsed(c.burst.batch.Now)) {
	case callTooOften:
		c.refuse(id, tooOften, "over the announced call limit; wait for the window to move on")
		return false
	case callFlood:
		c.close(wire.CloseFlood)
		return false
	}
	return true
}

// allowJoin is allow for joins, which are limited in all and for each channel.
func (c *conn) allowJoin(f *wire.ChannelJoin) bool {
	rate := c.srv.rates[limitJoinSame]
	if rate.Count == 0 {
		return c.allow(f.ID, limitJoin, wire.JoinTooOften)
	}
	now := c.srv.elapsed(c.burst.batch.Now)
	same := c.session.meters().joinOf(f.Channel, rate, now)
	if same.full(rate, now) {
		c.refuse(f.ID, wire.JoinSameTooOften, "this channel was joined too often; wait for the window to move on")
		return false
	}
	if !c.allow(f.ID, limitJoin, wire.JoinTooOften) {
		return false
	}
	same.try(rate, now)
	return true
}

// meters returns the meters of the session. The turn is held.
func (s *session) meters() *calls {
	if s.calls == nil {
		s.calls = new(calls)
	}
	return s.calls
}
