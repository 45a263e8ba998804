package reports

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// searchCharts draws what the trials found: latency and throughput over the load.
func searchCharts(s *Search) []*chart {
	var trials []SearchTrial
	for _, t := range s.Trials {
		if t.AchievedPerS > 0 {
			trials = append(trials, t)
		}
	}
	slices.SortStableFunc(trials, func(a, b SearchTrial) int { return cmp.Compare(a.RatePerS, b.RatePerS) })
	var charts []*chart
	if len(trials) > 1 {
		charts = append(charts, loadLatencyChart(s, trials), throughputChart(s, trials))
	}
	return charts
}

// place is the class of a dot: how its trial ended, for what colour alone would not say its title does.
func (t *SearchTrial) place() string {
	switch t.Verdict.tone() {
	case toneBad:
		return " miss"
	case toneWarn:
		return " doubt"
	}
	return ""
}

func (t *SearchTrial) title(name, value string) string {
	return fmt.Sprintf("%s: %s %s, %s", formatRate(t.RatePerS), name, value, t.Verdict)
}

// loadLatencyChart draws latency over load, both logarithmic. The lines go through the trials that were valid: the
// latencies of others describe the generator.
func loadLatencyChart(s *Search, trials []SearchTrial) *chart {
	c := newChart("search", "Latency by load: "+s.Metric)
	low, high := int64(math.MaxInt64), int64(0)
	for _, t := range trials {
		for _, v := range []int64{t.P50NS, t.P99NS, t.LagP99NS} {
			if v > 0 {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if high == 0 {
		low = 1
	}
	x, y := c.rateX(trials[0].RatePerS, trials[len(trials)-1].RatePerS), c.logY(low, high)
	c.shadeBeyond(s, x)
	for _, q := range []struct {
		class, name string
		value       func(*SearchTrial) int64
	}{
		{"q50", "p50", func(t *SearchTrial) int64 { return t.P50NS }},
		{"q99", "p99", func(t *SearchTrial) int64 { return t.P99NS }},
		{"c4", "schedule lag p99", func(t *SearchTrial) int64 { return t.LagP99NS }},
	} {
		var points polyline
		for i, sum, n := 0, 0.0, 0; i < len(trials); i++ {
			t := &trials[i]
			v := q.value(t)
			if v > 0 {
				c.Dots = append(c.Dots, dot{q.class + t.place(), x.at(t.RatePerS), y.at(float64(v)), t.title(q.name, formatNS(v))})
			}
			if v > 0 && t.Verdict.tone() != toneWarn {
				sum, n = sum+math.Log(float64(v)), n+1
			}
			// The line goes through the middle of the trials at one rate.
			if last := i == len(trials)-1 || trials[i+1].RatePerS != t.RatePerS; last {
				if n > 0 {
					points.to(x.at(t.RatePerS), y.at(math.Exp(sum/float64(n))))
				}
				sum, n = 0, 0
			}
		}
		c.Lines = append(c.Lines, line{q.class, points.b.String()})
		c.Legend = append(c.Legend, legendEntry{q.class, q.name})
	}
	first, last := &trials[0], &trials[len(trials)-1]
	c.Desc = fmt.Sprintf("p99 is %s at %s and %s at %s", formatNS(first.P99NS), formatRate(first.RatePerS), formatNS(last.P99NS), formatRate(last.RatePerS))
	c.Note = "Filled: the trial failed. Grey: the generator did not keep its schedule, so that the latency is not the server's."
	return c
}

// throughputChart draws what was sent and delivered over what was offered.
func throughputChart(s *Search, trials []SearchTrial) *chart {
	fanOut := 1.0
	for _, t := range trials {
		if t.Verdict == TrialPassed && t.AchievedPerS > 0 {
			fanOut = t.DeliveredPerS / t.AchievedPerS
			break
		}
	}
	type curve struct {
		class, name string
		value       func(*SearchTrial) float64
	}
	curves := []curve{
		{"offered", "offered", func(t *SearchTrial) float64 { return t.RatePerS }},
		{"sent", "sent", func(t *SearchTrial) float64 { return t.AchievedPerS }},
		{"delivered", "delivered", func(t *SearchTrial) float64 { return t.DeliveredPerS }},
	}
	title := "Messages per second by load"
	if fanOut > 1.5 {
		title = "Deliveries per second by load"
		curves = []curve{
			{"offered", fmt.Sprintf("offered × %s receivers", countLabel(math.Round(fanOut))), func(t *SearchTrial) float64 { return t.RatePerS * fanOut }},
			{"delivered", "delivered", func(t *SearchTrial) float64 { return t.DeliveredPerS }},
		}
	}
	c := newChart("search", title)
	high := 0.0
	for i := range trials {
		for _, v := range curves {
			high = max(high, v.value(&trials[i]))
		}
	}
	most := trials[len(trials)-1].RatePerS
	x, y := scale{low: 0, high: most, from: c.Left, to: c.Right}, c.linearY(counts, high)
	step := niceStep(most / 5)
	for v := 0.0; v <= most; v += step {
		c.XTicks = append(c.XTicks, tick{At: x.at(v), Label: countLabel(v) + "/s", Anchor: c.anchor(x.at(v))})
	}
	c.XTicks = thinned(c.XTicks, 40)
	c.shadeBeyond(s, x)
	for _, v := range curves {
		var points polyline
		for i := range trials {
			t := &trials[i]
			px, py := x.at(t.RatePerS), y.at(v.value(t))
			points.to(px, py)
			if v.class != "offered" {
				c.Dots = append(c.Dots, dot{v.class + t.place(), px, py, t.title(v.name, formatRate(v.value(t)))})
			}
		}
		c.Lines = append(c.Lines, line{v.class, points.b.String()})
		c.Legend = append(c.Legend, legendEntry{v.class, v.name})
	}
	c.Desc = fmt.Sprintf("Up to %s were offered, and %s sent", formatRate(most), formatRate(trials[len(trials)-1].AchievedPerS))
	return c
}

// rateX prepares a logarithmic axis of rates and returns its scale.
func (c *chart) rateX(low, high float64) scale {
	steps := logSteps(low, max(high, low*2))
	s := scale{low: math.Log10(steps[0]), high: math.Log10(steps[len(steps)-1]), from: c.Left, to: c.Right, transform: math.Log10}
	for _, v := range steps {
		c.XTicks = append(c.XTicks, tick{At: s.at(v), Label: countLabel(v) + "/s", Anchor: c.anchor(s.at(v))})
	}
	c.XTicks = thinned(c.XTicks, 40)
	return s
}

// shadeBeyond marks the rates above the answer.
func (c *chart) shadeBeyond(s *Search, x scale) {
	if s.Answer.RatePerS > 0 && s.Answer.FailsPerS > 0 {
		from := x.at(s.Answer.FailsPerS)
		c.Bands = append(c.Bands, band{X: from, Width: round(c.Right - from), Label: "fails"})
	}
}
