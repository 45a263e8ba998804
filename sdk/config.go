package rtm

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Config tells a client how to reach its server. URL and AppID are required; the
// zero value of everything else means the default named beside it.
type Config struct {
	// URL is where the server listens, as ws://host:port/rtm/v1 or wss://….
	URL string
	// AppID is the app whose users reach each other: 32 letters and digits.
	AppID string
	// TLS is used for wss URLs. Nil trusts the system's certificate authorities and
	// expects the host name of the URL.
	TLS *tls.Config
	// Dial opens the network connection, below TLS. Nil is a [net.Dialer]. It is the
	// place for proxies and for listeners in memory.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// LoginTimeout bounds a login, from the call to the server's answer; within it
	// the client retries while the server cannot be reached. Default 12 s (rule 58).
	LoginTimeout time.Duration
	// SendTimeout bounds a message to a peer or a channel, from the call to the
	// answer, an outage included. Default 10 s (rule 88).
	SendTimeout time.Duration
	// CallTimeout bounds every other call in the same way. Default 10 s.
	CallTimeout time.Duration
	// LoginInterval is the least time between two accepted login attempts; one that
	// comes earlier is refused without asking the server. Default 500 ms (rule 54);
	// negative turns the check off.
	LoginInterval time.Duration
	// Backoff spaces the attempts to reconnect.
	Backoff Backoff
	// Logger hears of links lost and found and of listeners that panic. It never
	// hears a token or a message. Nil discards.
	Logger *slog.Logger
}

// withDefaults returns the config with every default in its place, or an error
// that names the field at fault.
func (cfg Config) withDefaults() (Config, error) {
	if err := wire.CheckAppID(cfg.AppID); err != nil {
		return cfg, refuse(wire.ClientNewInvalidArgument, "Config.AppID is no app id: %v", err)
	}
	u, err := url.Parse(cfg.URL)
	switch {
	case err != nil:
		return cfg, refuse(wire.ClientNewInvalidArgument, "Config.URL cannot be read; it looks like wss://host%s", wire.Path)
	case u.Scheme != "ws" && u.Scheme != "wss":
		return cfg, refuse(wire.ClientNewInvalidArgument, "Config.URL has the scheme %q; it must be ws or wss", u.Scheme)
	case u.Host == "":
		return cfg, refuse(wire.ClientNewInvalidArgument, "Config.URL names no host; it looks like wss://host%s", wire.Path)
	case u.User != nil || u.Fragment != "":
		return cfg, refuse(wire.ClientNewInvalidArgument, "Config.URL must hold neither a user nor a fragment")
	}
	for value, standard := range map[*time.Duration]time.Duration{
		&cfg.LoginTimeout:  12 * time.Second,
		&cfg.SendTimeout:   10 * time.Second,
		&cfg.CallTimeout:   10 * time.Second,
		&cfg.LoginInterval: 500 * time.Millisecond,
		&cfg.Backoff.Min:   200 * time.Millisecond,
		&cfg.Backoff.Max:   20 * time.Second,
	} {
		if *value == 0 {
			*value = standard
		}
	}
	for name, value := range map[string]time.Duration{
		"LoginTimeout": cfg.LoginTimeout, "SendTimeout": cfg.SendTimeout, "CallTimeout": cfg.CallTimeout,
		"Backoff.Min": cfg.Backoff.Min, "Backoff.Max": cfg.Backoff.Max - cfg.Backoff.Min + 1,
	} {
		if value <= 0 {
			return cfg, refuse(wire.ClientNewInvalidArgument, "Config.%s is negative, or below the minimum beside it", name)
		}
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg, nil
}

// effective returns the limits of a server with the published value in place of
// each one that it did not announce.
func effective(l wire.Limits) wire.Limits {
	standard := wire.DefaultLimits()
	for value, fallback := range map[*int]int{
		&l.Channels: standard.Channels, &l.MessageBytes: standard.MessageBytes, &l.IDBytes: standard.IDBytes,
		&l.FrameBytes: standard.FrameBytes, &l.Members: standard.Members, &l.CountChannels: standard.CountChannels,
	} {
		if *value <= 0 {
			*value = fallback
		}
	}
	for value, fallback := range map[*int64]int64{
		&l.SessionGraceMS: standard.SessionGraceMS, &l.ReconnectThresholdMS: standard.ReconnectThresholdMS,
		&l.PingIntervalMS: standard.PingIntervalMS, &l.SilenceMS: standard.SilenceMS,
	} {
		if *value <= 0 {
			*value = fallback
		}
	}
	return l
}
