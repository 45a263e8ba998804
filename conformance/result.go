package conformance

import (
	"strings"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// requirements sums up what was found, one row for each requirement of the catalogue.
func (j *judge) requirements(cfg *Config, env *specs.Env) []reports.RequirementResult {
	rows := make([]reports.RequirementResult, 0, len(j.catalogue.Requirements))
	for _, r := range j.catalogue.Requirements {
		row := reports.RequirementResult{
			ID: r.ID, Area: r.Area, Level: reports.Level(strings.ToUpper(string(r.Level))), Subject: string(r.Subject),
			Profile: r.Profile, Text: r.Text, Source: r.Source(),
			Provisional: r.Judged() && !cfg.frozen.Decides(r.ID), Faults: faults.Breaking(r.ID),
		}
		if r.Budget != "" && r.Budget != "members" {
			row.BudgetNS = int64(env.Within(r.Budget))
		}
		if cfg.Repeat != nil && r.Judged() {
			row.Repeat = reports.Redact(cfg.Repeat(r.ID))
		}
		j.sumUp(r, &row)
		for i := range cfg.KnownFailures {
			if known := &cfg.KnownFailures[i]; known.ID == r.ID {
				known.expect(&row)
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func (j *judge) sumUp(r *catalogue.Requirement, row *reports.RequirementResult) {
	if left, out := j.left[r.ID]; out {
		row.Verdict, row.Reason = reports.Verdict(left.Verdict), left.Reason
		return
	}
	findings := j.findings[r.ID]
	if len(findings) == 0 && (j.interrupted || j.run.Err() != nil) {
		row.Verdict, row.Reason = reports.NotSelected, interrupted
		return
	}
	if len(findings) == 0 {
		row.Verdict, row.Reason = reports.NoSpec, "no spec verifies it yet"
		return
	}
	row.Verdict = reports.Pass
	for _, found := range findings {
		row.Specs = append(row.Specs, found.Spec)
		row.DurationNS += found.Spec.DurationNS
		if worst := reports.Worst(row.Verdict, found.Spec.State); worst != row.Verdict {
			row.Verdict, row.Reason = worst, found.Reason
			row.Expected, row.Observed = found.Expected, found.Observed
		}
	}
	if differ := j.flaky(r.ID); differ != "" {
		row.Verdict, row.Reason = reports.Flaky, differ
	}
}

// profiles gives each profile its verdict, as far as it asks something of the subject.
func profiles(cat *catalogue.Catalogue, kind string, rows []reports.RequirementResult) []reports.ProfileResult {
	var results []reports.ProfileResult
	for _, profile := range cat.Profiles {
		if result := reports.NewProfile(profile.Name, kind, rows); len(result.Counts) > 0 {
			results = append(results, result)
		}
	}
	return results
}
