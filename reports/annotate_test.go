package reports

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestEveryRequirementThatDidNotHoldIsAnnotatedByItsGravity(t *testing.T) {
	for name, tt := range map[string]struct {
		row  RequirementResult
		want AnnotationLevel // empty when there is nothing to say
	}{
		"pass":               {RequirementResult{Verdict: Pass}, ""},
		"info":               {RequirementResult{Verdict: Info}, ""},
		"undecided":          {RequirementResult{Verdict: Undecided}, ""},
		"not declared":       {RequirementResult{Verdict: NotDeclared}, ""},
		"not selected":       {RequirementResult{Verdict: NotSelected}, ""},
		"fail":               {RequirementResult{Verdict: Fail}, AnnotationError},
		"flaky":              {RequirementResult{Verdict: Flaky}, AnnotationError},
		"stale":              {RequirementResult{Verdict: StaleKnownFail}, AnnotationError},
		"error":              {RequirementResult{Verdict: Error}, AnnotationError},
		"warn":               {RequirementResult{Verdict: Warn}, AnnotationWarning},
		"blocked":            {RequirementResult{Verdict: Blocked}, AnnotationWarning},
		"provisional fail":   {RequirementResult{Verdict: Fail, Provisional: true}, AnnotationWarning},
		"provisional error":  {RequirementResult{Verdict: Error, Provisional: true}, AnnotationWarning},
		"provisional pass":   {RequirementResult{Verdict: Pass, Provisional: true}, ""},
		"known":              {RequirementResult{Verdict: KnownFail}, AnnotationNotice},
		"provisional, known": {RequirementResult{Verdict: KnownFail, Provisional: true}, AnnotationNotice},
	} {
		tt.row.ID = "RTM-PEER-002"
		r := &Report{Conformance: &Conformance{Requirements: []RequirementResult{tt.row}}}
		var got AnnotationLevel
		if list := r.Annotations(0); len(list) > 0 {
			got = list[0].Level
		}
		if got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestAnnotationsComeTheGravestFirstAndNoMoreThanAsked(t *testing.T) {
	r := failingReport()
	all := r.Annotations(0)
	levels := make([]AnnotationLevel, len(all))
	for i, a := range all {
		levels[i] = a.Level
	}
	if got := slices.Compact(levels); !slices.Equal(got, []AnnotationLevel{AnnotationError, AnnotationWarning, AnnotationNotice}) {
		t.Errorf("the levels come as %v", got)
	}
	for _, limit := range []int{1, 2, len(all) - 1} {
		some := r.Annotations(limit)
		if len(some) != limit {
			t.Fatalf("%d annotations, want %d", len(some), limit)
		}
		if want := fmt.Sprintf("%d more did not hold", len(all)-limit+1); !strings.HasPrefix(some[limit-1].Text, want) {
			t.Errorf("the last of %d says %q, want %q", limit, some[limit-1].Text, want)
		}
	}
	if got := r.Annotations(len(all)); !slices.Equal(got, all) {
		t.Error("a limit that is just enough leaves something out")
	}
}

func TestARunThatDoesNotHoldHasAnErrorEvenWhenNoRowFailed(t *testing.T) {
	r := passingReport()
	if list := r.Annotations(0); len(list) > 0 {
		t.Fatalf("a passing report is annotated: %v", list)
	}
	r.Loads = nil
	r.ExitCode = 1
	r.Conformance.Strict, r.Conformance.Profiles[0].Verdict = true, Partial
	list := r.Annotations(0)
	if !slices.ContainsFunc(list, func(a Annotation) bool { return a.Level == AnnotationError && a.Title == "Partial" }) {
		t.Errorf("a strict run of a partial profile says %v", list)
	}
}

func TestALoadRunIsAnnotatedAsAWhole(t *testing.T) {
	r := failingReport()
	r.Conformance = nil
	var titles []string
	for _, a := range r.Annotations(0) {
		titles = append(titles, a.Title)
	}
	if want := []string{"Messages went wrong", "Invalid run", "Threshold exceeded"}; !slices.Equal(titles, want) {
		t.Errorf("%q, want %q", titles, want)
	}
}

func TestNothingThatASubjectSaysCanLeaveItsAnnotation(t *testing.T) {
	for _, text := range []string{hostile, "x\n::error::y", "x\r::set-output name=a::b", "100%0Aof,it:all::", strings.Repeat("ü\n", 5000)} {
		r := failingReport()
		setTexts(reflect.ValueOf(r))
		r.Conformance.Requirements = r.Conformance.Requirements[:1]
		row := &r.Conformance.Requirements[0]
		row.ID, row.Verdict, row.Text, row.Reason, row.Expected, row.Observed, row.Repeat = text, Fail, text, text, text, text, text
		for _, a := range r.Annotations(0) {
			line := a.GitHub()
			if strings.ContainsAny(line, "\r\n") || strings.ContainsAny(a.String(), "\r\n") {
				t.Errorf("more than a line: %q", line)
			}
			if len(a.Text) > 20000 {
				t.Errorf("an annotation of %d bytes", len(a.Text))
			}
		}
	}
	a := Annotation{AnnotationError, "a,b:c%\n", "100%\r\n::stop::"}
	if got, want := a.GitHub(), "::error title=a%2Cb%3Ac%25%0A::100%25%0D%0A::stop::"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
