package rtm

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestLoginTellsItsStatesBeforeItReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		r := listen(c)
		go func() {
			conn := f.accept()
			login := expect[*wire.Login](conn)
			if login.AppID != appID || login.UID != "alice" || login.Token != "tok" || login.Resume != nil {
				t.Errorf("sent %s", login.Append(nil))
			}
			r.add("server grants")
			conn.grant(login)
		}()
		succeed(t, c.Login(t.Context(), "alice", "tok"))
		r.add("returned")
		r.want(t, "CONNECTING LOGIN", "server grants", "CONNECTED LOGIN_SUCCESS", "returned")
		if c.UID() != "alice" || c.State() != Connected || c.Limits().Channels != 20 {
			t.Fatal(c.UID(), c.State(), c.Limits())
		}
	})
}

func TestConnectingIsToldBeforeTheNetworkIsTouched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		r := &record{}
		c := f.client(func(cfg *Config) {
			dial := cfg.Dial
			cfg.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				r.add("dial")
				return dial(ctx, network, addr)
			}
		})
		c.OnConnectionStateChanged(func(s State, _ Reason) { r.add(s.String()) })
		go f.login()
		succeed(t, c.Login(t.Context(), "alice", ""))
		r.want(t, "CONNECTING", "dial", "CONNECTED")
	})
}

func TestLoginChecksArgumentsThenRateThenState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client(func(cfg *Config) { cfg.LoginInterval = 0 })
		r := listen(c)
		for _, uid := range []string{"", "null", strings.Repeat("a", 65), "a\tb", "a'b", "ä"} {
			code(t, c.Login(t.Context(), uid, ""), wire.LoginInvalidArgument)
		}
		r.want(t) // rule 25
		// Bad arguments have not used up the rate (rule 26).
		go f.login()
		succeed(t, c.Login(t.Context(), "alice", ""))
		pass(499 * time.Millisecond)
		code(t, c.Login(t.Context(), "alice", ""), wire.LoginTooOften)
		code(t, c.Login(t.Context(), "", ""), wire.LoginInvalidArgument)
		pass(time.Millisecond)
		code(t, c.Login(t.Context(), "bob", ""), wire.LoginAlready)
	})
}

func TestSecondLoginIsRefusedWhileTheFirstIsAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		first := later(func() error { return c.Login(t.Context(), "alice", "") })
		conn := f.accept()
		login := expect[*wire.Login](conn)
		code(t, c.Login(t.Context(), "bob", ""), wire.LoginAlready)
		conn.grant(login)
		succeed(t, <-first)
	})
}

func TestLoginWithoutAnswerTimesOutAfterTwelveSeconds(t *testing.T) {
	for name, answer := range map[string]func(*fake){
		"a server that is silent": func(f *fake) { f.accept() },
		"no server":               func(f *fake) { f.down.Store(true) },
		"a server that overloads": func(f *fake) { f.refuse.Store(503) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				c := f.client()
				r := listen(c)
				if name == "a server that is silent" {
					go answer(f)
				} else {
					answer(f)
				}
				start := time.Now()
				err := c.Login(t.Context(), "alice", "")
				code(t, err, wire.LoginTimeout)
				if took := time.Since(start); took != 12*time.Second {
					t.Fatalf("took %v", took)
				}
				r.want(t, "CONNECTING LOGIN", "DISCONNECTED LOGIN_TIMEOUT")
				// The same client may try again, as somebody else (rule 60).
				f.down.Store(false)
				f.refuse.Store(0)
				go f.login()
				succeed(t, c.Login(t.Context(), "bob", ""))
			})
		})
	}
}

func TestLoginRetriesWhileTheServerCannotBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		f.down.Store(true)
		done := later(func() error { return c.Login(t.Context(), "alice", "") })
		pass(3 * time.Second)
		f.down.Store(false)
		f.login()
		succeed(t, <-done)
	})
}

func TestServerRefusesALogin(t *testing.T) {
	for _, want := range []wire.Code{wire.LoginInvalidToken, wire.LoginTokenExpired, wire.LoginInvalidAppID, wire.LoginTooOften} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t)
			c := f.client()
			r := listen(c)
			go func() {
				conn := f.accept()
				conn.send(wire.Refuse(expect[*wire.Login](conn).ID, want, "no"))
			}()
			err := c.Login(t.Context(), "alice", "secret-token")
			code(t, err, want)
			var e *Error
			if !errors.As(err, &e) || !e.FromServer || e.Op != wire.KindLogin || strings.Contains(err.Error(), "secret") {
				t.Fatalf("%#v: %v", e, err)
			}
			r.want(t, "CONNECTING LOGIN", "DISCONNECTED LOGIN_FAILURE")
		})
	}
}

func TestWhatIsNoRTMServerFailsTheLoginAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		f.refuse.Store(404)
		c := f.client()
		start := time.Now()
		err := c.Login(t.Context(), "alice", "")
		code(t, err, wire.LoginUnknown)
		if time.Since(start) != 0 || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), wire.Path) {
			t.Fatal(time.Since(start), err)
		}
	})
}

func TestCancelledLoginIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		r := listen(c)
		ctx, cancel := context.WithCancel(t.Context())
		done := later(func() error { return c.Login(ctx, "alice", "") })
		conn := f.accept()
		expect[*wire.Login](conn)
		cancel()
		err := <-done
		if _, hasCode := CodeOf(err); !errors.Is(err, context.Canceled) || hasCode {
			t.Fatal(err)
		}
		<-conn.gone
		synctest.Wait()
		r.want(t, "CONNECTING LOGIN", "DISCONNECTED LOGIN_FAILURE")
	})
}

func TestLogoutEndsTheSessionAndKeepsListenersAndChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		ch, _ := c.NewChannel("lobby")
		join(t, ch, conn, 1)
		done := later(func() error { return c.Logout(t.Context()) })
		conn.send(&wire.OK{Answers: wire.KindLogout, ID: expect[*wire.Logout](conn).ID})
		succeed(t, <-done)
		r.want(t, "DISCONNECTED LOGOUT")
		<-conn.gone
		if ch.Joined() || c.UID() != "" {
			t.Fatal("still joined, or still somebody")
		}
		code(t, ch.Send(t.Context(), NewText("x")), wire.ChannelSendNotLoggedIn)
		code(t, c.Logout(t.Context()), wire.LogoutNotLoggedIn)

		again := later(func() error { return c.Login(t.Context(), "bob", "") })
		conn, _ = f.login()
		succeed(t, <-again)
		join(t, ch, conn, 1)
		r.want(t, "DISCONNECTED LOGOUT", "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS")
	})
}

func TestLogoutWithoutAnswerStillEndsTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := later(func() error { return c.Logout(ctx) })
		expect[*wire.Logout](conn)
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		synctest.Wait()
		r.want(t, "DISCONNECTED LOGOUT")
		<-conn.gone
	})
}

func TestLogoutWithoutASessionIs102(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		code(t, f.client().Logout(t.Context()), wire.LogoutNotLoggedIn)
	})
}

func TestLogoutDuringConnectingWaitsForTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		login := later(func() error { return c.Login(t.Context(), "alice", "") })
		conn := f.accept()
		request := expect[*wire.Login](conn)
		logout := later(func() error { return c.Logout(t.Context()) })
		synctest.Wait()
		conn.grant(request)
		succeed(t, <-login)
		conn.send(&wire.OK{Answers: wire.KindLogout, ID: expect[*wire.Logout](conn).ID})
		succeed(t, <-logout)

		login = later(func() error { return c.Login(t.Context(), "alice", "") })
		conn = f.accept()
		request = expect[*wire.Login](conn)
		logout = later(func() error { return c.Logout(t.Context()) })
		synctest.Wait()
		conn.send(wire.Refuse(request.ID, wire.LoginInvalidToken, "no"))
		first, second := <-login, <-logout
		code(t, second, wire.LoginInvalidToken)
		if first != second {
			t.Fatalf("%v is not the login's own error %v", second, first)
		}
	})
}

func TestEvictedClientIsAbortedAndStaysAway(t *testing.T) {
	for _, how := range []struct {
		kick   wire.KickReason
		close  wire.CloseCode
		reason string
	}{
		{wire.KickRemoteLogin, wire.CloseRemoteLogin, "ABORTED REMOTE_LOGIN"},
		{wire.KickBanned, wire.CloseBanned, "ABORTED BANNED_BY_SERVER"},
		{"", wire.CloseRemoteLogin, "ABORTED REMOTE_LOGIN"},
		{"", wire.CloseSuperseded, "ABORTED REMOTE_LOGIN"},
		{"", wire.CloseBadFrame, "ABORTED INTERRUPTED"},
		{"", 4299, "ABORTED INTERRUPTED"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t)
			c, conn := f.connected()
			r := listen(c)
			ch, _ := c.NewChannel("lobby")
			join(t, ch, conn, 1)
			waiting := later(func() error { return ch.Send(t.Context(), NewText("x")) })
			expect[*wire.ChannelSend](conn)
			if how.kick != "" {
				conn.send(&wire.LoginKicked{Reason: how.kick})
			} else {
				conn.close(how.close)
			}
			code(t, <-waiting, wire.ChannelSendFailure)
			pass(time.Hour)
			r.want(t, how.reason)
			if f.dials.Load() != 1 || ch.Joined() {
				t.Fatal("came back by itself")
			}
			// Rule 70: everything that needs a session fails, and so does login.
			code(t, ch.Join(t.Context()), wire.JoinNotLoggedIn)
			code(t, c.Login(t.Context(), "alice", ""), wire.LoginAlready)
			succeed(t, c.Logout(t.Context()))
			go f.login()
			succeed(t, c.Login(t.Context(), "alice", ""))
			r.want(t, how.reason, "DISCONNECTED LOGOUT", "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS")
		})
	}
}

func TestCallsOutsideASessionFailWith102(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		ch, _ := c.NewChannel("lobby")
		ctx := t.Context()
		check := func(leave wire.Code) {
			_, err := c.SendToPeer(ctx, "a'b", NewText("x")) // a bad uid too: 102 wins (rule 111)
			code(t, err, wire.PeerNotLoggedIn)
			code(t, ch.Join(ctx), wire.JoinNotLoggedIn)
			code(t, ch.Leave(ctx), leave)
			code(t, ch.Send(ctx, NewText("x")), wire.ChannelSendNotLoggedIn)
			_, err = ch.Members(ctx)
			code(t, err, wire.MembersNotLoggedIn)
			_, err = c.MemberCounts(ctx, "lobby")
			code(t, err, wire.CountNotLoggedIn)
			code(t, c.RenewToken(ctx, "tok"), wire.RenewNotLoggedIn)
			// Argument checks of these come first.
			code(t, c.RenewToken(ctx, ""), wire.RenewInvalidArgument)
			_, err = c.MemberCounts(ctx)
			code(t, err, wire.CountInvalidArgument)
			_, err = c.SendToPeer(ctx, "bob", nil)
			code(t, err, wire.PeerInvalidMessage)
		}
		check(wire.LeaveNotLoggedIn)
		login := later(func() error { return c.Login(ctx, "alice", "") })
		conn := f.accept()
		request := expect[*wire.Login](conn)
		check(wire.LeaveNotInChannel) // rule 73
		conn.send(wire.Refuse(request.ID, wire.LoginUnknown, "no"))
		code(t, <-login, wire.LoginUnknown)
		check(wire.LeaveNotLoggedIn)
	})
}

func TestRenewedTokenIsUsedFromThenOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		conn.send(&wire.TokenWillExpire{LeftMS: 30_000})
		done := later(func() error { return c.RenewToken(t.Context(), "bad") })
		conn.send(wire.Refuse(expect[*wire.TokenRenew](conn).ID, wire.RenewInvalidToken, "no"))
		code(t, <-done, wire.RenewInvalidToken)
		done = later(func() error { return c.RenewToken(t.Context(), "new") })
		renew := expect[*wire.TokenRenew](conn)
		if renew.Token != "new" {
			t.Fatal(renew.Token)
		}
		conn.send(&wire.OK{Answers: wire.KindTokenRenew, ID: renew.ID})
		succeed(t, <-done)
		synctest.Wait()
		r.want(t, "token will expire in 30s")
		conn.cut()
		if _, login := f.login(); login.Token != "new" {
			t.Fatal(login.Token)
		}
		synctest.Wait()
		r.want(t, "token will expire in 30s")
	})
}

func TestTokenThatEndsWhileConnectedAborts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		conn.send(&wire.LoginKicked{Reason: wire.KickTokenExpired})
		<-conn.gone
		synctest.Wait()
		r.want(t, "token expired in ABORTED", "ABORTED TOKEN_EXPIRED")
	})
}

func TestCloseReleasesEverythingAndIsTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		ch, _ := c.NewChannel("lobby")
		join(t, ch, conn, 1)
		waiting := later(func() error { return ch.Send(t.Context(), NewText("x")) })
		expect[*wire.ChannelSend](conn)
		succeed(t, c.Close())
		succeed(t, c.Close())
		code(t, <-waiting, wire.ChannelSendFailure)
		<-conn.gone
		if !strings.Contains(conn.closed.Error(), "1001") {
			t.Fatal(conn.closed)
		}
		if c.State() != Disconnected {
			t.Fatal(c.State())
		}
		err := c.Login(t.Context(), "alice", "")
		code(t, err, wire.LoginUnknown)
		if !strings.Contains(err.Error(), "closed") {
			t.Fatal(err)
		}
	})
}

func TestCloseEndsALoginAtWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		login := later(func() error { return c.Login(t.Context(), "alice", "") })
		expect[*wire.Login](f.accept())
		succeed(t, c.Close())
		code(t, <-login, wire.LoginUnknown)
	})
}

func TestNewRefusesWhatCannotBeRight(t *testing.T) {
	good := Config{URL: "ws://h/rtm/v1", AppID: appID}
	for name, change := range map[string]func(*Config){
		"31 characters":   func(c *Config) { c.AppID = appID[1:] },
		"33 characters":   func(c *Config) { c.AppID += "0" },
		"a space":         func(c *Config) { c.AppID = " " + appID[1:] },
		"no URL":          func(c *Config) { c.URL = "" },
		"http":            func(c *Config) { c.URL = "http://h/rtm/v1" },
		"no host":         func(c *Config) { c.URL = "ws:///rtm/v1" },
		"a user":          func(c *Config) { c.URL = "ws://u:p@h/rtm/v1" },
		"a negative time": func(c *Config) { c.SendTimeout = -1 },
		"Max below Min":   func(c *Config) { c.Backoff = Backoff{Min: time.Second, Max: time.Millisecond} },
	} {
		cfg := good
		change(&cfg)
		if _, err := New(cfg); !errors.Is(err, wire.ClientNewInvalidArgument) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
}
