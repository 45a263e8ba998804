package loadgen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
)

// The load driver reads and writes WebSocket frames itself once the handshake is done: it takes all frames that one
// read brought as one batch with one time stamp, and queues frames without writing them, and neither allocates. Only
// what RFC 6455 asks of a client is here.

// Opcodes of RFC 6455, section 5.2.
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA
)

// maxFrame bounds the frames taken from a server, in bytes.
const maxFrame = 4 << 20

// appendFrame appends a whole client frame, masked with key.
func appendFrame(dst []byte, opcode byte, payload []byte, key uint32) []byte {
	dst = append(dst, 0x80|opcode)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126, byte(n>>8), byte(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

// mask applies a masking key, eight bytes at a time.
func mask(b []byte, key uint32) {
	wide := uint64(key) | uint64(key)<<32
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(wide >> (8 * i))
	}
}

// wsFrame is a frame as it stands in the read buffer.
type wsFrame struct {
	final   bool
	opcode  byte
	payload []byte
}

var errFrame = errors.New("what came is not a WebSocket frame of a server")

// nextFrame takes the first frame from b. Size is its length, or 0 when b does not hold all of it; then need says how
// long b has to be at least.
func nextFrame(b []byte) (f wsFrame, size, need int, err error) {
	if len(b) < 2 {
		return f, 0, 2, nil
	}
	f.final, f.opcode = b[0]&0x80 != 0, b[0]&0x0f
	if b[0]&0x70 != 0 || b[1]&0x80 != 0 {
		return f, 0, 0, errFrame
	}
	head, length := 2, uint64(b[1])
	switch length {
	case 126:
		head = 4
		if len(b) < head {
			return f, 0, head, nil
		}
		length = uint64(binary.BigEndian.Uint16(b[2:]))
	case 127:
		head = 10
		if len(b) < head {
			return f, 0, head, nil
		}
		length = binary.BigEndian.Uint64(b[2:])
	}
	if length > maxFrame || f.opcode >= opClose && (length > 125 || !f.final) {
		return f, 0, 0, errFrame
	}
	size = head + int(length)
	if len(b) < size {
		return f, 0, size, nil
	}
	f.payload = b[head:size]
	return f, size, 0, nil
}

// handshakeConn is a connection that gives its reader nothing beyond the end of an HTTP response head. So the library
// that makes the handshake cannot swallow the first frames, which rest here.
type handshakeConn struct {
	net.Conn
	rest []byte
	tail [4]byte // the last four bytes given out
	over bool
}

var headEnd = []byte("\r\n\r\n")

func (c *handshakeConn) Read(p []byte) (int, error) {
	if c.over || len(p) == 0 {
		return 0, errors.New("read behind the handshake")
	}
	if len(c.rest) == 0 {
		buffer := make([]byte, 4096)
		n, err := c.Conn.Read(buffer)
		if n == 0 {
			return 0, err
		}
		c.rest = buffer[:n]
	}
	n := 0
	for n < len(p) && n < len(c.rest) && !c.over {
		p[n] = c.rest[n]
		copy(c.tail[:], c.tail[1:])
		c.tail[3] = p[n]
		c.over = bytes.Equal(c.tail[:], headEnd)
		n++
	}
	c.rest = c.rest[n:]
	return n, nil
}
