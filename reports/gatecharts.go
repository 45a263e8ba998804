package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// gateCharts draws what the gate has data for.
func gateCharts(g *Gate) []*chart {
	charts := []*chart{forestChart(g)}
	for i := range g.Metrics {
		if m := &g.Metrics[i]; m.Verdict != NotGated || len(g.Plan.Rules) == 0 && m.Name == ServerCPU {
			charts = append(charts, runsChart(g, m))
		}
	}
	charts = append(charts, curvesChart(g), quantileChart(g, "ratio"), quantileChart(g, "difference"))
	return slices.DeleteFunc(charts, func(c *chart) bool { return c == nil })
}

// hue is the colour class of a verdict.
func (v GateVerdict) hue() string { return "hue-" + string(v.tone()) }

// maxForest is how many numbers stand in one forest plot.
const maxForest = 10

// forestChart draws the interval of each number on a common axis of ratios.
func forestChart(g *Gate) *chart {
	var rows []*GateMetric
	reach := math.Log(1.1)
	for i := range g.Metrics {
		m := &g.Metrics[i]
		if m.Blocks == 0 || len(rows) == maxForest {
			continue
		}
		rows = append(rows, m)
		// A number that decides nothing must not squeeze those that do.
		if m.Verdict != NotGated {
			reach = max(reach, math.Abs(math.Log(m.Ratio)), 1.4*math.Log1p(m.Margin))
			if m.High > 0 {
				reach = max(reach, -math.Log(m.Low), math.Log(m.High))
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	reach = min(reach*1.08, math.Log(4))
	c := newChart("forest", "Change from base to head")
	const rowHeight = 30
	c.Left, c.Bottom = 148, c.Top+rowHeight*float64(len(rows))
	c.Height = c.Bottom + 30
	x := scale{low: -reach, high: reach, from: c.Left, to: c.Right - 8}
	for _, ratio := range []float64{.25, .5, .7, .8, .9, .95, 1, 1.05, 1.1, 1.2, 1.5, 2, 3, 4} {
		if math.Abs(math.Log(ratio)) <= reach {
			c.XTicks = append(c.XTicks, tick{At: x.at(math.Log(ratio)), Label: percentLabel(ratio - 1), Anchor: "middle"})
		}
	}
	c.XTicks = keptAround(c.XTicks, x.at(0), 46)
	c.Lines = append(c.Lines, line{"zero", fmt.Sprintf("M%s %sL%s %s", short(x.at(0)), short(c.Top), short(x.at(0)), short(c.Bottom))})
	for i, m := range rows {
		y := round(c.Top + rowHeight*(float64(i)+.5))
		c.YTicks = append(c.YTicks, tick{At: y, Label: m.Name})
		if m.Margin > 0 {
			from, to := x.at(-math.Log1p(m.Margin)), x.at(math.Log1p(m.Margin))
			c.Cells = append(c.Cells, heatCell{X: from, Y: y - 9, Width: round(to - from), Height: 18, Strength: 2, Title: fmt.Sprintf("%s: margin %s", m.Name, formatMargin(m.Margin))})
		}
		said := fmt.Sprintf("%s: %s", m.Name, formatChange(m.Ratio))
		if m.High > 0 {
			said += fmt.Sprintf(", %s at %s", m.interval(), formatShare(m.Confidence))
			c.Lines = append(c.Lines, line{m.Verdict.hue(), fmt.Sprintf("M%s %sL%s %s", short(x.at(math.Log(m.Low))), short(y), short(x.at(math.Log(m.High))), short(y))})
		}
		c.Dots = append(c.Dots, dot{m.Verdict.hue() + " full", x.at(math.Log(m.Ratio)), y, said})
		if c.Desc != "" {
			c.Desc += ". "
		}
		c.Desc += said
	}
	c.Note = "Dot: estimate. Line: interval. Shaded: margin. To the right head is worse."
	return c
}

// keptAround drops labels that would touch, beginning at the one that must stay.
func keptAround(ticks []tick, centre, gap float64) []tick {
	slices.SortStableFunc(ticks, func(a, b tick) int {
		return int(math.Copysign(1, math.Abs(a.At-centre)-math.Abs(b.At-centre)))
	})
	var kept []tick
	for _, t := range ticks {
		if !slices.ContainsFunc(kept, func(k tick) bool { return math.Abs(k.At-t.At) < gap }) {
			kept = append(kept, t)
		}
	}
	return kept
}

// runsChart draws one number of every run in the order they ran.
func runsChart(g *Gate, m *GateMetric) *chart {
	var order []*GateRun
	low, high := math.Inf(1), 0.0
	for i := range g.Runs {
		if value := g.Runs[i].Values[m.Name]; value > 0 {
			order = append(order, &g.Runs[i])
			low, high = min(low, value), max(high, value)
		}
	}
	if len(order) == 0 {
		return nil
	}
	slices.SortStableFunc(order, func(a, b *GateRun) int { return a.StartedAt.Compare(b.StartedAt) })
	c := newChart("runs", "Run by run: "+m.Name)
	x := scale{low: -.5, high: float64(len(order)) - .5, from: c.Left, to: c.Right}
	y := c.spanY(low, high, signedDuration)
	for i := 0; i < len(order); {
		end := i
		for end < len(order) && order[end].Block == order[i].Block {
			end++
		}
		if order[i].Block > 0 {
			at, to := x.at(float64(i)-.5), x.at(float64(end)-.5)
			if order[i].Block%2 == 0 {
				c.Bands = append(c.Bands, band{X: at, Width: round(to - at)})
			}
			c.XTicks = append(c.XTicks, tick{At: round((at + to) / 2), Label: fmt.Sprint(order[i].Block), Anchor: "middle"})
			c.Note = "Numbers below: blocks. Dashed: medians."
		}
		i = end
	}
	if g.Paired {
		c.XTicks = thinned(c.XTicks, 22)
	} else {
		c.Note = "In the order they began. Dashed: medians."
	}
	for i, r := range order {
		class := sideClass(r.Side)
		if !r.Counted {
			class += " void"
		} else {
			class += " full"
		}
		value := r.Values[m.Name]
		c.Dots = append(c.Dots, dot{class, x.at(float64(i)), y.at(value), fmt.Sprintf("%s %s, %s: %s", r.Side, r.Name, r.Validity, formatNS(int64(value)))})
	}
	for side, value := range map[GateSide]float64{BaseSide: m.Base, HeadSide: m.Head} {
		if value > 0 {
			at := short(y.at(value))
			c.Lines = append(c.Lines, line{sideClass(side) + " dashed", fmt.Sprintf("M%s %sL%s %s", short(c.Left), at, short(c.Right), at)})
		}
	}
	slices.SortFunc(c.Lines, func(a, b line) int { return len(a.Path) - len(b.Path) })
	c.Legend = sidesLegend
	c.Desc = fmt.Sprintf("Median of base %s, of head %s", formatNS(int64(m.Base)), formatNS(int64(m.Head)))
	return c
}

func sideClass(s GateSide) string {
	if s == HeadSide {
		return "c2"
	}
	return "c1"
}

var sidesLegend = []legendEntry{{"c1", "base"}, {"c2", "head"}}

// spanY prepares a linear axis that holds both values, with some room, and returns
// its scale. It need not begin at zero.
func (c *chart) spanY(low, high float64, label func(float64) string) scale {
	if high <= low {
		low, high = low-math.Abs(low)/2-1e-3, high+math.Abs(high)/2+1e-3
	}
	power := math.Pow10(int(math.Floor(math.Log10((high - low) / 4))))
	step := 10 * power
	for _, m := range []float64{1, 2, 5} {
		if m*power >= (high-low)/4*(1-1e-9) {
			step = m * power
			break
		}
	}
	bottom, top := math.Floor(low/step)*step, math.Ceil(high/step)*step
	s := scale{low: bottom, high: top, from: c.Bottom, to: c.Top}
	for v := bottom; v <= top+step/2; v += step {
		if math.Abs(v) < step/2 {
			v = 0
		}
		c.YTicks = append(c.YTicks, tick{At: s.at(v), Label: label(v)})
	}
	return s
}

// percentLabel is the label of a change.
func percentLabel(share float64) string {
	if math.Abs(share) < .005 {
		return "0"
	}
	return strings.Replace(fmt.Sprintf("%+.0f\u00a0%%", 100*share), "-", "−", 1)
}

// signedDuration is the label of a duration that may be negative.
func signedDuration(ns float64) string {
	switch {
	case ns < 0:
		return "−" + durationLabel(-ns)
	case ns == 0:
		return "0"
	}
	return durationLabel(ns)
}

// spread is one percentile over the runs or blocks: its middle and its ends.
type spread struct {
	percentile, low, mid, high float64
}

// spreadOf gathers the values of each percentile that all of them have.
func spreadOf(curves [][]float64) []spread {
	if len(curves) == 0 {
		return nil
	}
	length := len(curveSteps)
	for _, c := range curves {
		length = min(length, len(c))
	}
	var all []spread
	for i := range length {
		var values []float64
		for _, c := range curves {
			values = append(values, c[i])
		}
		slices.Sort(values)
		all = append(all, spread{curveSteps[i], values[0], median(values), values[len(values)-1]})
	}
	return all
}

// drawSpread adds a band between the ends and a line through the middle.
func (c *chart) drawSpread(all []spread, class string, x, y scale) {
	var upper, middle polyline
	for _, s := range all {
		upper.to(x.at(nines(s.percentile)), y.at(s.high))
		middle.to(x.at(nines(s.percentile)), y.at(s.mid))
	}
	for _, s := range slices.Backward(all) {
		upper.to(x.at(nines(s.percentile)), y.at(s.low))
	}
	c.Lines = append(c.Lines, line{class + " area", upper.b.String() + "Z"}, line{class, middle.b.String()})
}

// ninesX prepares the axis of percentiles up to the last of a spread.
func (c *chart) ninesX(last float64) scale {
	x := scale{low: 0, high: max(nines(last), 1), from: c.Left, to: c.Right}
	c.XTicks = append(c.XTicks, tick{At: x.at(nines(50)), Label: "p50", Anchor: "middle"})
	for n := 1.0; n <= x.high+1e-9; n++ {
		c.XTicks = append(c.XTicks, tick{At: x.at(n), Label: "p" + short(math.Round((100-math.Pow10(2-int(n)))*1e6)/1e6), Anchor: c.anchor(x.at(n))})
	}
	c.XTicks = thinned(c.XTicks, 40)
	return x
}

// sideCurves are the curves of the counted runs of a side.
func (g *Gate) sideCurves(side GateSide) [][]float64 {
	var curves [][]float64
	for i := range g.Runs {
		if r := &g.Runs[i]; r.Counted && r.Side == side && len(r.Curve) > 0 {
			curves = append(curves, r.curve())
		}
	}
	return curves
}

func (r *GateRun) curve() []float64 {
	var values []float64
	for _, p := range r.Curve {
		values = append(values, float64(max(p.ValueNS, 1)))
	}
	return values
}

// curvesChart lays the percentile curves of both sides over each other.
func curvesChart(g *Gate) *chart {
	base, head := spreadOf(g.sideCurves(BaseSide)), spreadOf(g.sideCurves(HeadSide))
	if len(base) == 0 || len(head) == 0 {
		return nil
	}
	c := newChart("percentiles", "By percentile: "+g.Curve)
	x := c.ninesX(max(base[len(base)-1].percentile, head[len(head)-1].percentile))
	low, high := math.Inf(1), 0.0
	for _, s := range append(base[:len(base):len(base)], head...) {
		low, high = min(low, s.low), max(high, s.high)
	}
	y := c.logY(int64(low), int64(high))
	c.drawSpread(base, "c1", x, y)
	c.drawSpread(head, "c2", x, y)
	c.Legend = sidesLegend
	c.Note = "Line: median over the runs. Band: all runs."
	c.Desc = fmt.Sprintf("Medians of the runs at p50: base %s, head %s", at50(base), at50(head))
	return c
}

func at50(all []spread) string {
	for _, s := range all {
		if s.percentile >= 50 {
			return formatNS(int64(s.mid))
		}
	}
	return "unknown"
}

// contrasts are head against base at each percentile: one curve for each block, or
// for each stored run of head against the median of base.
func (g *Gate) contrasts(ratio bool) [][]float64 {
	against := func(head, base []float64) []float64 {
		var values []float64
		for i := range min(len(head), len(base)) {
			if ratio {
				values = append(values, head[i]/base[i]-1)
			} else {
				values = append(values, head[i]-base[i])
			}
		}
		return values
	}
	var all [][]float64
	if !g.Paired {
		var base []float64
		for _, s := range spreadOf(g.sideCurves(BaseSide)) {
			base = append(base, s.mid)
		}
		for _, head := range g.sideCurves(HeadSide) {
			all = append(all, against(head, base))
		}
		return all
	}
	for block := range g.Blocks {
		sides := map[GateSide][][]float64{}
		for i := range g.Runs {
			if r := &g.Runs[i]; r.Counted && r.Block == block+1 && len(r.Curve) > 0 {
				sides[r.Side] = append(sides[r.Side], r.curve())
			}
		}
		base, head := spreadOf(sides[BaseSide]), spreadOf(sides[HeadSide])
		if len(base) == 0 || len(head) == 0 {
			continue
		}
		mid := func(all []spread) (values []float64) {
			for _, s := range all {
				values = append(values, s.mid)
			}
			return values
		}
		all = append(all, against(mid(head), mid(base)))
	}
	return all
}

// quantileChart draws head against base over the percentiles, as ratio or as
// difference.
func quantileChart(g *Gate, kind string) *chart {
	ratio := kind == "ratio"
	all := spreadOf(g.contrasts(ratio))
	if len(all) < 2 {
		return nil
	}
	title, label := "Head minus base by percentile", signedDuration
	if ratio {
		title, label = "Head over base by percentile", percentLabel
	}
	c := newChart(kind, title)
	x := c.ninesX(all[len(all)-1].percentile)
	low, high := 0.0, 0.0
	for _, s := range all {
		low, high = min(low, s.low), max(high, s.high)
	}
	y := c.spanY(low, high, label)
	c.Lines = append(c.Lines, line{"zero", fmt.Sprintf("M%s %sL%s %s", short(c.Left), short(y.at(0)), short(c.Right), short(y.at(0)))})
	c.drawSpread(all, "c4", x, y)
	for i, s := range all {
		if i%5 == 0 {
			c.Dots = append(c.Dots, dot{"c4 small", x.at(nines(s.percentile)), y.at(s.mid), fmt.Sprintf("p%s: %s, from %s to %s", short(math.Round(s.percentile*1e3)/1e3), label(s.mid), label(s.low), label(s.high))})
		}
	}
	c.Note = "Line: median over the blocks. Band: all blocks. It describes and does not decide."
	if !g.Paired {
		c.Note = "Line: median over the runs of head. Band: all of them, against the median of base."
	}
	c.Desc = fmt.Sprintf("The largest value is %s, the smallest %s", label(high), label(low))
	return c
}
