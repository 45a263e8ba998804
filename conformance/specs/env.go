package specs

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/sdk/token"
)

// Env is where specs get their subject from. Its exported fields are set before the first spec runs and not changed
// later; the specs of a run share it.
type Env struct {
	// Server is the ws or wss URL of the server under test, or of the server that a client under test talks to.
	Server string
	// TLS is used towards a wss server; nil verifies it against the system's certificates.
	TLS *tls.Config
	// AppID is the app in which specs log in.
	AppID string
	// OtherAppID is a second app of the same server, for the profile apps; empty when there is none.
	OtherAppID string
	// Token returns a token for a uid of AppID, for a server that needs one; nil when the app is open.
	Token func(ctx context.Context, uid string) (string, error)
	// TokenApp is an app of the server with its certificate, for the profile tokens; the zero value when there is none.
	TokenApp token.App
	// NewClient makes a client under test; nil when only the server is judged.
	NewClient adapter.NewClient
	// ClientTimeouts are the timeouts that the client under test has by its own.
	ClientTimeouts adapter.Timeouts
	// ClientClaims are the profiles that the client under test claims; nil when it claims all.
	ClientClaims []string
	// Limits are what the server announced.
	Limits Limits
	// SlowFactor stretches every budget, for a subject or a machine that is slow; 0 means 1.
	SlowFactor float64
	// Seed is what random programs are made from; 0 takes the seed by which Ginkgo orders the specs.
	Seed int64
	// Gate is asked before each spec with the ids that it verifies; a reason other than none skips the spec.
	Gate func(ids []string) *Skipped
	// Repeat returns the command that repeats one requirement, for failures; nil leaves the line out.
	Repeat func(id string) string

	run     string
	counter atomic.Int64
}

// Skipped says why a spec does not run. It travels in the spec's report under [SkipEntry].
type Skipped struct {
	// Verdict is the verdict of the spec: not-selected, not-declared or blocked.
	Verdict string
	// Reason is one sentence.
	Reason string
}

// spec is the state of the one spec that runs.
type spec struct {
	env   *Env
	tag   string
	trace *probe.Trace
}

// running is the spec that runs now. Ginkgo runs one spec at a time in a process, and so does this package.
var running atomic.Pointer[spec]

// Register adds all specs to the Ginkgo tree that is being built. With ids, it may leave out specs of other requirements:
// a tree takes longer to build than most specs to run.
func Register(env *Env, ids ...string) {
	seed := make([]byte, 3)
	_, _ = rand.Read(seed)
	env.run = hex.EncodeToString(seed)
	ginkgo.Describe("RTM", func() {
		ginkgo.BeforeEach(env.begin)
		ginkgo.AfterEach(env.end)
		for i, register := range registrations {
			if registered[i].matter(ids) {
				registered[i].note(func() { register(env) })
			}
		}
	})
}

func (e *Env) begin() {
	ids := IDs(ginkgo.CurrentSpecReport().Labels())
	if e.Gate != nil {
		if skip := e.Gate(ids); skip != nil {
			ginkgo.AddReportEntry(SkipEntry, *skip, ginkgo.ReportEntryVisibilityNever)
			ginkgo.Skip(skip.Reason)
		}
	}
	running.Store(&spec{
		env:   e,
		tag:   fmt.Sprintf("%s-%d", e.run, e.counter.Add(1)),
		trace: new(probe.Trace),
	})
}

func (e *Env) end() {
	current := running.Swap(nil)
	if current != nil && ginkgo.CurrentSpecReport().Failed() {
		ginkgo.AddReportEntry(TraceEntry, current.trace.Frames(), ginkgo.ReportEntryVisibilityNever)
	}
}

func (e *Env) spec() *spec {
	current := running.Load()
	if current == nil {
		panic("specs: the environment is used outside a spec")
	}
	return current
}

// cannotJudge ends the spec without a verdict, because this subject or configuration lacks what the spec needs.
func (e *Env) cannotJudge(reason string) {
	ginkgo.AddReportEntry(SkipEntry, Skipped{"not-declared", reason}, ginkgo.ReportEntryVisibilityNever)
	ginkgo.Skip(reason)
}

// UID returns a uid for an actor, unique to this run and spec, so that runs and specs do not meet on a shared server.
func (e *Env) UID(name string) string { return name + "-" + e.spec().tag }

// Channel returns a channel id, unique to this run and spec.
func (e *Env) Channel(name string) string { return name + "-" + e.spec().tag }

// claims tells whether the client under test claims a profile.
func (e *Env) claims(profile string) bool {
	return e.ClientClaims == nil || slices.Contains(e.ClientClaims, profile)
}

// Trace is the record of all frames of the spec that runs.
func (e *Env) Trace() *probe.Trace { return e.spec().trace }

// answerBudget is how long any answer or delivery may take that no announced limit bounds. It is generous: it decides
// how soon a silent subject fails, not how fast a good one is.
const answerBudget = 5 * time.Second

// Answer is the budget for what a conformant subject does at once: answers and deliveries.
func (e *Env) Answer() time.Duration {
	factor := e.SlowFactor
	if factor <= 0 {
		factor = 1
	}
	return time.Duration(float64(answerBudget) * factor)
}

// Within is the budget for what an announced limit bounds: the limit, and the time for an answer on top. The words
// "login" and "send" stand for timeouts that are not announced.
func (e *Env) Within(limit string) time.Duration {
	switch limit {
	case "login":
		return e.ClientTimeouts.OrDefaults().Login + e.Answer()
	case "send":
		return e.ClientTimeouts.OrDefaults().Send + e.Answer()
	}
	return e.Limits.Duration(limit) + e.Answer()
}

// Cost is the time that a requirement takes at least because of the limit that it waits for. It is what makes a
// requirement slow.
func (e *Env) Cost(r *catalogue.Requirement) time.Duration {
	switch {
	case r.Budget == "":
		return 0
	case r.Budget == "login":
		return e.ClientTimeouts.OrDefaults().Login
	case r.Budget == "send":
		return e.ClientTimeouts.OrDefaults().Send
	case r.Budget == "members":
		// A channel of this many members is a matter of connections; 10 ms for each is a fair guess of its cost.
		return time.Duration(e.Limits.Number("members")) * 10 * time.Millisecond
	}
	return e.Limits.Duration(r.Budget)
}

// explain words a failure: the requirements, what was expected and observed, the frames, and how to repeat it.
func explain(expected, observed string) string {
	var text strings.Builder
	current := running.Load()
	for _, id := range IDs(ginkgo.CurrentSpecReport().Labels()) {
		r := catalogue.Embedded().Get(id)
		fmt.Fprintf(&text, "%s  %s  %s\n  %s\n", id, strings.ToUpper(string(r.Level)), r.Clause(), r.Text)
	}
	fmt.Fprintf(&text, "  expected  %s\n  observed  %s\n", expected, observed)
	if current == nil {
		return text.String()
	}
	for line := range strings.Lines(current.trace.String()) {
		text.WriteString("  " + line)
	}
	if current.env.Repeat != nil {
		for _, id := range IDs(ginkgo.CurrentSpecReport().Labels()) {
			fmt.Fprintf(&text, "  repeat    %s\n", current.env.Repeat(id))
		}
	}
	return text.String()
}

// bounded gives a wait its budget.
func bounded(ctx context.Context, budget time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, budget, fmt.Errorf("nothing within the budget of %v", budget))
}
