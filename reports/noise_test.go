package reports

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// quietGate is a comparison of a build with itself.
func quietGate() *Gate {
	g := fixtureGate()
	g.Head = g.Base
	for i := range g.Runs {
		if r := &g.Runs[i]; r.Side == HeadSide {
			r.Values[ServerCPU] /= 1.28
			r.Values["peer.ack.p50"] /= 1.08
		}
	}
	g.Judge()
	return g
}

func TestTheNoiseOfAHostIsKeptAndFound(t *testing.T) {
	g := quietGate()
	n := &Noise{Schema: NoiseSchema}
	for range 2 { // the second takes the place of the first
		if err := n.Keep(g); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "new", "noise.json")
	if err := WriteNoise(file, n); err != nil {
		t.Fatal(err)
	}
	if err := satisfies(t, "noise.schema.json", "", file); err != nil {
		t.Error(err)
	}
	got, err := ReadNoise(file)
	if err != nil || !reflect.DeepEqual(got, n) || len(got.Hosts) != 1 {
		t.Fatalf("read something else than was written: %v", err)
	}
	h := got.Of(g.Environment.Fingerprint(), g.WorkloadSHA256)
	if d, known := h.Detectable(ServerCPU); !known || d != g.Metrics[0].Detectable || h.Blocks != 6 {
		t.Errorf("%+v", h)
	}
	if got.Of(g.Environment.Fingerprint(), strings.Repeat("0", 64)) != nil || got.Of(strings.Repeat("0", 64), g.WorkloadSHA256) != nil {
		t.Error("the noise of another host or workload is taken for this one")
	}
}

func TestNoNoiseIsLearnedFromADifference(t *testing.T) {
	for want, spoil := range map[string]func(*Gate){
		"are called regressed": func(g *Gate) { *g = *fixtureGate() },
		"too few valid runs":   func(g *Gate) { drop(g, 1); drop(g, 2); drop(g, 4) },
		"to tell the noise":    func(g *Gate) { g.Interrupted = true },
	} {
		g := quietGate()
		spoil(g)
		g.Judge()
		n := &Noise{Schema: NoiseSchema}
		if err := n.Keep(g); err == nil || !strings.Contains(err.Error(), want) || len(n.Hosts) > 0 {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestATailIsGatedOnlyWhereTheHostCanTellIt(t *testing.T) {
	n := &HostNoise{Metrics: []MetricNoise{{"peer.ack.p99", .3}}}
	for rule, want := range map[GateRule]string{
		{"peer.ack.p99", .4}:   "",
		{"peer.ack.p99", .3}:   "cannot tell",
		{"peer.ack.p99.9", .9}: "only where",
		{"peer.ack.p99.9", 0}:  "",
		{"peer.ack.p90", .1}:   "",
	} {
		if err := n.CheckTail(rule); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", rule, err)
		}
	}
	if err := (*HostNoise)(nil).CheckTail(GateRule{"peer.ack.p99", .4}); err == nil {
		t.Error("a tail is gated on a host that nobody has measured")
	}
}

func TestANoiseFileThatIsNoneIsRefused(t *testing.T) {
	n := &Noise{Schema: NoiseSchema, Hosts: []HostNoise{{HostSHA256: "x", WorkloadSHA256: "y"}}}
	if err := WriteNoise(filepath.Join(t.TempDir(), "n"), n); err == nil {
		t.Error("a host without check sums is written")
	}
	if err := WriteNoise(filepath.Join(t.TempDir(), "n"), new(Noise)); err == nil {
		t.Error("a noise without schema is written")
	}
}
