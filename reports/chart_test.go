package reports

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

var numbers = regexp.MustCompile(`-?[0-9.]+|NaN|[+-]?Inf`)

// inside fails when a point of the chart lies outside its axes.
func inside(t interface{ Errorf(string, ...any) }, c *chart) {
	place := func(what string, x, y float64) {
		if math.IsNaN(x) || math.IsNaN(y) || x < c.Left-0.1 || x > c.Right+0.1 || y < c.Top-0.1 || y > c.Bottom+0.1 {
			t.Errorf("%s: %s at %v, %v is outside the axes", c.Kind, what, x, y)
		}
	}
	for _, l := range c.Lines {
		found := numbers.FindAllString(l.Path, -1)
		for i := 0; i+1 < len(found); i += 2 {
			x, errX := strconv.ParseFloat(found[i], 64)
			y, errY := strconv.ParseFloat(found[i+1], 64)
			if errX != nil || errY != nil {
				t.Errorf("path %s", l.Path)
			}
			place("line "+l.Class, x, y)
		}
	}
	for _, d := range c.Dots {
		place("dot "+d.Title, d.X, d.Y)
	}
	for _, h := range c.Cells {
		place("cell "+h.Title, h.X, h.Y)
		place("cell "+h.Title, h.X+h.Width, h.Y+h.Height)
	}
	for _, k := range c.XTicks {
		place("tick "+k.Label, k.At, c.Bottom)
	}
	for _, k := range c.YTicks {
		place("tick "+k.Label, c.Left, k.At)
	}
	if len(c.YTicks) < 2 || len(c.YTicks) > 40 {
		t.Errorf("%s: %d ticks on the y axis", c.Kind, len(c.YTicks))
	}
}

func allCharts(l *Load) []*chart {
	v := newLoadView(l, 0)
	return slices.Concat(v.Latency, v.Flow, v.Health.Charts)
}

func TestChartsStayInsideTheirAxes(t *testing.T) {
	for _, l := range []*Load{fixtureLoad("peer", 1), fixtureLoad("channel", 50)} {
		drawn := make(map[string]bool)
		for _, c := range allCharts(l) {
			drawn[c.Kind] = true
			inside(t, c)
		}
		for _, kind := range []string{"percentiles", "heatmap", "latency", "rate", "inflight", "lag", "cpu", "memory"} {
			if !drawn[kind] {
				t.Errorf("%s: the chart %s is missing", l.Manifest.Name, kind)
			}
		}
	}
}

func TestChartsTakeAnyNumbers(t *testing.T) {
	latency := rapid.Int64Range(0, 60e9)
	rapid.Check(t, func(t *rapid.T) {
		m := Metric{Name: "m", Count: rapid.Int64Range(0, 1e12).Draw(t, "count")}
		m.MinNS, m.P50NS, m.P90NS, m.P99NS, m.P999NS, m.MaxNS = latency.Draw(t, "min"), latency.Draw(t, "p50"), latency.Draw(t, "p90"), latency.Draw(t, "p99"), latency.Draw(t, "p999"), latency.Draw(t, "max")
		for range rapid.IntRange(0, 6).Draw(t, "points") {
			m.Curve = append(m.Curve, CurvePoint{Percentile: rapid.Float64Range(0, 100).Draw(t, "percentile"), ValueNS: latency.Draw(t, "value")})
		}
		l := &Load{Summary: Summary{OfferedPerS: rapid.Float64Range(0, 1e6).Draw(t, "offered"), ExpectedDeliveriesPerS: rapid.Float64Range(0, 1e9).Draw(t, "expected")}}
		first := rapid.IntRange(-3, 1e6).Draw(t, "first")
		for s := range rapid.IntRange(0, 6).Draw(t, "seconds") {
			m.Series = append(m.Series, LatencyPoint{Second: first + s, Count: rapid.Int64Range(0, 2).Draw(t, "n"), P50NS: latency.Draw(t, "p50"), P99NS: latency.Draw(t, "p99"), MaxNS: latency.Draw(t, "max")})
			l.Summary.Series = append(l.Summary.Series, SeriesPoint{Second: first + s, Offered: rapid.Int64Range(0, 1e9).Draw(t, "due"), Delivered: rapid.Int64Range(0, 1e12).Draw(t, "delivered")})
		}
		if rapid.Bool().Draw(t, "heat") {
			m.Heat = &Heat{BoundsNS: []int64{0, 1000, 1e6, 60e9}}
			for _, p := range m.Series {
				m.Heat.Columns = append(m.Heat.Columns, HeatColumn{Second: p.Second, Counts: []int64{0, 1, 2, p.Count}})
			}
		}
		l.Summary.Metrics = []Metric{m}
		for _, c := range allCharts(l) {
			inside(t, c)
		}
		if _, err := pageText(Of(l)); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPercentileAxisGivesEachNineTheSameRoom(t *testing.T) {
	for p, want := range map[float64]float64{0: 0, 90: 1, 99: 2, 99.9: 3, 99.99: 4} {
		if got := nines(p); math.Abs(got-want) > 1e-9 {
			t.Errorf("nines(%v) = %v, want %v", p, got, want)
		}
	}
}

func TestCurveIsDashedWhereSamplesAreFew(t *testing.T) {
	l := fixtureLoad("peer", 1)
	c := newLoadView(l, 0).Latency[0]
	dashed := 0
	for _, line := range c.Lines {
		if line.Class == "c1 dashed" {
			dashed++
		}
	}
	if dashed != 1 {
		t.Errorf("%d dashed curves of the first metric, want 1: 12,000 samples say little beyond p99.9", dashed)
	}
}
