package refserver_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestCallLimitsHoldExactlyAndSlide(t *testing.T) {
	send := func(c *client) wire.Frame {
		return &wire.PeerSend{ID: c.id, To: "nobody", Message: wire.TextMessage("x")}
	}
	for name, limit := range map[string]struct {
		call     func(c *client) wire.Frame
		count    int
		window   time.Duration
		code     wire.Code
		followed int // frames after the answer
	}{
		"send":    {send, 180, 3 * time.Second, wire.PeerTooOften, 0},
		"renew":   {func(c *client) wire.Frame { return &wire.TokenRenew{ID: c.id, Token: "x"} }, 2, time.Second, wire.RenewTooOften, 0},
		"members": {func(c *client) wire.Frame { return &wire.ChannelMembers{ID: c.id, Channel: "lobby"} }, 5, 2 * time.Second, wire.MembersTooOften, 0},
		"count":   {func(c *client) wire.Frame { return &wire.ChannelCount{ID: c.id, Channels: []string{"a"}} }, 1, time.Second, wire.CountTooOften, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, s *testServer) {
				c := s.login("alice")
				c.join("lobby")
				for round := range 3 {
					for i := range limit.count {
						c.id++
						c.send(limit.call(c))
						if f, err := c.next(); err != nil || f.Kind() == wire.KindError {
							t.Fatalf("round %d, call %d: %v %s", round, i, err, f.Append(nil))
						}
					}
					c.id++
					c.send(limit.call(c))
					c.refused(limit.code)
					time.Sleep(limit.window - time.Millisecond)
					c.id++
					c.send(limit.call(c))
					c.refused(limit.code)
					time.Sleep(time.Millisecond)
				}
			}, callLimitsOn)
		})
	}
}

func TestPeerAndChannelSendsCountTogether(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		c := s.login("alice")
		c.join("lobby")
		for range 90 {
			c.channelSend("lobby", "x")
			c.receipt(c.peerSend("nobody", "x"), false)
		}
		c.peerSend("nobody", "x")
		c.refused(wire.PeerTooOften)
		c.id++
		c.send(&wire.ChannelSend{ID: c.id, Channel: "lobby", Message: wire.TextMessage("x")})
		c.refused(wire.ChannelSendTooOften)
	}, callLimitsOn)
}

func TestRefusedArgumentsAndStatesDoNotCount(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		c := s.login("alice")
		for range 300 {
			c.peerSend("*", "x")
			c.refused(wire.PeerInvalidUserID)
			c.id++
			c.send(&wire.ChannelSend{ID: c.id, Channel: "lobby", Message: wire.TextMessage("x")})
			c.refused(wire.ChannelSendNotInChannel)
		}
		for range 180 {
			c.receipt(c.peerSend("nobody", "x"), false)
		}
		c.peerSend("nobody", "x")
		c.refused(wire.PeerTooOften)
	}, callLimitsOn)
}

func TestJoinLimits(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		c := s.login("alice")
		for range 2 {
			c.join("lobby")
			c.leave("lobby")
		}
		c.id++
		c.send(&wire.ChannelJoin{ID: c.id, Channel: "lobby"})
		c.refused(wire.JoinSameTooOften)
		for i := range 48 {
			c.join(fmt.Sprint(i))
			c.leave(fmt.Sprint(i))
		}
		c.id++
		c.send(&wire.ChannelJoin{ID: c.id, Channel: "more"})
		c.refused(wire.JoinTooOften)
		time.Sleep(3 * time.Second)
		c.join("more")
		c.id++
		c.send(&wire.ChannelJoin{ID: c.id, Channel: "lobby"})
		c.refused(wire.JoinSameTooOften)
		time.Sleep(2 * time.Second)
		c.join("lobby")
	}, callLimitsOn)
}

func TestLoginLimitCountsPerConnection(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		c := s.connect()
		for range 2 {
			c.id++
			c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice", Token: "007x"})
			c.refused(wire.LoginInvalidToken)
		}
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice"})
		c.refused(wire.LoginTooOften)
		other := s.connect()
		other.id++
		other.send(&wire.Login{ID: other.id, AppID: testApp, UID: "alice"})
		other.refused(wire.LoginInvalidToken)
		time.Sleep(time.Second)
		c.id++
		c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice"})
		c.refused(wire.LoginInvalidToken)
	}, callLimitsOn, withCertificate)
}

func TestFloodIsClosed(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		c := s.login("alice")
		// Three times 180 in 3 s, for 10 s, is 1,800; a little more is a flood.
		for i := range 2000 {
			c.id++
			if err := c.ws.WriteMessage(1, (&wire.PeerSend{ID: c.id, To: "nobody", Message: wire.TextMessage("x")}).Append(nil)); err != nil {
				t.Fatal(err)
			}
			f, err := c.next()
			if err != nil {
				if i < 1800 {
					t.Fatalf("closed after %d calls: %v", i, err)
				}
				c.closedWith(wire.CloseFlood)
				return
			}
			if e, refused := f.(*wire.Error); refused && e.Code != wire.PeerTooOften.Number {
				t.Fatalf("got %s", f.Append(nil))
			}
			time.Sleep(4 * time.Millisecond)
		}
		t.Fatal("the flood went on")
	}, callLimitsOn)
}
