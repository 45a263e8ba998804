package conformance

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
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
	// claims are the profiles that the server claims by name.
	claims []string

	mu       sync.Mutex
	findings map[string][]finding
	// rounds are the verdicts of each repeat, when everything is judged more than once.
	rounds map[string][]reports.Verdict
	done   int
	// interrupted tells that a signal ended a spec.
	interrupted bool
	// broken tells that the client under test cannot be judged any further.
	broken error
}

// interrupted is the reason of what a run did not reach.
const interrupted = "the run was interrupted"

// finding is what one spec found about one requirement. It travels from a worker to the run as JSON.
type finding struct {
	ID       string             `json:"id"`
	Spec     reports.SpecResult `json:"spec"`
	Expected string             `json:"expected,omitempty"`
	Observed string             `json:"observed,omitempty"`
	Reason   string             `json:"reason,omitempty"`
}

func newJudge(ctx context.Context, chosen *selection, cfg *Config) *judge {
	return &judge{selection: chosen, run: ctx, strict: cfg.Strict, claims: cfg.Claims, findings: make(map[string][]finding), rounds: make(map[string][]reports.Verdict)}
}

// gate tells why a spec with these ids is not to run, or nil. A spec runs when one of its requirements is wanted.
func (j *judge) gate(ids []string) *specs.Skipped {
	if j.broken != nil {
		return &specs.Skipped{Verdict: string(reports.NotSelected), Reason: "the adapter of the client under test broke before"}
	}
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
		if isUnmet(j.verdict(need)) {
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
		verdicts = append(verdicts, finding.Spec.State)
	}
	return reports.Worst(verdicts...)
}

// read turns the report of a spec into what it found about each of its requirements that is judged.
func (j *judge) read(report types.SpecReport) []finding {
	var found []finding
	for _, id := range specs.IDs(report.Labels()) {
		if _, out := j.left[id]; !out {
			found = append(found, j.find(j.catalogue.Get(id), report))
		}
	}
	if report.State == types.SpecStateInterrupted {
		// Ginkgo listens for signals too, whether or not the caller does.
		j.interrupted = true
	}
	return found
}

// take keeps what a spec found, and tells of the progress if the spec ran or was blocked.
func (j *judge) take(spec string, found []finding, tell func(Progress), total int) {
	worst := reports.Pass
	var ids []string
	j.mu.Lock()
	for _, f := range found {
		ids = append(ids, f.ID)
		worst = reports.Worst(worst, f.Spec.State)
		j.findings[f.ID] = append(j.findings[f.ID], f)
	}
	j.mu.Unlock()
	if len(found) == 0 || worst == reports.NotSelected || worst == reports.NotDeclared || worst == reports.Undecided {
		return
	}
	j.done++
	if tell != nil {
		tell(Progress{Done: j.done, Total: max(total, j.done), IDs: ids, Spec: spec, Verdict: worst})
	}
}

func (j *judge) find(r *catalogue.Requirement, report types.SpecReport) finding {
	found := finding{
		ID: r.ID,
		Spec: reports.SpecResult{
			Name:       specName(report),
			Location:   location(report.LeafNodeLocation),
			DurationNS: int64(report.RunTime),
		},
	}
	var skipped *specs.Skipped
	for _, entry := range report.ReportEntries {
		switch value := entry.GetRawValue().(type) {
		case specs.Failure:
			found.Expected, found.Observed = reports.Redact(value.Expected), reports.Redact(value.Observed)
		case specs.Skipped:
			skipped = &value
		case []probe.Frame:
			found.Spec.Frames = frames(value, report.StartTime)
		}
	}
	switch {
	case report.State == types.SpecStatePassed:
		found.Spec.State = reports.Pass
	case report.State == types.SpecStateFailed && j.run.Err() != nil:
		// The end of the run ends its client too, and what fails by that is no finding.
		found.Spec.State, found.Reason = reports.NotSelected, interrupted
	case report.State == types.SpecStateFailed && found.Expected == "" && found.Observed == "":
		found.Spec.State, found.Reason = reports.Error, "the spec failed without saying what it observed: "+report.FailureMessage()
	case report.State == types.SpecStateFailed:
		found.Spec.State = j.violation(r.Level)
		found.Spec.Message = fmt.Sprintf("expected %s; observed %s", found.Expected, found.Observed)
	case skipped != nil && skipped.Verdict == string(reports.NotDeclared) && r.Subject == catalogue.Server && slices.Contains(j.claims, r.Profile):
		found.Expected, found.Observed = fmt.Sprintf("the server keeps the profile %s, which it claims", r.Profile), skipped.Reason
		found.Spec.State, found.Spec.Message = j.violation(r.Level), skipped.Reason
	case skipped != nil:
		found.Spec.State, found.Reason = reports.Verdict(skipped.Verdict), skipped.Reason
	case report.State == types.SpecStateSkipped, report.State == types.SpecStateInterrupted, report.State == types.SpecStatePending:
		found.Spec.State, found.Reason = reports.NotSelected, interrupted
	default:
		found.Spec.State = reports.Error
		found.Reason = fmt.Sprintf("the spec %s: %s %s", report.State, report.FailureMessage(), report.Failure.ForwardedPanic)
	}
	if found.Reason != "" {
		found.Spec.Message = found.Reason
	}
	return found
}

// repeated notes the verdicts of a repeat, and keeps the findings of the first one in which a requirement was not met.
func (j *judge) repeated(again *judge) {
	for _, id := range j.catalogue.IDs() {
		if len(again.findings[id]) == 0 {
			continue
		}
		verdict := again.verdict(id)
		j.rounds[id] = append(j.rounds[id], verdict)
		if again != j && isUnmet(verdict) && !isUnmet(j.verdict(id)) {
			j.findings[id] = again.findings[id]
		}
	}
	j.interrupted = j.interrupted || again.interrupted
}

// flaky tells in a sentence how the verdicts of the repeats differ, or "". A requirement that was blocked in one of them
// differs by what it needs, which is flaky itself.
func (j *judge) flaky(id string) string {
	counts := make(map[reports.Verdict]int)
	for _, verdict := range j.rounds[id] {
		if verdict != reports.Blocked && verdict != reports.NotSelected {
			counts[verdict]++
		}
	}
	if len(counts) < 2 {
		return ""
	}
	return fmt.Sprintf("its verdicts differ: %s in %d repeats", countWords(counts), len(j.rounds[id]))
}

// words tells in a few words what the worst finding about a requirement is.
func (j *judge) words(id string) string {
	j.mu.Lock()
	defer j.mu.Unlock()
	worst := finding{Spec: reports.SpecResult{State: reports.NoSpec}}
	for i, f := range j.findings[id] {
		if i == 0 || reports.Worst(worst.Spec.State, f.Spec.State) != worst.Spec.State {
			worst = f
		}
	}
	return strings.TrimSpace(string(worst.Spec.State) + ": " + worst.Spec.Message)
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
