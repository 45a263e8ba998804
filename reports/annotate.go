package reports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// AnnotationLevel says how loudly a CI service shows an [Annotation].
type AnnotationLevel string

// The levels of an annotation, the loudest first.
const (
	// AnnotationError is what decides against the run.
	AnnotationError AnnotationLevel = "error"
	// AnnotationWarning is what did not hold and does not decide by itself.
	AnnotationWarning AnnotationLevel = "warning"
	// AnnotationNotice is a known failure, which somebody has decided to bear.
	AnnotationNotice AnnotationLevel = "notice"
)

// Annotation is one thing that did not hold, for a CI service that shows such things beside the job.
type Annotation struct {
	// Level is how loudly it is shown.
	Level AnnotationLevel
	// Title is the requirement's id, or the headline of what else did not hold.
	Title string
	// Text says in a few lines what was asked for and what was observed.
	Text string
}

// Annotations returns what did not hold in the report, the gravest first and else in the order of the report: each
// requirement that failed, was flaky, was wrongly listed as a known failure or was not judged because the suite broke is
// an error; a violated SHOULD, a blocked requirement and a provisional one that failed are warnings; a known failure is a
// notice. A run that ends with another code than 0 has at least one error, and load runs add what is wrong with them as a
// whole. No more than limit annotations are returned; the last of them then says how many were left out. A limit below 1
// stands for no limit.
func (r *Report) Annotations(limit int) []Annotation {
	var list []Annotation
	parts := r.outcomes()
	if r.Conformance != nil {
		list, parts = r.Conformance.annotations(), parts[1:]
	}
	for _, part := range parts {
		if part.Tone == toneWarn || part.Tone == toneBad {
			list = append(list, part.annotation())
		}
	}
	if r.ExitCode != 0 && !slices.ContainsFunc(list, func(a Annotation) bool { return a.Level == AnnotationError }) {
		whole := r.outcome()
		list = append(list, Annotation{AnnotationError, whole.Title, whole.Sentence})
	}
	order := []AnnotationLevel{AnnotationError, AnnotationWarning, AnnotationNotice}
	slices.SortStableFunc(list, func(a, b Annotation) int {
		return cmp.Compare(slices.Index(order, a.Level), slices.Index(order, b.Level))
	})
	if limit > 0 && len(list) > limit {
		left := len(list) - limit + 1
		last := Annotation{list[limit-1].Level, "rtmkit", fmt.Sprintf("%d more did not hold; they are in %s.", left, PageFile)}
		list = append(list[:limit-1], last)
	}
	return list
}

func (c *Conformance) annotations() []Annotation {
	var list []Annotation
	for i := range c.Requirements {
		q := &c.Requirements[i]
		level := AnnotationError
		switch {
		case q.Verdict == KnownFail:
			level = AnnotationNotice
		case q.Verdict == Warn, q.Verdict == Blocked, q.Provisional && (q.Verdict.fails() || q.Verdict == Error):
			level = AnnotationWarning
		case !q.Verdict.fails() && q.Verdict != Error:
			continue
		}
		list = append(list, Annotation{level, q.ID, q.annotationText()})
	}
	return list
}

func (q *RequirementResult) annotationText() string {
	text := string(q.Level) + " " + q.Text
	if q.Provisional {
		text += " (provisional, decides nothing)"
	}
	for _, line := range []struct{ name, text string }{
		{"reason", q.Reason}, {"expected", q.Expected}, {"observed", q.Observed}, {"repeat", q.Repeat},
	} {
		if line.text != "" {
			text += "\n" + line.name + ": " + shortened(line.text)
		}
	}
	return text
}

func (o outcome) annotation() Annotation {
	level := AnnotationWarning
	if o.Tone == toneBad {
		level = AnnotationError
	}
	return Annotation{level, o.Title, shortened(o.Sentence)}
}

// maxAnnotationRunes bounds each part of an annotation; the report has the whole text.
const maxAnnotationRunes = 400

func shortened(text string) string {
	runes := []rune(text)
	if len(runes) <= maxAnnotationRunes {
		return text
	}
	return string(runes[:maxAnnotationRunes]) + "…"
}

var (
	gitHubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	gitHubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

// GitHub returns the annotation as a workflow command of GitHub Actions, one line without its end. What the subject
// said is escaped, so that it can begin no command of its own.
func (a Annotation) GitHub() string {
	return fmt.Sprintf("::%s title=%s::%s", a.Level, gitHubProperty.Replace(a.Title), gitHubData.Replace(a.Text))
}

// String returns the annotation as one plain line without its end.
func (a Annotation) String() string {
	return strings.Join(strings.Fields(fmt.Sprintf("%s %s: %s", a.Level, a.Title, strings.ReplaceAll(a.Text, "\n", "; "))), " ")
}
