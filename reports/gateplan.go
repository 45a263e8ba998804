package reports

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ServerCPU is the name of the server's CPU time per delivered message in the
// values of a [GateRun].
const ServerCPU = "server.cpu_per_msg"

// GateAlpha is the probability with which a gate calls identical builds regressed,
// over all gated metrics and all looks together, were its margins zero. Margins
// make it rarer. The tests are one-sided: six blocks have a smallest p-value of
// 1/64, which is below the level of each of two metrics, 0.05/2. A two-sided test
// would have 1/32, which is not, and six blocks could never say anything. So the
// same holds for improvements apart, and each interval has the confidence that
// belongs to both of its sides.
const GateAlpha = 0.05

// The margins that are taken where none is given, as shares of the base.
const (
	// CPUMargin is that of [ServerCPU].
	CPUMargin = 0.05
	// LatencyMargin is that of the median latency of the primary metric.
	LatencyMargin = 0.10
)

// firstLook is the share of alpha that the first of several looks may spend. With
// it six blocks still decide about two metrics: 1/64 is below 0.05·⅔/2.
const firstLook = 2.0 / 3

// minStoredRuns is how many stored runs each side needs for a verdict.
const minStoredRuns = 5

// MaxGateBlocks bounds how many blocks a gate may have.
const MaxGateBlocks = 100

// NewGatePlan returns the plan of a gate of interleaved blocks. With more blocks
// allowed than are wanted at first, it looks again whenever the number has doubled
// and at the last, and the looks share alpha, so that adding blocks is no way to
// wait for the verdict one likes.
func NewGatePlan(rules []GateRule, blocks, most int) (GatePlan, error) {
	if blocks < 1 || most < blocks || most > MaxGateBlocks {
		return GatePlan{}, fmt.Errorf("from %d to %d blocks: give at least one, at most %d, and no fewer at last than at first", blocks, most, MaxGateBlocks)
	}
	p := GatePlan{Alpha: GateAlpha, Rules: rules}
	for at := blocks; at < most; at *= 2 {
		p.Looks = append(p.Looks, GateLook{Blocks: at})
	}
	p.Looks = append(p.Looks, GateLook{Blocks: most})
	last := len(p.Looks) - 1
	for i := range p.Looks {
		switch {
		case last == 0:
			p.Looks[i].Alpha = p.Alpha
		case i == 0:
			p.Looks[i].Alpha = p.Alpha * firstLook
		default:
			p.Looks[i].Alpha = p.Alpha * (1 - firstLook) / float64(last)
		}
	}
	return p, nil
}

// Enough is the smallest number of blocks with which the first look can decide
// about every metric.
func (p GatePlan) Enough() int {
	alpha := p.Alpha
	if len(p.Looks) > 0 {
		alpha = p.Looks[0].Alpha
	}
	n := 1
	for math.Pow(2, -float64(n)) > alpha/float64(max(len(p.Rules), 1)) {
		n++
	}
	return n
}

// Sentences say the plan in words, for the moment before the first run.
func (p GatePlan) Sentences() []string {
	var rules []string
	for _, r := range p.Rules {
		rules = append(rules, fmt.Sprintf("%s (margin %s)", r.Name, formatMargin(r.Margin)))
	}
	said := []string{"Lost messages and false receipts in head are a regression, each single one."}
	if len(rules) == 0 {
		return append(said, "No number is gated.")
	}
	said = append(said, fmt.Sprintf("Gated: %s. Identical builds are called regressed in %s of comparisons at most.", strings.Join(rules, ", "), formatMargin(p.Alpha)))
	switch len(p.Looks) {
	case 0:
		said = append(said, fmt.Sprintf("One look at all stored runs, %d on each side at least.", minStoredRuns))
	case 1:
		said = append(said, fmt.Sprintf("One look, after %s.", plural(int64(p.Looks[0].Blocks), "block", "blocks")))
	default:
		var looks []string
		for _, l := range p.Looks {
			looks = append(looks, fmt.Sprintf("%d (spends %s)", l.Blocks, formatMargin(l.Alpha)))
		}
		said = append(said, fmt.Sprintf("Looks after blocks %s. It ends at the first at which something is regressed or nothing is open.", strings.Join(looks, ", ")))
	}
	if enough := p.Enough(); len(p.Looks) > 0 && p.Looks[0].Blocks < enough {
		said = append(said, fmt.Sprintf("With %s the first look can decide nothing about %s: the smallest p-value is 1/%.0f. It takes %d.",
			plural(int64(p.Looks[0].Blocks), "block", "blocks"), plural(int64(len(p.Rules)), "metric", "metrics"), math.Pow(2, float64(p.Looks[0].Blocks)), enough))
	}
	return said
}

// gateName is the form of the name of a gated number.
var gateName = regexp.MustCompile(`^([a-z][a-z.]*)\.(p50|p90|p99|p99\.9)$`)

// tailName is the form of the name of a high percentile.
var tailName = regexp.MustCompile(`\.p99(\.9)?$`)

// ParseGateRule reads a rule as "peer.ack.p50=10%". The margin "off" gives a rule
// with the margin zero, which means that the number is not gated.
func ParseGateRule(text string) (GateRule, error) {
	name, margin, found := strings.Cut(text, "=")
	r := GateRule{Name: strings.TrimSpace(name)}
	if !found || r.Name != ServerCPU && !gateName.MatchString(r.Name) {
		return r, fmt.Errorf("%q: write METRIC.STAT=MARGIN, such as peer.ack.p50=10%% or %s=5%%; the statistics are p50, p90, p99 and p99.9", text, ServerCPU)
	}
	if margin = strings.TrimSpace(margin); margin == "off" {
		return r, nil
	}
	digits, percent := strings.CutSuffix(margin, "%")
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil || !percent || !(value >= 0.1 && value <= 1000) {
		return r, fmt.Errorf("%q: write the margin in percent, from 0.1%% to 1000%%, or off", text)
	}
	r.Margin = value / 100
	return r, nil
}

// WithRule returns the rules with one changed, added, or taken away when its margin
// is zero.
func WithRule(rules []GateRule, r GateRule) []GateRule {
	rules = slices.Clone(rules)
	at := slices.IndexFunc(rules, func(old GateRule) bool { return old.Name == r.Name })
	switch {
	case at >= 0 && r.Margin == 0:
		return slices.Delete(rules, at, at+1)
	case at >= 0:
		rules[at] = r
	case r.Margin > 0:
		rules = append(rules, r)
	}
	return rules
}
