package reports

import (
	"fmt"
	"time"
)

// SelftestSchema is the schema version of [Selftest].
const SelftestSchema = "rtmkit-selftest/v1"

// Selftest is how the suite judged subjects whose verdict was known beforehand:
// broken ones that it has to catch, odd but legal ones that it has to pass, and
// useless ones that it has to refuse. It is written as selftest.json.
type Selftest struct {
	// Schema is always [SelftestSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// SuiteVersion is the version of the suite that was tested.
	SuiteVersion string `json:"suite_version"`
	// CatalogueSHA256 is the hex SHA-256 of the requirement catalogue.
	CatalogueSHA256 string `json:"catalogue_sha256"`
	// Seed orders the specs and names the users; the same seed repeats both.
	Seed int64 `json:"seed"`
	// Workers is how many subjects were judged at the same time.
	Workers int `json:"workers"`
	// StartedAt is when the first subject was started.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when the last verdict was known.
	EndedAt time.Time `json:"ended_at"`
	// Subject is the sound subject in which the faults were planted.
	Subject Identity `json:"subject"`
	// Command repeats the selftest. [WriteSelftest] redacts tokens in it.
	Command string `json:"command,omitempty"`
	// Notes say in sentences how this selftest differed from a plain one, such
	// as "only the faults of the area peer were planted".
	Notes []string `json:"notes,omitempty"`
	// Interrupted says that the selftest was cut short. It is not trusted then.
	Interrupted bool `json:"interrupted,omitempty"`
	// Faults are the broken subjects.
	Faults []FaultResult `json:"faults,omitempty"`
	// Tolerances are the odd but legal subjects.
	Tolerances []ToleranceResult `json:"tolerances,omitempty"`
	// Harness are the subjects that cannot be judged at all.
	Harness []HarnessResult `json:"harness,omitempty"`
	// Uncovered are the ids of the judged MUSTs that no fault breaks.
	Uncovered []string `json:"uncovered,omitempty"`
}

// FaultKind says where a fault is planted.
type FaultKind string

// The kinds of faults.
const (
	// FrameFault changes the frames between a real client and a real server.
	FrameFault FaultKind = "frames"
	// LineFault changes the lines between the suite and the adapter of a
	// client.
	LineFault FaultKind = "lines"
)

// FaultOutcome says whether the suite caught a fault as a violation of one
// requirement.
type FaultOutcome string

// The outcomes of a fault, from good to bad.
const (
	// KilledByOwner says that a spec of the broken requirement failed, as it
	// has to.
	KilledByOwner FaultOutcome = "killed-by-owner"
	// KilledByOther says that only specs of other requirements failed, so that
	// a vendor would be told the wrong thing.
	KilledByOther FaultOutcome = "killed-by-other"
	// Survived says that the fault was at work and that no spec failed.
	Survived FaultOutcome = "survived"
	// NeverExercised says that no spec brought the fault to work, so that
	// nothing was proven.
	NeverExercised FaultOutcome = "never-exercised"
	// FaultError says that the suite or its surroundings broke.
	FaultError FaultOutcome = "error"
)

// FaultOutcomes returns every outcome of a fault, the good one first.
func FaultOutcomes() []FaultOutcome {
	return []FaultOutcome{KilledByOwner, KilledByOther, Survived, NeverExercised, FaultError}
}

// FaultResult is what the suite made of one planted fault.
type FaultResult struct {
	// Name is the fault's name.
	Name string `json:"name"`
	// Text says what the fault does, one sentence.
	Text string `json:"text"`
	// Subject is the side that the fault breaks: server or client.
	Subject string `json:"subject"`
	// Area is login, peer, channel, presence, attributes, invitation or
	// transport.
	Area string `json:"area"`
	// Kind says where the fault is planted.
	Kind FaultKind `json:"kind"`
	// Breaks are the ids of the requirements that the fault must break.
	Breaks []string `json:"breaks"`
	// Results are what came of it, one for each of Breaks.
	Results []BreakResult `json:"results,omitempty"`
	// Activations are how often the fault changed something.
	Activations int64 `json:"activations"`
	// DurationNS is how long the suite ran, in nanoseconds.
	DurationNS int64 `json:"duration_ns,omitempty"`
}

// Killed reports whether each requirement that the fault must break was failed
// by a spec of its own. A fault without results was not.
func (f *FaultResult) Killed() bool {
	for _, r := range f.Results {
		if r.Outcome != KilledByOwner {
			return false
		}
	}
	return len(f.Results) > 0 && len(f.Results) == len(f.Breaks)
}

// BreakResult is what a fault did to one requirement.
type BreakResult struct {
	// ID is the requirement's id.
	ID string `json:"id"`
	// Outcome says whether and by whom the fault was caught.
	Outcome FaultOutcome `json:"outcome"`
	// Killers are the ids of the requirements whose specs failed.
	Killers []string `json:"killers,omitempty"`
	// Expected is what the failed spec asked for, in plain words.
	Expected string `json:"expected,omitempty"`
	// Observed is what it saw instead, in plain words.
	Observed string `json:"observed,omitempty"`
}

// ToleranceResult is what the suite made of a subject that does something
// unusual and allowed.
type ToleranceResult struct {
	// Name is the tolerance's name.
	Name string `json:"name"`
	// Text says what the subject does, one sentence.
	Text string `json:"text"`
	// Subject is the side that does it: server or client.
	Subject string `json:"subject"`
	// Green says that the unusual thing happened and that nothing was violated.
	Green bool `json:"green"`
	// Activations are how often the unusual thing happened.
	Activations int64 `json:"activations"`
	// Violated are the ids of the requirements that the suite held violated.
	Violated []string `json:"violated,omitempty"`
	// Reason explains in one sentence why the tolerance is not green.
	Reason string `json:"reason,omitempty"`
}

// HarnessResult is how the suite ended for a subject that cannot be judged,
// such as one that dies or agrees to everything.
type HarnessResult struct {
	// Name is the case's name.
	Name string `json:"name"`
	// Text says what the subject does, one sentence.
	Text string `json:"text"`
	// WantExit is the exit code with which the suite has to end.
	WantExit int `json:"want_exit"`
	// GotExit is the exit code with which it ended.
	GotExit int `json:"got_exit"`
	// Said is what the suite said.
	Said string `json:"said,omitempty"`
}

// words says the outcome of a broken requirement as the end of a sentence.
func (o FaultOutcome) words() string {
	switch o {
	case KilledByOwner:
		return "a spec of it failed"
	case KilledByOther:
		return "only specs of other requirements failed"
	case Survived:
		return "no spec failed"
	case NeverExercised:
		return "the fault was never at work"
	}
	return "the suite or its surroundings broke"
}

// Outcomes returns how many requirements were broken with each outcome.
func (s *Selftest) Outcomes() map[FaultOutcome]int {
	counts := make(map[FaultOutcome]int)
	for i := range s.Faults {
		for _, r := range s.Faults[i].Results {
			counts[r.Outcome]++
		}
	}
	return counts
}

// Trusted reports whether the suite may be believed: it ran to its end, every
// fault was caught as a violation of the requirements it breaks, no judged MUST
// is without a fault, every tolerance is green, and every subject that cannot be
// judged was refused as it has to be. A selftest without a fault proves nothing
// and is not trusted.
func (s *Selftest) Trusted() bool { return len(s.Doubts()) == 0 }

// Doubts say why the suite is not trusted, one sentence each; none when it is.
func (s *Selftest) Doubts() []string {
	var doubts []string
	doubt := func(format string, args ...any) { doubts = append(doubts, fmt.Sprintf(format, args...)) }
	if s.Interrupted {
		doubt("The selftest was interrupted.")
	}
	if len(s.Faults) == 0 {
		doubt("No fault was planted.")
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		if f.Killed() {
			continue
		}
		if len(f.Results) < len(f.Breaks) {
			doubt("The fault %s has %d of %d outcomes.", f.Name, len(f.Results), len(f.Breaks))
		}
		for _, r := range f.Results {
			if r.Outcome != KilledByOwner {
				doubt("The fault %s breaks %s, and %s.", f.Name, r.ID, r.Outcome.words())
			}
		}
		if len(f.Breaks) == 0 {
			doubt("The fault %s breaks no requirement.", f.Name)
		}
	}
	for _, id := range s.Uncovered {
		doubt("No fault breaks %s.", id)
	}
	for _, t := range s.Tolerances {
		if !t.Green {
			doubt("The tolerance %s is not green: %s", t.Name, firstOf(sentence(t.Reason), "no reason is given."))
		}
	}
	for _, h := range s.Harness {
		if h.GotExit != h.WantExit {
			doubt("The case %s ended with exit code %d, not %d.", h.Name, h.GotExit, h.WantExit)
		}
	}
	return doubts
}
