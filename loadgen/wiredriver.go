package loadgen

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// handshakeTimeout bounds dialling, TLS and the WebSocket handshake together.
const handshakeTimeout = 20 * time.Second

// WireDriver speaks this project's wire protocol, leanly: a session is one connection and one reading goroutine; frames
// are neither written nor read one by one; nothing is allocated for a message. It does not reconnect, because a session
// lost under load is a result, not a nuisance.
type WireDriver struct {
	// URL is the server's address, ws:// or wss://, with the path.
	URL string
	// AppID is the application that the sessions log in to.
	AppID string
	// TLS configures wss connections; nil means the system's defaults.
	TLS *tls.Config
}

// CheckURL returns nil if text is an address that a [WireDriver] can use, and else a sentence with the remedy.
func CheckURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Errorf("the server address %q is not a URL; write it like ws://127.0.0.1:8080%s", text, wire.Path)
	case u.Scheme != "ws" && u.Scheme != "wss":
		return fmt.Errorf("the server address %q begins with neither ws:// nor wss://; write it like ws://127.0.0.1:8080%s", text, wire.Path)
	case u.Host == "":
		return fmt.Errorf("the server address %q names no host; write it like ws://127.0.0.1:8080%s", text, wire.Path)
	case u.User != nil:
		return errors.New("the server address must not hold a user or a password; tokens are given apart")
	}
	return nil
}

// Open connects and logs in.
func (d *WireDriver) Open(ctx context.Context, login Login, handle Handler) (Session, error) {
	conn, early, err := d.dial(ctx)
	if err != nil {
		return nil, err
	}
	s := newWireSession(conn, early, handle)
	go s.read()
	answer, err := s.call(ctx, wire.KindLogin, func(id uint64) wire.Frame {
		return &wire.Login{ID: id, AppID: d.AppID, UID: login.UID, Token: login.Token}
	})
	if err != nil {
		s.abort()
		var failure *Failure
		if errors.As(err, &failure) && failure.Class == ClassRefused {
			failure.Class = ClassAuth
		}
		return nil, err
	}
	ok, is := answer.(*wire.LoginOK)
	if !is {
		s.abort()
		return nil, &Failure{Op: "login", Class: ClassProtocol, Text: fmt.Sprintf("the server answered with the kind %q", answer.Kind())}
	}
	s.loggedIn(ok)
	return s, nil
}

// dial connects, shakes hands, and returns the connection with what the server has sent behind the handshake.
func (d *WireDriver) dial(ctx context.Context) (net.Conn, []byte, error) {
	if err := CheckURL(d.URL); err != nil {
		return nil, nil, &Failure{Op: "connect", Class: ClassDial, Text: err.Error()}
	}
	var shaken *handshakeConn
	class := ClassDial
	plain := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		class = ClassHandshake
		shaken = &handshakeConn{Conn: conn}
		return shaken, nil
	}
	secure := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		class = ClassTLS
		config := d.TLS.Clone()
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(address)
		}
		encrypted := tls.Client(conn, config)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			_ = conn.Close()
			return nil, err
		}
		class = ClassHandshake
		shaken = &handshakeConn{Conn: encrypted}
		return shaken, nil
	}
	dialer := websocket.Dialer{
		NetDialContext: plain, NetDialTLSContext: secure,
		Subprotocols: []string{wire.Subprotocol}, HandshakeTimeout: handshakeTimeout,
		ReadBufferSize: 4096, WriteBufferSize: 4096,
	}
	ws, response, err := dialer.DialContext(ctx, d.URL, nil)
	if err != nil {
		return nil, nil, &Failure{Op: "connect", Class: class, Text: handshakeText(d.URL, response, err)}
	}
	if ws.Subprotocol() != wire.Subprotocol {
		_ = ws.Close()
		return nil, nil, &Failure{Op: "connect", Class: ClassHandshake,
			Text: fmt.Sprintf("%s speaks WebSocket but not %s; it is no RTM server of this protocol", d.URL, wire.Subprotocol)}
	}
	return shaken.Conn, shaken.rest, nil
}

func handshakeText(address string, response *http.Response, err error) string {
	if response != nil {
		return fmt.Sprintf("%s answered %s instead of opening a WebSocket; check the path, which usually is %s", address, response.Status, wire.Path)
	}
	return fmt.Sprintf("no connection to %s: %s; is the server running there?", address, strings.TrimPrefix(err.Error(), "dial "))
}
