package loadgen

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/rtmkit/rtmkit/reports"
)

// KindSHA256 returns the hex SHA-256 of what decides how much work one message of the workload is: sessions, channels,
// operations, arrivals and payloads. Name, seed, rates and lengths are left out, so that all runs that can be set beside
// one floor have the same sum.
func (w Workload) KindSHA256() (string, error) {
	w.Name, w.Seed, w.Phases, w.Limits = "", 0, Phases{}, Limits{}
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
