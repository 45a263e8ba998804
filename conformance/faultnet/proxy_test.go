package faultnet

import (
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
)

func TestProxyCarriesBytesBothWays(t *testing.T) {
	conn := dial(t, serve(t, echo))
	text := strings.Repeat("0123456789", 10000)
	if got := say(t, conn, text); got != text {
		t.Errorf("%d bytes came back changed", len(got))
	}
}

func TestEndOfOneWayLeavesTheOtherOpen(t *testing.T) {
	proxy := serve(t, func(conn net.Conn) {
		text, _ := io.ReadAll(conn)
		_, _ = conn.Write([]byte("got " + string(text)))
	})
	conn := dial(t, proxy)
	_, _ = io.WriteString(conn, "all")
	_ = conn.(*net.TCPConn).CloseWrite()
	if text, err := io.ReadAll(conn); string(text) != "got all" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
	if err := proxy.AwaitIdle(within(t)); err != nil {
		t.Error(err)
	}
}

func TestCutResetsBothSides(t *testing.T) {
	ended := make(chan error, 1)
	proxy := serve(t, func(conn net.Conn) {
		_, err := conn.Read(make([]byte, 1))
		ended <- err
	})
	conn := dial(t, proxy)
	if err := proxy.AwaitLinks(within(t), 1); err != nil {
		t.Fatal(err)
	}
	proxy.Cut()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %v", err)
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the server got %v", err)
	}
}

func TestRefusedConnectionIsResetAndPresentOnesStay(t *testing.T) {
	proxy := serve(t, echo)
	present := dial(t, proxy)
	say(t, present, "x")
	proxy.Refuse()
	expectReset(t, proxy)
	if err := proxy.AwaitAttempts(within(t), 2); err != nil {
		t.Error(err)
	}
	say(t, present, "y")
	proxy.Admit()
	say(t, dial(t, proxy), "z")
	if proxy.Links() != 2 {
		t.Errorf("%d links", proxy.Links())
	}
}

func TestUnreachableTargetResetsTheClient(t *testing.T) {
	proxy, err := Listen("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	expectReset(t, proxy)
}

func TestHalfOpenLinkStaysDeadAndNewOnesWork(t *testing.T) {
	proxy := serve(t, echo)
	dead := dial(t, proxy)
	say(t, dead, "x")
	proxy.HalfOpen()
	if _, err := io.WriteString(dead, "lost"); err != nil {
		t.Errorf("the client noticed: %v", err)
	}
	say(t, dial(t, proxy), "y")
	proxy.Cut()
	if text, err := io.ReadAll(dead); len(text) > 0 || err == nil {
		t.Errorf("the dead link carried %q, %v", text, err)
	}
}

// expectReset connects and asks for a reset, which may come before the connection is handed over or after.
func expectReset(t *testing.T, proxy *Proxy) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(within(t), "tcp", proxy.Addr())
	if err == nil {
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
	}
	if !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client got %v", err)
	}
}

func TestWaitTellsWhatItWaitedFor(t *testing.T) {
	err := serve(t, echo).AwaitLinks(expired(t), 3)
	if err == nil || !strings.Contains(err.Error(), "3 links") {
		t.Errorf("got %v", err)
	}
}
