package adapter

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// floodLines is how many lines an adapter may write after the last command that it was given.
const floodLines = 1 << 16

// life is one life of a program, from its start to its end.
type life struct {
	program *Program
	body    *body
	// turn is held while a command gets its number and its place in the queue, so that numbers grow in the order of lines.
	turn  chan struct{}
	queue chan []byte
	// over is closed when the life is over for those who call; then end says why. read is closed when nothing more is read,
	// written when nothing more is written.
	over, read, written chan struct{}

	mu      sync.Mutex
	reason  error
	broken  bool // A breach was found and is being worded; nothing else may become the reason.
	seq     int64
	unasked int
	waiting map[int64]*asked
	clients map[string]*remoteClient
	rooms   map[string]*remoteChannel
}

// asked is a command without a reply.
type asked struct {
	cmd  string
	into any        // where the ok goes, or nil
	done chan error // what the reply meant
	gone bool       // nobody waits any more
	seq  int64      // 0 until it was asked

	then func(error) // told what the reply meant, instead of done
}

// settle tells what the reply meant.
func (a *asked) settle(err error) {
	if a.then != nil {
		a.then(err)
		return
	}
	a.done <- err
}

var errRestarted = &DownError{Deed: "was ended or started anew; this client is gone"}

func newLife(p *Program, b *body) *life {
	l := &life{
		program: p, body: b, turn: make(chan struct{}, 1), queue: make(chan []byte, 64),
		over: make(chan struct{}), read: make(chan struct{}), written: make(chan struct{}),
		waiting: map[int64]*asked{}, clients: map[string]*remoteClient{}, rooms: map[string]*remoteChannel{},
	}
	go l.listen()
	go l.speak()
	return l
}

// end ends the life and tells whether the program ended by itself within the grace.
func (l *life) end(grace time.Duration) (kindly bool) {
	_ = l.fall(errRestarted)
	kindly = l.body.end(grace, l.read)
	<-l.read
	<-l.written
	return kindly
}

// why returns why the life is over, or nil.
func (l *life) why() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// fall ends the life for those who call, and returns why it is over. The first reason stays.
func (l *life) fall(reason error) error {
	l.mu.Lock()
	if l.reason == nil && !l.broken {
		l.reason = reason
		close(l.over)
	}
	l.mu.Unlock()
	<-l.over
	l.abandon()
	return l.why()
}

// abandon tells those who wait without a call that the life is over.
func (l *life) abandon() {
	l.mu.Lock()
	var left []*asked
	for seq, question := range l.waiting {
		if question.then != nil {
			left = append(left, question)
			delete(l.waiting, seq)
		}
	}
	reason := l.reason
	l.mu.Unlock()
	for _, question := range left {
		question.settle(reason)
	}
}

func (l *life) stderr() string { return l.body.stderr.text(l.program.secrets.redact) }

// breach makes the program broken for good, because of what it did, and returns the error. When the life is over already,
// it is the reason of that.
func (l *life) breach(deed string, line []byte) error {
	l.mu.Lock()
	if l.reason != nil || l.broken {
		l.mu.Unlock()
		<-l.over
		return l.why()
	}
	l.broken = true
	l.mu.Unlock()
	// Its death must not pass for its deed.
	l.body.kill()
	// What it says about itself may come a little later than what it did.
	within(l.body.drained, settling)
	broken := &BrokenError{Deed: l.program.secrets.redact(deed), Stderr: l.stderr()}
	if line != nil {
		broken.Line = clipped(line, l.program.secrets.redact)
	}
	err := l.program.breaks(broken)
	l.mu.Lock()
	l.reason = err
	l.mu.Unlock()
	close(l.over)
	l.abandon()
	return err
}

// call gives the adapter a command and waits for its reply. The ok goes into into.
func (l *life) call(ctx context.Context, c *command, into any) error {
	if _, bounded := ctx.Deadline(); !bounded {
		patient, cancel := context.WithTimeout(ctx, l.program.command.Patience)
		defer cancel()
		ctx = patient
	}
	began := time.Now()
	question, err := l.ask(ctx, c, &asked{cmd: c.Cmd, into: into, done: make(chan error, 1)})
	if err != nil {
		return l.gaveUp(ctx, c.Cmd, time.Since(began), err)
	}
	select {
	case err := <-question.done:
		return err
	case <-l.over:
	case <-ctx.Done():
	}
	l.mu.Lock()
	question.gone = true
	l.mu.Unlock()
	select {
	case err := <-question.done: // It came at the same moment.
		return err
	default:
	}
	if reason := l.why(); reason != nil {
		return reason
	}
	return l.gaveUp(ctx, c.Cmd, time.Since(began), context.Cause(ctx))
}

// gaveUp returns the error of a call that ended without a reply. An adapter that was silent for as long as it was allowed
// to is down; one whose caller lost interest is not.
func (l *life) gaveUp(ctx context.Context, cmd string, waited time.Duration, err error) error {
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return l.fall(&DownError{Deed: fmt.Sprintf("did not answer %s within %v", cmd, waited.Round(time.Millisecond)), Stderr: l.stderr()})
}

// ask gives a command its number and queues its line.
func (l *life) ask(ctx context.Context, c *command, question *asked) (*asked, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-l.over:
		return nil, l.why()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	l.mu.Lock()
	c.Seq = l.seq + 1
	l.mu.Unlock()
	line, err := encode(c)
	if err != nil {
		return nil, err
	}
	if c.Token != nil {
		l.program.secrets.add(*c.Token)
	}
	l.mu.Lock()
	if l.reason != nil {
		l.mu.Unlock()
		return nil, l.why()
	}
	l.seq, l.unasked, question.seq = c.Seq, 0, c.Seq
	l.waiting[c.Seq] = question
	l.mu.Unlock()
	select {
	case l.queue <- line:
		return question, nil
	case <-l.over:
		return nil, l.why()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// speak writes the queued lines.
func (l *life) speak() {
	defer close(l.written)
	for {
		select {
		case line := <-l.queue:
			for _, line := range l.rewrite(ToAdapter, line) {
				if _, err := l.body.stdin.Write(append(line[:len(line):len(line)], '\n')); err != nil {
					// One that ends closes its input too, and that shows where its output ends.
					if !within(l.body.exited, settling) {
						_ = l.breach("closed its standard input and went on running", nil)
					}
					return
				}
			}
		case <-l.over:
			return
		}
	}
}

func (l *life) rewrite(direction Direction, line []byte) [][]byte {
	if rewrite := l.program.command.Rewrite; rewrite != nil {
		return rewrite(direction, line)
	}
	return [][]byte{line}
}

// listen reads lines until there are no more. What comes when the life is over is read and left alone, so that a program
// that still writes can end.
func (l *life) listen() {
	defer close(l.read)
	from := newLines(l.body.stdout)
	for {
		line, err := from.next()
		switch {
		case l.why() != nil:
			if err != nil && !errors.Is(err, errLongLine) {
				return
			}
			continue
		case errors.Is(err, errLongLine):
			_ = l.breach("wrote a line that is longer than 1 MiB", line)
			continue
		case err != nil:
			l.ended(line)
			return
		}
		for _, line := range l.rewrite(ToSuite, line) {
			if err := l.hear(line); err != nil {
				_ = l.breach(err.Error(), line)
				break
			}
		}
	}
}

// ended finds out what it means that there is nothing more to read.
func (l *life) ended(unfinished []byte) {
	if !within(l.body.exited, settling) {
		_ = l.breach("closed its standard output and went on running", unfinished)
		return
	}
	within(l.body.drained, settling)
	deed := fmt.Sprintf("ended while it was needed (%s)", l.body.outcome)
	if len(unfinished) > 0 {
		deed += ", in the middle of the line " + clipped(unfinished, l.program.secrets.redact)
	}
	_ = l.fall(&DownError{Deed: deed, Stderr: l.stderr()})
}
