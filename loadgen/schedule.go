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

// poisson holds independent arrivals: exponential gaps from a seeded generator.
type poisson []int64

func newPoisson(rate Rate, span time.Duration, seed uint64) poisson {
	random := rand.New(rand.NewPCG(seed, 0x706f6973736f6e))
	gap := float64(time.Second) / float64(rate)
	due := make(poisson, 0, int(float64(span)/gap*1.02)+64)
	for at := random.ExpFloat64() * gap; at < float64(span); at += random.ExpFloat64() * gap {
		due = append(due, int64(at))
	}
	return due
}

func (p poisson) count() int      { return len(p) }
func (p poisson) due(i int) int64 { return p[i] }
