package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// fixtureGate is a regression of the CPU time with everything that a page can show: a dropped block, an invalid run,
// curves, a note.
func fixtureGate() *Gate {
	random := rand.New(rand.NewPCG(4, 11))
	rules := []GateRule{{ServerCPU, .05}, {"peer.ack.p50", .1}}
	p, _ := NewGatePlan(rules, 7, 7)
	g := &Gate{
		Schema: GateSchema, ToolVersion: "0.2.0", StartedAt: fixtureStart, EndedAt: fixtureStart.Add(4 * time.Minute), Environment: fixtureEnvironment(),
		Command: "rtmkit load ab -a ./base -b ./head peer --out out", Notes: []string{"The machine was a shared runner."},
		Workload: "peer", WorkloadSHA256: strings.Repeat("9f86d081884c7d65", 4), Paired: true, Seed: 41, Plan: p, Curve: "peer.ack",
		Base: GateServer{Source: "./base", Server: Identity{Name: "rtmkit reference", Version: "0.1.0"}},
		Head: GateServer{Source: "./head", Server: Identity{Name: "rtmkit reference", Version: "0.2.0"}},
	}
	run := func(side GateSide, block int) {
		number := len(g.Runs) + 1
		cpu, latency := 52e3*math.Exp(.02*random.NormFloat64()), 410e3*math.Exp(.08*random.NormFloat64())
		letter := "a"
		if side == HeadSide {
			cpu, latency, letter = cpu*1.28, latency*1.08, "b"
		}
		r := GateRun{Name: fmt.Sprintf("%s/%03d", letter, number), Dir: fmt.Sprintf("%s/%03d", letter, number), Side: side, Block: block, StartedAt: fixtureStart.Add(time.Duration(number) * 9 * time.Second), Validity: Valid, Counted: true,
			Values: map[string]float64{ServerCPU: cpu, "peer.ack.p50": latency, "peer.ack.p90": latency * 2, "peer.ack.p99": latency * 4 * math.Exp(random.NormFloat64()), "peer.deliver.p50": latency * .9}}
		tail := 1 + random.Float64()
		for _, step := range curveSteps[:26] {
			r.Curve = append(r.Curve, CurvePoint{Percentile: step, ValueNS: int64(latency * math.Pow(10, tail*math.Max(0, nines(step)-.3)/3)), Count: int64(60 * step)})
		}
		g.Runs = append(g.Runs, r)
	}
	for block := 1; block <= 7; block++ {
		order := []GateOrder{ABBA, BAAB}[random.IntN(2)]
		g.Blocks = append(g.Blocks, GateBlock{Order: order})
		for _, side := range order.Sides() {
			run(side, block)
			if last := &g.Runs[len(g.Runs)-1]; block == 3 {
				last.Counted = false
				last.Validity, last.Reasons = Invalid, []string{"the schedule lag had a p99 of 31 ms; up to 1 ms is valid"}
				g.Blocks[2].Dropped = "Run " + last.Dir + " is invalid, after 2 of the block were repeated."
			}
		}
	}
	g.Noise = &HostNoise{HostSHA256: g.WorkloadSHA256, WorkloadSHA256: g.WorkloadSHA256, Workload: "peer", MeasuredAt: fixtureStart.AddDate(0, 0, -3), Blocks: 6,
		Metrics: []MetricNoise{{ServerCPU, .021}, {"peer.ack.p50", .08}, {"peer.ack.p99", 1.4}}}
	g.Judge()
	return g
}

// storedGate are stored runs without blocks; few on one side.
func storedGate(base, head int) *Gate {
	full := fixtureGate()
	g := *full
	g.Paired, g.Blocks, g.Plan.Looks, g.Runs, g.Seed = false, nil, nil, nil, 0
	left := map[GateSide]int{BaseSide: base, HeadSide: head}
	for _, r := range full.Runs {
		if left[r.Side] > 0 && r.Counted {
			left[r.Side]--
			r.Block = 0
			g.Runs = append(g.Runs, r)
		}
	}
	g.Judge()
	return &g
}

func TestAGateTellsWhatItsRunsShow(t *testing.T) {
	g := fixtureGate()
	if g.Verdict != Regressed || g.Metrics[0].Verdict != Regressed || g.Metrics[1].Verdict != Inconclusive || g.Metrics[2].Verdict != NotGated {
		t.Fatalf("%s: %+v", g.Verdict, g.Metrics)
	}
	m := g.Metrics[0]
	if m.Low < 1.2 || m.High > 1.36 || m.Ratio < m.Low || m.Ratio > m.High || m.Blocks != 6 || m.P != 1.0/64 || m.Detectable <= 0 {
		t.Errorf("%+v", m)
	}
	for name, tt := range map[string]struct {
		spoil   func(*Gate)
		want    GateVerdict
		starved bool
	}{
		"one lost message in head":         {func(g *Gate) { g.Plan.Rules = nil; g.Runs[0].Lost, g.Runs[0].Side = 1, HeadSide }, Regressed, false},
		"a lost message in base":           {func(g *Gate) { loseInBase(g) }, Equivalent, false},
		"another block dropped":            {func(g *Gate) { drop(g, 1) }, Regressed, false},
		"too many blocks dropped":          {func(g *Gate) { drop(g, 1); drop(g, 2) }, Inconclusive, true},
		"no look yet":                      {func(g *Gate) { g.Blocks, g.Runs = g.Blocks[:6], upTo(g.Runs, 6) }, Inconclusive, true},
		"a number that one run lacks":      {func(g *Gate) { delete(g.Runs[0].Values, ServerCPU) }, Inconclusive, false},
		"nothing gated":                    {func(g *Gate) { g.Plan.Rules = nil }, Equivalent, false},
		"a wide margin":                    {func(g *Gate) { g.Plan.Rules = []GateRule{{ServerCPU, .5}} }, Equivalent, false},
		"sides changed":                    {swap, Improved, false},
		"nothing gated, a false receipt":   {func(g *Gate) { g.Plan.Rules = nil; g.Runs[0].Side, g.Runs[0].FalseReceipts = HeadSide, 1 }, Regressed, false},
		"failed messages decide nothing":   {func(g *Gate) { g.Plan.Rules = nil; g.Runs[0].Failed = 9 }, Equivalent, false},
		"interrupted after something good": {func(g *Gate) { swap(g); g.Interrupted = true }, Inconclusive, false},
	} {
		g := fixtureGate()
		g.Plan.Rules = g.Plan.Rules[:1]
		tt.spoil(g)
		g.Judge()
		if g.Verdict != tt.want || g.Starved() != tt.starved {
			t.Errorf("%s: %s, starved %v; %s", name, g.Verdict, g.Starved(), strings.Join(g.Sentences(), " "))
		}
	}
}

func swap(g *Gate) {
	for i := range g.Runs {
		g.Runs[i].Side = map[GateSide]GateSide{BaseSide: HeadSide, HeadSide: BaseSide}[g.Runs[i].Side]
	}
}

func loseInBase(g *Gate) {
	g.Plan.Rules = nil
	for i := range g.Runs {
		if r := &g.Runs[i]; r.Side == BaseSide {
			r.Lost, r.FalseReceipts = 1, 1
		}
	}
}

func drop(g *Gate, block int) {
	g.Blocks[block-1].Dropped = "dropped"
	for i := range g.Runs {
		if g.Runs[i].Block == block {
			g.Runs[i].Counted = false
		}
	}
}

func upTo(runs []GateRun, block int) []GateRun {
	var kept []GateRun
	for _, r := range runs {
		if r.Block <= block {
			kept = append(kept, r)
		}
	}
	return kept
}

func TestAnOpenNumberSaysWhatWouldTell(t *testing.T) {
	for _, tt := range []struct {
		m    GateMetric
		want int
	}{
		{GateMetric{Ratio: 1, Low: .9, High: 1 / .9, Margin: .05}, 5}, // 10 % wide against 5 % apart: a bit more than 2²
		{GateMetric{Ratio: 1.2, Low: 1.04, High: 1.385, Margin: .1}, 3},
		{GateMetric{Ratio: 1.1, Low: 1, High: 1.2, Margin: .1}, 0}, // just at the margin
		{GateMetric{Ratio: 1, Low: .5, High: 2, Margin: .05}, 0},
		{GateMetric{Ratio: 1, Margin: .05}, 0},
	} {
		if got := tt.m.needed(); got != tt.want {
			t.Errorf("%+v: %d times as many runs, want %d", tt.m, got, tt.want)
		}
	}
}

func TestStoredRunsNeedFiveOnEachSide(t *testing.T) {
	if g := storedGate(6, 5); g.Verdict != Regressed || g.Metrics[0].Blocks != 5 {
		t.Errorf("%s: %+v", g.Verdict, g.Metrics[0])
	}
	g := storedGate(6, 4)
	if g.Verdict != Inconclusive || !g.Starved() || !strings.Contains(string(g.Text()), "differences, not a verdict") {
		t.Errorf("four runs on a side: %s\n%s", g.Verdict, g.Text())
	}
}

func TestReadGateGivesBackWhatWasWritten(t *testing.T) {
	for name, want := range map[string]*Gate{"paired": fixtureGate(), "stored": storedGate(5, 6), "few": storedGate(1, 2), "empty": emptyGate()} {
		dir := t.TempDir()
		if err := WriteGate(dir, want); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got, err := ReadGate(dir)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read something else than was written: %v", name, err)
		}
		if err := satisfies(t, "ab.schema.json", "", filepath.Join(dir, GateFile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// emptyGate was interrupted before its first run.
func emptyGate() *Gate {
	p, _ := NewGatePlan(nil, 6, 12)
	g := &Gate{Schema: GateSchema, Paired: true, Plan: p, Interrupted: true, StartedAt: fixtureStart, EndedAt: fixtureStart, Base: GateServer{Source: "a"}, Head: GateServer{Source: "b"}}
	g.Judge()
	return g
}

func TestTheSummaryOfAGate(t *testing.T) {
	dir := t.TempDir()
	if err := WriteGate(dir, fixtureGate()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, GateSummaryFile))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("testdata", "golden", GateSummaryFile), text)
}

func TestAGateThatContradictsItselfIsRefused(t *testing.T) {
	for want, spoil := range map[string]func(*Gate){
		"schema is":            func(g *Gate) { g.Schema = "rtmkit-ab/v2" },
		"do not follow":        func(g *Gate) { g.Verdict = Equivalent },
		"verdicts do not":      func(g *Gate) { g.Runs[0].Values[ServerCPU] *= 1.5 },
		"alpha is":             func(g *Gate) { g.Plan.Alpha = 0 },
		"the margin of":        func(g *Gate) { g.Plan.Rules[0].Margin = 0 },
		"look 1 is":            func(g *Gate) { g.Plan.Looks[0].Blocks = 0 },
		"go together":          func(g *Gate) { g.Paired = false },
		"the order is":         func(g *Gate) { g.Blocks[0].Order = "ABAB" },
		"unknown side":         func(g *Gate) { g.Runs[0].Side = "left" },
		"there is no block 9":  func(g *Gate) { g.Runs[0].Block = 9 },
		"3 of its runs count":  func(g *Gate) { g.Runs[0].Counted = false },
		"its validity":         func(g *Gate) { g.Runs[0].Validity = Invalid },
		"lies outside":         func(g *Gate) { g.Runs[0].Dir = "../elsewhere" },
		"at most 100 are read": func(g *Gate) { g.Blocks = make([]GateBlock, 101) },
		"block 3: 4 of its":    func(g *Gate) { recount(g, 3) },
		"counts is true, and":  func(g *Gate) { g.Runs[0].Validity = "good" },
		"too many":             func(g *Gate) { *g = *storedGate(5, 6); g.Runs = many(g.Runs[0], 101) },
		"at most 200 are read": func(g *Gate) {
			for i := range 300 {
				g.Runs[0].Values[fmt.Sprint(i)] = 1
			}
		},
		"look 2 is after 3 blo": func(g *Gate) { g.Plan.Looks = append(g.Plan.Looks, GateLook{3, .01}) },
	} {
		g := fixtureGate()
		spoil(g)
		if err := g.validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func many(r GateRun, n int) (runs []GateRun) {
	for range n {
		runs = append(runs, r)
	}
	return runs
}

func recount(g *Gate, block int) {
	for i := range g.Runs {
		if r := &g.Runs[i]; r.Block == block {
			r.Counted, r.Validity = true, Valid
		}
	}
}

func TestHostileTextsLeaveTheGateWhole(t *testing.T) {
	g := fixtureGate()
	setTexts(reflect.ValueOf(g))
	for i := range g.Runs {
		g.Runs[i].Values[hostile] = float64(50e3 + 100*i)
		if b := g.Runs[i].Block; g.Runs[i].Counted {
			g.Blocks[b-1].Dropped = ""
		}
	}
	g.Judge()
	dir := t.TempDir()
	if err := WriteGate(dir, g); err != nil {
		t.Fatal(err)
	}
	staysText(t, filepath.Join(dir, PageFile), filepath.Join(dir, GateSummaryFile))
}

func TestTheGatePageInBrowser(t *testing.T) {
	browser := startBrowser(t)
	for name, g := range map[string]*Gate{"paired": fixtureGate(), "stored": storedGate(5, 6), "empty": emptyGate()} {
		dir := t.TempDir()
		if err := WriteGate(dir, g); err != nil {
			t.Fatal(err)
		}
		page := filepath.Join(dir, PageFile)
		for _, l := range []look{{width: 1280}, {width: 390}, {width: 1280, dark: true}} {
			b := open(t, browser, page, l)
			if wide := eval[float64](b, "document.documentElement.scrollWidth"); wide > float64(l.width) {
				t.Errorf("%s: the page is %v pixels wide on a screen of %d", name, wide, l.width)
			}
			if charts := eval[float64](b, "document.querySelectorAll('.chart svg').length"); name != "empty" && charts != 6 {
				t.Errorf("%s: %v charts, want 6", name, charts)
			}
			if naked := eval[float64](b, "[...document.querySelectorAll('.banner')].filter(e => getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)').length"); naked != 0 {
				t.Errorf("%s: %v notes look like the text around them", name, naked)
			}
			if outside := eval[float64](b, labelsOutside); outside != 0 {
				t.Errorf("%s at %d: %v labels of charts are cut off", name, l.width, outside)
			}
			if len(b.console) > 0 || len(b.requests) > 1 {
				t.Errorf("%s: the page says %v and asks for %v", name, b.console, b.requests)
			}
			b.picture(fmt.Sprintf("gate-%s-%d-%v", name, l.width, l.dark))
		}
	}
}

// labelsOutside counts the texts of charts that leave their picture.
const labelsOutside = `[...document.querySelectorAll('.chart svg text')].filter(t => {
	const a = t.getBoundingClientRect(), b = t.ownerSVGElement.getBoundingClientRect();
	return a.width > 0 && (a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1);
}).length`
