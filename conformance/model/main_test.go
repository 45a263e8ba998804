package model

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmkit/rtmkit/sdk/wire"

	refserver "github.com/rtmkit/rtmkit/reference-server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testApp = "0123456789abcdef0123456789abcdef"

// startReference starts a reference server in this process, without call limits and with times that no busy machine
// exceeds.
func startReference(t testing.TB, change ...func(*refserver.Config)) Server {
	t.Helper()
	limits := wire.DefaultLimits()
	limits.Calls = nil
	limits.CountIntervalMS = 20
	config := refserver.Config{OpenApps: true, Limits: limits}
	for _, change := range change {
		change(&config)
	}
	server, err := refserver.New(config)
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
	return Server{URL: "ws" + strings.TrimPrefix(listener.URL, "http") + "/rtm/v1", AppID: testApp}
}
