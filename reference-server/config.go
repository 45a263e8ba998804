package refserver

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Config says how a server behaves. Start from [DefaultConfig]; a zero number or
// duration means the default that is named at the field.
type Config struct {
	// Name and Version are what the server calls itself in login.ok. Empty: rtmkit-server
	// and the protocol version.
	Name, Version string

	// Apps holds the apps that may log in, by app id, with their certificates. An app
	// with a certificate needs a token at login (rule 29); one with an empty certificate
	// is open. A certificate never appears in logs, errors or metrics.
	Apps map[string]string

	// OpenApps lets every well-formed app id that Apps does not list log in without a
	// token. Without it such a login is refused with LOGIN_ERR_INVALID_APP_ID.
	OpenApps bool

	// Limits are the limits in force, announced in login.ok. The zero Limits means
	// wire.DefaultLimits; an empty Calls in other Limits switches the call limits off.
	Limits wire.Limits

	// QueueBytes bounds what one connection has not read yet; a connection above it is
	// closed as a slow consumer. Default 1 MiB.
	QueueBytes int

	// InboxBytes bounds the peer messages that one session has not acknowledged; while
	// the inbox is full, senders are answered received false. Default 1 MiB.
	InboxBytes int

	// MaxConnections bounds the open connections; more are refused with HTTP 503.
	// Default 100,000.
	MaxConnections int

	// MaxConnectionsPerAddress bounds the open connections of one client IP address; more
	// are refused with HTTP 429. Default: as MaxConnections, because a load generator or
	// a proxy is one address.
	MaxConnectionsPerAddress int

	// MaxSessions bounds the sessions, those that wait for a resume without a connection
	// among them; further logins are closed with 4101, resumes are not. Default: as
	// MaxConnections.
	MaxSessions int

	// Origins lists further origins, such as https://app.example.com, from which browser
	// pages may connect. Pages of the server's own host always may; "*" allows every page
	// of the web to. A client that sends no Origin is no browser and is not checked.
	Origins []string

	// DrainTimeout bounds Shutdown: the closes are spread over at most this time, and what
	// then still stands is cut. Default 10 s.
	DrainTimeout time.Duration

	// Logger gets the server's log; nil discards it. It never gets a token, a
	// certificate or a session secret.
	Logger *slog.Logger

	// Registerer is where the server registers its metrics; nil means a registry of the
	// server's own. If it is a prometheus.Gatherer as well, /metrics shows what it
	// gathers. Two servers cannot share one Registerer.
	Registerer prometheus.Registerer

	// Engine holds the state shared by sessions; nil means the memory engine. A server
	// closes only an engine that it made.
	Engine engine.Engine
}

// DefaultConfig returns the configuration of a server that is open to every app, with
// the limits that the vendor publishes.
func DefaultConfig() Config {
	return Config{OpenApps: true, Limits: wire.DefaultLimits()}
}

func (c Config) withDefaults() Config {
	orInt := func(n *int, standard int) {
		if *n == 0 {
			*n = standard
		}
	}
	if c.Name == "" {
		c.Name = "rtmkit-server"
	}
	if c.Version == "" {
		c.Version = wire.Version
	}
	if c.Limits.Channels == 0 && c.Limits.FrameBytes == 0 && c.Limits.SessionGraceMS == 0 {
		c.Limits = wire.DefaultLimits()
	}
	orInt(&c.QueueBytes, 1<<20)
	orInt(&c.InboxBytes, 1<<20)
	orInt(&c.MaxConnections, 100_000)
	orInt(&c.MaxConnectionsPerAddress, c.MaxConnections)
	orInt(&c.MaxSessions, c.MaxConnections)
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 10 * time.Second
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Validate returns everything that is wrong with the configuration, one error for each
// field, joined; nil if New takes it. Errors name the field and never a certificate.
func (c Config) Validate() error {
	c = c.withDefaults()
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }

	if len(c.Apps) == 0 && !c.OpenApps {
		wrong("refserver: nobody could log in: list an app in Apps or set OpenApps")
	}
	for _, id := range slices.Sorted(maps.Keys(c.Apps)) {
		if err := wire.CheckAppID(id); err != nil {
			wrong("refserver: Apps: the app id %q: %w", id, err)
			continue
		}
		if c.Apps[id] == "" {
			continue
		}
		if err := (token.App{ID: id, Certificate: c.Apps[id]}).Check(); err != nil {
			wrong("refserver: Apps: the certificate of app %s: %w", id, err)
		}
	}
	for _, origin := range c.Origins {
		if u, err := url.Parse(origin); origin != "*" && (err != nil || u.Scheme == "" || u.Host == "" || u.Path != "") {
			wrong("refserver: Origins: %q is not an origin such as https://app.example.com, and not *", origin)
		}
	}
	for _, n := range []struct {
		field string
		value int64
		least int64
	}{
		{"DrainTimeout", int64(c.DrainTimeout), 1},
		{"QueueBytes", int64(c.QueueBytes), int64(c.Limits.FrameBytes)},
		{"InboxBytes", int64(c.InboxBytes), int64(c.Limits.FrameBytes)},
		{"MaxConnections", int64(c.MaxConnections), 1},
		{"MaxConnectionsPerAddress", int64(c.MaxConnectionsPerAddress), 1},
		{"MaxSessions", int64(c.MaxSessions), 1},
		{"Limits.Channels", int64(c.Limits.Channels), 1},
		{"Limits.MessageBytes", int64(c.Limits.MessageBytes), 1},
		// Base64 makes raw bytes a third longer; JSON escapes make text six times longer.
		{"Limits.FrameBytes", int64(c.Limits.FrameBytes), 6*int64(c.Limits.MessageBytes) + 1024},
		{"Limits.Members", int64(c.Limits.Members), 1},
		{"Limits.CountChannels", int64(c.Limits.CountChannels), 1},
		{"Limits.ReplayMessages", int64(c.Limits.ReplayMessages), 1},
		{"Limits.ReplayMS", c.Limits.ReplayMS, 1},
		{"Limits.SessionGraceMS", c.Limits.SessionGraceMS, 1},
		{"Limits.ReconnectThresholdMS", c.Limits.ReconnectThresholdMS, 1},
		{"Limits.AckTimeoutMS", c.Limits.AckTimeoutMS, 1},
		{"Limits.PingIntervalMS", c.Limits.PingIntervalMS, 1},
		{"Limits.SilenceMS", c.Limits.SilenceMS, c.Limits.PingIntervalMS + 1},
		{"Limits.LoginTimeoutMS", c.Limits.LoginTimeoutMS, 1},
		{"Limits.TokenNoticeMS", c.Limits.TokenNoticeMS, 1},
		{"Limits.CountIntervalMS", c.Limits.CountIntervalMS, 1},
		{"Limits.CountIntervalLargeMS", c.Limits.CountIntervalLargeMS, 1},
	} {
		if n.value < n.least {
			wrong("refserver: %s is %d; it must be at least %d", n.field, n.value, n.least)
		}
	}
	if c.Limits.IDBytes != wire.MaxIDBytes {
		wrong("refserver: Limits.IDBytes is %d; the protocol fixes it at %d", c.Limits.IDBytes, wire.MaxIDBytes)
	}
	return errors.Join(append(problems, validateCalls(c.Limits.Calls)...)...)
}

func validateCalls(rates []wire.Rate) (problems []error) {
	seen := make(map[wire.Call]bool)
	for i, rate := range rates {
		place := fmt.Sprintf("refserver: Limits.Calls[%d]", i)
		switch rate.Call {
		case wire.CallLogin, wire.CallRenew, wire.CallSend, wire.CallJoin, wire.CallJoinSame, wire.CallMembers, wire.CallCount:
		default:
			problems = append(problems, fmt.Errorf("%s: there is no call %q", place, rate.Call))
		}
		if seen[rate.Call] {
			problems = append(problems, fmt.Errorf("%s: the call %q stands twice", place, rate.Call))
		}
		seen[rate.Call] = true
		if rate.Count < 1 || rate.Count > 1<<20 || rate.WindowMS < 1 {
			problems = append(problems, fmt.Errorf("%s: %d calls in %d ms; both must be above zero, and at most %d calls",
				place, rate.Count, rate.WindowMS, 1<<20))
		}
	}
	if seen[wire.CallJoinSame] && !seen[wire.CallJoin] {
		// Each channel that is joined costs a meter; the limit on joins bounds their number.
		problems = append(problems, errors.New("refserver: Limits.Calls: join_same needs a limit on join as well"))
	}
	return problems
}
