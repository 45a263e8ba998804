package reports

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// StoredRun is a load run read from a folder.
type StoredRun struct {
	// Name is what the run is called in errors and on the page, such as its folder.
	Name string
	// Load is the run; its Dir is the link to its page, empty for none.
	Load *Load
}

// MaxStoredRuns is how many stored runs of a side are compared at most. The exact test
// costs the square of that, and more runs show no more.
const MaxStoredRuns = 50

// NewStoredGate compares stored runs of two builds. Rules are what is gated; with
// none given these are the server's CPU time, where every run has it, and the
// median latency of the workload's primary metric.
//
// It refuses runs of different workloads, invalid and interrupted ones, each by its
// name. The runs were not interleaved, so the difference holds whatever changed on
// the machine between them, and the gate says so.
func NewStoredGate(base, head []StoredRun, rules []GateRule) (*Gate, error) {
	all := append(slices.Clone(base), head...)
	if min(len(base), len(head)) == 0 || max(len(base), len(head)) > MaxStoredRuns {
		return nil, fmt.Errorf("reports: compare: there are %d runs of the base and %d of the head; each side needs at least one, and more than %d are not read", len(base), len(head), MaxStoredRuns)
	}
	if err := errors.Join(refuseStored(all)...); err != nil {
		return nil, err
	}
	first := &all[0].Load.Manifest
	curve := "channel.deliver"
	if slices.ContainsFunc(all[0].Load.Summary.Metrics, func(m Metric) bool { return m.Name == "peer.ack" && m.Count > 0 }) {
		curve = "peer.ack"
	}
	g := &Gate{
		Schema: GateSchema, ToolVersion: first.ToolVersion, StartedAt: first.StartedAt, EndedAt: first.EndedAt,
		Environment: head[0].Load.Manifest.Environment, Workload: first.Name, WorkloadSHA256: first.WorkloadSHA256,
		Base: GateServer{namesOf(base), base[0].Load.Manifest.Server}, Head: GateServer{namesOf(head), head[0].Load.Manifest.Server},
		Plan: GatePlan{Alpha: GateAlpha}, Curve: curve,
		Notes: []string{"These are stored runs, not interleaved ones: whatever changed on the machine between the sides is in the difference too."},
	}
	for i, run := range all {
		side := BaseSide
		if i >= len(base) {
			side = HeadSide
		}
		r := NewGateRun(run.Load, side, curve)
		r.Name = run.Name
		g.Runs = append(g.Runs, r)
		m := &run.Load.Manifest
		if m.StartedAt.Before(g.StartedAt) {
			g.StartedAt = m.StartedAt
		}
		if m.EndedAt.After(g.EndedAt) {
			g.EndedAt = m.EndedAt
		}
	}
	g.warnStored(all)
	if g.Plan.Rules = rules; rules == nil {
		g.Plan.Rules = g.standardRules()
	}
	g.Judge()
	return g, nil
}

// standardRules are what is gated where nobody says otherwise.
func (g *Gate) standardRules() []GateRule {
	var rules []GateRule
	if g.missing(ServerCPU) == "" {
		rules = append(rules, GateRule{ServerCPU, CPUMargin})
	} else {
		g.Notes = append(g.Notes, "The CPU time of the server was not observed in every run and is not gated.")
	}
	return append(rules, GateRule{g.Curve + ".p50", LatencyMargin})
}

func refuseStored(all []StoredRun) []error {
	var errs []error
	first := all[0]
	for _, run := range all {
		m, v := &run.Load.Manifest, &run.Load.Summary.Validity
		switch {
		case m.WorkloadSHA256 != first.Load.Manifest.WorkloadSHA256:
			errs = append(errs, fmt.Errorf("reports: compare: %s has another workload than %s, so their numbers measure different things", run.Name, first.Name))
		case m.Interrupted:
			errs = append(errs, fmt.Errorf("reports: compare: %s was interrupted; leave it out", run.Name))
		case m.LostNS > 0:
			errs = append(errs, fmt.Errorf("reports: compare: %s lost its server after %s; leave it out", run.Name, formatNS(m.LostNS)))
		case v.Verdict == Invalid:
			errs = append(errs, fmt.Errorf("reports: compare: %s is invalid (%s); leave it out or repeat it", run.Name, strings.Join(v.Reasons, "; ")))
		}
	}
	return errs
}

// warnStored notes what else differs between the runs.
func (g *Gate) warnStored(all []StoredRun) {
	differ := func(what string, of func(*Manifest) string) {
		seen := make(map[string]bool)
		var values []string
		for _, run := range all {
			if v := firstOf(of(&run.Load.Manifest), "unknown"); !seen[v] {
				seen[v] = true
				values = append(values, v)
			}
		}
		if len(values) > 1 {
			g.Notes = append(g.Notes, fmt.Sprintf("The %s differs between the runs: %s.", what, strings.Join(values, " against ")))
		}
	}
	differ("machine", func(m *Manifest) string { return describe(m.Environment) })
	differ("rtmkit version", func(m *Manifest) string { return m.ToolVersion })
}

// namesOf lists a few runs by name.
func namesOf(runs []StoredRun) string {
	const most = 3
	var names []string
	for _, r := range runs[:min(len(runs), most)] {
		names = append(names, r.Name)
	}
	if more := len(runs) - most; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}
