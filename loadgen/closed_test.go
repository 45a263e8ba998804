package loadgen

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// closedPeers is a closed loop of peer messages for a second, under a ceiling that is far away.
func closedPeers(sessions, outstanding int) Workload {
	w := Peer(10_000, time.Second, sessions)
	w.Phases.Warmup = 0
	w.Phases.Drain = 2 * time.Second
	w.Traffic[0].Executor, w.Traffic[0].Arrival, w.Traffic[0].Outstanding = Closed, "", outstanding
	return w
}

func TestClosedLoopIsPacedByTheAnswers(t *testing.T) {
	// A server that takes 10 ms for each message carries 100 a second, however many wait for it; each of the 8 that are
	// on their way at any time waits for all of them.
	inBubble(t, func(t *testing.T) {
		s := newRig()
		most := 0
		s.tamper = func(int, *routed) {
			most = max(most, len(s.queue)+1)
			time.Sleep(10 * time.Millisecond)
		}
		load := s.play(t, context.Background(), closedPeers(4, 2), Options{})
		balanced(t, load)
		row := load.Summary.Ledger[0]
		// The last of the second were answered in the drain.
		if row.Sent < 100 || row.Sent > 108 || row.DeliveredOnce != row.Sent || row.Shed != 0 {
			t.Errorf("%d sent, %d delivered, %d shed; want 100 in the second and up to 8 that were on their way", row.Sent, row.DeliveredOnce, row.Shed)
		}
		if most > 8 {
			t.Errorf("%d messages were on their way at once, and 4 streams may have 2 each", most)
		}
		if ack := metricOf(t, load, "peer.ack"); ack.P50NS < 79e6 || ack.P50NS > 81e6 {
			t.Errorf("the median of peer.ack is %v, want 80 ms", time.Duration(ack.P50NS))
		}
		for _, m := range load.Summary.Metrics {
			if m.Name == "lag" {
				t.Errorf("a closed loop has no schedule, and reports a lag of %d samples", m.Count)
			}
		}
		if load.Summary.Validity.Verdict != reports.Valid || load.Summary.OfferedPerS != load.Summary.AchievedPerS {
			t.Errorf("the run is %+v and was offered %v of %v", load.Summary.Validity, load.Summary.OfferedPerS, load.Summary.AchievedPerS)
		}
		if notes := strings.Join(load.Manifest.Notes, "\n"); !strings.Contains(notes, "cannot be compared with those of an open loop") || load.Manifest.Pacer.Kind != "closed loop" ||
			load.Manifest.Name != "peer, closed loop" || strings.Contains(notes, "ceiling") {
			t.Errorf("paced by %q, with the notes %q", load.Manifest.Pacer.Kind, notes)
		}
	})
}

func TestClosedLoopStaysUnderItsCeiling(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := closedPeers(4, 50)
		w.Traffic[0].Rate = 200
		w.Phases.Warmup = time.Second / 2
		load := newRig().play(t, context.Background(), w, Options{})
		balanced(t, load)
		if notes := strings.Join(load.Manifest.Notes, "\n"); !strings.Contains(notes, "The ceiling of 200/s held the closed loop back") {
			t.Errorf("the notes do not tell of the ceiling: %s", notes)
		}
		for _, p := range load.Summary.Phases {
			if want := map[string]int64{phaseWarmup: 100, phaseMeasure: 200}[p.Name]; p.Scheduled != want {
				t.Errorf("%d messages of %s, want %d", p.Scheduled, p.Name, want)
			}
		}
	})
}

func TestClosedLoopDoesNotCatchUpAfterAStall(t *testing.T) {
	// 4 streams of 50/s each; while the server does nothing for half of the second, their 4 places are taken.
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.stallAt, s.stall = 50, 500*time.Millisecond
		w := closedPeers(4, 1)
		w.Traffic[0].Rate = 200
		load := s.play(t, context.Background(), w, Options{})
		balanced(t, load)
		if sent := load.Summary.Ledger[0].Sent; sent < 100 || sent > 112 {
			t.Errorf("%d messages of the 200 under the ceiling were sent, with the server away for half of the time", sent)
		}
	})
}

func TestStreamWithoutAnswersStopsAtItsPlaces(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if r.from == "load-00000" {
				r.answer.Kind = Delivered // which stands for no answer
			} else {
				time.Sleep(time.Millisecond)
			}
		}
		began := time.Now()
		load := s.play(t, context.Background(), closedPeers(4, 3), Options{})
		balanced(t, load)
		row := load.Summary.Ledger[0]
		if row.AckTimeout != 3 || row.Sent < 900 {
			t.Errorf("%d without an answer of %d sent; want the 3 places of one stream, and the others going on", row.AckTimeout, row.Sent)
		}
		if took := time.Since(began); took < 3*time.Second || took > 3100*time.Millisecond {
			t.Errorf("the run took %v, want the second of its phase and the 2 s of its drain", took)
		}
	})
}

func TestClosedLoopGoesOnWithoutAnEndedSession(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			time.Sleep(time.Millisecond)
			r.cut = n == 20
		}
		load := s.play(t, context.Background(), closedPeers(4, 3), Options{})
		balanced(t, load)
		// Of the two messages behind the last, one may be on its way when the session ends and one be refused by it.
		if row := load.Summary.Ledger[0]; row.AckLost+row.SendFailed < 3 || row.AckLost+row.SendFailed > 6 || row.Sent < 900 {
			t.Errorf("%d lost their answer and %d could not be sent, of %d; want the places of one stream, and the others going on", row.AckLost, row.SendFailed, row.Sent)
		}
	})
}

func TestInterruptWakesAClosedLoop(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		ctx, cancel := context.WithCancel(context.Background())
		s.tamper = func(n int, r *routed) {
			if n == 3 {
				cancel()
			}
			r.answer.Kind = Delivered // so that nothing else wakes it
		}
		began := time.Now()
		load := s.play(t, ctx, closedPeers(4, 1), Options{})
		if took := time.Since(began); !load.Manifest.Interrupted || took > 1500*time.Millisecond {
			t.Errorf("interrupted %v after %v", load.Manifest.Interrupted, took)
		}
	})
}

func TestClosedChannelStreamsTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := Fanout(600, time.Second, 2, 3)
		w.Phases.Warmup = 100 * time.Millisecond
		w.Traffic[0].Executor, w.Traffic[0].Arrival, w.Traffic[0].Outstanding = Closed, "", 1
		load := newRig().play(t, context.Background(), w, Options{})
		balanced(t, load)
		if row := load.Summary.Ledger[0]; row.Sent != 660 || row.DeliveredOnce != 2*660 {
			t.Errorf("%d sent and %d delivered; want the ceiling, which an instant server lets it reach", row.Sent, row.DeliveredOnce)
		}
	})
}

func TestCeilingGivesEveryStreamTheSameShare(t *testing.T) {
	for _, streams := range []int{1, 7, 100} {
		if n := ceiling(333, time.Second, streams).count(); n%streams != 0 || n < 333 || n >= 333+streams {
			t.Errorf("%d messages for %d streams", n, streams)
		}
	}
}

func TestImpossibleClosedLoopIsNamed(t *testing.T) {
	open := Peer(100, time.Second, 4).Traffic[0]
	open.ID = "open"
	for name, c := range map[string]struct {
		change func(*Workload)
		want   string
	}{
		"mixed":           {func(w *Workload) { w.Traffic = append(w.Traffic, open) }, "traffic[1].executor: it is open, and traffic[0] is closed; "},
		"mixed otherwise": {func(w *Workload) { w.Traffic = append([]Traffic{open}, w.Traffic...) }, "traffic[1].executor: it is closed, and traffic[0] is open; "},
		"no places":       {func(w *Workload) { w.Traffic[0].Outstanding = 0 }, "traffic[0].outstanding: 0; a closed loop needs "},
		"too many places": {func(w *Workload) { w.Limits.MaxInFlight = 11 }, "traffic[0].outstanding: 3 messages of each of 4 streams are 12 without an answer, more than the 11 of limits.max_in_flight; "},
		"far too many":    {func(w *Workload) { w.Limits.MaxInFlight, w.Traffic[0].Outstanding = 1<<40, maxMessages }, "traffic[0].outstanding: 20000000 messages of each of 4 streams are more than the ledger holds"},
		"arrival":         {func(w *Workload) { w.Traffic[0].Arrival = Poisson }, "traffic[0].arrival: it goes with executor: open only"},
	} {
		w := closedPeers(4, 3)
		w.Traffic = slices.Clone(w.Traffic)
		c.change(&w)
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestShardsOfAClosedLoopAreMerged(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := closedPeers(100, 1)
		w.Traffic[0].Rate = 500
		w.Phases.Drain = time.Second
		merged := playMerged(t, w)
		if row := merged.Summary.Ledger[0]; row.Sent != 500 || row.DeliveredOnce != 500 {
			t.Errorf("%d sent and %d delivered; want the ceiling", row.Sent, row.DeliveredOnce)
		}
		if merged.Manifest.Name != "peer, closed loop" || !strings.Contains(strings.Join(merged.Manifest.Notes, " "), "cannot be compared with those of an open loop") {
			t.Errorf("%q with the notes %q", merged.Manifest.Name, merged.Manifest.Notes)
		}
	})
}

// playMerged plays the workload in three shards against an instant server and returns what they come to together.
func playMerged(t *testing.T, w Workload) *reports.Load {
	t.Helper()
	dirs := playShards(t, newRig(), w, 3)
	out := filepath.Join(t.TempDir(), "merged")
	merged, err := Merge(dirs, out, MergeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := verified(out); err != nil {
		t.Errorf("the merged folder: %v", err)
	}
	balanced(t, merged)
	return merged
}
