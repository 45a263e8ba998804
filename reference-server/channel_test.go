package refserver_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestChannelMessageReachesAllButItsSender(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	first := alice.join("lobby")
	if first.Count != 1 {
		t.Fatalf("count %d", first.Count)
	}
	bob.join("lobby")
	if f := expect[*wire.ChannelMemberJoined](alice); f.UID != "bob" {
		t.Fatalf("alice got %s", f.Append(nil))
	}
	if f := expect[*wire.ChannelMemberCount](alice); f.Count != 2 {
		t.Fatalf("alice got %s", f.Append(nil))
	}
	bob.channelSend("lobby", "hello")
	m := expect[*wire.ChannelMessage](alice)
	if m.From != "bob" || m.Seq <= first.Seq || m.Message.Text != "hello" {
		t.Fatalf("alice got %s", m.Append(nil))
	}
	bob.leave("lobby")
	if f := expect[*wire.ChannelMemberLeft](alice); f.UID != "bob" {
		t.Fatalf("alice got %s", f.Append(nil))
	}
	bob.quiet()
}

func TestTwentyFirstChannelIsRefusedAndLeavingFreesAPlace(t *testing.T) {
	s := overTCP(t)
	c := s.login("alice")
	for i := range 20 {
		c.join(fmt.Sprint("c", i))
	}
	c.id++
	c.send(&wire.ChannelJoin{ID: c.id, Channel: "c20"})
	c.refused(wire.JoinExceedLimit)
	c.id++
	c.send(&wire.ChannelJoin{ID: c.id, Channel: "c0"})
	c.refused(wire.JoinAlready)
	c.leave("c0")
	c.join("c20")
	c.id++
	c.send(&wire.ChannelCount{ID: c.id, Channels: []string{"c0", "c20"}})
	if counts := expect[*wire.ChannelCountOK](c).Counts; !slices.Equal(counts, []int{0, 1}) {
		t.Fatalf("counts %v", counts)
	}
}

func TestChannelRequestsOfStrangersAreRefused(t *testing.T) {
	s := overTCP(t)
	c := s.login("alice")
	for _, r := range []struct {
		text string
		code wire.Code
	}{
		{`{"kind":"channel.join","id":9,"channel":"null"}`, wire.JoinInvalidArgument},
		{`{"kind":"channel.join","id":9}`, wire.JoinInvalidArgument},
		{`{"kind":"channel.leave","id":9,"channel":"lobby"}`, wire.LeaveNotInChannel},
		{`{"kind":"channel.send","id":9,"channel":"lobby","text":"hi"}`, wire.ChannelSendNotInChannel},
		{`{"kind":"channel.send","id":9,"channel":"é","text":"hi"}`, wire.ChannelSendNotInChannel},
		{`{"kind":"channel.send","id":9,"channel":"lobby"}`, wire.ChannelSendInvalidMessage},
		{`{"kind":"channel.members","id":9,"channel":"lobby"}`, wire.MembersNotInChannel},
		{`{"kind":"channel.count","id":9,"channels":[]}`, wire.CountInvalidArgument},
		{`{"kind":"channel.count","id":9,"channels":["a","*"]}`, wire.CountInvalidArgument},
	} {
		c.id = 9
		c.text(r.text)
		c.refused(r.code)
	}
	many := make([]string, 33)
	for i := range many {
		many[i] = fmt.Sprint(i)
	}
	c.send(&wire.ChannelCount{ID: 9, Channels: many})
	c.refused(wire.CountExceedLimit)
	c.send(&wire.ChannelCount{ID: 9, Channels: many[:32]})
	if counts := expect[*wire.ChannelCountOK](c).Counts; len(counts) != 32 {
		t.Fatalf("counts %v", counts)
	}
}

func TestMembersListsTheCallerToo(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	alice.join("lobby")
	bob.join("lobby")
	bob.id++
	bob.send(&wire.ChannelMembers{ID: bob.id, Channel: "lobby"})
	uids := expect[*wire.ChannelMembersOK](bob).Members
	slices.Sort(uids)
	if !slices.Equal(uids, []string{"alice", "bob"}) {
		t.Fatalf("members %v", uids)
	}
}

func TestNothingOfAChannelComesAfterLeaving(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	bob.join("lobby")
	alice.join("lobby")
	alice.leave("lobby")
	bob.collect()
	bob.channelSend("lobby", "gone?")
	alice.quiet()
}

func TestMemberCountIsRateLimitedAndEndsRight(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice := s.login("alice")
		alice.join("lobby")
		stay(2*time.Second, alice)
		var others []*client
		for i := range 10 {
			c := s.login(fmt.Sprint("u", i))
			c.join("lobby")
			others = append(others, c)
		}
		counts := of[*wire.ChannelMemberCount](alice.collect())
		if len(counts) != 1 || counts[0].Count != 2 {
			t.Fatalf("at first alice got %d counts", len(counts))
		}
		others[0].collect()
		others[0].leave("lobby")
		got := stay(1100*time.Millisecond, append(others, alice)...)
		counts = of[*wire.ChannelMemberCount](got[len(got)-1])
		if len(counts) != 1 || counts[0].Count != 10 {
			t.Fatalf("then alice got %d counts", len(counts))
		}
		for i, c := range others[1:] {
			f := of[*wire.ChannelMemberCount](got[i+1])
			// The tenth to come knows the number, which is right again after the leave.
			if c != others[8] && (len(f) == 0 || f[len(f)-1].Count != 10) {
				t.Fatalf("%s got %d counts", c.uid, len(f))
			}
		}
	})
}

func TestTheCountOfAJoinKeepsNobodyElseWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice := s.login("alice")
		alice.join("lobby")
		bob := s.login("bob")
		bob.join("lobby")
		// No time has passed: what alice was told with her join is no change.
		if counts := of[*wire.ChannelMemberCount](alice.collect()); len(counts) != 1 || counts[0].Count != 2 {
			t.Fatalf("alice got %d counts", len(counts))
		}
	})
}

func TestBigChannelsStopMemberEvents(t *testing.T) {
	s := overTCP(t, limits(func(l *wire.Limits) { l.Members = 3 }))
	var all []*client
	for i := range 5 {
		c := s.login(fmt.Sprint("u", i))
		c.join("lobby")
		all = append(all, c)
	}
	if joined := of[*wire.ChannelMemberJoined](all[0].collect()); len(joined) != 2 {
		t.Fatalf("the first member was told of %d", len(joined))
	}
	all[4].id++
	all[4].send(&wire.ChannelMembers{ID: all[4].id, Channel: "lobby"})
	if f := of[*wire.ChannelMembersOK](all[4].collect()); len(f[0].Members) != 3 {
		t.Fatalf("members %v", f[0].Members)
	}
	for _, c := range []*client{all[4], all[3], all[2]} {
		c.collect()
		c.leave("lobby")
	}
	if left := of[*wire.ChannelMemberLeft](all[0].collect()); len(left) != 1 || left[0].UID != "u2" {
		t.Fatalf("the first member was told that %d left", len(left))
	}
}

func TestMessagesOfOneSenderKeepTheirOrder(t *testing.T) {
	s := overTCP(t)
	alice, bob := s.login("alice"), s.login("bob")
	bob.join("lobby")
	alice.join("lobby")
	const n = 500
	for i := range n {
		alice.send(&wire.ChannelSend{ID: uint64(i) + 10, Channel: "lobby", Message: wire.TextMessage(fmt.Sprint(i))})
	}
	last := uint64(0)
	for i := 0; i < n; {
		f, err := bob.next()
		if err != nil {
			t.Fatal(err)
		}
		m, ok := f.(*wire.ChannelMessage)
		if !ok {
			continue
		}
		if m.Message.Text != fmt.Sprint(i) || m.Seq <= last {
			t.Fatalf("at %d bob got %s after seq %d", i, m.Append(nil), last)
		}
		last = m.Seq
		i++
	}
}

func TestBurstOfMessagesCostsFewWrites(t *testing.T) {
	s := overTCP(t)
	const members, messages = 20, 64
	alice := s.login("alice")
	var all []*client
	for i := range members {
		c := s.login(fmt.Sprint("u", i))
		c.join("lobby")
		all = append(all, c)
	}
	alice.join("lobby")
	for _, c := range all {
		c.collect()
	}
	var burst strings.Builder
	for i := range messages {
		burst.WriteString(maskedText(fmt.Sprintf(`{"kind":"channel.send","id":%d,"channel":"lobby","text":"%d"}`, i+10, i)))
	}
	before := s.writes()
	if _, err := alice.ws.NetConn().Write([]byte(burst.String())); err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		for n := 0; n < messages; {
			f, err := c.next()
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := f.(*wire.ChannelMessage); ok {
				n++
			}
		}
	}
	// One write for each member would be the least; the kernel may hand the burst over in
	// a few pieces.
	if writes := s.writes() - before; writes > members*messages/8 {
		t.Fatalf("%d deliveries took %d writes", members*messages, writes)
	}
}

// writes returns the number of write calls that the server has made.
func (s *testServer) writes() (n int) {
	s.t.Helper()
	_, metrics := s.get("/metrics")
	for line := range strings.Lines(metrics) {
		if _, err := fmt.Sscanf(line, "rtm_writes_total %d", &n); err == nil {
			return n
		}
	}
	s.t.Fatal("rtm_writes_total is missing")
	return 0
}
