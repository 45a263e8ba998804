package reports

import (
	"slices"
	"strings"
)

// anomalyGroup are the anomalies of one kind: how many in all, and the first few.
type anomalyGroup struct {
	Kind  string // with the form that the count asks for
	Total int64
	Named []string
	Rest  int64
}

// anomalyGroups orders what went wrong by kind, as the ledger's rows do.
func anomalyGroups(l *Load) []anomalyGroup {
	var groups []anomalyGroup
	for _, kind := range []struct {
		name  string
		count func(LedgerRow) int64
	}{
		{"lost", func(r LedgerRow) int64 { return r.Lost }},
		{"duplicated", func(r LedgerRow) int64 { return r.Duplicated }},
		{"reordered", func(r LedgerRow) int64 { return r.Reordered }},
		{"leaked", func(r LedgerRow) int64 { return r.Leaked }},
		{"foreign", func(r LedgerRow) int64 { return r.Foreign }},
		{"corrupt", func(r LedgerRow) int64 { return r.Corrupt }},
		{"false_receipt", func(r LedgerRow) int64 { return r.FalseReceipts }},
	} {
		g := anomalyGroup{Kind: strings.ReplaceAll(kind.name, "_", " ")}
		for _, row := range l.Summary.Ledger {
			g.Total += kind.count(row)
		}
		for _, a := range l.anomalies {
			if a.Kind == kind.name {
				g.Named = append(g.Named, a.place())
			}
		}
		if kind.name == "false_receipt" && g.Total != 1 {
			g.Kind += "s"
		}
		g.Rest = max(g.Total-int64(len(g.Named)), 0)
		if g.Total > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

// equationView is one equation with its values for each traffic id.
type equationView struct {
	Text   string
	Holds  bool
	Values []Equation
}

func equationViews(equations []Equation) []equationView {
	var list []equationView
	place := make(map[string]int)
	for _, e := range equations {
		at, ok := place[e.Text]
		if !ok {
			at = len(list)
			place[e.Text] = at
			list = append(list, equationView{Text: e.Text, Holds: true})
		}
		list[at].Values = append(list[at].Values, e)
		list[at].Holds = list[at].Holds && e.Holds
	}
	return list
}

// ledgerGroup is a part of the ledger table, turned so that each kind of count
// is a row and each traffic id a column.
type ledgerGroup struct {
	Name  string
	Lines []ledgerLine
}

// ledgerLine is one kind of count. Wrong marks the kinds that must be zero, and
// rare those that only some workloads have.
type ledgerLine struct {
	Name  string
	Wrong bool
	Cells []int64
	rare  bool
}

func (l ledgerLine) zero() bool {
	return !slices.ContainsFunc(l.Cells, func(n int64) bool { return n != 0 })
}

func ledgerGroups(rows []LedgerRow) []ledgerGroup {
	if len(rows) == 0 {
		return nil
	}
	line := func(name string, wrong bool, value func(LedgerRow) int64) ledgerLine {
		l := ledgerLine{Name: name, Wrong: wrong}
		for _, r := range rows {
			l.Cells = append(l.Cells, value(r))
		}
		return l
	}
	rare := func(name string, value func(LedgerRow) int64) ledgerLine {
		l := line(name, false, value)
		l.rare = true
		return l
	}
	groups := []ledgerGroup{
		{"Sending", []ledgerLine{
			line("scheduled", false, func(r LedgerRow) int64 { return r.Scheduled }),
			line("sent", false, func(r LedgerRow) int64 { return r.Sent }),
			line("shed by the generator", true, func(r LedgerRow) int64 { return r.Shed }),
			line("send failed", true, func(r LedgerRow) int64 { return r.SendFailed }),
		}},
		{"Answers", []ledgerLine{
			line("received", false, func(r LedgerRow) int64 { return r.AckedReceived }),
			line("not received", false, func(r LedgerRow) int64 { return r.AckedNotReceived }),
			rare("– with nobody there, rightly", func(r LedgerRow) int64 { return r.AbsentNotReceived }),
			line("error", true, func(r LedgerRow) int64 { return r.AckError }),
			rare("– with nobody there", func(r LedgerRow) int64 { return r.AbsentError }),
			line("timeout", true, func(r LedgerRow) int64 { return r.AckTimeout }),
			line("lost with the connection", true, func(r LedgerRow) int64 { return r.AckLost }),
			line("false receipts", true, func(r LedgerRow) int64 { return r.FalseReceipts }),
		}},
		{"Deliveries", []ledgerLine{
			line("expected", false, func(r LedgerRow) int64 { return r.Expected }),
			line("delivered once", false, func(r LedgerRow) int64 { return r.DeliveredOnce }),
			line("allowed, not required", false, func(r LedgerRow) int64 { return r.MayDelivered }),
			line("arrived in all", false, func(r LedgerRow) int64 { return r.Received }),
			line("lost", true, func(r LedgerRow) int64 { return r.Lost }),
			line("duplicated", true, func(r LedgerRow) int64 { return r.Duplicated }),
			line("reordered", true, func(r LedgerRow) int64 { return r.Reordered }),
			line("leaked", true, func(r LedgerRow) int64 { return r.Leaked }),
			line("foreign", true, func(r LedgerRow) int64 { return r.Foreign }),
			line("corrupt", true, func(r LedgerRow) int64 { return r.Corrupt }),
		}},
	}
	for i := range groups {
		groups[i].Lines = slices.DeleteFunc(groups[i].Lines, func(l ledgerLine) bool { return l.rare && l.zero() })
	}
	return groups
}
