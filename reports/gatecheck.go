package reports

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
)

// maxGateValues bounds the values of a run, and with them what judging costs.
const maxGateValues = 200

// validate reports everything in the gate that a reader of this version could
// misunderstand, and verdicts that do not follow from the runs.
func (g *Gate) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if g.Schema != GateSchema {
		wrong("schema is %q, not %q", g.Schema, GateSchema)
	}
	if !(g.Plan.Alpha > 0 && g.Plan.Alpha < 1) {
		wrong("plan: alpha is %v", g.Plan.Alpha)
	}
	for _, r := range g.Plan.Rules {
		if !(r.Margin > 0) {
			wrong("plan: the margin of %s is %v", r.Name, r.Margin)
		}
	}
	for i, l := range g.Plan.Looks {
		if !(l.Alpha > 0 && l.Alpha < 1) || l.Blocks < 1 || i > 0 && l.Blocks <= g.Plan.Looks[i-1].Blocks {
			wrong("plan: look %d is after %d blocks at %v", i+1, l.Blocks, l.Alpha)
		}
	}
	if g.Paired != (len(g.Plan.Looks) > 0) || !g.Paired && len(g.Blocks) > 0 {
		wrong("blocks and looks go together with paired runs")
	}
	if len(g.Blocks) > MaxGateBlocks {
		wrong("there are %d blocks, at most %d are read", len(g.Blocks), MaxGateBlocks)
	}
	for i, b := range g.Blocks {
		if b.Order != ABBA && b.Order != BAAB {
			wrong("block %d: the order is %q", i+1, b.Order)
		}
	}
	sides := make(map[GateSide]int)
	counted := make([]int, len(g.Blocks))
	for i := range g.Runs {
		r := &g.Runs[i]
		switch {
		case r.Side != BaseSide && r.Side != HeadSide:
			wrong("run %d: unknown side %q", i+1, r.Side)
		case g.Paired != (r.Block > 0) || r.Block < 0 || r.Block > len(g.Blocks):
			wrong("run %d: there is no block %d", i+1, r.Block)
		case r.Counted && r.Block > 0:
			counted[r.Block-1]++
		}
		if !slices.Contains([]ValidityVerdict{Valid, Degraded, Invalid}, r.Validity) || r.Counted && r.Validity == Invalid {
			wrong("run %d: counts is %v, and its validity %q", i+1, r.Counted, r.Validity)
		}
		sides[r.Side]++
		if len(r.Values) > maxGateValues {
			wrong("run %d: has %d values, at most %d are read", i+1, len(r.Values), maxGateValues)
		}
		if r.Dir != "" && !filepath.IsLocal(filepath.FromSlash(r.Dir)) {
			wrong("run %d: the folder %q lies outside", i+1, r.Dir)
		}
	}
	for i, n := range counted {
		if dropped := g.Blocks[i].Dropped != ""; dropped && n != 0 || !dropped && n != blockRuns {
			wrong("block %d: %d of its runs count", i+1, n)
		}
	}
	if most := max(sides[BaseSide], sides[HeadSide]); !g.Paired && most > MaxStoredRuns || most > 8*MaxGateBlocks {
		wrong("a side has %d runs, which are too many", most)
	}
	if len(errs) == 0 {
		again := *g
		again.Judge()
		if again.Verdict != g.Verdict || !reflect.DeepEqual(again.Counts, g.Counts) || !sameMetrics(again.Metrics, g.Metrics) {
			wrong("the verdicts do not follow from the runs")
		}
	}
	return errors.Join(errs...)
}

// sameMetrics compares what two judgements say, but for the last digits, which
// differ between processors.
func sameMetrics(a, b []GateMetric) bool {
	near := func(a, b float64) bool { return a == b || a/b > 1-1e-9 && a/b < 1+1e-9 }
	return slices.EqualFunc(a, b, func(a, b GateMetric) bool {
		return a.Name == b.Name && a.Verdict == b.Verdict && a.Margin == b.Margin && a.Blocks == b.Blocks &&
			near(a.Base, b.Base) && near(a.Head, b.Head) && near(a.Ratio, b.Ratio) && near(a.Low, b.Low) && near(a.High, b.High)
	})
}
