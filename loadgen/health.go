package loadgen

import (
	"fmt"
	"runtime"
	runtimemetrics "runtime/metrics"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// usage is what processes and the machine had used up at one moment. What the system does not tell is zero.
type usage struct {
	generatorCPU time.Duration // of this process, since it started
	serverCPU    time.Duration // of the server's process, since it started
	serverRSS    int64         // bytes, now
	pressure     time.Duration // time in which some task of the machine waited for a core
	gcPauseMax   time.Duration // longest pause of this process so far, as an upper bound
}

// observer looks at this process, the machine and, where its pid is known, the server's process.
type observer struct{ serverPID int }

// look takes the usage now.
func (o observer) look() usage {
	u := usage{generatorCPU: ownCPU(), pressure: cpuPressure(), gcPauseMax: gcPauseMax()}
	if o.serverPID > 0 {
		u.serverCPU, u.serverRSS = processUsage(o.serverPID)
	}
	return u
}

// gcPauseMax returns the upper end of the highest bucket of the runtime's pause histogram that is not empty.
func gcPauseMax() time.Duration {
	sample := []runtimemetrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	runtimemetrics.Read(sample)
	if sample[0].Value.Kind() != runtimemetrics.KindFloat64Histogram {
		return 0
	}
	h := sample[0].Value.Float64Histogram()
	for i := len(h.Counts) - 1; i >= 0; i-- {
		if h.Counts[i] > 0 {
			return time.Duration(h.Buckets[i] * float64(time.Second))
		}
	}
	return 0
}

// vital is the health of one second of a run; health.csv has a line for each.
type vital struct {
	second                 int
	phase                  string
	lagP50, lagP99, lagMax int64
	inFlight, shed         int64
	generatorCPU           float64 // share of all cores
	pressure               float64 // share of time
	serverCPU              float64 // in cores
	serverRSS              int64
	goroutines             int
}

const healthHeader = "second,phase,lag_p50_ns,lag_p99_ns,lag_max_ns,in_flight,shed,generator_cpu_share,cpu_pressure_share,server_cpu_cores,server_rss_bytes,goroutines\n"

func (v vital) csv() string {
	return fmt.Sprintf("%d,%s,%d,%d,%d,%d,%d,%.4f,%.4f,%.4f,%d,%d\n", v.second, v.phase, v.lagP50, v.lagP99, v.lagMax,
		v.inFlight, v.shed, v.generatorCPU, v.pressure, v.serverCPU, v.serverRSS, v.goroutines)
}

// compare fills in what the machine did between two looks.
func (v *vital) compare(before, after usage, elapsed time.Duration) {
	if elapsed <= 0 {
		return
	}
	span := float64(elapsed)
	v.generatorCPU = float64(after.generatorCPU-before.generatorCPU) / span / float64(runtime.NumCPU())
	v.pressure = float64(after.pressure-before.pressure) / span
	v.serverCPU = float64(after.serverCPU-before.serverCPU) / span
	v.serverRSS = after.serverRSS
}

// The limits of validity. Half of each makes a run degraded.
const (
	maxLagP99       = 2 * time.Millisecond
	maxLateSeconds  = 0.05  // share of seconds whose lag p99 is over maxLagP99; one second is allowed in any run
	maxShed         = 0.001 // share of messages
	leastAchieved   = 0.995 // sent per offered
	maxGeneratorCPU = 0.85  // share of all cores
	maxPressure     = 0.20  // share of time, from which the host counts as noisy
)

// Evidence is what the verdict on a run rests on, all from its measured phase.
type Evidence struct {
	// LagP99 is the 99th percentile of the schedule lag.
	LagP99 time.Duration
	// Seconds is how many seconds had messages.
	Seconds int
	// LateSeconds is how many of them had a lag p99 over 2 ms, and HalfLateSeconds over 1 ms.
	LateSeconds, HalfLateSeconds int
	// Offered is how many messages were due, Sent how many were sent, Shed how many were not because too much was in
	// flight.
	Offered, Sent, Shed int64
	// GeneratorCPU is the generator's share of all cores, 0 to 1.
	GeneratorCPU float64
	// Pressure is the share of time in which some task of the machine waited for a core, 0 to 1.
	Pressure float64
	// WarmupLeft tells that the warm-up had not drained when the measured phase began.
	WarmupLeft bool
}

// Judge says whether a run measured the server or its own generator.
//
// It is invalid when the lag p99 is over 2 ms, in the whole phase or in more than 5 % of its seconds and more than one of
// them, when more than 0.1 % of the messages were shed, or when less than 99.5 % of the offered rate was sent; degraded at half of these, and
// when the generator took more than 85 % of all cores or the warm-up had not drained. The attribution says who was in
// the way: the server, if messages were shed or failed while the schedule was kept; else the generator, if it had most
// of the cores; else the host, if tasks waited for cores.
func Judge(e Evidence) reports.Validity {
	var invalid, degraded []string
	judge := func(value, limit float64, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if value > limit {
			invalid = append(invalid, text)
		} else if value > limit/2 {
			degraded = append(degraded, text)
		}
	}
	judge(float64(e.LagP99), float64(maxLagP99), "the schedule lag had a p99 of %v; up to %v is valid", e.LagP99.Round(time.Microsecond), maxLagP99/2)
	if e.Seconds > 0 {
		allowed := max(1, int(maxLateSeconds*float64(e.Seconds)))
		if e.LateSeconds > allowed {
			invalid = append(invalid, fmt.Sprintf("%d of %d seconds had a lag p99 over %v", e.LateSeconds, e.Seconds, maxLagP99))
		} else if e.HalfLateSeconds > allowed {
			degraded = append(degraded, fmt.Sprintf("%d of %d seconds had a lag p99 over %v", e.HalfLateSeconds, e.Seconds, maxLagP99/2))
		}
	}
	if e.Offered > 0 {
		judge(float64(e.Shed)/float64(e.Offered), maxShed, "%d of %d messages were shed because too many were without an answer", e.Shed, e.Offered)
		judge(1-float64(e.Sent)/float64(e.Offered), 1-leastAchieved, "only %d of %d messages were sent", e.Sent, e.Offered)
	} else {
		invalid = append(invalid, "no message was due in the measured phase")
	}
	if e.GeneratorCPU > maxGeneratorCPU {
		degraded = append(degraded, fmt.Sprintf("the generator itself used %.0f %% of all cores", 100*e.GeneratorCPU))
	}
	if e.WarmupLeft {
		degraded = append(degraded, "warm-up messages were still on their way when the measured phase began")
	}
	switch {
	case len(invalid) > 0:
		return reports.Validity{Verdict: reports.Invalid, Reasons: append(invalid, degraded...), Attribution: e.attribute()}
	case len(degraded) > 0:
		return reports.Validity{Verdict: reports.Degraded, Reasons: degraded, Attribution: e.attribute()}
	}
	return reports.Validity{Verdict: reports.Valid}
}

func (e Evidence) attribute() string {
	late := e.LagP99 > maxLagP99/2 || e.HalfLateSeconds > 0
	switch {
	case !late && (e.Shed > 0 || e.Sent < e.Offered || e.WarmupLeft):
		return "server bound"
	case e.GeneratorCPU > maxGeneratorCPU/2:
		return "generator bound"
	case e.Pressure > maxPressure:
		return "host noise"
	}
	return ""
}
