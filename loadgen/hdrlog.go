package loadgen

import (
	"bufio"
	"fmt"
	"io"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// hdrLog writes latency.hlog: one line for each metric and second, tagged with the metric's name.
//
// Interval stamps are absolute epoch times and the log has no base time, because writers cut base times to whole
// seconds and readers then shift every interval. Values are nanoseconds, so that the column Interval_Max is in
// milliseconds by the format's convention. Both matter only to other readers.
type hdrLog struct {
	w         *hdrhistogram.HistogramLogWriter
	intervals int
	samples   int64
}

func newHDRLog(w io.Writer, startMS int64) (*hdrLog, error) {
	log := &hdrLog{w: hdrhistogram.NewHistogramLogWriter(w)}
	for _, err := range []error{
		log.w.OutputLogFormatVersion(),
		log.w.OutputComment("[rtmkit load, values in nanoseconds, one tag per metric]"),
		log.w.OutputStartTime(startMS), // a whole second
		log.w.OutputLegend(),
	} {
		if err != nil {
			return nil, err
		}
	}
	return log, nil
}

// write adds one interval. The times are in milliseconds since the epoch.
func (l *hdrLog) write(m metric, startMS, endMS int64, h *hdrhistogram.Histogram) error {
	h.SetTag(m.String())
	h.SetStartTimeMs(startMS)
	h.SetEndTimeMs(endMS)
	l.intervals++
	l.samples += h.TotalCount()
	return l.w.OutputIntervalHistogram(h)
}

// writeHGRM writes a percentile distribution in the text form that HdrHistogram plotters read, in milliseconds. The
// library's own writer rounds percentiles to six decimals, so that everything past 99.9999 would collapse.
func writeHGRM(w io.Writer, h *hdrhistogram.Histogram) error {
	const ms = 1e6
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, "%12s %14s %10s %14s\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)")
	for _, b := range h.CumulativeDistributionWithTicks(5) {
		p := b.Quantile / 100
		inverse := fmt.Sprintf("%14.2f", 1/(1-p))
		if math.IsInf(1/(1-p), 1) {
			inverse = "inf"
		}
		fmt.Fprintf(out, "%12.6f %2.12f %10d %14s\n", float64(b.ValueAt)/ms, p, b.Count, inverse)
	}
	fmt.Fprintf(out, "#[Mean    = %12.6f, StdDeviation   = %12.6f]\n", h.Mean()/ms, h.StdDev()/ms)
	fmt.Fprintf(out, "#[Max     = %12.6f, Total count    = %12d]\n", float64(h.Max())/ms, h.TotalCount())
	fmt.Fprintf(out, "#[Digits  = %12d, Highest        = %12d]\n", h.SignificantFigures(), h.HighestTrackableValue())
	return out.Flush()
}
