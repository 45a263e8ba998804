package reports

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func fixtureFloor() *Floor {
	e := passingReport().Environment
	f := &Floor{
		Schema: FloorSchema, ToolVersion: "0.1.0", MeasuredAt: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC),
		HostSHA256: e.Fingerprint(), Environment: e, Workload: "peer", KindSHA256: strings.Repeat("0f", 32),
		ValidPerS: 2000, Bounded: true,
	}
	for i, rate := range []float64{100, 500, 1000, 2000, 4000} {
		level := FloorLevel{OfferedPerS: rate, AchievedPerS: rate, Validity: Valid, LagP99NS: int64(100_000 * (i + 1)), GeneratorCPUPerMessageNS: 9000, GeneratorCPUPerDeliveryNS: 9000}
		level.Metrics = []Metric{{Name: "peer.ack", Count: 1000, P50NS: int64(rate)}}
		if rate == 4000 {
			level.Validity, level.LagP99NS = Invalid, 3_000_000
		}
		f.Levels = append(f.Levels, level)
	}
	return f
}

func TestARunIsSetBesideTheNearestValidLevelOfItsFloor(t *testing.T) {
	load := &Load{Floor: fixtureFloor()}
	for rate, want := range map[float64]int64{1: 100, 240: 500, 200: 100, 800: 1000, 1900: 2000, 9000: 2000} {
		load.Summary.OfferedPerS = rate
		if m := load.FloorMetric("peer.ack"); m == nil || m.P50NS != want {
			t.Errorf("the floor of a run at %v/s is %+v, not that at %d/s", rate, m, want)
		}
	}
	slim := load.Floor.For(800)
	for i, level := range slim.Levels {
		if (level.Metric("peer.ack") != nil) != (level.OfferedPerS == 1000) || load.Floor.Levels[i].Metric("peer.ack") == nil {
			t.Errorf("for a run at 800/s the floor keeps %+v", level)
		}
	}
	if (*Floor)(nil).For(800) != nil {
		t.Error("no floor becomes one")
	}
	if load.FloorMetric("channel.last") != nil || new(Load).FloorMetric("peer.ack") != nil {
		t.Error("there is a floor where none was measured")
	}
	for i := range load.Floor.Levels {
		load.Floor.Levels[i].Validity = Invalid
	}
	if load.FloorMetric("peer.ack") != nil {
		t.Error("an invalid level serves as a floor")
	}
}

func TestAFloorIsReadBackAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cache", "floor-peer.json")
	want := fixtureFloor()
	if err := WriteFloor(file, want); err != nil {
		t.Fatal(err)
	}
	if err := satisfies(t, "floor.schema.json", "", file); err != nil {
		t.Error(err)
	}
	got, err := ReadFloor(file)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	if !bytes.Equal(a, b) {
		t.Errorf("read back:\n%s\nwritten:\n%s", b, a)
	}

	load := passingReport().Loads[0]
	load.Floor = want
	if err := WriteLoad(dir, &load); err != nil {
		t.Fatal(err)
	}
	back, err := ReadLoad(dir)
	if err != nil {
		t.Fatal(err)
	}
	if back.Floor == nil || back.Floor.ValidPerS != want.ValidPerS {
		t.Errorf("the run folder keeps the floor %+v", back.Floor)
	}
}

func TestAFloorThatCouldBeMisunderstoodIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "floor.json")
	if err := WriteFloor(file, fixtureFloor()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"another schema":     {FloorSchema, "rtmkit-floor/v2"},
		"an unknown key":     {`"bounded"`, `"bound"`},
		"an unknown verdict": {`"validity": "invalid"`, `"validity": "doubtful"`},
		"levels in disorder": {`"offered_per_s": 100,`, `"offered_per_s": 700,`},
		"no fingerprint":     {`"kind_sha256": "0f`, `"kind_sha256": "xx`},
	} {
		changed := bytes.Replace(text, []byte(edit[0]), []byte(edit[1]), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if err := os.WriteFile(file, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadFloor(file); err == nil {
			t.Errorf("%s is read without a word", name)
		}
	}
}

func TestAHostIsKnownByWhatMakesItFast(t *testing.T) {
	e := passingReport().Environment
	same := e
	same.GoVersion, same.MemoryBytes = "go9", e.MemoryBytes+1
	if e.Fingerprint() != same.Fingerprint() {
		t.Error("another build of Go makes another host")
	}
	other := e
	other.Cores++
	if e.Fingerprint() == other.Fingerprint() {
		t.Error("one core more makes no other host")
	}
}
