package loadgen

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// KindSHA256 returns the hex SHA-256 of what decides how much work one message of the workload is: sessions, channels,
// operations, arrivals and payloads. Name, seed, rates, lengths and thresholds are left out, so that all runs that can be set beside
// one floor have the same sum.
func (w Workload) KindSHA256() (string, error) {
	w.Name, w.Seed, w.Phases, w.Limits, w.Thresholds = "", 0, Phases{}, Limits{}, nil
	w.Sessions.UID, w.Sessions.Rate, w.Sessions.JoinRate = "", 0, 0
	w.Traffic = slices.Clone(w.Traffic)
	for i := range w.Traffic {
		w.Traffic[i].Rate, w.Traffic[i].Stages = 0, nil
	}
	text, err := w.YAML()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// FloorLevel returns what a run against a null server says about the floor at its rate.
func FloorLevel(load *reports.Load) reports.FloorLevel {
	s := &load.Summary
	level := reports.FloorLevel{
		OfferedPerS: s.OfferedPerS, AchievedPerS: s.AchievedPerS, Validity: s.Validity.Verdict, LagP99NS: s.Health.LagP99NS,
	}
	var sent, delivered int64
	for _, p := range s.Phases {
		if p.Name == phaseMeasure {
			sent = p.Scheduled
		}
	}
	for _, m := range s.Metrics {
		if m.Name == metricPeerDeliver.String() || m.Name == metricChannelDeliver.String() {
			delivered += m.Count
		}
		m.Series, m.Heat = nil, nil // of seconds that are gone
		level.Metrics = append(level.Metrics, m)
	}
	if sent > 0 {
		level.GeneratorCPUPerMessageNS = float64(s.Health.GeneratorCPUNS) / float64(sent)
	}
	if delivered > 0 {
		level.GeneratorCPUPerDeliveryNS = float64(s.Health.GeneratorCPUNS) / float64(delivered)
	}
	return level
}

// leastAboveFloor is how many times the floor a limit has to be for a run to tell whether the server kept it. Below, the
// generator and the machine decide.
const leastAboveFloor = 3

// CheckFloor returns nil when every latency that the workload's thresholds bound from above can be measured on the host of
// the floor, at the workload's rate, and else one sentence about the first that is tighter than three times the floor.
// The schedule lag is the generator's own, and any limit of it is allowed.
func (w Workload) CheckFloor(f *reports.Floor) error {
	level := f.At(float64(w.TotalRate()))
	if level == nil {
		return nil
	}
	for i, t := range w.Thresholds {
		e := &t.Expr
		q := e.quantity()
		if q == nil || !q.latency || q.metric == metricLag || e.is != "<" && e.is != "<=" {
			continue
		}
		m := level.Metric(q.metric.String())
		if m == nil {
			continue
		}
		if least := floorOf(m, e); e.unit() == unitDuration && e.value < leastAboveFloor*least {
			return fmt.Errorf("workload %s: %w", w.Name, *bad(fmt.Sprintf("thresholds[%d]", i),
				"%v cannot be measured on this host: without a server worth the name it is %v at %.0f/s, and a limit has to be three times that; loosen it, or calibrate on a quieter machine",
				e, time.Duration(least).Round(time.Microsecond), level.OfferedPerS))
		}
	}
	return nil
}

// floorOf returns the statistic of a floor's metric that a limit is about, in nanoseconds.
func floorOf(m *reports.Metric, e *Limit) float64 {
	switch e.stat {
	case statMin:
		return float64(m.MinNS)
	case statMean:
		return float64(m.MeanNS)
	case statMax:
		return float64(m.MaxNS)
	}
	p, _ := e.percentile()
	for i, q := range quantiles {
		if p == q {
			return float64([]int64{m.P50NS, m.P90NS, m.P99NS, m.P999NS, m.P9999NS}[i])
		}
	}
	for _, point := range m.Curve {
		if point.Percentile >= p {
			return float64(point.ValueNS)
		}
	}
	return float64(m.MaxNS)
}
