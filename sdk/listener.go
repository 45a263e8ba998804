package rtm

import (
	"iter"
	"slices"
	"sync"
	"sync/atomic"
)

// listeners are the functions that hear of one event, in the order in which they
// were added. The same function may be added twice.
type listeners[F any] struct {
	mu   sync.Mutex
	list atomic.Pointer[[]*listener[F]]
}

type listener[F any] struct {
	f   F
	off atomic.Bool
}

// add appends f. The returned function removes this one registration; it may be
// called more than once, and from inside f.
func (ls *listeners[F]) add(f F) (off func()) {
	l := &listener[F]{f: f}
	ls.mu.Lock()
	defer ls.mu.Unlock()
	list := append(slices.Clone(ls.load()), l)
	ls.list.Store(&list)
	return func() {
		if l.off.Swap(true) {
			return
		}
		ls.mu.Lock()
		defer ls.mu.Unlock()
		rest := slices.DeleteFunc(slices.Clone(ls.load()), func(x *listener[F]) bool { return x == l })
		ls.list.Store(&rest)
	}
}

// clear removes every listener.
func (ls *listeners[F]) clear() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, l := range ls.load() {
		l.off.Store(true)
	}
	ls.list.Store(nil)
}

func (ls *listeners[F]) load() []*listener[F] {
	if list := ls.list.Load(); list != nil {
		return *list
	}
	return nil
}

// all yields the listeners that are there now, without those that are removed
// while it runs.
func (ls *listeners[F]) all() iter.Seq[F] {
	return func(yield func(F) bool) {
		for _, l := range ls.load() {
			if !l.off.Load() && !yield(l.f) {
				return
			}
		}
	}
}
