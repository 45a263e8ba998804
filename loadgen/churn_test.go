package loadgen

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// coming returns a quick workload of ten sessions: 1,000 messages a second to a channel of all for a second, and beside
// them an entry that lets sessions come and go.
func coming(op Op, rate Rate, sessions string) Workload {
	w := smallChannel(1000, 10)
	w.Traffic = append(w.Traffic, Traffic{ID: "churn", Op: op, Rate: rate, Sessions: sessions})
	if op == OpPause {
		w.Traffic[1].Hold = 50 * time.Millisecond
	}
	return w
}

// reserve returns the same with ten more sessions that log in and out.
func reserve(rate Rate) Workload {
	w := coming(OpLogin, rate, "10-19")
	w.Sessions.Count = 20
	return w
}

// opRow returns a row of a run's operations.
func opRow(t *testing.T, load *reports.Load, op string) reports.Operation {
	t.Helper()
	for _, row := range load.Summary.Operations {
		if row.Op == op {
			return row
		}
	}
	t.Fatalf("the run has no operations %q", op)
	return reports.Operation{}
}

func done(op string, n int64) reports.Operation {
	return reports.Operation{Traffic: "churn", Op: op, Scheduled: n, Done: n}
}

// passed fails the test unless the run passed with balanced books.
func passed(t *testing.T, load *reports.Load) {
	t.Helper()
	balanced(t, load)
	if got := OutcomeOf(load, nil); got != Passed {
		t.Errorf("outcome %v: ledger %+v, thresholds %+v, errors %v", got, load.Summary.Ledger, load.Summary.Thresholds, load.Summary.Errors)
	}
}

func TestMembersLeaveAndJoinInTurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		load := newRig().play(t, t.Context(), coming(OpJoin, 20, "5-8"), Options{})
		passed(t, load)
		// 20 events take four places in turn, five times each: leave, join, leave, join, leave.
		if got, want := opRow(t, load, "leave"), done("leave", 12); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got, want := opRow(t, load, "join"), done("join", 8); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		for name, n := range map[string]int64{"leave": 12, "join": 8, "connect.join": 10, "login": 10} {
			if m := metricOf(t, load, name); m.Count != n {
				t.Errorf("%d samples of %s, want %d", m.Count, name, n)
			}
		}
		// A member that stays gets all but its own messages, and six stay.
		row := load.Summary.Ledger[0]
		if row.Expected <= 1000*5 || row.Expected >= 1000*9 || row.DeliveredOnce != row.Expected {
			t.Errorf("ledger %+v", row)
		}
	})
}

func TestReserveLogsInAndOutInTurn(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		seen := map[string]int{}
		s := newRig()
		s.opened = func(c *rigSession) { seen[c.uid]++ }
		w := reserve(30)
		w.Traffic = append(w.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: 100})
		load := s.play(t, t.Context(), w, Options{})
		passed(t, load)
		for _, op := range []string{"login", "logout"} {
			if got, want := opRow(t, load, op), done(op, 30); got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		for name, n := range map[string]int64{"login": 30, "logout": 30, "connect.login": 10, "join": 10} {
			if m := metricOf(t, load, name); m.Count != n {
				t.Errorf("%d samples of %s, want %d", m.Count, name, n)
			}
		}
		if len(seen) != 20 || seen["load-00009"] != 1 || seen["load-00010"] != 3 || seen["load-00019"] != 3 {
			t.Errorf("logins: %v", seen)
		}
		if row := load.Summary.Ledger[0]; row.DeliveredOnce != 9000 {
			t.Errorf("ledger %+v", row)
		}
	})
}

func TestReconnectingSessionsAreCutOffAndComeBackToTheirChannels(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := coming(OpReconnect, 20, "5-8")
		w.Traffic = append(w.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: 500})
		load := newRig().play(t, t.Context(), w, Options{})
		passed(t, load)
		if got, want := opRow(t, load, "reconnect"), done("reconnect", 20); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if m := metricOf(t, load, "reconnect"); m.Count != 20 {
			t.Errorf("%d samples", m.Count)
		}
	})
}

func TestSlowReadersAreInTheLedgerAndInNoLatency(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		w := coming(OpPause, 20, "5-8")
		w.Traffic = append(w.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: 100})
		load := s.play(t, t.Context(), w, Options{})
		passed(t, load)
		if n := s.resumed.Load(); n != 20 {
			t.Errorf("%d pauses ended, want 20", n)
		}
		if got, want := opRow(t, load, "pause"), done("pause", 20); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if row := load.Summary.Ledger[0]; row.DeliveredOnce != 9000 {
			t.Errorf("ledger %+v", row)
		}
		// Six members read, of which one sends.
		for name, n := range map[string]int64{"channel.deliver": 5000, "channel.first": 1000, "channel.last": 1000} {
			if m := metricOf(t, load, name); m.Count != n || m.MaxNS > int64(time.Millisecond) {
				t.Errorf("%s has %d samples up to %d ns; want %d that waited for no slow reader", name, m.Count, m.MaxNS, n)
			}
		}
	})
}

func TestOperationThatIsLateCountsFromWhenItWasDue(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		// One session, a login due every 100 ms, and each takes 250 ms: the n-th waits n times 150 ms for those before it.
		s := newRig()
		s.connect = func(uid string) error {
			if uid == "load-00010" {
				time.Sleep(250 * time.Millisecond)
			}
			return nil
		}
		w := reserve(10)
		w.Traffic[1].Sessions = "10"
		load := s.play(t, t.Context(), w, Options{})
		passed(t, load)
		want := 9*150*time.Millisecond + 250*time.Millisecond
		if m := metricOf(t, load, "login"); m.Count != 10 || time.Duration(m.MaxNS).Round(time.Millisecond*2) != want {
			t.Errorf("the last of %d logins took %v, want %v", m.Count, time.Duration(m.MaxNS), want)
		}
		if lag := metricOf(t, load, "lag"); lag.MaxNS > 1000 {
			t.Errorf("a message waited for a login: lag up to %d ns", lag.MaxNS)
		}
	})
}

func TestOperationsThatTheServerRefusesAreCountedByClass(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.ask = func(op, uid string) error {
			if op == "leave" && uid == "load-00005" {
				return &Failure{Op: "channel.leave", Class: ClassRefused, Code: 102, Text: "not logged in"}
			}
			return nil
		}
		load := s.play(t, t.Context(), coming(OpJoin, 20, "5-8"), Options{})
		balanced(t, load)
		// Who was not let go counts as away, and so joins next.
		if got := opRow(t, load, "leave"); got.Failed != 3 || got.Done != 9 || got.Scheduled != 12 {
			t.Errorf("got %+v", got)
		}
		if want := (reports.ErrorCount{Op: "channel.leave", Class: ClassRefused, Code: 102, Count: 3}); !slices.Contains(load.Summary.Errors, want) {
			t.Errorf("errors %v lack %v", load.Summary.Errors, want)
		}
		last := load.Summary.Thresholds[len(load.Summary.Thresholds)-1]
		if last.Expr != "operations_failed == 0" || last.Holds || last.Observed != "3" {
			t.Errorf("threshold %+v", last)
		}
	})
}

func TestOperationsThatTheRunCannotWaitForAreUnfinished(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.stuck = func(uid string) bool { return uid == "load-00010" }
		w := reserve(30)
		w.Phases.Drain = time.Second
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		want := reports.Operation{Traffic: "churn", Op: "login", Scheduled: 30, Done: 27, Unfinished: 3}
		if got := opRow(t, load, "login"); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if got, want := opRow(t, load, "logout"), done("logout", 27); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if len(load.Summary.Errors) != 0 {
			t.Errorf("errors %v", load.Summary.Errors)
		}
	})
}

func TestInterruptEndsOperations(t *testing.T) {
	for _, w := range []Workload{coming(OpJoin, 100, "5-8"), reserve(100), coming(OpReconnect, 100, "5-8"), coming(OpPause, 100, "5-8")} {
		inBubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			s := newRig()
			s.tamper = func(n int, _ *routed) {
				if n == 100 {
					cancel()
				}
			}
			load := s.play(t, ctx, w, Options{})
			balanced(t, load)
			for _, row := range load.Summary.Operations {
				if row.Scheduled > 12 || row.Failed > 0 {
					t.Errorf("%+v", row)
				}
			}
			if !load.Summary.Ledger[0].Clean() {
				t.Errorf("ledger %+v", load.Summary.Ledger[0])
			}
		})
	}
}

func TestWorkloadThatOnlyComesAndGoesIsARun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := reserve(50)
		w.Traffic = w.Traffic[1:]
		w.Phases.Warmup = 500 * time.Millisecond
		load := newRig().play(t, t.Context(), w, Options{})
		passed(t, load)
		if m := metricOf(t, load, "login"); m.Count != 50 {
			t.Errorf("%d samples of login, want those of the measured phase", m.Count)
		}
		if got, want := opRow(t, load, "login"), done("login", 75); got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if load.Summary.Validity.Verdict != reports.Valid {
			t.Errorf("validity %+v", load.Summary.Validity)
		}
	})
}

// plainSession hides the abilities of a session.
type plainSession struct{ Session }

type plainDriver struct{ Driver }

func (d plainDriver) Open(ctx context.Context, login Login, handle Handler) (Session, error) {
	s, err := d.Driver.Open(ctx, login, handle)
	return plainSession{s}, err
}

func TestAbilityThatTheDriverLacksIsNamed(t *testing.T) {
	for op, text := range map[Op]string{OpReconnect: "can be cut off", OpPause: "can stop reading"} {
		inBubble(t, func(t *testing.T) {
			s := newRig()
			load, err := Run(t.Context(), coming(op, 20, "5-8"), Options{Driver: plainDriver{s}})
			s.workers.Wait()
			if err == nil || !strings.Contains(err.Error(), "traffic[1].op: "+string(op)+" needs sessions that "+text) ||
				!strings.Contains(err.Error(), "plainSession") || OutcomeOf(load, err) != Unusable {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestImpossibleComingAndGoingIsNamedWithItsRemedy(t *testing.T) {
	entry := func(change func(w *Workload, t *Traffic)) Workload {
		w := coming(OpReconnect, 20, "5-8")
		change(&w, &w.Traffic[1])
		return w
	}
	for want, w := range map[string]Workload{
		`traffic[1].sessions: 5-10 reaches beyond the last session, which is 9`: entry(func(_ *Workload, e *Traffic) { e.Sessions = "5-10" }),
		`traffic[1].sessions: "8-5" is no range of sessions`:                    entry(func(_ *Workload, e *Traffic) { e.Sessions = "8-5" }),
		`traffic[1].sessions: "a" is no range of sessions`:                      entry(func(_ *Workload, e *Traffic) { e.Sessions = "a" }),
		`traffic[1].sessions: the op reconnect needs the range`:                 entry(func(_ *Workload, e *Traffic) { e.Sessions = "" }),
		`traffic[1].payload: the op reconnect sends no messages`:                entry(func(_ *Workload, e *Traffic) { e.Payload.Bytes = 64 }),
		`traffic[1].hold: only the op pause holds`:                              entry(func(_ *Workload, e *Traffic) { e.Hold = 1 }),
		`traffic[1].hold: 0s; say how long`:                                     entry(func(_ *Workload, e *Traffic) { e.Op = OpPause }),
		`traffic[1].channel: the op reconnect goes by sessions`:                 entry(func(_ *Workload, e *Traffic) { e.Channel = "room-%03d" }),
		`traffic[1].channel: "x" is the name of no channel group`:               entry(func(_ *Workload, e *Traffic) { e.Op, e.Channel = OpJoin, "x" }),
		`traffic[1].sessions: no session of 12-13 is in a channel`: entry(func(w *Workload, e *Traffic) {
			w.Sessions.Count, e.Op, e.Sessions = 20, OpJoin, "12-13"
		}),
		`traffic[1].sessions: session 5 is in a channel of channels[0]`:          entry(func(_ *Workload, e *Traffic) { e.Op = OpLogin }),
		`traffic[1].sessions: it takes every session`:                            entry(func(w *Workload, e *Traffic) { e.Op, e.Sessions = OpLogin, "0-9" }),
		`traffic[0].sessions: channel messages come from all sessions that stay`: entry(func(w *Workload, _ *Traffic) { w.Traffic[0].Sessions = "1" }),
		`traffic[0].hold: only the op pause holds`:                               entry(func(w *Workload, _ *Traffic) { w.Traffic[0].Hold = 1 }),
		`traffic: every session comes and goes`:                                  entry(func(_ *Workload, e *Traffic) { e.Sessions = "0-9" }),
		`traffic[0].channel: channel 0 of the group has no member that stays`:    entry(func(_ *Workload, e *Traffic) { e.Op, e.Sessions = OpJoin, "" }),
		`traffic[2].sessions: session 8 belongs to traffic[1] already`: entry(func(w *Workload, _ *Traffic) {
			w.Traffic = append(w.Traffic, Traffic{ID: "b", Op: OpPause, Hold: 1, Rate: 1, Sessions: "8-9"})
		}),
		`traffic[2].sessions: session 5 belongs to traffic[1] already`: entry(func(w *Workload, _ *Traffic) { w.Traffic = append(w.Traffic, Traffic{ID: "b", Op: OpJoin, Rate: 1}) }),
		`traffic[2].op: peer messages need two sessions besides those of the ops`: entry(func(w *Workload, e *Traffic) {
			*e = Traffic{ID: "b", Op: OpPause, Hold: 1, Rate: 1, Sessions: "1-9"}
			w.Traffic = append(w.Traffic[1:], w.Traffic[0], Traffic{ID: "p", Op: OpPeer, Rate: 1})
		}),
		`traffic[1].rate: it makes more than 20000000 operations; lower it or short`: entry(func(w *Workload, e *Traffic) { w.Traffic[0].Rate, e.Rate, w.Phases.Measure = 1, 10_000, time.Hour }),
	} {
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want %q", err, want)
		}
	}
}

func TestTwoJoinEntriesMayShareSessionsInDifferentGroups(t *testing.T) {
	w := coming(OpJoin, 20, "5-8")
	w.Channels = append(w.Channels, Channels{Name: "hall-%d", Count: 1, Members: 10})
	w.Traffic[1].Channel = w.Channels[0].Name
	w.Traffic = append(w.Traffic, Traffic{ID: "hall", Op: OpJoin, Rate: 10, Channel: "hall-%d"})
	inBubble(t, func(t *testing.T) {
		load := newRig().play(t, t.Context(), w, Options{})
		passed(t, load)
	})
}

func TestComingAndGoingIsNotPlayedInShards(t *testing.T) {
	start := time.Now().Add(time.Hour)
	_, err := Run(t.Context(), coming(OpJoin, 20, "5-8"), Options{Driver: newRig(), Shard: &Shard{Index: 0, Count: 2, StartAt: start}})
	if err == nil || !strings.Contains(err.Error(), "the op join cannot be played in shards; run it in one process") || OutcomeOf(nil, err) != Unusable {
		t.Errorf("got %v", err)
	}
}

func TestRunWithoutMessagesTellsTheProgressOfItsOperations(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := reserve(50)
		w.Traffic = w.Traffic[1:]
		newRig().play(t, t.Context(), w, Options{Progress: func(p Progress) {
			if p.Metric != "login" {
				t.Errorf("progress of %s", p.Metric)
			}
		}})
	})
}

func TestTokensAreMadeOnceAndAnewWhenRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var mu sync.Mutex
		made := map[string]int{}
		token := func(uid string) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			made[uid]++
			return "secret", nil
		}
		refused := false
		s := newRig()
		s.connect = func(uid string) error {
			if uid == "load-00010" && !refused {
				refused = true
				return &Failure{Op: "login", Class: ClassAuth, Code: 6, Text: "LOGIN_ERR_TOKEN_EXPIRED"}
			}
			return nil
		}
		w := reserve(30)
		w.Sessions.Count = 21
		w.Traffic[1].Sessions = "10-20"
		load := s.play(t, t.Context(), w, Options{Token: token})
		balanced(t, load)
		if got := opRow(t, load, "login"); got.Failed != 1 || got.Done != 29 {
			t.Errorf("logins %+v", got)
		}
		for uid, n := range made {
			want := 1
			if uid == "load-00010" {
				want = 2
			}
			if n != want {
				t.Errorf("%d tokens for %s, want %d", n, uid, want)
			}
		}
		if len(made) != 21 {
			t.Errorf("tokens for %d users", len(made))
		}
	})
}

func TestDrainWaitsForThoseWhoStayWhateverTheOthersGot(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n == 999 {
				r.late = 800 * time.Millisecond
			}
		}
		load := s.play(t, t.Context(), coming(OpPause, 20, "5-8"), Options{})
		passed(t, load)
	})
}

func TestMessageThatDiesWithACutConnectionIsNoLoss(t *testing.T) {
	// A session reconnects, or leaves and joins, at the start and after 500 ms. The server answers ten messages just before
	// and does not deliver them to it: that may happen on a cut, and must not before a leave.
	for op, lost := range map[Op]int64{OpReconnect: 0, OpJoin: 10} {
		inBubble(t, func(t *testing.T) {
			s := newRig()
			s.tamper = func(n int, r *routed) {
				if n >= 480 && n < 490 {
					r.to = slices.DeleteFunc(r.to, func(uid string) bool { return uid == "load-00005" })
				}
			}
			w := coming(op, 3, "5") // at 0, 333 and 667 ms
			if op == OpReconnect {
				w.Traffic[1].Rate = 2 // at 0 and 500 ms
			}
			load := s.play(t, t.Context(), w, Options{})
			balanced(t, load)
			if row := load.Summary.Ledger[0]; row.Lost != lost {
				t.Errorf("%s: %d lost, want %d", op, row.Lost, lost)
			}
		})
	}
}

func TestTargetIsLostThoughOthersCameAndWent(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n != 510 {
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, session := range s.sessions {
				session.end()
			}
		}
		load := s.play(t, t.Context(), reserve(20), Options{})
		if load.Manifest.LostNS == 0 {
			t.Errorf("nobody noticed that the server had gone: %+v", load.Summary.Errors)
		}
	})
}
