package memory_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/reference-server/engine/enginetest"
	"github.com/rtmkit/rtmkit/reference-server/engine/memory"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	enginetest.Run(t, func(_ *testing.T, limits wire.Limits) engine.Engine { return memory.New(limits) })
}

type nobody struct{}

func (nobody) Deliver(*engine.Batch, engine.Peer) engine.Fate { return engine.Offline }
func (nobody) Receipt(*engine.Batch, uint64, engine.Receipt)  {}
func (nobody) Evict(*engine.Batch)                            {}
func (nobody) Put([]byte) bool                                { return false }
func (nobody) Flush()                                         {}

// publish sends messages to channels that nobody else is in.
func publish(t *testing.T, e *memory.Engine, channels, messages, size int) (leave func()) {
	t.Helper()
	ctx := context.Background()
	b := engine.Batch{Now: time.Now()}
	seat, err := e.Login(ctx, &b, "app", "alice", nobody{})
	if err != nil {
		t.Fatal(err)
	}
	payload := append(append([]byte(`"text":"`), bytes.Repeat([]byte("x"), size)...), '"')
	var joined []engine.Membership
	for i := range channels {
		m, err := seat.Join(ctx, &b, fmt.Sprint("c", i), nobody{}, 0, func(uint64, int) {})
		if err != nil {
			t.Fatal(err)
		}
		joined = append(joined, m)
		for range messages {
			if _, err := m.Publish(ctx, &b, payload); err != nil {
				t.Fatal(err)
			}
		}
	}
	return func() {
		for _, m := range joined {
			m.Leave(&b)
		}
	}
}

func TestMessagesOfALiveChannelGoWithTheirAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory.New(wire.DefaultLimits())
		defer e.Close()
		publish(t, e, 3, 40, 5000)
		if n := e.Stats().ReplayBytes; n < 3*32*5000 {
			t.Fatalf("%d bytes are kept for 96 messages of 5000", n)
		}
		time.Sleep(29 * time.Second)
		if n := e.Stats().ReplayBytes; n < 3*32*5000 {
			t.Fatalf("%d bytes are kept after 29 s", n)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		if n := e.Stats().ReplayBytes; n != 0 {
			t.Fatalf("%d bytes are kept after 35 s", n)
		}
	})
}

func TestReplayOfAllChannelsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := memory.New(wire.DefaultLimits())
		defer e.Close()
		leave := publish(t, e, 12, 32, 200<<10)
		if n := e.Stats().ReplayBytes; n > 64<<20 || n < 60<<20 {
			t.Fatalf("%d MiB are kept of 75", n>>20)
		}
		// Empty channels count as live ones do, and what they give back is free again.
		leave()
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if n := e.Stats().ReplayBytes; n != 0 {
			t.Fatalf("%d bytes are kept by no channel", n)
		}
	})
}

func TestEmptyChannelsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		e := memory.New(wire.DefaultLimits())
		defer e.Close()
		b := engine.Batch{Now: time.Now()}
		seat, err := e.Login(ctx, &b, "app", "alice", nobody{})
		if err != nil {
			t.Fatal(err)
		}
		join := func() engine.Membership {
			m, err := seat.Join(ctx, &b, "lobby", nobody{}, 0, func(uint64, int) {})
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		join().Leave(&b)
		if n := e.Stats().Channels; n != 0 {
			t.Fatalf("%d channels without a message are kept", n)
		}
		m := join()
		if _, err := m.Publish(ctx, &b, []byte(`"text":"x"`)); err != nil {
			t.Fatal(err)
		}
		m.Leave(&b)
		time.Sleep(20 * time.Second)
		// Coming back and leaving does not make the message younger.
		join().Leave(&b)
		time.Sleep(9 * time.Second)
		if n := e.Stats().Channels; n != 1 {
			t.Fatalf("%d channels, the message is 29 s old", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if n := e.Stats().Channels; n != 0 {
			t.Fatalf("%d channels, the message is 30 s old", n)
		}
	})
}
