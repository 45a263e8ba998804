package probe

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// An inbox keeps at most this many frames and bytes; a sender of more is cut off.
const (
	inboxFrames = 1 << 16
	inboxBytes  = 256 << 20
)

type inbox struct {
	actor string

	mu      sync.Mutex
	changed chan struct{}
	objects []Object
	taken   []bool
	bytes   int
	ignored map[int64]bool
	pongs   []string
	closed  *ClosedError
	fault   error
}

func (b *inbox) init(actor string) {
	b.actor, b.changed, b.ignored = actor, make(chan struct{}), make(map[int64]bool)
}

// put adds an object and reports whether there was room for it.
func (b *inbox) put(object Object) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ignored[object.ID] && object.Kind == "pong" {
		delete(b.ignored, object.ID)
		return true
	}
	b.bytes += len(object.Raw)
	if len(b.objects) >= inboxFrames || b.bytes > inboxBytes {
		b.fault = fmt.Errorf("the inbox is full after %d frames", len(b.objects))
		b.notify()
		return false
	}
	b.objects, b.taken = append(b.objects, object), append(b.taken, false)
	b.notify()
	return true
}

// discard keeps the pong with this id out of the inbox.
func (b *inbox) discard(id int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ignored[id] = true
}

// pong keeps the payload of a WebSocket pong.
func (b *inbox) pong(payload string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bytes += len(payload) + 1
	if b.bytes <= inboxBytes {
		b.pongs = append(b.pongs, payload)
	}
	b.notify()
}

func (b *inbox) broken(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fault == nil {
		b.fault = fmt.Errorf("the server broke the protocol: %w", err)
	}
	b.notify()
}

func (b *inbox) end(code int, reason string, cause error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = &ClosedError{Code: code, Reason: reason, Cause: cause}
	b.notify()
}

func (b *inbox) notify() {
	close(b.changed)
	b.changed = make(chan struct{})
}

// wait calls ready, with the lock held, whenever something changed until it reports true, the connection has ended, a
// frame broke the protocol or the context is done.
func (b *inbox) wait(ctx context.Context, what string, ready func() bool) error {
	start := time.Now()
	for {
		b.mu.Lock()
		if ready() {
			b.mu.Unlock()
			return nil
		}
		cause := b.fault
		if cause == nil && b.closed != nil {
			cause = b.closed
		}
		if cause == nil && ctx.Err() != nil {
			cause = context.Cause(ctx)
		}
		if cause != nil {
			err := &WaitError{Actor: b.actor, What: what, Waited: time.Since(start), Came: b.pending(), Cause: cause}
			b.mu.Unlock()
			return err
		}
		changed := b.changed
		b.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

func (b *inbox) pending() []Object {
	var pending []Object
	for i, object := range b.objects {
		if !b.taken[i] {
			pending = append(pending, object)
		}
	}
	return pending
}

// find returns the index of the first object that was not taken and matches.
func (b *inbox) find(matcher Matcher) int {
	for i, object := range b.objects {
		if !b.taken[i] && matcher.match(object) {
			return i
		}
	}
	return -1
}

func (b *inbox) await(ctx context.Context, matcher Matcher) (Object, error) {
	var found Object
	err := b.wait(ctx, matcher.what, func() bool {
		i := b.find(matcher)
		if i >= 0 {
			found, b.taken[i] = b.objects[i], true
		}
		return i >= 0
	})
	return found, err
}

func (b *inbox) until(ctx context.Context, matcher Matcher) ([]Object, error) {
	var found []Object
	err := b.wait(ctx, matcher.what, func() bool {
		last := b.find(matcher)
		for i := 0; i <= last; i++ {
			if !b.taken[i] {
				found, b.taken[i] = append(found, b.objects[i]), true
			}
		}
		return last >= 0
	})
	return found, err
}

func (b *inbox) all() []Object {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.objects)
}
