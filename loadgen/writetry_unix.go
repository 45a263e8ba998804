//go:build unix

package loadgen

import (
	"net"
	"syscall"
)

// writeTry writes to a socket without waiting for it, so that one full socket cannot hold up the sending goroutine.
type writeTry struct {
	raw   syscall.RawConn // nil where the connection is not a plain socket, as with TLS
	once  func(fd uintptr) bool
	bytes []byte
	n     int
	err   error
}

func newWriteTry(conn net.Conn) *writeTry {
	t := &writeTry{}
	if c, ok := conn.(*net.TCPConn); ok {
		t.raw, _ = c.SyscallConn()
	}
	// Made once: a closure for each write would be an allocation for each write.
	t.once = func(fd uintptr) bool {
		for {
			t.n, t.err = syscall.Write(int(fd), t.bytes)
			if t.err != syscall.EINTR {
				return true
			}
		}
	}
	return t
}

// write writes what the socket takes at once, which may be nothing.
func (t *writeTry) write(b []byte) (int, error) {
	if t.raw == nil {
		return 0, nil
	}
	t.bytes = b
	err := t.raw.Write(t.once)
	t.bytes = nil
	if err != nil {
		return 0, err
	}
	if t.err == syscall.EAGAIN {
		return 0, nil
	}
	return max(t.n, 0), t.err
}
