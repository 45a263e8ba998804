package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// maxCurves is how many metrics share one percentile chart; the style sheet
// has as many colours.
const maxCurves = 6

// loadCharts draws the charts that the run has data for.
func loadCharts(l *Load) []*chart {
	var charts []*chart
	for _, c := range []*chart{percentileChart(l), latencyChart(l), rateChart(l)} {
		if c != nil {
			charts = append(charts, c)
		}
	}
	return charts
}

// nines maps a percentile to the number of nines it stands for: 90 to 1, 99 to
// 2. It is the axis log 1/(1−p), on which a tail has room.
func nines(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

// percentileChart draws one curve per metric. Where fewer than ten samples lie
// beyond a percentile, the curve is dashed: there it is an anecdote.
func percentileChart(l *Load) *chart {
	var metrics []*Metric
	low, high, most := int64(math.MaxInt64), int64(0), int64(0)
	for i := range l.Summary.Metrics {
		m := &l.Summary.Metrics[i]
		if len(m.Curve) == 0 || m.Count == 0 || len(metrics) == maxCurves {
			continue
		}
		metrics = append(metrics, m)
		low, high, most = min(low, m.Curve[0].ValueNS), max(high, m.MaxNS), max(most, m.Count)
	}
	if len(metrics) == 0 {
		return nil
	}
	c := newChart("percentiles", "Latency by percentile")
	reach := min(max(math.Log10(float64(most)), 2), 7)
	x := scale{low: 0, high: reach, from: c.Left, to: c.Right}
	c.XTicks = append(c.XTicks, tick{At: x.at(nines(50)), Label: "p50", Anchor: "middle"})
	for n := 1.0; n <= reach; n++ {
		label := "p" + short(math.Round((100-math.Pow10(2-int(n)))*1e6)/1e6)
		c.XTicks = append(c.XTicks, tick{At: x.at(n), Label: label, Anchor: c.anchor(x.at(n))})
	}
	c.XTicks = thinned(c.XTicks, 40)
	y := c.logY(low, high)
	var heard []string
	for i, m := range metrics {
		class := fmt.Sprintf("c%d", i+1)
		c.Legend = append(c.Legend, legendEntry{class, m.Name})
		c.Lines = append(c.Lines, percentileLines(m, class, x, y)...)
		for _, q := range []struct {
			name string
			p    float64
			v    int64
		}{{"p50", 50, m.P50NS}, {"p90", 90, m.P90NS}, {"p99", 99, m.P99NS}, {"p99.9", 99.9, m.P999NS}, {"p99.99", 99.99, m.P9999NS}} {
			if float64(m.Count)*(1-q.p/100) >= 1 && nines(q.p) <= reach+1e-9 {
				c.Dots = append(c.Dots, dot{class, x.at(nines(q.p)), y.at(float64(q.v)), fmt.Sprintf("%s %s: %s", m.Name, q.name, formatNS(q.v))})
			}
		}
		heard = append(heard, fmt.Sprintf("%s: median %s, p99 %s, p99.9 %s, maximum %s", m.Name, formatNS(m.P50NS), formatNS(m.P99NS), formatNS(m.P999NS), formatNS(m.MaxNS)))
	}
	c.Desc = strings.Join(heard, ". ")
	c.Note = "Dashed: fewer than ten samples lie beyond."
	return c
}

// percentileLines splits a curve where its samples get too few.
func percentileLines(m *Metric, class string, x, y scale) []line {
	var solid, dashed polyline
	last := math.Log10(float64(m.Count))
	for _, p := range m.Curve {
		n := last
		if p.Percentile < 100 {
			n = min(nines(p.Percentile), last)
		}
		px, py := x.at(n), y.at(float64(p.ValueNS))
		if float64(m.Count)*math.Pow(10, -n) >= 10 {
			solid.to(px, py)
			dashed.b.Reset()
		}
		dashed.to(px, py)
		if n == last {
			break
		}
	}
	lines := []line{{class, solid.b.String()}}
	if strings.Contains(dashed.b.String(), "L") {
		lines = append(lines, line{class + " dashed", dashed.b.String()})
	}
	return lines
}

// latencyChart draws the latency of the primary metric over time.
func latencyChart(l *Load) *chart {
	i := slices.IndexFunc(l.Summary.Metrics, func(m Metric) bool { return len(m.Series) > 1 })
	if i < 0 {
		return nil
	}
	m := &l.Summary.Metrics[i]
	c := newChart("latency", "Latency over time: "+m.Name)
	low, high := int64(math.MaxInt64), int64(0)
	for _, p := range m.Series {
		if p.Count > 0 {
			low, high = min(low, p.P50NS), max(high, p.MaxNS)
		}
	}
	if high == 0 {
		return nil
	}
	if m.MinNS > 0 && m.Heat != nil {
		low = min(low, m.MinNS)
	}
	x, y := c.secondsX(m.Series[0].Second, m.Series[len(m.Series)-1].Second), c.logY(low, high)
	c.shadePhases(l, x)
	if m.Heat != nil {
		c.heat(m.Heat, x, y)
	}
	for _, q := range []struct {
		class, name string
		value       func(LatencyPoint) int64
	}{
		{"q50", "p50", func(p LatencyPoint) int64 { return p.P50NS }},
		{"q99", "p99", func(p LatencyPoint) int64 { return p.P99NS }},
		{"qmax", "max", func(p LatencyPoint) int64 { return p.MaxNS }},
	} {
		var points polyline
		for _, p := range m.Series {
			if p.Count > 0 {
				px, py := x.at(float64(p.Second)), y.at(float64(q.value(p)))
				points.to(px, py)
				c.mark(len(m.Series), dot{q.class + " small", px, py, fmt.Sprintf("second %d, %s: %s", p.Second, q.name, formatNS(q.value(p)))})
			}
		}
		c.Lines = append(c.Lines, line{q.class, points.b.String()})
		c.Legend = append(c.Legend, legendEntry{q.class, q.name})
	}
	c.Desc = fmt.Sprintf("%s per second: the median starts at %s, the largest sample of the run is %s", m.Name, formatNS(m.Series[0].P50NS), formatNS(high))
	return c
}

// rateChart draws what was asked for and what happened, second by second. With
// a fan-out it compares deliveries, which is where the work is.
func rateChart(l *Load) *chart {
	s := l.Summary.Series
	if len(s) < 2 {
		return nil
	}
	fanOut := l.Summary.ExpectedDeliveriesPerS / l.Summary.OfferedPerS
	if !(fanOut >= 1 && fanOut <= 1e6) { // Not known, or not believable.
		fanOut = 1
	}
	type curve struct {
		class, name string
		value       func(SeriesPoint) float64
	}
	curves := []curve{
		{"offered", "offered", func(p SeriesPoint) float64 { return float64(p.Offered) }},
		{"sent", "sent", func(p SeriesPoint) float64 { return float64(p.Sent) }},
		{"delivered", "delivered", func(p SeriesPoint) float64 { return float64(p.Delivered) }},
	}
	title := "Messages per second"
	if fanOut > 1.5 {
		title = "Deliveries per second"
		curves = []curve{
			{"offered", fmt.Sprintf("offered × %s receivers", countLabel(math.Round(fanOut))), func(p SeriesPoint) float64 { return float64(p.Offered) * fanOut }},
			{"delivered", "delivered", func(p SeriesPoint) float64 { return float64(p.Delivered) }},
		}
	}
	c := newChart("rate", title)
	high := 0.0
	for _, p := range s {
		for _, v := range curves {
			high = max(high, v.value(p))
		}
	}
	x, y := c.secondsX(s[0].Second, s[len(s)-1].Second), c.linearY(high)
	c.shadePhases(l, x)
	for _, v := range curves {
		var points polyline
		for _, p := range s {
			points.to(x.at(float64(p.Second)), y.at(v.value(p)))
			if v.class != "offered" {
				c.mark(len(s), dot{v.class + " small", x.at(float64(p.Second)), y.at(v.value(p)), fmt.Sprintf("second %d, %s: %s", p.Second, v.name, formatCount(int64(v.value(p))))})
			}
		}
		c.Lines = append(c.Lines, line{v.class, points.b.String()})
		c.Legend = append(c.Legend, legendEntry{v.class, v.name})
	}
	c.Desc = fmt.Sprintf("Offered %s, achieved %s", formatRate(l.Summary.OfferedPerS), formatRate(l.Summary.AchievedPerS))
	return c
}

// maxDots is how many seconds a run may have for each to be a point that tells
// its value; more would only make the page heavy.
const maxDots = 120

func (c *chart) mark(seconds int, d dot) {
	if seconds <= maxDots {
		c.Dots = append(c.Dots, d)
	}
}

// shadePhases marks every part of the run that is not measured.
func (c *chart) shadePhases(l *Load, x scale) {
	for _, p := range l.Summary.Phases {
		from, to := x.at(float64(p.StartNS)/1e9), x.at(float64(p.StartNS+p.DurationNS)/1e9)
		if p.Name != "measure" && to > from {
			c.Bands = append(c.Bands, band{X: from, Width: round(to - from), Label: p.Name})
		}
	}
}

// heat lays the full distribution of each second under the lines: how often
// each band of latency was seen. It shows a second hump, which percentile lines
// hide.
func (c *chart) heat(h *Heat, x, y scale) {
	var most int64
	for _, col := range h.Columns {
		most = max(most, slices.Max(append(col.Counts, 0)))
	}
	for _, col := range h.Columns {
		left, right := x.at(float64(col.Second)-0.5), x.at(float64(col.Second)+0.5)
		lower := h.BoundsNS[0] / 2
		for b, n := range col.Counts {
			top, bottom := y.at(float64(h.BoundsNS[b])), y.at(float64(max(lower, 1)))
			lower = h.BoundsNS[b]
			if n <= 0 || bottom <= top || right <= left {
				continue
			}
			strength := 1 + int(4*math.Log1p(float64(n))/math.Log1p(float64(most)))
			c.Cells = append(c.Cells, heatCell{X: left, Y: top, Width: round(right - left), Height: round(bottom - top), Strength: min(strength, 5),
				Title: fmt.Sprintf("second %d, up to %s: %s", col.Second, formatNS(h.BoundsNS[b]), plural(n, "sample", "samples"))})
		}
	}
	if len(c.Cells) > 0 {
		c.Note = "Shading: where the samples lie, on a log scale."
	}
}
