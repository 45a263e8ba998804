package enginetest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func confirmFirst(b *bench) {
	alice, bob := b.login("alice"), b.login("bob")
	am, seq, _ := alice.join("lobby")
	alice.publish(am, "missed")
	_, _, count := bob.joinAfter("lobby", seq)
	got := bob.out.take()
	if count != 2 || len(got) != 3 || got[0] != "confirmed" {
		b.Fatalf("count %d; bob got %v", count, got)
	}
	if f, ok := decode(got[1]).(*wire.ChannelMemberCount); !ok || f.Count != 2 || f.Channel != "lobby" {
		b.Fatalf("after the confirmation came %s", got[1])
	}
	b.equal("bob's replay", texts(got), []string{"missed"})
}

func publish(b *bench) {
	var all []*user
	var first engine.Membership
	for i := range 10 {
		u := b.login(fmt.Sprint("u", i))
		m, _, _ := u.join("lobby")
		if first == nil {
			first = m
		}
		all = append(all, u)
	}
	for _, u := range all {
		u.out.take()
	}
	all[0].publish(first, "hi")
	b.equal("the sender", texts(all[0].out.take()), nil)
	for _, u := range all[1:] {
		got := u.out.take()
		b.equal(u.uid, texts(got), []string{"hi"})
	}
}

func oneOrder(b *bench) {
	const writers, each = 4, 200
	reader, second := b.login("reader"), b.login("second")
	reader.join("lobby")
	second.join("lobby")
	var done sync.WaitGroup
	for i := range writers {
		u := b.login(fmt.Sprint("w", i))
		m, _, _ := u.join("lobby")
		done.Go(func() {
			for n := range each {
				u.publish(m, fmt.Sprint(u.uid, ":", n))
			}
		})
	}
	done.Wait()
	order := func(u *user) (all []string) {
		last := uint64(0)
		for _, p := range u.out.take() {
			if m, ok := decode(p).(*wire.ChannelMessage); ok {
				if m.Seq <= last {
					b.Fatalf("%s got seq %d after %d", u.uid, m.Seq, last)
				}
				last = m.Seq
				all = append(all, m.Message.Text)
			}
		}
		return all
	}
	got := order(reader)
	if len(got) != writers*each {
		b.Fatalf("%d of %d messages came", len(got), writers*each)
	}
	b.equal("two members", got, order(second))
	for i := range writers {
		prefix, n := fmt.Sprint("w", i, ":"), 0
		for _, text := range got {
			if text == fmt.Sprint(prefix, n) {
				n++
			}
		}
		if n != each {
			b.Fatalf("the messages of %s are out of order after %d", prefix, n)
		}
	}
}

func leave(b *bench) {
	alice, bob := b.login("alice"), b.login("bob")
	am, _, _ := alice.join("lobby")
	bm, _, _ := bob.join("lobby")
	alice.out.take()
	bm.Leave(&bob.batch)
	bob.out.take()
	b.equal("alice", notices(alice.out.take()), []string{"-bob"})
	alice.publish(am, "gone?")
	b.equal("bob", bob.out.take(), nil)
}

func bigChannel(b *bench) {
	var all []*user
	var places []engine.Membership
	for i := range b.limits.Members + 2 {
		u := b.login(fmt.Sprint("u", i))
		m, _, _ := u.join("lobby")
		all, places = append(all, u), append(places, m)
	}
	b.equal("the first member", notices(all[0].out.take()), []string{"+u1", "+u2", "+u3"})
	for i := len(all) - 1; i > 2; i-- {
		places[i].Leave(&all[i].batch)
	}
	b.equal("the first member", notices(all[0].out.take()), []string{"-u3"})
}

func lastCount(b *bench) {
	alice := b.login("alice")
	alice.join("lobby")
	const n = 20
	for i := range n {
		b.login(fmt.Sprint("u", i)).join("lobby")
	}
	frames := alice.out.await(func(f wire.Frame) bool {
		count, ok := f.(*wire.ChannelMemberCount)
		return ok && count.Count == n+1
	})
	counts := 0
	for _, p := range frames {
		if _, ok := decode(p).(*wire.ChannelMemberCount); ok {
			counts++
		}
	}
	if counts > n/2 {
		b.Fatalf("%d joins at once gave %d counts", n, counts)
	}
}

func joinReplay(b *bench) {
	alice, bob := b.login("alice"), b.login("bob")
	am, seq, _ := alice.join("lobby")
	bm, _, _ := bob.join("lobby")
	for i := range 10 {
		alice.publish(am, fmt.Sprint("a", i))
	}
	bob.publish(bm, "own")
	bm.Leave(&bob.batch)
	bob.out.take()
	bob.joinAfter("lobby", seq)
	// The last eight, without bob's own.
	b.equal("bob", texts(bob.out.take()), []string{"a3", "a4", "a5", "a6", "a7", "a8", "a9"})
	carol := b.login("carol")
	cm, at, _ := carol.joinAfter("lobby", seq+10)
	b.equal("carol", texts(carol.out.take()), []string{"own"})
	cm.Leave(&carol.batch)
	carol.out.take()
	carol.joinAfter("lobby", at)
	b.equal("carol, who has seen all", texts(carol.out.take()), nil)
}

func attachExactlyOnce(b *bench) {
	alice, bob := b.login("alice"), b.login("bob")
	am, seq, _ := alice.join("lobby")
	bm, _, _ := bob.join("lobby")
	const n = 2000
	// No more is under way than a replay holds.
	ticket := make(chan struct{}, b.limits.ReplayMessages)
	var done sync.WaitGroup
	done.Go(func() {
		for i := range n {
			ticket <- struct{}{}
			alice.publish(am, fmt.Sprint(i))
		}
	})
	// Bob reads what an outlet has at some moment and goes on with another one, as a
	// client does that loses its link again and again.
	cursor := seq
	for next := 0; next < n; {
		out := newOutlet()
		if err := bm.Attach(ctx, &bob.batch, out, cursor); err != nil {
			b.Fatal(err)
		}
		for _, p := range out.await(func(f wire.Frame) bool { _, ok := f.(*wire.ChannelMessage); return ok }) {
			m, ok := decode(p).(*wire.ChannelMessage)
			if !ok {
				continue
			}
			if m.Message.Text != fmt.Sprint(next) || m.Seq <= cursor {
				b.Fatalf("after message %d, seq %d, came message %s, seq %d", next-1, cursor, m.Message.Text, m.Seq)
			}
			next, cursor = next+1, m.Seq
			<-ticket
		}
	}
	done.Wait()
}

func seqGrows(b *bench) {
	alice := b.login("alice")
	last := uint64(0)
	for range 5 {
		m, seq, _ := alice.join("lobby")
		if seq < last {
			b.Fatalf("the seq went from %d back to %d", last, seq)
		}
		alice.publish(m, "x")
		m.Leave(&alice.batch)
		again, after, _ := alice.join("lobby")
		if after <= seq {
			b.Fatalf("a message left the seq at %d", after)
		}
		again.Leave(&alice.batch)
		last = after
	}
}

func lists(b *bench) {
	alice := b.login("alice")
	counts, err := alice.seat.Counts(ctx, nil, []string{"lobby", "empty"})
	if err != nil || !slices.Equal(counts, []int{0, 0}) {
		b.Fatalf("counts %v, %v", counts, err)
	}
	m, _, _ := alice.join("lobby")
	for i := range 5 {
		b.login(fmt.Sprint("u", i)).join("lobby")
	}
	counts, err = alice.seat.Counts(ctx, counts[:0], []string{"empty", "lobby", "lobby"})
	if err != nil || !slices.Equal(counts, []int{0, 6, 6}) {
		b.Fatalf("counts %v, %v", counts, err)
	}
	some, err := m.Members(ctx, 3)
	if err != nil || len(some) != 3 {
		b.Fatalf("members %v, %v", some, err)
	}
	alice.out.take()
	m.Recount(&alice.batch)
	if f, ok := decode(alice.out.take()[0]).(*wire.ChannelMemberCount); !ok || f.Count != 6 {
		b.Fatal("no count")
	}
	stats := b.engine.Stats()
	if stats.Users != 6 || stats.Members != 6 || stats.Channels != 1 {
		b.Fatalf("stats %+v", stats)
	}
}

func longFrames(b *bench) {
	alice, bob := b.login("alice"), b.login("bob")
	am, _, _ := alice.join("lobby")
	bob.join("lobby")
	for i := range 3 * b.limits.ReplayMessages {
		text := string(slices.Repeat([]byte{byte('a' + i%26)}, engine.ShareBytes+100))
		alice.publish(am, text)
	}
	frames := texts(bob.out.take())
	for i, kept := range bob.out.kept {
		if got := decode(string(kept)).(*wire.ChannelMessage); got.Message.Text != frames[i] {
			b.Fatalf("long frame %d was changed after it was put", i)
		}
	}
}
