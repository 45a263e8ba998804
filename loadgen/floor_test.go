package loadgen

import (
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
	if sum(same) != want {
		t.Error("rate, length, name and seed make another kind")
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
	floor := &reports.Floor{Levels: []reports.FloorLevel{level}}
	o := Options{URL: null(t), AppID: testApp, Floor: floor}
	if load, err = Run(t.Context(), w, o); err != nil || load.Floor != floor {
		t.Errorf("the run has the floor %+v: %v", load.Floor, err)
	}
}
