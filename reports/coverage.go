package reports

import (
	"fmt"
	"slices"
	"strings"
)

// coverage says of which requirements a result proves nothing, and why.
type coverage struct {
	Rows []coverageRow
	// Planted says that the suite recorded a fault for at least one requirement.
	Planted bool
	Gaps    int
}

// coverageRow is one level of requirements.
type coverageRow struct {
	Level                                                            Level
	Total, Judged, Blocked, NotDeclared, NotSelected, NoSpec, Others int
	NoFault, Provisional                                             int
}

func newCoverage(c *Conformance) coverage {
	var all coverage
	for _, level := range []Level{Must, Should, May} {
		row := coverageRow{Level: level}
		for i := range c.Requirements {
			q := &c.Requirements[i]
			if q.Level != level {
				continue
			}
			row.Total++
			switch {
			case q.Verdict.Judged():
				row.Judged++
			case q.Verdict == Blocked:
				row.Blocked++
			case q.Verdict == NotDeclared:
				row.NotDeclared++
			case q.Verdict == NotSelected:
				row.NotSelected++
			case q.Verdict == NoSpec:
				row.NoSpec++
			default:
				row.Others++
			}
			if q.Provisional {
				row.Provisional++
			}
			if q.NoFault() {
				row.NoFault++
			}
			all.Planted = all.Planted || len(q.Faults) > 0
		}
		if row.Total > 0 {
			all.Rows = append(all.Rows, row)
		}
		all.Gaps += row.NoFault
	}
	return all
}

// NoFault reports whether the requirement is a MUST that was judged and for which
// no planted fault proves that the suite would notice a violation.
func (q *RequirementResult) NoFault() bool {
	return q.Level == Must && q.Verdict.Judged() && len(q.Faults) == 0
}

// gaps name what is not proven, each with its count.
func (c coverage) gaps() []string {
	var sum coverageRow
	for _, r := range c.Rows {
		sum.Blocked += r.Blocked
		sum.NotDeclared += r.NotDeclared
		sum.NotSelected += r.NotSelected
		sum.NoSpec += r.NoSpec
	}
	var gaps []string
	for _, g := range []struct {
		count int
		words string
	}{{sum.Blocked, "blocked"}, {sum.NotDeclared, "not declared"}, {sum.NotSelected, "not selected"}, {sum.NoSpec, "without a spec"}, {c.Gaps, "MUSTs judged without a fault"}} {
		if g.count > 0 {
			gaps = append(gaps, fmt.Sprintf("%d %s", g.count, g.words))
		}
	}
	return gaps
}

// title is how a program is called in a heading.
func (id Identity) title() string {
	return strings.Join(slices.DeleteFunc([]string{id.Name, id.Version}, func(s string) bool { return s == "" }), " ")
}

// against says in a sentence who the two sides were; empty when only one was
// judged.
func (c *Conformance) against() string {
	if c.Client == nil || c.Server == nil {
		return ""
	}
	client := c.Client.title()
	if c.Client.Language != "" {
		client += " (" + c.Client.Language + ")"
	}
	return fmt.Sprintf("The client %s against the server %s.", client, c.Server.title())
}
