package reports

// Verdict is the outcome of one requirement, or of one spec of it.
type Verdict string

// The verdicts, from harmless to grave as [Worst] orders them.
const (
	// Pass says that every spec of the requirement ran and agreed.
	Pass Verdict = "pass"
	// Info says that a MAY was not met, which is allowed and never gates.
	Info Verdict = "info"
	// Undecided says that the sources disagree or leave freedom, so that the
	// suite looks but does not judge.
	Undecided Verdict = "undecided"
	// NotDeclared says that the requirement belongs to a profile that the
	// subject does not claim.
	NotDeclared Verdict = "not-declared"
	// NotSelected says that the run was told to leave the requirement out, or
	// was interrupted before reaching it.
	NotSelected Verdict = "not-selected"
	// NoSpec says that the catalogue has the requirement but no spec verifies
	// it yet. It is never counted as met.
	NoSpec Verdict = "no-spec"
	// Warn says that a SHOULD was violated. It gates in strict mode only.
	Warn Verdict = "warn"
	// KnownFail says that a MUST was violated and that the vendor had listed it
	// as known, with a reason. It fails no run, but its profile is never more
	// than partial.
	KnownFail Verdict = "known-fail"
	// Blocked says that a requirement this one needs failed, so that it could
	// not be judged. It counts as not conformant, but is no failure of its own.
	Blocked Verdict = "blocked"
	// StaleKnownFail says that the vendor listed the requirement as a known
	// failure and that it passes now, or fails in another way than listed. It
	// is a failure of the run: the list has to be corrected.
	StaleKnownFail Verdict = "stale-known-fail"
	// Flaky says that the specs disagreed between repeats of the run. It is a
	// failure of the run, because no single verdict can be believed.
	Flaky Verdict = "flaky"
	// Fail says that a MUST was violated.
	Fail Verdict = "fail"
	// Error says that the suite itself, or its environment, broke while
	// judging. It says nothing about the subject.
	Error Verdict = "error"
)

// Verdicts returns every verdict in the order of [Worst], the harmless first.
func Verdicts() []Verdict {
	return []Verdict{Pass, Info, Undecided, NotDeclared, NotSelected, NoSpec, Warn, KnownFail, Blocked, StaleKnownFail, Flaky, Fail, Error}
}

// Judged reports whether the verdict is evidence about the subject: pass,
// info, warn, known-fail, stale-known-fail, flaky and fail are, every other
// verdict means that nothing was learned.
func (v Verdict) Judged() bool {
	switch v {
	case Pass, Info, Warn, KnownFail, StaleKnownFail, Flaky, Fail:
		return true
	}
	return false
}

// fails reports whether the verdict is a failure of the run by itself.
func (v Verdict) fails() bool {
	return v == Fail || v == Flaky || v == StaleKnownFail
}

// rank orders verdicts by gravity. A word that is no verdict is graver than
// all, so that a misspelling can never turn a report green.
func (v Verdict) rank() int {
	for i, known := range Verdicts() {
		if v == known {
			return i
		}
	}
	return len(Verdicts())
}

// Worst returns the gravest of the verdicts. It returns [NoSpec] for none,
// because a requirement that nothing looked at is not met.
func Worst(verdicts ...Verdict) Verdict {
	if len(verdicts) == 0 {
		return NoSpec
	}
	worst := verdicts[0]
	for _, v := range verdicts[1:] {
		if v.rank() > worst.rank() {
			worst = v
		}
	}
	return worst
}

// Level is the force of a requirement, in the words of RFC 2119.
type Level string

// The levels of a requirement.
const (
	// Must is a requirement whose violation is a failure.
	Must Level = "MUST"
	// Should is a requirement whose violation is a warning.
	Should Level = "SHOULD"
	// May is a freedom: what the subject does is noted, never judged.
	May Level = "MAY"
)

// ProfileVerdict is the outcome of one profile, a named set of requirements.
type ProfileVerdict string

// The verdicts of a profile.
const (
	// Conformant says that every MUST of the profile passed.
	Conformant ProfileVerdict = "conformant"
	// NotConformant says that at least one MUST of the profile failed, was
	// flaky, was wrongly listed as a known failure, was blocked, or could not be
	// judged because of an error.
	NotConformant ProfileVerdict = "not conformant"
	// Partial says that nothing failed but what the vendor listed as known, and
	// that not every MUST passed.
	Partial ProfileVerdict = "partial"
	// NoEvidence says that no requirement of the profile was judged. It is
	// never green.
	NoEvidence ProfileVerdict = "no evidence"
	// ProfileNotDeclared says that the subject does not claim the profile.
	ProfileNotDeclared ProfileVerdict = "not declared"
)
