package memory

import (
	"context"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// channel is one channel of one app. Its mutex guards everything below it and the
// places of its members, and orders its messages.
type channel struct {
	engine *Engine
	key    key

	mu      sync.Mutex
	seq     uint64
	members []place
	ring    ring
	dead    bool // dead: no longer in the directory; open a new one

	counted   time.Time   // counted: when member_count last went out to others than who joined or resumed
	countTick *time.Timer // countTick sends the trailing member_count
	countDue  bool
	emptyTick *time.Timer // emptyTick ends a channel that became empty
	ageTick   *time.Timer // ageTick lets messages go that are too old to be replayed
	ageDue    bool
	charged   int // charged is what the engine counts for the ring
}

// place is a member as the fan-out sees it: all it needs stands in one line of memory.
type place struct {
	out    engine.Outlet
	member *member
	told   int // told is the count this member was last told
}

// member is a session's membership of a channel.
type member struct {
	channel *channel
	seat    *seat
	at      int // at is the index of its place; negative once it has left
}

// join adds a session. The channel's mutex is held.
func (ch *channel) join(b *engine.Batch, s *seat, out engine.Outlet, after uint64, confirm func(uint64, int)) *member {
	ch.wake()
	ch.watchAge()
	m := &member{channel: ch, seat: s, at: len(ch.members)}
	count := len(ch.members) + 1
	confirm(ch.seq, count)
	if count <= ch.engine.limits.Members {
		ch.putAll(b, (&wire.ChannelMemberJoined{Channel: ch.key.name, UID: s.key.name}).Append(nil))
	}
	ch.members = append(ch.members, place{out: out, member: m})
	ch.engine.memberCount.Add(1)
	ch.tell(b, m)
	ch.replay(b, m, after)
	ch.countChanged(b)
	return m
}

// tell puts the count to the outlet of m.
func (ch *channel) tell(b *engine.Batch, m *member) {
	p := &ch.members[m.at]
	p.told = len(ch.members)
	b.Put(p.out, ch.countFrame())
}

// replay puts the messages behind after to the outlet of m.
func (ch *channel) replay(b *engine.Batch, m *member, after uint64) {
	if after == 0 {
		return
	}
	oldest := time.Now().Add(-wire.Millis(ch.engine.limits.ReplayMS))
	out := ch.members[m.at].out
	ch.ring.replay(after, oldest, m.seat.key.name, func(frame []byte) { b.Put(out, frame) })
}

func (ch *channel) putAll(b *engine.Batch, frame []byte) {
	for i := range ch.members {
		b.Put(ch.members[i].out, frame)
	}
}

// Publish sends a message to all other members.
func (m *member) Publish(_ context.Context, b *engine.Batch, payload []byte) (int, error) {
	ch := m.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if m.at < 0 {
		return 0, engine.ErrGone
	}
	ch.seq++
	slot := ch.ring.next(ch.engine.limits.ReplayMessages)
	slot.seq, slot.at, slot.from = ch.seq, b.Now, m.seat.key.name
	slot.frame = wire.AppendChannelMessage(slot.frame, ch.key.name, slot.from, ch.seq, b.Now.UnixMilli(), payload)
	for i := range ch.members {
		if p := &ch.members[i]; p.member != m {
			b.Put(p.out, slot.frame)
		}
	}
	ch.kept()
	return len(ch.members) - 1, nil
}

// Members returns the uids of the members, at most limit.
func (m *member) Members(_ context.Context, limit int) ([]string, error) {
	ch := m.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if m.at < 0 {
		return nil, engine.ErrGone
	}
	uids := make([]string, min(limit, len(ch.members)))
	for i := range uids {
		uids[i] = ch.members[i].member.seat.key.name
	}
	return uids, nil
}

// Attach gives the membership a new outlet after a lost link.
func (m *member) Attach(_ context.Context, b *engine.Batch, out engine.Outlet, after uint64) error {
	ch := m.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if m.at < 0 {
		return engine.ErrGone
	}
	ch.members[m.at].out = out
	ch.replay(b, m, after)
	return nil
}

// Recount puts the number of members to the membership's own outlet.
func (m *member) Recount(b *engine.Batch) {
	ch := m.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if m.at >= 0 {
		ch.tell(b, m)
	}
}

// Leave ends the membership.
func (m *member) Leave(b *engine.Batch) {
	ch := m.channel
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if m.at < 0 {
		return
	}
	count := len(ch.members)
	last := ch.members[count-1]
	last.member.at = m.at
	ch.members[m.at] = last
	ch.members[count-1] = place{}
	ch.members = ch.members[:count-1]
	m.at = -1
	ch.engine.memberCount.Add(-1)
	if len(ch.members) == 0 {
		ch.emptied()
		return
	}
	if count <= ch.engine.limits.Members {
		ch.putAll(b, (&wire.ChannelMemberLeft{Channel: ch.key.name, UID: m.seat.key.name}).Append(nil))
	}
	ch.countChanged(b)
}

func (ch *channel) countFrame() []byte {
	return (&wire.ChannelMemberCount{Channel: ch.key.name, Count: len(ch.members)}).Append(nil)
}

// countChanged tells the members the new count, now or when the interval is over.
func (ch *channel) countChanged(b *engine.Batch) {
	if ch.countDue {
		return
	}
	interval := wire.Millis(ch.engine.limits.CountIntervalMS)
	if len(ch.members) > ch.engine.limits.Members {
		interval = wire.Millis(ch.engine.limits.CountIntervalLargeMS)
	}
	now := time.Now()
	wait := interval - now.Sub(ch.counted)
	if ch.counted.IsZero() || wait <= 0 {
		ch.putCount(b, now)
		return
	}
	ch.countDue = true
	if ch.countTick == nil {
		ch.countTick = time.AfterFunc(wait, ch.trailingCount)
	} else {
		ch.countTick.Reset(wait)
	}
}

// putCount puts the count to every member that was last told another one.
func (ch *channel) putCount(b *engine.Batch, now time.Time) {
	count := len(ch.members)
	var frame []byte
	for i := range ch.members {
		if p := &ch.members[i]; p.told != count {
			if frame == nil {
				ch.counted, frame = now, ch.countFrame()
			}
			p.told = count
			b.Put(p.out, frame)
		}
	}
}

func (ch *channel) trailingCount() {
	b := engine.Batch{Now: time.Now()}
	ch.mu.Lock()
	if ch.countDue && !ch.engine.closed.Load() {
		ch.countDue = false
		ch.putCount(&b, b.Now)
	}
	ch.mu.Unlock()
	b.Flush()
}
