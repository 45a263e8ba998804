package loadgen

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/reports"
)

// limited adds thresholds without options to a workload.
func limited(t *testing.T, w Workload, texts ...string) Workload {
	t.Helper()
	for _, text := range texts {
		threshold, err := ParseThreshold(text)
		if err != nil {
			t.Fatal(err)
		}
		w.Thresholds = append(w.Thresholds, threshold)
	}
	return w
}

// outcomeOf returns what came of the threshold with this text.
func outcomeOf(t *testing.T, load *reports.Load, text string) reports.Threshold {
	t.Helper()
	for _, threshold := range load.Summary.Thresholds {
		if threshold.Expr == text {
			return threshold
		}
	}
	t.Fatalf("the run has no threshold %q: %+v", text, load.Summary.Thresholds)
	return reports.Threshold{}
}

const limitedWorkload = `sessions: {count: 50}
traffic: [{id: peer, op: peer, rate: 200/s}]
phases: {measure: 20s}
thresholds:
  - peer.ack.p99 < 50ms
  - "errors.rate{class!=rate_limited} < 0.1%"
  - expr: peer.ack.p50 < 5ms
    abort: true
    after: 10s
  - {expr: peer.ack.p99.99 < 1s, allow_insufficient: true}
`

func TestThresholdsOfAFileAreReadAsWritten(t *testing.T) {
	w, err := ParseWorkload("w.yaml", []byte(limitedWorkload))
	if err != nil {
		t.Fatal(err)
	}
	if third := w.Thresholds[2]; len(w.Thresholds) != 4 || !third.Abort || third.After != 10*time.Second || !w.Thresholds[3].AllowInsufficient {
		t.Errorf("read as %+v", w.Thresholds)
	}
	text, err := w.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseWorkload("again.yaml", text)
	if err != nil || !slices.Equal(again.Thresholds, w.Thresholds) {
		t.Errorf("its own text is read as %+v: %v\n%s", again.Thresholds, err, text)
	}
}

func TestThresholdThatCannotBeKeptOrBrokenIsRefusedWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"not a limit":        {"p99 < 50ms", "p99 < 50", `w.yaml:5: threshold "peer.ack.p99 < 50", column 16: 50 has no unit`},
		"no such metric":     {"expr: peer.ack.p50", "expr: per.ack.p50", `w.yaml:7: threshold "per.ack.p50 < 5ms", column 1: there is no metric "per.ack.p50"; did you mean peer.ack.p50?`},
		"unknown key":        {"abort: true", "abbort: true", `w.yaml:8: unknown key "abbort"; did you mean abort? known here: expr, abort, after, allow_insufficient`},
		"key twice":          {"    after: 10s", "    abort: true", `w.yaml:9: the key "abort" stands here twice`},
		"no expression":      {"expr: peer.ack.p50 < 5ms\n    abort: true", "abort: true", `w.yaml:7: a threshold needs the key expr`},
		"nothing":            {"{expr: peer.ack.p99.99 < 1s, allow_insufficient: true}", "{}", `w.yaml:10: a threshold needs the key expr`},
		"empty":              {"peer.ack.p99 < 50ms", `""`, `w.yaml:5: threshold "", column 1: the text ends`},
		"a list":             {"peer.ack.p99 < 50ms", `[1]`, `w.yaml:5: a threshold is a text`},
		"not a duration":     {"after: 10s", "after: soon", `w.yaml:9: `},
		"not measured":       {"peer.ack.p99 < 50ms", "channel.last.p99 < 50ms", `w.yaml:5: thresholds[0]: channel.last.p99 < 50ms: this workload measures no channel.last; it measures peer.ack, peer.ack.service, peer.deliver, login, write.block, lag`},
		"no such traffic":    {"peer.ack.p99 < 50ms", "loss{traffic=room} == 0", `w.yaml:5: thresholds[0]: loss{traffic=room} == 0: no traffic has the id "room"; known: peer`},
		"too long a window":  {"peer.ack.p99 < 50ms", "peer.ack.p99 < 50ms per 30s window", `w.yaml:5: thresholds[0]: peer.ack.p99 < 50ms per 30s window: a window of 30s does not fit`},
		"after no abort":     {"    abort: true\n", "", `w.yaml:7: thresholds[2]: peer.ack.p50 < 5ms: after belongs to abort: true`},
		"after the end":      {"after: 10s", "after: 20s", `w.yaml:7: thresholds[2]: peer.ack.p50 < 5ms: after 20s never comes`},
		"abort by loss":      {"expr: peer.ack.p50 < 5ms", "expr: loss == 0", `w.yaml:7: thresholds[2]: loss == 0: only limits of latencies and errors can abort`},
		"abort by window":    {"p50 < 5ms", "p50 < 5ms per 1s window", `w.yaml:7: thresholds[2]: peer.ack.p50 < 5ms per 1s window: a limit per window cannot abort`},
		"no possible sample": {"rate: 200/s", "rate: 0.01/s", `w.yaml:5: thresholds[0]: peer.ack.p99 < 50ms: no sample is to be expected`},
	} {
		text := strings.Replace(limitedWorkload, c.old, c.new, 1)
		if text == limitedWorkload {
			t.Fatalf("%s: nothing was changed", name)
		}
		_, err := ParseWorkload("w.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %q, want %q…", name, err, c.want)
		}
	}
}

func TestThresholdOnAServerThatCannotBeWatchedIsRefusedBeforeTheRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := limited(t, small(10), "server.rss < 1GiB")
		_, err := newRig().run(t.Context(), w, Options{})
		if err == nil || !strings.Contains(err.Error(), "thresholds[0]: server.rss < 1GiB: the server cannot be watched") || OutcomeOf(nil, err) != Unusable {
			t.Errorf("got %v", err)
		}
		w.Thresholds[0].AllowInsufficient = true
		load := newRig().play(t, t.Context(), w, Options{})
		if got := outcomeOf(t, load, "server.rss < 1GiB"); !got.Holds || !got.Insufficient || got.Observed != "nothing" {
			t.Errorf("allowed, it came to %+v", got)
		}
	})
}

func TestThresholdsAreJudgedByTheWholeRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		// Message 500 of 1000 stalls the server for 100 ms, in which 100 messages pile up.
		s := newRig()
		s.stallAt, s.stall = 500, 100*time.Millisecond
		s.tamper = func(n int, r *routed) {
			switch {
			case n < 3:
				r.answer.Kind, r.answer.Failure = Refused, &Failure{Op: "peer.send", Class: ClassRateLimited, Code: 102, Text: "slow down"}
				r.to = nil
			case n == 4:
				r.to = append(r.to, r.to...)
			}
		}
		want := map[string]struct {
			holds    bool
			observed string
		}{
			"peer.ack.p50 < 1ms":                            {true, "1ns"},
			"peer.ack.max >= 100ms":                         {true, "100ms"},
			"peer.ack.max < 100ms":                          {false, "100ms"},
			"peer.ack.p95 > 45ms":                           {true, ""},
			"peer.ack.p98 > 75ms":                           {true, ""},
			"peer.ack.count == 997":                         {true, "997"},
			"loss == 0":                                     {true, "0"},
			"duplicates == 0":                               {false, "1"},
			"duplicates{traffic!=peer} == 0":                {true, "0"},
			"ack_error{traffic=peer} <= 3":                  {true, "3"},
			"errors.count{op=peer.send} == 3":               {true, "3"},
			"errors.rate < 0.2%":                            {false, "0.3%"},
			"errors.rate{class!=rate_limited} < 0.1%":       {true, "0%"},
			"errors.count{code=102,class=rate_limited} < 3": {false, "3"},
			"achieved/offered >= 99.5%":                     {true, "100%"},
			"lag.p99 < 2ms":                                 {true, "1ns"},
			"peer.ack.mean < 6ms":                           {true, ""},
			"peer.ack.max < 60ms per 1s window":             {false, "100ms"},
		}
		var texts []string
		for text := range want {
			texts = append(texts, text)
		}
		load := s.play(t, t.Context(), limited(t, small(1000), texts...), Options{})
		for text, w := range want {
			got := outcomeOf(t, load, text)
			if got.Holds != w.holds || got.Insufficient || got.Implicit || w.observed != "" && got.Observed != w.observed {
				t.Errorf("%s: %+v, want %v at %s", text, got, w.holds, w.observed)
			}
		}
	})
}

func TestPercentileOfTooFewSamplesFailsUnlessAllowed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := limited(t, small(500), "peer.ack.p99.9 < 1s", "peer.ack.p99.99 < 1s", "peer.ack.p95 < 1s", "peer.ack.p99 < 1s per 1s window")
		w.Phases.Measure = time.Second
		w.Traffic[0].Rate = 500
		w.Thresholds[1].AllowInsufficient = true
		scarce := fmt.Sprint(w.Lint())
		if !strings.Contains(scarce, "thresholds[0]: peer.ack.p99.9 < 1s: about 500 samples are to be expected, and p99.9 needs 10000, which take 20s at this rate") ||
			!strings.Contains(scarce, "thresholds[3]") || strings.Contains(scarce, "thresholds[1]") || strings.Contains(scarce, "thresholds[2]") {
			t.Errorf("before the run: %s", scarce)
		}
		load := newRig().play(t, t.Context(), w, Options{})
		first := outcomeOf(t, load, "peer.ack.p99.9 < 1s")
		if first.Holds || !first.Insufficient || first.Samples != 500 ||
			first.Reason != "p99.9 needs 10000 samples, and there were 500, which take 20s at this rate" {
			t.Errorf("%+v", first)
		}
		if allowed := outcomeOf(t, load, "peer.ack.p99.99 < 1s"); !allowed.Holds || !allowed.Insufficient {
			t.Errorf("%+v", allowed)
		}
		if enough := outcomeOf(t, load, "peer.ack.p95 < 1s"); !enough.Holds || enough.Insufficient {
			t.Errorf("%+v", enough)
		}
		if windowed := outcomeOf(t, load, "peer.ack.p99 < 1s per 1s window"); windowed.Holds || !windowed.Insufficient {
			t.Errorf("%+v", windowed)
		}
		if OutcomeOf(load, nil) != ThresholdFailed {
			t.Errorf("the run %v", OutcomeOf(load, nil))
		}
	})
}

func TestWindowsAreJudgedOneByOne(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := limited(t, Peer(100, 20*time.Second, 10),
			"peer.ack.p90 < 50ms per 2s window, 80% of windows", "peer.ack.p90 < 50ms per 2s window, 90% of windows",
			"peer.ack.p90 < 50ms per 2s window", "peer.ack.max < 10s", "peer.ack.count >= 100 per 2s window, 90% of windows")
		w.Phases.Warmup = 0
		s := newRig()
		// The server stalls from second 5.00 to 8.50: the window from 6 to 8 is silent, and the one from 8 to 10 tells why.
		s.stallAt, s.stall = 500, 3500*time.Millisecond
		load := s.play(t, t.Context(), w, Options{})
		for text, holds := range map[string]bool{
			"peer.ack.p90 < 50ms per 2s window, 80% of windows": true,
			"peer.ack.p90 < 50ms per 2s window, 90% of windows": false,
			"peer.ack.p90 < 50ms per 2s window":                 false,
		} {
			got := outcomeOf(t, load, text)
			if got.Holds != holds || got.Insufficient || got.Windows != 10 || got.WindowsKept != 8 || got.Samples != 2000 {
				t.Errorf("%s: %+v", text, got)
			}
			if worst, _ := time.ParseDuration(got.Observed); worst < 2*time.Second || worst > 4*time.Second {
				t.Errorf("%s: the worst is %s", text, got.Observed)
			}
		}
		if got := outcomeOf(t, load, "peer.ack.count >= 100 per 2s window, 90% of windows"); got.Observed != "0" || got.WindowsKept > 9 {
			t.Errorf("%+v", got)
		}
	})
}

func TestEverySampleIsInOneWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		measure := time.Duration(rapid.IntRange(1, 100).Draw(t, "measure")) * 250 * time.Millisecond
		span := rapid.IntRange(1, 12).Draw(t, "window")
		e, err := ParseLimit(fmt.Sprintf("lag.max < 50ns per %ds window", span))
		if err != nil {
			t.Fatal(err)
		}
		w := Workload{Phases: Phases{Measure: measure}, Thresholds: []Threshold{{Expr: e}}}
		v := newVigil(&w)
		v.begin(3_700_000_000)
		fed, bad := int64(0), map[int]bool{}
		last := windowsIn(measure, e.window) - 1
		have := map[int]bool{}
		for second := -2; second < int(measure/time.Second)+4; second++ {
			h := newHistogram()
			for range rapid.IntRange(0, 3).Draw(t, "samples") {
				value := int64(rapid.IntRange(1, 99).Draw(t, "ns"))
				_ = h.RecordValue(value)
				if second >= 0 {
					fed++
					number := min(second/span, last)
					have[number] = true
					bad[number] = bad[number] || value >= 50
				}
			}
			if h.TotalCount() > 0 {
				v.see(metricLag, second+3, h)
			}
		}
		v.finish(measure)
		kept := 0
		for number := range last + 1 {
			if have[number] && !bad[number] {
				kept++
			}
		}
		if got := v.windows[0]; got.number != last+1 || got.samples != fed || got.kept != kept {
			t.Fatalf("%d windows, %d kept, %d samples; want %d, %d, %d", got.number, got.kept, got.samples, last+1, kept, fed)
		}
	})
}

func TestBrokenThresholdAbortsTheRunWhichIsWrittenAllTheSame(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := limited(t, Peer(100, 60*time.Second, 10), "peer.ack.p50 < 5ms", "errors.count > 5")
		w.Phases.Warmup = time.Second
		w.Thresholds[0].Abort, w.Thresholds[0].After = true, 10*time.Second
		s := newRig()
		// From the second second on the server is half a second behind, for good.
		s.stallAt, s.stall = 200, 500*time.Millisecond
		slow := s.stall
		s.tamper = func(n int, r *routed) {
			if n > 200 {
				r.spread, r.to = slow, append(r.to, r.to[0])
				slow = 10 * time.Millisecond
			}
		}
		dir := t.TempDir()
		load := s.play(t, t.Context(), w, Options{Dir: dir})
		got := outcomeOf(t, load, "peer.ack.p50 < 5ms")
		abort := load.Manifest.Aborted
		if !got.Aborted || got.Holds || abort == nil || abort.Expr != got.Expr || abort.Second < 11 || abort.Second > 12 ||
			!strings.Contains(got.Reason, fmt.Sprintf("it ended the run in second %d of the measured phase", abort.Second)) {
			t.Errorf("%+v by %+v", got, abort)
		}
		row := load.Summary.Ledger[0]
		if row.Scheduled > 1400 || row.Lost != 0 || row.Sent != row.AckedReceived {
			t.Errorf("ledger %+v", row)
		}
		balanced(t, load)
		read, err := reports.ReadLoad(dir)
		if err != nil || read.Manifest.Aborted == nil || load.Manifest.Interrupted {
			t.Errorf("the folder has %+v: %v", read, err)
		}
	})
}

func TestThresholdThatIsKeptAbortsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := limited(t, Peer(100, 5*time.Second, 10), "peer.ack.p99 < 50ms", "errors.rate < 1%", "login.max < 1s")
		for i := range w.Thresholds {
			w.Thresholds[i].Abort = true
		}
		load := newRig().play(t, t.Context(), w, Options{})
		if load.Manifest.Aborted != nil || load.Summary.Ledger[0].Scheduled != 600 {
			t.Errorf("aborted by %+v", load.Manifest.Aborted)
		}
	})
}

func TestErrorsAbortTheRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := limited(t, Peer(100, 30*time.Second, 10), "errors.rate{class=refused} < 1%", "ack_error < 1000")
		w.Thresholds[0].Abort = true
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n > 1000 {
				r.to, r.answer.Kind, r.answer.Failure = nil, Refused, &Failure{Op: "peer.send", Class: ClassRefused, Code: 1, Text: "no"}
			}
		}
		load := s.play(t, t.Context(), w, Options{})
		if abort := load.Manifest.Aborted; abort == nil || abort.Second > 8 || OutcomeOf(load, nil) != ThresholdFailed {
			t.Errorf("aborted by %+v, %v", load.Manifest.Aborted, OutcomeOf(load, nil))
		}
	})
}

func TestInterruptedRunJudgesTheWindowsItHad(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
		defer cancel()
		w := limited(t, Peer(100, 60*time.Second, 10), "peer.ack.p50 < 50ms per 1s window")
		w.Phases.Warmup = 0
		load := newRig().play(t, ctx, w, Options{})
		if got := outcomeOf(t, load, "peer.ack.p50 < 50ms per 1s window"); got.Windows < 5 || got.Windows > 7 || !got.Holds {
			t.Errorf("%+v", got)
		}
	})
}

func TestThresholdOnACountTakesThePlaceOfTheImplicitOne(t *testing.T) {
	rows := []reports.LedgerRow{{Traffic: "a", AckError: 2}, {Traffic: "b", AckError: 1}}
	for name, c := range map[string]struct {
		texts    []string
		implicit string
	}{
		"none":           {nil, "ack_error == 0 false, ack_timeout == 0 true, ack_lost == 0 true, acked_not_received == 0 true, send_failed == 0 true, "},
		"all":            {[]string{"ack_errors < 5"}, "ack_timeout == 0 true, ack_lost == 0 true, acked_not_received == 0 true, send_failed == 0 true, "},
		"one entry":      {[]string{"ack_error{traffic=a} < 5"}, "ack_error{traffic=b} == 0 false, ack_timeout == 0 true, ack_lost == 0 true, acked_not_received == 0 true, send_failed == 0 true, "},
		"both, in parts": {[]string{"ack_error{traffic=a} < 5", "ack_error{traffic!=a} < 5"}, "ack_timeout == 0 true, ack_lost == 0 true, acked_not_received == 0 true, send_failed == 0 true, "},
		"another count":  {[]string{"loss == 0", "errors.count < 9"}, "ack_error == 0 false, ack_timeout == 0 true, ack_lost == 0 true, acked_not_received == 0 true, send_failed == 0 true, "},
	} {
		w := limited(t, Workload{}, c.texts...)
		got := ""
		for _, threshold := range newVigil(&w).judge(&reports.Summary{Ledger: rows}, [metrics]*hdrhistogram.Histogram{}, nil) {
			if threshold.Implicit {
				got += fmt.Sprintf("%s %v, ", threshold.Expr, threshold.Holds)
			} else if !threshold.Holds {
				t.Errorf("%s: %s is broken", name, threshold.Expr)
			}
		}
		if got != c.implicit {
			t.Errorf("%s: implicit are %s", name, got)
		}
	}
}

func TestLagMayBeATenthOfTheTightestLatencyLimit(t *testing.T) {
	for _, c := range []struct {
		texts []string
		want  time.Duration
	}{
		{nil, 2 * time.Millisecond},
		{[]string{"loss == 0", "lag.p99 < 1s", "peer.ack.p50 > 90ms", "peer.ack.count < 90"}, 2 * time.Millisecond},
		{[]string{"peer.ack.p99 < 3ms"}, 2 * time.Millisecond},
		{[]string{"peer.ack.p99.9 < 1s", "peer.ack.p99 < 50ms", "peer.deliver.max <= 80ms"}, 5 * time.Millisecond},
	} {
		if got := lagLimit(limited(t, small(10), c.texts...)); got != c.want {
			t.Errorf("%q: a lag of %v is the limit, want %v", c.texts, got, c.want)
		}
	}
}

func TestRunsStayComparableWhenMoreIsAskedOfThem(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		plain := newRig().play(t, t.Context(), small(10), Options{}).Manifest
		asked := newRig().play(t, t.Context(), limited(t, small(10), "loss == 0"), Options{}).Manifest
		other := newRig().play(t, t.Context(), small(20), Options{}).Manifest
		if plain.WorkloadSHA256 != asked.WorkloadSHA256 || plain.WorkloadSHA256 == other.WorkloadSHA256 || plain.Workload == asked.Workload {
			t.Errorf("sums %s, %s and %s", plain.WorkloadSHA256, asked.WorkloadSHA256, other.WorkloadSHA256)
		}
	})
}

func TestThresholdThatAbortedTheRunStaysBrokenWhateverCameAfter(t *testing.T) {
	w := limited(t, Workload{}, "lag.max < 1s", "lag.max < 2s")
	w.Thresholds[0].Abort = true
	var totals [metrics]*hdrhistogram.Histogram
	totals[metricLag] = newHistogram()
	_ = totals[metricLag].RecordValue(5)
	abort := &reports.Abort{Expr: "lag.max < 1s", Second: 3, Observed: "1.2s"}
	for _, got := range newVigil(&w).judge(&reports.Summary{}, totals, abort) {
		if broken := got.Expr == abort.Expr; !got.Implicit && (got.Holds == broken || got.Aborted != broken) {
			t.Errorf("%+v", got)
		}
	}
}
