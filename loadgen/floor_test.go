package loadgen

import (
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

func TestRunsOfOneKindShareAFloor(t *testing.T) {
	sum := func(w Workload) string {
		t.Helper()
		kind, err := w.KindSHA256()
		if err != nil {
			t.Fatal(err)
		}
		return kind
	}
	want := sum(Peer(1000, 10*time.Second, 100))
	same := Peer(77, time.Minute, 100)
	same.Name, same.Seed, same.Sessions.Rate, same.Limits.MaxInFlight = "other", 9, 3, 5
	same.Thresholds = []Threshold{{}}
	if sum(same) != want {
		t.Error("rate, length, name, seed and thresholds make another kind")
	}
	if same.Traffic[0].Rate != 77 {
		t.Error("the workload itself was changed")
	}
	for name, change := range map[string]func(w *Workload){
		"clients":  func(w *Workload) { w.Sessions.Count = 50 },
		"payload":  func(w *Workload) { w.Traffic[0].Payload.Bytes = 65 },
		"arrivals": func(w *Workload) { w.Traffic[0].Arrival = Poisson },
		"traffic":  func(w *Workload) { w.Traffic = append(w.Traffic, Traffic{ID: "more", Op: OpPeer, Rate: 1}) },
	} {
		w := Peer(1000, 10*time.Second, 100)
		change(&w)
		if sum(w) == want {
			t.Errorf("other %s make no other kind", name)
		}
	}
}

func TestALevelOfAFloorTellsTheCPUOfEachMessage(t *testing.T) {
	w := brief(Fanout(500, time.Second, 2, 6))
	load, err := Run(t.Context(), w, Options{URL: null(t), AppID: testApp})
	if err != nil {
		t.Fatal(err)
	}
	load.Summary.Health.GeneratorCPUNS = 5_000_000 // 100 messages, 500 deliveries
	level := FloorLevel(load)
	if level.GeneratorCPUPerMessageNS != 50_000 || level.GeneratorCPUPerDeliveryNS != 10_000 {
		t.Errorf("%v ns per message and %v per delivery, want 50000 and 10000", level.GeneratorCPUPerMessageNS, level.GeneratorCPUPerDeliveryNS)
	}
	if m := level.Metric("channel.last"); m == nil || len(m.Curve) == 0 || m.Heat != nil || m.Series != nil {
		t.Errorf("the level keeps %+v of channel.last", m)
	}
	level.Validity = reports.Valid
	floor := &reports.Floor{Levels: []reports.FloorLevel{level}}
	o := Options{URL: null(t), AppID: testApp, Floor: floor}
	if load, err = Run(t.Context(), w, o); err != nil || load.FloorMetric("channel.last") == nil {
		t.Errorf("the run has the floor %+v: %v", load.Floor, err)
	}
}

func TestALimitBelowThreeTimesTheFloorIsRefused(t *testing.T) {
	ack := reports.Metric{Name: "peer.ack", Count: 10_000, MinNS: 5e4, MeanNS: 15e4, P50NS: 1e5, P90NS: 2e5, P99NS: 4e5, P999NS: 1e6, P9999NS: 3e6, MaxNS: 5e6,
		Curve: []reports.CurvePoint{{Percentile: 50, ValueNS: 1e5}, {Percentile: 75, ValueNS: 15e4}, {Percentile: 95, ValueNS: 3e5}, {Percentile: 100, ValueNS: 5e6}}}
	lag := reports.Metric{Name: "lag", Count: 10_000, P99NS: 4e5}
	f := &reports.Floor{Levels: []reports.FloorLevel{{OfferedPerS: 1000, Validity: reports.Valid, Metrics: []reports.Metric{ack, lag}}}}
	for limit, fits := range map[string]bool{
		"peer.ack.p99 < 1.2ms":   true,
		"peer.ack.p99 < 1.19ms":  false,
		"peer.ack.p99 <= 500us":  false,
		"peer.ack.p99 > 1us":     true,
		"peer.ack.p50 < 300us":   true,
		"peer.ack.p50 < 299us":   false,
		"peer.ack.p75 < 449us":   false,
		"peer.ack.p80 < 800us":   false,
		"peer.ack.p80 < 900us":   true,
		"peer.ack.p99.9 < 2ms":   false,
		"peer.ack.mean < 400us":  false,
		"peer.ack.max < 14ms":    false,
		"peer.ack.count > 5":     true,
		"peer.deliver.p99 < 1us": true,
		"lag.p99 < 500us":        true,
		"loss == 0":              true,
	} {
		w := Peer(900, 10*time.Second, 100)
		threshold, err := ParseThreshold(limit)
		if err != nil {
			t.Fatal(err)
		}
		w.Thresholds = []Threshold{threshold}
		err = w.CheckFloor(f)
		if fits != (err == nil) || err != nil && !strings.Contains(err.Error(), "thresholds[0]: "+threshold.String()+" cannot be measured on this host") {
			t.Errorf("%s: %v", limit, err)
		}
	}
	f.Levels[0].Validity = reports.Invalid
	w := Peer(900, 10*time.Second, 100)
	tight, _ := ParseThreshold("peer.ack.p99 < 1us")
	w.Thresholds = []Threshold{tight}
	if err := w.CheckFloor(f); err != nil {
		t.Errorf("a floor that was never measured refuses a limit: %v", err)
	}
}
