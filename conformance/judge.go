package conformance

import (
	"context"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2/types"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// judge decides for each spec whether it runs, hears what it found, and sums the findings up per requirement.
type judge struct {
	*selection

	run    context.Context
	strict bool

	mu       sync.Mutex
	findings map[string][]finding
	done     int
	// interrupted tells that a signal ended a spec.
	interrupted bool
}

// interrupted is the reason of what a run did not reach.
const interrupted = "the run was interrupted"

// finding is what one spec found about one requirement.
type finding struct {
	spec     reports.SpecResult
	failure  specs.Failure
	reason   string
	duration time.Duration
}

func newJudge(ctx context.Context, chosen *selection, strict bool) *judge {
	return &judge{selection: chosen, run: ctx, strict: strict, findings: make(map[string][]finding)}
}

// gate tells why a spec with these ids is not to run, or nil. A spec runs when one of its requirements is wanted.
func (j *judge) gate(ids []string) *specs.Skipped {
	if j.run.Err() != nil {
		return &specs.Skipped{Verdict: string(reports.NotSelected), Reason: interrupted}
	}
	var reason *specs.Skipped
	for _, id := range ids {
		left, out := j.left[id]
		if !out {
			reason = nil
			break
		}
		reason = &left
	}
	if reason != nil {
		return reason
	}
	for _, id := range ids {
		if need := j.blockedBy(id); need != "" {
			return &specs.Skipped{Verdict: string(reports.Blocked), Reason: fmt.Sprintf("it needs %s, which was not met", need)}
		}
	}
	return nil
}

// blockedBy returns a requirement that failed or is blocked itself and that id cannot be judged without, or "".
func (j *judge) blockedBy(id string) string {
	for _, need := range j.catalogue.Get(id).Needs {
		switch j.verdict(need) {
		case reports.Fail, reports.Warn, reports.Info, reports.Blocked, reports.Error:
			return need
		}
		if deeper := j.blockedBy(need); deeper != "" {
			return deeper
		}
	}
	return ""
}

func (j *judge) verdict(id string) reports.Verdict {
	j.mu.Lock()
	defer j.mu.Unlock()
	var verdicts []reports.Verdict
	for _, finding := range j.findings[id] {
		verdicts = append(verdicts, finding.spec.State)
	}
	return reports.Worst(verdicts...)
}

// hear takes the report of a spec, and tells of the progress if the spec ran or was blocked.
func (j *judge) hear(report types.SpecReport, tell func(Progress), total int) {
	ids := specs.IDs(report.Labels())
	worst := reports.Pass
	for _, id := range ids {
		found := j.find(j.catalogue.Get(id), report)
		worst = reports.Worst(worst, found.spec.State)
		j.mu.Lock()
		j.findings[id] = append(j.findings[id], found)
		j.mu.Unlock()
	}
	if report.State == types.SpecStateInterrupted {
		// Ginkgo listens for signals too, whether or not the caller does.
		j.interrupted = true
	}
	if worst == reports.NotSelected || worst == reports.NotDeclared || worst == reports.Undecided {
		return
	}
	j.done++
	if tell != nil {
		tell(Progress{Done: j.done, Total: max(total, j.done), IDs: ids, Spec: specName(report), Verdict: worst})
	}
}

func (j *judge) find(r *catalogue.Requirement, report types.SpecReport) finding {
	found := finding{
		duration: report.RunTime,
		spec: reports.SpecResult{
			Name:       specName(report),
			Location:   location(report.LeafNodeLocation),
			DurationNS: int64(report.RunTime),
		},
	}
	var skipped *specs.Skipped
	for _, entry := range report.ReportEntries {
		switch value := entry.GetRawValue().(type) {
		case specs.Failure:
			found.failure = specs.Failure{Expected: reports.Redact(value.Expected), Observed: reports.Redact(value.Observed)}
		case specs.Skipped:
			skipped = &value
		case []probe.Frame:
			found.spec.Frames = frames(value, report.StartTime)
		}
	}
	switch {
	case report.State == types.SpecStatePassed:
		found.spec.State = reports.Pass
	case report.State == types.SpecStateFailed:
		found.spec.State = j.violation(r.Level)
		found.spec.Message = fmt.Sprintf("expected %s; observed %s", found.failure.Expected, found.failure.Observed)
		if found.failure == (specs.Failure{}) {
			found.spec.State, found.reason = reports.Error, "the spec failed without saying what it observed: "+report.FailureMessage()
		}
	case skipped != nil:
		found.spec.State, found.reason = reports.Verdict(skipped.Verdict), skipped.Reason
	case report.State == types.SpecStateSkipped, report.State == types.SpecStateInterrupted, report.State == types.SpecStatePending:
		found.spec.State, found.reason = reports.NotSelected, interrupted
	default:
		found.spec.State = reports.Error
		found.reason = fmt.Sprintf("the spec %s: %s %s", report.State, report.FailureMessage(), report.Failure.ForwardedPanic)
	}
	if found.reason != "" && found.spec.State != reports.Pass {
		found.spec.Message = found.reason
	}
	return found
}

func (j *judge) violation(level catalogue.Level) reports.Verdict {
	switch {
	case level == catalogue.Must, level == catalogue.Should && j.strict:
		return reports.Fail
	case level == catalogue.Should:
		return reports.Warn
	}
	return reports.Info
}

// location returns where a spec is written, with a path that does not depend on the machine.
func location(at types.CodeLocation) string {
	return fmt.Sprintf("conformance/specs/%s:%d", path.Base(at.FileName), at.LineNumber)
}

func frames(recorded []probe.Frame, start time.Time) []reports.Frame {
	converted := make([]reports.Frame, len(recorded))
	for i, frame := range recorded {
		converted[i] = reports.NewFrame(frame.At.Sub(start), frame.Actor, reports.Direction(frame.Direction), frame.Payload)
	}
	return converted
}
