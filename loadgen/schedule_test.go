package loadgen

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestConstantScheduleKeepsItsRateInEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := Rate(rapid.Float64Range(0.5, 200_000).Draw(t, "rate"))
		span := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(20*time.Second)).Draw(t, "span"))
		s := newConstant(rate, span)
		if want := float64(rate) * span.Seconds(); math.Abs(float64(s.count())-want) > 1 {
			t.Fatalf("%d messages in %v at %v, want %.1f", s.count(), span, rate, want)
		}
		from := rapid.Int64Range(0, int64(span)).Draw(t, "from")
		to := rapid.Int64Range(from, int64(span)).Draw(t, "to")
		inside := dueBefore(s, to) - dueBefore(s, from)
		if want := float64(rate) * float64(to-from) / 1e9; math.Abs(float64(inside)-want) > 1.001 {
			t.Fatalf("%d messages from %d to %d, want %.2f within 1", inside, from, to, want)
		}
	})
}

// dueBefore counts the messages that are due before a time.
func dueBefore(s schedule, at int64) int {
	low, high := 0, s.count()
	for low < high {
		if middle := (low + high) / 2; s.due(middle) < at {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low
}

func TestSchedulesAscendWithinTheirSpan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		arrival := rapid.SampledFrom([]Arrival{Constant, Poisson}).Draw(t, "arrival")
		rate := Rate(rapid.Float64Range(1, 50_000).Draw(t, "rate"))
		span := time.Duration(rapid.Int64Range(1, int64(time.Second)).Draw(t, "span"))
		s := newSchedule(arrival, rate, span, rapid.Uint64().Draw(t, "seed"))
		last := int64(0)
		for i := range s.count() {
			due := s.due(i)
			if due < last || due >= int64(span) {
				t.Fatalf("message %d is due at %d after %d, span %d", i, due, last, span)
			}
			last = due
		}
	})
}

func TestPoissonGapsAreExponential(t *testing.T) {
	// Kolmogorov-Smirnov against the exponential distribution; the seed is fixed, so the result is too.
	const rate = 10_000
	s := newPoisson(rate, 10*time.Second, 42)
	if n := s.count(); math.Abs(float64(n)-100_000) > 4*math.Sqrt(100_000) {
		t.Fatalf("%d arrivals in 10 s at 10,000/s", n)
	}
	gaps := make([]float64, s.count())
	last := int64(0)
	for i := range gaps {
		gaps[i] = float64(s.due(i)-last) / 1e9 * rate
		last = s.due(i)
	}
	if far, limit := fromExponential(gaps); far > limit {
		t.Errorf("the gaps are %.5f from exponential, at most %.5f expected", far, limit)
	}
}

// fromExponential returns how far the gaps, in units of their mean, are from the exponential distribution, and how far
// chance puts them once in a thousand times.
func fromExponential(gaps []float64) (far, limit float64) {
	slices.Sort(gaps)
	n := float64(len(gaps))
	for i, gap := range gaps {
		want := 1 - math.Exp(-gap)
		far = max(far, math.Abs(float64(i)/n-want), math.Abs(float64(i+1)/n-want))
	}
	return far, 1.95 / math.Sqrt(n)
}

func TestEqualSeedsGiveEqualSchedules(t *testing.T) {
	a, b := newPoisson(1000, time.Second, 7), newPoisson(1000, time.Second, 7)
	if !slices.Equal(a, b) {
		t.Error("one seed, two schedules")
	}
	if c := newPoisson(1000, time.Second, 8); slices.Equal(a, c) {
		t.Error("two seeds, one schedule")
	}
}

func TestRoundHandsOutAllTrafficInDueOrder(t *testing.T) {
	w := Fanout(300, time.Second, 2, 4)
	w.Traffic = append(w.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: 1000, Arrival: Poisson})
	p, err := newPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, main := range []bool{false, true} {
		r := p.newRound(main, 1_000_000)
		last := int64(0)
		for {
			entry, due := r.peek()
			if entry == nil {
				break
			}
			n := r.take(entry)
			if due < last || seen[entry.first+n] || entry.measured(n) != main {
				t.Fatalf("message %d of %s at %d after %d, seen %v", n, entry.ID, due, last, seen[entry.first+n])
			}
			seen[entry.first+n], last = true, due
		}
	}
	if len(seen) != p.messages {
		t.Errorf("%d of %d messages handed out", len(seen), p.messages)
	}
}

func TestGridNeverWakesBeforeAMessageIsDue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		due := rapid.Int64Range(0, 1<<50).Draw(t, "due")
		for _, g := range []grid{gridFor(100), gridFor(50_000)} {
			if wake := g.wake(due); wake < due || wake-due >= max(g.step, 1) {
				t.Fatalf("due at %d, woken at %d on a grid of %d", due, wake, g.step)
			}
		}
	})
	if gridFor(1999).step != 0 || gridFor(2000).step != gridNS {
		t.Error("the exact sleep must end at 2,000/s")
	}
}

func TestPacerNeverReturnsEarly(t *testing.T) {
	c := newClock()
	p := newPacer(c)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.start()
		for _, ahead := range []int64{-1000, 0, 500, 1500, 50_000, 300_000, 2_000_000} {
			until := c.now() + ahead
			p.wait(until)
			if now := c.now(); now < until {
				t.Errorf("asked for %d ns ahead, returned %d ns early", ahead, until-now)
			}
		}
	}()
	<-done
}
