package loadgen

import (
	"sync"
	"sync/atomic"
)

// target is whether the server is still there, as its sessions show it: it is lost when the last open session breaks off.
// A session that closes in order leaves the target as it is.
type target struct {
	halt   func() // ends the run
	open   atomic.Int64
	lostAt atomic.Int64 // run time, or 0
	once   sync.Once
}

// opens counts a session before its login, because it can break off before the login returns.
func (t *target) opens() { t.open.Add(1) }

// closed takes back a session that closed in order, or never came to be.
func (t *target) closed() { t.open.Add(-1) }

// broke takes a session that broke off at the run time.
func (t *target) broke(at int64) {
	if t.open.Add(-1) <= 0 {
		t.once.Do(func() {
			t.lostAt.Store(max(at, 1))
			t.halt()
		})
	}
}

// isLost reports whether the target is lost.
func (t *target) isLost() bool { return t.lostAt.Load() > 0 }
