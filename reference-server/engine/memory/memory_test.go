package memory_test

import (
	"context"
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
