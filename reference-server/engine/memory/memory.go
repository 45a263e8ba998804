// Package memory is the engine of a server that stands alone: everything is in the
// maps of one process and gone with it.
//
// Locks, in the order in which they may be taken: a channel's mutex, a shard's mutex.
// Outlets and sessions are called with a channel's mutex held or none; they take only
// locks of their own.
package memory

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// shards is the number of parts of the directory; a power of two.
const shards = 64

// Engine is the memory engine. Make one with [New].
type Engine struct {
	limits wire.Limits
	seed   maphash.Seed
	closed atomic.Bool
	users  [shards]userShard
	rooms  [shards]channelShard

	userCount, channelCount, memberCount atomic.Int64
	// idleCount counts the empty channels that are kept, replayBytes the memory of all
	// messages that are.
	idleCount, replayBytes atomic.Int64
}

var _ engine.Engine = (*Engine)(nil)

// key names a user or a channel within its app.
type key struct{ app, name string }

type userShard struct {
	mu    sync.RWMutex
	seats map[key]*seat
}

type channelShard struct {
	mu       sync.RWMutex
	channels map[key]*channel
}

// New returns an engine that replays, counts and cuts lists as limits say: Members,
// ReplayMessages, ReplayMS, CountIntervalMS and CountIntervalLargeMS.
func New(limits wire.Limits) *Engine {
	e := &Engine{limits: limits, seed: maphash.MakeSeed()}
	for i := range e.users {
		e.users[i].seats = make(map[key]*seat)
		e.rooms[i].channels = make(map[key]*channel)
	}
	return e
}

func (e *Engine) shard(name string) uint64      { return maphash.String(e.seed, name) % shards }
func (e *Engine) shardOf(name []byte) uint64    { return maphash.Bytes(e.seed, name) % shards }
func (e *Engine) usersOf(uid string) *userShard { return &e.users[e.shard(uid)] }

// Login makes s the owner of uid in app and evicts the session that was.
func (e *Engine) Login(_ context.Context, b *engine.Batch, app, uid string, s engine.Session) (engine.Seat, error) {
	if e.closed.Load() {
		return nil, engine.ErrClosed
	}
	taken := &seat{engine: e, key: key{app, uid}, session: s}
	shard := e.usersOf(uid)
	shard.mu.Lock()
	before := shard.seats[taken.key]
	shard.seats[taken.key] = taken
	shard.mu.Unlock()
	if before == nil {
		e.userCount.Add(1)
		return taken, nil
	}
	before.gone.Store(true)
	before.session.Evict(b)
	return taken, nil
}

// Stats returns how much the engine holds.
func (e *Engine) Stats() engine.Stats {
	return engine.Stats{
		Users:    int(e.userCount.Load()),
		Channels: int(e.channelCount.Load()),
		Members:  int(e.memberCount.Load()),

		ReplayBytes: e.replayBytes.Load(),
	}
}

// Close stops the engine's timers; every later call answers [engine.ErrClosed].
func (e *Engine) Close() error {
	if e.closed.Swap(true) {
		return nil
	}
	for i := range e.rooms {
		shard := &e.rooms[i]
		shard.mu.Lock()
		channels := make([]*channel, 0, len(shard.channels))
		for _, ch := range shard.channels {
			channels = append(channels, ch)
		}
		shard.mu.Unlock()
		for _, ch := range channels {
			ch.mu.Lock()
			ch.stopTimers()
			ch.mu.Unlock()
		}
	}
	return nil
}

// seat is a session's place in the engine.
type seat struct {
	engine  *Engine
	key     key
	session engine.Session
	gone    atomic.Bool
}

func (s *seat) err() error {
	if s.engine.closed.Load() {
		return engine.ErrClosed
	}
	if s.gone.Load() {
		return engine.ErrGone
	}
	return nil
}

// Send hands m to the owner of the uid to.
func (s *seat) Send(_ context.Context, b *engine.Batch, to []byte, m engine.Peer) (engine.Fate, error) {
	if err := s.err(); err != nil {
		return engine.Offline, err
	}
	shard := &s.engine.users[s.engine.shardOf(to)]
	for before := (*seat)(nil); ; {
		shard.mu.RLock()
		owner := shard.seats[key{s.key.app, string(to)}]
		shard.mu.RUnlock()
		if owner == nil || owner == before {
			return engine.Offline, nil
		}
		fate := owner.session.Deliver(b, m)
		if fate != engine.Offline {
			return fate, nil
		}
		// The session ended between look-up and delivery; a newer one may own the uid.
		before = owner
	}
}

// Join makes the session a member of a channel.
func (s *seat) Join(_ context.Context, b *engine.Batch, name string, out engine.Outlet, after uint64,
	confirm func(seq uint64, count int)) (engine.Membership, error) {
	if err := s.err(); err != nil {
		return nil, err
	}
	ch := s.engine.open(key{s.key.app, name})
	defer ch.mu.Unlock()
	return ch.join(b, s, out, after, confirm), nil
}

// Counts appends the number of members of each channel to dst.
func (s *seat) Counts(_ context.Context, dst []int, channels []string) ([]int, error) {
	if err := s.err(); err != nil {
		return dst, err
	}
	for _, name := range channels {
		shard := &s.engine.rooms[s.engine.shard(name)]
		shard.mu.RLock()
		ch := shard.channels[key{s.key.app, name}]
		shard.mu.RUnlock()
		count := 0
		if ch != nil {
			ch.mu.Lock()
			count = len(ch.members)
			ch.mu.Unlock()
		}
		dst = append(dst, count)
	}
	return dst, nil
}

// Logout gives the uid back unless a newer session owns it.
func (s *seat) Logout(*engine.Batch) {
	s.gone.Store(true)
	shard := s.engine.usersOf(s.key.name)
	shard.mu.Lock()
	owned := shard.seats[s.key] == s
	if owned {
		delete(shard.seats, s.key)
	}
	shard.mu.Unlock()
	if owned {
		s.engine.userCount.Add(-1)
	}
}

// open returns the channel, made if need be, with its mutex held.
func (e *Engine) open(k key) *channel {
	shard := &e.rooms[e.shard(k.name)]
	for {
		shard.mu.Lock()
		ch := shard.channels[k]
		if ch == nil {
			ch = &channel{engine: e, key: k, seq: uint64(time.Now().UnixMicro())}
			shard.channels[k] = ch
			e.channelCount.Add(1)
		}
		shard.mu.Unlock()
		ch.mu.Lock()
		if !ch.dead {
			return ch
		}
		ch.mu.Unlock()
	}
}
