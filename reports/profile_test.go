package reports

import (
	"strings"
	"testing"
)

func TestAProfileConformsOnlyWhenEveryMustPassed(t *testing.T) {
	row := func(level Level, v Verdict) RequirementResult {
		return RequirementResult{ID: "RTM-X-001", Profile: "core", Level: level, Verdict: v}
	}
	provisional := func(v Verdict) RequirementResult {
		q := row(Must, v)
		q.Provisional = true
		return q
	}
	pass := row(Must, Pass)
	for name, tt := range map[string]struct {
		rows []RequirementResult
		want ProfileVerdict
	}{
		"all pass":                  {[]RequirementResult{pass, pass}, Conformant},
		"a warning":                 {[]RequirementResult{pass, row(Should, Warn)}, Conformant},
		"a note":                    {[]RequirementResult{pass, row(May, Info)}, Conformant},
		"a failure":                 {[]RequirementResult{pass, row(Must, Fail)}, NotConformant},
		"a failed SHOULD of strict": {[]RequirementResult{pass, row(Should, Fail)}, NotConformant},
		"flaky":                     {[]RequirementResult{pass, row(Must, Flaky)}, NotConformant},
		"a flaky SHOULD":            {[]RequirementResult{pass, row(Should, Flaky)}, NotConformant},
		"stale":                     {[]RequirementResult{pass, row(Must, StaleKnownFail)}, NotConformant},
		"blocked":                   {[]RequirementResult{pass, row(Must, Blocked)}, NotConformant},
		"a blocked SHOULD":          {[]RequirementResult{pass, row(Should, Blocked)}, Conformant},
		"an error":                  {[]RequirementResult{pass, row(Must, Error)}, NotConformant},
		"a known failure":           {[]RequirementResult{pass, row(Must, KnownFail)}, Partial},
		"left out":                  {[]RequirementResult{pass, row(Must, NotSelected)}, Partial},
		"without spec":              {[]RequirementResult{pass, row(Must, NoSpec)}, Partial},
		"not declared":              {[]RequirementResult{row(Must, NotDeclared), row(May, Undecided)}, ProfileNotDeclared},
		"nothing judged":            {[]RequirementResult{row(Must, NotSelected)}, NoEvidence},
		"no row":                    {nil, NoEvidence},
		"a provisional failure":     {[]RequirementResult{pass, provisional(Fail)}, Conformant},
		"only provisional":          {[]RequirementResult{provisional(Pass)}, NoEvidence},
		"known and failed":          {[]RequirementResult{row(Must, KnownFail), row(Must, Fail)}, NotConformant},
	} {
		elsewhere := row(Must, Fail)
		elsewhere.Profile = "other"
		got := NewProfile("core", "pair", append(tt.rows, elsewhere))
		if got.Verdict != tt.want {
			t.Errorf("%s: %s, want %s", name, got.Verdict, tt.want)
		}
		sum := 0
		for _, n := range got.Counts {
			sum += n
		}
		if sum != len(tt.rows) {
			t.Errorf("%s: %d requirements are counted, want %d", name, sum, len(tt.rows))
		}
	}
}

func TestARequirementThatContradictsItselfIsRefused(t *testing.T) {
	known := &KnownFailure{Reason: "no cap yet", Until: "2026-12-31"}
	for want, spoil := range map[string]func(*RequirementResult){
		"no entry of a known failure":  func(q *RequirementResult) { q.Verdict = KnownFail },
		"there is no entry":            func(q *RequirementResult) { q.Verdict = StaleKnownFail },
		"has no reason":                func(q *RequirementResult) { q.KnownFailure = &KnownFailure{Reason: " "} },
		"no day like":                  func(q *RequirementResult) { q.KnownFailure = &KnownFailure{Reason: "x", Until: "2026-13-01"} },
		`not "wire/RTM-LOGIN-001.json`: func(q *RequirementResult) { q.Wire, q.WireSHA256 = "../x", strings.Repeat("0", 64) },
		"its SHA-256 go together":      func(q *RequirementResult) { q.WireSHA256 = strings.Repeat("0", 64) },
		"letters, digits and hyphens":  func(q *RequirementResult) { q.ID = "../RTM" },
	} {
		c := passingConformance()
		spoil(&c.Requirements[0])
		if err := c.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	c := passingConformance()
	c.Requirements[0].Verdict, c.Requirements[0].KnownFailure = KnownFail, known
	if err := c.validate(); err != nil {
		t.Error(err)
	}
}

func TestTheExitCodeFollowsFromTheRows(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*Conformance)
		want  int
	}{
		"green":                 {func(*Conformance) {}, 0},
		"a failure":             {func(c *Conformance) { c.Requirements[0].Verdict = Fail }, 1},
		"flaky":                 {func(c *Conformance) { c.Requirements[0].Verdict = Flaky }, 1},
		"stale":                 {func(c *Conformance) { c.Requirements[0].Verdict = StaleKnownFail }, 1},
		"blocked":               {func(c *Conformance) { c.Requirements[0].Verdict = Blocked }, 1},
		"known":                 {func(c *Conformance) { c.Requirements[0].Verdict = KnownFail }, 0},
		"a warning":             {func(c *Conformance) { c.Requirements[0].Verdict = Warn }, 0},
		"an error":              {func(c *Conformance) { c.Requirements[0].Verdict, c.Requirements[1].Verdict = Fail, Error }, 4},
		"an interruption":       {func(c *Conformance) { c.Requirements[0].Verdict, c.Interrupted = Fail, true }, 130},
		"nothing judged":        {func(c *Conformance) { c.Requirements = c.Requirements[:0] }, 1},
		"a provisional failure": {func(c *Conformance) { c.Requirements[0].Verdict, c.Requirements[0].Provisional = Fail, true }, 0},
		"partial":               {func(c *Conformance) { c.Profiles[0].Verdict = Partial }, 0},
		"partial, strict":       {func(c *Conformance) { c.Profiles[0].Verdict, c.Strict = Partial, true }, 1},
	} {
		c := passingConformance()
		tt.spoil(c)
		if got := c.ExitCode(); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
}
