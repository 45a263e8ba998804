package rtm

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// TestStateFollowsTheModelWhateverHappens drives a client through random calls and
// random acts of the server and compares its state, and what it tells its
// listeners, with a model of a few lines.
func TestStateFollowsTheModelWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.SampledFrom([]string{
			"login", "login refused", "login unanswered", "logout", "kick", "ban", "cut", "outage", "wait", "return", "send",
		}), 1, 12).Draw(rt, "steps")
		var failure string
		synctest.Test(t, func(t *testing.T) { failure = follow(t, steps) })
		if failure != "" {
			rt.Fatal(failure)
		}
	})
}

func follow(t *testing.T, steps []string) (failure string) {
	f := newFake(t)
	c := f.client()
	var told []State
	c.OnConnectionStateChanged(func(s State, _ Reason) { told = append(told, s) })
	var conn *fakeConn
	state, path := Disconnected, []State{}
	to := func(states ...State) {
		path = append(path, states...)
		state = states[len(states)-1]
	}
	check := func(step string, err error, want wire.Code) {
		if failure != "" {
			return
		}
		if want == (wire.Code{}) && err != nil || want != (wire.Code{}) && !errors.Is(err, want) {
			failure = fmt.Sprintf("%s: %v, want %v", step, err, want)
		}
	}
	login := func(step string, serve func(), outcome wire.Code) {
		done := later(func() error { return c.Login(t.Context(), "alice", "") })
		if state != Disconnected {
			check(step, <-done, wire.LoginAlready)
			return
		}
		serve()
		check(step, <-done, outcome)
		to(Connecting)
		if outcome == (wire.Code{}) {
			to(Connected)
		} else {
			to(Disconnected)
		}
	}
	for _, step := range steps {
		switch step {
		case "login":
			login(step, func() { conn, _ = f.login() }, wire.Code{})
		case "login refused":
			login(step, func() {
				conn := f.accept()
				conn.send(wire.Refuse(expect[*wire.Login](conn).ID, wire.LoginInvalidToken, ""))
			}, wire.LoginInvalidToken)
		case "login unanswered":
			login(step, func() { f.accept() }, wire.LoginTimeout)
		case "logout":
			done := later(func() error { return c.Logout(t.Context()) })
			switch state {
			case Disconnected:
				check(step, <-done, wire.LogoutNotLoggedIn)
				continue
			case Connected:
				conn.send(&wire.OK{Answers: wire.KindLogout, ID: expect[*wire.Logout](conn).ID})
			}
			check(step, <-done, wire.Code{})
			to(Disconnected)
			f.down.Store(false)
		case "kick", "ban":
			if state == Connected {
				reason := wire.KickRemoteLogin
				if step == "ban" {
					reason = wire.KickBanned
				}
				conn.send(&wire.LoginKicked{Reason: reason})
				to(Aborted)
			}
		case "cut": // short: nobody hears of it
			if state == Connected {
				pass(stableAfter) // else the pauses of the last outage go on
				conn.cut()
				conn, _ = f.login()
			}
		case "outage":
			if state == Connected {
				f.outage(conn)
				pass(4 * time.Second)
				to(Reconnecting)
			}
		case "return":
			if state == Reconnecting {
				f.down.Store(false)
				conn, _ = f.login(fresh)
				to(Connected)
			}
		case "wait":
			pass(time.Hour)
		case "send":
			_, live := map[State]bool{Connected: true, Reconnecting: true}[state]
			done := send(c, t.Context(), "bob", NewText("x"))
			switch {
			case !live:
				check(step, (<-done).err, wire.PeerNotLoggedIn)
			case state == Connected:
				conn.send(&wire.PeerSendOK{ID: expect[*wire.PeerSend](conn).ID})
				check(step, (<-done).err, wire.Code{})
			default:
				check(step, (<-done).err, wire.PeerTimeout)
			}
		}
		synctest.Wait()
		if failure == "" && (c.State() != state || fmt.Sprint(told) != fmt.Sprint(path)) {
			failure = fmt.Sprintf("after %s: in %v, told %v; want %v, %v", step, c.State(), told, state, path)
		}
	}
	return failure
}
