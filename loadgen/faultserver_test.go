package loadgen

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// dispatch is a message on its way through the faulty server: who gets it how often, and what the sender is told.
type dispatch struct {
	c    *stubConn
	to   []string      // receivers, repeated for duplicates
	lie  bool          // tell the sender that it arrived, whatever happened
	mute bool          // tell the sender nothing
	hold bool          // deliver it behind the sender's next message
	kick bool          // kick the sender instead
	wait time.Duration // do nothing so long before it
}

// plant makes the server treat message n, counted from 0 in the order in which messages are due, as fault says. The rest
// of the messages, and everything else, stays with the honest server.
func (s *stub) plant(fault func(n int, d *dispatch)) {
	held := map[*stubConn]func(){}
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		d := &dispatch{c: c}
		var id uint64
		var message wire.Message
		channel := ""
		switch f := f.(type) {
		case *wire.PeerSend:
			id, message, d.to = f.ID, f.Message, []string{f.To}
		case *wire.ChannelSend:
			id, message, channel, d.to = f.ID, f.Message, f.Channel, s.others(f.Channel, c.uid)
		default:
			return false
		}
		before := slices.Clone(d.to)
		fault(int(id-tagBase), d)
		if d.wait > 0 {
			<-time.After(d.wait)
		}
		if d.kick {
			c.write(&wire.LoginKicked{Reason: wire.KickBanned})
			c.close(int(wire.CloseBanned))
			return true
		}
		deliver := func() {
			for i, uid := range d.to {
				s.hand(uid, c, channel, message, i == 0 && channel == "" && !d.lie && !d.mute, id)
			}
			switch {
			case d.mute:
			case channel != "":
				c.write(&wire.OK{Answers: wire.KindChannelSend, ID: id})
			case d.lie:
				c.write(&wire.PeerSendOK{ID: id, Received: true})
			}
		}
		s.mu.Lock()
		late := held[c]
		delete(held, c)
		if d.hold {
			held[c] = deliver
		}
		s.mu.Unlock()
		if d.hold {
			return true
		}
		if late == nil && slices.Equal(before, d.to) && !d.lie && !d.mute {
			return false
		}
		deliver()
		if late != nil {
			late()
		}
		return true
	}
}

// others returns the members of a channel but one.
func (s *stub) others(channel, uid string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for member := range s.members[channel] {
		if member != uid {
			list = append(list, member)
		}
	}
	slices.Sort(list)
	return list
}

// hand writes a message to a user, who need not have a right to it. With receipt the sender learns when it arrived.
func (s *stub) hand(uid string, from *stubConn, channel string, m wire.Message, receipt bool, id uint64) {
	s.mu.Lock()
	to := s.users[uid]
	s.mu.Unlock()
	if to == nil {
		if receipt {
			from.write(&wire.PeerSendOK{ID: id})
		}
		return
	}
	if channel != "" {
		to.write(&wire.ChannelMessage{Channel: channel, From: from.uid, Seq: 1, TS: 1, Message: m})
		return
	}
	to.mu.Lock()
	defer to.mu.Unlock()
	to.seq++
	if receipt {
		to.waiting[to.seq] = func() { from.write(&wire.PeerSendOK{ID: id, Received: true}) }
	}
	to.writeLocked(&wire.PeerMessage{Seq: to.seq, From: from.uid, TS: 1, Message: m})
}

// each returns a fault of the messages whose number is a multiple of step, zero excepted.
func each(step int, f func(d *dispatch)) func(int, *dispatch) {
	return func(n int, d *dispatch) {
		if n > 0 && n%step == 0 {
			f(d)
		}
	}
}

// namedByKind counts the anomalies of a run folder's ledger file by kind.
func namedByKind(t *testing.T, dir string) map[anomalyKind]int64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, LedgerFile))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[anomalyKind]int64{}
	for line := range bytes.Lines(text) {
		var l ledgerLine
		if err := json.Unmarshal(line, &l); err != nil {
			t.Fatal(err)
		}
		if l.Anomaly != nil {
			counts[l.Anomaly.Kind]++
		}
	}
	return counts
}

// sameAnomalies fails the test unless the ledger file names as many anomalies of each kind as its rows count.
func sameAnomalies(t *testing.T, load *reports.Load, dir string) {
	t.Helper()
	got := namedByKind(t, dir)
	var sum reports.LedgerRow
	for _, row := range load.Summary.Ledger {
		sum.Lost += row.Lost
		sum.Duplicated += row.Duplicated
		sum.Reordered += row.Reordered
		sum.Leaked += row.Leaked
		sum.Foreign += row.Foreign
		sum.Corrupt += row.Corrupt
		sum.FalseReceipts += row.FalseReceipts
	}
	for kind, want := range map[anomalyKind]int64{
		anomalyLost: sum.Lost, anomalyDuplicated: sum.Duplicated, anomalyReordered: sum.Reordered, anomalyLeaked: sum.Leaked,
		anomalyForeign: sum.Foreign, anomalyCorrupt: sum.Corrupt, anomalyFalseReceipt: sum.FalseReceipts,
	} {
		if got[kind] != want {
			t.Errorf("the ledger file names %d %s, its rows count %d", got[kind], kind, want)
		}
	}
}

func TestEachFaultOfARealServerIsCountedExactly(t *testing.T) {
	// 200 messages; every 20th is tampered with, which are 9.
	for name, c := range map[string]struct {
		workload Workload
		fault    func(n int, d *dispatch)
		want     reports.LedgerRow
		errors   []reports.ErrorCount
		outcome  Outcome
	}{
		"nothing": {brief(Peer(1000, time.Second, 10)), func(int, *dispatch) {}, reports.LedgerRow{}, nil, Passed},
		"drop behind a true receipt": {brief(Peer(1000, time.Second, 10)), each(20, func(d *dispatch) { d.to, d.lie = nil, true }),
			reports.LedgerRow{Lost: 9, FalseReceipts: 9}, nil, AccountingBreach},
		"drop in a channel": {brief(Fanout(1000, time.Second, 1, 5)), each(20, func(d *dispatch) { d.to = d.to[1:] }),
			reports.LedgerRow{Lost: 9}, nil, AccountingBreach},
		"drop without an answer": {brief(Peer(1000, time.Second, 10)), each(20, func(d *dispatch) { d.to, d.mute = nil, true }),
			reports.LedgerRow{AckTimeout: 9}, []reports.ErrorCount{{Op: "peer.send", Class: ClassAckTimeout, Count: 9}}, ThresholdFailed},
		"duplicate": {brief(Peer(1000, time.Second, 10)), each(20, func(d *dispatch) { d.to = append(d.to, d.to[0], d.to[0]) }),
			reports.LedgerRow{Duplicated: 18}, nil, AccountingBreach},
		"duplicate in a channel": {brief(Fanout(1000, time.Second, 1, 5)), each(20, func(d *dispatch) { d.to = append(d.to, d.to[0]) }),
			reports.LedgerRow{Duplicated: 9}, nil, AccountingBreach},
		"reorder within a stream": {brief(Peer(1000, time.Second, 2)), each(20, func(d *dispatch) { d.hold = true }),
			reports.LedgerRow{Reordered: 9}, nil, AccountingBreach},
		"leak to a third": {brief(Peer(1000, time.Second, 10)), each(20, func(d *dispatch) { d.to = append(d.to, third(d.to[0])) }),
			reports.LedgerRow{Leaked: 9}, nil, AccountingBreach},
		"leak to a non-member": {brief(someInChannel(200)), each(20, func(d *dispatch) { d.to = append(d.to, "load-00009") }),
			reports.LedgerRow{Leaked: 9}, nil, AccountingBreach},
		"echo to the sender": {brief(Fanout(1000, time.Second, 1, 5)), each(20, func(d *dispatch) { d.to = append(d.to, d.c.uid) }),
			reports.LedgerRow{Leaked: 9}, nil, AccountingBreach},
		"stall": {brief(Peer(1000, time.Second, 10)), func(n int, d *dispatch) {
			if n == 100 {
				d.wait = 300 * time.Millisecond
			}
		}, reports.LedgerRow{}, nil, Passed},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t)
			s.plant(c.fault)
			dir := filepath.Join(t.TempDir(), "run")
			load, err := Run(t.Context(), c.workload, Options{URL: s.url(), AppID: testApp, Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			balanced(t, load)
			row := load.Summary.Ledger[0]
			if got := oddities(row); len(load.Summary.Ledger) != 1 || got != c.want {
				t.Errorf("ledger shows %+v, want %+v", got, c.want)
			}
			if !slices.Equal(load.Summary.Errors, c.errors) {
				t.Errorf("errors %v, want %v", load.Summary.Errors, c.errors)
			}
			sameAnomalies(t, load, dir)
			// These servers share the machine with the test, which may be busy: validity says nothing here.
			if got := OutcomeOf(load, nil); got != c.outcome && got != RunInvalid {
				t.Errorf("outcome %v, want %v", got, c.outcome)
			}
			if name == "stall" {
				if m := metricOf(t, load, "peer.ack"); m.MaxNS < int64(299*time.Millisecond) {
					t.Errorf("the stall of 300 ms shows as %v", time.Duration(m.MaxNS))
				}
			}
		})
	}
}

func TestKickIsNamedAndItsMessagesAreAccountedFor(t *testing.T) {
	s := newStub(t)
	// Message 105 is one of session 5's, who sends every tenth: it is kicked instead of answered.
	s.plant(func(n int, d *dispatch) { d.kick = n == 105 })
	dir := filepath.Join(t.TempDir(), "run")
	load, err := Run(t.Context(), brief(Peer(1000, time.Second, 10)), Options{URL: s.url(), AppID: testApp, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	balanced(t, load)
	want := reports.ErrorCount{Op: "session", Class: ClassKicked, Code: int(wire.CloseBanned), Count: 1}
	if !slices.Contains(load.Summary.Errors, want) {
		t.Errorf("errors %v lack %v", load.Summary.Errors, want)
	}
	row := load.Summary.Ledger[0]
	// What session 5 would have sent from then on was lost with its connection or could not be sent.
	if row.AckLost < 1 || row.AckLost+row.SendFailed < 9 || row.AckLost+row.SendFailed > 10+row.AckTimeout || !row.Clean() {
		t.Errorf("ledger %+v", row)
	}
	sameAnomalies(t, load, dir)
}

// onceAway is a quick workload of 200 messages to a channel of five, in which the last member leaves at once and, with two
// events, comes back in the middle.
func onceAway(events int) Workload {
	w := brief(Fanout(1000, time.Second, 1, 5))
	w.Traffic = append(w.Traffic, Traffic{
		ID: "churn", Op: OpJoin, Rate: Rate(float64(events) / w.Phases.Measure.Seconds()), Sessions: "4",
	})
	return w
}

// patient is a pacer that sends so many messages and then waits for an event, so that the others are sent behind it however
// busy the machine is.
type patient struct {
	pacer
	first int
	event <-chan struct{}
}

func (p *patient) wait(until int64) {
	if p.first--; p.first < 0 {
		<-p.event
	}
	p.pacer.wait(until)
}

// confirming is a driver that tells when a call of one session has been confirmed and the run knows it.
type confirming struct {
	Driver
	uid           string
	leaves, joins int // how many calls of each are to be confirmed
	confirmed     chan struct{}
}

func (d *confirming) Open(ctx context.Context, login Login, handle Handler) (Session, error) {
	session, err := d.Driver.Open(ctx, login, handle)
	if err != nil || login.UID != d.uid {
		return session, err
	}
	return &confirmingSession{session, d}, nil
}

type confirmingSession struct {
	Session
	driver *confirming
}

func (s *confirmingSession) Leave(ctx context.Context, channel string) error {
	return s.tell(ctx, &s.driver.leaves, s.Session.Leave(ctx, channel))
}

func (s *confirmingSession) Join(ctx context.Context, channel string) error {
	return s.tell(ctx, &s.driver.joins, s.Session.Join(ctx, channel))
}

// tell waits for the end of the context, which comes when the run has noted the call.
func (s *confirmingSession) tell(ctx context.Context, left *int, err error) error {
	if *left--; *left == 0 && s.driver.joins <= 0 && s.driver.leaves <= 0 {
		context.AfterFunc(ctx, func() { close(s.driver.confirmed) })
	}
	return err
}

// behind are options with which the first messages are sent at their time, and the others once the calls are confirmed.
func behind(first int, d *confirming, dir string) Options {
	d.confirmed = make(chan struct{})
	return Options{
		URL: "ws://stub", AppID: testApp, Dir: dir, Driver: d,
		pacer: func(c *clock) pacer { return &patient{newPacer(c), first, d.confirmed} },
	}
}

func TestDeliveryBehindALeaveIsALeak(t *testing.T) {
	for name, play := range map[string]func(t *testing.T, w Workload, dir string) *reports.Load{
		"in memory": func(t *testing.T, w Workload, dir string) *reports.Load {
			s := newRig()
			s.tamper = every(20, func(r *routed) { r.to = append(r.to, "load-00004") })
			return s.play(t, t.Context(), w, Options{Dir: dir})
		},
		"over real sockets": func(t *testing.T, w Workload, dir string) *reports.Load {
			s := newStub(t)
			s.plant(func(n int, d *dispatch) {
				if n > 100 && n%20 == 0 {
					d.to = append(d.to, "load-00004")
				}
			})
			d := &confirming{Driver: &WireDriver{URL: s.url(), AppID: testApp}, uid: "load-00004", leaves: 1, joins: 1}
			load, err := Run(t.Context(), w, behind(100, d, dir))
			if err != nil {
				t.Fatal(err)
			}
			return load
		},
	} {
		want := map[string]int64{"in memory": 9, "over real sockets": 4}[name]
		run := func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			load := play(t, onceAway(1), dir)
			balanced(t, load)
			if row := load.Summary.Ledger[0]; oddities(row) != (reports.LedgerRow{Leaked: want, MayDelivered: row.MayDelivered}) {
				t.Errorf("ledger %+v, want %d leaks", row, want)
			}
			sameAnomalies(t, load, dir)
		}
		t.Run(name, func(t *testing.T) {
			if name == "in memory" {
				inBubble(t, run)
			} else {
				run(t)
			}
		})
	}
}

func TestMessageThatANewMemberMissesIsLost(t *testing.T) {
	miss := func(to []string) []string {
		return slices.DeleteFunc(to, func(uid string) bool { return uid == "load-00004" })
	}
	for name, play := range map[string]func(t *testing.T, w Workload, dir string) *reports.Load{
		"in memory": func(t *testing.T, w Workload, dir string) *reports.Load {
			s := newRig()
			// The member is back from message 100 on.
			s.tamper = func(n int, r *routed) {
				if n > 100 && n <= 107 {
					r.to = miss(r.to)
				}
			}
			return s.play(t, t.Context(), w, Options{Dir: dir})
		},
		"over real sockets": func(t *testing.T, w Workload, dir string) *reports.Load {
			s := newStub(t)
			s.plant(func(n int, d *dispatch) {
				if n > 180 && n <= 187 {
					d.to = miss(d.to)
				}
			})
			// It joins when the run begins, leaves, and joins again.
			d := &confirming{Driver: &WireDriver{URL: s.url(), AppID: testApp}, uid: "load-00004", leaves: 1, joins: 2}
			load, err := Run(t.Context(), w, behind(150, d, dir))
			if err != nil {
				t.Fatal(err)
			}
			return load
		},
	} {
		run := func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			load := play(t, onceAway(2), dir)
			balanced(t, load)
			if row := load.Summary.Ledger[0]; oddities(row) != (reports.LedgerRow{Lost: 7, MayDelivered: row.MayDelivered}) {
				t.Errorf("ledger %+v, want 7 lost", row)
			}
			sameAnomalies(t, load, dir)
		}
		t.Run(name, func(t *testing.T) {
			if name == "in memory" {
				inBubble(t, run)
			} else {
				run(t)
			}
		})
	}
}

func TestReceiptForAnAbsentPeerIsFalseWhenItIsTrue(t *testing.T) {
	// One session reconnects and takes 100 ms for it; an honest server says that what was sent to it meanwhile was not
	// received.
	for _, lying := range []bool{false, true} {
		inBubble(t, func(t *testing.T) {
			away := 0
			s := newRig()
			logins := 0
			s.connect = func(uid string) error {
				if uid == "load-00009" {
					if logins++; logins > 1 {
						time.Sleep(100 * time.Millisecond)
					}
				}
				return nil
			}
			s.tamper = func(n int, r *routed) {
				if s.session(r.to[0]) == nil {
					away++
					r.insist = lying
				}
			}
			w := small(200)
			w.Traffic = append(w.Traffic, Traffic{ID: "churn", Op: OpReconnect, Rate: 5, Sessions: "9"})
			dir := filepath.Join(t.TempDir(), "run")
			load := s.play(t, t.Context(), w, Options{Dir: dir})
			balanced(t, load)
			row := load.Summary.Ledger[0]
			if away < 8 {
				t.Fatalf("only %d messages to an absent peer", away)
			}
			want := reports.LedgerRow{AckedNotReceived: int64(away)}
			if lying {
				want = reports.LedgerRow{Lost: row.Lost, FalseReceipts: int64(away)}
			}
			if got := oddities(row); got != want || !lying && row.AbsentNotReceived != int64(away) {
				t.Errorf("ledger %+v, want %+v", row, want)
			}
			if got := OutcomeOf(load, nil); lying && got != AccountingBreach || !lying && got != Passed {
				t.Errorf("outcome %v with thresholds %+v", got, load.Summary.Thresholds)
			}
		})
	}
}

func TestReceiptDeniedForAPresentPeerFailsTheRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n > 100 && n%20 == 0 {
				r.to, r.answer.Received = nil, false
			}
		}
		w := small(200)
		w.Traffic = append(w.Traffic, Traffic{ID: "churn", Op: OpReconnect, Rate: 5, Sessions: "9"})
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		if row := load.Summary.Ledger[0]; row.AckedNotReceived-row.AbsentNotReceived != 4 || OutcomeOf(load, nil) != ThresholdFailed {
			t.Errorf("ledger %+v, outcome %v", row, OutcomeOf(load, nil))
		}
	})
}
