package loadgen

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const replayWorkload = `sessions: {count: 4}
traffic:
  - id: peer
    op: peer
    executor: replay
    trace: times.txt
phases: {warmup: 1s, drain: 2s}
`

// replayFolder holds a workload with the trace and returns the workload's path.
func replayFolder(t *testing.T, workload, trace string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "times.txt"), []byte(trace), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "w.yaml")
	if err := os.WriteFile(path, []byte(workload), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReplaySendsAtTheRecordedTimes(t *testing.T) {
	path := replayFolder(t, replayWorkload, "# a lull, then two at once\n0.25\n\n2.5 # the second\n2.5\n2.75\n")
	w, err := ReadWorkload(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	entry := p.traffic[0]
	if got, want := entry.main, (listed{250e6, 2500e6, 2500e6, 2750e6}); !slices.Equal(got.(listed), want) {
		t.Errorf("due at %v, want %v", got, want)
	}
	if w.Phases.Measure != 3*time.Second || entry.peak() != 3 || entry.warm.count() != 2 {
		t.Errorf("measured %v with a peak of %v behind %d of warm-up; want 3s, the 3 of the busiest second, 2 at 4/3 a second",
			w.Phases.Measure, entry.peak(), entry.warm.count())
	}
}

func TestReplayCanBePlannedAgainFromItsRunFolder(t *testing.T) {
	path := replayFolder(t, replayWorkload, "0.25\n0.5\n1.75\n")
	w, err := ReadWorkload(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	inBubble(t, func(t *testing.T) {
		load := newRig().play(t, context.Background(), w, Options{Dir: dir})
		if row := load.Summary.Ledger[0]; row.Sent != 5 || row.DeliveredOnce != 5 {
			t.Errorf("the run sent %d and delivered %d, want the 2 of its warm-up and the 3 of its trace", row.Sent, row.DeliveredOnce)
		}
		balanced(t, load)
	})
	again, err := ReadWorkload(filepath.Join(dir, WorkloadFile))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Traffic[0].recorded.due, w.Traffic[0].recorded.due) {
		t.Error("the run folder holds another trace")
	}
	before, _ := w.YAML()
	after, _ := again.YAML()
	if string(before) != string(after) {
		t.Errorf("the workload of the run folder differs:\n%s\n%s", before, after)
	}
	if err := os.WriteFile(filepath.Join(dir, TraceFile("peer")), []byte("0.25\n0.5\n1.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadWorkload(filepath.Join(dir, WorkloadFile)); err == nil || !strings.Contains(err.Error(), "traffic[0].trace_sha256: ") {
		t.Errorf("a changed trace gives %v", err)
	}
}

func TestShardsOfAReplayAreMerged(t *testing.T) {
	w, err := ReadWorkload(replayFolder(t, strings.Replace(replayWorkload, "count: 4", "count: 100", 1), "0.25\n0.5\n1.75\n"))
	if err != nil {
		t.Fatal(err)
	}
	inBubble(t, func(t *testing.T) {
		if row := playMerged(t, w).Summary.Ledger[0]; row.Sent != 5 || row.DeliveredOnce != 5 {
			t.Errorf("%d sent and %d delivered, want the 2 of the warm-up and the 3 of the trace", row.Sent, row.DeliveredOnce)
		}
	})
}

func TestImpossibleTraceIsNamedInOneSentenceWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ old, new, trace, want string }{
		"no number":       {"", "", "0.5\n# fine\nsoon\n", `:6: traffic[0].trace: times.txt: line 3: "soon" is no time in seconds`},
		"negative":        {"", "", "-1\n", `:6: traffic[0].trace: times.txt: line 1: "-1" is no time in seconds`},
		"not a number":    {"", "", "NaN\n", `:6: traffic[0].trace: times.txt: line 1: "NaN" is no time in seconds`},
		"descending":      {"", "", "1\n2\n1.5\n", `:6: traffic[0].trace: times.txt: line 3: 1.5 is earlier than the time before it; sort the file`},
		"empty":           {"", "", "# nothing\n", `:6: traffic[0].trace: times.txt: it holds no time`},
		"missing":         {"times.txt", "tmies.txt", "1\n", `:6: traffic[0].trace: tmies.txt: there is no such file`},
		"folder":          {"times.txt", ".", "1\n", `:6: traffic[0].trace: .: it is no plain file`},
		"phase too short": {"warmup: 1s", "measure: 1s", "1\n", `:7: phases.measure: 1s, but the trace of traffic[0] goes on until 1s; use 2s or more`},
		"nothing":         {"    trace: times.txt\nphases: {", "phases: {measure: 2s, ", "1\n", `:3: traffic[0].trace: a replay needs the file with its due times`},
		"open":            {"executor: replay", "executor: open", "1\n", `:6: traffic[0].trace: it goes with executor: replay only`},
		"other trace":     {"times.txt", "times.txt\n    trace_sha256: abc", "1\n", `:7: traffic[0].trace_sha256: times.txt has another sum`},
		"no file name":    {"id: peer", "id: ../peer", "1\n", `:3: traffic[0].id: "../peer" names a file of the run folder too`},
		"staged":          {"trace:", "stages: [{hold: 1s}]\n    trace:", "1\n", `:6: traffic[0].stages: it goes with executor: open only`},
	} {
		path := replayFolder(t, strings.Replace(replayWorkload, c.old, c.new, 1), c.trace)
		_, err := ReadWorkload(path)
		if err == nil || !strings.HasPrefix(err.Error(), path+c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %q, want %q…", name, err, c.want)
		}
	}
}

func FuzzParseTrace(f *testing.F) {
	f.Add([]byte("0.25\n0.5 # half\n\n1e0\n"))
	f.Add([]byte("inf\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		read, err := parseTrace(text)
		if err != nil {
			return
		}
		if !slices.IsSorted(read.due) || read.due[0] < 0 || read.due[len(read.due)-1] >= int64(read.length()) || read.most(time.Second) < 1 {
			t.Fatalf("%d times, the last at %d of %v", len(read.due), read.due[len(read.due)-1], read.length())
		}
	})
}
