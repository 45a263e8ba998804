package memory

import (
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// ring holds the last messages of a channel, as encoded frames.
type ring struct {
	slots []message
	start int // start is the index of the oldest message once the ring is full
}

type message struct {
	seq   uint64
	at    time.Time
	from  string
	frame []byte
}

// next returns the slot for the next message, its frame empty with room for reuse. It
// takes the place of the oldest message once the ring holds limit messages.
func (r *ring) next(limit int) *message {
	if len(r.slots) < limit {
		r.slots = append(r.slots, message{})
		return &r.slots[len(r.slots)-1]
	}
	slot := &r.slots[r.start]
	r.start = (r.start + 1) % limit
	if len(slot.frame) > engine.ShareBytes {
		// An outlet may still hold the long frame itself.
		slot.frame = nil
	}
	slot.frame = slot.frame[:0]
	return slot
}

// replay calls put for the messages behind after that are not older than oldest and
// not from uid, oldest first.
func (r *ring) replay(after uint64, oldest time.Time, uid string, put func(frame []byte)) {
	for i := range r.slots {
		m := &r.slots[(r.start+i)%len(r.slots)]
		if m.seq > after && !m.at.Before(oldest) && m.from != uid {
			put(m.frame)
		}
	}
}

// newest returns when the last message came; zero if there is none.
func (r *ring) newest() time.Time {
	if len(r.slots) == 0 {
		return time.Time{}
	}
	return r.slots[(r.start+len(r.slots)-1)%len(r.slots)].at
}

func (r *ring) bytes() int {
	n := 0
	for i := range r.slots {
		n += cap(r.slots[i].frame)
	}
	return n
}

// The bounds on empty channels that are kept for those who come back. Above them a
// channel goes with its last member.
const (
	maxIdleChannels = 16 << 10
	maxIdleBytes    = 64 << 20
)

// idle counts the empty channels that are kept.
type idle struct{ channels, bytes atomic.Int64 }

// emptied ends the channel, or keeps it as long as its last message may be replayed.
// The channel's mutex is held.
func (ch *channel) emptied() {
	ch.members = nil
	ch.stopTimers()
	e := ch.engine
	left := wire.Millis(e.limits.ReplayMS) - time.Since(ch.ring.newest())
	if len(ch.ring.slots) == 0 || left <= 0 || e.closed.Load() {
		ch.remove()
		return
	}
	size := ch.ring.bytes()
	if e.idle.channels.Load() >= maxIdleChannels || e.idle.bytes.Load()+int64(size) > maxIdleBytes {
		ch.remove()
		return
	}
	e.idle.channels.Add(1)
	e.idle.bytes.Add(int64(size))
	ch.keptBytes = size
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
	ch.engine.idle.channels.Add(-1)
	ch.engine.idle.bytes.Add(-int64(ch.keptBytes))
}

// remove takes the channel out of the directory. The channel's mutex is held.
func (ch *channel) remove() {
	ch.dead = true
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
	ch.wake()
}
