package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// flowCharts draws what was asked for and what happened, second by second.
func flowCharts(l *Load) []*chart {
	return drawn(rateChart(l), inFlightChart(l), errorChart(l))
}

// drawn returns the charts that there was something to draw for.
func drawn(charts ...*chart) []*chart {
	return slices.DeleteFunc(charts, func(c *chart) bool { return c == nil })
}

// timed returns the metric that stands for the group over time, or nil.
func timed(g *metricGroup) *Metric {
	for i := range g.Metrics {
		if m := &g.Metrics[i].Metric; len(m.Series) > 1 && m.Name != lagMetric {
			return m
		}
	}
	return nil
}

// begin is the second from which the run is drawn: its first, or shortly before
// the load where that was long in coming, as in a part that waits for the others.
func (l *Load) begin() int {
	for _, p := range l.Summary.Phases {
		if p.Name == "warmup" || p.Name == "measure" {
			if start := p.StartNS / 1e9; start > maxConnecting && start < math.MaxInt32 {
				return int(start) - 1
			}
			break
		}
	}
	return math.MinInt32
}

// maxConnecting is how many seconds before the load are drawn.
const maxConnecting = 10

// maxBins is how many points a curve over time has. A longer run is drawn in
// steps of several seconds.
const maxBins = 180

// binSize is how many seconds one point stands for.
func binSize(seconds int) int { return max((seconds+maxBins-1)/maxBins, 1) }

// every names the time that one point stands for.
func every(size int) string {
	if size == 1 {
		return "one second"
	}
	return fmt.Sprintf("%d seconds", size)
}

// sampled is one point of a curve over time; missing says that nothing is known.
type sampled struct {
	second  int
	value   float64
	missing bool
}

// curve is a row of points with its name and colour. In a long run several
// seconds are one point: their mean, or with peak their largest.
type curve struct {
	class, name string
	points      []sampled
	peak        bool
}

func (v curve) binned(first, size int) []sampled {
	if size == 1 {
		return v.points
	}
	var list []sampled
	for from := 0; from < len(v.points); {
		second := first + (v.points[from].second-first)/size*size
		sum, top, n, to := 0.0, 0.0, 0, from
		for ; to < len(v.points) && v.points[to].second < second+size; to++ {
			if p := v.points[to]; !p.missing {
				sum, top, n = sum+p.value, max(top, p.value), n+1
			}
		}
		p := sampled{second: second, missing: n == 0}
		if p.value = top; !v.peak && n > 0 {
			p.value = sum / float64(n)
		}
		list = append(list, p)
		from = max(to, from+1)
	}
	return list
}

// maxDots is how many seconds a run may have for each to be a point that tells
// its value; more would only make the page heavy.
const maxDots = 120

// draw draws curves over time, or reports that there is nothing to draw.
func (c *chart) draw(l *Load, u unit, curves ...curve) bool {
	_, ok := c.over(l, u, 0, curves...)
	return ok
}

// over is draw with a value that has to fit as well; it returns the scale.
func (c *chart) over(l *Load, u unit, fit float64, curves ...curve) (y scale, ok bool) {
	first, last, low, high := math.MaxInt, math.MinInt, math.MaxFloat64, 0.0
	begin := l.begin()
	for i := range curves {
		v := &curves[i]
		v.points = slices.DeleteFunc(v.points, func(p sampled) bool { return p.second < begin })
		for _, p := range v.points {
			first, last = min(first, p.second), max(last, p.second)
			if !p.missing {
				low, high = min(low, p.value), max(high, p.value)
			}
		}
	}
	if last <= first || low > high {
		return y, false
	}
	high = max(high, fit)
	x := c.runX(l, first, last)
	if u.log {
		y = c.logY(int64(low), int64(high))
	} else {
		y = c.linearY(u, high)
	}
	c.shadePhases(l, x)
	size := binSize(last - first + 1)
	for _, v := range curves {
		var points polyline
		gap := true
		for _, p := range v.binned(first, size) {
			if p.missing {
				gap = true
				continue
			}
			px, py := x.at(float64(p.second)), y.at(p.value)
			points.step(px, py, gap)
			gap = false
			if last-first < maxDots && v.class != "offered" {
				c.Dots = append(c.Dots, dot{v.class + " small", px, py, fmt.Sprintf("second %d, %s: %s", p.second, v.name, u.write(p.value))})
			}
		}
		c.Lines = append(c.Lines, line{v.class, points.b.String()})
		c.Legend = append(c.Legend, legendEntry{v.class, v.name})
	}
	if size > 1 {
		c.Note = "Each point stands for " + every(size) + "."
	}
	return y, true
}

// percentileCurves are the percentiles of each second, the largest first.
func percentileCurves(m *Metric) (top, p99, p50 curve) {
	p50, p99, top = curve{class: "q50", name: "p50"}, curve{class: "q99", name: "p99", peak: true}, curve{class: "qmax", name: "max", peak: true}
	for _, p := range m.Series {
		missing := p.Count <= 0
		p50.points = append(p50.points, sampled{p.Second, float64(p.P50NS), missing})
		p99.points = append(p99.points, sampled{p.Second, float64(p.P99NS), missing})
		top.points = append(top.points, sampled{p.Second, float64(p.MaxNS), missing})
	}
	return top, p99, p50
}

// latencyChart draws the percentiles of each second.
func latencyChart(l *Load, m *Metric) *chart {
	c := newChart("latency", "Latency over time: "+m.Name)
	top, p99, p50 := percentileCurves(m)
	if !c.draw(l, durations, top, p99, p50) {
		return nil
	}
	c.Desc = fmt.Sprintf("%s per second: the median starts at %s, the largest sample of the run is %s", m.Name, formatNS(m.Series[0].P50NS), formatNS(m.MaxNS))
	return c
}

// fanOutOf is how many deliveries a message makes, or 1 when that is not known.
func fanOutOf(s *Summary) float64 {
	fanOut := s.ExpectedDeliveriesPerS / s.OfferedPerS
	if !(fanOut >= 1 && fanOut <= 1e6) {
		return 1
	}
	return math.Round(fanOut*10) / 10
}

// rateChart draws what was asked for and what happened, second by second. With
// a fan-out it compares deliveries, which is where the work is.
func rateChart(l *Load) *chart {
	fanOut := fanOutOf(&l.Summary)
	row := func(class, name string, value func(SeriesPoint) float64) curve {
		v := curve{class: class, name: name}
		for _, p := range l.Summary.Series {
			v.points = append(v.points, sampled{second: p.Second, value: value(p)})
		}
		return v
	}
	delivered := row("delivered", "delivered", func(p SeriesPoint) float64 { return float64(p.Delivered) })
	title, curves := "Messages per second", []curve{
		row("offered", "offered", func(p SeriesPoint) float64 { return float64(p.Offered) }),
		row("sent", "sent", func(p SeriesPoint) float64 { return float64(p.Sent) }),
		row("acked", "answered", func(p SeriesPoint) float64 { return float64(p.Acked) }),
		delivered,
	}
	if fanOut > 1.5 {
		title, curves = "Deliveries per second", []curve{
			row("offered", "offered × "+countLabel(fanOut)+" receivers", func(p SeriesPoint) float64 { return float64(p.Offered) * fanOut }),
			delivered,
		}
	}
	c := newChart("rate", title)
	if !c.draw(l, counts, curves...) {
		return nil
	}
	c.Desc = fmt.Sprintf("Offered %s, achieved %s", formatRate(l.Summary.OfferedPerS), formatRate(l.Summary.AchievedPerS))
	return c
}

// inFlightChart draws how many messages were on their way.
func inFlightChart(l *Load) *chart {
	v := curve{class: "c4", name: "sent and not yet answered or delivered", peak: true}
	most := int64(0)
	for _, p := range l.Summary.Health.Series {
		v.points = append(v.points, sampled{second: p.Second, value: float64(p.InFlight)})
		most = max(most, p.InFlight)
	}
	c := newChart("inflight", "In flight")
	if !c.draw(l, counts, v) {
		return nil
	}
	c.Desc = "At most " + plural(most, "message", "messages")
	return c
}

// errorChart draws failures, if there were any.
func errorChart(l *Load) *chart {
	v := curve{class: "errors", name: "failed operations"}
	total := int64(0)
	for _, p := range l.Summary.Series {
		v.points = append(v.points, sampled{second: p.Second, value: float64(p.Errors)})
		total += p.Errors
	}
	c := newChart("errors", "Errors per second")
	if total == 0 || !c.draw(l, counts, v) {
		return nil
	}
	var classes []string
	for _, e := range l.Summary.Errors {
		classes = append(classes, strings.TrimSpace(e.Op+" "+e.Class)+" "+formatCount(e.Count))
	}
	c.Desc = plural(total, "failure", "failures") + ": " + strings.Join(classes, ", ")
	return c
}

// runX prepares the axis of the run's seconds. All charts over time share it, so
// that a reader can look from one to the next.
func (c *chart) runX(l *Load, first, last int) scale {
	if p := l.Summary.Phases; len(p) > 0 {
		if end := p[len(p)-1].StartNS + p[len(p)-1].DurationNS; end > 0 && end < 1e9*int64(math.MaxInt32) {
			first, last = min(first, max(0, l.begin())), max(last, int(end/1e9))
		}
	}
	return c.secondsX(first, last)
}

// happened returns the moments at which the run took another course than planned.
func happened(l *Load) []mark {
	var list []mark
	if a := l.Manifest.Aborted; a != nil {
		if m := phaseOf(&l.Summary, "measure"); m != nil {
			list = append(list, mark{float64(m.StartNS)/1e9 + float64(a.Second), "the threshold " + a.Expr + " ended the run: " + a.Observed})
		}
	}
	if l.Manifest.LostNS > 0 {
		list = append(list, mark{float64(l.Manifest.LostNS) / 1e9, "the last session broke off: the target was lost"})
	}
	if l.Manifest.Interrupted {
		if p := phaseOf(&l.Summary, "drain"); p != nil {
			list = append(list, mark{float64(p.StartNS) / 1e9, "the run was interrupted"})
		}
	}
	return list
}

// shadePhases marks every part of the run that is not measured, and what cut it
// short.
func (c *chart) shadePhases(l *Load, x scale) {
	for _, m := range happened(l) {
		c.Marks = append(c.Marks, mark{x.at(m.X), fmt.Sprintf("second %.0f: %s", m.X, m.Title)})
	}
	for _, p := range l.Summary.Phases {
		from, to := x.at(float64(p.StartNS)/1e9), x.at(float64(p.StartNS+p.DurationNS)/1e9)
		if p.Name != "measure" && to > from {
			c.Bands = append(c.Bands, band{X: from, Width: round(to - from), Label: p.Name, Title: p.Name + ", " + formatNS(p.DurationNS)})
		}
	}
}
