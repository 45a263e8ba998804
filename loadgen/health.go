package loadgen

import (
	"fmt"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// healthOf sums up the rows of the measured phase. It is a pure function of them, so that the same comes out of a run
// folder later. What the rows do not tell stays zero: all of it in a run that was cut short before it measured. The lag
// and the CPU time per message come from elsewhere.
func healthOf(rows []vital) (h reports.Health) {
	begin, end := edge(rows, markBegin), edge(rows, markEnd)
	if begin == nil || end == nil || end.at <= begin.at {
		return h
	}
	span := float64(end.at - begin.at)
	grew := func(c column) float64 { n, _ := grown(begin, end, c); return n }
	count := func(c column) int64 { return int64(grew(c)) }
	// The kernel counts in ticks, so that a share can come out a little over the whole.
	share := func(c column, of float64) float64 { return min(ratio(grew(c), of), 1) }
	cores := end.readings[colCores]

	h.Cores, h.GeneratorCores = int(cores), int(end.readings[colGeneratorCores])
	h.GridOverruns = count(colOverruns)
	h.GeneratorCPUNS = count(colGeneratorCPU)
	h.GeneratorCPUShare = share(colGeneratorCPU, span*cores)
	h.GeneratorWaitMeanNS = int64(ratio(grew(colGeneratorWait), grew(colGeneratorRuns)))
	h.GeneratorGCCPUShare = share(colGCCPU, float64(h.GeneratorCPUNS))
	h.GeneratorGCPauseP99NS, h.GeneratorGCPauseMaxNS = int64(end.readings[colGCPauseP99]), int64(end.readings[colGCPauseMax])
	h.GeneratorSchedLatencyP99NS = int64(end.readings[colSchedP99])
	h.MachineCPUShare = share(colMachineCPU, span*cores)
	h.BusiestCoreShare = end.readings[colBusiestCore]
	h.StealShare = share(colSteal, span*cores)
	h.ThrottledShare = share(colThrottled, span)
	h.CPUPressureShare, h.CPUPressureFullShare = share(colPressureSome, span), share(colPressureFull, span)
	h.TCPRetransmits = count(colRetransmits)
	h.ServerCPUBy = end.serverBy
	h.ServerCPUNS = count(colServerCPU)
	if end.serverBy != byMetrics {
		h.ServerCPUShare = ratio(float64(h.ServerCPUNS), span*cores)
	}
	if _, seen := grown(begin, end, colMachineCPU); seen {
		h.OthersCPUShare = max(0, h.MachineCPUShare-h.GeneratorCPUShare-h.ServerCPUShare)
	}
	for i := range rows {
		most := func(field *int64, c column) { *field = max(*field, int64(rows[i].readings[c])) }
		most(&h.InFlightMax, colInFlight)
		most(&h.GoroutinesMax, colGoroutines)
		most(&h.OpenFilesMax, colOpenFiles)
		most(&h.OpenFilesLimit, colOpenFilesLimit)
		most(&h.RunQueueMax, colRunQueue)
		most(&h.ServerRSSBytes, colServerRSS)
	}
	return h
}

// ratio returns a part of a whole, or 0 where there is no whole.
func ratio(part, whole float64) float64 {
	if whole <= 0 {
		return 0
	}
	return part / whole
}

// The limits of validity. Half of each makes a run degraded.
const (
	maxLagP99       = 2 * time.Millisecond
	maxLateSeconds  = 0.05  // share of seconds whose lag p99 is over the limit; one second is allowed in any run
	maxShed         = 0.001 // share of messages
	leastAchieved   = 0.995 // sent per offered
	maxGeneratorCPU = 0.85  // share of the cores that the generator may use
	maxGCCPU        = 0.25  // share of the generator's CPU time
	maxPressure     = 0.20  // share of time in which tasks waited, from which the host counts as noisy
	maxOthers       = 0.25  // share of all cores that others took, from which the host counts as noisy
	maxSteal        = 0.05  // share of all cores that the hypervisor took
	maxThrottled    = 0.02  // share of time
)

// Evidence is what the verdict on a run rests on, all from its measured phase. A zero means not observed, or nothing.
type Evidence struct {
	// LagP99 is the 99th percentile of the schedule lag.
	LagP99 time.Duration
	// LagLimit is the lag beyond which a run is invalid; zero means 2 ms.
	LagLimit time.Duration
	// Seconds is how many seconds had messages.
	Seconds int
	// LateSeconds is how many of them had a lag p99 over the limit, and HalfLateSeconds over half of it.
	LateSeconds, HalfLateSeconds int
	// Offered is how many messages were due, Sent how many were sent, Shed how many were not because too much was in
	// flight.
	Offered, Sent, Shed int64
	// Cores is how many cores the machine has, GeneratorCores how many of them the generator may use at once; zero means
	// as many.
	Cores, GeneratorCores int
	// GeneratorCPU, ServerCPU and OthersCPU are the shares of all cores that the generator, the server and everything else
	// used, 0 to 1.
	GeneratorCPU, ServerCPU, OthersCPU float64
	// ServerUnseen tells that the server runs on this machine and nobody knows which process it is, so that it is among
	// the others.
	ServerUnseen bool
	// Steal is the share of all cores that the hypervisor gave to other machines, 0 to 1.
	Steal float64
	// Throttled is the share of time in which a CPU quota held the generator back, 0 to 1.
	Throttled float64
	// Operations is how many logins, joins and the like were due; a run may have nothing else.
	Operations int64
	// Pressure is the share of time in which some task of the machine waited for a core, 0 to 1.
	Pressure float64
	// GCCPU is the part of the generator's CPU time that its garbage collector took, 0 to 1.
	GCCPU float64
	// SchedLatencyP99 is the 99th percentile of the time that goroutines of the generator were ready and did not run.
	SchedLatencyP99 time.Duration
	// WarmupLeft tells that the warm-up had not drained when the measured phase began.
	WarmupLeft bool
	// Client tells that the sessions are those of a client library in a process of its own, which is among the others.
	Client bool
	// LostAt is how long after its time zero the run lost its target, because every session had broken off; zero for a run
	// that did not.
	LostAt time.Duration
}

// add takes over what the health of the measured phase says. Local tells that the server's address is of this machine.
func (e *Evidence) add(h reports.Health, local bool) {
	e.Cores, e.GeneratorCores = h.Cores, h.GeneratorCores
	e.GeneratorCPU, e.ServerCPU, e.OthersCPU = h.GeneratorCPUShare, h.ServerCPUShare, h.OthersCPUShare
	e.ServerUnseen = h.ServerCPUBy == "" && local
	e.Steal, e.Throttled, e.Pressure = h.StealShare, h.ThrottledShare, h.CPUPressureShare
	e.GCCPU, e.SchedLatencyP99 = h.GeneratorGCCPUShare, time.Duration(h.GeneratorSchedLatencyP99NS)
}

// Judge says whether a run measured the server or its own generator.
//
// It is invalid when the lag p99 is over its limit, of 2 ms or of a tenth of the tightest latency that the workload's
// thresholds allow, in the whole phase or in more than 5 % of its seconds and more than one of them; when more than 0.1 %
// of the messages were shed; when less than 99.5 % of the offered rate was sent; when the generator used more than 85 % of
// the cores that it may use while its goroutines waited; or when its target was lost on the way. It is degraded at half of
// these, and when the generator used that much without a wait, when others took a quarter of the machine while tasks
// waited for cores, when a CPU quota held the generator back, or when the warm-up had not drained.
//
// The attribution says who was in the way, and the evidence why, with its numbers. A late generator was held up by others
// on the host, where they took a part of the cores and tasks waited; else by itself. Only where the schedule was kept and
// neither of the two was short of cores, messages that were shed or failed are the server's; in a run of a client library
// in a process of its own they are that client's.
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
	if e.LostAt > 0 {
		invalid = append(invalid, e.loss())
	}
	limit := e.lagLimit()
	judge(float64(e.LagP99), float64(limit), "the schedule lag had a p99 of %v; up to %v is valid", e.LagP99.Round(time.Microsecond), limit/2)
	if e.Seconds > 0 {
		allowed := max(1, int(maxLateSeconds*float64(e.Seconds)))
		if e.LateSeconds > allowed {
			invalid = append(invalid, fmt.Sprintf("%d of %d seconds had a lag p99 over %v", e.LateSeconds, e.Seconds, limit))
		} else if e.HalfLateSeconds > allowed {
			degraded = append(degraded, fmt.Sprintf("%d of %d seconds had a lag p99 over %v", e.HalfLateSeconds, e.Seconds, limit/2))
		}
	}
	if e.Offered > 0 {
		judge(float64(e.Shed)/float64(e.Offered), maxShed, "%d of %d messages were shed because too many were without an answer", e.Shed, e.Offered)
		judge(1-float64(e.Sent)/float64(e.Offered), 1-leastAchieved, "only %d of %d messages were sent", e.Sent, e.Offered)
	} else if e.Operations == 0 {
		invalid = append(invalid, "no message was due in the measured phase")
	}
	switch text := e.busy(); {
	case e.generatorShare() > maxGeneratorCPU && e.SchedLatencyP99 > limit:
		invalid = append(invalid, text)
	case e.generatorShare() > maxGeneratorCPU:
		degraded = append(degraded, text)
	}
	// A client under load that keeps the machine busy is no reproach while all else is well.
	if e.noisy(1) && !e.ServerUnseen && (!e.Client || len(invalid)+len(degraded) > 0) {
		degraded = append(degraded, e.noise())
	}
	if e.Throttled > maxThrottled {
		degraded = append(degraded, e.throttle())
	}
	if e.WarmupLeft {
		degraded = append(degraded, "warm-up messages were still on their way when the measured phase began")
	}
	v := reports.Validity{Verdict: reports.Valid}
	switch {
	case len(invalid) > 0:
		v = reports.Validity{Verdict: reports.Invalid, Reasons: append(invalid, degraded...)}
	case len(degraded) > 0:
		v = reports.Validity{Verdict: reports.Degraded, Reasons: degraded}
	default:
		return v
	}
	v.Attribution, v.Evidence = e.attribute()
	return v
}

// The attributions.
const (
	hostNoise      = "host noise"
	generatorBound = "generator bound"
	serverBound    = "server bound"
	clientBound    = "client bound"
)

// attribute says who was in the way and what tells so.
func (e Evidence) attribute() (who, why string) {
	limit := e.lagLimit()
	late := e.LagP99 > limit/2 || e.HalfLateSeconds > 0
	unsent := e.Shed > 0 || e.Sent < e.Offered || e.WarmupLeft
	// Where something went wrong already, less of a cause is enough to explain it.
	share := 1.0
	if late || unsent {
		share = 0.5
	}
	switch {
	case e.LostAt > 0:
		return serverBound, e.loss()
	case e.generatorShare() > maxGeneratorCPU:
		return generatorBound, e.busy()
	case e.Throttled > share*maxThrottled:
		return generatorBound, e.throttle()
	case e.noisy(share) && e.ServerUnseen && !late && !e.Client:
		return "", e.noise() + "; name the server's process to tell them apart"
	case e.noisy(share) && e.Client && !late && e.Steal <= share*maxSteal:
		return clientBound, e.noise()
	case e.noisy(share) && e.Client && e.Steal <= share*maxSteal:
		return "", e.noise() + "; the generator cannot tell them apart"
	case e.noisy(share):
		return hostNoise, e.noise()
	case late && e.GCCPU > maxGCCPU:
		return generatorBound, fmt.Sprintf("the generator's garbage collector took %.0f %% of its CPU time", 100*e.GCCPU)
	case (late || unsent) && e.SchedLatencyP99 > limit:
		return generatorBound, fmt.Sprintf("goroutines of the generator that were ready to run waited up to %v (p99)", e.SchedLatencyP99.Round(time.Microsecond))
	case late && e.GeneratorCPU+e.ServerCPU > maxGeneratorCPU:
		return generatorBound, fmt.Sprintf("the generator and the server used %.0f %% of the cores that they share, the generator %.0f %%",
			100*(e.GeneratorCPU+e.ServerCPU), 100*e.GeneratorCPU)
	case late && e.GeneratorCPU > maxGeneratorCPU/2:
		return generatorBound, e.busy()
	case late && e.Pressure > maxPressure:
		return hostNoise, fmt.Sprintf("tasks waited for a core in %.0f %% of the time, and the generator used only %.0f %% of the cores", 100*e.Pressure, 100*e.GeneratorCPU)
	case late:
		return "", "nothing that was observed explains the lag"
	case unsent && e.Client:
		return clientBound, fmt.Sprintf("the schedule was kept, with a lag p99 of %v, and the messages waited for the process of the client under load",
			e.LagP99.Round(time.Microsecond))
	case unsent:
		return serverBound, fmt.Sprintf("the schedule was kept, with a lag p99 of %v, and the generator used %.0f %% of its cores",
			e.LagP99.Round(time.Microsecond), 100*e.generatorShare())
	}
	return "", ""
}

func (e Evidence) lagLimit() time.Duration {
	if e.LagLimit > 0 {
		return e.LagLimit
	}
	return maxLagP99
}

// generatorShare is the generator's share of the cores that it may use.
func (e Evidence) generatorShare() float64 {
	if e.Cores > 0 && e.GeneratorCores > 0 && e.GeneratorCores < e.Cores {
		return e.GeneratorCPU * float64(e.Cores) / float64(e.GeneratorCores)
	}
	return e.GeneratorCPU
}

// busy says how much the generator used.
func (e Evidence) busy() string {
	if e.GeneratorCores > 0 && e.GeneratorCores < e.Cores {
		return fmt.Sprintf("the generator itself used %.2f cores and may use %d of the %d", e.GeneratorCPU*float64(e.Cores), e.GeneratorCores, e.Cores)
	}
	return fmt.Sprintf("the generator itself used %.0f %% of all cores", 100*e.GeneratorCPU)
}

// noisy reports whether others took so much of the machine that tasks had to wait, at a share of the limits.
func (e Evidence) noisy(share float64) bool {
	return e.Pressure > share*maxPressure && e.OthersCPU > share*maxOthers || e.Steal > share*maxSteal
}

// noise says how much others took.
func (e Evidence) noise() string {
	if e.Steal > maxSteal/2 {
		return fmt.Sprintf("the hypervisor gave %.0f %% of the cores to other machines", 100*e.Steal)
	}
	who := "other processes"
	if e.Client {
		who = "other processes, the client under load among them,"
	} else if e.ServerUnseen {
		who = "other processes, the server perhaps among them,"
	}
	return fmt.Sprintf("%s used %.0f %% of all cores, and tasks waited for a core in %.0f %% of the time", who, 100*e.OthersCPU, 100*e.Pressure)
}

func (e Evidence) loss() string {
	return fmt.Sprintf("the server went away in second %d of the run: every session broke off", int(e.LostAt/time.Second))
}

func (e Evidence) throttle() string {
	return fmt.Sprintf("a CPU quota held the generator back in %.0f %% of the time", 100*e.Throttled)
}
