package main

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/probe"
	refserver "github.com/rtmkit/rtmkit/reference-server"
)

func TestAScenarioThatAServerFailsIsPrintedSoThatItCanBePlayedAgain(t *testing.T) {
	server, err := refserver.New(refserver.DefaultConfig())
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
	tap, err := probe.NewTap("ws"+strings.TrimPrefix(listener.URL, "http")+"/rtm/v1", probe.TapOptions{
		Rewrite: func(_ probe.Direction, payload []byte) ([]byte, bool) {
			return bytes.Replace(payload, []byte(`"received":false`), []byte(`"received":true`), 1), true
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tap.Close() })

	play := func(scenario string) (code int, printed string) {
		file := filepath.Join(t.TempDir(), "scenario.txt")
		if err := os.WriteFile(file, []byte(scenario), 0o600); err != nil {
			t.Fatal(err)
		}
		var stdout, stderr bytes.Buffer
		code = run([]string{"conform", "scenario", file, "--server", tap.URL()}, strings.NewReader(""), &stdout, &stderr)
		if stderr.Len() > 0 {
			t.Errorf("standard error is %q", &stderr)
		}
		return code, stdout.String()
	}

	code, printed := play("alice logs in\nbob logs in\nbob joins lobby\nbob logs out\nalice tells bob \"gone\"\n")
	if want := "alice logs in\nalice tells bob \"m1\"\n"; code != int(exitViolated) || !strings.HasSuffix(printed, want) {
		t.Errorf("the exit code is %d and standard output is\n%s", code, printed)
	}
	if again, _ := play(printed); again != int(exitViolated) {
		t.Errorf("what is printed ends with %d when it is played", again)
	}
}
