package adapter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Command says how an adapter is started. Exactly one of Args and InProcess is set.
type Command struct {
	// Args are the program and its arguments.
	Args []string
	// Dir is the folder in which the program runs; empty means the current one.
	Dir string
	// Env is the environment of the program; nil means that of this process.
	Env []string
	// InProcess runs an adapter in this process instead of a program, over two pipes, as in tests. It must return when
	// its stdin ends or its context does. The error it returns stands in for what a program writes to standard error.
	InProcess func(ctx context.Context, stdin io.Reader, stdout io.Writer) error

	// Profiles are the names of the profiles that an adapter may claim.
	Profiles []string
	// Nearest finds the word that looks most like a misspelt one, for the error about a profile that does not exist; nil
	// leaves the advice out.
	Nearest func(misspelt string, words []string) string

	// Patience bounds a command whose context has no deadline of its own; 0 means 20 seconds. It must be longer than the
	// timeouts of the SDK, since a call of the SDK is one command.
	Patience time.Duration
	// Grace is how long the program may take to end after its standard input was closed; 0 means 3 seconds.
	Grace time.Duration
	// Rewrite sees every line in both directions and may change what the other side gets; nil passes lines on.
	Rewrite Rewrite
}

// Direction says where a line goes.
type Direction int

// The directions of a line.
const (
	// ToAdapter is the direction of commands.
	ToAdapter Direction = iota
	// ToSuite is the direction of replies and events.
	ToSuite
)

// String returns an arrow: -> for commands, <- for replies and events.
func (d Direction) String() string {
	if d == ToAdapter {
		return "->"
	}
	return "<-"
}

// Rewrite stands between the suite and an adapter. It gets a line without its line break and returns the lines to pass on
// in its place, in order: none to drop it, itself, another, or more than one. It is called for one line of a direction at a
// time, for both directions at the same time, and must not keep the line. A line that it inserts toward the suite is judged
// as if the adapter had written it, and a seq that it inserts toward the adapter is answered to a suite that never asked.
type Rewrite func(direction Direction, line []byte) [][]byte

// Identity is what an adapter says of itself.
type Identity struct {
	// SDK names the client SDK.
	SDK string
	// Version is the version of the SDK.
	Version string
	// Language is the language of the SDK.
	Language string
	// Profiles are the profiles that the SDK claims to keep.
	Profiles []string
	// Timeouts are those of the SDK that its user cannot choose; zero for those that can be chosen.
	Timeouts Timeouts
}

// claims tells whether a command belongs to a profile that is claimed, or to none.
func (i Identity) claims(cmd string) bool {
	profile, bound := claimed[cmd]
	return !bound || slices.Contains(i.Profiles, profile)
}

// Program is an adapter that runs: a client SDK under test behind the protocol of ADAPTER.md. Its methods may be called at
// the same time, except for Restart and Close, of which one at a time may be called, when no client is in use.
type Program struct {
	command Command
	secrets secrets

	mu       sync.Mutex
	life     *life
	identity Identity
	broken   *BrokenError
}

// Start starts an adapter, asks who it is, and makes sure that it does not agree to everything: a command that it cannot
// know must be unsupported. The context bounds the start only; [Program.Close] ends the program. The error is a
// [*BrokenError] when the adapter cannot be started or does not keep the protocol, and the context's when that ended.
func Start(ctx context.Context, command Command) (*Program, error) {
	if (len(command.Args) == 0) == (command.InProcess == nil) {
		return nil, errors.New("adapter: a command needs either Args or InProcess")
	}
	if command.Patience <= 0 {
		command.Patience = 20 * time.Second
	}
	if command.Grace <= 0 {
		command.Grace = 3 * time.Second
	}
	p := &Program{command: command}
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Identity returns what the adapter said of itself when it was last started.
func (p *Program) Identity() Identity {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.identity
}

// Err returns a [*BrokenError] when the adapter does not keep the protocol, and nil otherwise. Then nothing that it said is
// worth anything, every call fails, and a restart does not help.
func (p *Program) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken == nil {
		return nil
	}
	return p.broken
}

// Down returns a [*DownError] when the adapter has ended or fallen silent, and nil otherwise. Until [Program.Restart]
// every call fails with it.
func (p *Program) Down() error {
	p.mu.Lock()
	life := p.life
	p.mu.Unlock()
	if down := new(DownError); errors.As(life.why(), &down) {
		return down
	}
	return nil
}

// Restart kills the program and starts it anew, whatever its state. The clients made before are gone: their calls fail. Its
// errors are those of [Start]; after a [*BrokenError] the program stays broken.
func (p *Program) Restart(ctx context.Context) error {
	if err := p.Err(); err != nil {
		return err
	}
	p.current().end(0)
	return p.begin(ctx)
}

// Close ends the program: it closes its standard input, waits for the grace, and then kills it with everything that it
// started. A program that had to be killed although it was neither broken nor down is an error.
func (p *Program) Close() error {
	healthy := p.Err() == nil && p.Down() == nil
	if kindly := p.current().end(p.command.Grace); !kindly && healthy {
		return &DownError{
			Deed:   fmt.Sprintf("did not end within %v after its standard input was closed, and was killed", p.command.Grace),
			Stderr: p.current().stderr(),
		}
	}
	return nil
}

// NewClient makes a client under test; it is a [NewClient].
func (p *Program) NewClient(ctx context.Context, options Options) (Client, error) {
	return p.current().newClient(ctx, options)
}

var _ NewClient = (*Program)(nil).NewClient

func (p *Program) current() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

// begin starts one life of the program and has it say who it is.
func (p *Program) begin(ctx context.Context) error {
	var body *body
	if p.command.InProcess != nil {
		body = startHere(p.command.InProcess)
	} else {
		var err error
		if body, err = startChild(&p.command); err != nil {
			return p.breaks(&BrokenError{Deed: fmt.Sprintf("cannot be started: %v", err)})
		}
	}
	life := newLife(p, body)
	p.mu.Lock()
	p.life = life
	p.mu.Unlock()
	identity, err := life.introduce(ctx)
	if err != nil {
		life.end(0)
		if down := new(DownError); errors.As(err, &down) {
			err = p.breaks(&BrokenError{Deed: down.Deed, Stderr: life.stderr()})
		}
		return err
	}
	p.mu.Lock()
	p.identity = identity
	p.mu.Unlock()
	return nil
}

// breaks makes the program broken for good and returns why; the first reason stays.
func (p *Program) breaks(err *BrokenError) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken == nil {
		p.broken = err
	}
	return p.broken
}

// introduce says hello and makes sure that the adapter is honest.
func (l *life) introduce(ctx context.Context) (Identity, error) {
	var said hello
	switch err := l.call(ctx, &command{Cmd: "hello", Protocol: ProtocolVersion}, &said); {
	case errors.Is(err, ErrUnsupported):
		return Identity{}, l.breach(fmt.Sprintf("does not speak version %d of the protocol: it answers hello with unsupported", ProtocolVersion), nil)
	case err != nil:
		if failure := new(Error); errors.As(err, &failure) {
			return Identity{}, l.breach("answers hello with an error of its SDK", nil)
		}
		return Identity{}, err
	}
	identity := Identity{
		SDK: said.SDK, Version: said.Version, Language: said.Language, Profiles: said.Profiles, Timeouts: said.Timeouts.timeouts(),
	}
	known := l.program.command.Profiles
	for _, profile := range identity.Profiles {
		if !slices.Contains(known, profile) {
			deed := fmt.Sprintf("claims the profile %q, which does not exist", profile)
			if nearest := l.program.command.Nearest; nearest != nil {
				deed += fmt.Sprintf("; the nearest is %q", nearest(profile, known))
			}
			return identity, l.breach(deed+"; there are "+strings.Join(known, ", "), nil)
		}
	}
	return identity, l.probe(ctx)
}

// probe asks for a command that no adapter can know.
func (l *life) probe(ctx context.Context) error {
	random := make([]byte, 4)
	_, _ = rand.Read(random)
	cmd := "x-" + hex.EncodeToString(random)
	err := l.call(ctx, &command{Cmd: cmd}, nil)
	failure := new(Error)
	switch {
	case errors.Is(err, ErrUnsupported):
		return nil
	case err == nil, errors.As(err, &failure):
		return l.breach(fmt.Sprintf("agrees to everything: it cannot know the command %q and must answer it with unsupported", cmd), nil)
	}
	return err
}
