package loadgen

import (
	"context"
	"errors"

	"github.com/rtmkit/rtmkit/reports"
)

// Outcome is what a run comes to, for a process to end with.
type Outcome int

// The outcomes, from good to bad as [OutcomeOf] orders them.
const (
	// Passed: a valid or degraded run, every message accounted for, every threshold kept.
	Passed Outcome = iota
	// ThresholdFailed: a threshold was not kept, for instance because the server refused messages.
	ThresholdFailed
	// RunInvalid: the generator did not keep its schedule, so that the latencies describe it and not the server.
	RunInvalid
	// AccountingBreach: a message was lost, duplicated, reordered, leaked, foreign, corrupt or falsely receipted, or the
	// ledger does not balance. It counts in an invalid run too: no lateness of the generator excuses a lost message.
	AccountingBreach
	// TargetUnreachable: there was no RTM server to load.
	TargetUnreachable
	// TargetLost: the server went away while the run lasted, so that every session broke off. Whatever else is true of the
	// run follows from that.
	TargetLost
	// Unusable: the workload, the options or the credentials do not allow a run.
	Unusable
	// Interrupted: the run was cut short from outside.
	Interrupted
)

// String returns the outcome in words.
func (o Outcome) String() string {
	switch o {
	case Passed:
		return "passed"
	case ThresholdFailed:
		return "threshold failed"
	case RunInvalid:
		return "invalid run"
	case AccountingBreach:
		return "accounting breach"
	case TargetUnreachable:
		return "target unreachable"
	case TargetLost:
		return "target lost"
	case Interrupted:
		return "interrupted"
	}
	return "unusable"
}

// WorkloadError says that a workload cannot be run, or not against this server.
type WorkloadError struct {
	// Err says what is in the way and what to do.
	Err error
}

// Error returns the text of Err.
func (e *WorkloadError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *WorkloadError) Unwrap() error { return e.Err }

// OutcomeOf judges what [Run] returned.
func OutcomeOf(load *reports.Load, err error) Outcome {
	if load != nil && load.Manifest.Interrupted || errors.Is(err, context.Canceled) {
		return Interrupted
	}
	if err != nil || load == nil {
		if failure, is := errors.AsType[*Failure](err); is && failure.unreachable() {
			return TargetUnreachable
		}
		return Unusable
	}
	if load.Manifest.LostNS > 0 {
		return TargetLost
	}
	s := &load.Summary
	for _, e := range s.Equations {
		if !e.Holds {
			return AccountingBreach
		}
	}
	for _, row := range s.Ledger {
		if !row.Clean() {
			return AccountingBreach
		}
	}
	if s.Validity.Verdict == reports.Invalid {
		return RunInvalid
	}
	for _, t := range s.Thresholds {
		if !t.Holds {
			return ThresholdFailed
		}
	}
	return Passed
}
