package refserver

import (
	"encoding/binary"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// The first byte of a WebSocket frame: FIN and the opcode (RFC 6455, section 5.2).
const (
	opText  = 0x80 | 0x1
	opClose = 0x80 | 0x8
)

// headerBytes is the longest header of a frame that a server writes: there is no mask.
const headerBytes = 10

// appendHeader appends the header of an unmasked frame with n payload bytes.
func appendHeader(dst []byte, op byte, n int) []byte {
	switch {
	case n < 126:
		return append(dst, op, byte(n))
	case n < 1<<16:
		return append(dst, op, 126, byte(n>>8), byte(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, op, 127), uint64(n))
}

// appendText appends a text frame.
func appendText(dst, payload []byte) []byte {
	return append(appendHeader(dst, opText, len(payload)), payload...)
}

// appendClose appends a close frame whose reason is the name of the code.
func appendClose(dst []byte, code wire.CloseCode, reason string) []byte {
	// A control frame has at most 125 bytes; names are far shorter.
	reason = reason[:min(len(reason), 123)]
	dst = appendHeader(dst, opClose, 2+len(reason))
	return append(binary.BigEndian.AppendUint16(dst, uint16(code)), reason...)
}
