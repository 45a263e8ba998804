package loadgen

import (
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

const (
	stampMagic     = 0x4c52 // "RL", little-endian
	stampBytes     = 32
	stampTextBytes = 43 // Base64 of 32 bytes without padding
)

// stampText is strict: of the 258 bits that 43 characters carry, the two that a stamp does not use must be zero.
var stampText = base64.RawStdEncoding.Strict()

// Stamp identifies a message anywhere it turns up. It is the first part of every payload: 32 bytes, little-endian, or
// their 43 characters of Base64 in a text.
//
//	0 magic "RL" · 2 phase · 3 shard · 4 run · 8 stream · 12 seq · 16 due · 24 payload size · 28 CRC-32 of the rest
type Stamp struct {
	// Run tells the messages of one run from those of another: a random number.
	Run uint32
	// Phase is 0 in the warm-up and 1 in the measured phase, decided by the due time.
	Phase uint8
	// Shard is the number of the generator process; 0 in a run of one process.
	Shard uint8
	// Stream numbers the pairs of sender and destination of a run.
	Stream uint32
	// Seq numbers the messages of a stream from 0.
	Seq uint32
	// Due is the intended time in nanoseconds since the run's time zero, on the sender's monotonic clock.
	Due int64
	// Size is the size of the whole payload in bytes.
	Size uint32
}

// put writes the stamp to the first 32 bytes of b.
func (s *Stamp) put(b []byte) {
	_ = b[stampBytes-1]
	binary.LittleEndian.PutUint16(b[0:], stampMagic)
	b[2], b[3] = s.Phase, s.Shard
	binary.LittleEndian.PutUint32(b[4:], s.Run)
	binary.LittleEndian.PutUint32(b[8:], s.Stream)
	binary.LittleEndian.PutUint32(b[12:], s.Seq)
	binary.LittleEndian.PutUint64(b[16:], uint64(s.Due))
	binary.LittleEndian.PutUint32(b[24:], s.Size)
	binary.LittleEndian.PutUint32(b[28:], crc32.ChecksumIEEE(b[:28]))
}

// read takes the stamp from the first 32 bytes of b and reports whether they are one.
func (s *Stamp) read(b []byte) bool {
	if len(b) < stampBytes || binary.LittleEndian.Uint16(b) != stampMagic ||
		binary.LittleEndian.Uint32(b[28:]) != crc32.ChecksumIEEE(b[:28]) {
		return false
	}
	*s = Stamp{
		Phase:  b[2],
		Shard:  b[3],
		Run:    binary.LittleEndian.Uint32(b[4:]),
		Stream: binary.LittleEndian.Uint32(b[8:]),
		Seq:    binary.LittleEndian.Uint32(b[12:]),
		Due:    int64(binary.LittleEndian.Uint64(b[16:])),
		Size:   binary.LittleEndian.Uint32(b[24:]),
	}
	return true
}

// filler is what follows the stamp: printable ASCII that JSON carries without escapes, known to the receiver, who
// compares it byte by byte.
var filler = func() []byte {
	const alphabet = "abcdefghijklmnopqrstuvwxyz0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	b := make([]byte, maxPayload)
	for i := range b {
		b[i] = alphabet[i%len(alphabet)]
	}
	return b
}()

// newBody returns a payload of p with everything but the stamp in place.
func newBody(p Payload) []byte { return append([]byte(nil), filler[:p.Bytes]...) }

// stamper puts stamps into payloads and takes them out. It keeps the room for that, because the checksum of the standard
// library moves what it reads to the heap. It is not for use by several goroutines at once.
type stamper struct{ raw [stampBytes]byte }

// seal puts the stamp into a body of newBody.
func (t *stamper) seal(s *Stamp, body []byte, kind PayloadType) {
	s.Size = uint32(len(body))
	s.put(t.raw[:])
	if kind == Raw {
		copy(body, t.raw[:])
		return
	}
	stampText.Encode(body[:stampTextBytes], t.raw[:])
}

// open reads the stamp of a received body into s and reports whether the body arrived as it was sealed.
func (t *stamper) open(s *Stamp, body []byte, kind PayloadType) bool {
	head := Payload{Type: kind}.least()
	if len(body) < head || len(body) > len(filler) {
		return false
	}
	if kind == Raw {
		copy(t.raw[:], body)
	} else if _, err := stampText.Decode(t.raw[:], body[:head]); err != nil {
		return false
	}
	return s.read(t.raw[:]) && int(s.Size) == len(body) && string(body[head:]) == string(filler[head:len(body)])
}
