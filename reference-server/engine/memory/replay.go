package memory

import (
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// The bounds on what an engine keeps for those who come back, besides the limits on
// each channel.
const (
	// maxReplayBytes bounds the messages of all channels together. A channel that sends
	// above it gives up its own messages, oldest first, the new one at last.
	maxReplayBytes = 64 << 20
	// maxIdleChannels bounds the empty channels. Above it a channel goes with its last
	// member.
	maxIdleChannels = 16 << 10
	// slotBytes is what a slot of a ring costs besides its frame.
	slotBytes = 96
)

// ring holds the last messages of a channel, as encoded frames, in the slots from head
// on.
type ring struct {
	slots []message
	head  int
	count int
	bytes int // bytes is what the ring costs, memory for reuse included
}

type message struct {
	seq   uint64
	at    time.Time
	from  string
	frame []byte
}

// at returns the i-th message, the oldest being the first.
func (r *ring) at(i int) *message { return &r.slots[(r.head+i)%len(r.slots)] }

// next returns the slot for the next message, its frame empty with room for reuse; the
// caller builds the frame and calls keep. It takes the place of the oldest message once the ring holds limit messages.
func (r *ring) next(limit int) *message {
	switch {
	case r.count < len(r.slots):
	case len(r.slots) < limit:
		slots := make([]message, min(limit, max(1, 2*len(r.slots))))
		for i := range r.count {
			slots[i] = *r.at(i)
		}
		r.bytes += (len(slots) - len(r.slots)) * slotBytes
		r.slots, r.head = slots, 0
	default:
		r.head = (r.head + 1) % len(r.slots)
		r.count--
	}
	slot := r.at(r.count)
	r.count++
	r.bytes -= cap(slot.frame)
	if len(slot.frame) > engine.ShareBytes {
		// An outlet may still hold the long frame itself.
		slot.frame = nil
	}
	slot.frame = slot.frame[:0]
	return slot
}

// keep counts the frame that has been built in the slot of the newest message.
func (r *ring) keep() { r.bytes += cap(r.at(r.count - 1).frame) }

// drop forgets the oldest message and its memory.
func (r *ring) drop() {
	r.bytes -= cap(r.at(0).frame)
	*r.at(0) = message{}
	r.head = (r.head + 1) % len(r.slots)
	r.count--
	if r.count == 0 {
		*r = ring{}
	}
}

// replay calls put for the messages behind after that are not older than oldest and
// not from uid, oldest first.
func (r *ring) replay(after uint64, oldest time.Time, uid string, put func(frame []byte)) {
	for i := range r.count {
		m := r.at(i)
		if m.seq > after && !m.at.Before(oldest) && m.from != uid {
			put(m.frame)
		}
	}
}

// newest returns when the last message came; zero if there is none.
func (r *ring) newest() time.Time {
	if r.count == 0 {
		return time.Time{}
	}
	return r.at(r.count - 1).at
}

// charge brings the engine's count of bytes in line with the channel's ring, which has
// changed. The channel's mutex is held.
func (ch *channel) charge() {
	if n := ch.ring.bytes; n != ch.charged {
		ch.engine.replayBytes.Add(int64(n - ch.charged))
		ch.charged = n
	}
}

// kept takes note of a new message in the ring: others may have to go for it, and it
// goes itself when it is too old to be replayed.
func (ch *channel) kept() {
	ch.ring.keep()
	ch.charge()
	for ch.ring.count > 0 && ch.engine.replayBytes.Load() > maxReplayBytes {
		ch.ring.drop()
		ch.charge()
	}
	ch.watchAge()
}

// watchAge starts the timer that lets old messages go, unless it runs.
func (ch *channel) watchAge() {
	if ch.ageDue || ch.ring.count == 0 || ch.engine.closed.Load() {
		return
	}
	ch.ageDue = true
	replay := wire.Millis(ch.engine.limits.ReplayMS)
	// Many go at once: a timer for each message would cost more than the message.
	wait := max(replay-time.Since(ch.ring.at(0).at), 0) + replay/8
	if ch.ageTick == nil {
		ch.ageTick = time.AfterFunc(wait, ch.age)
	} else {
		ch.ageTick.Reset(wait)
	}
}

// age drops the messages that are too old to be replayed.
func (ch *channel) age() {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.ageDue {
		return
	}
	ch.ageDue = false
	oldest := time.Now().Add(-wire.Millis(ch.engine.limits.ReplayMS))
	for ch.ring.count > 0 && ch.ring.at(0).at.Before(oldest) {
		ch.ring.drop()
	}
	ch.charge()
	ch.watchAge()
}

// emptied ends the channel, or keeps it as long as its last message may be replayed.
// The channel's mutex is held.
func (ch *channel) emptied() {
	ch.members = nil
	ch.stopTimers()
	e := ch.engine
	left := wire.Millis(e.limits.ReplayMS) - time.Since(ch.ring.newest())
	if ch.ring.count == 0 || left <= 0 || e.closed.Load() || e.idleCount.Load() >= maxIdleChannels {
		ch.remove()
		return
	}
	e.idleCount.Add(1)
	var tick *time.Timer
	tick = time.AfterFunc(left, func() {
		ch.mu.Lock()
		defer ch.mu.Unlock()
		if ch.emptyTick == tick {
			ch.wake()
			ch.remove()
		}
	})
	ch.emptyTick = tick
}

// wake ends the time that the channel is kept empty.
func (ch *channel) wake() {
	if ch.emptyTick == nil {
		return
	}
	ch.emptyTick.Stop()
	ch.emptyTick = nil
	ch.engine.idleCount.Add(-1)
}

// remove takes the channel out of the directory. The channel's mutex is held.
func (ch *channel) remove() {
	ch.dead = true
	ch.ring = ring{}
	ch.charge()
	shard := &ch.engine.rooms[ch.engine.shard(ch.key.name)]
	shard.mu.Lock()
	delete(shard.channels, ch.key)
	shard.mu.Unlock()
	ch.engine.channelCount.Add(-1)
}

func (ch *channel) stopTimers() {
	if ch.countTick != nil {
		ch.countTick.Stop()
	}
	ch.countDue = false
	if ch.ageTick != nil {
		ch.ageTick.Stop()
	}
	ch.ageDue = false
	ch.wake()
}
