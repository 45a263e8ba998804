package loadgen_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	app         = "0123456789abcdef0123456789abcdef"
	certificate = "fedcba9876543210fedcba9876543210"
)

// reference starts the reference server. It shares the process and its scheduler with the generator, so these tests look
// at the ledger and never at validity.
func reference(t *testing.T, change func(*refserver.Config)) (url string) {
	t.Helper()
	config := refserver.DefaultConfig()
	config.Limits.Calls = nil
	if change != nil {
		change(&config)
	}
	server, err := refserver.New(config)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		<-served
	})
	return "ws://" + listener.Addr().String() + wire.Path
}

// played plays the workload, into a folder that it verifies.
func played(t *testing.T, w loadgen.Workload, o loadgen.Options) (*reports.Load, error) {
	t.Helper()
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "run")
	}
	load, err := loadgen.Run(t.Context(), w, o)
	if load == nil || err != nil {
		return load, err
	}
	found, err := loadgen.Verify(o.Dir)
	if err != nil {
		return load, err
	}
	for _, d := range found.Differences {
		t.Error(d)
	}
	return load, nil
}

// accounted fails the test unless every message took its one right way.
func accounted(t *testing.T, load *reports.Load, deliveries int64) {
	t.Helper()
	for _, e := range load.Summary.Equations {
		if !e.Holds {
			t.Errorf("%s: %s does not hold: %d and %d", e.Traffic, e.Text, e.Left, e.Right)
		}
	}
	for _, row := range load.Summary.Ledger {
		if !row.Clean() || row.DeliveredOnce != deliveries {
			t.Errorf("ledger %+v, want %d deliveries", row, deliveries)
		}
	}
	for _, threshold := range load.Summary.Thresholds {
		if !threshold.Holds {
			t.Errorf("%s, observed %s; errors %v", threshold.Expr, threshold.Observed, load.Summary.Errors)
		}
	}
}

func TestReferenceServerLosesNothingUnderPeerLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	w := loadgen.Peer(3000, time.Second, 20)
	w.Sessions.Rate, w.Phases.Warmup = 1000, 200*time.Millisecond
	load, err := played(t, w, loadgen.Options{URL: reference(t, nil), AppID: app, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, load, 3600)
	if load.Manifest.Server.Name == "" {
		t.Error("the manifest does not name the server")
	}
	if _, err := reports.ReadLoad(dir); err != nil {
		t.Error(err)
	}
}

func TestReferenceServerLosesNothingUnderFanout(t *testing.T) {
	w := loadgen.Fanout(200, time.Second, 4, 30)
	w.Sessions.Rate, w.Sessions.JoinRate, w.Phases.Warmup = 1000, 5000, 200*time.Millisecond
	w.Traffic[0].Payload = loadgen.Payload{Bytes: 500, Type: loadgen.Raw}
	load, err := played(t, w, loadgen.Options{URL: reference(t, nil), AppID: app})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, load, 240*29)
}

func TestSessionsLogInWithTheirOwnTokens(t *testing.T) {
	url := reference(t, func(c *refserver.Config) { c.Apps = map[string]string{app: certificate} })
	w := loadgen.Peer(200, 500*time.Millisecond, 4)
	w.Sessions.Rate, w.Phases.Warmup = 1000, 200*time.Millisecond
	mint := func(uid string) (string, error) {
		return token.Mint007(token.App{ID: app, Certificate: certificate}, uid, token.Options{})
	}
	load, err := played(t, w, loadgen.Options{URL: url, AppID: app, Token: mint})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, load, 140)

	load, err = played(t, w, loadgen.Options{URL: url, AppID: app})
	if err == nil || !strings.Contains(err.Error(), "LOGIN_ERR_INVALID_TOKEN") || loadgen.OutcomeOf(load, err) != loadgen.Unusable {
		t.Errorf("without a token: %v", err)
	}
}

func TestEncryptedConnectionsCarryTheSameLoad(t *testing.T) {
	server, err := refserver.New(refserver.Config{OpenApps: true, Limits: withoutCalls()})
	if err != nil {
		t.Fatal(err)
	}
	secure := httptest.NewUnstartedServer(server.Handler())
	// The refused handshake below is meant to happen.
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	t.Cleanup(func() { _ = server.Shutdown(context.Background()) })
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())
	w := loadgen.Peer(500, 500*time.Millisecond, 6)
	w.Sessions.Rate, w.Phases.Warmup = 1000, 200*time.Millisecond
	load, err := played(t, w, loadgen.Options{
		URL: strings.Replace(secure.URL, "https", "wss", 1) + wire.Path, AppID: app,
		TLS: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		t.Fatal(err)
	}
	accounted(t, load, 350)

	load, err = played(t, w, loadgen.Options{URL: strings.Replace(secure.URL, "https", "wss", 1) + wire.Path, AppID: app})
	if err == nil || loadgen.OutcomeOf(load, err) != loadgen.TargetUnreachable {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
}

func withoutCalls() wire.Limits {
	limits := wire.DefaultLimits()
	limits.Calls = nil
	return limits
}
