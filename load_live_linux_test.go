package main

import (
	"bytes"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// onTerminal is rtmkit on a terminal of its own, made by the script program of util-linux.
func onTerminal(t *testing.T, arguments string) *exec.Cmd {
	t.Helper()
	script, err := exec.LookPath("script")
	if err != nil {
		t.Skip("no script on the PATH: there is no terminal to look at")
	}
	cmd := exec.Command(script, "-qefc", "stty cols 80 rows 24; exec '"+binary(t)+"' "+arguments, "/dev/null")
	cmd.Env = append(cmd.Environ(), "TERM=xterm-256color")
	return cmd
}

// coloured is what makes a terminal write in a colour.
var coloured = regexp.MustCompile(`\x1b\[(?:[0-9;]*;)?3[0-7](?:;[0-9]+)*m`)

func TestCtrlCOnATerminalEndsTheRunInOrderAndLeavesTheTerminalAsItWas(t *testing.T) {
	cmd := onTerminal(t, "load run peer --rate 100/s --duration 10m --clients 4")
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	screen, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	for part := make([]byte, 4096); !strings.Contains(seen.String(), "peer.ack"); {
		n, err := screen.Read(part)
		seen.Write(part[:n])
		if err != nil {
			t.Fatalf("the dashboard was never drawn: %v\n%q", err, seen.String())
		}
	}
	if _, err := io.WriteString(keys, "\x03"); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(screen)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != int(exitInterrupted) {
		t.Errorf("it ended with %d, want %d", code, exitInterrupted)
	}
	all := seen.String() + string(rest)
	if !strings.Contains(all, "ledger  sent") {
		t.Errorf("the result is not printed after the dashboard:\n%q", all[max(0, len(all)-600):])
	}
	if !coloured.MatchString(all) {
		t.Error("nothing is drawn in a colour, so that the test of NO_COLOR proves nothing")
	}
	if strings.LastIndex(all, "\x1b[?25l") > strings.LastIndex(all, "\x1b[?25h") {
		t.Error("the cursor stays hidden")
	}
	for _, mode := range []string{"\x1b[?1049h", "\x1b[?2004h", "\x1b[?1000h"} {
		if strings.Contains(all, mode) {
			t.Errorf("the terminal was switched with %q", mode)
		}
	}
}

func TestNoColourIsDrawnWhereNoneIsWanted(t *testing.T) {
	long(t)
	cmd := onTerminal(t, "load run peer --rate 100/s --duration 1s --clients 4")
	cmd.Env = append(cmd.Env, "NO_COLOR=1")
	out, _ := cmd.Output()
	if !bytes.Contains(out, []byte("offered")) {
		t.Fatalf("the dashboard was never drawn: %q", out)
	}
	if colour := coloured.Find(out); colour != nil {
		t.Errorf("%q is drawn", colour)
	}
}
