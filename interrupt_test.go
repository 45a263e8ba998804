//go:build linux

package main

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

// binary returns a copy of this test binary under the name that makes it rtmkit.
func binary(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "rtmkit")
	if os.Link(self, path) == nil {
		return path
	}
	from, err := os.Open(self)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	to, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	return path
}

// running returns the command lines of processes that run the program at path.
func running(t *testing.T, path string) []string {
	t.Helper()
	var found []string
	links, _ := filepath.Glob("/proc/[0-9]*/exe")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && strings.TrimSuffix(target, " (deleted)") == path {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func TestInterruptedCheckLeavesAReadableReportAndNoProcess(t *testing.T) {
	for _, moment := range []string{"conformance", "peer load"} {
		t.Run(moment, func(t *testing.T) {
			if testing.Short() && moment != "conformance" {
				t.Skip("runs the whole suite first")
			}
			path, out := binary(t), filepath.Join(t.TempDir(), "out")
			cmd := exec.Command(path, "check", "--out", out)
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			said := bufio.NewScanner(stderr)
			for said.Scan() && !strings.HasPrefix(said.Text(), moment) {
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, stderr)
			var exit *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != int(exitInterrupted) {
				t.Errorf("ended with %v, want exit code %d", err, exitInterrupted)
			}
			report, err := reports.Read(out)
			if err != nil {
				t.Fatal(err)
			}
			if !report.Interrupted {
				t.Error("the report does not say that the check was interrupted")
			}
			if _, err := os.Stat(filepath.Join(out, reports.PageFile)); err != nil {
				t.Error(err)
			}
			if left := running(t, path); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
		})
	}
}
