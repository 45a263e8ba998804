package rtm_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	rtm "github.com/rtmkit/rtmkit/sdk"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// These tests run the client against the reference server.

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t testing.TB, h *heard, lines ...string) {
	t.Helper()
	synctest.Wait()
	if got := h.take(); !slices.Equal(got, lines) {
		t.Fatalf("got  %q\nwant %q", got, lines)
	}
}

func joined(t testing.TB, c *rtm.Client, id string, h *heard) *rtm.Channel {
	t.Helper()
	ch, err := c.NewChannel(id)
	must(t, err)
	if h != nil {
		ch.OnMessage(func(m *rtm.Message, member string) { h.add(member + ": " + m.Text()) })
		ch.OnMemberJoined(func(uid string) { h.add("+" + uid) })
		ch.OnMemberLeft(func(uid string) { h.add("-" + uid) })
	}
	must(t, ch.Join(context.Background()))
	return ch
}

func TestPairKeepsAUserOnlineThroughAnOutageWithinTheGrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newCable(t)
		ctx := t.Context()
		alice, bob := net.client(t, "alice"), net.client(t, "bob")
		var atAlice, atBob, states heard
		a, b := joined(t, alice, "lobby", &atAlice), joined(t, bob, "lobby", &atBob)
		want(t, &atAlice, "+bob")
		bob.OnMessage(func(m *rtm.Message, peer string) { atBob.add(peer + ": " + m.Text()) })
		bob.OnConnectionStateChanged(func(s rtm.State, r rtm.Reason) { states.add(s.String() + " " + r.String()) })

		net.cut(true)
		pass(20 * time.Second)
		want(t, &states, "RECONNECTING INTERRUPTED")
		net.restore()
		pass(time.Second)
		want(t, &states, "CONNECTED LOGIN_SUCCESS")
		want(t, &atAlice)
		want(t, &atBob)
		receipt, err := alice.SendToPeer(ctx, "bob", rtm.NewText("hi"))
		must(t, err)
		if !receipt.HasPeerReceived {
			t.Fatal("not received")
		}
		must(t, a.Send(ctx, rtm.NewText("all")))
		must(t, b.Send(ctx, rtm.NewText("back")))
		want(t, &atBob, "alice: hi", "alice: all")
		want(t, &atAlice, "bob: back")
	})
}

func TestPairRejoinsAfterTheGraceIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newCable(t)
		alice, bob := net.client(t, "alice"), net.client(t, "bob")
		var atAlice, atBob heard
		joined(t, alice, "lobby", &atAlice)
		b := joined(t, bob, "lobby", &atBob)
		want(t, &atAlice, "+bob")
		net.cut(true)
		pass(2 * time.Minute)
		net.restore()
		pass(time.Minute)
		must(t, b.Send(t.Context(), rtm.NewText("here")))
		members, err := b.Members(t.Context())
		must(t, err)
		slices.Sort(members)
		if strings.Join(members, " ") != "alice bob" {
			t.Fatal(members)
		}
		synctest.Wait()
		if lines := atAlice.take(); !slices.Contains(lines, "bob: here") {
			t.Fatal(lines)
		}
	})
}

func TestPairEvictsTheOlderLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newCable(t)
		first := net.client(t, "alice")
		ch := joined(t, first, "lobby", nil)
		var states heard
		first.OnConnectionStateChanged(func(s rtm.State, r rtm.Reason) { states.add(s.String() + " " + r.String()) })
		second := net.client(t, "alice")
		pass(time.Hour)
		want(t, &states, "ABORTED REMOTE_LOGIN")
		if ch.Joined() || second.State() != rtm.Connected {
			t.Fatal(ch.Joined(), second.State())
		}
		must(t, first.Logout(t.Context()))
		must(t, first.Login(t.Context(), "carol", ""))
		must(t, ch.Join(t.Context()))
		counts, err := second.MemberCounts(t.Context(), "lobby", "empty")
		must(t, err)
		if counts["lobby"] != 1 || counts["empty"] != 0 {
			t.Fatal(counts)
		}
	})
}

func TestPairOverTLSOnTCP(t *testing.T) {
	server, err := refserver.New(refserver.DefaultConfig())
	must(t, err)
	web := httptest.NewTLSServer(server.Handler())
	web.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer web.Close()
	defer server.Shutdown(context.Background())
	cfg := rtm.Config{URL: "wss" + strings.TrimPrefix(web.URL, "https") + wire.Path, AppID: appID}

	careful, err := rtm.New(cfg)
	must(t, err)
	defer careful.Close()
	err = careful.Login(t.Context(), "alice", "")
	if !errors.Is(err, wire.LoginUnknown) || !strings.Contains(err.Error(), "not trusted") {
		t.Fatal(err)
	}

	cfg.TLS = web.Client().Transport.(*http.Transport).TLSClientConfig
	client, err := rtm.New(cfg)
	must(t, err)
	defer client.Close()
	must(t, client.Login(t.Context(), "alice", ""))
	heard := make(chan *rtm.Message, 1)
	client.OnMessage(func(m *rtm.Message, _ string) { heard <- m })
	receipt, err := client.SendToPeer(t.Context(), "alice", rtm.NewRaw([]byte{1, 2}, "to myself"))
	must(t, err)
	if m := <-heard; !receipt.HasPeerReceived || string(m.Raw()) != "\x01\x02" || m.Description() != "to myself" {
		t.Fatal(receipt, m)
	}
	must(t, client.Logout(t.Context()))
}

func TestPairBansAUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newCable(t)
		alice := net.client(t, "alice")
		var states heard
		alice.OnConnectionStateChanged(func(s rtm.State, r rtm.Reason) { states.add(s.String() + " " + r.String()) })
		net.server.Ban(appID, "alice")
		want(t, &states, "ABORTED BANNED_BY_SERVER")
	})
}

func TestPairAgreesOnTheLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newCable(t, func(cfg *refserver.Config) { cfg.Limits = wire.DefaultLimits() })
		alice, ctx := net.client(t, "alice"), t.Context()
		if limits := alice.Limits(); limits.Channels != 20 || len(limits.Calls) == 0 {
			t.Fatalf("%+v", limits)
		}
		for i := range 20 {
			joined(t, alice, fmt.Sprint("c", i), nil)
		}
		extra, err := alice.NewChannel("extra")
		must(t, err)
		if err := extra.Join(ctx); !errors.Is(err, wire.JoinExceedLimit) {
			t.Fatal(err)
		}
		big := strings.Repeat("\x01", 32<<10)
		receipt, err := alice.SendToPeer(ctx, "nobody", rtm.NewText(big))
		must(t, err)
		if receipt.HasPeerReceived {
			t.Fatal("nobody has received it")
		}
		for range 179 {
			_, err = alice.SendToPeer(ctx, "nobody", rtm.NewText(""))
			must(t, err)
		}
		if _, err = alice.SendToPeer(ctx, "nobody", rtm.NewText("")); !errors.Is(err, wire.PeerTooOften) {
			t.Fatal(err)
		}
		if e := new(rtm.Error); !errors.As(err, &e) || !e.FromServer {
			t.Fatal(err)
		}
	})
}

// What a sender knows of its messages must agree with what the receiver heard,
// however often the links break.
func TestPairLosesAndRepeatsNothingWhenLinksBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := newCable(t)
		ctx := t.Context()
		alice, bob := net.client(t, "alice"), net.client(t, "bob")
		var peer, lobby heard
		joined(t, bob, "lobby", &lobby)
		bob.OnMessage(func(m *rtm.Message, _ string) { peer.add(m.Text()) })
		out := joined(t, alice, "lobby", nil)
		synctest.Wait()
		lobby.take()

		random := rand.New(rand.NewPCG(1, 2))
		stop := make(chan struct{})
		var cutter sync.WaitGroup
		cutter.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Duration(random.IntN(3000)) * time.Millisecond):
				}
				net.cut(true)
				<-time.After(time.Duration(random.IntN(6000)) * time.Millisecond)
				net.restore()
			}
		})
		const total = 1000
		outcome := make([]string, total)
		accepted := make([]bool, total)
		for i := range total {
			receipt, err := alice.SendToPeer(ctx, "bob", rtm.NewText(fmt.Sprint(i)))
			switch {
			case err != nil && !errors.Is(err, wire.PeerTimeout):
				t.Fatal(err)
			case err != nil:
				outcome[i] = "unknown"
			default:
				outcome[i] = fmt.Sprint(receipt.HasPeerReceived)
			}
			err = out.Send(ctx, rtm.NewText(fmt.Sprint(i)))
			if err != nil && !errors.Is(err, wire.ChannelSendTimeout) {
				t.Fatal(err)
			}
			accepted[i] = err == nil
			<-time.After(20 * time.Millisecond)
		}
		close(stop)
		cutter.Wait()
		pass(time.Minute)

		tally := map[string]int{}
		times := count(t, "peer", peer.take())
		for i, o := range outcome {
			tally[o]++
			if times[i] > 1 || o == "true" && times[i] != 1 {
				t.Errorf("peer message %d: received %s, heard %d times", i, o, times[i])
			}
		}
		times = count(t, "channel", lobby.take())
		for i, ok := range accepted {
			if times[i] > 1 || ok && times[i] != 1 {
				t.Errorf("channel message %d: accepted %t, heard %d times", i, ok, times[i])
			}
		}
		if tally["true"] < total/2 || tally["true"] == total {
			t.Fatalf("the outages were none, or too many: %v", tally)
		}
		if alice.State() != rtm.Connected || bob.State() != rtm.Connected {
			t.Fatal(alice.State(), bob.State())
		}
	})
}

// count returns how often each number was heard, and checks their order.
func count(t *testing.T, what string, lines []string) map[int]int {
	times, last := map[int]int{}, -1
	for _, line := range lines {
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(line, "alice: "), "%d", &n); err != nil {
			continue // a member event
		}
		if n < last {
			t.Errorf("%s message %d came after %d", what, n, last)
		}
		last = max(last, n)
		times[n]++
	}
	return times
}
