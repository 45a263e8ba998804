package refserver_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/token"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

const certificate = "fedcba9876543210fedcba9876543210"

var guarded = token.App{ID: testApp, Certificate: certificate}

func withCertificate(c *refserver.Config) { c.Apps = map[string]string{testApp: certificate} }

func mint(t *testing.T, mint func(token.App, string, token.Options) (string, error), uid string, o token.Options) string {
	t.Helper()
	text, err := mint(guarded, uid, o)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *testServer) loginWith(uid, text string) *client {
	s.t.Helper()
	c := s.connect()
	c.login(&wire.Login{AppID: testApp, UID: uid, Token: text})
	return c
}

func TestAppWithACertificateNeedsAGoodToken(t *testing.T) {
	s := overTCP(t, withCertificate)
	c := s.connect()
	for name, try := range map[string]struct {
		text string
		code wire.Code
	}{
		"missing": {"", wire.LoginInvalidToken},
		"garbage": {"007garbage", wire.LoginInvalidToken},
		"foreign": {mint(t, token.Mint007, "bob", token.Options{}), wire.LoginInvalidToken},
		"expired": {mint(t, token.Mint007, "alice", token.Options{Lifetime: token.Expired}), wire.LoginTokenExpired},
		"old 006": {mint(t, token.Mint006, "alice", token.Options{IssuedAt: time.Now().Add(-25 * time.Hour)}), wire.LoginTokenExpired},
	} {
		t.Log(name)
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice", Token: try.text})
		c.refused(try.code)
	}
	s.loginWith("alice", mint(t, token.Mint006, "alice", token.Options{}))
	s.loginWith("alice", mint(t, token.Mint007, "alice", token.Options{}))
}

func TestOpenAppIgnoresTokens(t *testing.T) {
	s := overTCP(t)
	c := s.loginWith("alice", "whatever")
	c.id++
	c.send(&wire.TokenRenew{ID: c.id, Token: "whatever else"})
	expect[*wire.OK](c)
}

func TestToken007IsAnnouncedAndEndsTheSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice := s.loginWith("alice", mint(t, token.Mint007, "alice", token.Options{Lifetime: 2 * time.Minute}))
		bob := s.loginWith("bob", mint(t, token.Mint007, "bob", token.Options{}))
		bob.join("lobby")
		alice.join("lobby")
		got := stay(89*time.Second, alice, bob)
		if n := len(of[*wire.TokenWillExpire](got[0])); n > 0 {
			t.Fatalf("%d notices before their time", n)
		}
		got = stay(2*time.Second, alice, bob)
		notices := of[*wire.TokenWillExpire](got[0])
		if len(notices) != 1 || notices[0].LeftMS < 29_000 || notices[0].LeftMS > 30_000 {
			t.Fatalf("notices %v", notices)
		}
		got = stay(28*time.Second, alice, bob)
		if len(got[0]) > 0 {
			t.Fatalf("alice got %s", got[0][0].Append(nil))
		}
		stay(1500*time.Millisecond, bob)
		if f := expect[*wire.LoginKicked](alice); f.Reason != wire.KickTokenExpired {
			t.Fatalf("alice got %s", f.Append(nil))
		}
		alice.closedWith(wire.CloseTokenExpired)
		bob.receipt(bob.peerSend("alice", "there?"), false)
	}, withCertificate)
}

func TestShortTokenIsAnnouncedAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice := s.loginWith("alice", mint(t, token.Mint007, "alice", token.Options{Lifetime: 2 * time.Second}))
		if f := expect[*wire.TokenWillExpire](alice); f.LeftMS < 1000 || f.LeftMS > 2000 {
			t.Fatalf("alice got %s", f.Append(nil))
		}
		alice.closedWith(wire.CloseTokenExpired)
	}, withCertificate)
}

func TestToken006NeverEndsARunningSession(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		nearlyOver := token.Options{IssuedAt: time.Now().Add(-24*time.Hour + 5*time.Second)}
		text := mint(t, token.Mint006, "alice", nearlyOver)
		alice := s.loginWith("alice", text)
		if got := stay(time.Minute, alice); len(got[0]) > 0 {
			t.Fatalf("alice got %s", got[0][0].Append(nil))
		}
		// The end shows at the reconnect.
		alice.drop()
		c := s.connect()
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice", Token: text, Resume: &wire.Resume{Session: alice.ok.Session}})
		c.refused(wire.LoginTokenExpired)
		c.login(&wire.Login{AppID: testApp, UID: "alice", Token: mint(t, token.Mint006, "alice", token.Options{}),
			Resume: &wire.Resume{Session: alice.ok.Session}})
		if !c.ok.Resumed {
			t.Fatal("the session was lost with the old token")
		}
	}, withCertificate)
}

func TestRenewalReplacesTheTokenAndItsEnd(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice := s.loginWith("alice", mint(t, token.Mint007, "alice", token.Options{Lifetime: time.Minute}))
		stay(40*time.Second, alice)
		for _, try := range []struct {
			text string
			code wire.Code
		}{
			{"", wire.RenewInvalidArgument},
			{"007garbage", wire.RenewInvalidToken},
			{mint(t, token.Mint007, "bob", token.Options{}), wire.RenewInvalidToken},
			{mint(t, token.Mint007, "alice", token.Options{Lifetime: token.Expired}), wire.RenewTokenExpired},
		} {
			alice.id++
			alice.send(&wire.TokenRenew{ID: alice.id, Token: try.text})
			alice.refused(try.code)
		}
		alice.id++
		alice.send(&wire.TokenRenew{ID: alice.id, Token: mint(t, token.Mint007, "alice", token.Options{Lifetime: time.Minute})})
		expect[*wire.OK](alice)
		got := stay(50*time.Second, alice)
		if n := len(of[*wire.TokenWillExpire](got[0])); n != 1 {
			t.Fatalf("%d notices for the new token", n)
		}
		stay(8*time.Second, alice)
		alice.closedWith(wire.CloseTokenExpired)
	}, withCertificate)
}

func TestSessionWhoseTokenEndsWhileItsLinkIsLostWaitsForANewOne(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		text := mint(t, token.Mint007, "alice", token.Options{Lifetime: 10 * time.Second})
		alice := s.loginWith("alice", text)
		bob := s.loginWith("bob", mint(t, token.Mint007, "bob", token.Options{}))
		alice.drop()
		stay(15*time.Second, bob)
		c := s.connect()
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice", Token: text, Resume: &wire.Resume{Session: alice.ok.Session}})
		c.refused(wire.LoginTokenExpired)
		c.login(&wire.Login{AppID: testApp, UID: "alice", Token: mint(t, token.Mint007, "alice", token.Options{}),
			Resume: &wire.Resume{Session: alice.ok.Session}})
		if !c.ok.Resumed {
			t.Fatal("the session was lost with the old token")
		}
	}, withCertificate)
}

func TestBanEndsTheSession(t *testing.T) {
	s := overTCP(t)
	alice := s.login("alice")
	if s.Ban(testApp, "bob") {
		t.Fatal("bob is not there to be banned")
	}
	if !s.Ban(testApp, "alice") {
		t.Fatal("alice was not banned")
	}
	if f := expect[*wire.LoginKicked](alice); f.Reason != wire.KickBanned {
		t.Fatalf("alice got %s", f.Append(nil))
	}
	alice.closedWith(wire.CloseBanned)
	s.login("alice")
}

func TestLogHoldsNoSecret(t *testing.T) {
	var log safeBuffer
	s := overTCP(t, withCertificate, func(c *refserver.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	good, foreign := mint(t, token.Mint007, "alice", token.Options{}), mint(t, token.Mint006, "bob", token.Options{})
	alice := s.loginWith("alice", good)
	c := s.connect()
	c.id++
	c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice", Token: foreign})
	c.refused(wire.LoginInvalidToken)
	c.login(&wire.Login{AppID: testApp, UID: "alice", Token: good, Resume: &wire.Resume{Session: alice.ok.Session}})
	c.id++
	c.send(&wire.TokenRenew{ID: c.id, Token: foreign})
	c.refused(wire.RenewInvalidToken)
	c.text(`{"kind":"token.renew","token":"` + good + `"}`)
	c.closedWith(wire.CloseBadFrame)
	text := log.String()
	for _, word := range []string{"login", "resume", "login refused", "renewal refused", "bad frame"} {
		if !strings.Contains(text, word) {
			t.Errorf("the log does not tell of %q", word)
		}
	}
	for what, secret := range map[string]string{"token": good, "foreign token": foreign, "certificate": certificate, "session": alice.ok.Session} {
		if strings.Contains(text, secret) || strings.Contains(text, secret[len(secret)-20:]) {
			t.Errorf("the log holds the %s", what)
		}
	}
}

// safeBuffer is a buffer that many goroutines may write to.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
