package loadgen

import (
	"math"
	"math/rand/v2"
	"time"
)

// schedule is when the messages of one traffic entry are due in one phase: an ascending list of distances from the
// phase's start, in nanoseconds, known before the phase begins. Nothing that happens during a run changes it.
type schedule interface {
	// count returns how many messages are due.
	count() int
	// due returns when message i is due, for i from 0 to count()-1.
	due(i int) int64
}

// warmSchedule returns the entry's schedule of a warm-up of the span: its arrivals at its starting rate.
func (t Traffic) warmSchedule(span time.Duration, seed uint64, streams int) schedule {
	t.Stages = nil
	if t.Executor == Replay {
		// A trace is of the measured phase alone.
		return newConstant(t.Rate, span)
	}
	return t.mainSchedule(span, seed, streams)
}

// mainSchedule returns the entry's schedule of a measured phase of the span. Equal seeds give equal schedules.
func (t Traffic) mainSchedule(span time.Duration, seed uint64, streams int) schedule {
	switch {
	case t.Executor == Closed:
		return ceiling(t.Rate, span, streams)
	case t.Executor == Replay:
		return t.recorded.due
	case t.Arrival == Burst || t.Arrival != Poisson && len(t.Stages) > 0:
		return newShaped(t.curve(span), t.Burst, span)
	case t.Arrival == Poisson && len(t.Stages) > 0:
		return newShapedPoisson(t.curve(span), span, seed)
	}
	return newSchedule(t.Arrival, t.Rate, span, seed)
}

// newSchedule returns the schedule of the arrival at the rate over the span. Equal seeds give equal schedules.
func newSchedule(arrival Arrival, rate Rate, span time.Duration, seed uint64) schedule {
	if arrival == Poisson {
		return newPoisson(rate, span, seed)
	}
	return newConstant(rate, span)
}

// constant spaces messages evenly, from time zero on.
type constant struct {
	n   int
	gap float64
}

func newConstant(rate Rate, span time.Duration) constant {
	gap := float64(time.Second) / float64(rate)
	n := int(math.Ceil(float64(span) / gap))
	// The division may round across a whole number; the last message is due before the span ends.
	for n > 0 && int64(float64(n-1)*gap) >= int64(span) {
		n--
	}
	return constant{n, gap}
}

func (c constant) count() int { return c.n }

// due multiplies instead of adding up, so that no error accumulates.
func (c constant) due(i int) int64 { return int64(float64(i) * c.gap) }

// listed is a schedule written out.
type listed []int64

func (l listed) count() int      { return len(l) }
func (l listed) due(i int) int64 { return l[i] }

// newPoisson makes independent arrivals: exponential gaps from a seeded generator.
func newPoisson(rate Rate, span time.Duration, seed uint64) listed {
	random := poissonSource(seed)
	gap := float64(time.Second) / float64(rate)
	due := make(listed, 0, int(float64(span)/gap*1.02)+64)
	for at := random.ExpFloat64() * gap; at < float64(span); at += random.ExpFloat64() * gap {
		due = append(due, int64(at))
	}
	return due
}

// newShapedPoisson makes independent arrivals whose rate follows a curve: the arrivals of a process of one a second,
// moved to where the curve has let as many seconds' worth of messages pass.
func newShapedPoisson(c curve, span time.Duration, seed uint64) listed {
	random := poissonSource(seed)
	total := c.total()
	due := make(listed, 0, int(total*1.02)+64)
	for n := random.ExpFloat64(); n < total; n += random.ExpFloat64() {
		due = append(due, min(int64(c.when(n)*1e9), int64(span)-1))
	}
	return due
}

func poissonSource(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x706f6973736f6e)) }
