package probe

import (
	"crypto/rand"
	"encoding/binary"
)

// Opcodes of WebSocket frames (RFC 6455, section 5.2).
const (
	// OpContinuation continues a fragmented message.
	OpContinuation byte = 0x0
	// OpText starts a text message.
	OpText byte = 0x1
	// OpBinary starts a binary message.
	OpBinary byte = 0x2
	// OpClose closes the connection.
	OpClose byte = 0x8
	// OpPing asks for a pong.
	OpPing byte = 0x9
	// OpPong answers a ping.
	OpPong byte = 0xA
)

// RawFrame is one WebSocket frame bit by bit, legal or not. Its zero values are legal choices: a final, masked frame
// without reserved bits whose header tells the true length in the shortest form.
type RawFrame struct {
	// Opcode is the low half of the first byte; see the Op constants. Others are reserved.
	Opcode byte
	// Continues clears the FIN bit: more frames of the same message follow.
	Continues bool
	// Reserved holds the bits RSV1 (4), RSV2 (2) and RSV3 (1), which must be 0 when no extension was agreed.
	Reserved byte
	// Unmasked leaves out the mask, which a client must not do.
	Unmasked bool
	// Claim, when not 0, is the payload length that the header tells instead of the true one.
	Claim uint64
	// Payload is what follows the header.
	Payload []byte
}

// Bytes returns the frame as it goes on the wire.
func (f RawFrame) Bytes() []byte {
	first := f.Opcode&0x0F | f.Reserved&0x07<<4
	if !f.Continues {
		first |= 0x80
	}
	var masked byte
	if !f.Unmasked {
		masked = 0x80
	}
	length := uint64(len(f.Payload))
	if f.Claim != 0 {
		length = f.Claim
	}
	out := make([]byte, 0, len(f.Payload)+14)
	switch {
	case length < 126:
		out = append(out, first, masked|byte(length))
	case length < 1<<16:
		out = append(out, first, masked|126)
		out = binary.BigEndian.AppendUint16(out, uint16(length))
	default:
		out = append(out, first, masked|127)
		out = binary.BigEndian.AppendUint64(out, length)
	}
	if f.Unmasked {
		return append(out, f.Payload...)
	}
	var key [4]byte
	rand.Read(key[:])
	out = append(out, key[:]...)
	for i, b := range f.Payload {
		out = append(out, b^key[i%4])
	}
	return out
}

// Fragments cuts one message into frames of at most size bytes of payload: the first has the opcode, the others continue
// it, and only the last is final. The size must be at least 1.
func Fragments(opcode byte, payload []byte, size int) []RawFrame {
	var frames []RawFrame
	for {
		part := payload[:min(size, len(payload))]
		payload = payload[len(part):]
		frames = append(frames, RawFrame{Opcode: opcode, Payload: part, Continues: len(payload) > 0})
		if len(payload) == 0 {
			return frames
		}
		opcode = OpContinuation
	}
}

// ClosePayload returns the payload of a close frame: the code in two bytes and the reason.
func ClosePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}
