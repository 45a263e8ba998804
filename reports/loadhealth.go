package reports

import "fmt"

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
}

func newHealthView(l *Load) healthView {
	return healthView{attribution(&l.Summary), drawn(lagChart(l), cpuChart(l), memoryChart(l))}
}

// attribution says in words who limited the run, and from what that is seen.
func attribution(s *Summary) string {
	h := &s.Health
	seen := fmt.Sprintf("The schedule lag had a p99 of %s", formatNS(h.LagP99NS))
	if h.GeneratorCPUShare > 0 {
		seen += fmt.Sprintf(", the generator used %s of all cores", formatShare(h.GeneratorCPUShare))
	}
	if h.CPUPressureShare > 0 {
		seen += fmt.Sprintf(", and some task waited for a core %s of the time", formatShare(h.CPUPressureShare))
	}
	seen += "."
	switch s.Validity.Attribution {
	case "":
		if s.Validity.Verdict == Valid {
			return "Nothing held the generator up. " + seen
		}
		return "What held the run up could not be told. " + seen
	case "host noise":
		return "The machine held the generator up: other work took the cores. " + seen
	case "generator bound":
		return "The generator held itself up: it had no CPU left for this rate. " + seen
	case "server bound":
		return "The server held the run up: the schedule was kept, and messages piled up without an answer. " + seen
	}
	return sentence("Most likely cause: "+s.Validity.Attribution) + " " + seen
}

// lagChart draws how late the generator was.
func lagChart(l *Load) *chart {
	m := metricOf(l, lagMetric)
	if m == nil || len(m.Series) < 2 {
		return nil
	}
	c := latencyChart(l, m)
	if c != nil {
		c.Kind, c.Title = "lag", "Schedule lag: how late the generator sent"
	}
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
		for _, p := range l.Summary.Health.Series {
			v.points = append(v.points, sampled{second: p.Second, value: row.value(p)})
			most = max(most, row.value(p))
		}
		if most > 0 {
			curves = append(curves, v)
		}
	}
	c := newChart("cpu", "CPU")
	if len(curves) == 0 || !c.over(l, shares, curves...) {
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
	if most == 0 || !c.over(l, sizes, v) {
		return nil
	}
	c.Desc = "At most " + formatBytes(most)
	return c
}
