package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// Subprotocol is the WebSocket subprotocol that [Dial] asks for when the options name none.
const Subprotocol = "rtm.v1.json"

// Options say how to connect and what a connection does by itself. The zero value asks for the RTM subprotocol and
// switches everything automatic off.
type Options struct {
	// Actor names the connection in traces and errors. Empty means "probe".
	Actor string
	// TLS is the configuration for a wss URL; nil verifies the server against the system's certificates.
	TLS *tls.Config
	// Subprotocols are offered in the handshake. Nil offers [Subprotocol]; an empty list offers none.
	Subprotocols []string
	// Header holds further members of the handshake request, such as Origin.
	Header http.Header
	// OfferCompression offers permessage-deflate, which an RTM server must not accept.
	OfferCompression bool
	// NetDial replaces the TCP dialler; it must respect the context.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)
	// ReceiveBuffer is the size in bytes that the operating system is asked to give the socket for received data. A
	// small one makes a reader that pauses felt by the server sooner. 0 leaves the default.
	ReceiveBuffer int
	// WriteTimeout bounds each write, for a server that no longer reads. 0 means 10 seconds.
	WriteTimeout time.Duration
	// Trace records the frames; nil makes a trace of its own for the connection.
	Trace *Trace
	// AutoAck acknowledges each peer message as soon as it is read.
	AutoAck bool
	// AutoPing sends an RTM ping at this interval and keeps its pongs out of the inbox. 0 sends none.
	AutoPing time.Duration
	// AutoPong answers WebSocket pings with pongs.
	AutoPong bool
}

// HandshakeError is returned by [Dial] when the server answered the WebSocket handshake with something else than an
// upgrade.
type HandshakeError struct {
	// URL is the address that was dialled.
	URL string
	// Status is the HTTP status code of the answer.
	Status int
	// Header holds the header of the answer.
	Header http.Header
	// Body is the start of the body, at most 1024 bytes.
	Body string
}

// Error tells the address, the status and the start of the body.
func (e *HandshakeError) Error() string {
	return fmt.Sprintf("probe: %s refused the WebSocket handshake with HTTP status %d: %s", e.URL, e.Status, shorten(e.Body, 200))
}

// Dial opens a WebSocket connection to an RTM server without logging in. The context bounds the dial and the handshake
// only. A server that answers without upgrading is reported as a [HandshakeError]. The caller must call [Conn.Close].
func Dial(ctx context.Context, url string, options Options) (*Conn, error) {
	options = options.withDefaults()
	var link *gatedConn
	dialer := websocket.Dialer{
		TLSClientConfig:   options.TLS,
		Subprotocols:      options.Subprotocols,
		EnableCompression: options.OfferCompression,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := options.NetDial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			link = newGatedConn(conn)
			return link, link.setReceiveBuffer(options.ReceiveBuffer)
		},
	}
	ws, response, err := dialer.DialContext(ctx, url, options.Header)
	if errors.Is(err, websocket.ErrBadHandshake) && response != nil {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 1024))
		return nil, &HandshakeError{URL: url, Status: response.StatusCode, Header: response.Header, Body: string(body)}
	}
	if err != nil {
		return nil, fmt.Errorf("probe: dial %s: %w", url, err)
	}
	return newConn(ws, link, response, options), nil
}

func (o Options) withDefaults() Options {
	if o.Actor == "" {
		o.Actor = "probe"
	}
	if o.Subprotocols == nil {
		o.Subprotocols = []string{Subprotocol}
	}
	if o.NetDial == nil {
		o.NetDial = new(net.Dialer).DialContext
	}
	if o.WriteTimeout == 0 {
		o.WriteTimeout = 10 * time.Second
	}
	if o.Trace == nil {
		o.Trace = new(Trace)
	}
	return o
}
