package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// readyLine is what `rtmkit serve` prints on standard output, once, when it
// accepts connections.
type readyLine struct {
	Ready string `json:"ready"` // Ready is the WebSocket URL.
}

// child is a reference server in a process of its own, so that what is judged and
// measured shares neither heap nor scheduler with what judges and measures it.
type child struct {
	name  string
	blame exitCode
	url   string
	pid   int
	cmd   *exec.Cmd
	hold  io.Closer // the server ends when this is closed, by us or by our death
	logs  *tail
	done  chan struct{}
}

// startChild starts `rtmkit serve` with args on a free port and waits until it is
// ready.
func startChild(ctx context.Context, args ...string) (*child, error) {
	return startSelf(ctx, "the reference server", append([]string{"serve", "--addr", "127.0.0.1:0", "--until-stdin-closes"}, args...)...)
}

// startSelf starts a server that is a subcommand of this program.
func startSelf(ctx context.Context, name string, args ...string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fail(exitBroken, "cannot find the rtmkit binary to start its server: %w", err)
	}
	return startServer(ctx, exec.Command(self, args...), name, exitBroken)
}

// readyWithin is how long a server may take to say that it is ready.
const readyWithin = 30 * time.Second

// startCommand starts a server by a command line of the user's shell and waits as
// [startServer] does. A server that does not start is a subject that cannot be reached.
func startCommand(ctx context.Context, command, name string) (*child, error) {
	return startServer(ctx, exec.Command("sh", "-c", command), name, exitUnreachable)
}

// startUnderLoad starts the server of a load run: by the command of --server-command, or
// the reference server without the call limits that would refuse the load.
func startUnderLoad(ctx context.Context, command string) (*child, error) {
	if command != "" {
		return startCommand(ctx, command, "the server of --server-command")
	}
	return startChild(ctx, "--call-limits", "off", "--log-level", "warn", "--drain", "2s")
}

// startServer starts a server and waits until it says that it is ready. What it is
// called and whose fault it is when it does not start, the caller knows.
func startServer(ctx context.Context, cmd *exec.Cmd, name string, blame exitCode) (*child, error) {
	// A Ctrl-C on the terminal must reach the server through us, after the report
	// of what ran before it is closed.
	cmd.SysProcAttr = ownGroup()
	hold, err := cmd.StdinPipe()
	if err != nil {
		return nil, fail(exitBroken, "cannot start %s: %w", name, err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fail(exitBroken, "cannot start %s: %w", name, err)
	}
	logs := &tail{}
	cmd.Stderr = logs
	// A grandchild that keeps standard error open must not keep Wait from returning.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return nil, fail(blame, "cannot start %s: %w", name, err)
	}
	c := &child{name: name, blame: blame, pid: cmd.Process.Pid, cmd: cmd, hold: hold, logs: logs, done: make(chan struct{})}
	lines := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(io.LimitReader(stdout, 4096)).ReadString('\n')
		lines <- line
		io.Copy(io.Discard, stdout)
		cmd.Wait()
		close(c.done)
	}()
	select {
	case line := <-lines:
		var ready readyLine
		if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Ready == "" {
			c.stop()
			if line = strings.TrimSpace(line); line != "" {
				return nil, fail(blame, "%s did not start: it printed %.100q instead of its ready line", name, reports.Redact(line))
			}
			return nil, fail(blame, "%s did not start: %s", name, c.logs)
		}
		c.url = ready.Ready
		return c, nil
	case <-ctx.Done():
		c.stop()
		return nil, context.Cause(ctx)
	case <-time.After(readyWithin):
		c.stop()
		return nil, fail(blame, "%s was not ready after %v: %s", name, readyWithin, c.logs)
	}
}

// stop ends the server and whatever it has started: politely first, so that it
// drains, then for good.
func (c *child) stop() {
	c.hold.Close()
	terminateGroup(c.pid)
	select {
	case <-c.done:
	case <-time.After(3 * time.Second):
	}
	killGroup(c.pid)
	<-c.done
}

// died tells, after the fact, whether the server ended before it was asked to.
func (c *child) died() error {
	select {
	case <-c.done:
		return fail(c.blame, "%s ended early (%v): %s", c.name, c.cmd.ProcessState, c.logs)
	default:
		return nil
	}
}

// tail keeps the end of what a process wrote to standard error.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

const tailBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// String returns what was kept in one line.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if text := strings.TrimSpace(string(t.kept)); text != "" {
		return reports.Redact(strings.ReplaceAll(text, "\n", " | "))
	}
	return "it wrote nothing to standard error"
}
