package conformance

import (
	"errors"

	"github.com/rtmkit/rtmkit/reports"
)

// UsageError tells that a configuration makes no sense: nothing was judged and nothing can be until it is corrected.
type UsageError struct {
	// Problem is one sentence that names the field and the remedy.
	Problem string
}

// Error returns the sentence.
func (e *UsageError) Error() string { return "conformance: " + e.Problem }

// UnreachableError tells that the subject could not be judged, because there is none at the address or it does not speak
// the protocol at all.
type UnreachableError struct {
	// Server is the address that was tried.
	Server string
	// Problem is one sentence that says what is there instead and what to do.
	Problem string
	// Err is the error of the network, if there is one.
	Err error
}

// Error tells the address and the problem, without secrets.
func (e *UnreachableError) Error() string {
	return "conformance: " + reports.Redact(e.Server+": "+e.Problem)
}

// Unwrap returns the error of the network, or nil.
func (e *UnreachableError) Unwrap() error { return e.Err }

// SuiteError tells that the suite itself failed: a mistake in a spec or in the suite's code.
type SuiteError struct {
	// Problem says what went wrong.
	Problem string
}

// Error tells the problem.
func (e *SuiteError) Error() string { return "conformance: the suite is at fault: " + e.Problem }

// The exit codes of a program that judges.
const (
	// ExitConformant means that everything judged was met.
	ExitConformant = 0
	// ExitNotConformant means that a MUST was violated or blocked, or a SHOULD in strict mode.
	ExitNotConformant = 1
	// ExitUsage means that the configuration makes no sense, or selects nothing.
	ExitUsage = 2
	// ExitUnreachable means that the subject could not be judged.
	ExitUnreachable = 3
	// ExitSuite means that the suite is at fault.
	ExitSuite = 4
	// ExitInterrupted means that the run was cut short.
	ExitInterrupted = 130
)

// ExitCode returns the exit code for what [Run] returned. Green needs evidence: a result without a judged requirement is
// not conformant.
func ExitCode(result *reports.Conformance, err error) int {
	var (
		usage       *UsageError
		unreachable *UnreachableError
	)
	switch {
	case errors.As(err, &usage):
		return ExitUsage
	case errors.As(err, &unreachable):
		return ExitUnreachable
	case err != nil || result == nil:
		return ExitSuite
	}
	return result.ExitCode()
}
