package rtm

import (
	"slices"
	"testing"
	"time"
)

func TestPausesDoubleUpToTheHighestCeiling(t *testing.T) {
	p := newPauses(Backoff{Min: 200 * time.Millisecond, Max: 20 * time.Second})
	p.draw = func(n int64) int64 { return n - 1 } // the longest that may be drawn
	var got []time.Duration
	for range 9 {
		got = append(got, p.next())
	}
	ms := time.Millisecond
	if want := []time.Duration{200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, 12800 * ms, 20000 * ms, 20000 * ms}; !slices.Equal(got, want) {
		t.Fatal(got)
	}
	p.attempt = 1 << 30 // a very long outage
	if pause := p.next(); pause != 20*time.Second {
		t.Fatal(pause)
	}
	p.reset()
	p.later()
	if pause := p.next(); pause != 3200*ms {
		t.Fatal(pause)
	}
	p.draw = func(int64) int64 { return 0 }
	if pause := p.next(); pause != 0 {
		t.Fatal("the jitter is not full:", pause)
	}
}

func TestPausesAreSpreadEvenly(t *testing.T) {
	var sum time.Duration
	const draws = 10_000
	for range draws {
		p := newPauses(Backoff{Min: time.Second, Max: time.Second})
		pause := p.next()
		if pause < 0 || pause > time.Second {
			t.Fatal(pause)
		}
		sum += pause
	}
	// The mean of 10,000 draws is within 5 standard errors of the middle.
	if mean := sum / draws; mean < 485*time.Millisecond || mean > 515*time.Millisecond {
		t.Fatal(mean)
	}
}
