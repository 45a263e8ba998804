package main

import (
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/rtmkit/rtmkit/loadgen"
)

// TestMain makes the test binary stand in for rtmkit, so that the scripts run the
// real command line in real processes.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"rtmkit": main, "slowserver": slowServer})
}

// TestCommandLine runs the scripts in testdata: what a user types, what is printed,
// and the exit code.
func TestCommandLine(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	if testing.Short() {
		scripts = []string{"testdata/load.txtar", "testdata/report.txtar", "testdata/usage.txtar"}
	}
	testscript.Run(t, testscript.Params{
		Files:         scripts,
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:         strangers,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
		},
	})
}

// long skips a test of many processes when only what happens inside of one is looked at, as by the race detector.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts many processes")
	}
}

// strangers starts servers that are not RTM servers and tells scripts where they
// are: BUSY accepts connections and says nothing, WEB is a web site, TLS one with a
// certificate that nobody knows, OTHER a WebSocket server of another protocol.
func strangers(env *testscript.Env) error {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() { busy.Close() })
	web := httptest.NewServer(http.NotFoundHandler())
	env.Defer(web.Close)
	secret := httptest.NewUnstartedServer(http.NotFoundHandler())
	secret.Config.ErrorLog = log.New(io.Discard, "", 0)
	secret.StartTLS()
	env.Defer(secret.Close)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err == nil {
			c.Close()
		}
	}))
	env.Defer(other.Close)
	env.Setenv("BUSY", busy.Addr().String())
	env.Setenv("WEB", web.Listener.Addr().String())
	env.Setenv("TLS", secret.Listener.Addr().String())
	env.Setenv("OTHER", other.Listener.Addr().String())
	return nil
}

// exits runs rtmkit with the arguments behind the first and fails the script unless
// it ends with an exit code that the first names: exits 2 rtmkit check --nonsense.
// Where the machine may decide between valid and invalid, it names both: 0,6.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = lastWord(err.Error())
	}
	if !slices.Contains(strings.Split(args[0], ","), code) {
		ts.Fatalf("exit code %s, want %s (%v)", code, args[0], err)
	}
	if out := slices.Index(args, "--out"); out > 0 && out+1 < len(args) && code != "2" {
		verifies(ts, ts.MkAbs(args[out+1]))
	}
}

// verifies fails the script unless every number of the load runs in a folder, if it
// holds any, follows from their raw files.
func verifies(ts *testscript.TestScript, dir string) {
	found, err := loadgen.Verify(dir)
	if errors.Is(err, loadgen.ErrNoRun) {
		return
	}
	if err != nil {
		ts.Fatalf("%v", err)
	}
	for _, d := range found.Differences {
		ts.Fatalf("%s: %v", dir, d)
	}
}

func lastWord(text string) string {
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == ' ' {
			return text[i+1:]
		}
	}
	return text
}

func TestGraverExitCodeWins(t *testing.T) {
	for _, tt := range []struct{ a, b, want exitCode }{
		{exitOK, exitOK, exitOK},
		{exitOK, exitInvalid, exitInvalid},
		{exitInvalid, exitAccounting, exitAccounting},
		{exitViolated, exitAccounting, exitViolated},
		{exitInterrupted, exitBroken, exitInterrupted},
		{exitUnreachable, exitViolated, exitUnreachable},
	} {
		if got := graver(tt.a, tt.b); got != tt.want {
			t.Errorf("graver(%d, %d) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := graver(tt.b, tt.a); got != tt.want {
			t.Errorf("graver(%d, %d) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}
