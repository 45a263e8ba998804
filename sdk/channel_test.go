package rtm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// join joins ch; the channel stands at seq.
func join(t testing.TB, ch *Channel, conn *fakeConn, seq uint64) {
	t.Helper()
	done := later(func() error { return ch.Join(t.Context()) })
	request := expect[*wire.ChannelJoin](conn)
	if request.Channel != ch.ID() || request.After != 0 {
		t.Fatalf("sent %s", request.Append(nil))
	}
	conn.send(&wire.ChannelJoinOK{ID: request.ID, Seq: seq, Count: 1})
	succeed(t, <-done)
}

func leave(t testing.TB, ch *Channel, conn *fakeConn) {
	t.Helper()
	done := later(func() error { return ch.Leave(t.Context()) })
	conn.send(&wire.OK{Answers: wire.KindChannelLeave, ID: expect[*wire.ChannelLeave](conn).ID})
	succeed(t, <-done)
}

func channel(t testing.TB, c *Client, id string) *Channel {
	t.Helper()
	ch, err := c.NewChannel(id)
	succeed(t, err)
	return ch
}

func TestChannelObjectsAreLocalAndDistinct(t *testing.T) {
	c, err := New(Config{URL: "ws://h/rtm/v1", AppID: appID})
	succeed(t, err)
	a, b := channel(t, c, "lobby"), channel(t, c, "lobby")
	if a == b || a.ID() != "lobby" || a.Joined() {
		t.Fatal("not two new objects")
	}
	for _, id := range []string{"", "null", "a/b"} {
		_, err := c.NewChannel(id)
		code(t, err, wire.ChannelNewInvalidArgument)
	}
	for i := range 25 { // rule 123
		channel(t, c, fmt.Sprint("c", i))
	}
}

func TestMembersHearOfAChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		lobby, other := channel(t, c, "lobby"), channel(t, c, "other")
		listenChannel(r, lobby)
		listenChannel(r, other)
		join(t, lobby, conn, 10)
		join(t, other, conn, 100)
		conn.send(
			&wire.ChannelMemberCount{Channel: "lobby", Count: 2},
			&wire.ChannelMemberJoined{Channel: "lobby", UID: "bob"},
			&wire.ChannelMessage{Channel: "lobby", From: "bob", Seq: 11, TS: 1, Message: wire.TextMessage("hi")},
			&wire.ChannelMessage{Channel: "other", From: "eve", Seq: 101, TS: 1, Message: wire.TextMessage("ho")},
			&wire.ChannelMessage{Channel: "nowhere", From: "eve", Seq: 1, TS: 1, Message: wire.TextMessage("lost")},
			&wire.ChannelMemberLeft{Channel: "lobby", UID: "bob"},
		)
		conn.silent(1)
		synctest.Wait()
		r.want(t, "lobby has II", "bob joined lobby", "bob says hi in lobby", "eve says ho in other", "bob left lobby")
	})
}

func TestMessagesBehindTheJoinAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		lobby := channel(t, c, "lobby")
		listenChannel(r, lobby)
		done := later(func() error { return lobby.Join(t.Context()) })
		request := expect[*wire.ChannelJoin](conn)
		conn.send(
			&wire.ChannelJoinOK{ID: request.ID, Seq: 10, Count: 1},
			&wire.ChannelMessage{Channel: "lobby", From: "bob", Seq: 11, TS: 1, Message: wire.TextMessage("hi")},
		)
		succeed(t, <-done)
		conn.silent(1)
		synctest.Wait()
		r.want(t, "bob says hi in lobby")
	})
}

func TestJoinChecksItsStateFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		ctx := t.Context()
		lobby, twin := channel(t, c, "lobby"), channel(t, c, "lobby")
		code(t, lobby.Leave(ctx), wire.LeaveNotInChannel)
		code(t, lobby.Send(ctx, NewText("x")), wire.ChannelSendNotInChannel)
		_, err := lobby.Members(ctx)
		code(t, err, wire.MembersNotInChannel)

		joining := later(func() error { return lobby.Join(ctx) })
		request := expect[*wire.ChannelJoin](conn)
		code(t, lobby.Join(ctx), wire.JoinAlready)
		code(t, twin.Join(ctx), wire.JoinAlreadySameID)
		code(t, lobby.Send(ctx, NewText("x")), wire.ChannelSendNotInChannel)
		conn.send(&wire.ChannelJoinOK{ID: request.ID, Seq: 1, Count: 1})
		succeed(t, <-joining)
		code(t, lobby.Join(ctx), wire.JoinAlready)
		code(t, twin.Join(ctx), wire.JoinAlreadySameID)
		code(t, twin.Leave(ctx), wire.LeaveNotInChannel)

		leave(t, lobby, conn)
		code(t, lobby.Leave(ctx), wire.LeaveNotInChannel)
		join(t, twin, conn, 1)
		leave(t, twin, conn)
		join(t, lobby, conn, 1)
	})
}

func TestTwentyFirstJoinIsRefusedAndPlacesAreFreedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		ctx := t.Context()
		var channels []*Channel
		for i := range 19 {
			ch := channel(t, c, fmt.Sprint("c", i))
			join(t, ch, conn, 1)
			channels = append(channels, ch)
		}
		last, extra := channel(t, c, "last"), channel(t, c, "extra")
		refused := later(func() error { return last.Join(ctx) })
		request := expect[*wire.ChannelJoin](conn)
		code(t, extra.Join(ctx), wire.JoinExceedLimit) // one that is joining counts
		conn.send(wire.Refuse(request.ID, wire.JoinTooOften, "no"))
		code(t, <-refused, wire.JoinTooOften)
		join(t, extra, conn, 1) // a failed join has freed its place
		code(t, last.Join(ctx), wire.JoinExceedLimit)
		leave(t, channels[0], conn)
		join(t, last, conn, 1)
		conn.silent(1)
	})
}

func TestAfterLeaveNothingOfTheChannelIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		r := &record{}
		lobby := channel(t, c, "lobby")
		join(t, lobby, conn, 1)
		hold := make(chan struct{})
		lobby.OnMessage(func(m *Message, _ string) {
			r.add(m.Text())
			<-hold
		})
		say := func(seq uint64, text string) {
			conn.send(&wire.ChannelMessage{Channel: "lobby", From: "bob", Seq: seq, TS: 1, Message: wire.TextMessage(text)})
		}
		say(2, "heard")
		say(3, "waits in the queue while Leave returns")
		leave(t, lobby, conn)
		say(4, "comes after")
		close(hold)
		conn.silent(1)
		synctest.Wait()
		r.want(t, "heard")
		join(t, lobby, conn, 4)
		say(5, "joined again")
		conn.silent(2)
		synctest.Wait()
		r.want(t, "heard", "joined again")
	})
}

func TestLeaveThatFailsLeavesTheObjectJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		lobby := channel(t, c, "lobby")
		join(t, lobby, conn, 1)
		start := time.Now()
		err := <-later(func() error { return lobby.Leave(t.Context()) })
		code(t, err, wire.LeaveFailure)
		if time.Since(start) != 10*time.Second || !lobby.Joined() {
			t.Fatal(time.Since(start), lobby.Joined())
		}
		expect[*wire.ChannelLeave](conn)
		// The server had acted on it, as the second call finds out.
		done := later(func() error { return lobby.Leave(t.Context()) })
		conn.send(wire.Refuse(expect[*wire.ChannelLeave](conn).ID, wire.LeaveNotInChannel, "no"))
		code(t, <-done, wire.LeaveNotInChannel)
		if lobby.Joined() {
			t.Fatal("still joined")
		}
	})
}

func TestJoinWithoutAnswerTimesOutAndIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		lobby := channel(t, c, "lobby")
		start := time.Now()
		code(t, <-later(func() error { return lobby.Join(t.Context()) }), wire.JoinTimeout)
		if time.Since(start) != 10*time.Second || lobby.Joined() {
			t.Fatal(time.Since(start), lobby.Joined())
		}
		late := expect[*wire.ChannelJoin](conn)
		conn.send(&wire.ChannelJoinOK{ID: late.ID, Seq: 1, Count: 1})
		expect[*wire.ChannelLeave](conn)
		if lobby.Joined() {
			t.Fatal("joined by an answer that came too late")
		}

		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := lobby.Join(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		conn.silent(1) // what was not sent is not taken back
	})
}

func TestChannelSendReturnsWhenTheServerHasAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		lobby := channel(t, c, "lobby")
		join(t, lobby, conn, 1)
		done := later(func() error { return lobby.Send(t.Context(), NewText("hi")) })
		frame := expect[*wire.ChannelSend](conn)
		if frame.Channel != "lobby" || frame.Message.Text != "hi" {
			t.Fatalf("sent %s", frame.Append(nil))
		}
		conn.send(&wire.OK{Answers: wire.KindChannelSend, ID: frame.ID})
		succeed(t, <-done)

		start := time.Now()
		done = later(func() error { return lobby.Send(t.Context(), NewText("hi")) })
		expect[*wire.ChannelSend](conn)
		code(t, <-done, wire.ChannelSendTimeout)
		if time.Since(start) != 10*time.Second {
			t.Fatal(time.Since(start))
		}
	})
}

func TestMembersAndCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t)
		c, conn := f.connected()
		ctx := t.Context()
		lobby := channel(t, c, "lobby")
		join(t, lobby, conn, 1)
		members := later(func() []string {
			list, err := lobby.Members(ctx)
			succeed(t, err)
			return list
		})
		conn.send(&wire.ChannelMembersOK{ID: expect[*wire.ChannelMembers](conn).ID, Members: []string{"alice", "bob"}})
		if got := <-members; !reflect.DeepEqual(got, []string{"alice", "bob"}) {
			t.Fatal(got)
		}
		counts := later(func() map[string]int {
			list, err := c.MemberCounts(ctx, "empty", "lobby")
			succeed(t, err)
			return list
		})
		conn.send(&wire.ChannelCountOK{ID: expect[*wire.ChannelCount](conn).ID, Counts: []int{0, 2}})
		if got := <-counts; !reflect.DeepEqual(got, map[string]int{"empty": 0, "lobby": 2}) {
			t.Fatal(got)
		}
		failing := later(func() error { _, err := c.MemberCounts(ctx, "a", "b"); return err })
		conn.send(&wire.ChannelCountOK{ID: expect[*wire.ChannelCount](conn).ID, Counts: []int{0}})
		code(t, <-failing, wire.CountFailure)

		_, err := c.MemberCounts(ctx, "lobby", "a*b")
		code(t, err, wire.CountInvalidArgument)
		_, err = c.MemberCounts(ctx, make33()...)
		code(t, err, wire.CountExceedLimit)
		start := time.Now()
		_, err = lobby.Members(ctx)
		code(t, err, wire.MembersTimeout)
		_, err = c.MemberCounts(ctx, make33()[1:]...)
		code(t, err, wire.CountTimeout)
		if time.Since(start) != 20*time.Second {
			t.Fatal(time.Since(start))
		}
	})
}

func make33() (ids []string) {
	for i := range 33 {
		ids = append(ids, fmt.Sprint("c", i))
	}
	return ids
}
