package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A chart is geometry only: the page's template turns it into SVG with class
// names, so that one style sheet colours it for light, dark and paper, and the
// same escaping guards every label. gonum/plot was tried instead. Its SVG fixes
// colours and fonts in each element, places labels by the metrics of a font
// that the page does not have, knows neither titles nor classes, and adds
// about nine megabytes to the binary, for three kinds of chart.
type chart struct {
	Title  string
	Desc   string // what a listener hears instead of seeing it
	Kind   string // a class name
	Width  float64
	Height float64
	Left   float64
	Right  float64
	Top    float64
	Bottom float64
	XTicks []tick
	YTicks []tick
	Bands  []band
	Cells  []heatCell
	Shades []line // the cells of a shade as one shape
	Lines  []line
	Dots   []dot
	Limits []limitLine
	Marks  []mark
	Legend []legendEntry
	XLabel string
	Note   string
}

// tick is one label of an axis with its grid line.
type tick struct {
	At     float64
	Label  string
	Anchor string
}

// band is a shaded part of the x axis.
type band struct {
	X, Width     float64
	Label, Title string
}

// heatCell is one box of a heat map; Strength is 1 to 5.
type heatCell struct {
	X, Y, Width, Height float64
	Strength            int
	Title               string
}

// line is one curve; Class carries its colour and dashes.
type line struct {
	Class string
	Path  string
}

// dot is a marked point that explains itself when pointed at.
type dot struct {
	Class string
	X, Y  float64
	Title string
}

// limitLine is a level that a curve should stay below.
type limitLine struct {
	Y     float64
	Class string
}

// mark is a moment of the x axis at which something happened.
type mark struct {
	X     float64
	Title string
}

type legendEntry struct {
	Class string
	Name  string
}

// The size of a chart. Three of them stand side by side on a wide screen and
// one fills a telephone, both at about this many pixels, so that their text
// has the page's own size.
const (
	chartWidth  = 380
	chartHeight = 250
)

func newChart(kind, title string) *chart {
	return &chart{Kind: kind, Title: title, Width: chartWidth, Height: chartHeight, Left: 52, Right: chartWidth - 10, Top: 18, Bottom: chartHeight - 30}
}

// scale maps a value to a place between two ends.
type scale struct {
	low, high float64 // values, already transformed
	from, to  float64 // places
	transform func(float64) float64
}

func (s scale) at(v float64) float64 {
	if s.transform != nil {
		v = s.transform(v)
	}
	if s.high == s.low {
		return s.from
	}
	f := (v - s.low) / (s.high - s.low)
	return round(s.from + math.Max(0, math.Min(1, f))*(s.to-s.from))
}

func round(f float64) float64 { return math.Round(f*10) / 10 }

// logY prepares a logarithmic axis of durations and returns its scale. It
// reaches over whole steps of 1, 2 and 5 and is at least a decade high, so that
// noise does not look like a cliff.
func (c *chart) logY(lowNS, highNS int64) scale {
	low, high := float64(max(lowNS, 1)), float64(max(highNS, 1))
	steps := logSteps(low, math.Max(high, low*5))
	s := scale{low: math.Log10(steps[0]), high: math.Log10(steps[len(steps)-1]), from: c.Bottom, to: c.Top, transform: math.Log10}
	for _, v := range steps {
		powerOfTen := math.Abs(math.Log10(v)-math.Round(math.Log10(v))) < 1e-9
		t := tick{At: s.at(v)}
		if powerOfTen || len(steps) <= 12 {
			t.Label = durationLabel(v)
		}
		c.YTicks = append(c.YTicks, t)
	}
	return s
}

// logSteps are the numbers 1, 2 and 5 times a power of ten from the last one
// not above low to the first one not below high.
func logSteps(low, high float64) []float64 {
	var steps []float64
	for e := int(math.Floor(math.Log10(low))); ; e++ {
		for _, m := range []float64{1, 2, 5} {
			v := m * math.Pow10(e)
			if v <= low*(1+1e-9) {
				steps = steps[:0]
			}
			steps = append(steps, v)
			if v >= high*(1-1e-9) {
				return steps
			}
		}
	}
}

// unit says how the values of an axis are written.
type unit struct {
	log   bool                 // durations in nanoseconds, on a logarithmic axis
	size  float64              // what one of the axis is in the values drawn
	most  float64              // where the axis ends unless a value is above
	label func(float64) string // at the axis
	write func(float64) string // a value
}

var (
	durations = unit{log: true, write: func(v float64) string { return formatNS(int64(v)) }}
	counts    = unit{size: 1, label: countLabel, write: func(v float64) string { return formatCount(int64(math.Round(v))) }}
	shares    = unit{size: 0.01, most: 100, label: func(v float64) string { return short(math.Round(v)) + "\u00a0%" }, write: formatShare}
	sizes     = unit{size: 1 << 20, label: func(v float64) string { return countLabel(v) + "\u00a0MiB" }, write: func(v float64) string { return formatBytes(int64(v)) }}
)

// linearY prepares an axis from zero and returns its scale.
func (c *chart) linearY(u unit, high float64) scale {
	high = math.Max(high/u.size, 1)
	step := niceStep(high / 4)
	top := math.Ceil(high/step*1.02) * step
	if u.most > 0 && high <= u.most && top > u.most {
		step, top = u.most/4, u.most
	}
	s := scale{low: 0, high: top * u.size, from: c.Bottom, to: c.Top}
	for v := 0.0; v <= top+step/2; v += step {
		c.YTicks = append(c.YTicks, tick{At: s.at(v * u.size), Label: u.label(v)})
	}
	return s
}

func niceStep(raw float64) float64 {
	power := math.Pow10(int(math.Floor(math.Log10(raw))))
	for _, m := range []float64{1, 2, 5, 10} {
		if m*power >= raw*(1-1e-9) {
			return max(m*power, 1)
		}
	}
	return 10 * power
}

// secondsX prepares the axis of the run's seconds and returns its scale.
func (c *chart) secondsX(first, last int) scale {
	if last <= first {
		last = first + 1
	}
	s := scale{low: float64(first), high: float64(last), from: c.Left, to: c.Right}
	step := int(niceStep(float64(last-first) / 6))
	for v := (first + step - 1) / step * step; v <= last; v += step {
		c.XTicks = append(c.XTicks, tick{At: s.at(float64(v)), Label: strconv.Itoa(v) + " s", Anchor: c.anchor(s.at(float64(v)))})
	}
	return s
}

// anchor keeps the label of a tick inside the picture.
func (c *chart) anchor(x float64) string {
	if x > c.Right-12 {
		return "end"
	}
	return "middle"
}

// thinned drops ticks that stand closer than the gap to the one before.
func thinned(ticks []tick, gap float64) []tick {
	var kept []tick
	for _, t := range ticks {
		if len(kept) == 0 || math.Abs(kept[len(kept)-1].At-t.At) >= gap {
			kept = append(kept, t)
		}
	}
	return kept
}

// polyline joins points to the data of an SVG path.
type polyline struct{ b strings.Builder }

func (p *polyline) to(x, y float64) { p.step(x, y, p.b.Len() == 0) }

// step goes to a point, without a line when there is a gap before it.
func (p *polyline) step(x, y float64, gap bool) {
	verb := "L"
	if gap {
		verb = "M"
	}
	fmt.Fprintf(&p.b, "%s%s %s", verb, short(x), short(y))
}

func short(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

func durationLabel(ns float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= u.size*(1-1e-9) {
			return short(math.Round(ns/u.size*100)/100) + "\u00a0" + u.name
		}
	}
	return short(math.Round(ns)) + "\u00a0ns"
}

func countLabel(v float64) string {
	switch {
	case v >= 1e6:
		return short(math.Round(v/1e4)/100) + "M"
	case v >= 1e3:
		return short(math.Round(v/10)/100) + "k"
	}
	return short(v)
}

// PlotHeight is the height of the part between the axes.
func (c *chart) PlotHeight() float64 { return c.Bottom - c.Top }
