package refserver_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestLoginAnnouncesTheLimitsInForce(t *testing.T) {
	s := overTCP(t, limits(func(l *wire.Limits) { l.SessionGraceMS = 1234 }))
	c := s.login("alice")
	if c.ok.Resumed || len(c.ok.Session) < 32 || c.ok.Limits.SessionGraceMS != 1234 || c.ok.Limits.Channels != 20 ||
		c.ok.Server.Name == "" || c.ok.ServerTS == 0 {
		t.Fatalf("login.ok is %+v", c.ok)
	}
}

func TestLoginWithABadIDIsRefusedAndTheConnectionStays(t *testing.T) {
	s := overTCP(t, callLimitsOn)
	c := s.connect()
	for _, uid := range []string{"", "null", strings.Repeat("x", 65), "a*b", "a\tb", "é", "a\"b"} {
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: testApp, UID: uid})
		c.refused(wire.LoginInvalidArgument)
	}
	for _, app := range []string{"", testApp[:31], testApp + "0", testApp[:31] + "-"} {
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: app, UID: "alice"})
		c.refused(wire.LoginInvalidAppID)
	}
	c.login(&wire.Login{AppID: testApp, UID: strings.Repeat("x", 64)})
}

func TestUnlistedAppIsRefusedUnlessAppsAreOpen(t *testing.T) {
	s := overTCP(t, func(c *refserver.Config) {
		c.OpenApps = false
		c.Apps = map[string]string{testApp: ""}
	})
	s.login("alice")
	c := s.connect()
	c.id++
	c.send(&wire.Login{ID: c.id, AppID: appID(1), UID: "alice"})
	c.refused(wire.LoginInvalidAppID)
}

func TestUsersOfTwoAppsDoNotMeet(t *testing.T) {
	s := overTCP(t)
	alice := s.login("alice")
	other := s.connect()
	other.login(&wire.Login{AppID: appID(1), UID: "bob"})
	alice.receipt(alice.peerSend("bob", "hi"), false)
	alice.join("lobby")
	if ok := other.join("lobby"); ok.Count != 1 {
		t.Fatalf("the channel of another app has %d members", ok.Count)
	}
	alice.quiet()
	other.quiet()
}

func TestRequestsBeforeLoginAreRefusedWith102(t *testing.T) {
	s := overTCP(t)
	c := s.connect()
	for i, f := range []wire.Frame{
		&wire.Logout{ID: 1}, &wire.TokenRenew{ID: 2, Token: "x"}, &wire.PeerSend{ID: 3, To: "*", Message: wire.TextMessage("")},
		&wire.ChannelJoin{ID: 4}, &wire.ChannelLeave{ID: 5}, &wire.ChannelSend{ID: 6}, &wire.ChannelMembers{ID: 7},
		&wire.ChannelCount{ID: 8, Channels: []string{"a"}}, &wire.Ping{ID: 9},
	} {
		c.id = uint64(i) + 1
		c.send(f)
		code, _ := wire.NotLoggedIn(f.Kind())
		c.refused(code)
	}
	c.id++
	c.send(&wire.TokenRenew{ID: c.id})
	c.refused(wire.RenewInvalidArgument)
	c.login(&wire.Login{AppID: testApp, UID: "alice"})
}

func TestSecondLoginOnAConnectionIsRefused(t *testing.T) {
	s := overTCP(t, callLimitsOn)
	c := s.login("alice")
	for range 5 {
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "bob"})
		c.refused(wire.LoginAlready)
	}
	c.quiet()
}

func TestConnectionThatNeverLogsInIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		c := s.connect()
		began := time.Now()
		c.closedWith(wire.CloseLoginTimeout)
		if took := time.Since(began); took < 10*time.Second || took > 11*time.Second {
			t.Fatalf("it took %v", took)
		}
	})
}

func TestNewestLoginWins(t *testing.T) {
	s := overTCP(t)
	old, bob := s.login("alice"), s.login("bob")
	bob.join("lobby")
	old.join("lobby")
	expect[*wire.ChannelMemberJoined](bob)
	expect[*wire.ChannelMemberCount](bob)
	fresh := s.login("alice")
	if f := expect[*wire.LoginKicked](old); f.Reason != wire.KickRemoteLogin {
		t.Fatalf("the old session got %s", f.Append(nil))
	}
	old.closedWith(wire.CloseRemoteLogin)
	if f := expect[*wire.ChannelMemberLeft](bob); f.UID != "alice" {
		t.Fatalf("bob got %s", f.Append(nil))
	}
	if ok := fresh.join("lobby"); ok.Count != 2 {
		t.Fatalf("the channel has %d members", ok.Count)
	}
	id := bob.peerSend("alice", "hi")
	m := expect[*wire.PeerMessage](fresh)
	fresh.send(&wire.PeerAck{Seq: m.Seq})
	expect[*wire.ChannelMemberJoined](bob)
	bob.receipt(id, true)
}

func TestLateEndOfAnOldConnectionDoesNotTouchItsReplacement(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		bob := s.login("bob")
		bob.join("lobby")
		old := s.login("alice")
		fresh := s.login("alice")
		expect[*wire.LoginKicked](old)
		old.drop()
		fresh.join("lobby")
		expect[*wire.ChannelMemberJoined](bob)
		// Far longer than the grace time of the old session.
		got := stay(40*time.Second, bob, fresh)
		if left := of[*wire.ChannelMemberLeft](got[0]); len(left) > 0 {
			t.Fatalf("bob got %s", left[0].Append(nil))
		}
		id := bob.peerSend("alice", "still there?")
		m := expect[*wire.PeerMessage](fresh)
		fresh.send(&wire.PeerAck{Seq: m.Seq})
		bob.receipt(id, true)
	})
}

func TestRacingLoginsLeaveOneSession(t *testing.T) {
	s := overTCP(t)
	const n = 50
	kicked := make(chan *client, n)
	var done sync.WaitGroup
	clients := make([]*client, n)
	for i := range clients {
		c := s.connect()
		clients[i] = c
		done.Go(func() {
			c.id++
			c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice"})
			c.id++
			c.send(&wire.ChannelJoin{ID: c.id, Channel: "lobby"})
			for {
				f, _ := c.next()
				switch f := f.(type) {
				case *wire.LoginKicked:
					c.closedWith(wire.CloseRemoteLogin)
					kicked <- c
					return
				case *wire.PeerMessage:
					c.send(&wire.PeerAck{Seq: f.Seq})
				case nil:
					return
				}
			}
		})
	}
	for range n - 1 {
		<-kicked
	}
	watcher := s.login("watcher")
	watcher.receipt(watcher.peerSend("alice", "one of you"), true)
	watcher.id++
	watcher.send(&wire.ChannelCount{ID: watcher.id, Channels: []string{"lobby"}})
	if count := expect[*wire.ChannelCountOK](watcher).Counts[0]; count != 1 {
		t.Fatalf("alice is %d times in the channel", count)
	}
	for _, c := range clients {
		c.drop()
	}
	done.Wait()
	if len(kicked) != 0 {
		t.Fatal("the last session was kicked as well")
	}
}
