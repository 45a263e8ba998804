package model

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// Server is where a program runs.
type Server struct {
	// URL is the ws or wss URL.
	URL string
	// TLS is used towards a wss server; nil verifies it against the system's certificates.
	TLS *tls.Config
	// AppID is the app in which the users log in.
	AppID string
	// Token returns a token for a uid; nil when the app is open.
	Token func(ctx context.Context, uid string) (string, error)
	// Budget is how long anything that is owed may take; 0 means 5 seconds. It decides how soon a silent server diverges,
	// not how fast a good one is.
	Budget time.Duration
	// Trace records the frames of all connections; nil keeps none.
	Trace *probe.Trace
}

func (s Server) withDefaults() Server {
	if s.Budget <= 0 {
		s.Budget = 5 * time.Second
	}
	return s
}

// Divergence is where a server left the model.
type Divergence struct {
	// Step is the number of the step, from 1.
	Step int
	// Line is the step as a line.
	Line string
	// Expected is what the protocol owes, in words.
	Expected string
	// Observed is what the server did instead, in words.
	Observed string
}

// String tells the step and what was expected and observed.
func (d *Divergence) String() string {
	return fmt.Sprintf("step %d, %s: expected %s; observed %s", d.Step, d.Line, d.Expected, d.Observed)
}

// ErrTooSlow tells that a program ran so slowly that a grace or a replay was over before its resume, or a connection silent
// for too long, so that nothing can be said about the server.
var ErrTooSlow = errors.New("model: the program took longer than the grace, the silence or the replay that the server announces allow; repeat it on a machine that is less busy, or with longer limits")

// LimitError tells that a program asks for more than a server's limits allow at any speed.
type LimitError struct {
	// Step is the number of the step that may be refused, or 0 when the program has too many users.
	Step int
	// Limit is the name of the limit.
	Limit string
	// Most is how much of it the server allows.
	Most int
}

// Error tells which step may be refused by which limit.
func (e *LimitError) Error() string {
	if e.Step == 0 {
		return fmt.Sprintf("model: the program has more users than the %d members up to which the server tells everything", e.Most)
	}
	return fmt.Sprintf("model: step %d may be refused by the server's call limit %s, of which a session can be sure of %d", e.Step, e.Limit, e.Most)
}

// Run executes a program against a server, step by step, with users and channels that are new to the server, and returns
// the first divergence from the model, or nil. A step is over when everything that it owes has come.
//
// The error says that the program could not be judged: it is no valid program, the server's limits are too low for it, which
// is a [*LimitError], the token source failed, the server cannot be reached or refuses a plain login, the context ended, or
// [ErrTooSlow]. Run closes its connections and leaves their sessions to the grace of the server.
func Run(ctx context.Context, server Server, program Program) (*Divergence, error) {
	if err := program.check(); err != nil {
		return nil, err
	}
	r := &run{server: server.withDefaults(), program: program, actors: make(map[string]*actor), said: make(map[string]string), tag: tag()}
	defer r.close()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	for i := 0; i < len(program); {
		size := program.group(i)
		if err := r.group(ctx, i, size); err != nil {
			return r.diverged(ctx, err)
		}
		i += size
	}
	// A run that was given up may have seen its last answer all the same.
	return nil, ctx.Err()
}

// run is one execution of a program.
type run struct {
	server  Server
	program Program
	limits  Limits
	state   *state
	actors  map[string]*actor
	witness *actor
	tag     string
	conns   []*probe.Conn
	// began is when each step began, by its number.
	began []time.Time
	// said is the line of each place in a channel, so that all members see the same.
	said map[string]string
	// missing is set while a divergence is about something that did not come, which lateness does not explain.
	missing bool
}

// finding is a divergence on its way to the step that it belongs to.
type finding struct {
	step               int
	expected, observed string
}

func (f *finding) Error() string { return "expected " + f.expected + "; observed " + f.observed }

func found(step int, expected, observed string) error { return &finding{step, expected, observed} }

// diverged turns what ended a run into its result.
func (r *run) diverged(ctx context.Context, err error) (*Divergence, error) {
	f := new(finding)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("model: the run was given up: %w", context.Cause(ctx))
	}
	if !errors.As(err, &f) {
		return nil, err
	}
	if !r.missing && r.late() {
		return nil, ErrTooSlow
	}
	return &Divergence{f.step, r.program[f.step-1].String(), f.expected, f.observed}, nil
}

// late tells whether the grace of a lost user or the silence of a connection may be over.
func (r *run) late() bool {
	for name, a := range r.actors {
		since := time.Since(a.contact)
		switch r.state.user(name).presence {
		case lost:
			if since > r.limits.Grace {
				return true
			}
		case online:
			if since > r.limits.Silence {
				return true
			}
		}
	}
	return false
}

// open logs the witness in, who finds out when the server knows of a lost link, and learns the limits.
func (r *run) open(ctx context.Context) error {
	r.witness = &actor{name: "the witness", uid: "the witness-" + r.tag}
	if err := r.dial(ctx, r.witness); err != nil {
		return err
	}
	answer, err := r.login(ctx, r.witness, nil)
	if token := new(tokenError); errors.As(err, &token) {
		return err
	}
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if answer.Kind != "login.ok" {
		return fmt.Errorf("model: the server answers a plain login with %s", answer)
	}
	r.limits = ReadLimits(answer)
	if users := len(r.program.Users()); users > r.limits.Members {
		return &LimitError{0, "members", r.limits.Members}
	}
	ahead := newState(r.limits)
	for i, step := range r.program {
		if limit := ahead.over(step); limit != "" {
			return &LimitError{i + 1, limit, r.limits.Calls[limit]}
		}
		ahead.apply(i+1, step)
	}
	r.state = newState(r.limits)
	for _, name := range r.program.Users() {
		r.actors[name] = &actor{name: name, uid: r.id(name), cursors: make(map[string]int64)}
	}
	return nil
}

func (r *run) close() {
	for _, conn := range r.conns {
		_ = conn.Close()
	}
}

// id is the id of a user or channel on the server.
func (r *run) id(name string) string { return name + "-" + r.tag }

// name is the name of an id in the program, or the id itself.
func (r *run) name(id string) string {
	if name, ours := strings.CutSuffix(id, "-"+r.tag); ours {
		return name
	}
	return id
}

func (r *run) within(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, r.server.Budget, fmt.Errorf("nothing within %v", r.server.Budget))
}

// group does the steps from i on that happen at once, and judges everything that comes of them.
func (r *run) group(ctx context.Context, i, size int) error {
	steps := r.program[i : i+size]
	outcomes, ok := r.state.together(i+1, steps)
	if !ok {
		return fmt.Errorf("model: step %d: with the limits of this server, what is left behind depends on which of the steps at once comes first", i+1)
	}
	asked := make([]int64, size)
	for at, step := range steps {
		r.began = append(r.began, time.Now())
		if size > 1 && outcomes[at].link == onSame {
			a := r.actors[step.User]
			id, err := r.start(a, step)
			if err != nil {
				return found(i+at+1, a.name+" can send", err.Error())
			}
			asked[at] = id
		}
	}
	hearing := newHearing(r, i, steps, outcomes)
	for at, step := range steps {
		if err := r.step(ctx, i+at+1, step, outcomes[at], asked[at], hearing); err != nil {
			return err
		}
	}
	return hearing.judge(ctx)
}

func tag() string {
	random := make([]byte, 5)
	_, _ = rand.Read(random)
	return hex.EncodeToString(random)
}
