package loadgen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// hdrLog writes latency.hlog: one line for each metric and second, tagged with the metric's name.
//
// Interval stamps are absolute epoch times and the log has no base time, because writers cut base times to whole
// seconds and readers then shift every interval. Values are nanoseconds, so that the column Interval_Max is in
// milliseconds by the format's convention. Both matter only to other readers.
type hdrLog struct {
	w *hdrhistogram.HistogramLogWriter
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
	return l.w.OutputIntervalHistogram(h)
}

// interval is one line of a histogram log.
type interval struct {
	metric         metric
	startMS, endMS int64
	histogram      *hdrhistogram.Histogram
}

var intervalLine = regexp.MustCompile(`^Tag=([^,]+),(\d+)\.(\d{3})000,(\d+)\.(\d{3})000,(\d+)\.(\d{6}),(HIST[A-Za-z0-9+/]+=*)$`)

// maxIntervalLine bounds a line: a histogram of the geometry has 23,552 places.
const maxIntervalLine = 1 << 20

// readHDRLog calls take for each interval of a histogram log of this package. It is stricter than the readers of the
// HdrHistogram family, which pass over a line that they do not understand.
func readHDRLog(r io.Reader, take func(interval) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxIntervalLine)
	number := 0
	for lines.Scan() {
		number++
		text := lines.Text()
		if strings.HasPrefix(text, "#") || strings.HasPrefix(text, `"StartTimestamp"`) {
			continue
		}
		line, err := parseInterval(text)
		if err == nil {
			err = take(line)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("behind line %d: %w", number, err)
	}
	return nil
}

func parseInterval(text string) (interval, error) {
	fields := intervalLine.FindStringSubmatch(text)
	if fields == nil {
		return interval{}, errors.New("it is no interval of a histogram log")
	}
	m, known := metricNamed(fields[1])
	if !known {
		return interval{}, fmt.Errorf("the metric %q is not known", fields[1])
	}
	var times [3]int64
	for i := range times {
		var err error
		if times[i], err = strconv.ParseInt(fields[2+2*i]+fields[3+2*i], 10, 64); err != nil {
			return interval{}, fmt.Errorf("%s.%s is no time", fields[2+2*i], fields[3+2*i])
		}
	}
	h, err := hdrhistogram.Decode([]byte(fields[8]))
	if err != nil {
		return interval{}, fmt.Errorf("the histogram cannot be decoded: %w", err)
	}
	if h.LowestTrackableValue() != lowestNS || h.HighestTrackableValue() != highestNS || h.SignificantFigures() != digits {
		return interval{}, errors.New("the histogram has another range or precision than this version of rtmkit writes")
	}
	if h.Max() != times[2] {
		return interval{}, fmt.Errorf("its largest value is said to be %d ns and is %d ns", times[2], h.Max())
	}
	return interval{m, times[0], times[0] + times[1], h}, nil
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
