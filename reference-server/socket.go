package refserver

import (
	"net"
	"sync"
	"syscall"
	"time"
)

// inputBytes is how much one read takes from a socket. What it brings is one batch.
const inputBytes = 16 << 10

// socket is a connection below the WebSocket layer. It reads into memory that it holds
// only while there is something to read, and can write without waiting. On sockets
// that do not let it, such as TLS connections and in-memory pipes, it reads into a
// small buffer of its own, and the queue writes from a goroutine.
type socket struct {
	net.Conn
	raw syscall.RawConn // raw is nil where the socket cannot do without waiting

	readable func(fd uintptr) bool
	input    *[inputBytes]byte // input is what readable read into, or nil
	n        int
	err      error

	writable func(fd uintptr) bool
	output   []byte
	wrote    int
}

var inputs = sync.Pool{New: func() any { return new([inputBytes]byte) }}

// open makes s the socket of c.
func (s *socket) open(c net.Conn) {
	s.Conn = c
	if sc, ok := c.(syscall.Conn); ok && rawIO {
		if raw, err := sc.SyscallConn(); err == nil {
			s.raw = raw
			s.readable, s.writable = s.readNow, s.writeNow
		}
	}
}

// receive waits for bytes and returns them in memory from the pool, or in own. It is
// called by the reading goroutine only.
func (s *socket) receive(own []byte) (p []byte, err error) {
	if s.raw == nil {
		n, err := s.Conn.Read(own)
		if n > 0 {
			// A TLS connection may tell its end along with the last bytes. It tells it
			// again with the next read.
			err = nil
		}
		return own[:n], err
	}
	s.n, s.err = 0, nil
	if err := s.raw.Read(s.readable); err != nil {
		return nil, err
	}
	if s.n == 0 {
		s.release()
		return nil, s.err
	}
	return s.input[:s.n], nil
}

// release gives the memory of the last receive back.
func (s *socket) release() {
	if s.input != nil {
		inputs.Put(s.input)
		s.input = nil
	}
}

// tryWrite writes what the socket takes without waiting. The queue sees to it that one
// goroutine at a time calls it.
func (s *socket) tryWrite(p []byte) int {
	if s.raw == nil {
		return 0
	}
	s.output, s.wrote = p, 0
	if err := s.raw.Write(s.writable); err != nil {
		s.wrote = 0
	}
	s.output = nil
	return s.wrote
}

// SetWriteDeadline bounds the waiting Write.
func (s *socket) SetWriteDeadline(t time.Time) error { return s.Conn.SetWriteDeadline(t) }
