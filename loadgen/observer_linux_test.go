package loadgen

import (
	"bufio"
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestServerThatRunsInAChildIsSeenByItsParent(t *testing.T) {
	// The shell does nothing but start a child that works until it is told to stop.
	cmd := exec.Command("sh", "-c", `exec 3<&0; sh -c 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; echo worked; read line' <&3 & wait`)
	release, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	cmd.Stdin = release
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	release.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "worked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	all, by := processTree(cmd.Process.Pid)
	alone, ok := processClock(cmd.Process.Pid)
	if !ok || by != byClock {
		t.Skipf("no CPU clock of another process here: %q", by)
	}
	if all.cpu < alone+5*time.Millisecond || all.rss == 0 {
		t.Errorf("the tree used %v, its root alone %v", all.cpu, alone)
	}
	hold.Close()
	_ = cmd.Wait()
}
