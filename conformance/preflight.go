package conformance

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"

	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// preflight makes one connection and one login, and learns who the server is and what it announces. It tells apart what
// keeps a server from being judged at all; a login that is refused for another reason than its credentials is left for
// the specs to find.
func (c *Config) preflight(ctx context.Context, env *specs.Env) (server reports.Identity, err error) {
	ctx, cancel := context.WithTimeout(ctx, env.Answer())
	defer cancel()
	server = reports.Identity{Kind: "server", URL: reports.Redact(c.Server)}
	trouble := func(err error, format string, args ...any) (reports.Identity, error) {
		return server, &UnreachableError{Server: c.Server, Problem: fmt.Sprintf(format, args...), Err: err}
	}
	conn, err := probe.Dial(ctx, c.Server, probe.Options{Actor: "preflight", TLS: c.TLS, AutoPong: true})
	if err != nil {
		return trouble(err, "%s", dialProblem(err))
	}
	defer conn.Close()
	if chosen := conn.Response().Header.Get("Sec-WebSocket-Protocol"); chosen != probe.Subprotocol {
		return trouble(nil, "a WebSocket server answers, but it does not speak the subprotocol %s (it chose %q)", probe.Subprotocol, chosen)
	}
	credentials := probe.Credentials{AppID: c.AppID, UID: "preflight-" + randomWord()}
	if env.Token != nil {
		if credentials.Token, err = env.Token(ctx, credentials.UID); err != nil {
			return server, &UsageError{fmt.Sprintf("the token source failed: %v", err)}
		}
	}
	answer, err := conn.Login(ctx, credentials)
	if err != nil {
		return trouble(err, "a WebSocket server answers, but not to an RTM login: %v", err)
	}
	switch {
	case answer.Kind == "login.ok":
	case answer.Failed() && (answer.Code() == 4 || answer.Code() == 5 || answer.Code() == 6):
		return trouble(nil, "the server refuses the credentials with %s (%d); check the app id and the token source", answer.Name(), answer.Code())
	case answer.Failed():
	default:
		return trouble(nil, "the server answers a login with %s, which is not RTM", answer)
	}
	env.Limits = specs.ReadLimits(answer)
	server.Name, _ = answer.Text("server.name")
	server.Version, _ = answer.Text("server.version")
	if answer.Kind == "login.ok" {
		// Only courtesy: a server that cannot log out shows it in the specs.
		_, _ = conn.Start("logout")
	}
	return server, nil
}

func dialProblem(err error) string {
	var (
		handshake *probe.HandshakeError
		dns       *net.DNSError
		record    tls.RecordHeaderError
		verify    *tls.CertificateVerificationError
		authority x509.UnknownAuthorityError
		hostname  x509.HostnameError
		alert     tls.AlertError
		slow      net.Error
	)
	switch {
	case errors.As(err, &handshake) && handshake.Status == http.StatusBadRequest:
		return fmt.Sprintf("a web server answers but refuses the WebSocket handshake with HTTP status 400; does it speak the subprotocol %s at this path?", probe.Subprotocol)
	case errors.As(err, &handshake):
		return fmt.Sprintf("a web server answers, but not a WebSocket at this path (HTTP status %d)", handshake.Status)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection is refused: nothing listens there; start the server or correct the address"
	case errors.As(err, &dns):
		return "the host name cannot be resolved"
	case errors.As(err, &record):
		return "the server does not speak TLS there; use ws:// instead of wss://"
	case errors.As(err, &verify), errors.As(err, &authority), errors.As(err, &hostname):
		return fmt.Sprintf("the server's TLS certificate is not trusted: %v", err)
	case errors.As(err, &alert):
		return fmt.Sprintf("the TLS handshake failed: %v", err)
	case errors.As(err, &slow) && slow.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer to the WebSocket handshake came in time; is this an RTM server, and is it alive?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the server ended the connection during the WebSocket handshake; it may speak TLS (wss://) or another protocol"
	}
	return err.Error()
}

// randomWord makes a uid that nobody else has.
func randomWord() string {
	word := make([]byte, 6)
	_, _ = rand.Read(word)
	return hex.EncodeToString(word)
}
