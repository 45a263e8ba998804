package reports

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// exportedLoads are two runs, one with a name that means something in every format.
func exportedLoads() []Load {
	loads := []Load{*fixtureLoad("peer", 1), *fixtureLoad("channel", 50)}
	loads[1].Manifest.Name = "many \"rooms\"\n\\ 1"
	loads[1].Summary.Validity = Validity{Verdict: Degraded, Reasons: []string{"the lag was high"}}
	loads[1].Summary.Ledger[0].Lost = 3
	loads[1].Summary.Thresholds = []Threshold{{Expr: `loss{traffic="a\"b"} == 0`, Observed: "3"}, {Expr: "channel.last.p99 < 1s", Observed: "9ms", Holds: true}}
	// Of 500 samples no more than the p95 is proven.
	loads[1].Summary.Metrics[2].Count = 500
	return loads
}

func exported(t *testing.T, format ExportFormat, loads []Load) []byte {
	t.Helper()
	text, err := Export(format, loads)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestExportsAreWhatTheyWere(t *testing.T) {
	for format, file := range map[ExportFormat]string{
		ExportBenchstat: "export.bench.txt", ExportPrometheus: "export.prom", ExportBenchmarkAction: "export.action.json",
	} {
		golden(t, filepath.Join("testdata", "golden", file), exported(t, format, exportedLoads()))
	}
}

var (
	benchmarkHead = regexp.MustCompile(`^(Unit \S+ better=(lower|higher)|[a-z][^ \tA-Z]*: .*|BenchmarkLoad/\S+ [1-9]\d*( [0-9.]+ \S+)+)$`)
	benchmarkLoad = regexp.MustCompile(`(?m)^BenchmarkLoad/(\S+) (\d+)(.*)$`)
)

func TestBenchmarkTextHasOneLineForEachRunWithTheUnitOfEachNumber(t *testing.T) {
	loads := exportedLoads()
	loads = append(loads, loads[0])
	text := string(exported(t, ExportBenchstat, loads))
	for line := range strings.Lines(text) {
		if !benchmarkHead.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Errorf("no line of the format: %q", line)
		}
	}
	lines := benchmarkLoad.FindAllStringSubmatch(text, -1)
	if len(lines) != 3 || lines[0][0] != lines[2][0] || lines[1][1] != `many_"rooms"_\_1` {
		t.Fatalf("%d lines, %q", len(lines), lines)
	}
	fields := strings.Fields(lines[0][3])
	values := map[string]float64{}
	for i := 0; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if _, twice := values[fields[i+1]]; err != nil || twice {
			t.Errorf("%s %s: %v", fields[i], fields[i+1], err)
		}
		values[fields[i+1]] = v
		if !strings.Contains(text, "Unit "+fields[i+1]+" better=") {
			t.Errorf("which is better of %s is not said", fields[i+1])
		}
	}
	s := loads[0].Summary
	for unit, want := range map[string]float64{
		"peer.ack-p50-ns": float64(s.Metrics[0].P50NS), "peer.ack-p99.9-ns": float64(s.Metrics[0].P999NS), "sent/s": s.AchievedPerS,
		"server-cpu-ns/msg": s.Health.ServerCPUPerMessageNS, "server-rss-B": float64(s.Health.ServerRSSBytes), "lost": 0,
	} {
		if values[unit] != want {
			t.Errorf("%s is %v, want %v", unit, values[unit], want)
		}
	}
	// 12,000 samples prove a p99.9 and no p99.99.
	if _, invented := values["peer.ack-p99.99-ns"]; invented || strings.Contains(lines[1][3], "channel.last-p99-ns") {
		t.Error("a percentile of too few samples is exported")
	}
}

func TestPrometheusReadsItsText(t *testing.T) {
	loads := exportedLoads()
	text := exported(t, ExportPrometheus, loads)
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	for name, family := range families {
		if family.GetHelp() == "" || !strings.HasPrefix(name, "rtmkit_load_") {
			t.Errorf("%s has the help %q", name, family.GetHelp())
		}
	}
	value := func(name string, labels ...string) float64 {
		for _, m := range families[name].GetMetric() {
			fits := map[string]string{}
			for _, pair := range m.GetLabel() {
				fits[pair.GetName()] = pair.GetValue()
			}
			matched := true
			for i := 0; i+1 < len(labels); i += 2 {
				matched = matched && fits[labels[i]] == labels[i+1]
			}
			if matched {
				return m.GetGauge().GetValue()
			}
		}
		t.Errorf("%s%q is missing", name, labels)
		return 0
	}
	odd := loads[1].Manifest.Name
	if got := value("rtmkit_load_anomalies", "workload", odd, "kind", "lost"); got != 3 {
		t.Errorf("%v lost", got)
	}
	if value("rtmkit_load_threshold_kept", "workload", odd, "threshold", `loss{traffic="a\"b"} == 0`) != 0 ||
		value("rtmkit_load_threshold_kept", "workload", odd, "threshold", "channel.last.p99 < 1s") != 1 {
		t.Error("thresholds are mixed up")
	}
	if value("rtmkit_load_valid", "workload", odd) != 0 || value("rtmkit_load_valid", "workload", "peer") != 1 {
		t.Error("validity is mixed up")
	}
	latency := families["rtmkit_load_latency_seconds"].GetMetric()[0].GetSummary()
	m := loads[0].Summary.Metrics[0]
	if got := latency.GetQuantile()[2]; got.GetQuantile() != 0.99 || math.Abs(got.GetValue()*1e9-float64(m.P99NS)) > 0.5 ||
		latency.GetSampleCount() != uint64(m.Count) {
		t.Errorf("%+v, want %+v", latency, m)
	}
}

func TestBenchmarkActionGetsNumbersOfWhichLessIsBetter(t *testing.T) {
	var list []struct {
		Name, Unit, Extra string
		Value             float64
	}
	d := json.NewDecoder(bytes.NewReader(exported(t, ExportBenchmarkAction, exportedLoads())))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range list {
		if seen[e.Name] || e.Unit == "" || !strings.Contains(e.Extra, "validity: ") || strings.Contains(e.Name, "sent") {
			t.Errorf("%+v", e)
		}
		seen[e.Name] = true
	}
	if !seen["peer: peer.ack p99.9"] || !seen["peer: server CPU per message"] || seen["peer: peer.ack p99.99"] {
		t.Errorf("it has %v", seen)
	}
}

func TestRunsThatProveNothingAreNotExported(t *testing.T) {
	for name, c := range map[string]struct {
		format    ExportFormat
		loads     func() []Load
		want      string
		untrusted bool
	}{
		"none":           {ExportPrometheus, func() []Load { return nil }, "there is no load run", false},
		"unknown format": {"csv", exportedLoads, `the format "csv" is not known; use benchstat, prometheus or benchmark-action`, false},
		"one name twice": {ExportPrometheus, func() []Load { return append(exportedLoads(), exportedLoads()...) }, "two runs of peer; prometheus holds one run of each name", false},
		"invalid":        {ExportBenchstat, func() []Load { return failingReport().Loads }, "the run of channel is not exported: it is invalid", true},
		"interrupted": {ExportBenchstat, func() []Load {
			loads := exportedLoads()
			loads[0].Manifest.Interrupted = true
			return loads
		}, "the run of peer is not exported: it was cut short", true},
		"aborted": {ExportBenchmarkAction, func() []Load {
			loads := exportedLoads()
			loads[0].Manifest.Aborted = &Abort{Expr: "lag.p99 < 1ms", Second: 3, Observed: "2ms"}
			return loads
		}, "the run of peer is not exported: it was cut short", true},
	} {
		file := filepath.Join(t.TempDir(), "out")
		err := WriteExport(file, c.format, c.loads())
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, new(*UntrustedError)) != c.untrusted {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if left, _ := os.ReadDir(filepath.Dir(file)); len(left) > 0 {
			t.Errorf("%s: a file was written all the same", name)
		}
	}
}
