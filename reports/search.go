package reports

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"time"
)

// SearchSchema is the schema version of [Search].
const SearchSchema = "rtmkit-search/v1"

// Search is how much load a server carries: the highest rate at which every
// demand was met, and all trials that led to it. It is written as search.json.
type Search struct {
	// Schema is always [SearchSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// ToolVersion is the version of the load generator.
	ToolVersion string `json:"tool_version"`
	// Workload is the workload's name, such as "peer".
	Workload string `json:"workload"`
	// KindSHA256 is the hex SHA-256 of the workload without its rates, lengths
	// and seed.
	KindSHA256 string `json:"kind_sha256,omitempty"`
	// Target is the URL that was loaded; with a fresh server for each trial,
	// that of the last one.
	Target string `json:"target"`
	// Server is the server as it named itself at login.
	Server Identity `json:"server"`
	// Environment is the generator's machine.
	Environment Environment `json:"environment"`
	// StartedAt is when the first trial began.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when the last trial had ended.
	EndedAt time.Time `json:"ended_at"`
	// Command repeats the search. [WriteSearch] redacts tokens in it.
	Command string `json:"command,omitempty"`
	// Notes say in sentences what a reader must know, such as "all entries are
	// scaled by one factor".
	Notes []string `json:"notes,omitempty"`
	// Interrupted says that the search was cut short. The answer is then the
	// best so far.
	Interrupted bool `json:"interrupted,omitempty"`
	// Demands are what a trial has to meet, as thresholds, besides a clean
	// ledger, the offered rate, a valid run and a stationary one.
	Demands []string `json:"demands,omitempty"`
	// Metric is the metric of the latencies in Trials.
	Metric string `json:"metric"`
	// FromPerS is the lowest rate that was to be tried, in messages per second
	// over all traffic.
	FromPerS float64 `json:"from_per_s"`
	// ToPerS is the highest rate that was to be tried.
	ToPerS float64 `json:"to_per_s"`
	// Width is how narrow the interval was to become, as a share of the rate.
	Width float64 `json:"width"`
	// Answer is what was found.
	Answer SearchAnswer `json:"answer"`
	// Trials are all trials in the order in which they were made.
	Trials []SearchTrial `json:"trials,omitempty"`
}

// SearchAnswer is what a [Search] found.
type SearchAnswer struct {
	// RatePerS is the highest rate that met every demand, in messages per
	// second over all traffic; zero when none did.
	RatePerS float64 `json:"rate_per_s"`
	// FailsPerS is the lowest rate above it that did not; zero when none was
	// found.
	FailsPerS float64 `json:"fails_per_s,omitempty"`
	// Bound says who limited the rate.
	Bound SearchBound `json:"bound"`
	// Criterion says in one sentence which demand failed at FailsPerS.
	Criterion string `json:"criterion,omitempty"`
	// Confirmed says that the rate passed two trials of full length, and that a
	// tenth more did not pass.
	Confirmed bool `json:"confirmed"`
}

// SearchBound says who limited the answer of a [Search].
type SearchBound string

// The bounds.
const (
	// ServerBound says that the server did not meet a demand at FailsPerS: the
	// answer is what it carries.
	ServerBound SearchBound = "server"
	// GeneratorBound says that the generator did not keep its schedule at
	// FailsPerS: the server carries the answer, and maybe more.
	GeneratorBound SearchBound = "generator"
	// RangeBound says that the highest rate asked for was reached: the server
	// carries the answer, and maybe more.
	RangeBound SearchBound = "range"
	// UnknownBound says that the search ended before anything failed.
	UnknownBound SearchBound = "unknown"
)

// SearchBounds returns every bound.
func SearchBounds() []SearchBound {
	return []SearchBound{ServerBound, GeneratorBound, RangeBound, UnknownBound}
}

// AtLeast reports whether the server may carry more than the answer says.
func (a *SearchAnswer) AtLeast() bool { return a.Bound != ServerBound }

// SearchTrial is one trial of a [Search]: a load run at one rate.
type SearchTrial struct {
	// RatePerS is the rate that was offered, in messages per second over all
	// traffic.
	RatePerS float64 `json:"rate_per_s"`
	// LengthNS is how long it was measured, in nanoseconds.
	LengthNS int64 `json:"length_ns"`
	// Step says what the trial was for.
	Step SearchStep `json:"step"`
	// Verdict is what came of it.
	Verdict TrialVerdict `json:"verdict"`
	// Criterion says in one sentence what was not met; empty for a trial that
	// passed.
	Criterion string `json:"criterion,omitempty"`
	// Validity is the verdict on the run itself; empty when there was none.
	Validity ValidityVerdict `json:"validity,omitempty"`
	// P50NS is the median of the latency in nanoseconds.
	P50NS int64 `json:"p50_ns"`
	// P99NS is the 99th percentile of the latency in nanoseconds.
	P99NS int64 `json:"p99_ns"`
	// AchievedPerS is the rate that was sent, in messages per second.
	AchievedPerS float64 `json:"achieved_per_s"`
	// DeliveredPerS is the rate of deliveries seen by receivers.
	DeliveredPerS float64 `json:"delivered_per_s"`
	// LagP99NS is the 99th percentile of the schedule lag in nanoseconds.
	LagP99NS int64 `json:"lag_p99_ns"`
	// InFlightPerS is by how many messages per second the messages without an
	// answer grew; negative when they became fewer.
	InFlightPerS float64 `json:"in_flight_per_s"`
	// Run is the trial's run folder relative to the folder of the search, with
	// forward slashes; empty when there is none.
	Run string `json:"run,omitempty"`
}

// SearchStep says what a trial of a [Search] was for.
type SearchStep string

// The steps.
const (
	// StepGrow looks for a rate that fails.
	StepGrow SearchStep = "grow"
	// StepNarrow halves the interval.
	StepNarrow SearchStep = "narrow"
	// StepConfirm repeats the answer at full length.
	StepConfirm SearchStep = "confirm"
	// StepBeyond tries a tenth more than the answer, which must fail.
	StepBeyond SearchStep = "beyond"
)

// SearchSteps returns every step.
func SearchSteps() []SearchStep { return []SearchStep{StepGrow, StepNarrow, StepConfirm, StepBeyond} }

// TrialVerdict is what came of a trial.
type TrialVerdict string

// The verdicts of a trial.
const (
	// TrialPassed says that every demand was met.
	TrialPassed TrialVerdict = "passed"
	// TrialFailed says that the server did not meet one.
	TrialFailed TrialVerdict = "failed"
	// TrialLost says that the ledger of a valid run is not clean: a finding by
	// itself.
	TrialLost TrialVerdict = "lost"
	// TrialInvalid says that the generator did not keep its schedule, so that
	// nothing is known about the server.
	TrialInvalid TrialVerdict = "invalid"
	// TrialNoisy says the same, and that something else used the machine.
	TrialNoisy TrialVerdict = "noisy"
)

// TrialVerdicts returns every verdict of a trial.
func TrialVerdicts() []TrialVerdict {
	return []TrialVerdict{TrialPassed, TrialFailed, TrialLost, TrialInvalid, TrialNoisy}
}

// Lost reports whether a message was lost, or an equation of the ledger broken,
// in a trial whose run was valid.
func (s *Search) Lost() bool {
	return slices.ContainsFunc(s.Trials, func(t SearchTrial) bool { return t.Verdict == TrialLost })
}

// NeverValid reports whether there were trials and none of them was valid, so
// that nothing is known about the server.
func (s *Search) NeverValid() bool {
	return len(s.Trials) > 0 && !slices.ContainsFunc(s.Trials, func(t SearchTrial) bool {
		return t.Verdict != TrialInvalid && t.Verdict != TrialNoisy
	})
}

// validate reports everything in the search that a reader of this version could
// misunderstand.
func (s *Search) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Schema != SearchSchema {
		wrong("schema is %q, not %q", s.Schema, SearchSchema)
	}
	a := &s.Answer
	if !slices.Contains(SearchBounds(), a.Bound) {
		wrong("answer: unknown bound %q", a.Bound)
	}
	if a.FailsPerS > 0 && a.FailsPerS <= a.RatePerS {
		wrong("answer: %v/s passes and %v/s fails", a.RatePerS, a.FailsPerS)
	}
	if a.Confirmed && a.RatePerS <= 0 {
		wrong("answer: nothing is confirmed")
	}
	for i, t := range s.Trials {
		what := fmt.Sprintf("trials[%d]", i)
		if !slices.Contains(TrialVerdicts(), t.Verdict) {
			wrong("%s: unknown verdict %q", what, t.Verdict)
		}
		if !slices.Contains(SearchSteps(), t.Step) {
			wrong("%s: unknown step %q", what, t.Step)
		}
		if t.Validity != "" && !t.Validity.known() {
			wrong("%s: unknown validity %q", what, t.Validity)
		}
		if (t.Verdict == TrialPassed) != (t.Criterion == "") {
			wrong("%s: is %s and says that it failed by %q", what, t.Verdict, t.Criterion)
		}
		if t.RatePerS <= 0 || math.IsInf(t.RatePerS, 0) {
			wrong("%s: offers %v messages per second", what, t.RatePerS)
		}
		if t.Run != "" && !filepath.IsLocal(filepath.FromSlash(t.Run)) {
			wrong("%s: the run %q lies outside the folder", what, t.Run)
		}
	}
	return errors.Join(errs...)
}
