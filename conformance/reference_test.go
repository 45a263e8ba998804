package conformance

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// certified is the app of the reference server that needs tokens; every other app is open.
var certified = token.App{ID: "fedcba9876543210fedcba9876543210", Certificate: "0123456789abcdef0123456789abcdef"}

// shortLimits are short enough for a quick run and long enough for a machine so busy that nothing runs for most of a
// second.
func shortLimits() wire.Limits {
	limits := wire.DefaultLimits()
	limits.Members = 6
	limits.ReplayMessages = 8
	limits.ReplayMS = 1500
	limits.SessionGraceMS = 2400
	limits.ReconnectThresholdMS = 600
	limits.AckTimeoutMS = 1800
	limits.PingIntervalMS = 150
	limits.SilenceMS = 1800
	limits.LoginTimeoutMS = 2000
	limits.TokenNoticeMS = 3000
	limits.CountIntervalMS = 100
	limits.CountIntervalLargeMS = 200
	limits.Calls = nil
	return limits
}

// startReference starts a reference server in this process and returns its URL.
func startReference(t testing.TB, limits wire.Limits) string {
	t.Helper()
	server, err := refserver.New(refserver.Config{
		OpenApps: true, Apps: map[string]string{certified.ID: certified.Certificate},
		Limits: limits,
	})
	if err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(server.Handler())
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = server.Shutdown(ctx)
		listener.Close()
	})
	return "ws" + strings.TrimPrefix(listener.URL, "http") + "/rtm/v1"
}

// pair is the configuration for judging the reference server and the SDK together.
func pair(server string) Config {
	return Config{
		Server: server, AppID: testApp, OtherAppID: strings.Repeat("0a", 16), TokenApp: certified,
		Subjects:       []string{"server", "client"},
		ClientTimeouts: adapter.Timeouts{Login: 1500 * time.Millisecond, Send: 1500 * time.Millisecond},
	}
}

// judged runs the suite and fails the test when it does not come to an end.
func judged(t testing.TB, cfg Config) *reports.Conformance {
	t.Helper()
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// violated returns the ids of the requirements that were not met.
func violated(result *reports.Conformance) []string {
	var ids []string
	for _, row := range result.Requirements {
		switch row.Verdict {
		case reports.Fail, reports.Warn, reports.Info, reports.Error:
			ids = append(ids, row.ID)
		}
	}
	return ids
}

func report(t testing.TB, result *reports.Conformance) {
	t.Helper()
	var text strings.Builder
	if err := Print(&text, result); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + text.String())
}

func TestTheReferencePairConforms(t *testing.T) {
	limits := shortLimits()
	limits.Calls = wire.DefaultCalls()
	cfg := pair(startReference(t, limits))
	cfg.Workers, cfg.StartWorker = 6, startTestWorker(cfg.Server)
	result := judged(t, cfg)

	report(t, result)
	if code := ExitCode(result, nil); code != ExitConformant {
		t.Errorf("the exit code is %d", code)
	}
	for _, profile := range result.Profiles {
		if profile.Verdict != reports.Conformant {
			t.Errorf("the profile %s is %s", profile.Name, profile.Verdict)
		}
	}
}

func TestAServerWithoutCallLimitsDoesNotDeclareThem(t *testing.T) {
	cfg := pair(startReference(t, shortLimits()))
	cfg.Only = []string{"RTM-PEER-001", "RTM-PEER-024"}
	result := judged(t, cfg)

	for _, profile := range result.Profiles {
		if profile.Name == "call-limits" && profile.Verdict != reports.ProfileNotDeclared {
			t.Errorf("the profile is %s", profile.Verdict)
		}
	}
	if code := ExitCode(result, nil); code != ExitConformant {
		t.Errorf("the exit code is %d", code)
	}
}
