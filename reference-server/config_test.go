package refserver_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestValidateNamesEveryProblemAndNoSecret(t *testing.T) {
	cfg := refserver.DefaultConfig()
	if err := cfg.Validate(); err != nil {
		t.Fatalf("the default: %v", err)
	}
	secret := "not-a-certificate"
	cfg.Apps = map[string]string{"short": "", testApp: secret}
	cfg.Origins = []string{"app.example.com", "*", "https://good.example.com"}
	cfg.Limits.LoginTimeoutMS = -1
	cfg.QueueBytes = 10
	cfg.Limits.Channels = 0
	cfg.Limits.SilenceMS = cfg.Limits.PingIntervalMS
	cfg.Limits.IDBytes = 100
	cfg.Limits.Calls = []wire.Rate{{Call: "sendd", Count: 1, WindowMS: 1}, {Call: wire.CallSend, Count: 0, WindowMS: 1}, {Call: wire.CallSend, Count: 1, WindowMS: 1}}
	err := cfg.Validate()
	if err == nil {
		t.Fatal("everything is wrong and nothing is said")
	}
	for _, part := range []string{`"short"`, "certificate of app " + testApp, `"app.example.com"`, "Limits.LoginTimeoutMS", "QueueBytes", "Limits.Channels",
		"Limits.SilenceMS", "Limits.IDBytes", `no call "sendd"`, "Calls[1]", "stands twice"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%s is not named in:\n%v", part, err)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Error("the certificate stands in the error")
	}
	if _, again := refserver.New(cfg); again == nil {
		t.Error("New takes what Validate refuses")
	}
	if err := (refserver.Config{}).Validate(); err == nil || !strings.Contains(err.Error(), "OpenApps") {
		t.Errorf("a server for nobody: %v", err)
	}
}

func TestJoinSameNeedsALimitOnJoin(t *testing.T) {
	cfg := refserver.DefaultConfig()
	cfg.Limits.Calls = []wire.Rate{{Call: wire.CallJoinSame, Count: 2, WindowMS: 5000}}
	if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), "join_same needs") {
		t.Errorf("meters without a bound: %v", err)
	}
	cfg.Limits.Calls = append(cfg.Limits.Calls, wire.Rate{Call: wire.CallJoin, Count: 50, WindowMS: 3000})
	if err := cfg.Validate(); err != nil {
		t.Error(err)
	}
}

func TestMetricsCountWhatHappened(t *testing.T) {
	registry := prometheus.NewRegistry()
	s := overTCP(t, func(c *refserver.Config) { c.Registerer = registry })
	alice, bob := s.login("alice"), s.login("bob")
	alice.join("lobby")
	bob.join("lobby")
	bob.channelSend("lobby", "hi")
	id := bob.peerSend("alice", "hi")
	for {
		f, err := alice.next()
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := f.(*wire.PeerMessage); ok {
			alice.send(&wire.PeerAck{Seq: m.Seq})
			break
		}
	}
	bob.receipt(id, true)
	bob.receipt(bob.peerSend("nobody", "hi"), false)
	bob.peerSend("*", "hi")
	bob.refused(wire.PeerInvalidUserID)
	alice.quiet()
	want := `
# HELP rtm_channel_messages_total Channel messages accepted.
# TYPE rtm_channel_messages_total counter
rtm_channel_messages_total 1
# HELP rtm_connections Open connections.
# TYPE rtm_connections gauge
rtm_connections 2
# HELP rtm_logins_total Logins granted.
# TYPE rtm_logins_total counter
rtm_logins_total{kind="fresh"} 2
rtm_logins_total{kind="resumed"} 0
# HELP rtm_refused_requests_total Requests refused.
# TYPE rtm_refused_requests_total counter
rtm_refused_requests_total{name="PEER_MESSAGE_ERR_INVALID_USERID",op="peer.send"} 1
# HELP rtm_users User ids that are online.
# TYPE rtm_users gauge
rtm_users 2
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "rtm_channel_messages_total", "rtm_connections",
		"rtm_logins_total", "rtm_refused_requests_total", "rtm_users"); err != nil {
		t.Error(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	if _, err := refserver.New(configFor(func(c *refserver.Config) { c.Registerer = registry })); err == nil {
		t.Error("two servers share a registerer")
	}
}

func TestServeAfterShutdownIsRefused(t *testing.T) {
	srv, err := refserver.New(configFor())
	if err != nil {
		t.Fatal(err)
	}
	if err := srv.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	s := &testServer{Server: srv, t: t}
	if status, _ := s.get(wire.Path); status != 400 {
		t.Fatalf("a plain request is answered with %d", status)
	}
}
