package loadgen

import (
	"fmt"
	"math"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/rtmkit/rtmkit/reports"
)

// vigil judges the thresholds of a run. It is shown every second of the run, live or from a run folder, for what the whole
// does not tell: windows, and whether the run has to end.
type vigil struct {
	workload *Workload
	windows  []*windows   // by threshold; nil for one over the whole run
	due      int64        // messages so far
	began    atomic.Int64 // the measured phase, in run time; 0 when it has not
}

func newVigil(w *Workload) *vigil {
	v := &vigil{workload: w, windows: make([]*windows, len(w.Thresholds))}
	for i := range w.Thresholds {
		if t := &w.Thresholds[i]; t.Expr.window > 0 {
			v.windows[i] = &windows{threshold: t, current: newHistogram(), last: windowsIn(w.Phases.Measure, t.Expr.window) - 1}
		}
	}
	return v
}

// windowsIn returns how many windows a span has: it is cut evenly, and what is left over belongs to the last one, with
// everything that comes later, unless it is half a window or more.
func windowsIn(span, window time.Duration) int {
	return max(1, int(math.Round(float64(span)/float64(window))))
}

// windows are those of one threshold. One histogram is enough for all, because they end one after the other.
type windows struct {
	threshold *Threshold
	current   *hdrhistogram.Histogram
	number    int // of the current window
	last      int // number of the last window

	kept, scarce int
	samples      int64
	worst        float64
	seen         bool // then worst is something
}

// begin tells when the measured phase begins. Windows count from the second in which that is.
func (v *vigil) begin(at int64) { v.began.Store(max(at, 1)) }

// see takes one second of a metric. The seconds of a metric come in order.
func (v *vigil) see(m metric, second int, h *hdrhistogram.Histogram) {
	began := v.began.Load()
	second -= int(began / 1e9)
	if began == 0 || second < 0 {
		return
	}
	for _, w := range v.windows {
		if w == nil || w.threshold.Expr.quantity().metric != m {
			continue
		}
		number := second / int(w.threshold.Expr.window/time.Second)
		for w.number < min(number, w.last) {
			w.close()
		}
		w.current.Merge(h)
	}
}

// close judges the current window and begins the next.
func (w *windows) close() {
	e := &w.threshold.Expr
	n := w.current.TotalCount()
	enough := n >= e.need() || w.threshold.AllowInsufficient && n > 0
	if !enough {
		w.scarce++
	}
	if n > 0 || e.stat == statCount {
		value := e.of(w.current)
		if enough && e.keeps(value) {
			w.kept++
		}
		if !w.seen || e.worse(value, w.worst) {
			w.worst, w.seen = value, true
		}
	}
	w.samples += n
	w.number++
	w.current.Reset()
}

// of returns the limit's statistic of a histogram.
func (e *Limit) of(h *hdrhistogram.Histogram) float64 {
	p, is := e.percentile()
	switch {
	case e.stat == statCount:
		return float64(h.TotalCount())
	case e.stat == statMin || is && p == 0:
		return float64(h.Min())
	case e.stat == statMax || is && p == 100:
		return float64(h.Max())
	case e.stat == statMean:
		return math.Round(h.Mean())
	}
	return float64(h.ValueAtPercentile(p))
}

// worse reports whether a value is farther on the wrong side than another.
func (e *Limit) worse(value, than float64) bool {
	switch e.is {
	case "<", "<=":
		return value > than
	case ">", ">=":
		return value < than
	}
	return e.keeps(than) && !e.keeps(value)
}

// finish closes the windows of a measured phase that took so long. The last window of one that was cut short is not judged.
func (v *vigil) finish(measured time.Duration) {
	for _, w := range v.windows {
		if w == nil {
			continue
		}
		all := w.last + 1
		if measured < v.workload.Phases.Measure {
			all = min(all, int(measured/w.threshold.Expr.window))
		}
		for w.number < all {
			w.close()
		}
	}
}

// broken returns which threshold ends the run by what was seen until a moment of the measured phase; nil for none.
func (v *vigil) broken(at int64, totals [metrics]*hdrhistogram.Histogram, faults func() []reports.ErrorCount) *reports.Abort {
	elapsed := time.Duration(at - v.began.Load())
	for i := range v.workload.Thresholds {
		t := &v.workload.Thresholds[i]
		if !t.Abort || elapsed < t.After {
			continue
		}
		e, value := &t.Expr, 0.0
		if q := e.quantity(); q.latency {
			h := totals[q.metric]
			if h == nil || h.TotalCount() < max(e.need(), 1) {
				continue
			}
			value = e.of(h)
		} else {
			value = e.failures(faults(), v.due)
		}
		if !e.keeps(value) {
			return &reports.Abort{Expr: e.String(), Second: int(math.Ceil(elapsed.Seconds())), Observed: e.show(value)}
		}
	}
	return nil
}

// judge judges all thresholds by the whole run, with everything of the summary but them in place.
func (v *vigil) judge(s *reports.Summary, totals [metrics]*hdrhistogram.Histogram, abort *reports.Abort) []reports.Threshold {
	for _, p := range s.Phases {
		if p.Name == phaseMeasure {
			v.finish(time.Duration(p.DurationNS))
		}
	}
	var list []reports.Threshold
	implicit := v.implicit(s.Ledger)
	if failed := (Limit{metric: "operations_failed", is: "=="}); len(s.Operations) > 0 && !v.limits(failed.quantity(), "") {
		implicit = append(implicit, failed)
	}
	for _, e := range implicit {
		t := e.judge(&Threshold{Expr: e}, s, nil)
		t.Implicit = true
		list = append(list, t)
	}
	for i := range v.workload.Thresholds {
		t := &v.workload.Thresholds[i]
		e := &t.Expr
		var result reports.Threshold
		switch q := e.quantity(); {
		case v.windows[i] != nil:
			result = v.windows[i].judge(s)
		case q.latency:
			result = e.judge(t, s, totals[q.metric])
		default:
			result = e.judge(t, s, nil)
		}
		if abort != nil && abort.Expr == result.Expr && t.Abort {
			result.Aborted, result.Holds = true, false
			result.Reason = fmt.Sprintf("it ended the run in second %d of the measured phase, at %s", abort.Second, abort.Observed)
		}
		list = append(list, result)
	}
	return list
}

// judge judges a limit over the whole run. Whole is set for a latency that had samples.
func (e *Limit) judge(t *Threshold, s *reports.Summary, whole *hdrhistogram.Histogram) reports.Threshold {
	result := reports.Threshold{Expr: e.String()}
	q := e.quantity()
	value := 0.0
	switch {
	case q.row != nil:
		value = e.count(s.Ledger)
	case q.errors:
		var scheduled int64
		for _, row := range s.Ledger {
			scheduled += row.Scheduled
		}
		value = e.failures(s.Errors, scheduled)
	case q.of != nil:
		if value = q.of(s); value == 0 && q.server {
			return e.unseen(result, t, "the server could not be watched")
		}
	default:
		if whole != nil {
			result.Samples = whole.TotalCount()
		}
		if need := e.need(); result.Samples < need {
			result = e.unseen(result, t, scarcity(e, result.Samples, need, s, 1))
		}
		if result.Samples == 0 && e.stat != statCount {
			return result
		}
		if whole != nil {
			value = e.of(whole)
		}
	}
	result.Observed = e.show(value)
	if !result.Insufficient {
		result.Holds = e.keeps(value)
	}
	return result
}

// unseen is the result of a limit that cannot be judged.
func (e *Limit) unseen(result reports.Threshold, t *Threshold, reason string) reports.Threshold {
	result.Observed, result.Insufficient, result.Reason = "nothing", true, reason
	result.Holds = t.AllowInsufficient
	return result
}

// scarcity says how many samples are missing in each of the parts of the measured phase.
func scarcity(e *Limit, n, need int64, s *reports.Summary, parts int) string {
	var span time.Duration
	for _, p := range s.Phases {
		if p.Name == phaseMeasure {
			span = time.Duration(p.DurationNS) / time.Duration(parts)
		}
	}
	per := ""
	if parts > 1 {
		per = " per window"
	}
	return fmt.Sprintf("%s needs %d samples%s, and there were %d%s", e.stat, need, per, n, atThisRate(need, float64(n), span))
}

// judge judges a limit per window. A window with too few samples has not kept it: where much was due and little came, the
// limit must not be kept by silence. Where most windows are like that, the limit asks for more than the load can tell.
func (w *windows) judge(s *reports.Summary) reports.Threshold {
	e := &w.threshold.Expr
	result := reports.Threshold{Expr: e.String(), Samples: w.samples, Windows: w.number, WindowsKept: w.kept}
	if 2*w.scarce > w.number || w.number == 0 {
		result = e.unseen(result, w.threshold, scarcity(e, w.samples/int64(max(w.number, 1)), max(e.need(), 1), s, max(w.number, 1)))
	}
	if w.seen {
		result.Observed = e.show(w.worst)
	}
	if !result.Insufficient {
		result.Holds = float64(100*w.kept) >= e.share*float64(w.number)
	}
	return result
}

// count adds the rows that the labels select.
func (e *Limit) count(rows []reports.LedgerRow) (n float64) {
	for i := range rows {
		if e.selects("traffic", rows[i].Traffic) {
			n += float64(e.quantity().row(&rows[i]))
		}
	}
	return n
}

// failures adds the errors that the labels select, for errors.rate as percent of the messages.
func (e *Limit) failures(errors []reports.ErrorCount, messages int64) float64 {
	n := 0.0
	for _, f := range errors {
		if e.selects("op", f.Op) && e.selects("class", f.Class) && e.selects("code", strconv.Itoa(f.Code)) {
			n += float64(f.Count)
		}
	}
	if e.quantity().unit == unitShare {
		return 100 * ratio(n, float64(messages))
	}
	return n
}

// selects reports whether the labels of a name all fit a value.
func (e *Limit) selects(name, value string) bool {
	for _, l := range e.labels {
		if l.name == name && (l.value == value) == l.not {
			return false
		}
	}
	return true
}

// implicitCounts are what every run has to keep at zero, whatever its workload: the server takes each message, answers
// it, and reaches each peer that is logged in.
var implicitCounts = []string{"ack_error", "ack_timeout", "ack_lost", "acked_not_received", "send_failed"}

// implicit returns the limits that hold without being named: one for all traffic, or one for each entry that is left where
// a threshold takes the place for others.
func (v *vigil) implicit(rows []reports.LedgerRow) (list []Limit) {
	for _, name := range implicitCounts {
		all := Limit{metric: name, is: "=="}
		var left []Limit
		for _, row := range rows {
			if e := all; !v.limits(e.quantity(), row.Traffic) {
				e.labels[0] = label{name: "traffic", value: row.Traffic}
				left = append(left, e)
			}
		}
		if len(left) == len(rows) {
			left = []Limit{all}
		}
		list = append(list, left...)
	}
	return list
}

// limits reports whether a threshold limits a count of the ledger for a traffic entry.
func (v *vigil) limits(q *quantity, traffic string) bool {
	for i := range v.workload.Thresholds {
		if e := &v.workload.Thresholds[i].Expr; e.quantity() == q && e.selects("traffic", traffic) {
			return true
		}
	}
	return false
}
