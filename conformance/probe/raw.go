package probe

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"time"
)

// Raw is a connection to a server's port before any WebSocket handshake: for requests that are not one, that never end,
// or that are too large.
type Raw struct {
	conn    net.Conn
	options Options
}

// DialRaw connects to the host of the URL and speaks nothing. For wss it completes the TLS handshake. The caller must
// call [Raw.Close].
func DialRaw(ctx context.Context, address string, options Options) (*Raw, error) {
	options = options.withDefaults()
	target, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("probe: dial: %w", err)
	}
	port, secure := target.Port(), target.Scheme == "wss"
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[secure]
	}
	conn, err := options.NetDial(ctx, "tcp", net.JoinHostPort(target.Hostname(), port))
	if err != nil {
		return nil, fmt.Errorf("probe: dial %s: %w", address, err)
	}
	if secure {
		config := options.TLS.Clone()
		if config == nil {
			config = new(tls.Config)
		}
		if config.ServerName == "" {
			config.ServerName = target.Hostname()
		}
		client := tls.Client(conn, config)
		if err := client.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, fmt.Errorf("probe: dial %s: %w", address, err)
		}
		conn = client
	}
	return &Raw{conn: conn, options: options}, nil
}

// Send writes bytes.
func (r *Raw) Send(text string) error {
	r.options.Trace.Record(r.options.Actor, ToServer, text)
	_ = r.conn.SetWriteDeadline(time.Now().Add(r.options.WriteTimeout))
	if _, err := io.WriteString(r.conn, text); err != nil {
		return fmt.Errorf("probe: %s could not send: %w", r.options.Actor, err)
	}
	return nil
}

// rawReadLimit bounds what AwaitEnd keeps.
const rawReadLimit = 1 << 20

// AwaitEnd reads until the server ends the connection and returns what it sent, at most 1 MiB. A reset is an end like any
// other; the error tells only that the context was done first.
func (r *Raw) AwaitEnd(ctx context.Context) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = r.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	start := time.Now()
	data, _ := io.ReadAll(io.LimitReader(r.conn, rawReadLimit))
	r.options.Trace.Record(r.options.Actor, ToClient, string(data))
	if ctx.Err() != nil {
		return string(data), &WaitError{
			Actor: r.options.Actor, What: "the end of the connection", Waited: time.Since(start), Cause: context.Cause(ctx),
		}
	}
	return string(data), nil
}

// Close drops the connection.
func (r *Raw) Close() error { return r.conn.Close() }
