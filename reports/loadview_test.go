package reports

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// runReport is the report of one load run.
func runReport(change func(*Load)) *Report {
	l := fixtureLoad("peer", 1)
	if change != nil {
		change(l)
	}
	return Of(l)
}

// brokenLoad is a run with everything wrong that a page has to show.
func brokenLoad() *Load {
	l := failingReport().Loads[0]
	l.Dir = ""
	l.Summary.Validity = Validity{Verdict: Invalid, Reasons: []string{"the schedule lag had a p99 of 14.2 ms; up to 1 ms is valid"}, Attribution: "host noise"}
	l.Summary.Thresholds = []Threshold{{Expr: "peer.ack.p99 < 1ms", Observed: "4.1ms"}, {Expr: "peer.ack.p99.99 < 1s", Observed: "9ms", Holds: true, Insufficient: true}}
	for i := range l.Summary.Series {
		l.Summary.Series[i].Errors = int64(i % 3)
	}
	l.Summary.Operations = []Operation{{Traffic: "storm", Op: "login", Scheduled: 400, Done: 388, Failed: 9, Unfinished: 3}, {Traffic: "churn", Op: "join", Scheduled: 1200, Done: 1200}}
	l.Summary.Ledger[0].AckedNotReceived, l.Summary.Ledger[0].AbsentNotReceived = 12, 12
	l.Manifest.Aborted, l.Manifest.LostNS = &Abort{Expr: "peer.ack.p99 < 1ms", Second: 6, Observed: "4.1ms"}, 9_400_000_000
	l.Manifest.Client = &Identity{Kind: "client", Name: "example-sdk", Version: "2.3.1", Language: "kotlin"}
	for i := range 2 {
		l.Manifest.Parts = append(l.Manifest.Parts, ShardPart{
			Shard: Shard{Index: i, Count: 2, StartAt: fixtureStart, FirstSession: 50 * i, Sessions: 50}, Environment: fixtureEnvironment(),
			Validity: Validity{Verdict: []ValidityVerdict{Valid, Invalid}[i]}, Health: Health{LagP99NS: int64(212_000 + i*14_000_000), GeneratorCPUShare: 0.2},
		})
	}
	return &l
}

// drawnFloor is the floor of the fixture's host with curves, at a fifth of the
// fixture's latencies.
func drawnFloor() *Floor {
	f := fixtureFloor()
	rnd := rand.New(rand.NewPCG(11, 11))
	for i := range f.Levels {
		f.Levels[i].Metrics = []Metric{fixtureMetric(rnd, "peer.ack", 12, 1000, 0.05, false), fixtureMetric(rnd, "peer.deliver", 12, 1000, 0.04, false)}
	}
	return f
}

func tones(bar []outcome) (list []tone) {
	for _, o := range bar {
		list = append(list, o.Tone)
	}
	return list
}

func TestTheBarOfARunJudgesValidityAccountingThresholdsAndFloor(t *testing.T) {
	floor := fixtureFloor()
	for name, test := range map[string]struct {
		change func(*Load)
		want   []tone
		title  string
	}{
		"nothing known but the run": {nil, []tone{toneGood, toneGood, toneNone, toneNone}, "Floor not measured"},
		"everything wrong":          {func(l *Load) { *l = *brokenLoad() }, []tone{toneBad, toneBad, toneBad, toneNone}, "Threshold exceeded"},
		"degraded": {func(l *Load) { l.Summary.Validity = Validity{Verdict: Degraded, Reasons: []string{"late"}} },
			[]tone{toneWarn, toneGood, toneNone, toneNone}, "Degraded run"},
		"a floor far below": {func(l *Load) {
			l.Floor = floor
			l.Summary.Metrics[0].P50NS = 100 * l.FloorMetric("peer.ack").P50NS
		}, []tone{toneGood, toneGood, toneNone, toneGood}, "Floor known"},
		"a floor not far below": {func(l *Load) {
			l.Floor = floor
			l.Summary.Metrics[0].P50NS = 2 * l.FloorMetric("peer.ack").P50NS
		}, []tone{toneGood, toneGood, toneNone, toneWarn}, "Near the floor"},
		"a rate the generator cannot carry": {func(l *Load) {
			l.Floor, l.Summary.OfferedPerS = floor, 100*floor.ValidPerS
			floor.Bounded = true
		}, []tone{toneGood, toneGood, toneNone, toneWarn}, "Beyond the generator"},
		"a floor of another workload": {func(l *Load) {
			l.Floor = floor
			l.Summary.Metrics[0].Name = "channel.deliver"
		}, []tone{toneGood, toneGood, toneNone, toneWarn}, "Floor not comparable"},
	} {
		bar := loadBar(&runReport(test.change).Loads[0])
		if got := tones(bar); !slices.Equal(got, test.want) {
			t.Errorf("%s: the tones are %v, want %v", name, got, test.want)
		}
		if !slices.ContainsFunc(bar, func(o outcome) bool { return o.Title == test.title }) {
			t.Errorf("%s: no part is titled %q: %v", name, test.title, bar)
		}
	}
}

func TestARunSaysWhatItCannotTell(t *testing.T) {
	for words, change := range map[string]func(*Load){
		"the run is invalid":               func(l *Load) { l.Summary.Validity.Verdict = Invalid },
		"was cut short":                    func(l *Load) { l.Manifest.Interrupted = true },
		"the threshold a < 1 ended it":     func(l *Load) { l.Manifest.Interrupted, l.Manifest.Aborted = true, &Abort{Expr: "a < 1"} },
		"was lost after 2.00\u00a0s":       func(l *Load) { l.Manifest.LostNS = 2e9 },
		"part 2 of 3":                      func(l *Load) { l.Manifest.Shard = &Shard{Index: 1, Count: 3} },
		"the loop is closed":               func(l *Load) { l.Manifest.Pacer.Kind = "closed loop" },
		"has the client library":           func(l *Load) { l.Manifest.Client = &Identity{Name: "x"} },
		"beyond p99.9 of peer.ack, peer.d": nil, // 12,000 samples leave one beyond p99.99
		"beyond p90 of peer.ack and ":      func(l *Load) { l.Summary.Metrics[0].Count = 100 },
		"any percentile of peer.ack":       func(l *Load) { l.Summary.Metrics[0].Count = 3 },
		"took 60 s or more":                func(l *Load) { l.Summary.Metrics[0].Overflow = 2 },
		"there was no warm-up":             func(l *Load) { l.Summary.Phases = l.Summary.Phases[1:] },
		"10.0 s were measured":             nil,
		"no floor was measured":            nil,
		"its CPU was not observed":         func(l *Load) { l.Summary.Health.ServerCPUNS = 0 },
		"the target is on the generator's": nil,
		"the pacer of this system":         func(l *Load) { l.Manifest.Pacer.Kind = "sleep" },
		"one run is one sample":            nil,
	} {
		if got := strings.Join(limitsOf(&runReport(change).Loads[0]), "; "); !strings.Contains(got, words) {
			t.Errorf("nothing says %q: %s", words, got)
		}
	}
	quiet := runReport(func(l *Load) {
		l.Floor, l.Manifest.Target = fixtureFloor(), "wss://rtm.example/rtm/v1"
		l.Summary.Phases[1].DurationNS = 60e9
		for i := range l.Summary.Metrics {
			l.Summary.Metrics[i].Count = 1e6
		}
	})
	if got := limitsOf(&quiet.Loads[0]); len(got) != 1 {
		t.Errorf("a good run cannot tell %q, want only that it is one sample", got)
	}
}

// brokenLedger is the ledger.jsonl of brokenLoad.
const brokenLedger = `{"row":{"traffic":"peer","lost":3}}
{"anomaly":{"kind":"lost","traffic":"peer","phase":"measure","sender":"lt-00007","to":"lt-00042","seq":12,"receiver":"lt-00042"}}
{"anomaly":{"kind":"lost","traffic":"peer","phase":"warmup","sender":"lt-00008","to":"lt-00042","seq":3,"receiver":"lt-00042"}}
{"anomaly":{"kind":"duplicated","traffic":"room","phase":"measure","sender":"lt-00008","to":"room-001","seq":40,"receiver":"lt-00011"}}
{"anomaly":{"kind":"corrupt","seq":0,"receiver":"lt-00001"}}
{"anomaly":
`

func writeBrokenRun(t *testing.T, ledger string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ledgerFile), []byte(ledger), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, Of(brokenLoad())); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatWentWrongIsCountedAndNamed(t *testing.T) {
	l := brokenLoad()
	l.anomalies = readAnomalies(writeBrokenRun(t, brokenLedger), l)
	groups := anomalyGroups(l)
	var got []string
	for _, g := range groups {
		got = append(got, g.Kind+": "+strings.Join(g.Named, ", "))
	}
	want := []string{"lost: lt-00007 → lt-00042 #12, lt-00008 → lt-00042 #3 (warmup)", "duplicated: lt-00008 → room-001 #40 at lt-00011", "false receipts: "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if groups[0].Total != 3 || groups[0].Rest != 1 {
		t.Errorf("3 were lost, 2 are named, and the page says %d more of %d", groups[0].Rest, groups[0].Total)
	}
}

func TestOnlyTheFirstOfManyAnomaliesAreNamed(t *testing.T) {
	l := brokenLoad()
	line := `{"anomaly":{"kind":"lost","sender":"a","to":"b","seq":1,"receiver":"b"}}` + "\n"
	l.anomalies = readAnomalies(writeBrokenRun(t, strings.Repeat(line, 100)), l)
	if len(l.anomalies) != maxNamed {
		t.Errorf("%d are named, want %d", len(l.anomalies), maxNamed)
	}
}

func TestAPageWithNamedAnomaliesVerifiesAndHidesSecrets(t *testing.T) {
	dir := writeBrokenRun(t, strings.Replace(brokenLedger, `"sender":"lt-00007"`, `"sender":"<i>rtm?token=hunter2"`, 1))
	page, err := os.ReadFile(filepath.Join(dir, PageFile))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(page); !strings.Contains(text, "lt-00042 #12") || strings.Contains(text, "hunter2") || strings.Contains(text, "<i>rtm") {
		t.Error("the page does not name the lost message as text without its secret")
	}
	v, err := Verify(dir, Of(brokenLoad()).ToolVersion)
	if err != nil {
		t.Fatal(err)
	}
	for _, finding := range v.Findings {
		if strings.Contains(finding, "renders") {
			t.Error(finding)
		}
	}
}

func TestNoFileOutsideTheReportIsReadForAnomalies(t *testing.T) {
	dir := writeBrokenRun(t, brokenLedger)
	l := brokenLoad()
	l.Dir = "../" + filepath.Base(dir)
	if list := readAnomalies(dir, l); len(list) != 0 {
		t.Errorf("read %d anomalies through %s", len(list), l.Dir)
	}
}

func TestThePageOfASoakStaysLight(t *testing.T) {
	const hours = 4
	r := runReport(func(l *Load) {
		s := &l.Summary
		for i := range s.Metrics {
			m := &s.Metrics[i]
			points := m.Series
			for second := len(points); second < hours*3600; second++ {
				p := points[second%len(points)]
				p.Second = second
				m.Series = append(m.Series, p)
			}
			if m.Heat != nil {
				columns := m.Heat.Columns
				for second := len(columns); second < hours*3600; second++ {
					m.Heat.Columns = append(m.Heat.Columns, HeatColumn{second, columns[second%len(columns)].Counts})
				}
			}
		}
		for second := len(s.Series); second < hours*3600; second++ {
			p, h := s.Series[second%12], s.Health.Series[second%12]
			p.Second, h.Second = second, second
			s.Series, s.Health.Series = append(s.Series, p), append(s.Health.Series, h)
		}
	})
	page, err := pageText(r)
	if err != nil {
		t.Fatal(err)
	}
	if len(page) > 1_500_000/4 {
		t.Errorf("the page of a run of %d hours has %d bytes", hours, len(page))
	}
	for _, c := range allCharts(&r.Loads[0]) {
		inside(t, c)
	}
}

func TestTheFloorIsDrawnBesideItsMetric(t *testing.T) {
	r := runReport(func(l *Load) { l.Floor = drawnFloor() })
	lines := func() (classes []string) {
		for _, l := range newLoadView(&r.Loads[0], 0).Latency[0].Lines {
			classes = append(classes, l.Class)
		}
		return classes
	}
	if with := lines(); !slices.Contains(with, "c1 floor") {
		t.Errorf("no line is the floor of peer.ack: %q", with)
	}
	r.Loads[0].Floor = nil
	if without := lines(); slices.Contains(without, "c1 floor") {
		t.Error("a floor is drawn where none is known")
	}
}

func TestWhatCutARunShortIsMarkedInItsCharts(t *testing.T) {
	v := newLoadView(brokenLoad(), 0)
	for _, c := range slices.Concat(v.Latency[1:], v.Flow[:2], v.Health.Charts) {
		if len(c.Marks) != 2 {
			t.Errorf("%s has %d marks, want the abort and the loss of the target", c.Kind, len(c.Marks))
		}
	}
	if got := happened(brokenLoad()); got[0].X != 8 || got[1].X != 9.4 {
		t.Errorf("the marks are at %v and %v, want 8 (second 6 of a phase that begins at 2) and 9.4", got[0].X, got[1].X)
	}
}

func TestALongWaitBeforeTheLoadIsNotDrawn(t *testing.T) {
	const wait = 90
	l := runReport(func(l *Load) {
		s := &l.Summary
		for i := range s.Phases {
			s.Phases[i].StartNS += wait * 1e9
		}
		s.Phases = append([]Phase{{Name: "connect", DurationNS: wait * 1e9}}, s.Phases...)
		for i := range s.Series {
			s.Series[i].Second += wait
		}
		s.Series = append([]SeriesPoint{{Second: 0}}, s.Series...)
	}).Loads[0]
	c := rateChart(&l)
	inside(t, c)
	if first := c.XTicks[0].Label; first != "90 s" {
		t.Errorf("the axis begins at %s, want it to begin with the load", first)
	}
}

func TestALineThatFewWorkloadsHaveIsShownOnlyWithACount(t *testing.T) {
	rare := func(rows []LedgerRow) (n int) {
		for _, l := range ledgerGroups(rows)[1].Lines {
			if l.rare {
				n++
			}
		}
		return n
	}
	if rare([]LedgerRow{{}}) != 0 || rare([]LedgerRow{{}, {AbsentNotReceived: 1}}) != 1 {
		t.Error("the answers with nobody there are shown without any, or not with one")
	}
}

func TestALongRunKeepsItsPeaksAndItsMeans(t *testing.T) {
	points := make([]sampled, 2*maxBins)
	for i := range points {
		points[i] = sampled{second: i, value: float64(i % 2)}
	}
	peaks, means := curve{points: points, peak: true}.binned(0, 2), curve{points: points}.binned(0, 2)
	if len(peaks) != maxBins || len(means) != maxBins {
		t.Fatalf("%d and %d points, want %d", len(peaks), len(means), maxBins)
	}
	if peaks[7].value != 1 || means[7].value != 0.5 || peaks[7].second != 14 {
		t.Errorf("the point of seconds 14 and 15 is at %d with peak %v and mean %v", peaks[7].second, peaks[7].value, means[7].value)
	}
}
