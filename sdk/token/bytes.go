package token

import "encoding/binary"

// cursor reads the formats' little-endian fields. The first read past the end spoils it for good, so that callers ask
// once, at the end.
type cursor struct {
	rest []byte
	bad  bool
}

func (c *cursor) take(n int) []byte {
	if c.bad || n > len(c.rest) {
		c.bad = true
		return nil
	}
	head := c.rest[:n]
	c.rest = c.rest[n:]
	return head
}

func (c *cursor) uint16() uint16 {
	if b := c.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) uint32() uint32 {
	if b := c.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) str() []byte { return c.take(int(c.uint16())) }

// privilege reads a whole privilege map and returns the value of one key. Keys out of ascending order, and so also
// repeated ones, spoil the cursor.
func (c *cursor) privilege(want uint16) (value uint32, found bool) {
	last := -1
	for range c.uint16() {
		key, v := c.uint16(), c.uint32()
		if c.bad || int(key) <= last {
			c.bad = true
			return 0, false
		}
		last = int(key)
		if key == want {
			value, found = v, true
		}
	}
	return value, found
}

// done tells whether everything was read, exactly to the end.
func (c *cursor) done() bool { return !c.bad && len(c.rest) == 0 }

func appendStr[T string | []byte](b []byte, s T) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// appendPrivilege writes a privilege map with one entry.
func appendPrivilege(b []byte, key uint16, value uint32) []byte {
	b = binary.LittleEndian.AppendUint16(b, 1)
	b = binary.LittleEndian.AppendUint16(b, key)
	return binary.LittleEndian.AppendUint32(b, value)
}
