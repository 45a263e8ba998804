package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/reports"
)

// KnownFailure is a requirement that the subject is known not to meet. It does not fail the run, but its profile is only
// partial; and it fails the run once it is met, so that the list stays true.
type KnownFailure struct {
	// ID is the requirement.
	ID string `yaml:"id"`
	// Reason says why it is not met, and is not TODO.
	Reason string `yaml:"reason"`
	// Issue is the address at which the work on it is tracked.
	Issue string `yaml:"issue,omitempty"`
	// Until is the last day on which the entry holds, as 2026-12-31.
	Until string `yaml:"until"`
	// Observed is a part of what the suite observes; when the requirement fails in another way, the entry is stale. Empty
	// stands for anything, and nothing is observed of what is blocked.
	Observed string `yaml:"observed,omitempty"`
}

// todo is the reason that one has to replace.
const todo = "TODO"

// ReadKnownFailures reads a list of known failures from a YAML file: a list of entries with the members of
// [KnownFailure] in lower case. The error is a [*UsageError] that names the file, the entry and what is wrong with it:
// an unknown member or id, an id twice, a missing or unwritten reason, a missing or passed day.
func ReadKnownFailures(path string, today time.Time) ([]KnownFailure, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, &UsageError{fmt.Sprintf("the known failures cannot be read: %v", err)}
	}
	wrong := func(format string, args ...any) ([]KnownFailure, error) {
		return nil, &UsageError{path + ": " + fmt.Sprintf(format, args...)}
	}
	var list []KnownFailure
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&list); err != nil && !errors.Is(err, io.EOF) {
		return wrong("%s", yamlSentence(err))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return wrong("something stands after the list")
	}
	for i, entry := range list {
		if entry.ID == "" {
			return wrong("entry %d has no id", i+1)
		}
		if problem := entry.problem(); problem != "" {
			return wrong("%s", problem)
		}
		switch {
		case slices.ContainsFunc(list[:i], func(earlier KnownFailure) bool { return earlier.ID == entry.ID }):
			return wrong("%s stands twice", entry.ID)
		case strings.TrimSpace(entry.Reason) == "" || strings.HasPrefix(strings.TrimSpace(entry.Reason), todo):
			return wrong("%s has no reason; write why it fails instead of %s", entry.ID, todo)
		}
		until, err := time.Parse(time.DateOnly, entry.Until)
		switch {
		case err != nil:
			return wrong("%s: until is %q and must be a day such as 2026-12-31", entry.ID, entry.Until)
		case !today.Before(until.AddDate(0, 0, 1)):
			return wrong("%s was to be met by %s; meet it, or decide anew", entry.ID, entry.Until)
		}
	}
	return list, nil
}

// problem says in a sentence why no run can turn the verdict of the entry's requirement, or "".
func (k *KnownFailure) problem() string {
	requirements := catalogue.Embedded()
	switch r := requirements.Get(k.ID); {
	case r == nil:
		return fmt.Sprintf("no requirement is called %s; the nearest is %s", k.ID, catalogue.Nearest(k.ID, requirements.IDs()))
	case !r.Judged():
		return k.ID + " is never judged, so it cannot be a known failure"
	}
	return ""
}

// yamlSentence returns what is wrong with a YAML text in one line, without the Go types that mean nothing to a vendor.
func yamlSentence(err error) string {
	if kind := new(yaml.TypeError); errors.As(err, &kind) && len(kind.Errors) > 0 {
		sentence, _, _ := strings.Cut(kind.Errors[0], " in type ")
		return sentence
	}
	return strings.TrimPrefix(err.Error(), "yaml: ")
}

// WriteKnownFailures writes a list of what a result did not meet, in the form that [ReadKnownFailures] reads. Each reason
// is TODO, which is refused on reading: one has to think about each once. What was observed is kept as far as it does not
// differ from run to run.
func WriteKnownFailures(w io.Writer, result *reports.Conformance, until time.Time) error {
	var list []KnownFailure
	for _, row := range result.Requirements {
		switch row.Verdict {
		case reports.Fail, reports.Blocked, reports.KnownFail:
			list = append(list, KnownFailure{ID: row.ID, Reason: todo, Until: until.Format(time.DateOnly), Observed: steady(row.Observed)})
		}
	}
	if len(list) == 0 {
		_, err := io.WriteString(w, "# Nothing fails.\n[]\n")
		return err
	}
	text, err := yaml.Marshal(list)
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// steady returns the beginning of an observation that the next run sees again: the words before the first with a digit,
// since uids, times and frames differ from run to run.
func steady(observed string) string {
	line, _, _ := strings.Cut(observed, "\n")
	words := strings.Fields(line)
	if i := slices.IndexFunc(words, func(word string) bool { return strings.ContainsAny(word, "0123456789") }); i >= 0 {
		words = words[:i]
	}
	return strings.Join(words, " ")
}

// expect turns the verdict of a row by what is known of it. A row that was not judged stays as it is.
func (k *KnownFailure) expect(row *reports.RequirementResult) {
	row.KnownFailure = &reports.KnownFailure{Reason: k.Reason, Issue: k.Issue, Until: k.Until, Observed: k.Observed}
	switch row.Verdict {
	case reports.Fail, reports.Warn, reports.Blocked:
		if row.Verdict != reports.Blocked && !strings.Contains(row.Observed, k.Observed) {
			row.Verdict = reports.StaleKnownFail
			row.Reason = fmt.Sprintf("it is a known failure, but fails otherwise than listed: not with %q", k.Observed)
			return
		}
		row.Verdict, row.Reason = reports.KnownFail, "known: "+k.Reason
	case reports.Pass:
		row.Verdict, row.Reason = reports.StaleKnownFail, "it is listed as a known failure and is met now; take it off the list"
	}
}
