package loadgen

import (
	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/rtmkit/rtmkit/reports"
)

// latencies are the distributions of a run. They are fed the histogram of each metric and second, while the run lasts or
// from the histogram log, and come out the same.
type latencies struct {
	total   [metrics]*hdrhistogram.Histogram // nil for a metric without samples
	over    [metrics]int64                   // samples above the range, which stand in total at its end
	seconds [metrics]int                     // intervals that had samples
	points  [metrics][]reports.LatencyPoint
	heat    [metrics][]reports.HeatColumn
	vigil   *vigil // sees every second; nil for none
}

// add adds the samples of one metric and second. The seconds of a metric come in order.
func (l *latencies) add(m metric, second int, h *hdrhistogram.Histogram) {
	if l.total[m] == nil {
		l.total[m] = newHistogram()
	}
	l.total[m].Merge(h)
	l.seconds[m]++
	q := h.ValueAtPercentilesSlice([]float64{50, 99})
	l.points[m] = append(l.points[m], reports.LatencyPoint{
		Second: second, Count: h.TotalCount(), P50NS: q[0], P99NS: q[1], MaxNS: h.Max(),
	})
	l.heat[m] = append(l.heat[m], heatColumn(second, h))
	if l.vigil != nil {
		l.vigil.see(m, second, h)
	}
}

// count returns how many samples a metric has.
func (l *latencies) count(m metric) int64 {
	if l.total[m] == nil {
		return 0
	}
	return l.total[m].TotalCount()
}

// summaries returns the metrics that had samples, over the whole run, the primary one first.
func (l *latencies) summaries() []reports.Metric {
	var list []reports.Metric
	for m := range metrics {
		if l.count(m) == 0 {
			continue
		}
		s := m.summary(l.total[m], l.over[m])
		s.Series = l.points[m]
		s.Heat = &reports.Heat{BoundsNS: heatBounds, Columns: l.heat[m]}
		list = append(list, s)
	}
	return list
}
