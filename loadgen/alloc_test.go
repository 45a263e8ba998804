package loadgen

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// socket returns one end of a TCP connection; what is written to it vanishes.
func socket(t testing.TB) net.Conn {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, struct{ io.Reader }{server})
	}()
	t.Cleanup(func() {
		client.Close()
		server.Close()
		<-drained
	})
	return client
}

// hotRun is a run with real sessions of the wire driver, ready to send and receive, without anything that paces it.
func hotRun(t testing.TB, w Workload) *run {
	t.Helper()
	w.Phases.Warmup = 0
	w.Limits.MaxInFlight = maxMessages
	p, err := newPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(p, Options{pacer: newPacer}, nil)
	for i := range r.crew.sessions {
		r.crew.sessions[i] = newWireSession(socket(t), nil, r.ledger.inboxes[i])
	}
	return r
}

// churned adds that sessions leave and join their channels.
func churned(w Workload, sessions string) Workload {
	w.Traffic = append(w.Traffic, Traffic{ID: "churn", Op: OpJoin, Rate: 10, Sessions: sessions})
	return w
}

func TestSendingAMessageAllocatesNothing(t *testing.T) {
	staged := Peer(100_000, 0, 8)
	staged.Traffic[0].Stages = []Stage{{To: rate(110_000), Over: time.Second}}
	for name, w := range map[string]Workload{
		"peer": Peer(100_000, time.Second, 8), "channel": Fanout(100_000, time.Second, 2, 8), "staged": staged,
	} {
		r := hotRun(t, w)
		round := r.plan.newRound(true, 0)
		r.sender.offered = make([]int64, 2)
		now := int64(0)
		turn := func() {
			now += 200_000 // 20 messages
			r.sender.flush(true, r.sender.gather(round, now))
		}
		for range 20 {
			turn() // buffers grow to their size
		}
		before := r.ledger.entries[0].sent.Load()
		if allocs := testing.AllocsPerRun(100, turn); allocs != 0 {
			t.Errorf("%s: %v allocations for 20 messages", name, allocs)
		}
		if sent := r.ledger.entries[0].sent.Load() - before; sent < 2000 {
			t.Errorf("%s: only %d messages were sent", name, sent)
		}
	}
}

func TestClosedLoopAllocatesNothing(t *testing.T) {
	w := Peer(1_000_000, time.Second, 8)
	w.Traffic[0].Executor, w.Traffic[0].Arrival, w.Traffic[0].Outstanding = Closed, "", 1
	r := hotRun(t, w)
	l := r.ledger.loop
	l.begin(r.plan.newRound(true, 0))
	r.sender.offered = make([]int64, 2)
	now, answered := int64(0), 0
	turn := func() {
		now += 200_000
		r.sender.flush(true, l.gather(r.sender, now))
		for n, fate := range r.ledger.entries[0].fate[answered : answered+8] {
			if fate != fateSent {
				t.Fatalf("message %d was not sent", answered+n)
			}
			l.free((answered + n) % 8)
		}
		answered += 8
	}
	for range 20 {
		turn() // buffers grow to their size
	}
	if allocs := testing.AllocsPerRun(100, turn); allocs != 0 {
		t.Errorf("%v allocations for 8 messages", allocs)
	}
}

// batches returns what a server would send to session 0 for the messages of the workload: each batch in one buffer.
func batches(r *run, size int, kind Op) (list [][]byte) {
	entry := r.plan.traffic[0]
	var batch []byte
	in, seq := 0, uint64(0)
	for n := range entry.count() {
		s, number := entry.streamOf(n)
		g := &r.plan.groups[s.group]
		body := newBody(entry.Payload)
		stamp := Stamp{Run: r.ledger.run, Phase: 1, Stream: uint32(n % len(entry.streams)), Seq: uint32(number), Due: 1}
		new(stamper).seal(&stamp, body, Text)
		var f wire.Frame
		switch {
		case s.sender == 0 && kind == OpPeer:
			f = &wire.PeerSendOK{ID: tagBase + uint64(n), Received: true}
		case s.sender == 0:
			f = &wire.OK{Answers: wire.KindChannelSend, ID: tagBase + uint64(n)}
		case kind == OpPeer && g.receivers[0] == 0:
			seq++
			f = &wire.PeerMessage{Seq: seq, From: r.plan.uids[s.sender], TS: 1, Message: wire.TextMessage(string(body))}
		case kind == OpChannel:
			f = &wire.ChannelMessage{Channel: r.plan.channels[g.channel].name, From: r.plan.uids[s.sender], Seq: uint64(n), TS: 1, Message: wire.TextMessage(string(body))}
		default:
			continue
		}
		p := f.Append(nil)
		batch = append(batch, 0x80|opText, 126, byte(len(p)>>8), byte(len(p)))
		batch = append(batch, p...)
		if in++; in == size {
			list, batch, in = append(list, batch), nil, 0
		}
	}
	return list
}

func TestReceivingAMessageAllocatesNothing(t *testing.T) {
	for name, w := range map[string]Workload{
		"peer": Peer(20_000, time.Second, 4), "channel": Fanout(20_000, time.Second, 2, 4),
		"channel with members who come and go": churned(Fanout(20_000, time.Second, 2, 4), "3"),
	} {
		r := hotRun(t, w)
		s := r.crew.sessions[0].(*wireSession)
		list := batches(r, 20, w.Traffic[0].Op)
		next := 0
		read := func() {
			s.filled = copy(s.in, list[next])
			next++
			if failure := s.parse(time.Now()); failure != nil {
				t.Fatal(failure)
			}
		}
		for range 20 {
			read()
		}
		if allocs := testing.AllocsPerRun(100, read); allocs != 0 {
			t.Errorf("%s: %v allocations for 20 frames", name, allocs)
		}
		if got := r.ledger.entries[0].delivered.Load(); got < 500 || len(r.ledger.faults.list) != 0 || len(r.ledger.faults.errors) != 0 {
			t.Errorf("%s: %d delivered, anomalies %v, errors %v", name, got, r.ledger.faults.list, r.ledger.faults.errors)
		}
	}
}

func BenchmarkSendPeer(b *testing.B) {
	r := hotRun(b, Peer(1_000_000, 10*time.Second, 8))
	round := r.plan.newRound(true, 0)
	now := int64(0)
	b.ReportAllocs()
	for b.Loop() {
		if now += 25_000; now > 9_900_000_000 {
			now, round = 0, r.plan.newRound(true, 0)
		}
		r.sender.flush(true, r.sender.gather(round, now))
	}
	b.ReportMetric(25, "messages/op")
}

func BenchmarkReceiveChannel(b *testing.B) {
	r := hotRun(b, Fanout(50_000, time.Second, 2, 4))
	s := r.crew.sessions[0].(*wireSession)
	list := batches(r, 100, OpChannel)
	b.ReportAllocs()
	next := 0
	for b.Loop() {
		if next == len(list) {
			b.StopTimer()
			for i := range s.handle.(*inbox).seats {
				clear(s.handle.(*inbox).seats[i].seen)
			}
			clear(r.ledger.entries[0].answer)
			next = 0
			b.StartTimer()
		}
		s.filled = copy(s.in, list[next])
		next++
		if failure := s.parse(time.Now()); failure != nil {
			b.Fatal(failure)
		}
	}
	b.ReportMetric(100, "frames/op")
}

func BenchmarkStamp(b *testing.B) {
	body := newBody(Payload{Bytes: 64, Type: Text})
	stamp := Stamp{Run: 1, Stream: 2, Seq: 3, Due: 4}
	var t stamper
	var got Stamp
	b.ReportAllocs()
	for b.Loop() {
		t.seal(&stamp, body, Text)
		if !t.open(&got, body, Text) {
			b.Fatal("not opened")
		}
	}
}
