package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rtmkit/rtmkit/reference-server/engine"
)

func newestLoginWins(b *bench) {
	watcher := b.login("watcher")
	m, _, _ := watcher.join("lobby")
	old := b.login("alice")
	place, _, _ := old.join("lobby")
	old.onEvict = place.Leave
	watcher.out.take()
	fresh := b.login("alice")
	if old.evicted() != 1 || fresh.evicted() != 0 {
		b.Fatalf("after Login the old session was evicted %d times, the new one %d", old.evicted(), fresh.evicted())
	}
	fresh.join("lobby")
	b.equal("the watcher", notices(watcher.out.take()), []string{"-alice", "+alice"})
	uids, err := m.Members(ctx, 10)
	slices.Sort(uids)
	if err != nil || !slices.Equal(uids, []string{"alice", "watcher"}) {
		b.Fatalf("members %v, %v", uids, err)
	}
	watcher.send("alice", "hi")
	b.equal("the new session", fresh.messages(), []string{"watcher:hi"})
	b.equal("the old session", old.messages(), nil)
}

func racingLogins(b *bench) {
	const n = 64
	users := make([]*user, n)
	var done sync.WaitGroup
	for i := range users {
		done.Go(func() { users[i] = b.login("alice") })
	}
	done.Wait()
	standing := 0
	for _, u := range users {
		switch u.evicted() {
		case 0:
			standing++
		case 1:
		default:
			b.Fatalf("a session was evicted %d times", u.evicted())
		}
	}
	if standing != 1 {
		b.Fatalf("%d sessions stand", standing)
	}
	b.login("bob").send("alice", "hi")
	for _, u := range users {
		if (u.evicted() == 0) != (len(u.messages()) == 1) {
			b.Fatalf("a session evicted %d times got %v", u.evicted(), u.messages())
		}
	}
}

func lateLogout(b *bench) {
	old := b.login("alice")
	fresh := b.login("alice")
	old.seat.Logout(&old.batch)
	bob := b.login("bob")
	if fate := bob.send("alice", "hi"); fate != engine.Pending {
		b.Fatalf("after the late logout of the old session the fate is %v", fate)
	}
	fresh.seat.Logout(&fresh.batch)
	if fate := bob.send("alice", "hi"); fate != engine.Offline {
		b.Fatalf("after the logout the fate is %v", fate)
	}
}

func evictedHandle(b *bench) {
	old := b.login("alice")
	b.login("alice")
	if _, err := old.seat.Send(ctx, &old.batch, []byte("bob"), engine.Peer{}); !errors.Is(err, engine.ErrGone) {
		b.Errorf("Send: %v", err)
	}
	if _, err := old.seat.Join(ctx, &old.batch, "lobby", old.out, 0, func(uint64, int) {}); !errors.Is(err, engine.ErrGone) {
		b.Errorf("Join: %v", err)
	}
	bob := b.login("bob")
	m, _, _ := bob.join("lobby")
	m.Leave(&bob.batch)
	m.Leave(&bob.batch)
	if _, err := m.Publish(ctx, &bob.batch, nil); !errors.Is(err, engine.ErrGone) {
		b.Errorf("Publish: %v", err)
	}
	if _, err := m.Members(ctx, 1); !errors.Is(err, engine.ErrGone) {
		b.Errorf("Members: %v", err)
	}
	if err := m.Attach(ctx, &bob.batch, bob.out, 0); !errors.Is(err, engine.ErrGone) {
		b.Errorf("Attach: %v", err)
	}
}

func offline(b *bench) {
	alice := b.login("alice")
	if fate := alice.send("nobody", "hi"); fate != engine.Offline {
		b.Fatalf("the fate is %v", fate)
	}
	bob := b.login("bob")
	for _, fate := range []engine.Fate{engine.Pending, engine.Held, engine.Full, engine.Offline} {
		bob.fate = fate
		if got := alice.send("bob", "hi"); got != fate {
			b.Fatalf("the fate %v came as %v", fate, got)
		}
	}
}

func sendOrder(b *bench) {
	alice := b.login("alice")
	var want []string
	for i := range 500 {
		alice.send("alice", fmt.Sprint(i))
		want = append(want, fmt.Sprint("alice:", i))
	}
	b.equal("alice, to herself", alice.messages(), want)
}

func appsApart(b *bench) {
	alice := b.login("alice")
	other := b.loginTo("f"+app[1:], "alice")
	if alice.evicted() != 0 {
		b.Fatal("a login in another app evicts")
	}
	alice.join("lobby")
	if _, _, count := other.join("lobby"); count != 1 {
		b.Fatalf("the channel of another app has %d members", count)
	}
	if fate := other.send("bob", "hi"); fate != engine.Offline {
		b.Fatalf("the fate is %v", fate)
	}
}

func closed(b *bench) {
	alice := b.login("alice")
	if err := b.engine.Close(); err != nil {
		b.Fatal(err)
	}
	if _, err := alice.seat.Send(ctx, &alice.batch, []byte("alice"), engine.Peer{}); !errors.Is(err, engine.ErrClosed) {
		b.Errorf("Send: %v", err)
	}
	if _, err := b.engine.Login(ctx, &alice.batch, app, "bob", alice); !errors.Is(err, engine.ErrClosed) {
		b.Errorf("Login: %v", err)
	}
	if err := b.engine.Close(); err != nil {
		b.Errorf("the second Close: %v", err)
	}
}
