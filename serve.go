package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

type serveCommand struct {
	Addr    string   `default:"127.0.0.1:7878" placeholder:"HOST:PORT" help:"Address to listen on; port 0 takes a free one."`
	TLSCert string   `type:"existingfile" placeholder:"FILE" help:"Certificate chain in PEM; makes the server speak wss."`
	TLSKey  string   `type:"existingfile" placeholder:"FILE" help:"Private key in PEM."`
	Origin  []string `placeholder:"ORIGIN" help:"Allow browsers of this origin besides the server's own; repeatable, * allows all."`

	Apps       string `type:"existingfile" placeholder:"FILE" help:"YAML file with app ids and their certificates; an app with a certificate needs tokens."`
	ListedOnly bool   `help:"Refuse apps that the --apps file does not list."`

	CallLimits string `default:"on" enum:"on,off" help:"Enforce the published call limits: on or off."`

	SessionGrace       time.Duration `default:"${session_grace}" help:"How long a session lasts without contact."`
	ReconnectThreshold time.Duration `default:"${reconnect_threshold}" help:"How long a link may be lost before clients say RECONNECTING."`
	AckTimeout         time.Duration `default:"${ack_timeout}" help:"How long to wait for a receiver's acknowledgement."`
	PingInterval       time.Duration `default:"${ping_interval}" help:"How long a client may stay silent before it must ping."`
	Silence            time.Duration `default:"${silence}" help:"How long a silent connection is borne."`
	TokenNotice        time.Duration `default:"${token_notice}" help:"How long before the end of a token the client is warned."`
	ReplayWindow       time.Duration `default:"${replay}" help:"How old a replayed channel message may be."`
	CountInterval      time.Duration `default:"${count_interval}" help:"Least time between two member counts of a channel."`
	LoginTimeout       time.Duration `default:"${login_timeout}" help:"How long a connection may take to log in."`
	Drain              time.Duration `default:"10s" help:"How long a shutdown may take."`

	MemberLimit    int    `default:"${members}" placeholder:"N" help:"Channel size above which member lists are cut and join and leave events stop."`
	MaxConnections int    `default:"0" placeholder:"N" help:"Bound on connections in all; 0 means the server's default."`
	LogLevel       string `default:"info" enum:"debug,info,warn,error" help:"Log level: debug, info, warn or error."`

	UntilStdinCloses bool `hidden:"" help:"Shut down when standard input ends; for a parent that may die."`
}

// serveDefaults are the variables in the defaults above, so that each number stands
// in one place.
func serveDefaults() map[string]string {
	l := wire.DefaultLimits()
	text := func(ms int64) string { return wire.Millis(ms).String() }
	return map[string]string{
		"session_grace":       text(l.SessionGraceMS),
		"reconnect_threshold": text(l.ReconnectThresholdMS),
		"ack_timeout":         text(l.AckTimeoutMS),
		"ping_interval":       text(l.PingIntervalMS),
		"silence":             text(l.SilenceMS),
		"login_timeout":       text(l.LoginTimeoutMS),
		"members":             strconv.Itoa(l.Members),
		"token_notice":        text(l.TokenNoticeMS),
		"replay":              text(l.ReplayMS),
		"count_interval":      text(l.CountIntervalMS),
	}
}

func (c *serveCommand) limits() wire.Limits {
	l := wire.DefaultLimits()
	l.SessionGraceMS = c.SessionGrace.Milliseconds()
	l.ReconnectThresholdMS = c.ReconnectThreshold.Milliseconds()
	l.AckTimeoutMS = c.AckTimeout.Milliseconds()
	l.PingIntervalMS = c.PingInterval.Milliseconds()
	l.SilenceMS = c.Silence.Milliseconds()
	l.LoginTimeoutMS = c.LoginTimeout.Milliseconds()
	l.Members = c.MemberLimit
	l.TokenNoticeMS = c.TokenNotice.Milliseconds()
	l.ReplayMS = c.ReplayWindow.Milliseconds()
	l.CountIntervalMS = c.CountInterval.Milliseconds()
	if c.CallLimits == "off" {
		l.Calls = nil
	}
	return l
}

// appsFile is the file of --apps.
type appsFile struct {
	Apps []struct {
		ID          string `yaml:"id"`
		Certificate string `yaml:"certificate"`
	} `yaml:"apps"`
}

func readApps(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fail(exitUsage, "--apps: %w", err)
	}
	defer f.Close()
	var file appsFile
	dec := yaml.NewDecoder(io.LimitReader(f, 1<<20))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, fail(exitUsage, "--apps %s: %s", path, yamlSentence(err))
	}
	apps := map[string]string{}
	for i, entry := range file.Apps {
		if err := wire.CheckAppID(entry.ID); err != nil {
			return nil, fail(exitUsage, "--apps %s: the id of app %d is wrong: %w", path, i+1, err)
		}
		if entry.Certificate != "" {
			if err := (token.App{ID: entry.ID, Certificate: entry.Certificate}).Check(); err != nil {
				return nil, fail(exitUsage, "--apps %s: app %d: %w", path, i+1, err)
			}
		}
		if _, twice := apps[entry.ID]; twice {
			return nil, fail(exitUsage, "--apps %s: the id of app %d stands twice", path, i+1)
		}
		apps[entry.ID] = entry.Certificate
	}
	if len(apps) == 0 {
		return nil, fail(exitUsage, "--apps %s: it lists no app; write apps: with a list of id and certificate", path)
	}
	return apps, nil
}

// yamlSentence returns what is wrong with a YAML file in one line.
func yamlSentence(err error) string {
	var kind *yaml.TypeError
	if errors.As(err, &kind) && len(kind.Errors) > 0 {
		// The library goes on with the Go type, which means nothing to a user.
		sentence, _, _ := strings.Cut(kind.Errors[0], " in type ")
		return sentence
	}
	return err.Error()
}

// flagNames turns the fields that the server complains of into the flags that set
// them.
var flagNames = strings.NewReplacer("refserver: ", "", "\n", "; ",
	"Limits.SessionGraceMS", "--session-grace in ms", "Limits.ReconnectThresholdMS", "--reconnect-threshold in ms",
	"Limits.AckTimeoutMS", "--ack-timeout in ms", "Limits.PingIntervalMS", "--ping-interval in ms",
	"Limits.SilenceMS", "--silence in ms", "Limits.LoginTimeoutMS", "--login-timeout in ms",
	"Limits.TokenNoticeMS", "--token-notice in ms", "Limits.ReplayMS", "--replay-window in ms",
	"Limits.CountIntervalMS", "--count-interval in ms", "Limits.Members", "--member-limit",
	"DrainTimeout", "--drain", "MaxConnections", "--max-connections", "Origins", "--origin")

// Run serves until a signal, or until the parent is gone.
func (c *serveCommand) Run(a *app) error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return fail(exitUsage, "--tls-cert and --tls-key go together; give both or neither")
	}
	apps, err := readApps(c.Apps)
	if err != nil {
		return err
	}
	if c.ListedOnly && len(apps) == 0 {
		return fail(exitUsage, "--listed-only needs --apps; without a list no app could log in")
	}
	var level slog.Level
	level.UnmarshalText([]byte(c.LogLevel))
	logger := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: level}))
	cfg := refserver.DefaultConfig()
	cfg.Version = version
	cfg.Apps = apps
	cfg.OpenApps = !c.ListedOnly
	cfg.Limits = c.limits()
	cfg.DrainTimeout = c.Drain
	cfg.Origins = c.Origin
	cfg.Logger = logger
	if c.MaxConnections > 0 {
		cfg.MaxConnections = c.MaxConnections
	}
	server, err := refserver.New(cfg)
	if err != nil {
		return fail(exitUsage, "%s", flagNames.Replace(err.Error()))
	}
	listener, scheme, err := c.listen()
	if err != nil {
		return err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	url := scheme + "://" + listener.Addr().String() + wire.Path
	json.NewEncoder(a.stdout).Encode(readyLine{url})
	logger.Info("serving", "url", url, "call_limits", c.CallLimits, "apps", len(apps))

	orphaned := make(chan struct{})
	if c.UntilStdinCloses {
		go func() {
			io.Copy(io.Discard, a.stdin)
			close(orphaned)
		}()
	}
	select {
	case err := <-served:
		return fail(exitBroken, "the server stopped: %w", err)
	case <-a.ctx.Done():
		logger.Info("draining", "within", c.Drain)
	case <-orphaned:
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Drain)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fail(exitBroken, "draining: %w", err)
	}
	if err := <-served; err != nil && !errors.Is(err, http.ErrServerClosed) {
		return fail(exitBroken, "the server stopped: %w", err)
	}
	return nil
}

func (c *serveCommand) listen() (net.Listener, string, error) {
	var config *tls.Config
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, "", fail(exitUsage, "--tls-cert %s, --tls-key %s: %w", c.TLSCert, c.TLSKey, err)
		}
		config = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	listener, err := net.Listen("tcp", c.Addr)
	if err != nil {
		return nil, "", fail(exitUsage, "--addr %s: %w; choose another address, or port 0 for a free one", c.Addr, plainNet(err))
	}
	if config != nil {
		return tls.NewListener(listener, config), "wss", nil
	}
	return listener, "ws", nil
}

// plainNet returns the innermost reason of a network error, without the layers of
// operation and address that the sentence around it already tells.
func plainNet(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		var call *os.SyscallError
		if errors.As(op.Err, &call) {
			return call.Err
		}
		return op.Err
	}
	return fmt.Errorf("%w", err)
}
