//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

// served starts the reference server in a process of its own and returns its address.
func served(t *testing.T, rtmkit string) (url string, server *os.Process) {
	t.Helper()
	cmd := exec.Command(rtmkit, "serve", "--addr", "127.0.0.1:0", "--call-limits", "off", "--log-level", "error")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var ready readyLine
	if err := errors.Join(err, json.Unmarshal(line, &ready)); err != nil {
		t.Fatalf("the server printed %q: %v", line, err)
	}
	return ready.Ready, cmd.Process
}

// busy keeps as many processes busy as the machine has cores, and two more, with some more priority than this one where
// that is allowed.
func busy(t *testing.T) {
	t.Helper()
	// The system call counts priorities from 40 down to 1, for nice values from -20 to 19.
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	for range runtime.NumCPU() + 2 {
		hog := exec.Command("sh", "-c", "while :; do :; done")
		hog.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := hog.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = hog.Process.Kill()
			_ = hog.Wait()
		})
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, hog.Process.Pid, max(20-own-3, -20))
	}
}

func TestBusyNeighboursAreNeverTakenForASlowServer(t *testing.T) {
	long(t)
	// The thread that starts the hogs must live as long as they do.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	path, out := binary(t), filepath.Join(t.TempDir(), "out")
	busy(t)
	cmd := exec.Command(path, "load", "run", "peer", "--rate", "3000/s", "--duration", "2s", "--clients", "20", "--out", out)
	said, err := cmd.CombinedOutput()
	load, read := reports.ReadLoad(out)
	if read != nil {
		t.Fatalf("%v, %v\n%s", read, err, said)
	}
	v, h := load.Summary.Validity, load.Summary.Health
	t.Logf("%+v\n%+v", v, h)
	if v.Attribution == "server bound" {
		t.Errorf("the server is blamed: %+v", v)
	}
	late := time.Duration(h.LagP99NS) > 2*time.Millisecond
	if late && v.Verdict != reports.Invalid {
		t.Errorf("a lag p99 of %v and the run is %s", time.Duration(h.LagP99NS), v.Verdict)
	}
	if v.Verdict != reports.Valid && (v.Evidence == "" || v.Attribution == "") {
		t.Errorf("nobody is in the way: %+v", v)
	}
	// Whoever shrugs the hogs off has to show it.
	if v.Verdict == reports.Valid && (time.Duration(h.LagP99NS) > time.Millisecond || h.OthersCPUShare > 0.25 && h.CPUPressureShare > 0.2) {
		t.Errorf("the run is valid with %+v", h)
	}
}

func TestGeneratorThatBurnsItsCoreIsNeverTakenForASlowServer(t *testing.T) {
	long(t)
	path, out := binary(t), filepath.Join(t.TempDir(), "out")
	cmd := exec.Command(path, "load", "run", "peer", "--rate", "150000/s", "--duration", "2s", "--clients", "20", "--out", out)
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	said, err := cmd.CombinedOutput()
	load, read := reports.ReadLoad(out)
	if read != nil {
		t.Fatalf("%v, %v\n%s", read, err, said)
	}
	v, h := load.Summary.Validity, load.Summary.Health
	t.Logf("%+v\n%+v", v, h)
	if v.Attribution == "server bound" || v.Verdict == reports.Valid && h.GeneratorCPUShare*float64(h.Cores) > 0.85 {
		t.Errorf("%+v with %+v", v, h)
	}
	if !strings.Contains(strings.Join(load.Manifest.Notes, " "), "GOMAXPROCS") && runtime.NumCPU() > 1 {
		t.Errorf("notes %q", load.Manifest.Notes)
	}
}

// underLoad starts a long run against the server and returns when messages flow.
func underLoad(t *testing.T, rtmkit, url, out string) (cmd *exec.Cmd, said *bytes.Buffer) {
	t.Helper()
	cmd = exec.Command(rtmkit, "load", "run", "peer", "--rate", "500/s", "--duration", "10m", "--clients", "10", "--server", url, "--out", out)
	said = new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	// The histogram log has its first lines when a second with samples has passed.
	flowing := func() bool {
		text, err := os.ReadFile(filepath.Join(out, loadgen.HistogramFile))
		return err == nil && len(text) > 0
	}
	for deadline := time.Now().Add(30 * time.Second); !flowing(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no message flows: %s", said)
		}
	}
	return cmd, said
}

func ended(t *testing.T, cmd *exec.Cmd, said io.Reader) int {
	t.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		t.Fatalf("ended with %v", err)
	}
	return exit.ExitCode()
}

func TestServerThatIsKilledUnderLoadEndsTheRunWithItsBooksInOrder(t *testing.T) {
	long(t)
	path, out := binary(t), filepath.Join(t.TempDir(), "out")
	url, server := served(t, path)
	cmd, said := underLoad(t, path, url, out)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := ended(t, cmd, said); code != int(exitUnreachable) || !strings.Contains(said.String(), "the server went away in second ") {
		t.Errorf("exit code %d, want %d\n%s", code, exitUnreachable, said)
	}
	load, err := reports.ReadLoad(out)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range load.Summary.Equations {
		if !e.Holds {
			t.Errorf("%s: %s does not hold: %d and %d", e.Traffic, e.Text, e.Left, e.Right)
		}
	}
	if found, err := loadgen.Verify(out); err != nil || len(found.Differences) > 0 {
		t.Errorf("%v, %+v", err, found)
	}
}

func TestSecondInterruptEndsARunAtOnce(t *testing.T) {
	long(t)
	path, out := binary(t), filepath.Join(t.TempDir(), "out")
	url, server := served(t, path)
	cmd, said := underLoad(t, path, url, out)
	// A server that does nothing any more lets no session go, so that the first interrupt alone takes ten seconds.
	if err := server.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait()
	}()
	began := time.Now()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	for waiting := true; waiting; {
		_ = cmd.Process.Signal(syscall.SIGINT)
		select {
		case <-done:
			waiting = false
		case <-again.C:
		}
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGINT || time.Since(began) > 8*time.Second {
		t.Errorf("ended with %v after %v\n%s", cmd.ProcessState, time.Since(began), said)
	}
}
