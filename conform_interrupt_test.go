//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

// overheard is the shell command of our own adapter that writes every command it is given to a file as well.
const overheard = `while read -r line; do echo "$line"; echo "$line" >&3; done 3>"$OVERHEARD" | "$RTMKIT" adapter go`

func TestAnInterruptedRunOfAClientLeavesAReportAndNoAdapterWorkerOrServer(t *testing.T) {
	for name, adapter := range map[string]string{
		"an adapter that ends with its input": overheard,
		"an adapter that does not":            overheard + `; exec sleep 1000`,
	} {
		for _, workers := range []string{"1", "3"} {
			t.Run(name+", "+workers+" workers", func(t *testing.T) {
				t.Parallel()
				path, heard := binary(t), fifo(t)
				out := filepath.Join(t.TempDir(), "out")
				cmd := exec.Command(path, "conform", "run", "--workers", workers, "--out", out, "--client", "--", "sh", "-c", adapter)
				cmd.Env = append(os.Environ(), "RTMKIT="+path, "OVERHEARD="+heard.Name())
				var said bytes.Buffer
				cmd.Stderr = &said
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				// The first login is only to see whether there is a client at all.
				logins := 0
				for lines := bufio.NewScanner(heard); logins < 3 && lines.Scan(); {
					if strings.Contains(lines.Text(), `"cmd":"login"`) {
						logins++
					}
				}
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Wait(); err != nil && !errors.As(err, new(*exec.ExitError)) {
					t.Fatal(err)
				}

				if code := cmd.ProcessState.ExitCode(); code != int(exitInterrupted) {
					t.Errorf("it ended with exit code %d, want %d: %s", code, exitInterrupted, &said)
				}
				if report, err := reports.Read(out); err != nil || !report.Interrupted || report.Conformance == nil {
					t.Errorf("the report is %v, %v", report, err)
				}
				if left := running(t, path); len(left) > 0 {
					t.Errorf("still running: %q", left)
				}
				if left := with(t, "OVERHEARD="+heard.Name()); len(left) > 0 {
					t.Errorf("still running: %q", left)
				}
			})
		}
	}
}

// fifo makes a named pipe that can be read without waiting for a writer.
func fifo(t *testing.T) *os.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	return file
}

// with returns the command lines of processes that have this variable in their environment.
func with(t *testing.T, variable string) []string {
	t.Helper()
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains("\x00"+string(text), "\x00"+variable+"\x00") {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func TestARunThatIsInterruptedBeforeItsServerIsUpSaysSoAndLeavesNoServer(t *testing.T) {
	path, heard := binary(t), fifo(t)
	cmd := exec.Command(path, "conform", "run", "--server-command", `echo started >"$OVERHEARD"; sleep 1000`)
	cmd.Env = append(os.Environ(), "OVERHEARD="+heard.Name())
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	bufio.NewScanner(heard).Scan()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != int(exitInterrupted) || !strings.Contains(said.String(), "interrupted before anything was judged") {
		t.Errorf("it ended with exit code %d, want %d: %s", code, exitInterrupted, &said)
	}
	if left := with(t, "OVERHEARD="+heard.Name()); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

func TestAPlantedServerEndsWithTheRunThatStartedIt(t *testing.T) {
	path := binary(t)
	cmd := exec.Command(path, "conform", "run", "--only", "RTM-PEER-002", "--server-command", quoted(path)+" conform plant peer.offline-received")
	_ = cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != int(exitViolated) {
		t.Errorf("it ended with exit code %d, want %d", code, exitViolated)
	}
	if left := running(t, path); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}
