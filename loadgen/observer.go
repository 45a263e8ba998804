package loadgen

import (
	"math"
	"os"
	"runtime"
	runtimemetrics "runtime/metrics"
	"slices"
	"time"
)

// usage is what processes and the machine had used up at one moment.
type usage struct {
	readings
	serverBy string

	// Of these, only the differences between two moments are told.
	pauses, latencies *runtimemetrics.Float64Histogram
	cores             []coreTime
}

// coreTime is how long a core was busy and how long it was there, in any unit.
type coreTime struct{ busy, total uint64 }

// observer looks at this process, the machine, and the server's processes. One goroutine at a time uses it.
type observer struct {
	serverPID int
	scraper   *scraper // or nil
	cores     int      // that this process may use, when no pacer has taken one more

	threads map[string]turns // by thread, as last seen
	turns   turns            // of all, also those that have ended
	samples []runtimemetrics.Sample
}

func newObserver(serverPID int, s *scraper) *observer {
	return &observer{
		serverPID: serverPID, scraper: s, cores: min(runtime.GOMAXPROCS(0), runtime.NumCPU()),
		threads: map[string]turns{},
		samples: []runtimemetrics.Sample{
			{Name: "/sched/pauses/total/gc:seconds"}, {Name: "/sched/latencies:seconds"},
			{Name: "/cpu/classes/gc/total:cpu-seconds"}, {Name: "/sched/goroutines:goroutines"},
		},
	}
}

// turns is how long threads waited for a core, in nanoseconds, and how often they got one.
type turns struct{ waited, runs int64 }

// look takes the usage now.
func (o *observer) look() usage {
	u := usage{readings: readings{colGeneratorCores: float64(o.cores), colCores: float64(runtime.NumCPU())}}
	o.lookInside(&u)
	o.lookAtSelf(&u)
	o.lookAround(&u)
	switch {
	case o.scraper != nil:
		if s := o.scraper.last.Load(); s != nil {
			u.readings[colServerCPU], u.readings[colServerRSS], u.serverBy = s.cpu, s.rss, o.scraper.by
		}
	case o.serverPID > 0:
		if server, by := processTree(o.serverPID); by != "" {
			u.readings[colServerCPU], u.readings[colServerRSS], u.serverBy = float64(server.cpu), float64(server.rss), by
		}
	}
	return u
}

// lookInside reads what Go's runtime tells, on every system.
func (o *observer) lookInside(u *usage) {
	runtimemetrics.Read(o.samples)
	for _, s := range o.samples {
		switch s.Value.Kind() {
		case runtimemetrics.KindUint64:
			u.readings[colGoroutines] = float64(s.Value.Uint64())
		case runtimemetrics.KindFloat64:
			u.readings[colGCCPU] = math.Round(s.Value.Float64() * 1e9)
		case runtimemetrics.KindFloat64Histogram:
			// The runtime fills the same histogram again at the next reading.
			h := *s.Value.Float64Histogram()
			h.Counts = slices.Clone(h.Counts)
			if s.Name == o.samples[0].Name {
				u.pauses = &h
			} else {
				u.latencies = &h
			}
		}
	}
}

// since returns what u shows of the time since an earlier look.
func (u usage) since(before usage) readings {
	r := readings{}
	if n, ok := quantileSince(before.pauses, u.pauses, 0.99); ok {
		r[colGCPauseP99] = n
	}
	if n, ok := quantileSince(before.pauses, u.pauses, 1); ok {
		r[colGCPauseMax] = n
	}
	if n, ok := quantileSince(before.latencies, u.latencies, 0.99); ok {
		r[colSchedP99] = n
	}
	for i, core := range u.cores {
		if i < len(before.cores) && core.total > before.cores[i].total && core.busy >= before.cores[i].busy {
			share := float64(core.busy-before.cores[i].busy) / float64(core.total-before.cores[i].total)
			r[colBusiestCore] = max(r[colBusiestCore], share)
		}
	}
	return r
}

// quantileSince returns, in nanoseconds, an upper bound of a quantile of what a histogram of seconds gained between two
// readings, and whether it gained anything.
func quantileSince(before, after *runtimemetrics.Float64Histogram, q float64) (ns float64, ok bool) {
	if before == nil || after == nil || len(before.Counts) != len(after.Counts) {
		return 0, false
	}
	var total uint64
	for i := range after.Counts {
		total += after.Counts[i] - before.Counts[i]
	}
	if total == 0 {
		return 0, false
	}
	rank, seen := uint64(math.Ceil(q*float64(total))), uint64(0)
	for i := range after.Counts {
		if seen += after.Counts[i] - before.Counts[i]; seen >= rank {
			bound := after.Buckets[i+1]
			if math.IsInf(bound, 0) {
				bound = after.Buckets[i]
			}
			return math.Round(max(bound, 0) * 1e9), true
		}
	}
	return 0, false
}

// processes is what some processes used.
type processes struct {
	cpu time.Duration // since they started, with those they started and outlived
	rss int64         // bytes, now
}

// openFiles counts the open file descriptors of this process where the system lists them.
func openFiles(dir string) (float64, bool) {
	d, err := os.Open(dir)
	if err != nil {
		return 0, false
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return float64(len(names) - 1), err == nil && len(names) > 0 // without the one that lists them
}
