package loadgen

import (
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// pacer waits for points in run time.
type pacer interface {
	// prepare readies the process for pacing; restore undoes it.
	prepare() (restore func())
	// start readies the calling goroutine, the only one to call wait until it ends.
	start()
	// wait returns at or shortly after the run time, at once when it is past.
	wait(until int64)
	// kind names the method in the manifest.
	kind() string
}

const (
	// gridNS is the distance of wake-ups at high rates: everything due in between goes out together. Finer grids cost
	// more CPU than they gain: a quarter of a core at 250 µs, a third at 100 µs.
	gridNS = 250_000

	// exactBelow is the rate below which each message gets a wake-up of its own, exactly when it is due.
	exactBelow Rate = 2000
)

// grid says when to wake for a message: on the next point of a grid, or exactly when it is due.
type grid struct{ step int64 }

func gridFor(total Rate) grid {
	if total < exactBelow {
		return grid{}
	}
	return grid{gridNS}
}

// wake returns the time at which a message that is due is sent: never before it is due.
func (g grid) wake(due int64) int64 {
	if g.step == 0 {
		return due
	}
	return (due + g.step - 1) / g.step * g.step
}

func pacerInfo(p pacer, g grid) reports.Pacer {
	return reports.Pacer{Kind: p.kind(), GridNS: g.step, Clock: "CLOCK_MONOTONIC"}
}

// sleeper paces with the runtime's timers. They are up to a millisecond late on Linux, so it is used only where there
// is nothing better, and in tests with a fake clock.
type sleeper struct{ clock *clock }

func (sleeper) prepare() func() { return func() {} }
func (sleeper) start()          {}
func (sleeper) kind() string    { return "sleep" }

func (s sleeper) wait(until int64) {
	if d := until - s.clock.now(); d > 0 {
		time.Sleep(time.Duration(d))
	}
}
