package refserver_test

import (
	"context"
	"errors"
	"testing"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/reference-server/engine/memory"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// faultyEngine is a memory engine whose calls fail or panic for some names.
type faultyEngine struct{ engine.Engine }

var errBroken = errors.New("the engine is broken")

func (e faultyEngine) Login(ctx context.Context, b *engine.Batch, app, uid string, s engine.Session) (engine.Seat, error) {
	if uid == "broken" {
		return nil, errBroken
	}
	seat, err := e.Engine.Login(ctx, b, app, uid, s)
	return faultySeat{seat}, err
}

type faultySeat struct{ engine.Seat }

func (s faultySeat) Send(ctx context.Context, b *engine.Batch, to []byte, m engine.Peer) (engine.Fate, error) {
	if string(to) == "broken" {
		return 0, errBroken
	}
	return s.Seat.Send(ctx, b, to, m)
}

func (s faultySeat) Join(ctx context.Context, b *engine.Batch, channel string, out engine.Outlet, after uint64, confirm func(uint64, int)) (engine.Membership, error) {
	switch channel {
	case "broken":
		return nil, errBroken
	case "defect":
		panic("a defect")
	}
	return s.Seat.Join(ctx, b, channel, out, after, confirm)
}

func (s faultySeat) Counts(context.Context, []int, []string) ([]int, error) { return nil, errBroken }

func withFaults(c *refserver.Config) { c.Engine = faultyEngine{memory.New(c.Limits)} }

func TestFailureOfTheEngineIsAnAnswerNotAnEnd(t *testing.T) {
	s := overTCP(t, withFaults)
	c := s.connect()
	c.id++
	c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "broken"})
	c.refused(wire.LoginUnknown)
	c.login(&wire.Login{AppID: testApp, UID: "alice"})
	c.peerSend("broken", "hi")
	c.refused(wire.PeerFailure)
	c.id++
	c.send(&wire.ChannelJoin{ID: c.id, Channel: "broken"})
	c.refused(wire.JoinFailure)
	c.id++
	c.send(&wire.ChannelCount{ID: c.id, Channels: []string{"a"}})
	c.refused(wire.CountFailure)
	c.quiet()
}

func TestDefectEndsOneConnectionOnly(t *testing.T) {
	s := overTCP(t, withFaults)
	alice, bob := s.login("alice"), s.login("bob")
	alice.id++
	alice.send(&wire.ChannelJoin{ID: alice.id, Channel: "defect"})
	alice.closedWith(wire.CloseInternal)
	bob.quiet()
	if back := s.resume(alice, 0); !back.ok.Resumed {
		t.Fatal("the session is gone")
	}
}
