package reports

import (
	"slices"
	"strings"
)

// findings are the requirements worth explaining first, the gravest on top and
// those that decide nothing at the end.
func findings(rows []RequirementResult) []*RequirementResult {
	order := []Verdict{Fail, Flaky, StaleKnownFail, Error, Warn}
	var list []*RequirementResult
	for i := range rows {
		if slices.Contains(order, rows[i].Verdict) {
			list = append(list, &rows[i])
		}
	}
	gravity := func(q *RequirementResult) int {
		at := slices.Index(order, q.Verdict)
		if q.Provisional {
			at += len(order)
		}
		return at
	}
	slices.SortStableFunc(list, func(a, b *RequirementResult) int { return gravity(a) - gravity(b) })
	return list
}

// areaView is one row of the matrix.
type areaView struct {
	Name   string
	Met    int
	Judged int
	Total  int
	Tone   tone
	Groups []cellGroup
}

// cellGroup are the requirements of an area whose ids differ in the number only.
// Label is what they share, empty when the whole area shares it.
type cellGroup struct {
	Label string
	Cells []cellView
}

// cellView is one requirement in the matrix. Gap marks one without a planted
// fault among others that have one.
type cellView struct {
	*RequirementResult
	Short string
	Gap   bool
}

func newAreaView(a area, planted bool) areaView {
	v := areaView{Name: a.name, Total: len(a.requirements)}
	for _, q := range a.requirements {
		if q.Verdict == Pass || q.Verdict == Info {
			v.Met++
		}
		if q.Verdict.Judged() {
			v.Judged++
		}
		if t := q.Verdict.tone(); t.rank() > v.Tone.rank() && !q.Provisional {
			v.Tone = t
		}
		prefix := q.ID[:strings.LastIndexByte(q.ID, '-')+1]
		at := slices.IndexFunc(v.Groups, func(g cellGroup) bool { return g.Label == prefix })
		if at < 0 {
			at = len(v.Groups)
			v.Groups = append(v.Groups, cellGroup{Label: prefix})
		}
		v.Groups[at].Cells = append(v.Groups[at].Cells, cellView{q, strings.TrimPrefix(q.ID, prefix), planted && q.NoFault()})
	}
	if len(v.Groups) == 1 {
		v.Groups[0].Label = ""
	}
	return v
}

// signEntry explains how one kind of square looks.
type signEntry struct{ Class, Words string }

// legend explains the squares that need it, in the order of the bar.
func legend(areas []areaView) []signEntry {
	seen := make(map[Verdict]bool)
	provisional, gap := false, false
	for _, a := range areas {
		for _, g := range a.Groups {
			for _, c := range g.Cells {
				seen[c.Verdict] = true
				provisional = provisional || c.Provisional
				gap = gap || c.Gap
			}
		}
	}
	var list []signEntry
	for _, v := range barOrder {
		if seen[v] {
			list = append(list, signEntry{"v-" + string(v), string(v)})
		}
	}
	if provisional {
		list = append(list, signEntry{"provisional", "provisional: decides nothing"})
	}
	if gap {
		list = append(list, signEntry{"unproven", "no fault: judged, and no planted fault proves it"})
	}
	return list
}
