package loadgen

import (
	"fmt"
	"slices"

	"github.com/rtmkit/rtmkit/reports"
)

// worst returns the verdict on a run of several parts: that of its least valid part, with the reasons of all.
func worst(parts []reports.ShardPart) (v reports.Validity) {
	order := []reports.ValidityVerdict{reports.Valid, reports.Degraded, reports.Invalid}
	v.Verdict = reports.Valid
	for _, p := range parts {
		if slices.Index(order, p.Validity.Verdict) > slices.Index(order, v.Verdict) {
			v.Verdict, v.Attribution = p.Validity.Verdict, p.Validity.Attribution
		}
		for _, reason := range p.Validity.Reasons {
			v.Reasons = append(v.Reasons, fmt.Sprintf("shard %d: %s", p.Shard.Index, reason))
		}
	}
	return v
}

// together adds up the generators of a run of several parts: their CPU time and what they had under way. What is no
// amount, a share or a quantile, is that of the part that is worst off, and so is the server, because no part says which
// machine another one looks at. The lag is that of the whole run; what else is known of each part stands in the manifest.
func together(parts []reports.ShardPart, whole reports.Health, delivered int64) reports.Health {
	h := reports.Health{LagP50NS: whole.LagP50NS, LagP99NS: whole.LagP99NS, LagMaxNS: whole.LagMaxNS, LagLimitNS: whole.LagLimitNS}
	for _, p := range parts {
		h.GridOverruns += p.Health.GridOverruns
		h.InFlightMax += p.Health.InFlightMax
		h.GeneratorCores += p.Health.GeneratorCores
		h.GeneratorCPUNS += p.Health.GeneratorCPUNS
		h.GeneratorCPUShare = max(h.GeneratorCPUShare, p.Health.GeneratorCPUShare)
		h.GeneratorGCPauseMaxNS = max(h.GeneratorGCPauseMaxNS, p.Health.GeneratorGCPauseMaxNS)
		h.CPUPressureShare = max(h.CPUPressureShare, p.Health.CPUPressureShare)
		h.StealShare = max(h.StealShare, p.Health.StealShare)
		h.ServerRSSBytes = max(h.ServerRSSBytes, p.Health.ServerRSSBytes)
		if p.Health.ServerCPUNS > h.ServerCPUNS {
			h.ServerCPUNS, h.ServerCPUBy = p.Health.ServerCPUNS, p.Health.ServerCPUBy
		}
	}
	if delivered > 0 {
		h.ServerCPUPerMessageNS = float64(h.ServerCPUNS) / float64(delivered)
	}
	return h
}

// partOf describes a part for the manifest of the merged run.
func partOf(m *reports.Manifest, s *reports.Summary) reports.ShardPart {
	health := s.Health
	health.Series = nil // it stays in the part's health.csv
	return reports.ShardPart{
		Shard: *m.Shard, Environment: m.Environment, Pacer: m.Pacer, StartedAt: m.StartedAt, EndedAt: m.EndedAt,
		Interrupted: m.Interrupted, Validity: s.Validity, Health: health,
	}
}
