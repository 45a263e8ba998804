//go:build unix

package refserver

import (
	"io"
	"syscall"
)

// rawIO tells that this system can read and write a socket without waiting.
const rawIO = true

// readNow reads once; it returns false to wait until the socket is readable.
func (s *socket) readNow(fd uintptr) bool {
	if s.input == nil {
		s.input = inputs.Get().(*[inputBytes]byte)
	}
	for {
		s.n, s.err = syscall.Read(int(fd), s.input[:])
		if s.err != syscall.EINTR {
			break
		}
	}
	switch {
	case s.n > 0:
		s.err = nil
	case s.err == syscall.EAGAIN:
		// Nothing there: wait without holding memory.
		s.n = 0
		s.release()
		return false
	default:
		s.n = 0
		if s.err == nil {
			s.err = io.EOF
		}
	}
	return true
}

// writeNow writes until the socket takes no more; it never waits.
func (s *socket) writeNow(fd uintptr) bool {
	for s.wrote < len(s.output) {
		n, err := syscall.Write(int(fd), s.output[s.wrote:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			break
		}
		s.wrote += n
		if s.wrote < len(s.output) {
			break
		}
	}
	return true
}
