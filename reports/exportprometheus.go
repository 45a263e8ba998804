package reports

import (
	"bytes"
	"fmt"
	"strings"
)

// prometheusText returns the runs in the text format of Prometheus, metrics in
// base units, all with the label workload.
func prometheusText(loads []*Load) []byte {
	var b prometheusWriter
	b.family("rtmkit_load_latency_seconds", "summary", "Latency from the intended time, of the measured phase.")
	for _, l := range loads {
		for i := range l.Summary.Metrics {
			m := &l.Summary.Metrics[i]
			of := []string{"workload", l.Manifest.Name, "metric", m.Name}
			for _, p := range m.proven() {
				b.sample("", inSeconds(float64(p.ns)), append(of, "quantile", plainNumber(p.percent/100))...)
			}
			b.sample("_sum", inSeconds(float64(m.MeanNS)*float64(m.Count)), of...)
			b.sample("_count", float64(m.Count), of...)
		}
	}
	b.family("rtmkit_load_latency_max_seconds", "gauge", "Largest latency of the measured phase.")
	for _, l := range loads {
		for _, m := range l.Summary.Metrics {
			b.sample("", inSeconds(float64(m.MaxNS)), "workload", l.Manifest.Name, "metric", m.Name)
		}
	}
	for _, g := range []struct {
		name, help string
		value      func(l *Load) (float64, bool)
	}{
		{"rtmkit_load_offered_messages_per_second", "Rate that the schedule asked for.", func(l *Load) (float64, bool) { return l.Summary.OfferedPerS, true }},
		{"rtmkit_load_sent_messages_per_second", "Rate that was sent.", func(l *Load) (float64, bool) { return l.Summary.AchievedPerS, true }},
		{"rtmkit_load_deliveries_per_second", "Rate of deliveries seen by receivers.", func(l *Load) (float64, bool) { return l.Summary.DeliveredPerS, true }},
		{"rtmkit_load_server_cpu_seconds_per_message", "CPU time of the server per delivered message.", func(l *Load) (float64, bool) {
			return inSeconds(l.Summary.Health.ServerCPUPerMessageNS), l.Summary.Health.ServerCPUPerMessageNS > 0
		}},
		{"rtmkit_load_server_resident_memory_bytes", "Largest resident memory of the server.", func(l *Load) (float64, bool) {
			return float64(l.Summary.Health.ServerRSSBytes), l.Summary.Health.ServerRSSBytes > 0
		}},
		{"rtmkit_load_valid", "1 for a valid run, 0 for a degraded one.", func(l *Load) (float64, bool) { return oneIf(l.Summary.Validity.Verdict == Valid), true }},
		{"rtmkit_load_end_timestamp_seconds", "When the run ended, in Unix time.", func(l *Load) (float64, bool) {
			return float64(l.Manifest.EndedAt.UnixMilli()) / 1000, true
		}},
	} {
		begun := false
		for _, l := range loads {
			value, has := g.value(l)
			if has && !begun {
				b.family(g.name, "gauge", g.help)
				begun = true
			}
			if has {
				b.sample("", value, "workload", l.Manifest.Name)
			}
		}
	}
	b.family("rtmkit_load_anomalies", "gauge", "Deliveries gone wrong, over all phases.")
	for _, l := range loads {
		for _, row := range l.Summary.Ledger {
			for _, a := range row.anomalies() {
				b.sample("", float64(a.count), "workload", l.Manifest.Name, "traffic", row.Traffic, "kind", a.name)
			}
		}
	}
	b.family("rtmkit_load_threshold_kept", "gauge", "1 for a threshold that was kept, 0 for one that was not.")
	for _, l := range loads {
		seen := map[string]bool{}
		for _, t := range l.Summary.Thresholds {
			if !seen[t.Expr] {
				b.sample("", oneIf(t.Holds), "workload", l.Manifest.Name, "threshold", t.Expr)
			}
			seen[t.Expr] = true
		}
	}
	return b.text.Bytes()
}

func inSeconds(ns float64) float64 { return ns / 1e9 }

func oneIf(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// prometheusWriter writes one family after the other.
type prometheusWriter struct {
	text   bytes.Buffer
	name   string
	header string // not written until there is a sample
}

func (w *prometheusWriter) family(name, kind, help string) {
	w.name, w.header = name, fmt.Sprintf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

var prometheusEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

// sample writes one value with its labels, given as names and values in turn.
func (w *prometheusWriter) sample(suffix string, value float64, labels ...string) {
	w.text.WriteString(w.header)
	w.header = ""
	w.text.WriteString(w.name + suffix)
	sign := byte('{')
	for i := 0; i < len(labels); i += 2 {
		fmt.Fprintf(&w.text, `%c%s="%s"`, sign, labels[i], prometheusEscaper.Replace(strings.ToValidUTF8(labels[i+1], "\ufffd")))
		sign = ','
	}
	fmt.Fprintf(&w.text, "} %s\n", plainNumber(value))
}
