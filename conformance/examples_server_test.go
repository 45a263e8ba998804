package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

// pythonServer is the example of a server, from the page of the protocol alone.
var pythonServer = filepath.Join("examples", "python-server")

// startExample starts the example with the limits that its flags name and returns its URL.
func startExample(t *testing.T, flags ...string) string {
	t.Helper()
	log := new(bytes.Buffer)
	args := slices.Concat(python.words(t), []string{filepath.Join(pythonServer, "server.py")}, flags)
	server := exec.Command(args[0], args[1:]...)
	server.Stderr = log
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Signal(syscall.SIGTERM); err != nil {
			_ = server.Process.Kill()
		}
		if err := server.Wait(); err != nil {
			t.Errorf("the server ended with %v: %s", err, log)
		}
		if t.Failed() {
			t.Logf("the server's log:\n%s", log)
		}
	})
	var said struct{ Ready string }
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &said)
	}
	if err != nil || said.Ready == "" {
		t.Fatalf("the server did not say that it is ready: %q, %v", line, err)
	}
	return said.Ready
}

func TestTheExampleServerKeepsEveryRequirementOfTheProfilesThatItClaims(t *testing.T) {
	if testing.Short() {
		t.Skip("the program of somebody else is judged, which the race detector cannot look into")
	}
	limits := shortLimits()
	var flags []string
	for name, value := range map[string]int64{
		"members": int64(limits.Members), "replay-messages": int64(limits.ReplayMessages), "replay-ms": limits.ReplayMS,
		"session-grace-ms": limits.SessionGraceMS, "reconnect-threshold-ms": limits.ReconnectThresholdMS,
		"ack-timeout-ms": limits.AckTimeoutMS, "ping-interval-ms": limits.PingIntervalMS, "silence-ms": limits.SilenceMS,
		"login-timeout-ms": limits.LoginTimeoutMS, "count-interval-ms": limits.CountIntervalMS,
		"count-interval-large-ms": limits.CountIntervalLargeMS,
	} {
		flags = append(flags, fmt.Sprintf("--%s=%d", name, value))
	}
	claims := []string{"core", "channels", "limits", "members", "order", "apps", "reconnect", "transport", "hostile"}

	result := judged(t, Config{
		Server: startExample(t, flags...), AppID: testApp, OtherAppID: strings.Repeat("0a", 16), Profiles: claims,
	})

	for _, profile := range result.Profiles {
		if slices.Contains(claims, profile.Name) && profile.Verdict != reports.Conformant {
			t.Errorf("the profile %s is %s", profile.Name, profile.Verdict)
		}
	}
	if code := ExitCode(result, nil); code != ExitConformant {
		t.Errorf("the exit code is %d", code)
	}
	if t.Failed() {
		report(t, result)
	}
}

func TestTheCodecOfTheExampleServerReadsTheGoldenVectors(t *testing.T) {
	args := append(python.words(t), "-m", "unittest")
	tests := exec.Command(args[0], args[1:]...)
	tests.Dir = pythonServer
	if text, err := tests.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
