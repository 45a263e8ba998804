package reports

import (
	"bytes"
	_ "embed" // The template is compiled in.
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"
)

// The files that [WriteSelftest] makes.
const (
	// SelftestFile holds a [Selftest] as JSON.
	SelftestFile = "selftest.json"
	// SelftestSummaryFile is the selftest as Markdown.
	SelftestSummaryFile = "selftest.md"
	// SelftestPageFile is the selftest as a page.
	SelftestPageFile = "selftest.html"
)

//go:embed selftest.html.tmpl
var selftestTemplate string

var selftestPages = template.Must(template.New("selftest").Funcs(pageFuncs).Parse(headTemplate + selftestTemplate))

// WriteSelftest puts the selftest into the folder as selftest.json, selftest.md
// and selftest.html, each file whole or not at all and without secrets. It
// refuses one that [ReadSelftest] would refuse.
func WriteSelftest(dir string, s *Selftest) error { return writeDocument(dir, s, selftestFiles) }

// ReadSelftest returns the selftest in the folder, as strict as [Read].
func ReadSelftest(dir string) (*Selftest, error) { return readDocument[Selftest](dir, selftestFiles) }

var selftestFiles = documentFiles{SelftestSchema, SelftestFile, SelftestSummaryFile, SelftestPageFile}

func (o FaultOutcome) tone() tone {
	switch o {
	case KilledByOwner:
		return toneGood
	case KilledByOther, NeverExercised:
		return toneWarn
	}
	return toneBad
}

// class is the look of a square, in the words of a requirement's verdict.
func (o FaultOutcome) class() string {
	return "v-" + string(map[FaultOutcome]Verdict{KilledByOwner: Pass, KilledByOther: Warn, Survived: Fail, NeverExercised: NoSpec, FaultError: Error}[o])
}

// worst is the gravest outcome of the fault. A fault without one was never
// brought to work.
func (f *FaultResult) worst() FaultOutcome {
	if len(f.Results) < len(f.Breaks) || len(f.Results) == 0 {
		return NeverExercised
	}
	order := []FaultOutcome{KilledByOwner, NeverExercised, KilledByOther, FaultError, Survived}
	worst := KilledByOwner
	for _, r := range f.Results {
		if slices.Index(order, r.Outcome) > slices.Index(order, worst) {
			worst = r.Outcome
		}
	}
	return worst
}

// killers are the ids whose specs failed, the owners first.
func (f *FaultResult) killers() []string {
	var owners, others []string
	for _, r := range f.Results {
		for _, id := range r.Killers {
			switch {
			case slices.Contains(owners, id) || slices.Contains(others, id):
			case slices.Contains(f.Breaks, id):
				owners = append(owners, id)
			default:
				others = append(others, id)
			}
		}
	}
	return append(owners, others...)
}

func (s *Selftest) outcome() outcome {
	counts := s.Outcomes()
	broken := 0
	for _, n := range counts {
		broken += n
	}
	green, refused := 0, 0
	for _, t := range s.Tolerances {
		if t.Green {
			green++
		}
	}
	for _, h := range s.Harness {
		if h.GotExit == h.WantExit {
			refused++
		}
	}
	said := fmt.Sprintf("%d of %s by %s caught by their owners; %d of %s green; %d of %s ended as wanted.",
		counts[KilledByOwner], plural(int64(broken), "violation", "violations"), plural(int64(len(s.Faults)), "fault", "faults"),
		green, plural(int64(len(s.Tolerances)), "tolerance", "tolerances"), refused, plural(int64(len(s.Harness)), "harness case", "harness cases"))
	if len(s.Uncovered) > 0 {
		said += " " + plural(int64(len(s.Uncovered)), "judged MUST has", "judged MUSTs have") + " no fault."
	}
	if s.Trusted() {
		return outcome{toneGood, "The suite can be trusted", said}
	}
	return outcome{toneBad, "The suite cannot be trusted", said}
}

// selftestPage is what the template shows.
type selftestPage struct {
	*Selftest
	Style   template.CSS
	Title   string
	Who     string
	Outcome outcome
	Bar     []outcomeCount
	Said    []string
	Unsaid  int
	Areas   []faultArea
	Took    time.Duration
}

// outcomeCount is one part of a bar of outcomes.
type outcomeCount struct {
	Outcome FaultOutcome
	Class   string
	Count   int
}

// faultArea is one row of the matrix of faults.
type faultArea struct {
	Name   string
	Killed int
	Tone   tone
	Faults []faultView
}

// faultView is one fault as the page shows it.
type faultView struct {
	*FaultResult
	Number        int
	Anchor        string
	Worst         FaultOutcome
	Class         string
	Killers, More []string
}

// maxKillers is how many failed requirements of a fault are shown at once. A fault
// that mutes the login fails nearly all of them.
const maxKillers = 6

func (s *Selftest) areas() []faultArea {
	var areas []faultArea
	for i := range s.Faults {
		f := &s.Faults[i]
		at := slices.IndexFunc(areas, func(a faultArea) bool { return a.Name == f.Area })
		if at < 0 {
			at = len(areas)
			areas = append(areas, faultArea{Name: f.Area})
		}
		a := &areas[at]
		v := faultView{FaultResult: f, Number: len(a.Faults) + 1, Anchor: fmt.Sprintf("fault-%d", i+1), Worst: f.worst(), Killers: f.killers()}
		v.Class = v.Worst.class()
		if len(v.Killers) > maxKillers {
			v.Killers, v.More = v.Killers[:maxKillers], v.Killers[maxKillers:]
		}
		if f.Killed() {
			a.Killed++
		} else {
			a.Tone = toneBad
		}
		a.Faults = append(a.Faults, v)
	}
	return areas
}

func (s *Selftest) page() ([]byte, error) {
	p := selftestPage{Selftest: s, Style: template.CSS(styleSheet), Who: s.Subject.title(), Outcome: s.outcome(), Areas: s.areas(), Said: s.Doubts(), Took: s.EndedAt.Sub(s.StartedAt)}
	p.Title = p.Outcome.Title
	if len(p.Said) > maxFindings {
		p.Said, p.Unsaid = p.Said[:maxFindings], len(p.Said)-maxFindings
	}
	counts := s.Outcomes()
	for _, o := range FaultOutcomes() {
		if counts[o] > 0 {
			p.Bar = append(p.Bar, outcomeCount{o, o.class(), counts[o]})
		}
	}
	var b bytes.Buffer
	if err := selftestPages.ExecuteTemplate(&b, "selftest", p); err != nil {
		return nil, fmt.Errorf("selftest page: %w", err)
	}
	return b.Bytes(), nil
}

// Markdown returns the selftest as a short text for job summaries and mail.
func (s *Selftest) Markdown() []byte {
	var b bytes.Buffer
	o := s.outcome()
	fmt.Fprintf(&b, "# %s %s\n\n%s\n", o.Tone.sign(), o.Title, md(o.Sentence))
	doubts := s.Doubts()
	for i, d := range doubts {
		if i == 0 {
			b.WriteByte('\n')
		}
		if i == maxFindings {
			fmt.Fprintf(&b, "- %d more are in %s.\n", len(doubts)-maxFindings, SelftestPageFile)
			break
		}
		fmt.Fprintf(&b, "- %s\n", md(d))
	}
	for _, a := range s.areas() {
		fmt.Fprintf(&b, "\n## Faults: %s\n\n| | Fault | Breaks | Failed | At work |\n|---|---|---|---|--:|\n", md(a.Name))
		for _, f := range a.Faults {
			var breaks []string
			for _, r := range f.Results {
				word := r.Outcome.tone().sign() + " " + r.ID
				if r.Outcome != KilledByOwner {
					word += " " + string(r.Outcome)
				}
				breaks = append(breaks, word)
			}
			failed := strings.Join(f.Killers, ", ")
			if len(f.More) > 0 {
				failed += fmt.Sprintf(" and %d more", len(f.More))
			}
			fmt.Fprintf(&b, "| %s | %s: %s | %s | %s | %s |\n", f.Worst.tone().sign(), md(f.Name), md(f.Text), md(strings.Join(breaks, ", ")), md(failed), formatCount(f.Activations))
		}
	}
	if len(s.Tolerances) > 0 {
		b.WriteString("\n## Tolerances\n\n| | Tolerance | Held violated | At work |\n|---|---|---|--:|\n")
	}
	for _, t := range s.Tolerances {
		sign := toneGood.sign()
		if !t.Green {
			sign = toneBad.sign()
		}
		said := strings.Join(t.Violated, ", ")
		if t.Reason != "" {
			said = strings.TrimPrefix(said+": "+t.Reason, ": ")
		}
		fmt.Fprintf(&b, "| %s | %s: %s | %s | %s |\n", sign, md(t.Name), md(t.Text), md(said), formatCount(t.Activations))
	}
	if len(s.Harness) > 0 {
		b.WriteString("\n## Harness\n\n| | Case | Wanted | Got | Said |\n|---|---|--:|--:|---|\n")
	}
	for _, h := range s.Harness {
		sign := toneGood.sign()
		if h.GotExit != h.WantExit {
			sign = toneBad.sign()
		}
		fmt.Fprintf(&b, "| %s | %s: %s | %d | %d | %s |\n", sign, md(h.Name), md(h.Text), h.WantExit, h.GotExit, md(h.Said))
	}
	if len(s.Uncovered) > 0 {
		fmt.Fprintf(&b, "\n## Requirements without a fault\n\n%s\n", md(strings.Join(s.Uncovered, ", ")))
	}
	fmt.Fprintf(&b, "\n---\n\n%s · suite %s · seed %d · %s\n", md(s.Subject.title()), md(s.SuiteVersion), s.Seed, formatTime(s.StartedAt))
	for _, n := range s.Notes {
		fmt.Fprintf(&b, "\n- %s", md(n))
	}
	if len(s.Notes) > 0 {
		b.WriteByte('\n')
	}
	if s.Command != "" {
		fmt.Fprintf(&b, "\nTo repeat:\n\n%s", mdBlock(s.Command))
	}
	return b.Bytes()
}
