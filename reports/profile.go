package reports

import "slices"

// NewProfile returns the verdict of the profile with this name from the rows of
// a result, whatever other profiles are among them. The kind is that of the
// subject: what binds a server decides nothing about a client, and the other way
// round; a pair is bound by both.
//
// Only a MUST decides, and a SHOULD that a strict run made a failure. A
// provisional requirement is counted and decides nothing. A profile of which
// nothing was judged is never more than [NoEvidence].
func NewProfile(name, kind string, rows []RequirementResult) ProfileResult {
	p := ProfileResult{Name: name, Counts: make(map[Verdict]int)}
	deciding, musts := make(map[Verdict]int), make(map[Verdict]int)
	count, judged := 0, 0
	for i := range rows {
		q := &rows[i]
		if q.Profile != name || !binds(q.Subject, kind) {
			continue
		}
		p.Counts[q.Verdict]++
		if q.Provisional {
			continue
		}
		count++
		deciding[q.Verdict]++
		if q.Verdict.Judged() {
			judged++
		}
		if q.Level == Must || q.Verdict.fails() {
			musts[q.Verdict]++
		}
	}
	switch {
	case musts[Fail]+musts[Flaky]+musts[StaleKnownFail]+musts[Blocked]+musts[Error] > 0:
		p.Verdict = NotConformant
	case count > 0 && count == deciding[NotDeclared]+deciding[Undecided]:
		p.Verdict = ProfileNotDeclared
	case judged == 0:
		p.Verdict = NoEvidence
	case musts[NotSelected]+musts[NoSpec]+musts[KnownFail] > 0:
		p.Verdict = Partial
	default:
		p.Verdict = Conformant
	}
	return p
}

// binds tells whether a requirement for one kind of subject binds another kind.
func binds(required, kind string) bool { return required == kind || kind == "pair" || kind == "" }

// ExitCode returns the exit code that follows from the rows: 130 when the run
// was interrupted, 4 when the suite broke, 1 when a requirement failed, was flaky,
// wrongly listed as a known failure or blocked, when nothing was judged, or when
// a profile is partial in a strict run, and 0 otherwise. Provisional requirements
// decide nothing.
func (c *Conformance) ExitCode() int {
	counts := make(map[Verdict]int)
	judged, failed := 0, 0
	for i := range c.Requirements {
		q := &c.Requirements[i]
		if q.Provisional {
			continue
		}
		counts[q.Verdict]++
		if q.Verdict.Judged() {
			judged++
		}
		if q.Verdict.fails() {
			failed++
		}
	}
	partial := slices.ContainsFunc(c.Profiles, func(p ProfileResult) bool { return p.Verdict == Partial })
	switch {
	case c.Interrupted:
		return 130
	case counts[Error] > 0:
		return 4
	case failed+counts[Blocked] > 0 || judged == 0 || c.Strict && partial:
		return 1
	}
	return 0
}
