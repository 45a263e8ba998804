//go:build linux

package main

import (
	"bufio"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

func TestInterruptedABLeavesAReadableGateAndNoProcess(t *testing.T) {
	long(t)
	path, out := binary(t), filepath.Join(t.TempDir(), "out")
	side := "exec " + path + " serve --addr 127.0.0.1:0 --call-limits off --log-level warn"
	cmd := exec.Command(path, "load", "ab", "-a", side, "-b", side, "peer", "--rate", "100/s", "--clients", "4", "--warmup", "0s", "--measure", "300ms", "--out", out)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(stderr)
	for said.Scan() && !strings.HasPrefix(said.Text(), "block 1 of 6") {
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, stderr)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != int(exitInterrupted) {
		t.Errorf("ended with %v, want exit code %d", err, exitInterrupted)
	}
	g, err := reports.ReadGate(out)
	if err != nil {
		t.Fatal(err)
	}
	if !g.Interrupted || g.Verdict != reports.Inconclusive || len(g.Runs) == 0 {
		t.Errorf("%s after %d runs, interrupted %v", g.Verdict, len(g.Runs), g.Interrupted)
	}
	if left := running(t, path); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}
