package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

// knownFloor is a floor of this host for the workload peer, with a p99 of 400 µs.
func knownFloor(t *testing.T) *reports.Floor {
	t.Helper()
	kind, err := loadgen.Peer(1000, time.Second, 100).KindSHA256()
	if err != nil {
		t.Fatal(err)
	}
	host := reports.CollectEnvironment()
	return &reports.Floor{
		Schema: reports.FloorSchema, ToolVersion: version, MeasuredAt: time.Now().UTC(), HostSHA256: host.Fingerprint(), Environment: host,
		Workload: "peer", KindSHA256: kind, ValidPerS: 1000,
		Levels: []reports.FloorLevel{{OfferedPerS: 1000, AchievedPerS: 1000, Validity: reports.Valid, Metrics: []reports.Metric{{Name: "peer.ack", Count: 1000, P99NS: 400_000}}}},
	}
}

func TestARunFindsTheFloorOfItsHostAndRefusesWhatItCannotMeasure(t *testing.T) {
	long(t)
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", filepath.Join(t.TempDir(), "cache"))
	tight := []string{"load", "run", "peer", "--threshold", "peer.ack.p99 < 1ms"}
	refused := func(args ...string) (int, string) {
		var stderr bytes.Buffer
		code := run(args, strings.NewReader(""), &bytes.Buffer{}, &stderr)
		return code, stderr.String()
	}

	floor := knownFloor(t)
	given := filepath.Join(t.TempDir(), "floor.json")
	if err := reports.WriteFloor(given, floor); err != nil {
		t.Fatal(err)
	}
	if code, said := refused(append(tight, "--floor", given)...); code != int(exitUsage) || !strings.Contains(said, "cannot be measured on this host") {
		t.Errorf("with --floor: exit %d, %s", code, said)
	}

	kept, err := floorFile(loadgen.Peer(50, time.Minute, 100))
	if err != nil {
		t.Fatal(err)
	}
	if err := reports.WriteFloor(kept, floor); err != nil {
		t.Fatal(err)
	}
	if code, said := refused(tight...); code != int(exitUsage) || !strings.Contains(said, "cannot be measured on this host") {
		t.Errorf("with the floor in the cache: exit %d, %s", code, said)
	}

	floor.HostSHA256 = strings.Repeat("0f", 32)
	if err := reports.WriteFloor(given, floor); err != nil {
		t.Fatal(err)
	}
	if code, said := refused("load", "run", "peer", "--floor", given); code != int(exitUsage) || !strings.Contains(said, "another host") {
		t.Errorf("with the floor of another host: exit %d, %s", code, said)
	}
	if code, said := refused("load", "run", "peer", "--clients", "7", "--floor", given); code != int(exitUsage) || !strings.Contains(said, "another workload") {
		t.Errorf("with the floor of another workload: exit %d, %s", code, said)
	}
}
