package faults

import (
	"net"
	"time"
)

// partPause is how often a proxy takes note that a part of a frame has come. What comes in one go takes less.
const partPause = 50 * time.Millisecond

// parts is what a client sends. It tells when a part of a frame has come and the rest is awaited.
type parts struct {
	net.Conn
	came func()

	awaited, begun bool
	noted          time.Time
}

// begin says that a frame is awaited, and whether some of it is here already.
func (p *parts) begin(begun bool) { p.awaited, p.begun, p.noted = true, begun, time.Now() }

// end says that what comes next is not looked at, or the frame is whole.
func (p *parts) end() { p.awaited, p.begun = false, false }

func (p *parts) Read(b []byte) (int, error) {
	if p.begun && time.Since(p.noted) > partPause {
		p.noted = time.Now()
		p.came()
	}
	n, err := p.Conn.Read(b)
	p.begun = p.begun || p.awaited && n > 0
	return n, err
}
