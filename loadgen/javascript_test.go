package loadgen

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// seenInterval is what a reader of a histogram log says of one line.
type seenInterval struct {
	Tag     string `json:"tag"`
	StartMS int64  `json:"start_ms"`
	Count   int64  `json:"count"`
	P50     int64  `json:"p50"`
	P999    int64  `json:"p999"`
	Max     int64  `json:"max"`
}

// theirs reads a histogram log with the HdrHistogram of JavaScript. It asks for the sample that a percentile means in Go,
// which takes the nearest one, while JavaScript and Java take the next one up.
const theirs = `
const { HistogramLogReader } = require('hdr-histogram-js')
const reader = new HistogramLogReader(require('fs').readFileSync(process.argv[2], 'utf8'), 64)
const list = []
const sample = (h, percentile) => {
  const rank = Math.min(Math.max(Math.floor(percentile / 100 * h.totalCount + 0.5), 1), h.totalCount)
  return h.getValueAtPercentile(100 * rank / h.totalCount)
}
for (let h; (h = reader.nextIntervalHistogram()) !== null; ) {
  list.push({
    tag: h.tag, start_ms: Math.round(h.startTimeStampMsec), count: h.totalCount,
    p50: sample(h, 50), p999: sample(h, 99.9), max: h.maxValue,
  })
}
console.log(JSON.stringify(list))
`

// withPackage skips the test where there is no Node with the package, and returns a folder that has it.
func withPackage(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	missing := func(what string, err error) {
		if os.Getenv("RTMKIT_REQUIRE_ALL") != "" {
			t.Fatalf("%s, and RTMKIT_REQUIRE_ALL is set: %v", what, err)
		}
		t.Skipf("%s: %v", what, err)
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			missing(program+" is not installed", err)
		}
	}
	install := exec.Command("npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--silent", "--cache", filepath.Join(dir, "cache"), "hdr-histogram-js@3.0.1")
	if out, err := install.CombinedOutput(); err != nil {
		missing("hdr-histogram-js cannot be installed: "+string(out), err)
	}
	return dir
}

func TestHistogramLogReadsTheSameInJavaScript(t *testing.T) {
	dir := withPackage(t)
	run := filepath.Join(dir, "run")
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.stallAt, s.stall = 1500, 2*time.Second
		s.tamper = func(n int, r *routed) { r.late = time.Duration(n%97) * time.Microsecond }
		s.play(t, t.Context(), Fanout(800, 4*time.Second, 2, 6), Options{Dir: run})
	})

	var ours []seenInterval
	log, err := os.Open(filepath.Join(run, HistogramFile))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if err := readHDRLog(log, func(i interval) error {
		q := i.histogram.ValueAtPercentilesSlice([]float64{50, 99.9})
		ours = append(ours, seenInterval{i.metric.String(), i.startMS, i.histogram.TotalCount(), q[0], q[1], i.histogram.Max()})
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	script := filepath.Join(dir, "read.js")
	if err := os.WriteFile(script, []byte(theirs), 0o644); err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	reader := exec.Command("node", script, filepath.Join(run, HistogramFile))
	reader.Stderr = &errs
	out, err := reader.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	var read []seenInterval
	if err := json.Unmarshal(out, &read); err != nil {
		t.Fatal(err)
	}
	if len(ours) < 20 || !slices.Equal(ours, read) {
		t.Errorf("%d intervals in Go, %d in JavaScript, not the same", len(ours), len(read))
		for i := range min(len(ours), len(read)) {
			if ours[i] != read[i] {
				t.Errorf("Go %+v, JavaScript %+v", ours[i], read[i])
			}
		}
	}
}
