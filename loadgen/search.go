package loadgen

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// Searcher looks for the highest rate at which a trial passes. It knows neither time nor servers: a trial is a function.
type Searcher struct {
	// From and To are the lowest and the highest rate that are tried, in messages per second.
	From, To float64
	// Width is how narrow the interval between a rate that passes and one that fails has to become, as a share of the
	// rate; 0 means 0.03, and less than 0.005 means that.
	Width float64
	// Short is the length of the first trials, and Full that of the last ones; trials grow from one to the other while
	// the interval narrows.
	Short, Full time.Duration
	// MaxTrials bounds the trials; 0 means 40.
	MaxTrials int
	// Unconfirmed leaves out the trials of full length at the end.
	Unconfirmed bool
	// Trial plays one trial. An error ends the search.
	Trial func(ctx context.Context, step reports.SearchStep, rate float64, length time.Duration) (TrialResult, error)
}

// TrialResult is what a [Searcher] needs to know of a trial.
type TrialResult struct {
	// Verdict is what came of it.
	Verdict reports.TrialVerdict
	// Criterion says in one sentence what was not met.
	Criterion string
}

func (r TrialResult) passed() bool { return r.Verdict == reports.TrialPassed }

const (
	defaultWidth     = 0.03
	leastWidth       = 0.005
	defaultMaxTrials = 40
	beyondAnswer     = 1.1 // a tenth more than the answer must fail
	growFast         = 2.0
	growAgain        = 1.25 // the first step above an answer that turned out too low
	longer           = 1.5  // from one step of narrowing to the next
)

// errSpent ends a search whose trials are used up.
var errSpent = errors.New("no trial is left")

// Search returns the highest rate at which trials pass.
//
// It doubles the rate from From until a trial fails, then halves the interval on a logarithmic scale until it is narrow
// enough, and then confirms: two trials of full length have to pass at the answer, and one at a tenth more has to fail.
// When they do not, the search goes on from what they taught. A failure is believed when it comes twice, because a
// machine has bad moments, and three times when something else used the machine; a lost message is believed at once. One
// trial that passes is believed, since a capacity cannot be exceeded by luck for the length of a trial.
//
// The error is that of a trial, or of ctx; what was found until then is returned with it.
func (s Searcher) Search(ctx context.Context) (reports.SearchAnswer, error) {
	if s.Width <= 0 {
		s.Width = defaultWidth
	}
	s.Width = max(s.Width, leastWidth)
	if s.MaxTrials <= 0 {
		s.MaxTrials = defaultMaxTrials
	}
	q := &quest{Searcher: s, ctx: ctx, length: s.Short}
	err := q.run()
	if errors.Is(err, errSpent) {
		err = nil
	}
	return q.answer(), err
}

// quest is a search on its way.
type quest struct {
	Searcher
	ctx    context.Context
	made   int
	length time.Duration // of the next trial of narrowing

	passed    []float64 // ascending; all below fails
	fails     float64   // the lowest rate believed to fail; 0 for none
	why       TrialResult
	confirmed bool
}

func (q *quest) run() error {
	if err := q.grow(q.From); err != nil {
		return err
	}
	for {
		if err := q.narrow(); err != nil || len(q.passed) == 0 || q.Unconfirmed {
			return err
		}
		done, err := q.confirm()
		if err != nil || done {
			q.confirmed = done && len(q.passed) > 0
			return err
		}
	}
}

// low returns the highest rate that passes; 0 for none.
func (q *quest) low() float64 {
	if len(q.passed) == 0 {
		return 0
	}
	return q.passed[len(q.passed)-1]
}

// grow raises the rate until it fails or has come to the end of the range.
func (q *quest) grow(rate float64) error {
	for {
		rate = min(rate, q.To)
		ok, err := q.ask(reports.StepGrow, rate, q.Short)
		if err != nil || !ok || rate >= q.To {
			return err
		}
		rate *= growFast
	}
}

// narrow halves the interval between what passes and what fails until it is narrow enough.
func (q *quest) narrow() error {
	for q.fails > 0 && len(q.passed) > 0 && q.fails/q.low() > 1+q.Width {
		if _, err := q.ask(reports.StepNarrow, readable(math.Sqrt(q.low()*q.fails)), q.length); err != nil {
			return err
		}
		q.length = min(time.Duration(float64(q.length)*longer), q.Full)
	}
	return nil
}

// readable rounds a rate to four digits, which is finer than any interval.
func readable(rate float64) float64 {
	digit := math.Pow10(int(math.Floor(math.Log10(rate))) - 3)
	return math.Round(rate/digit) * digit
}

// confirm repeats the answer at full length and tries a tenth more. It reports whether both ended as they have to; else
// what is known has changed.
func (q *quest) confirm() (done bool, err error) {
	answer := q.low()
	for range 2 {
		ok, err := q.ask(reports.StepConfirm, answer, q.Full)
		if err != nil {
			return false, err
		}
		if !ok {
			q.length = q.Full
			return false, q.descend(answer)
		}
	}
	beyond := min(readable(answer*beyondAnswer), q.To)
	if beyond <= answer {
		return true, nil
	}
	ok, err := q.ask(reports.StepBeyond, beyond, q.Full)
	if err != nil || !ok {
		return err == nil, err
	}
	if q.fails > 0 || beyond >= q.To {
		return false, nil
	}
	q.length = q.Short
	return false, q.grow(readable(beyond * growAgain))
}

// descend looks for a rate that passes below one that does not any more, when none is left.
func (q *quest) descend(rate float64) error {
	for len(q.passed) == 0 && rate > q.From {
		rate = max(rate/growFast, q.From)
		if _, err := q.ask(reports.StepNarrow, rate, q.length); err != nil {
			return err
		}
	}
	return nil
}

// ask plays a trial, again when it fails in a way that could be chance, and notes what is believed.
func (q *quest) ask(step reports.SearchStep, rate float64, length time.Duration) (ok bool, err error) {
	result, err := q.play(step, rate, length)
	for tries := 1; err == nil && tries < patience(step, result); tries++ {
		result, err = q.play(step, rate, length)
	}
	if err != nil {
		return false, err
	}
	if result.passed() {
		// What has passed at full length is believed against an earlier failure.
		if q.fails <= rate {
			q.fails, q.why = 0, TrialResult{}
		}
		if rate > q.low() {
			q.passed = append(q.passed, rate)
		}
		return true, nil
	}
	for len(q.passed) > 0 && q.low() >= rate {
		q.passed = q.passed[:len(q.passed)-1]
	}
	if q.fails == 0 || rate < q.fails {
		q.fails, q.why = rate, result
	}
	return false, nil
}

// patience returns how often a trial has to end like this to be believed.
func patience(step reports.SearchStep, r TrialResult) int {
	switch r.Verdict {
	case reports.TrialPassed, reports.TrialLost:
		return 1
	case reports.TrialNoisy:
		return 3 // it says nothing, and the machine may be quiet in a moment
	}
	if step == reports.StepBeyond {
		return 1 // it is what is expected there
	}
	return 2
}

func (q *quest) play(step reports.SearchStep, rate float64, length time.Duration) (TrialResult, error) {
	if err := q.ctx.Err(); err != nil {
		return TrialResult{}, err
	}
	if q.made == q.MaxTrials {
		return TrialResult{}, errSpent
	}
	q.made++
	return q.Trial(q.ctx, step, rate, length)
}

func (q *quest) answer() reports.SearchAnswer {
	a := reports.SearchAnswer{RatePerS: q.low(), FailsPerS: q.fails, Criterion: q.why.Criterion, Confirmed: q.confirmed, Bound: reports.ServerBound}
	switch {
	case q.fails == 0 && a.RatePerS >= q.To:
		a.Bound = reports.RangeBound
	case q.fails == 0:
		a.Bound = reports.UnknownBound
	case q.why.Verdict == reports.TrialInvalid || q.why.Verdict == reports.TrialNoisy:
		a.Bound = reports.GeneratorBound
	}
	return a
}
