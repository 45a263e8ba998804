package conformance

import (
	"strings"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
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
		}
		if r.Budget != "" && r.Budget != "members" {
			row.BudgetNS = int64(env.Within(r.Budget))
		}
		if cfg.Repeat != nil && r.Judged() {
			row.Repeat = cfg.Repeat(r.ID)
		}
		j.sumUp(r, &row)
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
}

// profiles gives each profile its verdict.
func profiles(cat *catalogue.Catalogue, rows []reports.RequirementResult) []reports.ProfileResult {
	results := make([]reports.ProfileResult, len(cat.Profiles))
	for i, profile := range cat.Profiles {
		results[i] = reports.ProfileResult{Name: profile.Name, Counts: make(map[reports.Verdict]int)}
		musts := make(map[reports.Verdict]int)
		for _, row := range rows {
			if row.Profile != profile.Name {
				continue
			}
			results[i].Counts[row.Verdict]++
			if row.Level == reports.Must || row.Verdict == reports.Fail {
				musts[row.Verdict]++
			}
		}
		results[i].Verdict = profileVerdict(results[i].Counts, musts)
	}
	return results
}

func profileVerdict(all, musts map[reports.Verdict]int) reports.ProfileVerdict {
	judged, rows := 0, 0
	for verdict, count := range all {
		rows += count
		if verdict.Judged() {
			judged += count
		}
	}
	switch {
	case musts[reports.Fail]+musts[reports.Blocked]+musts[reports.Error] > 0:
		return reports.NotConformant
	case rows > 0 && rows == all[reports.NotDeclared]+all[reports.Undecided]:
		return reports.ProfileNotDeclared
	case judged == 0:
		return reports.NoEvidence
	case musts[reports.NotSelected]+musts[reports.NoSpec] > 0:
		return reports.Partial
	}
	return reports.Conformant
}
