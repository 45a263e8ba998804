package loadgen

import (
	"errors"
	"fmt"

	"github.com/rtmkit/rtmkit/reports"
)

// What became of an operation.
const (
	deedNone       uint8 = iota // not due
	deedUnfinished              // due, and the run ended before it was over
	deedDone
	deedFailed
)

// deedLetters stand for these in the books file.
const deedLetters = "-udf"

// operation is one thing that an entry lets sessions do.
type operation struct {
	name   string
	metric metric
	timed  bool    // whether it has a latency
	share  float64 // how many of them an event is
}

// operations returns what the events of the entry consist of.
func (t *Traffic) operations() []operation {
	switch t.Op {
	case OpJoin:
		return []operation{{"leave", metricLeave, true, 0.5}, {"join", metricJoin, true, 0.5}}
	case OpLogin:
		return []operation{{"login", metricLogin, true, 1}, {"logout", metricLogout, true, 1}}
	case OpReconnect:
		return []operation{{"reconnect", metricReconnect, true, 1}}
	}
	return []operation{{name: "pause"}}
}

// planned returns the operation that event n is if none before it failed.
func (p *churnPlan) planned(n int) int {
	if p.Op == OpJoin {
		return n / len(p.places) % 2
	}
	return 0
}

// count returns how many events the entry has in all.
func (p *churnPlan) count() int { return p.warm.count() + p.main.count() }

// deeds has a place for each event of an entry: what became of one of its operations.
type deeds []uint8

// newDeeds returns empty tables for the operations of all entries.
func (p *plan) newDeeds() [][]deeds {
	var tables [][]deeds
	for _, entry := range p.churn {
		var own []deeds
		for range entry.operations() {
			own = append(own, make(deeds, entry.count()))
		}
		tables = append(tables, own)
	}
	return tables
}

// operations counts the operations of all entries.
func (b *books) operations() []reports.Operation {
	var rows []reports.Operation
	for i, entry := range b.plan.churn {
		for k, op := range entry.operations() {
			row := reports.Operation{Traffic: entry.ID, Op: op.name}
			for _, deed := range b.churn[i][k] {
				switch deed {
				case deedNone:
					continue
				case deedDone:
					row.Done++
				case deedFailed:
					row.Failed++
				case deedUnfinished:
					row.Unfinished++
				}
				row.Scheduled++
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// operationEquations returns what must hold of the operations. Measured ones are counted again from the tables.
func (b *books) operationEquations(samples func(metric) int64) []reports.Equation {
	var list []reports.Equation
	for _, r := range b.operations() {
		sum := r.Done + r.Failed + r.Unfinished
		list = append(list, reports.Equation{
			Traffic: r.Traffic, Text: r.Op + ": scheduled = done + failed + unfinished",
			Left: r.Scheduled, Right: sum, Holds: r.Scheduled == sum,
		})
	}
	measured := map[metric]int64{}
	for i, entry := range b.plan.churn {
		for k, op := range entry.operations() {
			if !op.timed {
				continue
			}
			measured[op.metric] += 0
			for _, deed := range b.churn[i][k][entry.warm.count():] {
				if deed == deedDone {
					measured[op.metric]++
				}
			}
		}
	}
	for m := range metrics {
		if n, used := measured[m]; used {
			got := samples(m)
			list = append(list, reports.Equation{
				Text: "samples of " + m.String() + " = measured operations done", Left: got, Right: n, Holds: got == n,
			})
		}
	}
	return list
}

// failedOperations returns how many operations of the run failed.
func failedOperations(s *reports.Summary) (n float64) {
	for _, row := range s.Operations {
		n += float64(row.Failed)
	}
	return n
}

// churnLine has in the books file what became of one kind of operation, as runs of letters.
type churnLine struct {
	Traffic string `json:"traffic"`
	Op      string `json:"op"`
	Deeds   string `json:"deeds"`
}

// churnLines returns the lines of all entries.
func (b *books) churnLines() []booksLine {
	var lines []booksLine
	for i, entry := range b.plan.churn {
		for k, op := range entry.operations() {
			lines = append(lines, booksLine{Churn: &churnLine{entry.ID, op.name, packValues(b.churn[i][k], deedLetters)}})
		}
	}
	return lines
}

// takeChurn adds a line to the books.
func (b *books) takeChurn(line *churnLine) error {
	for i, entry := range b.plan.churn {
		for k, op := range entry.operations() {
			if i < len(b.churn) && k < len(b.churn[i]) {
				continue
			}
			if line.Traffic != entry.ID || line.Op != op.name {
				return fmt.Errorf("%s of %q is not the next operation of the workload", line.Op, line.Traffic)
			}
			table, err := unpackValues(line.Deeds, deedLetters, entry.count())
			if err != nil {
				return fmt.Errorf("deeds of %s: %w", line.Traffic, err)
			}
			if k == 0 {
				b.churn = append(b.churn, nil)
			}
			b.churn[i] = append(b.churn[i], table)
			return nil
		}
	}
	return errors.New("it has more operations than the workload")
}

// churnComplete returns an error when a table is missing.
func (b *books) churnComplete() error {
	for i, entry := range b.plan.churn {
		if i >= len(b.churn) || len(b.churn[i]) < len(entry.operations()) {
			return fmt.Errorf("the operations of %s are missing", entry.ID)
		}
	}
	return nil
}
