package reports

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// NewGateRun returns what a gate keeps of a load run. Curve names the metric whose
// percentile curve is kept.
func NewGateRun(l *Load, side GateSide, curve string) GateRun {
	s := &l.Summary
	r := GateRun{
		Dir: l.Dir, Side: side, StartedAt: l.Manifest.StartedAt,
		Validity: s.Validity.Verdict, Reasons: s.Validity.Reasons,
		Counted: s.Validity.Verdict != Invalid && !l.Manifest.Interrupted && l.Manifest.LostNS == 0,
		Values:  make(map[string]float64),
	}
	for _, row := range s.Ledger {
		r.Lost += row.Lost
		r.FalseReceipts += row.FalseReceipts
		r.Failed += row.AckError + row.AckTimeout + row.AckLost + row.AckedNotReceived + row.SendFailed
	}
	if cpu := s.Health.ServerCPUPerMessageNS; cpu > 0 {
		r.Values[ServerCPU] = cpu
	}
	for i := range s.Metrics {
		m := &s.Metrics[i]
		if !strings.HasPrefix(m.Name, "peer.") && !strings.HasPrefix(m.Name, "channel.") {
			continue
		}
		for _, q := range []struct {
			name   string
			beyond float64
			value  int64
		}{{"p50", .5, m.P50NS}, {"p90", .1, m.P90NS}, {"p99", .01, m.P99NS}, {"p99.9", .001, m.P999NS}} {
			if float64(m.Count)*q.beyond >= 10 && q.value > 0 {
				r.Values[m.Name+"."+q.name] = float64(q.value)
			}
		}
		if m.Name == curve {
			r.Curve = gateCurve(m)
		}
	}
	return r
}

// curveSteps are the percentiles of the curves of a gate, ten to a factor of ten.
var curveSteps = func() []float64 {
	var steps []float64
	for n := 0; n <= 40; n++ {
		steps = append(steps, 100*(1-math.Pow(10, -float64(n)/10)))
	}
	return steps
}()

// gateCurve reads the curve of a metric at the same percentiles for every run.
func gateCurve(m *Metric) []CurvePoint {
	var curve []CurvePoint
	for _, step := range curveSteps {
		if float64(m.Count)*(1-step/100) < 10 {
			break
		}
		at := slices.IndexFunc(m.Curve, func(p CurvePoint) bool { return p.Percentile >= step })
		if at < 0 {
			break
		}
		count := int64(math.Ceil(float64(m.Count) * step / 100))
		curve = append(curve, CurvePoint{Percentile: step, ValueNS: m.Curve[at].ValueNS, Count: count})
	}
	return curve
}

// Judge fills Verdict, Metrics and Counts from the runs, the blocks and the plan. A
// claim that a look has made stands, whatever later blocks look like: the looks
// share alpha for that.
func (g *Gate) Judge() {
	g.Metrics, g.Counts = nil, nil
	for _, rule := range g.Plan.Rules {
		m := g.measure(rule.Name, g.evidence(rule.Name, len(g.Blocks)), g.Plan.Alpha)
		m.Verdict, m.Margin, m.Reason = Inconclusive, rule.Margin, g.missing(rule.Name)
		g.Metrics = append(g.Metrics, m)
	}
	for _, look := range g.looks() {
		g.look(look)
	}
	for _, name := range g.names() {
		if !slices.ContainsFunc(g.Plan.Rules, func(r GateRule) bool { return r.Name == name }) {
			m := g.measure(name, g.evidence(name, len(g.Blocks)), g.Plan.Alpha)
			m.Verdict = NotGated
			g.Metrics = append(g.Metrics, m)
		}
	}
	lost, receipts := GateCount{Name: "lost messages", Verdict: Equivalent}, GateCount{Name: "false receipts", Verdict: Equivalent}
	failed := GateCount{Name: "failed messages", Verdict: NotGated}
	for i := range g.Runs {
		r := &g.Runs[i]
		lost.add(r.Side, r.Lost)
		receipts.add(r.Side, r.FalseReceipts)
		failed.add(r.Side, r.Failed)
	}
	g.Counts = []GateCount{lost, receipts, failed}
	g.Verdict = g.worst()
}

func (c *GateCount) add(side GateSide, n int64) {
	if side == BaseSide {
		c.Base += n
		return
	}
	c.Head += n
	if c.Head > 0 && c.Verdict != NotGated {
		c.Verdict = Regressed
	}
}

// worst is the gravest of what is gated. Head is improved when something is and
// nothing is worse than equivalent.
func (g *Gate) worst() GateVerdict {
	verdicts := make(map[GateVerdict]bool)
	for _, m := range g.Metrics {
		verdicts[m.Verdict] = true
	}
	for _, c := range g.Counts {
		verdicts[c.Verdict] = true
	}
	switch {
	case verdicts[Regressed]:
		return Regressed
	case verdicts[Inconclusive] || g.Interrupted || g.Starved():
		return Inconclusive
	case verdicts[Improved]:
		return Improved
	case verdicts[Equivalent]:
		return Equivalent
	}
	return Inconclusive
}

// looks are the looks that have been held.
func (g *Gate) looks() []GateLook {
	if !g.Paired {
		if g.smaller() < minStoredRuns {
			return nil
		}
		return []GateLook{{Alpha: g.Plan.Alpha}}
	}
	var held []GateLook
	for _, l := range g.Plan.Looks {
		if l.Blocks <= len(g.Blocks) {
			held = append(held, l)
		}
	}
	return held
}

// smaller is how many counted runs the side with fewer has.
func (g *Gate) smaller() int {
	n := map[GateSide]int{}
	for i := range g.Runs {
		if g.Runs[i].Counted {
			n[g.Runs[i].Side]++
		}
	}
	return min(n[BaseSide], n[HeadSide])
}

// CountedBlocks is how many of the blocks were not dropped.
func (g *Gate) CountedBlocks() int {
	n := 0
	for _, b := range g.Blocks {
		if b.Dropped == "" {
			n++
		}
	}
	return n
}

// Starved reports whether there are too few valid runs to decide anything, so that
// the outcome says nothing about the builds.
func (g *Gate) Starved() bool {
	if !g.Paired {
		return g.smaller() < minStoredRuns
	}
	looks := g.looks()
	if len(looks) == 0 {
		return true
	}
	alpha := looks[len(looks)-1].Alpha / float64(max(len(g.Plan.Rules), 1))
	return math.Pow(2, -float64(g.CountedBlocks())) > alpha
}

// Open reports whether another block may still be needed: a look of the plan is
// ahead that can decide something, nothing is regressed, and something is not
// decided.
func (g *Gate) Open() bool {
	last := len(g.Plan.Looks) - 1
	return last >= 0 && len(g.Blocks) < g.Plan.Looks[last].Blocks && (len(g.looks()) == 0 || g.Verdict == Inconclusive) && !g.hopeless()
}

// hopeless reports whether so many blocks were dropped that the last look of the plan,
// which could have decided something, no longer can.
func (g *Gate) hopeless() bool {
	if len(g.Plan.Looks) == 0 {
		return false
	}
	last := g.Plan.Looks[len(g.Plan.Looks)-1]
	alpha := last.Alpha / float64(max(len(g.Plan.Rules), 1))
	decides := func(blocks int) bool { return math.Pow(2, -float64(blocks)) <= alpha }
	return decides(last.Blocks) && !decides(g.CountedBlocks()+last.Blocks-len(g.Blocks))
}

// names are the numbers that every counted run has, in order of their names.
func (g *Gate) names() []string {
	seen := make(map[string]int)
	counted := 0
	for i := range g.Runs {
		if g.Runs[i].Counted {
			counted++
			for name := range g.Runs[i].Values {
				seen[name]++
			}
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(seen)), func(name string) bool { return seen[name] < counted })
}

// missing says in a sentence in how many counted runs a gated number was not seen.
func (g *Gate) missing(name string) string {
	counted, without := 0, 0
	for i := range g.Runs {
		if g.Runs[i].Counted {
			counted++
			if g.Runs[i].Values[name] <= 0 {
				without++
			}
		}
	}
	if without == 0 {
		return ""
	}
	return fmt.Sprintf("Not observed in %d of %s.", without, plural(int64(counted), "run", "runs"))
}

// CheckRule refuses a rule about a number that some counted run of the gate lacks.
func (g *Gate) CheckRule(r GateRule) error {
	if why := g.missing(r.Name); why != "" && r.Margin > 0 {
		return fmt.Errorf("%s: %s Every run has %s", r.Name, strings.ToLower(why[:1])+why[1:], firstOf(strings.Join(g.names(), ", "), "no number"))
	}
	return nil
}

// gateEvidence are the logarithms of one number in the runs that count.
type gateEvidence struct {
	base, head  []float64
	differences []float64 // head minus base, one for each block
	shift       shift
	size        int // blocks, or runs of the smaller side
}

// evidence gathers one number over the first so many blocks.
func (g *Gate) evidence(name string, blocks int) gateEvidence {
	var e gateEvidence
	sums, runs := make([]float64, blocks+1), make([]int, blocks+1)
	for i := range g.Runs {
		r := &g.Runs[i]
		value := r.Values[name]
		if !r.Counted || value <= 0 || g.Paired && r.Block > blocks {
			continue
		}
		value = math.Log(value)
		if r.Side == BaseSide {
			e.base = append(e.base, value)
			value = -value
		} else {
			e.head = append(e.head, value)
		}
		if g.Paired {
			sums[r.Block] += value / 2
			runs[r.Block]++
		}
	}
	slices.Sort(e.base)
	slices.Sort(e.head)
	if !g.Paired {
		e.shift, e.size = unpairedShift(e.base, e.head), min(len(e.base), len(e.head))
		return e
	}
	for block, sum := range sums {
		if runs[block] == blockRuns {
			e.differences = append(e.differences, sum)
		}
	}
	e.shift, e.size = pairedShift(e.differences), len(e.differences)
	return e
}

// blockRuns is how many runs a block has.
const blockRuns = 4

// measure describes one number at a level.
func (g *Gate) measure(name string, e gateEvidence, alpha float64) GateMetric {
	m := GateMetric{Name: name, Blocks: e.size, P: 1, Confidence: 1 - 2*alpha}
	if e.size == 0 {
		return m
	}
	m.Base, m.Head, m.Ratio = math.Exp(median(e.base)), math.Exp(median(e.head)), math.Exp(e.shift.estimate())
	if low, high := e.shift.interval(alpha); !math.IsInf(low, 0) {
		m.Low, m.High = math.Exp(low), math.Exp(high)
		m.Detectable = math.Expm1((high - low) / 2)
	}
	return m
}

// look judges the blocks up to a look and keeps what it decides.
func (g *Gate) look(look GateLook) {
	evidence := make([]gateEvidence, len(g.Plan.Rules))
	claims := make([]GateVerdict, len(g.Plan.Rules))
	p := make([]float64, len(g.Plan.Rules))
	for i, rule := range g.Plan.Rules {
		evidence[i], claims[i], p[i] = g.evidence(rule.Name, look.Blocks), Inconclusive, 1
		if evidence[i].size > 0 && g.Metrics[i].Reason == "" {
			claims[i], p[i] = claim(evidence[i].shift, math.Log1p(rule.Margin))
		}
	}
	for i, level := range holm(look.Alpha, p) {
		if g.Metrics[i].Verdict != Inconclusive {
			continue
		}
		m := g.measure(g.Plan.Rules[i].Name, evidence[i], level)
		m.Margin, m.Reason, m.P, m.Verdict = g.Metrics[i].Margin, g.Metrics[i].Reason, p[i], Inconclusive
		if p[i] <= level {
			m.Verdict = claims[i]
		}
		g.Metrics[i] = m
	}
}

// claim is the strongest of the three claims about a shift, with its p-value. They
// exclude each other, so that testing all three at one level errs no more often
// than testing the one that is false.
func claim(s shift, margin float64) (GateVerdict, float64) {
	worse, better := s.above(margin), s.below(-margin)
	within := max(s.below(margin), s.above(-margin))
	switch best := min(worse, better, within); best {
	case worse:
		return Regressed, worse
	case better:
		return Improved, better
	}
	return Equivalent, within
}
