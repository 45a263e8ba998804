package loadgen

import (
	"encoding/binary"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	// maxNullFrame bounds the frames that a null server takes.
	maxNullFrame = 1 << 20

	// maxNullBacklog bounds what waits for a client that does not read; beyond, its connection ends.
	maxNullBacklog = 32 << 20

	// maxNullReceipts bounds the peer messages that wait for the acknowledgement of one client; beyond, its senders hear
	// that it has not received them.
	maxNullReceipts = 1 << 20

	// nullLinger is how long a client may take to close after its logout.
	nullLinger = 5 * time.Second
)

// nullConn is a connection of a [nullServer]: one goroutine reads it. Whoever puts the first bytes into out has to flush,
// at the end of what its own read brought, so that all frames of a batch share one write.
type nullConn struct {
	server *nullServer
	conn   net.Conn
	try    *writeTry

	// By the reading goroutine alone.
	uid     string // written under the server's lock
	rooms   map[string]*nullRoom
	in      []byte
	filled  int
	frame   []byte // the frame being made
	whole   []byte // the same with its WebSocket head
	flushes []*nullConn
	done    []nullReceipt

	mu         sync.Mutex
	out, spare []byte
	busy       bool // somebody writes
	dead       bool
	last       bool          // nothing more comes after out
	seq        uint64        // of the last peer message
	receipts   []nullReceipt // for the peer messages not acknowledged yet, in order of their seq
	peer       []byte        // the peer.message being made
}

// nullReceipt is a peer message whose sender waits for an answer.
type nullReceipt struct {
	sender *nullConn
	id     uint64
}

func newNullConn(s *nullServer, conn net.Conn) *nullConn {
	return &nullConn{server: s, conn: conn, try: newWriteTry(conn), rooms: map[string]*nullRoom{}, in: make([]byte, readBuffer)}
}

// read serves the connection until it ends. It is the hot path: nothing is allocated for a message.
func (c *nullConn) read() {
	for {
		n, err := c.conn.Read(c.in[c.filled:])
		c.filled += n
		if n > 0 {
			more := c.takeAll(time.Now().UnixMilli())
			c.flushAll()
			if !more {
				c.linger()
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// linger waits until a client that has logged out closes its side, so that it reads all that was written.
func (c *nullConn) linger() {
	c.mu.Lock()
	c.last = true
	if !c.busy && len(c.out) == 0 {
		c.endWriting()
	}
	c.mu.Unlock()
	_ = c.conn.SetReadDeadline(time.Now().Add(nullLinger))
	for {
		if _, err := c.conn.Read(c.in); err != nil {
			return
		}
	}
}

func (c *nullConn) endWriting() {
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	} else {
		_ = c.conn.Close()
	}
}

// takeAll handles all whole frames in the buffer and makes room for more; false ends the connection.
func (c *nullConn) takeAll(now int64) bool {
	used := 0
	for {
		frame, size, need := clientFrame(c.in[used:c.filled])
		if need > maxNullFrame {
			return false
		}
		if size == 0 {
			rest := c.in[used:c.filled]
			if need > len(c.in) {
				c.in = make([]byte, need+readBuffer)
			}
			c.filled = copy(c.in, rest)
			return true
		}
		used += size
		switch {
		case frame.opcode == opText && frame.final:
			if !c.take(frame.payload, now) {
				return false
			}
		case frame.opcode == opPing:
			c.put(c, appendServerFrame(nil, opPong, frame.payload))
		case frame.opcode == opPong:
		default: // a close frame, or what the generator never sends
			return false
		}
	}
}

// clientFrame takes the first frame from b and unmasks it in place. Size is its length, or 0 when b does not hold all of
// it; then need says how long b has to be at least. What is no frame of a client needs more than there can be.
func clientFrame(b []byte) (f wsFrame, size, need int) {
	if len(b) < 2 {
		return f, 0, 2
	}
	f.final, f.opcode = b[0]&0x80 != 0, b[0]&0x0f
	if b[0]&0x70 != 0 || b[1]&0x80 == 0 {
		return f, 0, maxNullFrame + 1
	}
	head, length := 2, uint64(b[1]&0x7f)
	switch length {
	case 126:
		head = 4
	case 127:
		head = 10
	}
	if len(b) < head {
		return f, 0, head
	}
	switch length {
	case 126:
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		length = binary.BigEndian.Uint64(b[2:])
	}
	if length > maxNullFrame || f.opcode >= opClose && length > 125 {
		return f, 0, maxNullFrame + 1
	}
	size = head + 4 + int(length)
	if len(b) < size {
		return f, 0, size
	}
	f.payload = b[head+4 : size]
	mask(f.payload, binary.LittleEndian.Uint32(b[head:]))
	return f, size, 0
}

// appendServerFrame appends a whole server frame, which is not masked.
func appendServerFrame(dst []byte, opcode byte, payload []byte) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, byte(n))
	case n < 1<<16:
		dst = append(dst, 126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
	return append(dst, payload...)
}

// send puts a protocol frame into a connection. The frame may be made in c.frame.
func (c *nullConn) send(to *nullConn, frame []byte) {
	c.frame = frame
	c.whole = appendServerFrame(c.whole[:0], opText, frame)
	c.put(to, c.whole)
}

// put copies whole WebSocket frames into a connection and notes whether this one has to flush it.
func (c *nullConn) put(to *nullConn, frames []byte) {
	to.mu.Lock()
	if to.room(len(frames)) {
		if len(to.out) == 0 && !to.busy {
			c.flushes = append(c.flushes, to)
		}
		to.out = append(to.out, frames...)
	}
	to.mu.Unlock()
}

// room reports whether the connection takes n bytes more. The caller holds the lock.
func (c *nullConn) room(n int) bool {
	if !c.dead && len(c.out)+n > maxNullBacklog {
		c.dead = true
		_ = c.conn.Close()
	}
	return !c.dead && !c.last
}

// handOver puts a peer message into its receiver's connection, and its receipt among those to come.
func (c *nullConn) handOver(to *nullConn, e *wire.Envelope, now int64) bool {
	to.mu.Lock()
	defer to.mu.Unlock()
	if !to.room(len(e.Payload)) || len(to.receipts) == maxNullReceipts {
		return false
	}
	if len(to.out) == 0 && !to.busy {
		c.flushes = append(c.flushes, to)
	}
	to.seq++
	to.receipts = append(to.receipts, nullReceipt{c, e.ID})
	to.peer = wire.AppendPeerMessage(to.peer[:0], to.seq, c.uid, now, e.Payload)
	to.out = appendServerFrame(to.out, opText, to.peer)
	return true
}

// acknowledge returns the receipts up to seq; false for a seq that was never sent.
func (c *nullConn) acknowledge(seq uint64) (receipts []nullReceipt, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if seq > c.seq {
		return nil, false
	}
	first := c.seq - uint64(len(c.receipts)) // the last seq acknowledged before
	if seq <= first {
		return nil, true
	}
	n := int(seq - first)
	c.done = append(c.done[:0], c.receipts[:n]...)
	c.receipts = slices.Delete(c.receipts, 0, n)
	return c.done, true
}

// answerSend tells a sender what became of its peer message.
func (c *nullConn) answerSend(r nullReceipt, received bool) {
	c.send(r.sender, wire.AppendPeerSendOK(c.frame[:0], r.id, received))
}

// end stops the connection for writers and returns the receipts that nobody will give any more.
func (c *nullConn) end() []nullReceipt {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dead = true
	left := c.receipts
	c.receipts = nil
	return left
}

// flushAll writes whatever this connection has put somewhere.
func (c *nullConn) flushAll() {
	for _, to := range c.flushes {
		to.flush()
	}
	c.flushes = c.flushes[:0]
}

// flush writes what waits, as far as the socket takes it at once; a goroutine writes the rest. The lock is not held
// while the system writes.
func (c *nullConn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.busy && !c.dead && len(c.out) > 0 {
		chunk := c.out
		c.out, c.spare, c.busy = c.spare[:0], nil, true
		c.mu.Unlock()
		n, err := c.try.write(chunk)
		c.mu.Lock()
		if err == nil && n < len(chunk) {
			c.server.tasks.Go(func() { c.writeRest(chunk, n) })
			return
		}
		c.wrote(chunk, err)
	}
}

// writeRest writes what the socket did not take at once, until nothing is left.
func (c *nullConn) writeRest(chunk []byte, n int) {
	for {
		_, err := c.conn.Write(chunk[n:])
		c.mu.Lock()
		if err != nil || len(c.out) == 0 {
			c.wrote(chunk, err)
			c.mu.Unlock()
			return
		}
		chunk, c.out, n = c.out, chunk[:0], 0
		c.mu.Unlock()
	}
}

// wrote ends a write. The caller holds the lock.
func (c *nullConn) wrote(chunk []byte, err error) {
	c.busy, c.spare = false, chunk
	if err != nil {
		c.dead = true
		_ = c.conn.Close()
	}
	if c.last && len(c.out) == 0 {
		c.endWriting()
	}
}
