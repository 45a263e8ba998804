package reports

import (
	"fmt"
	"strings"
)

// benchmarkEntry is one number in the JSON of a benchmark action.
type benchmarkEntry struct {
	Name  string  `json:"name"`
	Unit  string  `json:"unit"`
	Value float64 `json:"value"`
	Extra string  `json:"extra,omitempty"`
}

// benchmarkActionText returns the runs as customSmallerIsBetter: a list of
// numbers that each have their own curve.
func benchmarkActionText(loads []*Load) ([]byte, error) {
	list := []benchmarkEntry{}
	for _, l := range loads {
		s := &l.Summary
		about := fmt.Sprintf("server: %s\nvalidity: %s\noffered: %s", strings.TrimSpace(l.Manifest.Server.Name+" "+l.Manifest.Server.Version), s.Validity.Verdict, formatRate(s.OfferedPerS))
		add := func(name, unit string, value float64, extra string) {
			list = append(list, benchmarkEntry{l.Manifest.Name + ": " + name, unit, value, extra + about})
		}
		for i := range s.Metrics {
			m := &s.Metrics[i]
			for _, p := range m.proven() {
				add(m.Name+" "+p.name(), "ns", float64(p.ns), fmt.Sprintf("samples: %d\n", m.Count))
			}
		}
		if s.Health.ServerCPUPerMessageNS > 0 {
			add("server CPU per message", "ns", s.Health.ServerCPUPerMessageNS, "")
		}
		if s.Health.ServerRSSBytes > 0 {
			add("server memory", "bytes", float64(s.Health.ServerRSSBytes), "")
		}
		for _, a := range anomalies(s.Ledger) {
			add(a.name, "deliveries", float64(a.count), "")
		}
	}
	return encode(list)
}
