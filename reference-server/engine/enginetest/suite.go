// Package enginetest is the contract of package engine as a test suite. Every engine
// passes it:
//
//	func TestContract(t *testing.T) {
//		enginetest.Run(t, func(t *testing.T, limits wire.Limits) engine.Engine { return memory.New(limits) })
//	}
//
// The suite never sleeps: it waits for what must come, and proves that something does
// not come by what must come after it.
package enginetest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

const app = "0123456789abcdef0123456789abcdef"

// Make returns a new engine that keeps to limits. The suite closes it.
type Make func(t *testing.T, limits wire.Limits) engine.Engine

// Run tests that the engines of make keep the contract.
func Run(t *testing.T, make Make) {
	for _, promise := range []struct {
		name string
		test func(*bench)
	}{
		{"NewestLoginWins", newestLoginWins},
		{"EachSessionIsEvictedOnce", racingLogins},
		{"EvictedSessionCannotHarmItsSuccessor", lateLogout},
		{"EvictedHandleIsGone", evictedHandle},
		{"MessageToNobodyIsOffline", offline},
		{"MessagesKeepTheirOrder", sendOrder},
		{"AppsAreApart", appsApart},
		{"ConfirmComesFirst", confirmFirst},
		{"PublishReachesAllOthers", publish},
		{"AllMembersSeeOneOrder", oneOrder},
		{"LeaveIsComplete", leave},
		{"NoticesStopInBigChannels", bigChannel},
		{"LastCountArrives", lastCount},
		{"JoinReplaysBehindTheCursor", joinReplay},
		{"AttachIsExactlyOnceUnderLoad", attachExactlyOnce},
		{"SeqGrowsForEver", seqGrows},
		{"ListsAndCounts", lists},
		{"LongFramesAreNotChanged", longFrames},
		{"ClosedEngineSaysSo", closed},
	} {
		t.Run(promise.name, func(t *testing.T) {
			limits := wire.DefaultLimits()
			limits.Members = 4
			limits.ReplayMessages = 8
			limits.CountIntervalMS = 20
			limits.CountIntervalLargeMS = 40
			b := &bench{T: t, limits: limits, engine: make(t, limits)}
			defer b.engine.Close()
			promise.test(b)
		})
	}
}

// bench is one engine under test.
type bench struct {
	*testing.T
	limits wire.Limits
	engine engine.Engine
}

var ctx = context.Background()

// user is a session with an outlet.
type user struct {
	b     *bench
	uid   string
	batch engine.Batch
	seat  engine.Seat
	out   *outlet

	mu        sync.Mutex
	delivered []string
	evictions int
	fate      engine.Fate
	onEvict   func(*engine.Batch)
}

func (b *bench) login(uid string) *user { return b.loginTo(app, uid) }

func (b *bench) loginTo(app, uid string) *user {
	b.Helper()
	u := &user{b: b, uid: uid, out: newOutlet()}
	u.batch.Now = time.Now()
	seat, err := b.engine.Login(ctx, &u.batch, app, uid, u)
	if err != nil {
		b.Fatalf("login of %s: %v", uid, err)
	}
	u.seat = seat
	return u
}

// Deliver implements engine.Session.
func (u *user) Deliver(_ *engine.Batch, m engine.Peer) engine.Fate {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.delivered = append(u.delivered, m.From+":"+string(m.Payload))
	return u.fate
}

// Receipt implements engine.ReturnPath.
func (u *user) Receipt(*engine.Batch, uint64, engine.Receipt) {}

// Evict implements engine.Session.
func (u *user) Evict(b *engine.Batch) {
	u.mu.Lock()
	u.evictions++
	f := u.onEvict
	u.mu.Unlock()
	if f != nil {
		f(b)
	}
}

func (u *user) evicted() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.evictions
}

func (u *user) messages() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.delivered)
}

func (u *user) send(to, text string) engine.Fate {
	u.b.Helper()
	fate, err := u.seat.Send(ctx, &u.batch, []byte(to), engine.Peer{From: u.uid, Back: u, Request: 1, Payload: []byte(text)})
	if err != nil {
		u.b.Fatalf("%s sends: %v", u.uid, err)
	}
	return fate
}

func (u *user) join(channel string) (m engine.Membership, seq uint64, count int) {
	u.b.Helper()
	return u.joinAfter(channel, 0)
}

func (u *user) joinAfter(channel string, after uint64) (m engine.Membership, seq uint64, count int) {
	u.b.Helper()
	m, err := u.seat.Join(ctx, &u.batch, channel, u.out, after, func(s uint64, n int) {
		seq, count = s, n
		u.out.Put([]byte("confirmed"))
	})
	if err != nil {
		u.b.Fatalf("%s joins: %v", u.uid, err)
	}
	u.batch.Flush()
	return m, seq, count
}

func (u *user) publish(m engine.Membership, text string) {
	u.b.Helper()
	u.batch.Now = time.Now()
	message := wire.TextMessage(text)
	if _, err := m.Publish(ctx, &u.batch, message.AppendPayload(nil)); err != nil {
		u.b.Fatalf("%s publishes: %v", u.uid, err)
	}
	u.batch.Flush()
}

// outlet remembers what was put.
type outlet struct {
	mu     sync.Mutex
	more   *sync.Cond
	frames []string
	kept   [][]byte // kept are the long frames themselves
	owed   bool
}

func newOutlet() *outlet {
	o := new(outlet)
	o.more = sync.NewCond(&o.mu)
	return o
}

// Put implements engine.Outlet.
func (o *outlet) Put(frame []byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.frames = append(o.frames, string(frame))
	if len(frame) > engine.ShareBytes {
		o.kept = append(o.kept, frame)
	}
	o.more.Broadcast()
	first := !o.owed
	o.owed = true
	return first
}

// Flush implements engine.Outlet.
func (o *outlet) Flush() {
	o.mu.Lock()
	o.owed = false
	o.mu.Unlock()
}

// take returns what was put since the last take.
func (o *outlet) take() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	frames := o.frames
	o.frames = nil
	return frames
}

// await waits until the outlet holds a frame for which is is true, and returns all.
func (o *outlet) await(is func(wire.Frame) bool) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for !slices.ContainsFunc(o.frames, func(p string) bool { return is(decode(p)) }) {
		o.more.Wait()
	}
	return slices.Clone(o.frames)
}

func decode(p string) wire.Frame {
	f, err := wire.Decode([]byte(p))
	if err != nil {
		return nil
	}
	return f
}

// texts returns the texts of the channel messages among frames.
func texts(frames []string) (all []string) {
	for _, p := range frames {
		if m, ok := decode(p).(*wire.ChannelMessage); ok {
			all = append(all, m.Message.Text)
		}
	}
	return all
}

// notices returns the member events among frames, as "+uid" and "-uid".
func notices(frames []string) (all []string) {
	for _, p := range frames {
		switch f := decode(p).(type) {
		case *wire.ChannelMemberJoined:
			all = append(all, "+"+f.UID)
		case *wire.ChannelMemberLeft:
			all = append(all, "-"+f.UID)
		}
	}
	return all
}

func (b *bench) equal(what string, got, want []string) {
	b.Helper()
	if !slices.Equal(got, want) {
		b.Fatalf("%s: got %v, expected %v", what, got, want)
	}
}
