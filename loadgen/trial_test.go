package loadgen

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/reports"
)

func TestTheSlopeIsTheMedianOfAllPairs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e6, 1e6), 0, 60).Draw(t, "values")
		var slopes []float64
		for i := range values {
			for j := range i {
				slopes = append(slopes, (values[i]-values[j])/float64(i-j))
			}
		}
		slices.Sort(slopes)
		want := 0.0
		if n := len(slopes); n > 0 {
			want = (slopes[(n-1)/2] + slopes[n/2]) / 2
		}
		before := slices.Clone(values)
		if got := theilSen(values); math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
			t.Fatalf("slope %v, want %v", got, want)
		}
		if !slices.Equal(values, before) {
			t.Fatal("the values were moved")
		}
	})
}

func TestTheSlopeOfManyValuesIsThatOfSome(t *testing.T) {
	values := make([]float64, 50_000)
	for i := range values {
		values[i] = 3 * float64(i)
	}
	values[17] = 1e12
	if got := theilSen(values); math.Abs(got-3) > 1e-9 {
		t.Errorf("slope %v, want 3", got)
	}
}

// steady is the result of a run of ten seconds at 1000/s in which everything went well.
func steady() *reports.Load {
	load := &reports.Load{}
	s := &load.Summary
	s.OfferedPerS, s.AchievedPerS, s.DeliveredPerS = 1000, 1000, 1000
	s.Validity.Verdict = reports.Valid
	s.Phases = []reports.Phase{{Name: phaseWarmup, DurationNS: 1.5e9}, {Name: phaseMeasure, StartNS: 1.5e9, DurationNS: 10e9, Scheduled: 10_000}}
	m := reports.Metric{Name: "peer.ack", Count: 10_000, P50NS: 1e6, P99NS: 4e6}
	for second := range 12 {
		s.Series = append(s.Series, reports.SeriesPoint{Second: second, Offered: 1000, Sent: 1000, Acked: 1000})
		m.Series = append(m.Series, reports.LatencyPoint{Second: second, Count: 1000, P99NS: 4e6})
	}
	s.Metrics = []reports.Metric{m}
	s.Ledger = []reports.LedgerRow{{Traffic: "peer", Sent: 10_000, Expected: 10_000, DeliveredOnce: 10_000}}
	s.Equations = []reports.Equation{{Traffic: "peer", Text: "expected = delivered_once + lost", Left: 1, Right: 1, Holds: true}}
	s.Thresholds = []reports.Threshold{{Expr: "ack_error == 0", Observed: "0", Holds: true}}
	return load
}

func TestATrialFailsByTheFirstDemandThatIsNotMet(t *testing.T) {
	late := reports.Validity{Verdict: reports.Invalid, Reasons: []string{"the schedule lag had a p99 of 9ms"}}
	for name, tt := range map[string]struct {
		spoil   func(s *reports.Summary)
		verdict reports.TrialVerdict
		says    string
	}{
		"a steady run":      {func(*reports.Summary) {}, reports.TrialPassed, ""},
		"a lost message":    {func(s *reports.Summary) { s.Ledger[0].Lost, s.Ledger[0].FalseReceipts = 2, 1 }, reports.TrialLost, "2 lost, 1 falsely receipted"},
		"a broken equation": {func(s *reports.Summary) { s.Equations[0].Holds = false }, reports.TrialLost, "does not hold"},
		"a loss in a run that is only degraded": {func(s *reports.Summary) {
			s.Ledger[0].Lost, s.Validity = 1, reports.Validity{Verdict: reports.Degraded}
		}, reports.TrialLost, "1 lost"},
		"a loss in an invalid run": {func(s *reports.Summary) { s.Ledger[0].Lost, s.Validity = 1, late }, reports.TrialInvalid, "9ms"},
		"a late generator":         {func(s *reports.Summary) { s.Validity = late }, reports.TrialInvalid, "the run is invalid"},
		"a degraded run":           {func(s *reports.Summary) { s.Validity = late; s.Validity.Verdict = reports.Degraded }, reports.TrialInvalid, "degraded"},
		"a late generator and a slow server": {func(s *reports.Summary) {
			s.Validity, s.Thresholds[0].Holds = late, false
		}, reports.TrialInvalid, "9ms"},
		"noise":                       {func(s *reports.Summary) { s.Validity = late; s.Validity.Attribution = "host noise" }, reports.TrialNoisy, "9ms"},
		"a server that takes nothing": {func(s *reports.Summary) { s.Validity = late; s.Validity.Attribution = "server bound" }, reports.TrialFailed, "9ms"},
		"too little sent":             {func(s *reports.Summary) { s.AchievedPerS = 994 }, reports.TrialFailed, "994.0 of 1000.0"},
		"fewer independent arrivals than the rate says": {func(s *reports.Summary) { s.AchievedPerS, s.Phases[1].Scheduled = 970, 9700 }, reports.TrialPassed, ""},
		"a broken threshold": {func(s *reports.Summary) {
			s.Thresholds[0] = reports.Threshold{Expr: "peer.ack.p99 < 20ms", Observed: "31 ms"}
		}, reports.TrialFailed, "peer.ack.p99 < 20ms; observed 31 ms"},
		"a growing backlog": {func(s *reports.Summary) {
			for i := range s.Series {
				s.Series[i].Acked = 990
			}
		}, reports.TrialFailed, "grew by 10 per second"},
		"one second of backlog":    {func(s *reports.Summary) { s.Series[5].Acked, s.Series[6].Acked = 700, 1300 }, reports.TrialPassed, ""},
		"a backlog of the warm-up": {func(s *reports.Summary) { s.Series[0].Acked = 0 }, reports.TrialPassed, ""},
		"a latency that rises": {func(s *reports.Summary) {
			for i := range s.Metrics[0].Series {
				s.Metrics[0].Series[i].P99NS = int64(i+1) * 1e6
			}
		}, reports.TrialFailed, "rose from 4ms in the first third to 10ms"},
		"a latency that rises below what counts": {func(s *reports.Summary) {
			for i := range s.Metrics[0].Series {
				s.Metrics[0].Series[i].P99NS = int64(i+1) * 1e5
			}
		}, reports.TrialPassed, ""},
		"one bad second at the end": {func(s *reports.Summary) { s.Metrics[0].Series[10].P99NS = 50e6 }, reports.TrialPassed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			load := steady()
			tt.spoil(&load.Summary)
			trial := JudgeTrial(load, 10*time.Second)
			if trial.Verdict != tt.verdict || !strings.Contains(trial.Criterion, tt.says) || (tt.says == "") != (trial.Criterion == "") {
				t.Errorf("%s by %q, want %s by %q", trial.Verdict, trial.Criterion, tt.verdict, tt.says)
			}
			if trial.P50NS != 1e6 || trial.P99NS != 4e6 || trial.RatePerS != 1000 {
				t.Errorf("the trial tells %+v", trial)
			}
		})
	}
}

func TestATrialWhoseServerWentAwayFailsByThatAlone(t *testing.T) {
	load := steady()
	load.Manifest.LostNS = 3e9
	load.Summary.Ledger[0].Lost = 7
	if trial := JudgeTrial(load, 10*time.Second); trial.Verdict != reports.TrialFailed || !strings.Contains(trial.Criterion, "went away 3s after") {
		t.Errorf("%s by %q", trial.Verdict, trial.Criterion)
	}
}

func TestAScaledWorkloadKeepsItsShares(t *testing.T) {
	w := Peer(300, 10*time.Second, 10)
	w.Traffic = append(w.Traffic, Traffic{ID: "more", Op: OpPeer, Rate: 100})
	scaled := w.Scaled(8000, 3*time.Second)
	if scaled.Traffic[0].Rate != 6000 || scaled.Traffic[1].Rate != 2000 || scaled.TotalRate() != 8000 || scaled.Phases.Measure != 3*time.Second {
		t.Errorf("scaled to %+v", scaled)
	}
	if w.Traffic[0].Rate != 300 || w.Phases.Measure != 10*time.Second {
		t.Error("the workload itself was changed")
	}
}

func TestComingsAndGoingsAreScaledButAreNoMessages(t *testing.T) {
	w := Fanout(100, 10*time.Second, 1, 10)
	w.Traffic = append(w.Traffic, Traffic{ID: "again", Op: OpReconnect, Sessions: "8-9", Rate: 5})
	scaled := w.Scaled(400, time.Second)
	if w.TotalRate() != 100 || scaled.TotalRate() != 400 || scaled.Traffic[1].Rate != 20 {
		t.Errorf("%v in all, and scaled %+v", w.TotalRate(), scaled.Traffic)
	}
}

func TestAWorkloadWithoutOneRateIsNotScaled(t *testing.T) {
	plain := func() Workload { return Peer(100, 10*time.Second, 10) }
	if err := plain().CheckScalable(); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(w *Workload){
		"traffic[0].executor: closed has no rate":      func(w *Workload) { w.Traffic[0].Executor = Closed },
		"traffic[0].executor: replay has no rate":      func(w *Workload) { w.Traffic[0].Executor = Replay },
		"traffic[0].stages: they say what the rate is": func(w *Workload) { w.Traffic[0].Stages = []Stage{{Hold: time.Second}} },
		"traffic: no message is sent":                  func(w *Workload) { w.Traffic[0].Op = OpLogin },
	} {
		w := plain()
		change(&w)
		if err := w.CheckScalable(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}
