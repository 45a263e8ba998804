package loadgen

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// locked paces with an operating-system thread of its own that sleeps to absolute times of the monotonic clock. Go's
// own timers would wake it up to a millisecond late, and behind every goroutine that happens to run.
//
// The thread asks the kernel to be woken promptly: with a timer slack of one nanosecond, a short time slice, and, where
// the process may (root, CAP_SYS_NICE), a higher priority. On cores kept busy by three other processes the 99th
// percentile of its lateness is 3.8 ms without, 3 ms with the short slice, and 0.06 ms with the priority.
type locked struct {
	clock  *clock
	offset int64 // CLOCK_MONOTONIC at run time zero
	nice   bool
}

const (
	pacerNice  = -10
	pacerSlice = 100 * time.Microsecond
)

func newPacer(c *clock) pacer { return &locked{clock: c} }

func (l *locked) kind() string {
	if l.nice {
		return "locked-thread, nice -10"
	}
	return "locked-thread, nice 0"
}

// prepare gives the thread a place of its own in Go's scheduler. Without one, a thread that comes back from its sleep
// while every place is taken waits until a goroutine gives way, which can take ten milliseconds.
func (*locked) prepare() func() {
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(before + 1)
	return func() { runtime.GOMAXPROCS(before) }
}

// start takes a thread for the calling goroutine. It is never given back, so that it ends with the goroutine and no
// other one inherits its settings.
func (l *locked) start() {
	runtime.LockOSThread()
	// What the kernel refuses here shows as lag, which every run measures.
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	if attr, err := unix.SchedGetAttr(0, 0); err == nil {
		attr.Runtime = uint64(pacerSlice)
		_ = unix.SchedSetAttr(0, attr, 0)
		attr.Nice = pacerNice
		l.nice = unix.SchedSetAttr(0, attr, 0) == nil
	}
	before := l.clock.now()
	var now unix.Timespec
	// This clock cannot be missing: it is the one behind l.clock.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &now)
	l.offset = now.Nano() - (before+l.clock.now())/2
}

func (l *locked) wait(until int64) {
	// A sleep of less than this is over before the thread is off its core.
	const least = 2 * time.Microsecond
	for {
		left := until - l.clock.now()
		if left <= 0 {
			return
		}
		if time.Duration(left) < least {
			continue
		}
		at := unix.NsecToTimespec(until + l.offset)
		err := unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil)
		if err != nil && err != unix.EINTR {
			sleeper{l.clock}.wait(until)
		}
	}
}
