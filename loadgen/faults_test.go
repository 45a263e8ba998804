package loadgen

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// every returns a tampering with the messages whose number is a multiple of step, zero excepted.
func every(step int, f func(r *routed)) func(int, *routed) {
	return func(n int, r *routed) {
		if n > 0 && n%step == 0 {
			f(r)
		}
	}
}

func TestEachPlantedFaultIsCountedExactly(t *testing.T) {
	// 200 messages; every 20th is tampered with, which are 9.
	silent := Event{Kind: Delivered}
	for name, c := range map[string]struct {
		workload Workload
		tamper   func(n int, r *routed)
		want     reports.LedgerRow // the fields that must not be zero, besides the ordinary ones
		stray    reports.LedgerRow
		outcome  Outcome
	}{
		"nothing": {small(200), nil, reports.LedgerRow{}, reports.LedgerRow{}, Passed},
		"drop behind a true receipt": {small(200), every(20, func(r *routed) { r.to = nil }),
			reports.LedgerRow{Lost: 9, FalseReceipts: 9}, reports.LedgerRow{}, AccountingBreach},
		"drop in a channel": {smallChannel(200, 5), every(20, func(r *routed) { r.to = r.to[1:] }),
			reports.LedgerRow{Lost: 9}, reports.LedgerRow{}, AccountingBreach},
		"duplicate": {small(200), every(20, func(r *routed) { r.to = append(r.to, r.to[0], r.to[0]) }),
			reports.LedgerRow{Duplicated: 18}, reports.LedgerRow{}, AccountingBreach},
		"reorder within a stream": {pair(200), every(20, func(r *routed) { r.hold = 2 }),
			reports.LedgerRow{Reordered: 9}, reports.LedgerRow{}, AccountingBreach},
		"leak to a third": {small(200), every(20, func(r *routed) { r.to = append(r.to, third(r.to[0])) }),
			reports.LedgerRow{Leaked: 9}, reports.LedgerRow{}, AccountingBreach},
		"leak of a channel": {someInChannel(200), every(20, func(r *routed) { r.to = append(r.to, "load-00009") }),
			reports.LedgerRow{Leaked: 9}, reports.LedgerRow{}, AccountingBreach},
		"echo to the sender": {smallChannel(200, 5), every(20, func(r *routed) { r.to = append(r.to, r.from) }),
			reports.LedgerRow{Leaked: 9}, reports.LedgerRow{}, AccountingBreach},
		"another's name on it": {smallChannel(200, 2), every(20, func(r *routed) { r.from = "load-00000x" }),
			reports.LedgerRow{Lost: 9}, reports.LedgerRow{Corrupt: 9}, AccountingBreach},
		"through another channel": {smallChannel(200, 2), every(20, func(r *routed) { r.via = "room-001" }),
			reports.LedgerRow{Lost: 9}, reports.LedgerRow{Corrupt: 9}, AccountingBreach},
		"corrupt": {small(200), every(20, func(r *routed) { r.body[50] ^= 1 }),
			reports.LedgerRow{Lost: 9, FalseReceipts: 9}, reports.LedgerRow{Corrupt: 9}, AccountingBreach},
		"another run's": {small(200), every(20, func(r *routed) {
			s := Stamp{Run: 1, Stream: 1, Seq: 1}
			new(stamper).seal(&s, r.body, Text)
		}), reports.LedgerRow{Lost: 9, FalseReceipts: 9}, reports.LedgerRow{Foreign: 9}, AccountingBreach},
		"not received": {small(200), every(20, func(r *routed) { r.to, r.answer.Received = nil, false }),
			reports.LedgerRow{AckedNotReceived: 9}, reports.LedgerRow{}, ThresholdFailed},
		"received but denied": {small(200), every(20, func(r *routed) { r.answer.Received = false }),
			reports.LedgerRow{AckedNotReceived: 9, MayDelivered: 9}, reports.LedgerRow{}, ThresholdFailed},
		"refused": {small(200), every(20, func(r *routed) {
			r.to, r.answer.Kind, r.answer.Failure = nil, Refused, &Failure{Op: "peer.send", Class: ClassRateLimited, Code: 5}
		}), reports.LedgerRow{AckError: 9}, reports.LedgerRow{}, ThresholdFailed},
		"never answered": {small(200), every(20, func(r *routed) { r.answer = silent }),
			reports.LedgerRow{AckTimeout: 9, MayDelivered: 9}, reports.LedgerRow{}, ThresholdFailed},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				s := newRig()
				s.tamper = c.tamper
				dir := filepath.Join(t.TempDir(), "run")
				load := s.play(t, t.Context(), c.workload, Options{Dir: dir})
				balanced(t, load)
				sameAnomalies(t, load, dir)
				row := load.Summary.Ledger[0]
				if got := oddities(row); got != oddities(c.want) {
					t.Errorf("ledger shows %+v, want %+v", got, oddities(c.want))
				}
				stray := reports.LedgerRow{}
				if len(load.Summary.Ledger) > 1 {
					stray = load.Summary.Ledger[1]
				}
				if got := oddities(stray); got != oddities(c.stray) {
					t.Errorf("unidentified messages: %+v, want %+v", got, oddities(c.stray))
				}
				if row.Scheduled != 200 || row.Sent != 200 {
					t.Errorf("scheduled %d, sent %d; want 200", row.Scheduled, row.Sent)
				}
				if got := OutcomeOf(load, nil); got != c.outcome {
					t.Errorf("outcome %v, want %v", got, c.outcome)
				}
			})
		})
	}
}

// oddities keeps the fields of a row that are zero in a good run.
func oddities(r reports.LedgerRow) reports.LedgerRow {
	return reports.LedgerRow{
		Shed: r.Shed, SendFailed: r.SendFailed, AckedNotReceived: r.AckedNotReceived, AckError: r.AckError,
		AckTimeout: r.AckTimeout, AckLost: r.AckLost, MayDelivered: r.MayDelivered, Lost: r.Lost,
		Duplicated: r.Duplicated, Reordered: r.Reordered, Leaked: r.Leaked, Foreign: r.Foreign, Corrupt: r.Corrupt,
		FalseReceipts: r.FalseReceipts,
	}
}

// smallChannel is a quick workload of n messages to one channel.
func smallChannel(n, members int) Workload {
	w := Fanout(1000, time.Duration(n)*time.Millisecond, 1, members)
	w.Phases.Warmup = 0
	w.Phases.Drain = 2 * time.Second
	return w
}

// someInChannel has ten sessions, five of them in the channel.
func someInChannel(n int) Workload {
	w := smallChannel(n, 5)
	w.Sessions.Count = 10
	return w
}

// pair lets two sessions send to each other, so that neighbours in a stream are two messages apart.
func pair(n int) Workload {
	w := small(n)
	w.Sessions.Count = 2
	return w
}

// third returns a session that is not the given one, and so has no right to its messages.
func third(uid string) string {
	if uid == "load-00000" {
		return "load-00001"
	}
	return "load-00000"
}

func TestEachAnomalyIsNamedInTheLedgerFile(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		s := newRig()
		var lost []int
		s.tamper = func(n int, r *routed) {
			if n == 37 || n == 113 {
				lost = append(lost, n)
				r.to = r.to[1:]
			}
		}
		s.play(t, t.Context(), smallChannel(200, 5), Options{Dir: dir})
		text, err := os.ReadFile(filepath.Join(dir, LedgerFile))
		if err != nil {
			t.Fatal(err)
		}
		var named []int
		for line := range bytes.Lines(text) {
			var l ledgerLine
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(err)
			}
			if a := l.Anomaly; a != nil {
				// Streams take turns: message n of 5 streams is number n div 5 in stream n mod 5, whose sender is member n mod 5.
				sender := slices.Index([]string{"load-00000", "load-00001", "load-00002", "load-00003", "load-00004"}, a.Sender)
				named = append(named, a.Seq*5+sender)
				if a.Kind != anomalyLost || a.To != "room-000" || a.Phase != phaseMeasure || a.Receiver == a.Sender {
					t.Errorf("anomaly %+v", a)
				}
			}
		}
		if !slices.Equal(named, lost) {
			t.Errorf("the ledger file names messages %v, lost were %v", named, lost)
		}
	})
}

func TestStallShowsInFullInIntendedTimeLatency(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		// 10,000 messages at 1,000/s; the server does nothing for 2 s. The 2,000 messages due in that time wait from 2 s
		// down to nothing, evenly, and the others not at all: the share of messages over x seconds is (2 - x) / 10.
		s := newRig()
		s.stallAt, s.stall = 4000, 2*time.Second
		w := small(10_000)
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		for _, name := range []string{"peer.ack", "peer.deliver"} {
			m := metricOf(t, load, name)
			for _, q := range []struct {
				percentile float64
				got        int64
			}{{90, m.P90NS}, {99, m.P99NS}, {99.9, m.P999NS}, {100, m.MaxNS}} {
				want := 2 - (100-q.percentile)/10
				if got := float64(q.got) / 1e9; math.Abs(got-want)/want > 0.002 {
					t.Errorf("%s p%v is %.4f s, want %.4f s within 0.2 %%", name, q.percentile, got, want)
				}
			}
			if m.P50NS > 1000 || m.Count != 10_000 {
				t.Errorf("%s: p50 %d ns of %d samples; the rest should not have waited", name, m.P50NS, m.Count)
			}
		}
		if lag := metricOf(t, load, "lag"); lag.MaxNS > 1000 {
			t.Errorf("the schedule waited for the server: lag up to %d ns", lag.MaxNS)
		}
	})
}

func TestAnswersThatNobodyIsWaitingForAreCountedAndChangeNothing(t *testing.T) {
	for _, mode := range []string{"a second one", "to somebody else as well", "to somebody else", "to no message"} {
		inBubble(t, func(t *testing.T) {
			s := newRig()
			s.tamper = every(20, func(r *routed) {
				switch mode {
				case "a second one":
					r.again = []string{r.from}
				case "to somebody else as well":
					r.again = []string{third(r.from)}
				case "to somebody else":
					r.tell = third(r.from)
				case "to no message":
					r.answer.Tag += 1 << 30
				}
			})
			load := s.play(t, t.Context(), small(200), Options{})
			balanced(t, load)
			want := reports.ErrorCount{Op: "session", Class: ClassProtocol, Count: 9}
			if !slices.Contains(load.Summary.Errors, want) {
				t.Errorf("%s: errors %v lack %v", mode, load.Summary.Errors, want)
			}
			answered := int64(200)
			if mode == "to somebody else" || mode == "to no message" {
				answered = 191
			}
			if row := load.Summary.Ledger[0]; row.AckedReceived != answered || row.AckTimeout != 200-answered || !row.Clean() {
				t.Errorf("%s: ledger %+v", mode, row)
			}
		})
	}
}

func TestSessionThatBreaksOffIsAccountedFor(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) { r.cut = n == 50 }
		load := s.play(t, t.Context(), small(200), Options{})
		balanced(t, load)
		row := load.Summary.Ledger[0]
		if row.AckLost != 1 || row.SendFailed != 14 {
			t.Errorf("%d answers lost and %d sends failed; want 1 and 14, one in ten of the 149 after the break", row.AckLost, row.SendFailed)
		}
		want := reports.ErrorCount{Op: "session", Class: ClassClosed, Code: 4002, Count: 1}
		if !slices.Contains(load.Summary.Errors, want) {
			t.Errorf("errors %v lack %v", load.Summary.Errors, want)
		}
		// Whoever sends to the dead session gets a true receipt from this server, which delivers nowhere.
		if row.FalseReceipts == 0 || row.FalseReceipts != row.Lost {
			t.Errorf("%d false receipts for %d lost messages", row.FalseReceipts, row.Lost)
		}
	})
}
