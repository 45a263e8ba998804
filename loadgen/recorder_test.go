package loadgen

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/rtmkit/rtmkit/reports"
)

// readLog returns all intervals of a histogram log.
func readLog(t *testing.T, r io.Reader) (list []*hdrhistogram.Histogram) {
	t.Helper()
	log := hdrhistogram.NewHistogramLogReader(r)
	for {
		h, err := log.NextIntervalHistogram()
		if err != nil {
			t.Fatal(err)
		}
		if h == nil {
			return list
		}
		list = append(list, h)
	}
}

func TestHistogramLogReadsBackEqual(t *testing.T) {
	var out bytes.Buffer
	const startMS = 1_700_000_000_000
	log, err := newHDRLog(&out, startMS)
	if err != nil {
		t.Fatal(err)
	}
	var written []*hdrhistogram.Histogram
	for second := range int64(20) {
		for _, m := range []metric{metricPeerAck, metricPeerAckService} {
			h := newHistogram()
			for i := range int64(500) {
				// Nanoseconds to seconds.
				if err := h.RecordValue((i*i*i+second)*17 + 1); err != nil {
					t.Fatal(err)
				}
			}
			begin := startMS + second*1000
			if err := log.write(m, begin, begin+1000-second%2*322, h); err != nil {
				t.Fatal(err)
			}
			written = append(written, h)
		}
	}
	read := readLog(t, &out)
	if len(read) != len(written) {
		t.Fatalf("%d intervals read, %d written", len(read), len(written))
	}
	for i, h := range read {
		w := written[i]
		if !h.Equals(w) || h.Tag() != w.Tag() || h.StartTimeMs() != w.StartTimeMs() || h.EndTimeMs() != w.EndTimeMs() {
			t.Errorf("interval %d: read %s %d-%d with %d samples, written %s %d-%d with %d", i,
				h.Tag(), h.StartTimeMs(), h.EndTimeMs(), h.TotalCount(), w.Tag(), w.StartTimeMs(), w.EndTimeMs(), w.TotalCount())
		}
	}
}

func TestMetricNamesAreTagsThatEveryReaderTakes(t *testing.T) {
	for m := range metrics {
		if !regexp.MustCompile(`^[A-Za-z0-9_.=/-]+$`).MatchString(m.String()) {
			t.Errorf("%q", m)
		}
	}
}

func TestSamplesBeyondTheHistogramAreClampedAndCounted(t *testing.T) {
	r := newRecorder(1, metricPeerAck)
	r.shards[0].record([]sample{
		{metricPeerAck, int64(2 * time.Minute)}, {metricPeerAck, highestNS}, {metricPeerAck, -5}, {metricPeerAck, 0},
	}, tally{})
	r.collect(0)
	m := r.summaries()[0]
	if m.Count != 4 || m.Overflow != 1 || m.MinNS != 1 || m.MaxNS < highestNS {
		t.Errorf("summary %+v", m)
	}
}

func TestEachSampleIsCollectedOnceWhateverItsShard(t *testing.T) {
	r := newRecorder(3, metricLogin, metricLag)
	recorded := 0
	for second := range 5 {
		for shard := range 7 {
			r.shard(shard).record([]sample{{metricLag, int64(second+1) * 1000}, {metricLogin, 5}}, tally{sent: 1})
			recorded++
		}
		if _, done := r.collect(second); done.sent != 7 {
			t.Errorf("second %d: %d sent", second, done.sent)
		}
	}
	for _, m := range r.summaries() {
		if m.Count != int64(recorded) || len(m.Series) != 5 || m.Series[3].Count != 7 {
			t.Errorf("%s: %d samples, want %d; series %+v", m.Name, m.Count, recorded, m.Series)
		}
		var heat int64
		for _, column := range m.Heat.Columns {
			for _, n := range column.Counts {
				heat += n
			}
		}
		if heat != m.Count {
			t.Errorf("%s: the heat map holds %d of %d samples", m.Name, heat, m.Count)
		}
	}
}

func TestPercentileFileTellsFarPercentilesApart(t *testing.T) {
	h := newHistogram()
	for i, count := range []int64{100_000_000, 1000, 100, 10, 4, 2, 1} {
		_ = h.RecordValues(int64(1_000_000<<i), count)
	}
	var out bytes.Buffer
	if err := writeHGRM(&out, h); err != nil {
		t.Fatal(err)
	}
	values := map[string]bool{}
	for line := range strings.Lines(out.String()) {
		fields := strings.Fields(line)
		if len(fields) != 4 || fields[0] == "Value" {
			continue
		}
		if p, err := strconv.ParseFloat(fields[1], 64); err != nil || p < 0 || p > 1 {
			t.Errorf("percentile %q", fields[1])
		} else if p > 0.999999 && p < 1 {
			values[fields[0]] = true
		}
	}
	// Six decimals would call them all 1.
	if len(values) < 3 || !strings.Contains(out.String(), "#[Max     = ") {
		t.Errorf("%d values between the percentiles 99.9999 and 100 in\n%s", len(values), out.String())
	}
}

func TestRunFolderHoldsWhatTheSummarySays(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "deep", "run")
		w := Fanout(500, 3*time.Second, 2, 6)
		s := newRig()
		s.stallAt, s.stall = 1000, 700*time.Millisecond
		load := s.play(t, t.Context(), w, Options{Dir: dir, Command: "rtmkit load run channel --token 007eJxTYFDaGL"})
		read, err := reports.ReadLoad(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(read.Summary.Metrics) != len(load.Summary.Metrics) || read.Manifest.WorkloadSHA256 == "" || len(read.Manifest.Files) < 10 {
			t.Errorf("read back: %+v", read.Manifest)
		}

		// Every distribution follows from the histogram log.
		file, err := os.Open(filepath.Join(dir, HistogramFile))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		merged := map[string]*hdrhistogram.Histogram{}
		for _, h := range readLog(t, file) {
			if h.StartTimeMs()%1000 != 0 {
				t.Errorf("an interval of %s begins at %d, not on a whole second", h.Tag(), h.StartTimeMs())
			}
			if merged[h.Tag()] == nil {
				merged[h.Tag()] = newHistogram()
			}
			merged[h.Tag()].Merge(h)
		}
		for _, m := range load.Summary.Metrics {
			h := merged[m.Name]
			if h == nil || h.TotalCount() != m.Count || h.ValueAtPercentile(99) != m.P99NS || h.Max() != m.MaxNS || h.Min() != m.MinNS {
				t.Errorf("%s: summary %+v does not follow from the log", m.Name, m)
			}
			if _, err := os.Stat(filepath.Join(dir, m.Name+".hgrm")); err != nil {
				t.Error(err)
			}
		}
		checkCSV(t, filepath.Join(dir, SeriesFile), len(load.Summary.Series))
		checkCSV(t, filepath.Join(dir, HealthFile), len(load.Summary.Series)+2) // and the two edges
		text, err := os.ReadFile(filepath.Join(dir, WorkloadFile))
		if err != nil {
			t.Fatal(err)
		}
		if again, err := ParseWorkload(WorkloadFile, text); err != nil || again.Traffic[0].Rate != 500 {
			t.Errorf("the stored workload: %v", err)
		}
		manifest, err := os.ReadFile(filepath.Join(dir, reports.RunManifestFile))
		if err != nil || bytes.Contains(manifest, []byte("007eJxTYFDaGL")) {
			t.Errorf("the manifest shows a token, or %v", err)
		}
	})
}

func checkCSV(t *testing.T, path string, rows int) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil || len(lines) != rows+1 {
		t.Errorf("%s: %d lines, want %d; %v", path, len(lines), rows+1, err)
	}
}
