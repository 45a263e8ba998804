package rtm

import (
	"bytes"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestListenersRunInOrderAndCanBeRemovedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		same := func(m *Message, _ string) { r.add("same", m.Text()) }
		c.OnMessage(func(m *Message, _ string) { r.add("first", m.Text()) })
		off := c.OnMessage(same)
		c.OnMessage(same)
		var once func()
		once = c.OnMessage(func(m *Message, _ string) {
			r.add("once", m.Text())
			once()
			off()
			off() // more than once is nothing more
		})
		conn.peer(1, "a")
		conn.peer(2, "b")
		expect[*wire.PeerAck](conn)
		synctest.Wait()
		r.want(t, "first a", "same a", "same a", "once a", "first b", "same b")
	})
}

func TestListenerRemovedByAnEarlierOneIsNotCalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		var off func()
		c.OnMessage(func(*Message, string) { off() })
		off = c.OnMessage(func(*Message, string) { r.add("removed") })
		conn.silent(1)
		synctest.Wait()
		r.want(t)
	})
}

func TestRemoveAllListenersRemovesThoseOfOneObjectOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := listen(c)
		lobby, other := channel(t, c, "lobby"), channel(t, c, "other")
		join(t, lobby, conn, 1)
		join(t, other, conn, 1)
		listenChannel(r, lobby)
		listenChannel(r, other)
		lobby.RemoveAllListeners()
		everything := func() {
			conn.channel("lobby", 2, "x")
			conn.send(&wire.ChannelMemberCount{Channel: "lobby", Count: 1}, &wire.ChannelMemberJoined{Channel: "lobby", UID: "u"},
				&wire.ChannelMemberLeft{Channel: "lobby", UID: "u"}, &wire.ChannelMemberJoined{Channel: "other", UID: "u"})
			conn.send(&wire.TokenWillExpire{LeftMS: 1})
		}
		everything()
		conn.silent(1)
		synctest.Wait()
		r.want(t, "u joined other", "token will expire in 1ms", "barrier says barrier")
		c.RemoveAllListeners()
		everything()
		conn.silent(2)
		synctest.Wait()
		r.want(t, "u joined other", "token will expire in 1ms", "barrier says barrier", "u joined other")
	})
}

func TestListenerThatPanicsStopsTheLaterOnesAndNothingElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		var log bytes.Buffer
		c, conn := f.connected(func(cfg *Config) { cfg.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		r := &record{}
		c.OnMessage(func(m *Message, _ string) {
			r.add("first", m.Text())
			if m.Text() == "a" {
				panic("my fault")
			}
		})
		c.OnMessage(func(m *Message, _ string) { r.add("second", m.Text()) })
		conn.peer(1, "a")
		conn.peer(2, "b")
		conn.silent(3)
		synctest.Wait()
		r.want(t, "first a", "first b", "second b", "first barrier", "second barrier")
		if text := log.String(); strings.Count(text, "my fault") != 1 || !strings.Contains(text, "listener_test.go") || strings.Contains(text, "secret-token") {
			t.Fatal(text)
		}
	})
}

func TestListenerThatEndsItsGoroutineDoesNotEndTheDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		c.OnMessage(func(m *Message, _ string) {
			r.add(m.Text())
			runtime.Goexit()
		})
		conn.peer(1, "a")
		conn.peer(2, "b")
		conn.silent(3)
		synctest.Wait()
		r.want(t, "a", "b", "barrier")
	})
}

func TestEveryCallMayBeMadeFromInsideAListener(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c := f.client()
		r := &record{}
		lobby := channel(t, c, "lobby")
		result := func(what string, err error) {
			if err == nil {
				r.add(what)
			} else {
				r.add(what, err.Error())
			}
		}
		c.OnConnectionStateChanged(func(s State, reason Reason) {
			r.add(s.String(), reason.String())
			if s == Connected {
				result("join", lobby.Join(t.Context()))
			}
		})
		c.OnMessage(func(m *Message, peer string) {
			_, err := c.SendToPeer(t.Context(), peer, NewText(m.Text()))
			result("send", err)
			result("logout", c.Logout(t.Context()))
			result("close", c.Close())
		})
		login := later(func() error { return c.Login(t.Context(), "alice", "") })
		conn, _ := f.login()
		conn.send(&wire.ChannelJoinOK{ID: expect[*wire.ChannelJoin](conn).ID, Seq: 1, Count: 1})
		succeed(t, <-login)
		conn.peer(1, "hi")
		expect[*wire.PeerAck](conn)
		conn.send(&wire.PeerSendOK{ID: expect[*wire.PeerSend](conn).ID, Received: true})
		conn.send(&wire.OK{Answers: wire.KindLogout, ID: expect[*wire.Logout](conn).ID})
		synctest.Wait()
		r.want(t, "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS", "join", "send", "logout", "close", "DISCONNECTED LOGOUT")
	})
}

func TestLoginMayBeEndedFromInsideItsOwnListener(t *testing.T) {
	for name, end := range map[string]func(*Client) error{
		"Logout": func(c *Client) error { return c.Logout(c.life) },
		"Close":  (*Client).Close,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t)
				c := f.client()
				ended := make(chan error, 1)
				c.OnConnectionStateChanged(func(s State, _ Reason) {
					if s == Connecting {
						ended <- end(c)
					}
				})
				login := later(func() error { return c.Login(t.Context(), "alice", "") })
				if name == "Logout" {
					conn, _ := f.login()
					conn.send(&wire.OK{Answers: wire.KindLogout, ID: expect[*wire.Logout](conn).ID})
					succeed(t, <-login)
				} else {
					code(t, <-login, wire.LoginUnknown)
				}
				succeed(t, <-ended)
				synctest.Wait()
				if c.State() != Disconnected {
					t.Fatal(c.State())
				}
			})
		})
	}
}

func TestLoginMayBeCalledFromTheListenerThatHearsOfTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		c.OnConnectionStateChanged(func(s State, reason Reason) {
			r.add(s.String(), reason.String())
			if s == Aborted {
				succeed(t, c.Logout(t.Context()))
				succeed(t, c.Login(t.Context(), "alice", ""))
			}
		})
		conn.send(&wire.LoginKicked{Reason: wire.KickRemoteLogin})
		f.login()
		synctest.Wait()
		r.want(t, "ABORTED REMOTE_LOGIN", "DISCONNECTED LOGOUT", "CONNECTING LOGIN", "CONNECTED LOGIN_SUCCESS")
	})
}

func TestSlowListenerStopsTheReadingAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		conn.mute.Store(true) // its answers would wait behind the messages
		hold := make(chan struct{})
		var heard int
		c.OnMessage(func(m *Message, _ string) {
			<-hold
			heard++
		})
		const total = 400 // of 32 KB: 12.5 MB
		text := strings.Repeat("x", 32<<10)
		go func() {
			for seq := uint64(1); seq <= total; seq++ {
				conn.peer(seq, text)
			}
		}()
		synctest.Wait()
		queued := c.delivery.bytes.Load()
		if queued < softBytes || queued > softBytes+64<<10 {
			t.Fatalf("%d bytes are queued", queued)
		}
		var acknowledged uint64
		for len(conn.in) > 0 {
			acknowledged = expect[*wire.PeerAck](conn).Seq
		}
		if acknowledged != 1+softBytes/(32<<10+eventBytes) {
			t.Fatalf("%d messages are acknowledged", acknowledged)
		}
		pass(time.Minute) // not reading is not a lost link: the client still pings
		if c.State() != Connected || conn.pings.Load() < 20 {
			t.Fatal(c.State(), conn.pings.Load())
		}
		close(hold)
		synctest.Wait()
		if heard != total || c.delivery.bytes.Load() != 0 {
			t.Fatalf("%d messages heard, %d bytes left", heard, c.delivery.bytes.Load())
		}
	})
}

func TestCallFromASlowListenerGetsItsAnswerFromBehindTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		hold := make(chan struct{})
		done := make(chan sent, 1)
		c.OnMessage(func(m *Message, _ string) {
			<-hold
			if m.ServerReceivedAt().UnixMilli() == 1 {
				receipt, err := c.SendToPeer(t.Context(), "bob", NewText("x"))
				done <- sent{receipt, err}
			}
		})
		text := strings.Repeat("x", 32<<10)
		var wrote = make(chan struct{})
		go func() {
			defer close(wrote)
			for seq := uint64(1); seq <= 200; seq++ {
				conn.send(&wire.PeerMessage{Seq: seq, From: "bob", TS: int64(seq), Message: wire.TextMessage(text)})
			}
		}()
		synctest.Wait()
		close(hold)
		var request *wire.PeerSend
		for request == nil {
			if frame, ok := (<-conn.in).(*wire.PeerSend); ok {
				request = frame
			}
		}
		<-wrote
		conn.send(&wire.PeerSendOK{ID: request.ID, Received: true})
		if got := <-done; got.err != nil || !got.receipt.HasPeerReceived {
			t.Fatal(got)
		}
	})
}

func TestLogoutDoesNotWaitForAReaderThatPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		conn.mute.Store(true) // its answers would wait behind the messages
		hold := make(chan struct{})
		defer close(hold)
		c.OnMessage(func(m *Message, _ string) { <-hold })
		text := strings.Repeat("x", 32<<10)
		go func() {
			for seq := uint64(1); seq <= 1000; seq++ {
				conn.peer(seq, text)
			}
		}()
		synctest.Wait()
		ended := make(chan error, 1)
		go func() { ended <- c.logout(t.Context()) }()
		start := time.Now()
		if err := <-ended; err == nil || time.Since(start) != 10*time.Second {
			t.Fatal(err, time.Since(start))
		}
		if c.State() != Disconnected {
			t.Fatal(c.State())
		}
	})
}
