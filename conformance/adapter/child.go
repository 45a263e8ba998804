package adapter

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// settling is how long the suite waits for what the operating system does at once: an end that follows a closed pipe,
// the last of what a dead program wrote.
const settling = 3 * time.Second

// body is what an adapter runs in: a process, or a goroutine of this one.
type body struct {
	stdin  io.WriteCloser
	stdout io.ReadCloser
	stderr tail
	// exited is closed when it has ended; then outcome says how.
	exited  chan struct{}
	outcome string
	// drained is closed when all of its standard error was read.
	drained chan struct{}
	// killed ends it and everything that it started.
	killed func()
	// hangUp closes what is left of the pipes.
	hangUp func()
}

// startChild starts a program in a process group of its own. Its pipes are its own too: nothing that it does can write to
// the suite's standard output.
func startChild(c *Command) (*body, error) {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir, cmd.Env = c.Dir, c.Env
	cmd.SysProcAttr = ownGroup()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, childOut, err := os.Pipe()
	if err != nil {
		stdin.Close()
		return nil, err
	}
	stderr, childErr, err := os.Pipe()
	if err != nil {
		stdin.Close()
		stdout.Close()
		childOut.Close()
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = childOut, childErr
	err = cmd.Start()
	childOut.Close()
	childErr.Close()
	if err != nil {
		stdin.Close()
		stdout.Close()
		stderr.Close()
		return nil, err
	}
	b := &body{
		stdin: stdin, stdout: stdout, exited: make(chan struct{}), drained: make(chan struct{}),
		killed: func() { killGroup(cmd.Process) },
		hangUp: func() {
			stdin.Close()
			stdout.Close()
			stderr.Close()
		},
	}
	go func() {
		defer close(b.drained)
		_, _ = io.Copy(&b.stderr, stderr)
	}()
	go func() {
		_ = cmd.Wait()
		// What it started must not outlive it; and as long as it holds our pipes, they do not end.
		b.killed()
		b.outcome = cmd.ProcessState.String()
		close(b.exited)
	}()
	return b, nil
}

// startHere runs an adapter in this process.
func startHere(serve func(ctx context.Context, stdin io.Reader, stdout io.Writer) error) *body {
	ctx, cancel := context.WithCancel(context.Background())
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	b := &body{
		stdin: inWrite, stdout: outRead, exited: make(chan struct{}), drained: make(chan struct{}), killed: cancel,
		hangUp: func() {
			inWrite.Close()
			outRead.Close()
		},
	}
	close(b.drained)
	go func() {
		defer close(b.exited)
		err := serve(ctx, inRead, outWrite)
		b.outcome = "it returned"
		if err != nil {
			fmt.Fprintln(&b.stderr, err)
		}
		inRead.Close()
		outWrite.Close()
	}()
	return b
}

// kill ends it and everything that it started, unless it has ended: its number may be another's then.
func (b *body) kill() {
	select {
	case <-b.exited:
	default:
		b.killed()
	}
}

// within tells whether something happens in time.
func within(happens <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-happens:
		return true
	case <-timer.C:
		return false
	}
}

// end ends it: kindly by closing its standard input, and for good after the grace. It tells whether kindness was enough.
// Everything that it started is gone afterwards.
func (b *body) end(grace time.Duration, read <-chan struct{}) (kindly bool) {
	_ = b.stdin.Close()
	kindly = within(b.exited, grace)
	b.kill()
	within(b.exited, settling)
	within(read, settling)
	within(b.drained, settling)
	b.hangUp()
	return kindly
}
