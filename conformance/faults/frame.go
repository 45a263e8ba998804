package faults

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
)

// The WebSocket opcodes that hooks tell apart (RFC 6455, section 5.2).
const (
	OpContinuation byte = 0x0 // a later fragment of a message
	OpText         byte = 0x1 // text, the only kind of message of the protocol
	OpBinary       byte = 0x2 // binary
	OpClose        byte = 0x8 // the end of the connection
	OpPing         byte = 0x9 // a control ping
	OpPong         byte = 0xA // a control pong
)

// maxBuffered is the longest payload that a hook sees; longer frames are passed on as they come.
const maxBuffered = 1 << 20

// Frame is one WebSocket frame on its way through a proxy. Hooks may change it: what stands in its fields afterwards is
// passed on.
type Frame struct {
	// Opcode is the kind of the frame.
	Opcode byte
	// Final tells that no fragment follows.
	Final bool
	// Reserved are the three reserved bits.
	Reserved byte
	// Masked tells that the frame was masked, as those of clients must be.
	Masked bool
	// Length is the length that the header claims, which may be far beyond what was sent.
	Length uint64
	// Payload is the unmasked content, nil for a frame that is too long to be looked at.
	Payload []byte
	// Kind is that of the protocol's frame, for a whole text message that holds one, or "".
	Kind string
	// ID is the id of the request or answer, or 0.
	ID int64

	members map[string]json.RawMessage
	// head and mask are as they came, so that an unchanged frame leaves as it was.
	head    []byte
	changed bool
}

// newFrame returns a whole text message.
func newFrame(payload []byte) *Frame {
	f := &Frame{Opcode: OpText, Final: true, Length: uint64(len(payload)), Payload: payload, changed: true}
	f.parse()
	return f
}

// clone returns a copy that later changes do not reach.
func (f *Frame) clone() *Frame {
	twin := *f
	twin.members = maps.Clone(f.members)
	return &twin
}

func (f *Frame) parse() {
	f.Kind, f.ID, f.members = "", 0, nil
	if f.Opcode != OpText || !f.Final || json.Unmarshal(f.Payload, &f.members) != nil {
		return
	}
	_ = json.Unmarshal(f.members["kind"], &f.Kind)
	_ = json.Unmarshal(f.members["id"], &f.ID)
}

// Is tells whether the frame is of one of these kinds.
func (f *Frame) Is(kinds ...string) bool { return f.Kind != "" && slices.Contains(kinds, f.Kind) }

// Has tells whether the frame has a member of this name.
func (f *Frame) Has(name string) bool { return f.members[name] != nil }

// Text returns a member that is a string, or "".
func (f *Frame) Text(name string) (text string) {
	_ = json.Unmarshal(f.members[name], &text)
	return text
}

// Int returns a member that is an integer, or 0.
func (f *Frame) Int(name string) (n int64) {
	_ = json.Unmarshal(f.members[name], &n)
	return n
}

// Bool returns a member that is true or false, or false.
func (f *Frame) Bool(name string) (b bool) {
	_ = json.Unmarshal(f.members[name], &b)
	return b
}

// Get decodes a member into a value and reports whether it is there and fits.
func (f *Frame) Get(name string, into any) bool {
	return f.members[name] != nil && json.Unmarshal(f.members[name], into) == nil
}

// Set changes a member or adds it.
func (f *Frame) Set(name string, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("faults: member %s: %v", name, err))
	}
	if f.members == nil {
		f.members = make(map[string]json.RawMessage)
	}
	f.members[name] = encoded
	f.SetPayload(f.encode())
}

// Delete removes a member.
func (f *Frame) Delete(name string) {
	delete(f.members, name)
	f.SetPayload(f.encode())
}

// SetPayload replaces the whole content.
func (f *Frame) SetPayload(payload []byte) {
	f.Payload, f.Length, f.changed = payload, uint64(len(payload)), true
	f.parse()
}

// encode returns the members as an object, kind and id first.
func (f *Frame) encode() []byte {
	names := make([]string, 0, len(f.members))
	for name := range f.members {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		rank := func(name string) string {
			switch name {
			case "kind":
				return "0"
			case "id":
				return "1"
			}
			return "2" + name
		}
		return bytes.Compare([]byte(rank(a)), []byte(rank(b)))
	})
	out := []byte{'{'}
	for i, name := range names {
		if i > 0 {
			out = append(out, ',')
		}
		quoted, _ := json.Marshal(name)
		out = append(append(append(out, quoted...), ':'), f.members[name]...)
	}
	return append(out, '}')
}

// CloseCode returns the code of a close frame, 1005 when it has none, and its reason.
func (f *Frame) CloseCode() (code int, reason string) {
	if len(f.Payload) < 2 {
		return 1005, ""
	}
	return int(binary.BigEndian.Uint16(f.Payload)), string(f.Payload[2:])
}

// SetClose changes the code and reason of a close frame.
func (f *Frame) SetClose(code int, reason string) {
	f.SetPayload(append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...))
}

// bytes returns the frame as it goes on the wire, masked when it goes to the server.
func (f *Frame) bytes(way Way) []byte {
	if !f.changed {
		return f.head
	}
	first := f.Opcode&0x0F | f.Reserved&0x07<<4
	if f.Final {
		first |= 0x80
	}
	var mask byte
	if way == ToServer {
		mask = 0x80
	}
	out := []byte{first}
	switch n := len(f.Payload); {
	case n < 126:
		out = append(out, mask|byte(n))
	case n < 1<<16:
		out = binary.BigEndian.AppendUint16(append(out, mask|126), uint16(n))
	default:
		out = binary.BigEndian.AppendUint64(append(out, mask|127), uint64(n))
	}
	if way == ToClient {
		return append(out, f.Payload...)
	}
	var key [4]byte
	_, _ = rand.Read(key[:])
	out = append(out, key[:]...)
	for i, b := range f.Payload {
		out = append(out, b^key[i%4])
	}
	return out
}

// readFrame reads one frame. For one that is too long to be looked at it reads the header only. When the stream ends
// inside a frame, it returns what came of it with the error.
func readFrame(r *bufio.Reader) (f *Frame, partial []byte, err error) {
	head := make([]byte, 2, 14)
	n, err := io.ReadFull(r, head)
	if err != nil {
		return nil, head[:n], err
	}
	f = &Frame{Opcode: head[0] & 0x0F, Final: head[0]&0x80 != 0, Reserved: head[0] >> 4 & 0x07, Masked: head[1]&0x80 != 0}
	extended := 0
	switch f.Length = uint64(head[1] & 0x7F); f.Length {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	more := extended
	if f.Masked {
		more += 4
	}
	head = head[:2+more]
	if n, err = io.ReadFull(r, head[2:]); err != nil {
		return nil, head[:2+n], err
	}
	switch extended {
	case 2:
		f.Length = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		f.Length = binary.BigEndian.Uint64(head[2:])
	}
	f.head = head
	if f.Length > maxBuffered {
		return f, nil, nil
	}
	raw := make([]byte, len(head)+int(f.Length))
	copy(raw, head)
	if n, err = io.ReadFull(r, raw[len(head):]); err != nil {
		return nil, raw[:len(head)+n], err
	}
	f.head, f.Payload = raw, bytes.Clone(raw[len(head):])
	if f.Masked {
		key := head[len(head)-4:]
		for i := range f.Payload {
			f.Payload[i] ^= key[i%4]
		}
	}
	f.parse()
	return f, nil, nil
}
