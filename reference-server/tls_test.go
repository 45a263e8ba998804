package refserver_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptest"
	"strings"
	"testing"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestEverythingWorksOverTLS(t *testing.T) {
	srv, err := refserver.New(configFor())
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewTLSServer(srv.Handler())
	t.Cleanup(func() {
		_ = srv.Shutdown(context.Background())
		web.Close()
	})
	s := &testServer{srv, t, func() (net.Conn, error) {
		return tls.Dial("tcp", web.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	}}
	alice, bob := s.login("alice"), s.login("bob")
	text := strings.Repeat("x", 32<<10)
	for range 50 {
		id := alice.peerSend("bob", text)
		m := expect[*wire.PeerMessage](bob)
		if m.Message.Text != text {
			t.Fatal("wrong text")
		}
		bob.send(&wire.PeerAck{Seq: m.Seq})
		alice.receipt(id, true)
	}
	go srv.Shutdown(context.Background())
	alice.closedWith(wire.CloseDraining)
	bob.closedWith(wire.CloseDraining)
}
