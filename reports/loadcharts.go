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

// nines maps a percentile to the number of nines it stands for: 90 to 1, 99 to
// 2. It is the axis log 1/(1−p), on which a tail has room.
func nines(percentile float64) float64 { return -math.Log10(1 - percentile/100) }

// percentileChart draws one curve for each metric of a group, and the lag of
// the generator below them, which is a part of each. Where fewer than ten
// samples lie beyond a percentile, the curve is dashed: there it is an anecdote.
//
// Where the floor of the host is known it is drawn in long dashes. It is never
// subtracted.
func percentileChart(l *Load, g *metricGroup, lag *Metric) *chart {
	curves := make([]metricView, 0, len(g.Metrics)+1)
	curves = append(curves, g.Metrics[:min(len(g.Metrics), maxCurves)]...)
	if lag != nil && g.Metrics[0].Name != lag.Name && (strings.HasPrefix(g.Name, "Peer") || strings.HasPrefix(g.Name, "Channel")) {
		curves = append(curves, metricView{Metric: *lag, Class: metricColours[lagMetric]})
	}
	low, high, most := int64(math.MaxInt64), int64(0), int64(0)
	floors := make([]*Metric, len(curves))
	for i := range curves {
		m := &curves[i]
		if len(m.Curve) > 0 && m.Count > 0 {
			low, high, most = min(low, m.Curve[0].ValueNS), max(high, m.MaxNS), max(most, m.Count)
		}
		if f := l.FloorMetric(m.Name); f != nil && len(f.Curve) > 0 && f.Count > 0 && m.Name != lagMetric {
			floors[i] = f
			low, high = min(low, f.Curve[0].ValueNS), max(high, f.MaxNS)
		}
	}
	if most == 0 {
		return nil
	}
	c := newChart("percentiles", g.Name+", by percentile")
	reach := min(max(math.Log10(float64(most)), 2), 7)
	x := scale{low: 0, high: reach, from: c.Left, to: c.Right}
	c.XTicks = append(c.XTicks, tick{At: x.at(nines(50)), Label: "p50", Anchor: "middle"})
	for n := 1.0; n <= reach; n++ {
		label := "p" + short(math.Round((100-math.Pow10(2-int(n)))*1e6)/1e6)
		c.XTicks = append(c.XTicks, tick{At: x.at(n), Label: label, Anchor: c.anchor(x.at(n))})
	}
	c.XTicks = thinned(c.XTicks, 40)
	// The lag may be a hundred times shorter than a latency; what is far below is cut off.
	y := c.logY(max(low, high/1e5), high)
	var heard []string
	for i := range curves {
		m := &curves[i]
		if len(m.Curve) == 0 || m.Count == 0 {
			continue
		}
		c.Legend = append(c.Legend, legendEntry{m.Class, m.Name})
		c.Lines = append(c.Lines, percentileLines(&m.Metric, m.Class, x, y)...)
		for _, q := range percentiles(&m.Metric) {
			if float64(m.Count)*(1-q.p/100) >= 1 && nines(q.p) <= reach+1e-9 {
				c.Dots = append(c.Dots, dot{m.Class, x.at(nines(q.p)), y.at(float64(q.ns)), fmt.Sprintf("%s %s: %s", m.Name, q.name, formatNS(q.ns))})
			}
		}
		heard = append(heard, fmt.Sprintf("%s: median %s, p99 %s, p99.9 %s, maximum %s", m.Name, formatNS(m.P50NS), formatNS(m.P99NS), formatNS(m.P999NS), formatNS(m.MaxNS)))
	}
	c.Note = "Dotted: fewer than ten samples lie beyond."
	for i, f := range floors {
		if f == nil {
			continue
		}
		for _, piece := range percentileLines(f, curves[i].Class+" floor", x, y) {
			if !strings.HasSuffix(piece.Class, "dashed") { // An anecdote is no floor.
				c.Lines = append(c.Lines, piece)
			}
		}
		heard = append(heard, fmt.Sprintf("floor of %s: median %s, p99 %s", f.Name, formatNS(f.P50NS), formatNS(f.P99NS)))
	}
	if slices.ContainsFunc(floors, func(f *Metric) bool { return f != nil }) {
		c.Legend = append(c.Legend, legendEntry{"floor", "floor of this host"})
		c.Note += " Long dashes: the same against a null server on this host. This floor is drawn and never subtracted."
	}
	c.Desc = strings.Join(heard, ". ")
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

// heatChart draws how often each band of latency was seen in each second. It
// shows a second hump, which percentile lines hide.
func heatChart(l *Load, m *Metric) *chart {
	if m.Heat == nil || len(m.Heat.Columns) < 2 || len(m.Heat.BoundsNS) == 0 {
		return nil
	}
	columns, size := binnedHeat(m.Heat, l.begin())
	if len(columns) < 2 {
		return nil
	}
	most, bottom, top := int64(0), len(m.Heat.BoundsNS), -1
	for _, col := range columns {
		for b, n := range col.Counts {
			if n > 0 {
				most, bottom, top = max(most, n), min(bottom, b), max(top, b)
			}
		}
	}
	if most == 0 {
		return nil
	}
	c := newChart("heatmap", "Distribution over time: "+m.Name)
	x := c.runX(l, columns[0].Second, columns[len(columns)-1].Second+size)
	lower := func(b int) int64 {
		if b > 0 {
			return max(m.Heat.BoundsNS[b-1], 1)
		}
		return max(m.Heat.BoundsNS[0]/2, 1)
	}
	y := c.logY(lower(bottom), max(m.Heat.BoundsNS[top], 1))
	c.shadePhases(l, x)
	steps := heatSteps(most)
	filled := 0
	for _, col := range columns {
		for b, n := range col.Counts {
			left, right := x.at(float64(col.Second)), x.at(float64(col.Second+size))
			high, low := y.at(float64(max(m.Heat.BoundsNS[b], 1))), y.at(float64(lower(b)))
			if n <= 0 || low <= high || right <= left {
				continue
			}
			filled++
			cell := heatCell{X: left, Y: high, Width: round(right - left), Height: round(low - high), Strength: heatStrength(n, steps)}
			if filled <= maxTitledCells {
				cell.Title = fmt.Sprintf("second %d, %s to %s: %s", col.Second, formatNS(lower(b)), formatNS(m.Heat.BoundsNS[b]), plural(n, "sample", "samples"))
			}
			c.Cells = append(c.Cells, cell)
		}
	}
	c.foldCells(maxTitledCells)
	from := int64(1)
	for i, upTo := range steps {
		if upTo < from {
			continue
		}
		name := formatCount(from) + "–" + formatCount(upTo)
		if from == upTo {
			name = formatCount(from)
		}
		c.Legend = append(c.Legend, legendEntry{fmt.Sprintf("heat h%d", i+1), name})
		from = upTo + 1
	}
	c.Note = "Each box counts the samples of " + every(size) + " in one band of latency."
	c.Desc = fmt.Sprintf("%s: from %s to %s, the fullest box holds %s", m.Name, formatNS(lower(bottom)), formatNS(m.Heat.BoundsNS[top]), plural(most, "sample", "samples"))
	return c
}

// heatShades is how many shades a heat map has.
const heatShades = 5

// heatSteps are the highest counts of each shade; they grow by the same factor.
func heatSteps(most int64) [heatShades]int64 {
	var steps [heatShades]int64
	for i := range steps {
		steps[i] = int64(math.Pow(float64(most), float64(i+1)/heatShades) + 1e-6)
	}
	steps[heatShades-1] = most
	return steps
}

func heatStrength(n int64, steps [heatShades]int64) int {
	for i, upTo := range steps {
		if n <= upTo {
			return i + 1
		}
	}
	return heatShades
}

// maxTitledCells is how many boxes of a heat map may tell their count; beyond,
// boxes of one shade become one shape, so that the page of a long run stays
// light.
const maxTitledCells = 700

// foldCells turns the boxes into one path for each shade when there are more
// than limit.
func (c *chart) foldCells(limit int) {
	if len(c.Cells) <= limit {
		return
	}
	var paths [heatShades + 1]strings.Builder
	for _, cell := range c.Cells {
		fmt.Fprintf(&paths[cell.Strength], "M%s %sh%sv%sh-%sz", short(cell.X), short(cell.Y), short(cell.Width), short(cell.Height), short(cell.Width))
	}
	c.Cells = nil
	for strength := range paths {
		if path := paths[strength].String(); path != "" {
			c.Shades = append(c.Shades, line{fmt.Sprintf("heat h%d", strength), path})
		}
	}
}

// binnedHeat returns the columns of the map from a second on, neighbours added up
// when there are more of them than a picture can show, and how many seconds each
// one stands for.
func binnedHeat(h *Heat, from int) ([]HeatColumn, int) {
	first, last := max(h.Columns[0].Second, from), h.Columns[len(h.Columns)-1].Second
	size := binSize(last - first + 1)
	var columns []HeatColumn
	for _, col := range h.Columns {
		if col.Second < first {
			continue
		}
		second := first + (col.Second-first)/size*size
		if len(columns) == 0 || columns[len(columns)-1].Second != second {
			columns = append(columns, HeatColumn{Second: second, Counts: make([]int64, len(h.BoundsNS))})
		}
		sum := columns[len(columns)-1].Counts
		for b, n := range col.Counts {
			if b < len(sum) {
				sum[b] += n
			}
		}
	}
	return columns, size
}
