package refserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestResumeWithinGraceIsInvisibleToOthers(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		at := alice.join("lobby").Seq
		bob.join("lobby")
		alice.collect()
		alice.drop()
		stay(25*time.Second, bob)
		back := s.resume(alice, 0, wire.Cursor{Channel: "lobby", Seq: at})
		if !back.ok.Resumed || back.ok.Session != alice.ok.Session || len(back.ok.Missing) > 0 {
			t.Fatalf("login.ok is %+v", back.ok)
		}
		got := stay(31*time.Second, bob, back)
		if n := len(of[*wire.ChannelMemberLeft](got[0])) + len(of[*wire.ChannelMemberJoined](got[0])); n > 0 {
			t.Fatalf("bob got %d member events", n)
		}
	})
}

func TestSessionEndsAtTheEndOfGraceAndNotBefore(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		bob.join("lobby")
		alice.join("lobby")
		stay(time.Second, alice, bob)
		alice.drop()
		got := stay(29500*time.Millisecond, bob)
		if left := of[*wire.ChannelMemberLeft](got[0]); len(left) > 0 {
			t.Fatal("alice left before the grace was over")
		}
		got = stay(1*time.Second, bob)
		if left := of[*wire.ChannelMemberLeft](got[0]); len(left) != 1 {
			t.Fatalf("bob got %v", got[0])
		}
		back := s.resume(alice, 0)
		if back.ok.Resumed || back.ok.Session == alice.ok.Session {
			t.Fatalf("login.ok is %+v", back.ok)
		}
	})
}

func TestSilentConnectionIsClosedAndGraceCountsFromTheLastContact(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		bob.join("lobby")
		alice.join("lobby")
		began := time.Now()
		stay(6300*time.Millisecond, bob)
		alice.closedWith(wire.CloseSilent)
		if took := time.Since(began); took < 6*time.Second {
			t.Fatalf("closed after %v", took)
		}
		got := stay(23*time.Second, bob)
		if left := of[*wire.ChannelMemberLeft](got[0]); len(left) > 0 {
			t.Fatal("alice left before the grace was over")
		}
		got = stay(1500*time.Millisecond, bob)
		if left := of[*wire.ChannelMemberLeft](got[0]); len(left) != 1 {
			t.Fatalf("%v after the last contact bob got %v", time.Since(began), got[0])
		}
	})
}

func TestPeerMessagesOfTheOutageComeWithTheResume(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		first := bob.peerSend("alice", "one")
		m := expect[*wire.PeerMessage](alice)
		alice.send(&wire.PeerAck{Seq: m.Seq})
		bob.receipt(first, true)
		written := bob.peerSend("alice", "two")
		expect[*wire.PeerMessage](alice)
		unseen := bob.peerSend("alice", "three")
		expect[*wire.PeerMessage](alice)
		alice.drop()
		stay(time.Second, bob)
		bob.receipt(bob.peerSend("alice", "four"), false)
		// The client has seen two, and says so only now.
		back := s.resume(alice, 2)
		bob.receipt(written, true)
		if m := expect[*wire.PeerMessage](back); m.Seq != 3 || m.Message.Text != "three" {
			t.Fatalf("alice got %s", m.Append(nil))
		}
		if m := expect[*wire.PeerMessage](back); m.Seq != 4 || m.Message.Text != "four" {
			t.Fatalf("alice got %s", m.Append(nil))
		}
		back.send(&wire.PeerAck{Seq: 4})
		bob.receipt(unseen, true)
		back.quiet()
		bob.quiet()
	})
}

func TestReceiptsWaitForASenderWhoseLinkIsLost(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		id := alice.peerSend("bob", "hi")
		m := expect[*wire.PeerMessage](bob)
		alice.drop()
		stay(time.Second, bob)
		bob.send(&wire.PeerAck{Seq: m.Seq})
		stay(time.Second, bob)
		back := s.resume(alice, 0)
		back.receipt(id, true)
		back.quiet()
	})
}

func TestChannelMessagesOfTheOutageAreReplayedOnceAndInOrder(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		alice.join("lobby")
		bob.join("lobby")
		stay(2*time.Second, alice, bob)
		bob.channelSend("lobby", "seen")
		cursor := expect[*wire.ChannelMessage](alice).Seq
		alice.channelSend("lobby", "own")
		alice.drop()
		expect[*wire.ChannelMessage](bob)
		var want []string
		for i := range 40 {
			text := fmt.Sprint("m", i)
			bob.channelSend("lobby", text)
			want = append(want, text)
		}
		back := s.resume(alice, 0, wire.Cursor{Channel: "lobby", Seq: cursor}, wire.Cursor{Channel: "other", Seq: 1})
		if !slices.Equal(back.ok.Missing, []string{"other"}) {
			t.Fatalf("missing %v", back.ok.Missing)
		}
		bob.channelSend("lobby", "live")
		got := back.collect()
		var texts []string
		for _, m := range of[*wire.ChannelMessage](got) {
			texts = append(texts, m.Message.Text)
		}
		if want := append(want[8:], "live"); !slices.Equal(texts, want) {
			t.Fatalf("alice got %v, expected %v", texts, want)
		}
		if count, ok := got[32].(*wire.ChannelMemberCount); !ok || count.Count != 2 {
			t.Fatalf("after the replay came %s", got[32].Append(nil))
		}
	})
}

func TestOfTwoCursorsForOneChannelTheFirstCounts(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		at := alice.join("lobby").Seq
		bob.join("lobby")
		alice.collect()
		alice.drop()
		bob.collect()
		bob.channelSend("lobby", "one")
		bob.channelSend("lobby", "two")
		back := s.resume(alice, 0, wire.Cursor{Channel: "lobby", Seq: at + 1}, wire.Cursor{Channel: "lobby", Seq: at},
			wire.Cursor{Channel: "other", Seq: 1}, wire.Cursor{Channel: "other", Seq: 2}, wire.Cursor{Channel: "é", Seq: 1})
		if !slices.Equal(back.ok.Missing, []string{"other", "é"}) {
			t.Errorf("missing %v", back.ok.Missing)
		}
		if got := of[*wire.ChannelMessage](back.collect()); len(got) != 1 || got[0].Message.Text != "two" {
			t.Errorf("%d messages were replayed", len(got))
		}
	})
}

func TestOwnMessagesAreAmongTheLastOnesAndAreNotReplayed(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		at := alice.join("lobby").Seq
		bob.join("lobby")
		bob.channelSend("lobby", "one")
		bob.channelSend("lobby", "two")
		for range 31 {
			alice.collect()
			alice.channelSend("lobby", "own")
		}
		alice.drop()
		back := s.resume(alice, 0, wire.Cursor{Channel: "lobby", Seq: at})
		if got := of[*wire.ChannelMessage](back.collect()); len(got) != 1 || got[0].Message.Text != "two" {
			t.Fatalf("%d messages were replayed", len(got))
		}
	})
}

func TestAMessageThatWasOnlyHeldCannotBeAcknowledged(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		first := bob.peerSend("alice", "one")
		expect[*wire.PeerMessage](alice)
		alice.drop()
		stay(time.Second, bob)
		bob.receipt(bob.peerSend("alice", "two"), false)

		ahead := s.connect()
		ahead.send(&wire.Login{ID: 9, AppID: testApp, UID: "alice", Resume: &wire.Resume{Session: alice.ok.Session, PeerSeq: 2}})
		ahead.closedWith(wire.CloseBadFrame)

		back := s.resume(alice, 1)
		bob.receipt(first, true)
		if m := expect[*wire.PeerMessage](back); m.Seq != 2 || m.Message.Text != "two" {
			t.Fatalf("alice got %s", m.Append(nil))
		}
		back.send(&wire.PeerAck{Seq: 2})
		back.quiet()
	})
}

func TestResumeMayBringMoreThanAQueueHolds(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		at := alice.join("lobby").Seq
		bob.join("lobby")
		alice.drop()
		bob.collect()
		text := strings.Repeat("x", 30<<10)
		for range 32 {
			bob.channelSend("lobby", text)
		}
		back := s.resume(alice, 0, wire.Cursor{Channel: "lobby", Seq: at})
		if n := len(of[*wire.ChannelMessage](back.collect())); n != 32 {
			t.Fatalf("%d messages were replayed", n)
		}
	}, func(c *refserver.Config) { c.QueueBytes = c.Limits.FrameBytes })
}

func TestReplayForgetsWhatIsTooOld(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		at := alice.join("lobby").Seq
		bob.join("lobby")
		alice.collect()
		alice.leave("lobby")
		bob.collect()
		bob.channelSend("lobby", "old")
		stay(20*time.Second, alice, bob)
		bob.channelSend("lobby", "young")
		stay(15*time.Second, alice, bob)
		alice.joinAfter("lobby", at)
		got := of[*wire.ChannelMessage](alice.collect())
		if len(got) != 1 || got[0].Message.Text != "young" {
			t.Fatalf("alice got %d messages", len(got))
		}
	})
}

func TestEmptyChannelKeepsItsMessagesForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		at := alice.join("lobby").Seq
		bob.join("lobby")
		alice.collect()
		alice.leave("lobby")
		bob.collect()
		bob.channelSend("lobby", "bye")
		bob.leave("lobby")
		stay(10*time.Second, alice, bob)
		ok := alice.joinAfter("lobby", at)
		if m := expect[*wire.ChannelMessage](alice); m.Message.Text != "bye" || m.Seq > ok.Seq {
			t.Fatalf("alice got %s", m.Append(nil))
		}
		alice.leave("lobby")
		stay(31*time.Second, alice, bob)
		again := alice.joinAfter("lobby", at)
		if again.Seq <= ok.Seq {
			t.Fatalf("seq went from %d to %d", ok.Seq, again.Seq)
		}
		alice.quiet()
	})
}

func TestResumeTakesTheSessionFromAnOpenConnection(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	bob.join("lobby")
	at := alice.join("lobby").Seq
	expect[*wire.ChannelMemberJoined](bob)
	back := s.resume(alice, 0, wire.Cursor{Channel: "lobby", Seq: at})
	if !back.ok.Resumed {
		t.Fatal("not resumed")
	}
	for {
		f, err := alice.next()
		if err != nil {
			break
		}
		if _, kicked := f.(*wire.LoginKicked); kicked {
			t.Fatal("a resume is not a second login")
		}
	}
	alice.closedWith(wire.CloseSuperseded)
	back.collect()
	back.channelSend("lobby", "here")
	if m := of[*wire.ChannelMessage](bob.collect()); len(m) != 1 {
		t.Fatalf("bob got %v", m)
	}
}

func TestChannelsThatAResumeDoesNotNameAreLeft(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	bob.join("lobby")
	alice.join("lobby")
	expect[*wire.ChannelMemberJoined](bob)
	alice.drop()
	back := s.resume(alice, 0)
	if left := of[*wire.ChannelMemberLeft](bob.collect()); len(left) != 1 {
		t.Fatalf("bob got %v", left)
	}
	back.join("lobby")
}

func TestWrongSessionSecretIsAFreshLoginThatEvicts(t *testing.T) {
	s := overTCP(t)
	for _, name := range []func(string) string{
		func(right string) string { return right[:len(right)-1] + flip(right[len(right)-1]) },
		func(right string) string { return flip(right[0]) + right[1:] },
		func(string) string { return "" },
		func(right string) string { return strings.Repeat(right, 100) },
		func(string) string { return "not hex at all" },
	} {
		alice := s.login("alice")
		c := s.connect()
		c.login(&wire.Login{AppID: testApp, UID: "alice", Resume: &wire.Resume{Session: name(alice.ok.Session)}})
		if c.ok.Resumed || c.ok.Session == alice.ok.Session {
			t.Fatalf("login.ok is %+v", c.ok)
		}
		alice.closedWith(wire.CloseRemoteLogin)
	}
	// Somebody else's secret is no secret of one's own.
	alice := s.login("alice")
	mallory := s.connect()
	mallory.login(&wire.Login{AppID: testApp, UID: "mallory", Resume: &wire.Resume{Session: alice.ok.Session}})
	if mallory.ok.Resumed {
		t.Fatal("mallory has alice's session")
	}
	alice.quiet()
}

func TestResumeThatClaimsUnsentMessagesIsABadFrame(t *testing.T) {
	s := overTCP(t)
	alice := s.login("alice")
	c := s.connect()
	c.id++
	c.send(&wire.Login{ID: c.id, AppID: testApp, UID: "alice", Resume: &wire.Resume{Session: alice.ok.Session, PeerSeq: 7}})
	c.closedWith(wire.CloseBadFrame)
	alice.quiet()
}

func flip(c byte) string {
	if c == '0' {
		return "1"
	}
	return "0"
}
