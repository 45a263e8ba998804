package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// host is a synthetic machine: how its runs differ although nothing has changed.
type host struct {
	name string
	cpu  float64 // spread of the logarithm of the CPU time from run to run
	p50  float64 // the same of the median latency
	kept float64 // how much of a run's luck its neighbour shares
	tilt float64 // drift of the logarithm over the whole experiment
	odd  float64 // share of runs that a neighbour on the machine makes half as slow again
}

var hosts = []host{
	{"quiet", .015, .03, 0, 0, 0},
	{"laptop", .03, .06, .5, .05, .01},
	{"shared runner", .07, .14, .6, .1, .05},
	{"noisy runner", .15, .35, .7, .3, .1},
	{"hopeless", 1, 1, .5, 1, .2},
}

// experiment plays a gate on a synthetic host, block by block as its plan wants it. Head costs so much more.
func (h host) experiment(random *rand.Rand, plan GatePlan, cpu, p50 float64) *Gate {
	g := &Gate{Schema: GateSchema, Workload: "peer", Plan: plan, Paired: true}
	luckCPU, luckP50 := random.NormFloat64(), random.NormFloat64()
	total := float64(4 * plan.Looks[0].Blocks)
	for g.Open() {
		order := ABBA
		if random.IntN(2) == 1 {
			order = BAAB
		}
		g.Blocks = append(g.Blocks, GateBlock{Order: order})
		for _, side := range order.Sides() {
			fresh := math.Sqrt(1 - h.kept*h.kept)
			luckCPU = h.kept*luckCPU + fresh*random.NormFloat64()
			luckP50 = h.kept*luckP50 + fresh*(.5*luckCPU+math.Sqrt(.75)*random.NormFloat64())
			drift := h.tilt * float64(len(g.Runs)) / total
			logCPU, logP50 := math.Log(50e3)+h.cpu*luckCPU+drift, math.Log(400e3)+h.p50*luckP50+drift
			if random.Float64() < h.odd {
				logCPU, logP50 = logCPU+.4, logP50+.8
			}
			r := GateRun{Side: side, Block: len(g.Blocks), Validity: Valid, Counted: true}
			if side == HeadSide {
				logCPU, logP50 = logCPU+math.Log1p(cpu), logP50+math.Log1p(p50)
			}
			r.Values = map[string]float64{ServerCPU: math.Exp(logCPU), "peer.ack.p50": math.Exp(logP50)}
			g.Runs = append(g.Runs, r)
		}
		g.Judge()
	}
	return g
}

var defaultRules = []GateRule{{ServerCPU, .05}, {"peer.ack.p50", .10}}

// many plays experiments and counts their verdicts.
func (h host) many(n int, plan GatePlan, cpu, p50 float64) map[GateVerdict]int {
	random := rand.New(rand.NewPCG(4, uint64(len(h.name))))
	counts := make(map[GateVerdict]int)
	for range n {
		counts[h.experiment(random, plan, cpu, p50).Verdict]++
	}
	return counts
}

func plan(t *testing.T, rules []GateRule, blocks, most int) GatePlan {
	t.Helper()
	p, err := NewGatePlan(rules, blocks, most)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const tableRow = "%-14s %-8s %9s %9s %9s %9s"

// TestIdenticalBuildsRaiseNoAlarm plays 200 experiments on each host, whatever its noise: no more than 6 % may call
// identical builds different, in either direction and with all gated metrics together.
func TestIdenticalBuildsRaiseNoAlarm(t *testing.T) {
	t.Logf(tableRow, "identical", "blocks", "regressed", "improved", "equival.", "open")
	for _, h := range hosts {
		for _, most := range []int{6, 12, 24} {
			counts := h.many(200, plan(t, defaultRules, 6, most), 0, 0)
			t.Logf(tableRow, h.name, fmt.Sprintf("6–%d", most), share(counts[Regressed]), share(counts[Improved]), share(counts[Equivalent]), share(counts[Inconclusive]))
			if alarms := counts[Regressed] + counts[Improved]; alarms > 12 {
				t.Errorf("%s, up to %d blocks: %d of 200 alarms, 12 are allowed", h.name, most, alarms)
			}
		}
	}
}

func share(of200 int) string { return fmt.Sprintf("%.1f %%", float64(of200)/2) }

// On identical builds a block could as well have run in the opposite order, with the same outcome of each run and the
// sides swapped. Over all such histories of one experiment, the share that is called regressed is alpha at most, with
// no margin to help, and whatever the machine did.
func TestWithoutMarginsTheAlarmsStayBelowAlpha(t *testing.T) {
	rules := []GateRule{{ServerCPU, 1e-12}, {"peer.ack.p50", 1e-12}}
	random := rand.New(rand.NewPCG(4, 4))
	most := 0.0
	for _, h := range hosts {
		for range 4 {
			p := plan(t, rules, 6, 8)
			g := h.experiment(random, plan(t, rules, 8, 8), 0, 0)
			g.Plan = p
			regressed := 0
			for swapped := range 1 << 8 {
				again := *g
				again.Runs = append([]GateRun(nil), g.Runs...)
				for i := range again.Runs {
					if r := &again.Runs[i]; swapped>>(r.Block-1)&1 == 1 {
						r.Side = map[GateSide]GateSide{BaseSide: HeadSide, HeadSide: BaseSide}[r.Side]
					}
				}
				if again.Judge(); again.Verdict == Regressed {
					regressed++
				}
			}
			share := float64(regressed) / (1 << 8)
			most = max(most, share)
			if share > GateAlpha {
				t.Errorf("%s: %.1f %% of the histories are called regressed", h.name, 100*share)
			}
		}
	}
	if most < GateAlpha/4 {
		t.Errorf("at most %.2f %% of the histories are called regressed; the gate gives away its alpha", 100*most)
	}
}

// TestARealRegressionIsSeen holds the power of the gate where the noise allows any, and shows it where it does not.
func TestARealRegressionIsSeen(t *testing.T) {
	t.Logf(tableRow, "real change", "blocks", "regressed", "improved", "equival.", "open")
	for _, tt := range []struct {
		host        host
		cpu, p50    float64
		blocks, max int
		least       int // of 200
	}{
		{hosts[0], .10, .10, 6, 6, 160},
		{hosts[1], .10, .10, 6, 6, 0},
		{hosts[1], .10, .10, 6, 24, 160},
		{hosts[1], .20, .20, 6, 6, 160}, // what 15 µs are to a message of 75 µs
		{hosts[1], .30, .30, 6, 6, 160},
		{hosts[2], .10, .10, 6, 6, 0},
		{hosts[2], .30, .30, 6, 6, 160}, // what 15 µs are to a message of 50 µs
		{hosts[3], .30, .30, 6, 24, 0},
	} {
		counts := tt.host.many(200, plan(t, defaultRules, tt.blocks, tt.max), tt.cpu, tt.p50)
		t.Logf(tableRow, fmt.Sprintf("+%.0f %% %s", 100*tt.cpu, tt.host.name), fmt.Sprintf("%d–%d", tt.blocks, tt.max),
			share(counts[Regressed]), share(counts[Improved]), share(counts[Equivalent]), share(counts[Inconclusive]))
		if counts[Regressed] < tt.least {
			t.Errorf("+%.0f %% on a %s: %d of 200 are called regressed, %d are wanted", 100*tt.cpu, tt.host.name, counts[Regressed], tt.least)
		}
		if counts[Improved]+counts[Equivalent] > 4 {
			t.Errorf("+%.0f %% on a %s: %v", 100*tt.cpu, tt.host.name, counts)
		}
	}
}

func TestThePlanSpendsAlphaOnce(t *testing.T) {
	for _, blocks := range [][2]int{{6, 6}, {6, 7}, {6, 12}, {6, 24}, {6, 100}, {1, 100}} {
		p := plan(t, defaultRules, blocks[0], blocks[1])
		spent := 0.0
		for _, l := range p.Looks {
			spent += l.Alpha
		}
		if math.Abs(spent-GateAlpha) > 1e-12 || p.Looks[0].Blocks != blocks[0] || p.Looks[len(p.Looks)-1].Blocks != blocks[1] {
			t.Errorf("%v blocks: looks %+v", blocks, p.Looks)
		}
	}
	if p := plan(t, defaultRules, 6, 24); p.Enough() != 6 {
		t.Errorf("two metrics and several looks need %d blocks, the default is 6", p.Enough())
	}
	three := append(defaultRules[:2:2], GateRule{"channel.deliver.p50", .1})
	if p := plan(t, three, 6, 6); p.Enough() != 6 || strings.Contains(strings.Join(p.Sentences(), " "), "decide nothing") {
		t.Errorf("three metrics need %d blocks: %v", p.Enough(), p.Sentences())
	}
	if p := plan(t, three, 5, 5); !strings.Contains(strings.Join(p.Sentences(), " "), "decide nothing") {
		t.Errorf("the plan does not say that five blocks are too few: %v", p.Sentences())
	}
	for _, blocks := range [][2]int{{0, 6}, {6, 5}, {6, 101}} {
		if _, err := NewGatePlan(defaultRules, blocks[0], blocks[1]); err == nil {
			t.Errorf("a plan of %v blocks", blocks)
		}
	}
}

func TestARuleIsReadWhole(t *testing.T) {
	for text, want := range map[string]GateRule{
		"peer.ack.p50=10%":          {"peer.ack.p50", .1},
		"server.cpu_per_msg = 2.5%": {ServerCPU, .025},
		"channel.last.p99.9=50%":    {"channel.last.p99.9", .5},
		"peer.ack.p50=off":          {"peer.ack.p50", 0},
	} {
		if got, err := ParseGateRule(text); err != nil || got.Name != want.Name || math.Abs(got.Margin-want.Margin) > 1e-12 {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "peer.ack.p50", "peer.ack=10%", "peer.ack.p51=10%", "peer.ack.p50=10", "peer.ack.p50=0%", "peer.ack.p50=-5%", "peer.ack.p50=NaN%", "Peer.p50=5%", "server.cpu=5%"} {
		if got, err := ParseGateRule(text); err == nil {
			t.Errorf("%q is read as %+v", text, got)
		}
	}
	rules := WithRule(defaultRules, GateRule{"peer.ack.p50", 0})
	rules = WithRule(rules, GateRule{"channel.last.p90", .2})
	rules = WithRule(rules, GateRule{ServerCPU, .01})
	if fmt.Sprint(rules) != "[{server.cpu_per_msg 0.01} {channel.last.p90 0.2}]" || len(defaultRules) != 2 {
		t.Errorf("%v", rules)
	}
}
