package conformance

import (
	"cmp"
	"context"
	"crypto/tls"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/token"
)

// Config says what is judged and how. Server and AppID are required; the zero value of every other field is a sensible
// choice.
type Config struct {
	// Server is the ws or wss URL of the server under test, with its path. When only a client is judged, it is the server
	// that the client talks to, which should be one that conforms.
	Server string
	// TLS is used towards a wss server; nil verifies it against the system's certificates.
	TLS *tls.Config
	// AppID is the app in which the specs log in: 32 letters and digits.
	AppID string
	// OtherAppID is a second app of the server, for the profile apps; without one the profile is not declared. It must
	// be open.
	OtherAppID string
	// Token returns a token for a uid of AppID. Nil means that the app needs none.
	Token func(ctx context.Context, uid string) (string, error)
	// TokenApp is an app of the server with its certificate, for the profile tokens: the suite mints good and bad tokens
	// itself. It may be the same app as AppID; then Token is not needed. Without one the profile is not declared.
	TokenApp token.App

	// Subjects say who is judged: "server", "client" or both. Empty means the server.
	Subjects []string
	// Adapter starts the client under test as a program that speaks the adapter protocol. It takes the place of NewClient;
	// its Profiles, Nearest and Rewrite are set by the suite.
	Adapter *adapter.Command
	// NewClient makes the client under test in this process; nil means this project's own SDK.
	NewClient adapter.NewClient
	// Client names the client under test in the result; empty for this project's own SDK.
	Client reports.Identity
	// ClientTimeouts are the timeouts that the client under test has by its own; the zero values mean the API's.
	ClientTimeouts adapter.Timeouts

	// Claims are the profiles that the server under test claims. What it claims must work, and what it does not claim must be
	// refused in the specified way. Nil means that it claims nothing in particular, and all is judged that can be. A client
	// behind an adapter makes its own claims.
	Claims []string
	// Profiles are those to judge; empty means all.
	Profiles []string
	// Only are the ids of the requirements to judge, with * and ? as wildcards; empty means all.
	Only []string
	// Skip are the ids of requirements to leave out, with * and ? as wildcards.
	Skip []string
	// Slow also judges requirements that take longer than SlowAfter with the limits that the server announced.
	Slow bool
	// SlowAfter is the waiting time from which a requirement is slow; 0 means 5 seconds.
	SlowAfter time.Duration
	// SlowFactor stretches every budget, for a subject or machine that is slow; 0 means 1.
	SlowFactor float64
	// Strict makes the violation of a SHOULD a failure, and a partial profile too.
	Strict bool
	// KnownFailures are requirements that the subject is known not to meet, see [ReadKnownFailures].
	KnownFailures []KnownFailure
	// Set names the frozen set of requirements that decides; empty means that of the current version of the protocol.
	Set string
	// Repeats is how often everything is judged, in other orders; a requirement whose verdicts differ is flaky, which fails
	// the run. 0 means once.
	Repeats int
	// Seed orders the specs and makes their random programs; 0 takes one from the clock. The same seed gives the same.
	Seed int64

	// SuiteVersion is the version that the result names.
	SuiteVersion string
	// Command is the command line that repeats the run, for the result.
	Command string
	// Repeat returns the command that judges one requirement alone, for failures. Nil leaves it out.
	Repeat func(id string) string
	// Notes say in sentences how this run differs from a plain one; they are copied into the result.
	Notes []string
	// Progress is called after each spec that ran, one call at a time. Nil means that nobody looks.
	Progress func(Progress)

	// Workers is how many parts of the run are judged at a time, each by a worker of StartWorker; most of the time of the
	// suite is waiting. 0 or 1, or no StartWorker, means one after another in this process.
	Workers int
	// StartWorker starts a process that calls [Work] with this configuration.
	StartWorker func(ctx context.Context) (*Worker, error)

	// frozen is the set that decides; a check loads it.
	frozen *catalogue.Set
	// faults and tolerances are what a selftest plants instead of all that there are, when they are not nil.
	faults     []faults.Fault
	tolerances []faults.Tolerance
	// planted is a fault or tolerance between the suite and the subject, when the suite itself is judged.
	planted *planted
	// client is the program of Adapter while specs run.
	client *program
	// leaving ends the program if it is the run's own.
	leaving func()
	// clientClaims are the profiles that the program claims.
	clientClaims []string
}

// Progress tells how far a run is.
type Progress struct {
	// Done is how many specs have run.
	Done int
	// Total is how many specs will run; some of them may turn out to be blocked.
	Total int
	// IDs are the requirements that the last spec verifies.
	IDs []string
	// Spec is the name of the last spec.
	Spec string
	// Verdict is what the last spec found.
	Verdict reports.Verdict
}

func (c *Config) subjects() []string {
	if len(c.Subjects) == 0 {
		return []string{"server"}
	}
	return c.Subjects
}

func (c *Config) set() string { return cmp.Or(c.Set, catalogue.CurrentSet) }

func (c *Config) slowAfter() time.Duration {
	if c.SlowAfter <= 0 {
		return 5 * time.Second
	}
	return c.SlowAfter
}
