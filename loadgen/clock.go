package loadgen

import (
	"sync/atomic"
	"time"
)

// clock tells run time: nanoseconds since the run's time zero, which is a whole second of the wall clock, on the
// monotonic clock.
type clock struct {
	zero time.Time
	main atomic.Int64 // run time at which the measured schedule began
}

// newClock starts a clock. Time zero is the whole second just past, so that the seconds of a run are those of the wall
// clock.
func newClock() *clock {
	now := time.Now()
	// Add keeps the monotonic reading, which Truncate would strip.
	return &clock{zero: now.Add(-time.Duration(now.UnixNano() % int64(time.Second)))}
}

// newClockFor starts a clock whose time zero is the whole second that a moment lies in, so that the clocks of several
// processes that are given the moment agree as well as the machines' clocks do.
func newClockFor(moment time.Time) *clock {
	now := time.Now()
	zero := moment.Add(-time.Duration(moment.UnixNano() % int64(time.Second)))
	return &clock{zero: now.Add(-now.Round(0).Sub(zero))}
}

func (c *clock) now() int64            { return int64(time.Since(c.zero)) }
func (c *clock) at(t time.Time) int64  { return int64(t.Sub(c.zero)) }
func (c *clock) mainStart() int64      { return c.main.Load() }
func (c *clock) setMainStart(at int64) { c.main.Store(at) }

// wall returns the wall time at a run time.
func (c *clock) wall(at int64) time.Time { return c.zero.Add(time.Duration(at)) }
