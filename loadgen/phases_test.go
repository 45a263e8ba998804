package loadgen

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func phaseNames(load *reports.Load) (names []string) {
	for _, p := range load.Summary.Phases {
		names = append(names, p.Name)
	}
	return names
}

func TestWarmupIsInTheLedgerAndNotInTheLatencies(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := Peer(1000, 4*time.Second, 10)
		w.Phases.Warmup = 2 * time.Second
		// The server is slow in the warm-up only: 1 s in the middle of it.
		s := newRig()
		s.stallAt, s.stall = 500, time.Second
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		if got := load.Summary.Ledger[0]; got.Scheduled != 6000 || got.DeliveredOnce != 6000 {
			t.Errorf("ledger has %d scheduled and %d delivered, want 6000", got.Scheduled, got.DeliveredOnce)
		}
		for _, name := range []string{"peer.ack", "peer.deliver", "peer.ack.service", "lag"} {
			if m := metricOf(t, load, name); m.Count != 4000 || m.MaxNS > 1000 {
				t.Errorf("%s has %d samples up to %d ns; want 4000 that did not wait", name, m.Count, m.MaxNS)
			}
		}
		want := []string{phaseConnect, phaseWarmup, phaseMeasure, phaseDrain, phaseClose}
		if got := phaseNames(load); !slices.Equal(got, want) {
			t.Errorf("phases %v, want %v", got, want)
		}
		if load.Summary.Validity.Verdict != reports.Valid {
			t.Errorf("validity %+v", load.Summary.Validity)
		}
	})
}

func TestMeasuringWaitsUntilTheWarmupHasDrained(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := Peer(1000, time.Second, 10)
		w.Phases.Warmup, w.Phases.Drain = time.Second, 10*time.Second
		// The last warm-up message takes 3 s; the measured messages behind it must not see it.
		s := newRig()
		s.stallAt, s.stall = 999, 3*time.Second
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		if m := metricOf(t, load, "peer.ack"); m.MaxNS > 1000 {
			t.Errorf("a measured message waited %v for the warm-up", time.Duration(m.MaxNS))
		}
		measure := load.Summary.Phases[2]
		if warmup := load.Summary.Phases[1]; time.Duration(measure.StartNS-warmup.StartNS) < 4*time.Second-time.Millisecond {
			t.Errorf("measuring began %v after the warm-up did", time.Duration(measure.StartNS-warmup.StartNS))
		}
		if load.Summary.Validity.Verdict != reports.Valid {
			t.Errorf("validity %+v", load.Summary.Validity)
		}
	})
}

func TestWarmupThatDoesNotDrainIsToldOf(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := Peer(1000, time.Second, 10)
		w.Phases.Warmup, w.Phases.Drain = time.Second, 2*time.Second
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n == 500 {
				r.answer = Event{Kind: Delivered}
			}
		}
		load := s.play(t, t.Context(), w, Options{})
		v := load.Summary.Validity
		if v.Verdict != reports.Degraded || v.Attribution != "server bound" || !strings.Contains(strings.Join(v.Reasons, " "), "warm-up") {
			t.Errorf("validity %+v", v)
		}
	})
}

func TestDrainEndsWhenNothingIsMissing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := small(1000)
		w.Phases.Drain = time.Hour
		s := newRig()
		s.stallAt, s.stall = 999, 3*time.Second
		load := s.play(t, t.Context(), w, Options{})
		drain := load.Summary.Phases[2]
		if got := time.Duration(drain.DurationNS).Round(10 * time.Millisecond); drain.Name != phaseDrain || got != 3*time.Second {
			t.Errorf("phase %s took %v, want a drain of 3 s", drain.Name, got)
		}
		if m := metricOf(t, load, "peer.ack"); time.Duration(m.MaxNS).Round(10*time.Millisecond) != 3*time.Second {
			t.Errorf("the late answer was measured as %v", time.Duration(m.MaxNS))
		}
	})
}

func TestDrainWaitsForDeliveriesBehindTheirAnswers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n == 199 {
				r.late = 800 * time.Millisecond
			}
		}
		load := s.play(t, t.Context(), small(200), Options{})
		balanced(t, load)
		if row := load.Summary.Ledger[0]; row.Lost != 0 || row.DeliveredOnce != 200 {
			t.Errorf("ledger %+v", row)
		}
	})
}

func TestFirstEachAndLastMemberAreMeasuredApart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := smallChannel(2000, 5)
		w.Traffic[0].Rate = 10
		s := newRig()
		s.tamper = func(_ int, r *routed) { r.spread = 10 * time.Millisecond }
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		for name, want := range map[string]struct {
			count int64
			max   time.Duration
		}{"channel.first": {20, 0}, "channel.deliver": {80, 30 * time.Millisecond}, "channel.last": {20, 30 * time.Millisecond}, "channel.ack": {20, 30 * time.Millisecond}} {
			m := metricOf(t, load, name)
			if got := time.Duration(m.MaxNS).Round(time.Millisecond); m.Count != want.count || got != want.max {
				t.Errorf("%s: %d samples up to %v, want %d up to %v", name, m.Count, got, want.count, want.max)
			}
		}
		if m := metricOf(t, load, "channel.deliver"); time.Duration(m.P50NS).Round(time.Millisecond) != 10*time.Millisecond {
			t.Errorf("half of the deliveries took up to %v, want 10 ms", time.Duration(m.P50NS))
		}
	})
}

// drowsy is a pacer that wakes too late.
type drowsy struct {
	sleeper
	late time.Duration
}

func (d drowsy) wait(until int64) { d.sleeper.wait(until + int64(d.late)) }

func TestLateGeneratorShowsInLagAndInLatencyAndInTheVerdict(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		o := Options{pacer: func(c *clock) pacer { return drowsy{sleeper{c}, 3 * time.Millisecond} }}
		w := small(1000)
		w.Traffic[0].Rate = 100
		load := newRig().play(t, t.Context(), w, o)
		for name, want := range map[string]time.Duration{
			"lag": 3 * time.Millisecond, "peer.ack": 3 * time.Millisecond, "peer.deliver": 3 * time.Millisecond, "peer.ack.service": 0,
		} {
			m := metricOf(t, load, name)
			if got := time.Duration(m.P50NS).Round(100 * time.Microsecond); m.Count != 100 || got != want {
				t.Errorf("%s: %v in %d samples, want %v", name, got, m.Count, want)
			}
		}
		if v := load.Summary.Validity; v.Verdict != reports.Invalid || v.Attribution == "server bound" {
			t.Errorf("validity %+v", v)
		}
		if load.Summary.Health.LagP99NS < int64(3*time.Millisecond) {
			t.Errorf("health %+v", load.Summary.Health)
		}
	})
}

func TestMessagesBeyondTheInFlightLimitAreShedAndCounted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := small(1000)
		w.Limits.MaxInFlight = 100
		// For 300 ms nothing is answered: 100 of the 300 messages due then may wait, 200 are shed.
		s := newRig()
		s.stallAt, s.stall = 400, 299_500*time.Microsecond
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		row := load.Summary.Ledger[0]
		if row.Shed != 200 || row.Sent != 800 || row.Scheduled != 1000 || row.Lost != 0 {
			t.Errorf("shed %d, sent %d of %d, lost %d; want 200 and 800 of 1000", row.Shed, row.Sent, row.Scheduled, row.Lost)
		}
		v := load.Summary.Validity
		if v.Verdict != reports.Invalid || v.Attribution != "server bound" || OutcomeOf(load, nil) != RunInvalid {
			t.Errorf("validity %+v", v)
		}
	})
}

func TestInterruptedRunIsClosedWrittenAndMarked(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		ctx, cancel := context.WithCancel(t.Context())
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n == 250 {
				cancel()
			}
		}
		load := s.play(t, ctx, small(100_000), Options{Dir: dir})
		balanced(t, load)
		row := load.Summary.Ledger[0]
		if !load.Manifest.Interrupted || row.Scheduled < 251 || row.Scheduled > 252 || row.Lost != 0 {
			t.Errorf("interrupted %v with %+v", load.Manifest.Interrupted, row)
		}
		if OutcomeOf(load, nil) != Interrupted {
			t.Errorf("outcome %v", OutcomeOf(load, nil))
		}
		read, err := reports.ReadLoad(dir)
		if err != nil || !read.Manifest.Interrupted {
			t.Errorf("the run folder: %v", err)
		}
	})
}

func TestInterruptWhileConnectingLeavesAReadableRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := newRig()
		s.connect = func(uid string) error {
			if uid == "load-00005" {
				cancel()
			}
			return nil
		}
		load := s.play(t, ctx, small(100), Options{})
		if !load.Manifest.Interrupted || load.Summary.Ledger[0].Scheduled != 0 || len(s.sessions) != 0 {
			t.Errorf("interrupted %v, ledger %+v, %d sessions open", load.Manifest.Interrupted, load.Summary.Ledger, len(s.sessions))
		}
	})
}

func TestRunThatCannotConnectLeavesNothingBehind(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		parent := t.TempDir()
		s := newRig()
		s.connect = func(uid string) error {
			if uid == "load-00007" {
				return &Failure{Op: "login", Class: ClassAuth, Code: 5, Text: "LOGIN_ERR_INVALID_TOKEN"}
			}
			return nil
		}
		load, err := s.run(t.Context(), small(100), Options{Dir: filepath.Join(parent, "run")})
		if load != nil || err == nil || !strings.Contains(err.Error(), "load-00007") || OutcomeOf(load, err) != Unusable {
			t.Errorf("got %v, %v", load, err)
		}
		if left, _ := os.ReadDir(parent); len(left) != 0 || len(s.sessions) != 0 {
			t.Errorf("left behind: %v, %d sessions", left, len(s.sessions))
		}
	})
}

func TestRunFolderMustBeNew(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Run(t.Context(), small(10), Options{URL: "ws://h/rtm/v1", Dir: dir, Driver: newRig()})
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("got %v", err)
	}
}

func TestWorkloadBeyondTheServersLimitsIsRefusedBeforeItStarts(t *testing.T) {
	staged := Peer(100, 0, 10)
	staged.Traffic[0].Stages = []Stage{{To: rate(700), Over: time.Second}, {To: rate(1), Over: time.Second}}
	burst := Peer(500, 10*time.Second, 10)
	burst.Traffic[0].Arrival, burst.Traffic[0].Burst = Burst, 1000
	replay, err := ReadWorkload(replayFolder(t, strings.Replace(replayWorkload, "count: 4", "count: 10", 1), "1\n"+strings.Repeat("7\n", 2000)))
	if err != nil {
		t.Fatal(err)
	}
	// Ten sessions, each in the two channels; every event takes the next of the twenty places.
	churned := func(rate Rate) Workload {
		w := Fanout(10, time.Second, 2, 12)
		w.Traffic = append(w.Traffic, Traffic{ID: "churn", Op: OpJoin, Channel: w.Channels[0].Name, Rate: rate, Sessions: "2-11"})
		return w
	}
	for name, c := range map[string]struct {
		workload Workload
		limit    func(*rig)
		text     string
	}{
		"rate":          {Peer(1000, time.Second, 10), func(s *rig) { s.limits = wire.DefaultLimits() }, "traffic[0].rate: with its rate a session would send 300 messages within 3s, and the server allows 180; use more sessions"},
		"at the limit":  {Peer(600, time.Second, 10), func(s *rig) { s.limits = wire.DefaultLimits() }, ""},
		"joins of one":  {churned(100), func(s *rig) { s.limits = wire.DefaultLimits() }, "traffic[1].rate: a session would join one channel up to 13 times within 5s, and the server allows 2; use a lower rate"},
		"joins of all":  {churned(100), func(s *rig) { s.limits.Calls = []wire.Rate{{Call: wire.CallJoin, Count: 3, WindowMS: 1000}} }, "traffic[1].rate: a session would join channels up to 6 times within 1s, and the server allows 3"},
		"joins allowed": {churned(8), func(s *rig) { s.limits = wire.DefaultLimits() }, ""},
		"stages":        {staged, func(s *rig) { s.limits = wire.DefaultLimits() }, "traffic[0].stages: with the highest rate of its stages, 700/s, a session would send 210 messages within 3s"},
		"burst":         {burst, func(s *rig) { s.limits = wire.DefaultLimits() }, "traffic[0].burst: with its bursts a session would send 200 messages within 3s"},
		"ceiling":       {closedPeers(10, 1), func(s *rig) { s.limits = wire.DefaultLimits() }, "traffic[0].rate: with its ceiling a session would send 3000 messages within 3s"},
		"trace":         {replay, func(s *rig) { s.limits = wire.DefaultLimits() }, "traffic[0].trace: with the busiest stretch of its trace a session would send 200 messages within 3s"},
		"payload":       {Peer(1000, time.Second, 10), func(s *rig) { s.limits.MessageBytes = 50 }, "traffic[0].payload.bytes: 64 bytes are over the 50"},
		"joins":         {Fanout(100, time.Second, 10, 10), func(s *rig) { s.limits.Channels = 5 }, "would join 10 channels and the server allows 5"},
	} {
		inBubble(t, func(t *testing.T) {
			s := newRig()
			c.limit(s)
			load, err := s.run(t.Context(), c.workload, Options{})
			if c.text == "" && err == nil {
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.text) || OutcomeOf(load, err) != Unusable {
				t.Errorf("%s: got %v", name, err)
			}
		})
	}
}

func TestProgressTellsEachSecond(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var told []Progress
		s := newRig()
		w := small(5000)
		s.play(t, t.Context(), w, Options{Progress: func(p Progress) { told = append(told, p) }})
		var sent, delivered int64
		for _, p := range told {
			sent, delivered = sent+p.Sent, delivered+p.Delivered
			if p.Metric != "peer.ack" || p.Total < 5*time.Second {
				t.Errorf("progress %+v", p)
			}
		}
		if len(told) < 5 || len(told) > 7 || sent != 5000 || delivered != 5000 {
			t.Errorf("%d calls, %d sent, %d delivered", len(told), sent, delivered)
		}
	})
}

func TestSeriesCountsOfferedByDueTimeAndTheRestByCompletion(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.stallAt, s.stall = 1000, 1500*time.Millisecond
		load := s.play(t, t.Context(), small(4000), Options{})
		var offered, delivered []int64
		for _, p := range load.Summary.Series {
			offered, delivered = append(offered, p.Offered), append(delivered, p.Delivered)
		}
		// Connecting takes 50 ms; the schedule begins right after.
		if offered[0] < 900 || offered[1] != 1000 || offered[2] != 1000 || delivered[1] > 200 || delivered[2] < 1900 {
			t.Errorf("offered %v, delivered %v", offered, delivered)
		}
	})
}

func TestMixedTrafficSharesOneSchedule(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := Fanout(300, 2*time.Second, 2, 10)
		w.Phases.Warmup = 0
		w.Traffic = append(w.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: 700, Arrival: Poisson})
		load := newRig().play(t, t.Context(), w, Options{})
		balanced(t, load)
		if len(load.Summary.Ledger) != 2 || load.Summary.Ledger[0].DeliveredOnce != 600*9 || load.Summary.Ledger[1].Traffic != "peer" {
			t.Errorf("ledger %+v", load.Summary.Ledger)
		}
		peers := load.Summary.Ledger[1]
		if peers.DeliveredOnce != peers.Scheduled || metricOf(t, load, "peer.ack").Count != peers.Scheduled {
			t.Errorf("peers %+v", peers)
		}
		if OutcomeOf(load, nil) != Passed {
			t.Errorf("outcome %v", OutcomeOf(load, nil))
		}
	})
}
