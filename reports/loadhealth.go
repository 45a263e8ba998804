package reports

import (
	"fmt"
	"strings"
)

// HealthPoint is the state of the generator and the server in one second of a
// run. What the system does not tell is zero.
type HealthPoint struct {
	// Second counts from the run's time zero.
	Second int `json:"second"`
	// InFlight is how many messages were on their way at the end of the second.
	InFlight int64 `json:"in_flight,omitempty"`
	// GeneratorCPUShare is the generator's share of all cores, 0 to 1.
	GeneratorCPUShare float64 `json:"generator_cpu_share,omitempty"`
	// BusiestCoreShare is how busy the busiest core was, 0 to 1.
	BusiestCoreShare float64 `json:"busiest_core_share,omitempty"`
	// CPUPressureShare is the share of the second in which some task waited for
	// a core, 0 to 1.
	CPUPressureShare float64 `json:"cpu_pressure_share,omitempty"`
	// StealShare is the share of the second that the hypervisor gave to others,
	// 0 to 1.
	StealShare float64 `json:"steal_share,omitempty"`
	// ServerCPUCores is the CPU time of the server per second.
	ServerCPUCores float64 `json:"server_cpu_cores,omitempty"`
	// ServerRSSBytes is the resident memory of the server.
	ServerRSSBytes int64 `json:"server_rss_bytes,omitempty"`
}

// healthView is the panel that says who set the pace.
type healthView struct {
	Words  string
	Charts []*chart
	Facts  []figure
}

func newHealthView(l *Load) healthView {
	return healthView{attribution(&l.Summary), drawn(lagChart(l), cpuChart(l), memoryChart(l)), healthFacts(&l.Summary.Health)}
}

// attribution says in words who limited the run, and from what that is seen.
func attribution(s *Summary) string {
	words, h := "", &s.Health
	switch s.Validity.Attribution {
	case "":
		words = "What held the run up could not be told."
		if s.Validity.Verdict == Valid {
			words = "Nothing held the generator up."
		}
	case "host noise":
		words = "The machine held the generator up: other work took the cores."
	case "generator bound":
		words = "The generator held itself up: it had no CPU left for this rate."
	case "server bound":
		words = "The server held the run up: the schedule was kept, and messages piled up without an answer."
	default:
		words = sentence("Most likely cause: " + s.Validity.Attribution)
	}
	if s.Validity.Evidence != "" {
		return words + " " + capital(sentence(s.Validity.Evidence))
	}
	if h.LagP99NS > 0 {
		words += fmt.Sprintf(" The schedule lag had a p99 of %s", formatNS(h.LagP99NS))
		if h.GeneratorCPUShare > 0 {
			words += fmt.Sprintf(", and the generator used %s of all cores", formatShare(h.GeneratorCPUShare))
		}
		words += "."
	}
	return words
}

// lagChart draws how late the generator was.
func lagChart(l *Load) *chart {
	m := metricOf(l, lagMetric)
	if m == nil || len(m.Series) < 2 {
		return nil
	}
	c := newChart("lag", "Schedule lag: how late the generator sent")
	top, p99, p50 := percentileCurves(m)
	limit := l.Summary.Health.LagLimitNS
	y, ok := c.over(l, durations, float64(limit), top, p99, p50)
	if !ok {
		return nil
	}
	if limit > 0 {
		c.Limits = []limitLine{{y.at(float64(limit)), "bad"}, {y.at(float64(limit / 2)), "warn"}}
		c.Note = strings.TrimSpace(c.Note + " A p99 above the red line makes the run invalid, above the amber one degraded.")
	}
	c.Desc = fmt.Sprintf("The lag had a median of %s, a p99 of %s and a maximum of %s", formatNS(m.P50NS), formatNS(m.P99NS), formatNS(m.MaxNS))
	return c
}

// cpuChart draws who used the cores.
func cpuChart(l *Load) *chart {
	rows := []struct {
		class, name string
		value       func(HealthPoint) float64
	}{
		{"c1", "generator, of all cores", func(p HealthPoint) float64 { return p.GeneratorCPUShare }},
		{"c2", "busiest core", func(p HealthPoint) float64 { return p.BusiestCoreShare }},
		{"c3", "server, of one core", func(p HealthPoint) float64 { return p.ServerCPUCores }},
		{"c4", "tasks waiting for a core", func(p HealthPoint) float64 { return p.CPUPressureShare }},
		{"c5", "stolen by the host", func(p HealthPoint) float64 { return p.StealShare }},
	}
	var curves []curve
	for _, row := range rows {
		v, most := curve{class: row.class, name: row.name}, 0.0
		for i, p := range l.Summary.Health.Series {
			// What grew in the first second is not known.
			v.points = append(v.points, sampled{second: p.Second, value: row.value(p), missing: i == 0})
			most = max(most, row.value(p))
		}
		if most > 0 {
			curves = append(curves, v)
		}
	}
	c := newChart("cpu", "CPU")
	if len(curves) == 0 || !c.draw(l, shares, curves...) {
		return nil
	}
	h := &l.Summary.Health
	c.Desc = fmt.Sprintf("The generator used %s of all cores, tasks waited %s of the time", formatShare(h.GeneratorCPUShare), formatShare(h.CPUPressureShare))
	return c
}

// memoryChart draws the memory of the server.
func memoryChart(l *Load) *chart {
	v := curve{class: "c3", name: "server, resident", peak: true}
	most := int64(0)
	for _, p := range l.Summary.Health.Series {
		v.points = append(v.points, sampled{second: p.Second, value: float64(p.ServerRSSBytes), missing: p.ServerRSSBytes == 0})
		most = max(most, p.ServerRSSBytes)
	}
	c := newChart("memory", "Memory")
	if most == 0 || !c.draw(l, sizes, v) {
		return nil
	}
	c.Desc = "At most " + formatBytes(most)
	return c
}

// healthFacts are the numbers of the panel; what was not observed, or never
// happened, is left out.
func healthFacts(h *Health) []figure {
	var list []figure
	add := func(seen bool, name, value string) {
		if seen {
			list = append(list, figure{Name: name, Value: value})
		}
	}
	lasted := func(name string, ns int64) { add(ns > 0, name, formatNS(ns)) }
	part := func(name string, f float64, of string) { add(f > 0, name, formatShare(f)+of) }
	number := func(name string, n int64) { add(n > 0, name, formatCount(n)) }
	lasted("Schedule lag p50", h.LagP50NS)
	lasted("Schedule lag p99", h.LagP99NS)
	lasted("Schedule lag max", h.LagMaxNS)
	number("Grid steps missed", h.GridOverruns)
	number("In flight, at most", h.InFlightMax)
	part("Generator CPU", h.GeneratorCPUShare, " of all cores")
	lasted("Its threads waited, mean", h.GeneratorWaitMeanNS)
	lasted("Its goroutines waited, p99", h.GeneratorSchedLatencyP99NS)
	part("Its garbage collector", h.GeneratorGCCPUShare, " of its CPU")
	lasted("Its pauses for that, max", h.GeneratorGCPauseMaxNS)
	if h.OpenFilesMax > 0 {
		add(true, "Open files", formatCount(h.OpenFilesMax)+" of "+formatCount(h.OpenFilesLimit))
	}
	part("Machine CPU", h.MachineCPUShare, " of all cores")
	part("Busiest core", h.BusiestCoreShare, "")
	part("Neither generator nor server", h.OthersCPUShare, " of all cores")
	part("Tasks waiting for a core", h.CPUPressureShare, " of the time")
	part("Stolen by the host", h.StealShare, "")
	part("Held back by a quota", h.ThrottledShare, " of the time")
	number("Tasks ready, at most", h.RunQueueMax)
	number("TCP segments sent again", h.TCPRetransmits)
	lasted("Server CPU time", h.ServerCPUNS)
	lasted("Server CPU per delivery", int64(h.ServerCPUPerMessageNS))
	add(h.ServerCPUBy != "", "Server CPU observed by", h.ServerCPUBy)
	add(h.ServerRSSBytes > 0, "Server memory, at most", formatBytes(h.ServerRSSBytes))
	return list
}
