package loadgen

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

const testApp = "0123456789abcdef0123456789abcdef"

// brief is a run over real sockets: little traffic, no warm-up.
func brief(w Workload) Workload {
	w.Phases.Warmup = 0
	w.Phases.Measure, w.Phases.Drain = 200*time.Millisecond, time.Second
	w.Sessions.Rate, w.Sessions.JoinRate = 10_000, 10_000
	return w
}

func over(t *testing.T, s *stub, w Workload) *reports.Load {
	t.Helper()
	load, err := Run(t.Context(), w, Options{URL: s.url(), AppID: testApp})
	if err != nil {
		t.Fatal(err)
	}
	balanced(t, load)
	return load
}

func clean(t *testing.T, load *reports.Load, deliveries int64) {
	t.Helper()
	row := load.Summary.Ledger[0]
	if len(load.Summary.Ledger) != 1 || oddities(row) != (reports.LedgerRow{}) || row.DeliveredOnce != deliveries {
		t.Errorf("ledger %+v, want %d deliveries and nothing odd", load.Summary.Ledger, deliveries)
	}
	for _, threshold := range load.Summary.Thresholds {
		if !threshold.Holds {
			t.Errorf("threshold %s: %s", threshold.Expr, threshold.Observed)
		}
	}
}

func TestPeerMessagesCrossRealSockets(t *testing.T) {
	for _, kind := range []PayloadType{Text, Raw} {
		w := brief(Peer(1000, time.Second, 10))
		w.Traffic[0].Payload = Payload{Bytes: 100, Type: kind}
		clean(t, over(t, newStub(t), w), 200)
	}
}

func TestChannelMessagesCrossRealSockets(t *testing.T) {
	load := over(t, newStub(t), brief(Fanout(1000, time.Second, 3, 5)))
	clean(t, load, 200*4)
	for _, name := range []string{"channel.deliver", "channel.first", "channel.last", "channel.ack", "login", "join", "lag"} {
		metricOf(t, load, name)
	}
}

func TestManyMessagesInOneTurnTravelTogether(t *testing.T) {
	// 20,000/s on the 250 µs grid between two sessions puts several messages into each write.
	w := brief(Peer(20_000, time.Second, 2))
	clean(t, over(t, newStub(t), w), 4000)
}

func TestFragmentsAndPingsInBetweenAreUnderstood(t *testing.T) {
	s := newStub(t)
	s.chop = 40
	clean(t, over(t, s, brief(Peer(500, time.Second, 4))), 100)
}

func TestFramesRightBehindTheHandshakeAreNotLost(t *testing.T) {
	s := newStub(t)
	s.greet = serverFrame(0x80|opText, []byte(`{"kind":"peer.message","seq":41,"from":"a","ts":1,"text":"early"}`))
	acked := make(chan uint64, 1)
	s.onFrame = func(_ *stubConn, f wire.Frame) bool {
		ack, is := f.(*wire.PeerAck)
		if is {
			acked <- ack.Seq
		}
		return is
	}
	got := events{make(chan Event, 16)}
	session, err := (&WireDriver{URL: s.url(), AppID: testApp}).Open(t.Context(), Login{UID: "eager"}, got)
	if err != nil {
		t.Fatal(err)
	}
	if e := <-got.arrived; string(e.Body) != "early" {
		t.Errorf("got %+v", e)
	}
	if seq := <-acked; seq != 41 {
		t.Errorf("acknowledged up to %d, want 41", seq)
	}
	if err := session.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestLargePayloadsGrowTheBuffers(t *testing.T) {
	w := brief(Fanout(50, time.Second, 1, 3))
	w.Traffic[0].Payload.Bytes = 32 << 10
	clean(t, over(t, newStub(t), w), 10*2)
}

func TestServerThatClosesIsNamedWithItsCode(t *testing.T) {
	s := newStub(t)
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		if send, is := f.(*wire.PeerSend); is && c.uid == "load-00000" && send.To != "" {
			c.close(int(wire.CloseSlowConsumer))
			return true
		}
		return false
	}
	load := over(t, s, brief(Peer(500, time.Second, 4)))
	for _, e := range load.Summary.Errors {
		if e.Class == ClassClosed && e.Code == int(wire.CloseSlowConsumer) {
			return
		}
	}
	t.Errorf("errors %v do not name the close code", load.Summary.Errors)
}

func TestErrorAnswersAreClassed(t *testing.T) {
	s := newStub(t)
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		send, is := f.(*wire.PeerSend)
		if is {
			code := wire.PeerTooOften
			c.write(&wire.Error{ID: send.ID, Op: code.Op, Code: code.Number, Name: code.Name, Message: "slow down"})
		}
		return is
	}
	load := over(t, s, brief(Peer(500, time.Second, 4)))
	want := reports.ErrorCount{Op: "peer.send", Class: ClassRateLimited, Code: 5, Count: 100}
	if len(load.Summary.Errors) != 1 || load.Summary.Errors[0] != want {
		t.Errorf("errors %v, want %v", load.Summary.Errors, want)
	}
	if row := load.Summary.Ledger[0]; row.AckError != 100 || load.Summary.Thresholds[0].Holds {
		t.Errorf("ledger %+v, thresholds %+v", row, load.Summary.Thresholds)
	}
}

func TestSilentSessionsPing(t *testing.T) {
	s := newStub(t)
	s.limits.PingIntervalMS = 20
	pinged := make(chan struct{}, 1)
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		if _, is := f.(*wire.Ping); is {
			select {
			case pinged <- struct{}{}:
			default:
			}
		}
		return false
	}
	d := &WireDriver{URL: s.url(), AppID: testApp}
	session, err := d.Open(t.Context(), Login{UID: "quiet"}, ignore{})
	if err != nil {
		t.Fatal(err)
	}
	<-pinged
	if err := session.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

type ignore struct{}

func (ignore) Handle(time.Time, []Event) {}

func TestWhatIsNoServerIsUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "ws://" + closed.Addr().String() + wire.Path
	closed.Close()
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	for name, c := range map[string]struct{ url, text string }{
		"nobody listens": {nobody, "is the server running there?"},
		"a web server":   {strings.Replace(web.URL, "http", "ws", 1), "404 Not Found instead of opening a WebSocket"},
		"no TLS there":   {strings.Replace(web.URL, "http", "wss", 1), "no connection to wss"},
	} {
		load, err := Run(t.Context(), brief(Peer(100, time.Second, 2)), Options{URL: c.url, AppID: testApp})
		if load != nil || err == nil || !strings.Contains(err.Error(), c.text) || OutcomeOf(load, err) != TargetUnreachable {
			t.Errorf("%s: got %v and outcome %v, want an error with %q", name, err, OutcomeOf(load, err), c.text)
		}
	}
}

func TestAddressesThatCannotBeAreRefused(t *testing.T) {
	for _, url := range []string{"", "localhost:8080", "http://localhost/rtm/v1", "ws://", "ws://u:p@host/rtm/v1", "ws://a b"} {
		load, err := Run(t.Context(), Peer(1, time.Second, 2), Options{URL: url, AppID: testApp})
		if err == nil || OutcomeOf(load, err) != Unusable {
			t.Errorf("%q: got %v", url, err)
		}
	}
}

func TestRefusedLoginIsNoMissingServer(t *testing.T) {
	s := newStub(t)
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		login, is := f.(*wire.Login)
		if is {
			code := wire.LoginInvalidToken
			c.write(&wire.Error{ID: login.ID, Op: code.Op, Code: code.Number, Name: code.Name})
		}
		return is
	}
	load, err := Run(t.Context(), brief(Peer(100, time.Second, 2)), Options{URL: s.url(), AppID: testApp})
	failure, is := errors.AsType[*Failure](err)
	if !is || failure.Class != ClassAuth || failure.Code != 5 || OutcomeOf(load, err) != Unusable {
		t.Errorf("got %v with outcome %v", err, OutcomeOf(load, err))
	}
}

func TestTokensGoToTheServerOnly(t *testing.T) {
	s := newStub(t)
	got := make(chan string, 16)
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		if login, is := f.(*wire.Login); is {
			got <- login.UID + " " + login.Token
		}
		return false
	}
	load, err := Run(t.Context(), brief(Peer(100, time.Second, 2)), Options{
		URL: s.url(), AppID: testApp, Token: func(uid string) (string, error) { return "secret-of-" + uid, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	if first := <-got; first != "load-00000 secret-of-load-00000" {
		t.Errorf("login with %q", first)
	}
	if strings.Contains(load.Manifest.Workload+load.Manifest.Command, "secret") {
		t.Error("the manifest shows a token")
	}
}

func TestInterruptedRunOverSocketsIsClosed(t *testing.T) {
	s := newStub(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.onFrame = func(c *stubConn, f wire.Frame) bool {
		if send, is := f.(*wire.PeerSend); is && send.ID == tagBase+50 {
			cancel()
		}
		return false
	}
	w := Peer(1000, 10*time.Minute, 4)
	load, err := Run(ctx, w, Options{URL: s.url(), AppID: testApp})
	if err != nil {
		t.Fatal(err)
	}
	balanced(t, load)
	row := load.Summary.Ledger[0]
	if !load.Manifest.Interrupted || row.Scheduled < 51 || row.Lost != 0 || OutcomeOf(load, err) != Interrupted {
		t.Errorf("interrupted %v, ledger %+v", load.Manifest.Interrupted, row)
	}
}
