package rtm

import (
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// peer and channel deliver a message from bob.
func (c *fakeConn) peer(seq uint64, text string) {
	c.send(&wire.PeerMessage{Seq: seq, From: "bob", TS: 1, Message: wire.TextMessage(text)})
}

func (c *fakeConn) channel(channel string, seq uint64, text string) {
	c.send(&wire.ChannelMessage{Channel: channel, From: "bob", Seq: seq, TS: 1, Message: wire.TextMessage(text)})
}

func TestShortOutageIsResumedWithoutAWord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		lobby, other := channel(t, c, "lobby"), channel(t, c, "other")
		listenChannel(r, lobby)
		join(t, lobby, conn, 10)
		join(t, other, conn, 70)
		conn.peer(1, "one")
		expect[*wire.PeerAck](conn)
		conn.channel("lobby", 15, "two")
		conn.peer(2, "three")
		expect[*wire.PeerAck](conn)
		conn.cut()

		conn, login := f.login()
		want := &wire.Resume{Session: "s1", PeerSeq: 2, Channels: []wire.Cursor{{Channel: "lobby", Seq: 15}, {Channel: "other", Seq: 70}}}
		if !reflect.DeepEqual(login.Resume, want) || login.UID != "alice" || login.Token != "secret-token" {
			t.Fatalf("sent %s", login.Append(nil))
		}
		// What is sent again is not heard again; what is new is.
		conn.peer(2, "three")
		conn.peer(3, "four")
		if ack := expect[*wire.PeerAck](conn); ack.Seq != 3 {
			t.Fatal(ack.Seq)
		}
		conn.channel("lobby", 15, "two")
		conn.channel("lobby", 16, "five")
		conn.silent(4)
		pass(time.Minute)
		r.want(t, "bob says one", "bob says two in lobby", "bob says three", "bob says four", "bob says five in lobby", "barrier says barrier")
		if !lobby.Joined() || c.State() != Connected {
			t.Fatal("not joined, or not connected")
		}
	})
}

func TestReconnectingIsToldAfterFourSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		f.outage(conn)
		pass(4*time.Second - time.Nanosecond)
		r.want(t)
		pass(time.Nanosecond)
		r.want(t, "RECONNECTING INTERRUPTED")
		f.down.Store(false)
		f.login()
		synctest.Wait()
		r.want(t, "RECONNECTING INTERRUPTED", "CONNECTED LOGIN_SUCCESS")
	})
}

func TestSilentLinkIsLostFourSecondsAfterTheLastContact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		pass(time.Hour) // pings keep the link
		r.want(t)
		conn.mute.Store(true)
		conn.silent(1) // the last contact
		last := time.Now()
		pings := conn.pings.Load()
		<-conn.gone
		synctest.Wait()
		if silence := time.Since(last); silence != 4*time.Second || conn.pings.Load() == pings {
			t.Fatalf("given up after %v and %d pings", silence, conn.pings.Load()-pings)
		}
		r.want(t, "barrier says barrier", "RECONNECTING INTERRUPTED")
		f.login()
		synctest.Wait()
		r.want(t, "barrier says barrier", "RECONNECTING INTERRUPTED", "CONNECTED LOGIN_SUCCESS")
	})
}

func TestClientPingsWhenItHasNothingToSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		pass(2500*time.Millisecond - time.Nanosecond)
		if n := conn.pings.Load(); n != 0 {
			t.Fatal(n)
		}
		pass(time.Nanosecond)
		if n := conn.pings.Load(); n != 1 {
			t.Fatal(n)
		}
		for range 10 { // a client that talks and is answered need not ping
			pass(2 * time.Second)
			done := send(c, t.Context(), "bob", NewText("x"))
			conn.send(&wire.PeerSendOK{ID: expect[*wire.PeerSend](conn).ID})
			<-done
		}
		if n := conn.pings.Load(); n != 1 {
			t.Fatal(n)
		}
		for range 4 { // one that talks without an answer must know that the link lives
			pass(2 * time.Second)
			send(c, t.Context(), "bob", NewText("x"))
		}
		if n := conn.pings.Load(); n < 3 {
			t.Fatal(n)
		}
	})
}

func TestClientRetriesWithoutLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		f.outage(conn)
		pass(10 * time.Hour)
		r.want(t, "RECONNECTING INTERRUPTED")
		if n := f.dials.Load(); n < 10*3600/20 || n > 10*3600/5 {
			t.Fatalf("%d attempts in 10 hours", n)
		}
		f.down.Store(false)
		f.login(fresh)
		synctest.Wait()
		r.want(t, "RECONNECTING INTERRUPTED", "CONNECTED LOGIN_SUCCESS")
	})
}

func TestLostSessionIsMadeUpFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		lobby, gone := channel(t, c, "lobby"), channel(t, c, "gone")
		listenChannel(r, lobby)
		join(t, lobby, conn, 10)
		join(t, gone, conn, 10)
		conn.peer(1, "one")
		expect[*wire.PeerAck](conn)
		conn.channel("lobby", 12, "two")
		leave(t, gone, conn)
		f.outage(conn)
		pass(time.Hour)
		f.down.Store(false)
		conn, _ = f.login(fresh)
		rejoin := expect[*wire.ChannelJoin](conn)
		if rejoin.Channel != "lobby" || rejoin.After != 12 {
			t.Fatalf("sent %s", rejoin.Append(nil))
		}
		conn.send(&wire.ChannelJoinOK{ID: rejoin.ID, Seq: 20, Count: 2})
		conn.channel("lobby", 12, "two")
		conn.channel("lobby", 19, "three")
		conn.peer(1, "a new count")
		if ack := expect[*wire.PeerAck](conn); ack.Seq != 1 {
			t.Fatal(ack.Seq)
		}
		synctest.Wait()
		r.want(t, "bob says one", "bob says two in lobby", "RECONNECTING INTERRUPTED", "CONNECTED LOGIN_SUCCESS",
			"bob says three in lobby", "bob says a new count")
		conn.cut()
		if _, login := f.login(); login.Resume.Session != "s2" || login.Resume.PeerSeq != 1 || login.Resume.Channels[0].Seq != 19 {
			t.Fatalf("sent %s", login.Append(nil))
		}
	})
}

func TestChannelsThatTheResumeMissesAreJoinedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		a, b, d := channel(t, c, "a"), channel(t, c, "b"), channel(t, c, "d")
		join(t, a, conn, 1)
		join(t, b, conn, 1)
		join(t, d, conn, 100)
		conn.cut()
		conn, _ = f.login(func(ok *wire.LoginOK) { ok.Missing = []string{"b", "d"} })
		first, second := expect[*wire.ChannelJoin](conn), expect[*wire.ChannelJoin](conn)
		if first.Channel != "b" || second.Channel != "d" {
			t.Fatal(first.Channel, second.Channel)
		}
		// A refusal that passes is tried again; one that stays loses the channel.
		conn.send(wire.Refuse(first.ID, wire.JoinSameTooOften, "no"), wire.Refuse(second.ID, wire.JoinExceedLimit, "no"))
		again := expect[*wire.ChannelJoin](conn)
		if again.Channel != "b" {
			t.Fatal(again.Channel)
		}
		conn.send(wire.Refuse(again.ID, wire.JoinAlready, "you are"))
		conn.silent(1)
		if !a.Joined() || !b.Joined() || d.Joined() {
			t.Fatal(a.Joined(), b.Joined(), d.Joined())
		}
	})
}

func TestServerThatForgotAChannelCountsAfresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		lobby := channel(t, c, "lobby")
		listenChannel(r, lobby)
		join(t, lobby, conn, 1000)
		conn.cut()
		conn, _ = f.login(fresh)
		conn.send(&wire.ChannelJoinOK{ID: expect[*wire.ChannelJoin](conn).ID, Seq: 1, Count: 1})
		conn.channel("lobby", 2, "hi")
		conn.silent(1)
		synctest.Wait()
		r.want(t, "bob says hi in lobby", "barrier says barrier")
	})
}

func TestLogoutEndsAnOutageAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		f.outage(conn)
		pass(5 * time.Second)
		held := send(c, t.Context(), "bob", NewText("x"))
		synctest.Wait()
		start := time.Now()
		succeed(t, c.Logout(t.Context()))
		code(t, (<-held).err, wire.PeerFailure)
		if time.Since(start) != 0 {
			t.Fatal(time.Since(start))
		}
		r.want(t, "RECONNECTING INTERRUPTED", "DISCONNECTED LOGOUT")
		dials := f.dials.Load()
		pass(time.Hour)
		if f.dials.Load() != dials {
			t.Fatal("still reconnecting")
		}
	})
}

func TestServerMayAbortAReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		conn.cut()
		conn = f.accept()
		expect[*wire.Login](conn)
		conn.close(wire.CloseBanned)
		pass(time.Hour)
		r.want(t, "ABORTED BANNED_BY_SERVER")
	})
}

func TestCloseCodesDecideHowSoonTheClientReturns(t *testing.T) {
	for code, atMost := range map[wire.CloseCode]time.Duration{
		wire.CloseSlowConsumer: 200 * time.Millisecond, wire.CloseSilent: 200 * time.Millisecond,
		wire.CloseInternal: 200 * time.Millisecond, wire.CloseLoginTimeout: 200 * time.Millisecond,
		wire.CloseNormal: 200 * time.Millisecond, wire.CloseGoingAway: 200 * time.Millisecond, 4099: 200 * time.Millisecond,
		wire.CloseDraining: 3200 * time.Millisecond, wire.CloseOverloaded: 3200 * time.Millisecond,
		wire.CloseFlood: 3200 * time.Millisecond, 4199: 3200 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t)
			_, conn := f.connected()
			longest := time.Duration(0)
			for range 20 {
				pass(stableAfter)
				start := time.Now()
				conn.close(code)
				conn, _ = f.login()
				longest = max(longest, time.Since(start))
			}
			if longest > atMost || longest < atMost/4 {
				t.Errorf("after %v the longest pause was %v, of at most %v", code, longest, atMost)
			}
		})
	}
}

func TestServerThatSpeaksNonsenseIsLeftAndTriedAgain(t *testing.T) {
	for _, text := range []string{`{"kind":"peer.message","seq":1,"SEQ":2}`, `nonsense`, `{"kind":"peer.ack","seq":1}`, `{"kind":"login","id":1}`} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t)
			c, conn := f.connected()
			conn.sendText(text)
			<-conn.gone
			if !strings.Contains(conn.closed.Error(), "4204") {
				t.Fatal(conn.closed)
			}
			conn, _ = f.login()
			conn.sendText(`{"kind":"news.of.tomorrow","x":1}`)                         // unknown kinds are ignored
			conn.sendText(`{"kind":"error","op":"x","code":1,"name":"","message":""}`) // and errors without a request
			conn.silent(1)
			if c.State() != Connected {
				t.Fatal(c.State())
			}
		})
	}
}

func TestShortLimitsOfTheServerAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		r := listen(c)
		login := later(func() error { return c.Login(t.Context(), "alice", "") })
		conn, _ := f.login(func(ok *wire.LoginOK) {
			ok.Limits.ReconnectThresholdMS, ok.Limits.PingIntervalMS = 400, 250
			ok.Limits.Channels, ok.Limits.MessageBytes, ok.Limits.CountChannels = 1, 4, 2
		})
		succeed(t, <-login)
		join(t, channel(t, c, "a"), conn, 1)
		code(t, channel(t, c, "b").Join(t.Context()), wire.JoinExceedLimit)
		_, err := c.SendToPeer(t.Context(), "bob", NewText("12345"))
		code(t, err, wire.PeerInvalidMessage)
		_, err = c.MemberCounts(t.Context(), "a", "b", "c")
		code(t, err, wire.CountExceedLimit)
		f.outage(conn)
		pass(400 * time.Millisecond)
		r.want(t, "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS", "RECONNECTING INTERRUPTED")
	})
}

func TestServerThatAnnouncesNoLimitsGetsThePublishedOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		login := later(func() error { return c.Login(t.Context(), "alice", "") })
		f.login(func(ok *wire.LoginOK) { ok.Limits = wire.Limits{} })
		succeed(t, <-login)
		if l := c.Limits(); l.Channels != 20 || l.MessageBytes != 32<<10 || l.PingIntervalMS != 2500 || l.ReconnectThresholdMS != 4000 {
			t.Fatalf("%+v", l)
		}
		pass(time.Minute)
	})
}

func TestThresholdBelowThePingIntervalIsNoReasonToLoseLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		r := listen(c)
		login := later(func() error { return c.Login(t.Context(), "alice", "") })
		f.login(func(ok *wire.LoginOK) { ok.Limits.ReconnectThresholdMS, ok.Limits.PingIntervalMS = 500, 2500 })
		succeed(t, <-login)
		pass(time.Minute)
		r.want(t, "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS")
		if f.dials.Load() != 1 {
			t.Fatal(f.dials.Load())
		}
	})
}
