package loadgen

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

const (
	// A p99 in the last third of a run may be this much of that in the first, and always up to calmP99, below which
	// the two differ by chance.
	maxDrift = 1.25
	calmP99  = 5 * time.Millisecond
	// In this many full seconds a third is long enough to have a p99 of its own.
	leastDriftSeconds = 6

	// Over a whole run the messages without an answer may grow by this share of a second's messages, and always by a few.
	maxGrowth  = 0.01
	fewGrowing = 10
)

// JudgeTrial says what a run at one rate tells about the capacity of its server, with the first of these demands that was
// not met: a server that stays, a clean ledger, a valid run that was not even degraded, the offered rate, every threshold, and a stationary
// state, in which neither the messages without an answer nor the latency grow. A run whose own schedule was not kept says
// nothing about the server, whatever else went wrong.
func JudgeTrial(load *reports.Load, length time.Duration) reports.SearchTrial {
	s := &load.Summary
	t := reports.SearchTrial{
		RatePerS: s.OfferedPerS, LengthNS: int64(length), Validity: s.Validity.Verdict,
		AchievedPerS: s.AchievedPerS, DeliveredPerS: s.DeliveredPerS, LagP99NS: s.Health.LagP99NS,
	}
	metric := TrialMetric(load)
	if metric != nil {
		t.P50NS, t.P99NS = metric.P50NS, metric.P99NS
	}
	t.InFlightPerS = inFlightSlope(load)
	t.Verdict, t.Criterion = reports.TrialPassed, ""
	for _, judge := range []func() (reports.TrialVerdict, string){
		func() (reports.TrialVerdict, string) { return judgeTarget(load) },
		func() (reports.TrialVerdict, string) { return judgeLedger(s) },
		func() (reports.TrialVerdict, string) { return judgeValidity(s.Validity) },
		func() (reports.TrialVerdict, string) { return judgeDemands(s, length) },
		func() (reports.TrialVerdict, string) { return judgeInFlight(t.InFlightPerS, s.OfferedPerS, length) },
		func() (reports.TrialVerdict, string) { return judgeDrift(load, metric) },
	} {
		if verdict, criterion := judge(); verdict != reports.TrialPassed {
			t.Verdict, t.Criterion = verdict, criterion
			break
		}
	}
	return t
}

// TrialMetric returns the metric by which the trials of a search are shown: peer.ack, or channel.deliver in a run
// without peer messages; nil when there is neither.
func TrialMetric(load *reports.Load) *reports.Metric {
	for _, name := range []metric{metricPeerAck, metricChannelDeliver} {
		for i := range load.Summary.Metrics {
			if m := &load.Summary.Metrics[i]; m.Name == name.String() && m.Count > 0 {
				return m
			}
		}
	}
	return nil
}

func judgeTarget(load *reports.Load) (reports.TrialVerdict, string) {
	if at := load.Manifest.LostNS; at > 0 {
		return reports.TrialFailed, fmt.Sprintf("the server went away %v after the run began", time.Duration(at).Round(time.Millisecond))
	}
	return reports.TrialPassed, ""
}

func judgeLedger(s *reports.Summary) (reports.TrialVerdict, string) {
	if s.Validity.Verdict == reports.Invalid {
		return reports.TrialPassed, ""
	}
	for _, row := range s.Ledger {
		if !row.Clean() {
			return reports.TrialLost, fmt.Sprintf("%s: %s", row.Traffic, anomalies(row))
		}
	}
	for _, e := range s.Equations {
		if !e.Holds {
			return reports.TrialLost, strings.TrimSpace(fmt.Sprintf("%s %s does not hold: %d and %d", e.Traffic, e.Text, e.Left, e.Right))
		}
	}
	return reports.TrialPassed, ""
}

func anomalies(row reports.LedgerRow) string {
	var list []string
	for _, c := range []struct {
		n    int64
		what string
	}{
		{row.Lost, "lost"}, {row.Duplicated, "duplicated"}, {row.Reordered, "reordered"}, {row.Leaked, "leaked"},
		{row.Foreign, "foreign"}, {row.Corrupt, "corrupt"}, {row.FalseReceipts, "falsely receipted"},
	} {
		if c.n > 0 {
			list = append(list, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	return strings.Join(list, ", ")
}

func judgeValidity(v reports.Validity) (reports.TrialVerdict, string) {
	if v.Verdict == reports.Valid {
		return reports.TrialPassed, ""
	}
	criterion := fmt.Sprintf("the run is %s: %s", v.Verdict, strings.Join(v.Reasons, "; "))
	switch v.Attribution {
	case serverBound:
		return reports.TrialFailed, criterion
	case hostNoise:
		return reports.TrialNoisy, criterion
	}
	return reports.TrialInvalid, criterion
}

func judgeDemands(s *reports.Summary, length time.Duration) (reports.TrialVerdict, string) {
	for _, p := range s.Phases {
		// What was due, and not the rate: independent arrivals are a little more or less.
		due := float64(p.Scheduled) / length.Seconds()
		if p.Name == phaseMeasure && s.AchievedPerS < leastAchieved*due {
			return reports.TrialFailed, fmt.Sprintf("only %.1f of %.1f messages per second were sent", s.AchievedPerS, due)
		}
	}
	for _, t := range s.Thresholds {
		if !t.Holds {
			return reports.TrialFailed, fmt.Sprintf("%s; %s", t.Expr, t.Told())
		}
	}
	return reports.TrialPassed, ""
}

func judgeInFlight(slope, offered float64, length time.Duration) (reports.TrialVerdict, string) {
	if growth := slope * length.Seconds(); growth > fewGrowing+maxGrowth*offered {
		return reports.TrialFailed, fmt.Sprintf("the messages without an answer grew by %.0f per second", slope)
	}
	return reports.TrialPassed, ""
}

// judgeDrift compares the ends of a run by the medians of their seconds' p99, so that one bad second decides nothing.
func judgeDrift(load *reports.Load, m *reports.Metric) (reports.TrialVerdict, string) {
	if m == nil {
		return reports.TrialPassed, ""
	}
	first, end := measuredSeconds(load)
	var p99s []float64
	for _, p := range m.Series {
		if p.Second >= first && p.Second < end {
			p99s = append(p99s, float64(p.P99NS))
		}
	}
	if len(p99s) < leastDriftSeconds {
		return reports.TrialPassed, ""
	}
	third := len(p99s) / 3
	before, after := median(p99s[:third]), median(p99s[len(p99s)-third:])
	if after > max(maxDrift*before, float64(calmP99)) {
		return reports.TrialFailed, fmt.Sprintf("the p99 of %s rose from %v in the first third to %v in the last",
			m.Name, time.Duration(before).Round(10*time.Microsecond), time.Duration(after).Round(10*time.Microsecond))
	}
	return reports.TrialPassed, ""
}

// measuredSeconds returns the whole seconds of the measured phase, from first to before end.
func measuredSeconds(load *reports.Load) (first, end int) {
	for _, p := range load.Summary.Phases {
		if p.Name == phaseMeasure {
			second := int64(time.Second)
			return int((p.StartNS + second - 1) / second), int((p.StartNS + p.DurationNS) / second)
		}
	}
	return 0, 0
}

// inFlightSlope returns by how many messages per second the messages without an answer grew in the measured phase.
func inFlightSlope(load *reports.Load) float64 {
	first, end := measuredSeconds(load)
	var inFlight []float64
	left := int64(0)
	for _, p := range load.Summary.Series {
		left += p.Sent - p.Acked
		if p.Second >= first && p.Second < end {
			inFlight = append(inFlight, float64(left))
		}
	}
	return theilSen(inFlight)
}

// maxSlopePoints bounds the work of a slope, which grows with the square of it.
const maxSlopePoints = 600

// theilSen returns the slope per step of equidistant values: the median of the slopes between all pairs, which a few
// values cannot bend. More than 600 values are thinned evenly.
func theilSen(values []float64) float64 {
	stride := (len(values) + maxSlopePoints - 1) / maxSlopePoints
	if len(values) < 2 {
		return 0
	}
	var slopes []float64
	for i := 0; i < len(values); i += stride {
		for j := i + stride; j < len(values); j += stride {
			slopes = append(slopes, (values[j]-values[i])/float64(j-i))
		}
	}
	return median(slopes)
}

// median returns the middle of the values, or the mean of the two in the middle; 0 for none. It leaves their order alone.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n%2 == 1 {
		return sorted[n/2]
	}
	return (sorted[n/2-1] + sorted[n/2]) / 2
}

// CheckScalable returns nil when the workload's rates can be scaled, and else one sentence that names the entry in the way:
// what has one rate is open and without stages.
func (w Workload) CheckScalable() error {
	w.fill()
	if w.TotalRate() <= 0 {
		return fmt.Errorf("workload %s: %w", w.Name, *bad("traffic", "no message is sent, so there is no rate to raise; add an entry with the op peer or channel"))
	}
	for i, t := range w.Traffic {
		path := fmt.Sprintf("traffic[%d]", i)
		switch {
		case t.Executor != Open:
			return fmt.Errorf("workload %s: %w", w.Name, *bad(path+".executor", "%s has no rate that can be raised; use open", t.Executor))
		case len(t.Stages) > 0:
			return fmt.Errorf("workload %s: %w", w.Name, *bad(path+".stages", "they say what the rate is and for how long; leave them out to give one rate and one length"))
		}
	}
	return nil
}

// TotalRate returns the rate of all messages together; that sessions come and go is not counted.
func (w Workload) TotalRate() Rate {
	var total Rate
	for _, t := range w.Traffic {
		if !t.Op.churns() {
			total += t.Rate
		}
	}
	return total
}

// Scaled returns the workload with all its rates multiplied by one factor, those at which sessions come and go among them,
// so that all messages together have the rate total, and with a measured phase of length. The shares of the entries stay as they are.
func (w Workload) Scaled(total Rate, length time.Duration) Workload {
	factor := total / w.TotalRate()
	w.Traffic = slices.Clone(w.Traffic)
	for i := range w.Traffic {
		// Rates stand in manifests; a thousandth of a message per second is exact enough to be read.
		w.Traffic[i].Rate = Rate(math.Round(float64(w.Traffic[i].Rate*factor)*1000) / 1000)
	}
	w.Phases.Measure = length
	return w
}
