package rtm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// What becomes of calls that meet an outage.

func TestMessagesSentDuringAnOutageAreHeldAndSentInOrder(t *testing.T) {
	for name, change := range map[string]func(*wire.LoginOK){"resumed": func(*wire.LoginOK) {}, "a new session": fresh} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				c, conn := f.connected(func(cfg *Config) { cfg.Backoff.Max = cfg.Backoff.Min + time.Second })
				lobby := channel(t, c, "lobby")
				join(t, lobby, conn, 1)
				f.outage(conn)
				var done []<-chan sent
				for i := range 6 { // the first 6 s of an outage (rule 87)
					done = append(done, send(c, t.Context(), "bob", NewText(fmt.Sprint(i))))
					pass(time.Second)
				}
				channelDone := later(func() error { return lobby.Send(t.Context(), NewText("6")) })
				synctest.Wait()
				f.down.Store(false)
				conn, login := f.login(change)
				if name == "a new session" {
					conn.send(&wire.ChannelJoinOK{ID: expect[*wire.ChannelJoin](conn).ID, Seq: 2, Count: 1})
				}
				if len(login.Resume.Channels) != 1 {
					t.Fatal(login.Resume)
				}
				for i := range 6 {
					frame := expect[*wire.PeerSend](conn)
					if frame.Message.Text != fmt.Sprint(i) {
						t.Fatalf("%d: sent %q", i, frame.Message.Text)
					}
					conn.send(&wire.PeerSendOK{ID: frame.ID, Received: true})
				}
				frame := expect[*wire.ChannelSend](conn)
				conn.send(&wire.OK{Answers: wire.KindChannelSend, ID: frame.ID})
				for _, result := range done {
					if got := <-result; got.err != nil || !got.receipt.HasPeerReceived {
						t.Fatal(got)
					}
				}
				succeed(t, <-channelDone)
			})
		})
	}
}

func TestHeldMessageTimesOutUnsent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		f.outage(conn)
		start := time.Now()
		_, err := c.SendToPeer(t.Context(), "bob", NewText("x"))
		code(t, err, wire.PeerTimeout)
		if time.Since(start) != 10*time.Second || !strings.Contains(err.Error(), "not sent") {
			t.Fatal(time.Since(start), err)
		}
		f.down.Store(false)
		conn, _ = f.login()
		conn.silent(1) // and it stays unsent
	})
}

func TestHeldMessagesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		f.outage(conn)
		big := NewText(strings.Repeat("x", 32<<10))
		var done []<-chan sent
		for range 40 {
			done = append(done, send(c, t.Context(), "bob", big))
		}
		synctest.Wait()
		held := 0
		for _, result := range done {
			select {
			case got := <-result:
				code(t, got.err, wire.PeerFailure)
			default:
				held++
			}
		}
		if held != 31 {
			t.Fatalf("%d messages of 32 KB are held", held)
		}
	})
}

func TestReceiptMayComeOverTheNextLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		first := send(c, t.Context(), "bob", NewText("1"))
		one := expect[*wire.PeerSend](conn)
		second := send(c, t.Context(), "bob", NewText("2"))
		expect[*wire.PeerSend](conn)
		start := time.Now()
		conn.cut()
		conn, _ = f.login()
		conn.send(&wire.PeerSendOK{ID: one.ID, Received: true})
		if got := <-first; got.err != nil || !got.receipt.HasPeerReceived {
			t.Fatal(got)
		}
		code(t, (<-second).err, wire.PeerTimeout)
		if time.Since(start) != 10*time.Second {
			t.Fatal(time.Since(start))
		}
		conn.silent(1) // a message is not sent twice
	})
}

func TestReceiptThatCannotComeAnyMoreIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		done := send(c, t.Context(), "bob", NewText("1"))
		expect[*wire.PeerSend](conn)
		start := time.Now()
		conn.cut()
		f.login(fresh)
		got := <-done
		code(t, got.err, wire.PeerTimeout)
		if time.Since(start) > time.Second || !strings.Contains(got.err.Error(), "unknown") {
			t.Fatal(time.Since(start), got.err)
		}
	})
}

func TestCallsThatMayBeMadeTwiceAreMadeAgainAfterAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		ctx := t.Context()
		in, out := channel(t, c, "in"), channel(t, c, "out")
		join(t, out, conn, 1)
		joining := later(func() error { return in.Join(ctx) })
		lost := expect[*wire.ChannelJoin](conn)
		leaving := later(func() error { return out.Leave(ctx) })
		expect[*wire.ChannelLeave](conn)
		counting := later(func() error { _, err := c.MemberCounts(ctx, "in"); return err })
		expect[*wire.ChannelCount](conn)
		conn.cut()
		conn, login := f.login()
		if len(login.Resume.Channels) != 0 {
			t.Fatalf("sent %s", login.Append(nil))
		}
		again := expect[*wire.ChannelJoin](conn)
		if again.ID == lost.ID {
			t.Fatal("an id is used twice")
		}
		// The first ones had worked.
		conn.send(wire.Refuse(again.ID, wire.JoinAlready, "you are in"))
		conn.send(wire.Refuse(expect[*wire.ChannelLeave](conn).ID, wire.LeaveNotInChannel, "you are out"))
		conn.send(&wire.ChannelCountOK{ID: expect[*wire.ChannelCount](conn).ID, Counts: []int{1}})
		succeed(t, <-joining)
		succeed(t, <-leaving)
		succeed(t, <-counting)
		if !in.Joined() || out.Joined() {
			t.Fatal(in.Joined(), out.Joined())
		}
	})
}

func TestALeaveDuringAnOutageSucceedsWhenTheResumeHasLeftTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		lobby := channel(t, c, "lobby")
		join(t, lobby, conn, 1)
		conn.cut()
		synctest.Wait()
		leaving := later(func() error { return lobby.Leave(t.Context()) })
		synctest.Wait()
		conn, login := f.login()
		if len(login.Resume.Channels) != 0 {
			t.Fatalf("sent %s", login.Append(nil))
		}
		conn.send(wire.Refuse(expect[*wire.ChannelLeave](conn).ID, wire.LeaveNotInChannel, "you are out"))
		succeed(t, <-leaving)
		if lobby.Joined() {
			t.Fatal("the object is joined")
		}
	})
}

func TestExpiredTokenIsToldOnceInReconnectingAndWaitsForRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		conn.cut()
		refuseLogin := func(want string, code wire.Code) {
			conn := f.accept()
			login := expect[*wire.Login](conn)
			if login.Token != want {
				t.Errorf("token %q", login.Token)
			}
			conn.send(wire.Refuse(login.ID, code, "no"))
		}
		refuseLogin("secret-token", wire.LoginTokenExpired)
		pass(time.Second)
		r.want(t) // the state is not RECONNECTING yet
		dials := f.dials.Load()
		pass(time.Hour)
		r.want(t, "RECONNECTING INTERRUPTED", "token expired in RECONNECTING")
		if f.dials.Load() != dials {
			t.Fatal("did not wait for the renewal")
		}

		renewing := later(func() error { return c.RenewToken(t.Context(), "forged") })
		refuseLogin("forged", wire.LoginInvalidToken)
		code(t, <-renewing, wire.RenewInvalidToken)
		refuseLogin("secret-token", wire.LoginTokenExpired)
		renewing = later(func() error { return c.RenewToken(t.Context(), "old") })
		refuseLogin("old", wire.LoginTokenExpired)
		code(t, <-renewing, wire.RenewTokenExpired)
		refuseLogin("secret-token", wire.LoginTokenExpired)

		renewing = later(func() error { return c.RenewToken(t.Context(), "new") })
		conn, login := f.login()
		if login.Token != "new" {
			t.Fatal(login.Token)
		}
		conn.send(&wire.OK{Answers: wire.KindTokenRenew, ID: expect[*wire.TokenRenew](conn).ID})
		succeed(t, <-renewing)
		synctest.Wait()
		r.want(t, "RECONNECTING INTERRUPTED", "token expired in RECONNECTING", "CONNECTED LOGIN_SUCCESS")
	})
}

func TestTokenRenewedDuringAnOutageIsUsedForTheReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		f.outage(conn)
		err := c.RenewToken(t.Context(), "new")
		code(t, err, wire.RenewFailure)
		f.down.Store(false)
		for range 2 { // and for the one after it
			next, login := f.login()
			if login.Token != "new" {
				t.Fatal(login.Token)
			}
			next.cut()
		}
		f.login()
	})
}

func TestLinkLostDuringLogoutIsALogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		done := later(func() error { return c.Logout(t.Context()) })
		expect[*wire.Logout](conn)
		conn.cut()
		succeed(t, <-done)
		r.want(t, "DISCONNECTED LOGOUT")
	})
}

func TestWrongAnswerFailsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		done := send(c, t.Context(), "bob", NewText("x"))
		conn.send(&wire.OK{Answers: wire.KindChannelSend, ID: expect[*wire.PeerSend](conn).ID})
		got := <-done
		code(t, got.err, wire.PeerFailure)
		var e *Error
		if !errors.As(got.err, &e) || e.FromServer {
			t.Fatal(got.err)
		}
	})
}

func TestCallThatMissedTheReconnectUsesTheNewLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		s := c.session
		k := s.calls.make(wire.KindPeerSend)
		c.mu.Lock()
		old := s.open(k)
		c.mu.Unlock()
		conn.cut()
		conn, _ = f.login()
		synctest.Wait()
		done := later(func() answer {
			return s.exchange(t.Context(), k, old, framed{k.id, (&wire.PeerSend{ID: k.id, To: "bob", Message: wire.TextMessage("x")}).Append(nil)})
		})
		conn.send(&wire.PeerSendOK{ID: expect[*wire.PeerSend](conn).ID, Received: true})
		if a := <-done; a.err != nil || !a.received {
			t.Fatal(a)
		}
	})
}

func TestSendThatFindsNoRoomIsKnownNotToBeSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		conn.writing <- struct{}{} // the server is stuck in its answer to the ping
		defer func() { <-conn.writing }()
		pass(2500 * time.Millisecond)
		big := NewText(strings.Repeat("x", 32<<10))
		for range 80 {
			go c.SendToPeer(t.Context(), "bob", big)
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.SendToPeer(ctx, "bob", big)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "nothing was sent") {
			t.Fatal(err)
		}
		succeed(t, c.Close())
	})
}

func TestJoinInterruptedByAnOutageHasAnUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		lobby := channel(t, c, "lobby")
		done := later(func() error { return lobby.Join(t.Context()) })
		expect[*wire.ChannelJoin](conn)
		f.outage(conn)
		err := <-done
		code(t, err, wire.JoinTimeout)
		if !strings.Contains(err.Error(), "unknown") {
			t.Fatal(err)
		}
	})
}
