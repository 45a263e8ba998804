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
	// Blocked says that a requirement this one needs failed, so that it could
	// not be judged. It counts as not conformant, but is no failure of its own.
	Blocked Verdict = "blocked"
	// Fail says that a MUST was violated.
	Fail Verdict = "fail"
	// Error says that the suite itself, or its environment, broke while
	// judging. It says nothing about the subject.
	Error Verdict = "error"
)

// Verdicts returns every verdict in the order of [Worst], the harmless first.
func Verdicts() []Verdict {
	return []Verdict{Pass, Info, Undecided, NotDeclared, NotSelected, NoSpec, Warn, Blocked, Fail, Error}
}

// Judged reports whether the verdict is evidence about the subject: pass,
// info, warn and fail are, every other verdict means that nothing was learned.
func (v Verdict) Judged() bool {
	return v == Pass || v == Info || v == Warn || v == Fail
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
	// blocked or could not be judged because of an error.
	NotConformant ProfileVerdict = "not conformant"
	// Partial says that nothing failed, but not every MUST was judged.
	Partial ProfileVerdict = "partial"
	// NoEvidence says that no requirement of the profile was judged. It is
	// never green.
	NoEvidence ProfileVerdict = "no evidence"
	// ProfileNotDeclared says that the subject does not claim the profile.
	ProfileNotDeclared ProfileVerdict = "not declared"
)
