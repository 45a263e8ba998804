package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// program is a client under test behind the adapter protocol. It is started when the first client is made, and again
// when it has ended or fallen silent.
type program struct {
	command adapter.Command

	mu      sync.Mutex
	running *adapter.Program
	closed  bool
	// unbind lets the program live on when the context of the run ends.
	unbind func() bool
}

// errClosed is the error of a client that is wanted when the run is over.
var errClosed = errors.New("the client under test was ended with the run")

// newProgram returns the program of the configuration, or this project's SDK behind the protocol when there is none. It
// ends with the context: a client that hangs must not keep a run from ending.
func (c *Config) newProgram(ctx context.Context, rewrite adapter.Rewrite) *program {
	command := adapter.Command{InProcess: serveSDK}
	if c.Adapter != nil {
		command = *c.Adapter
	}
	command.Profiles, command.Nearest = catalogue.Embedded().ProfileNames(), catalogue.Nearest
	command.Rewrite = rewrite
	p := &program{command: command}
	p.unbind = context.AfterFunc(ctx, p.end)
	return p
}

func serveSDK(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
	identity := adapter.Identity{SDK: "rtmkit sdk", Language: "go", Profiles: catalogue.Embedded().ProfileNames()}
	return adapter.Serve(ctx, stdin, stdout, identity, adapter.NewSDK)
}

// startWithin is how long a program may take to start and to say who it is. A busy machine is no fault of a client, so it
// is none of a spec's budgets.
const startWithin = 30 * time.Second

// start returns the running program.
func (p *program) start(ctx context.Context) (*adapter.Program, error) {
	ctx, cancel := unhurried(ctx)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, errClosed
	}
	if p.running == nil {
		running, err := adapter.Start(ctx, p.command)
		if err != nil {
			return nil, err
		}
		p.running = running
	}
	if p.running.Down() != nil {
		return p.running, p.running.Restart(ctx)
	}
	return p.running, nil
}

// unhurried returns a context that ends with the other when that is cancelled, but not by its deadline.
func unhurried(ctx context.Context) (context.Context, context.CancelFunc) {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWithin)
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	})
	return patient, func() {
		stop()
		cancel()
	}
}

// newClient makes a client under test; it is an [adapter.NewClient].
func (p *program) newClient(ctx context.Context, options adapter.Options) (adapter.Client, error) {
	running, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	return running.NewClient(ctx, options)
}

// err tells that the program does not keep the adapter protocol.
func (p *program) err() error {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running == nil {
		return nil
	}
	return p.running.Err()
}

// close ends the program for good and returns when it is gone.
func (p *program) close() {
	p.unbind()
	p.end()
}

func (p *program) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if p.running != nil {
		_ = p.running.Close()
		p.running = nil
	}
}

// name is the command of the program as one would type it.
func (p *program) name() string {
	if len(p.command.Args) == 0 {
		return "the adapter"
	}
	return strings.Join(p.command.Args, " ")
}

// broken is the error about a program that cannot be judged.
func (p *program) broken(err error) error {
	return &UnreachableError{Server: reports.Redact(p.name()), Problem: err.Error(), Err: err}
}

// meet learns who the client under test is, what it claims and how patient it is, and makes sure that it can log in at
// all. The program is ended again.
func (c *Config) meet(ctx context.Context, env *specs.Env) error {
	p := c.newProgram(ctx, nil)
	defer p.close()
	running, err := p.start(ctx)
	if err != nil {
		return p.broken(err)
	}
	identity := running.Identity()
	c.Client = reports.Identity{Kind: "client", Name: identity.SDK, Version: identity.Version, Language: identity.Language}
	c.clientClaims = append([]string{}, identity.Profiles...)
	if identity.Timeouts.Login > 0 {
		c.ClientTimeouts.Login = identity.Timeouts.Login
	}
	if identity.Timeouts.Send > 0 {
		c.ClientTimeouts.Send = identity.Timeouts.Send
	}
	env.ClientTimeouts, env.ClientClaims = c.ClientTimeouts, c.clientClaims
	if err := c.smoke(ctx, env, running); err != nil {
		if usage := new(UsageError); errors.As(err, &usage) {
			return usage
		}
		return p.broken(err)
	}
	return nil
}

// smoke logs a client in and out, without which nothing could be judged.
func (c *Config) smoke(ctx context.Context, env *specs.Env, running *adapter.Program) error {
	ctx, cancel := context.WithTimeout(ctx, 2*env.Within("login"))
	defer cancel()
	client, err := running.NewClient(ctx, adapter.Options{URL: env.Server, AppID: env.AppID, Timeouts: env.ClientTimeouts})
	if err != nil {
		return fmt.Errorf("no client can be created: %w", err)
	}
	defer client.Close()
	uid, token := "smoke-"+randomWord(), ""
	if env.Token != nil {
		if token, err = env.Token(ctx, uid); err != nil {
			return &UsageError{fmt.Sprintf("the token source failed: %v", err)}
		}
	}
	if err := client.Login(ctx, uid, token); err != nil {
		return fmt.Errorf("the first login of a client fails, so nothing can be judged: %w", err)
	}
	if err := client.Logout(ctx); err != nil {
		return fmt.Errorf("the first logout of a client fails, so nothing can be judged: %w", err)
	}
	return running.Err()
}

// rewritingLines adapts a fault's rewriting of lines to the adapter's.
func rewritingLines(lines faults.Lines) adapter.Rewrite {
	if lines == nil {
		return nil
	}
	var mu sync.Mutex
	return func(direction adapter.Direction, line []byte) [][]byte {
		mu.Lock()
		defer mu.Unlock()
		return lines(direction == adapter.ToAdapter, line)
	}
}
