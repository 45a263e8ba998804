//go:build !unix

package refserver

// rawIO tells that this system cannot read and write a socket without waiting.
const rawIO = false

func (s *socket) readNow(uintptr) bool  { return true }
func (s *socket) writeNow(uintptr) bool { return true }
