package reports

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"time"
)

// junitText returns the report as JUnit XML: one suite per area with one test case
// per requirement, and one suite per load run with a case for its validity,
// each ledger row, each equation and each threshold.
//
// A violated MUST is a failure, and so is what is flaky or wrongly listed as a
// known failure; a fault of the suite is an error. A known failure and what was
// not judged are skipped with the reason, and so is a provisional requirement
// that failed, because it decides nothing. Warnings pass and say so in their
// output, because JUnit has no word for them. The same holds for degraded load
// runs; an invalid one is an error, because it says nothing about the server.
func junitText(r *Report) ([]byte, error) {
	doc := junitSuites{Name: "rtmkit"}
	if r.Conformance != nil {
		doc.Suites = append(doc.Suites, conformanceSuites(r.Conformance)...)
	}
	for i := range r.Loads {
		doc.Suites = append(doc.Suites, loadSuite(&r.Loads[i]))
	}
	for i := range doc.Suites {
		s := &doc.Suites[i]
		s.count()
		doc.Tests += s.Tests
		doc.Failures += s.Failures
		doc.Errors += s.Errors
		doc.Skipped += s.Skipped
	}
	doc.Time = seconds(int64(r.EndedAt.Sub(r.StartedAt)))
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return nil, fmt.Errorf("junit: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name       string          `xml:"name,attr"`
	Tests      int             `xml:"tests,attr"`
	Failures   int             `xml:"failures,attr"`
	Errors     int             `xml:"errors,attr"`
	Skipped    int             `xml:"skipped,attr"`
	Time       string          `xml:"time,attr"`
	Timestamp  string          `xml:"timestamp,attr,omitempty"`
	Properties []junitProperty `xml:"properties>property,omitempty"`
	Cases      []junitCase     `xml:"testcase"`
}

type junitProperty struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type junitCase struct {
	Class   string       `xml:"classname,attr"`
	Name    string       `xml:"name,attr"`
	Time    string       `xml:"time,attr"`
	Failure *junitDetail `xml:"failure"`
	Error   *junitDetail `xml:"error"`
	Skipped *junitDetail `xml:"skipped"`
	Output  string       `xml:"system-out,omitempty"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

func (s *junitSuite) count() {
	s.Tests = len(s.Cases)
	for i := range s.Cases {
		c := &s.Cases[i]
		switch {
		case c.Failure != nil:
			s.Failures++
		case c.Error != nil:
			s.Errors++
		case c.Skipped != nil:
			s.Skipped++
		}
	}
}

func conformanceSuites(c *Conformance) []junitSuite {
	var suites []junitSuite
	for _, area := range byArea(c.Requirements) {
		s := junitSuite{
			Name:      "conformance." + area.name,
			Timestamp: timestamp(c.StartedAt),
			Properties: []junitProperty{
				{"subject", strings.TrimSpace(c.Subject.Kind + " " + c.Subject.Name + " " + c.Subject.Version)},
				{"suite_version", c.SuiteVersion},
				{"catalogue_sha256", c.CatalogueSHA256},
				{"seed", fmt.Sprint(c.Seed)},
			},
		}
		var total int64
		for _, q := range area.requirements {
			s.Cases = append(s.Cases, requirementCase(q))
			total += q.DurationNS
		}
		s.Time = seconds(total)
		suites = append(suites, s)
	}
	return suites
}

func requirementCase(q *RequirementResult) junitCase {
	c := junitCase{
		Class: "conformance." + q.Area,
		Name:  fmt.Sprintf("%s %s %s", q.ID, q.Level, q.Text),
		Time:  seconds(q.DurationNS),
	}
	reason := q.Reason
	if reason == "" {
		reason = string(q.Verdict)
	}
	if q.Provisional {
		c.Name += " (provisional)"
	}
	switch q.Verdict {
	case Pass:
	case Warn, Info:
		c.Output = fmt.Sprintf("%s: %s", q.Verdict, explain(q))
	case Fail, Flaky, StaleKnownFail:
		message := firstOf(q.Observed, q.Reason, "violated")
		if q.Verdict != Fail {
			message = fmt.Sprintf("%s: %s", q.Verdict, reason)
		}
		if q.Provisional {
			c.Skipped = &junitDetail{Message: fmt.Sprintf("provisional: %s: %s", q.Verdict, firstOf(q.Observed, reason))}
			c.Output = explain(q)
			break
		}
		c.Failure = &junitDetail{Message: message, Type: string(q.Level), Text: explain(q)}
	case KnownFail:
		c.Skipped = &junitDetail{Message: fmt.Sprintf("%s: %s", q.Verdict, q.KnownFailure.sentence())}
		c.Output = explain(q)
	case Error:
		c.Error = &junitDetail{Message: reason, Type: "suite", Text: explain(q)}
	default:
		c.Skipped = &junitDetail{Message: fmt.Sprintf("%s: %s", q.Verdict, reason)}
	}
	return c
}

// explain tells a requirement that did not pass in the order a reader needs:
// source, expected, observed, frames, command to repeat.
func explain(q *RequirementResult) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-9s %s\n", name, value)
		}
	}
	line("source", q.Source)
	if q.Verdict != KnownFail { // its reason is the vendor's, which follows
		line("reason", q.Reason)
	}
	line("expected", q.Expected)
	line("observed", q.Observed)
	if q.KnownFailure != nil {
		line("known", q.KnownFailure.sentence())
	}
	for _, s := range q.Specs {
		if s.State == Pass {
			continue
		}
		line("spec", strings.TrimSpace(s.Name+" "+s.Location))
		line("message", s.Message)
		for _, f := range s.Frames {
			fmt.Fprintf(&b, "%12s %s %s %s\n", formatNS(f.AtNS), f.Actor, f.Direction, f.Payload)
		}
	}
	line("repeat", q.Repeat)
	return b.String()
}

// sentence says why a failure is known, where it is tracked and for how long.
func (k *KnownFailure) sentence() string {
	s := strings.TrimRight(k.Reason, ".")
	if k.Issue != "" {
		s += ", see " + k.Issue
	}
	if k.Until != "" {
		s += ", until " + k.Until
	}
	return s + "."
}

func loadSuite(l *Load) junitSuite {
	s := junitSuite{
		Name:      "load." + l.Manifest.Name,
		Timestamp: timestamp(l.Manifest.StartedAt),
		Time:      seconds(int64(l.Manifest.EndedAt.Sub(l.Manifest.StartedAt))),
		Properties: []junitProperty{
			{"target", l.Manifest.Target},
			{"workload_sha256", l.Manifest.WorkloadSHA256},
			{"seed", fmt.Sprint(l.Manifest.Seed)},
		},
	}
	add := func(name string, fill func(*junitCase)) {
		c := junitCase{Class: s.Name, Name: name, Time: seconds(0)}
		fill(&c)
		s.Cases = append(s.Cases, c)
	}
	add("the run is valid", func(c *junitCase) {
		v := l.Summary.Validity
		reasons := strings.Join(v.Reasons, "; ")
		switch v.Verdict {
		case Valid:
		case Degraded:
			c.Output = "degraded: " + reasons
		default:
			c.Error = &junitDetail{Message: reasons, Type: "invalid run"}
		}
	})
	for _, row := range l.Summary.Ledger {
		add(row.Traffic+": every message takes its one right way", func(c *junitCase) {
			if !row.Clean() {
				c.Failure = &junitDetail{Message: strings.Join(row.wrongs(), ", "), Type: "ledger"}
			}
		})
	}
	for _, e := range l.Summary.Equations {
		add(strings.TrimPrefix(e.Traffic+": "+e.Text, ": "), func(c *junitCase) {
			if !e.Holds {
				c.Failure = &junitDetail{Message: fmt.Sprintf("left side is %d, right side is %d", e.Left, e.Right), Type: "equation"}
			}
		})
	}
	for _, t := range l.Summary.Thresholds {
		add(t.Expr, func(c *junitCase) {
			switch {
			case !t.Holds:
				c.Failure = &junitDetail{Message: t.Told() + "; the limit is " + t.Expr, Type: "threshold"}
			case t.Insufficient:
				c.Output = t.Told()
			}
		})
	}
	return s
}

// area is one area of the catalogue with its requirements, in their order.
type area struct {
	name         string
	requirements []*RequirementResult
}

func byArea(rows []RequirementResult) []area {
	var areas []area
	place := make(map[string]int)
	for i := range rows {
		at, ok := place[rows[i].Area]
		if !ok {
			at = len(areas)
			place[rows[i].Area] = at
			areas = append(areas, area{name: rows[i].Area})
		}
		areas[at].requirements = append(areas[at].requirements, &rows[i])
	}
	return areas
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func seconds(ns int64) string { return fmt.Sprintf("%.6f", float64(ns)/1e9) }

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05")
}
