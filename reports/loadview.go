package reports

import (
	"fmt"
	"path"
	"strings"
)

// loadView is one load run as its part of the page shows it.
type loadView struct {
	*Load
	Anchor    string
	Bar       []outcome
	Limits    []string
	Figures   []figure
	Groups    []metricGroup
	Spread    string
	Latency   []*chart
	Flow      []*chart
	Happened  []mark
	Health    healthView
	Ledger    []ledgerGroup
	Equations []equationView
	Anomalies []anomalyGroup
}

func newLoadView(l *Load, index int) loadView {
	v := loadView{
		Load:      l,
		Anchor:    fmt.Sprintf("run-%d", index+1),
		Bar:       loadBar(l),
		Limits:    limitsOf(l),
		Figures:   figures(l),
		Groups:    metricGroups(l),
		Spread:    memberSpread(l),
		Flow:      flowCharts(l),
		Happened:  happened(l),
		Health:    newHealthView(l),
		Ledger:    ledgerGroups(l.Summary.Ledger),
		Equations: equationViews(l.Summary.Equations),
		Anomalies: anomalyGroups(l),
	}
	for _, g := range v.Groups {
		if g.Name == sessionGroup || g.Name == connectGroup {
			v.Flow = append(v.Flow, drawn(g.Chart)...)
			continue
		}
		v.Latency = append(v.Latency, drawn(g.Chart)...)
		if m := timed(&g); m != nil {
			v.Latency = append(v.Latency, drawn(heatChart(l, m), latencyChart(l, m))...)
		}
	}
	return v
}

// Link returns the place of a file of the run folder as seen from the page.
func (v loadView) Link(name string) string { return path.Join(v.Dir, name) }

// figure is one number that stands for the run, with what it is below it.
type figure struct {
	Value, Name string
	Thin        bool // fewer than ten samples lie beyond it
}

// figures are the few numbers that a reader looks for first.
func figures(l *Load) []figure {
	s := &l.Summary
	list := []figure{{Value: formatRate(s.AchievedPerS), Name: "sent of " + formatRate(s.OfferedPerS) + " offered"}}
	if s.DeliveredPerS > 0 {
		list = append(list, figure{Value: formatRate(s.DeliveredPerS), Name: "deliveries"})
	}
	if m := primary(l); m != nil {
		for _, q := range percentiles(m) {
			if q.name == "p50" || q.name == "p99" || q.name == "p99.9" {
				list = append(list, figure{formatNS(q.ns), m.Name + " " + q.name, q.thin})
			}
		}
		list = append(list, figure{Value: formatNS(m.MaxNS), Name: m.Name + " max"})
	}
	if cost := s.Health.ServerCPUPerMessageNS; cost > 0 {
		list = append(list, figure{Value: formatNS(int64(cost)), Name: "server CPU per delivery"})
	}
	return list
}

// primary returns the metric that stands for the run, or nil: the first that is
// a latency of the server.
func primary(l *Load) *Metric {
	for i := range l.Summary.Metrics {
		if m := &l.Summary.Metrics[i]; m.Count > 0 && m.Name != lagMetric {
			return m
		}
	}
	return nil
}

// lagMetric is the name of the generator's own lateness among the metrics.
const lagMetric = "lag"

func metricOf(l *Load, name string) *Metric {
	for i := range l.Summary.Metrics {
		if l.Summary.Metrics[i].Name == name {
			return &l.Summary.Metrics[i]
		}
	}
	return nil
}

// percentile is one of a metric's percentiles; thin says that fewer than ten
// samples lie beyond it, so that it is an anecdote.
type percentile struct {
	name string
	p    float64
	ns   int64
	thin bool
}

func percentiles(m *Metric) []percentile {
	list := []percentile{{"p50", 50, m.P50NS, false}, {"p90", 90, m.P90NS, false}, {"p99", 99, m.P99NS, false}, {"p99.9", 99.9, m.P999NS, false}, {"p99.99", 99.99, m.P9999NS, false}}
	for i := range list {
		list[i].thin = float64(m.Count)*(1-list[i].p/100) < 10-1e-6
	}
	return list
}

// metricGroup is a part of the latency table with the chart of its curves.
type metricGroup struct {
	Name    string
	Metrics []metricView
	Chart   *chart
}

// metricView is one line of the latency table.
type metricView struct {
	Metric
	Class string
	Cells []percentileCell
}

// percentileCell is one percentile as text.
type percentileCell struct {
	Value string
	Thin  bool
}

// metricColours are the colours that a metric keeps in table and charts.
var metricColours = map[string]string{
	"peer.ack": "c1", "peer.ack.service": "c2", "peer.deliver": "c3",
	"channel.first": "c3", "channel.deliver": "c1", "channel.last": "c2", "channel.ack": "c4",
	"connect.login": "c1", "connect.join": "c3",
	"login": "c1", "join": "c3", "leave": "c2", "logout": "c4", "reconnect": "c5", "write.block": "c5", lagMetric: "c6",
}

// What is done now and then, not with each message: while messages flow, and
// before.
const (
	sessionGroup = "Sessions and membership"
	connectGroup = "Connecting, before the load"
)

// groupOf says which part of the table a metric belongs to.
func groupOf(name string) string {
	switch {
	case strings.HasPrefix(name, "peer."):
		return "Peer messages"
	case strings.HasPrefix(name, "channel."):
		return "Channel messages"
	case strings.HasPrefix(name, "connect."):
		return connectGroup
	case name == lagMetric || name == "write.block":
		return "The generator itself"
	case metricColours[name] != "":
		return sessionGroup
	}
	return "Others"
}

func metricGroups(l *Load) []metricGroup {
	var groups []metricGroup
	place := make(map[string]int)
	for i := range l.Summary.Metrics {
		m := &l.Summary.Metrics[i]
		name := groupOf(m.Name)
		at, ok := place[name]
		if !ok {
			at = len(groups)
			place[name] = at
			groups = append(groups, metricGroup{Name: name})
		}
		g := &groups[at]
		row := metricView{Metric: *m, Class: metricColours[m.Name]}
		if row.Class == "" {
			row.Class = fmt.Sprintf("c%d", len(g.Metrics)%maxCurves+1)
		}
		for _, q := range percentiles(m) {
			row.Cells = append(row.Cells, percentileCell{formatNS(q.ns), q.thin})
		}
		g.Metrics = append(g.Metrics, row)
	}
	lag := metricOf(l, lagMetric)
	for i := range groups {
		if groups[i].Name == "The generator itself" && len(groups) > 1 {
			continue // Lag is drawn under what it is part of.
		}
		groups[i].Chart = percentileChart(l, &groups[i], lag)
	}
	return groups
}

// memberSpread says how far the last member of a channel is behind the first.
func memberSpread(l *Load) string {
	first, last := metricOf(l, "channel.first"), metricOf(l, "channel.last")
	if first == nil || last == nil || first.P50NS == 0 {
		return ""
	}
	text := fmt.Sprintf("A message has reached its first member after %s and its last after %s (medians)", formatNS(first.P50NS), formatNS(last.P50NS))
	if fanOut := fanOutOf(&l.Summary); fanOut > 1 {
		text += fmt.Sprintf(", with %s receivers on average", countLabel(fanOut))
	}
	return text + "."
}
