package rtm

import (
	"bytes"
	"time"
	"unicode/utf8"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Message is a text or a raw message. It does not change once made, so a message
// of one's own may be sent any number of times, also by several goroutines. A
// message that was received refuses to be sent (rule 102); make a new one from its
// content.
type Message struct {
	payload  wire.Message
	received bool
	at       int64
}

// NewText returns a text message. The text must be UTF-8 of at most the announced
// message size (32 KB); it may be empty. What breaks this is refused when it is
// sent.
func NewText(text string) *Message { return &Message{payload: wire.TextMessage(text)} }

// NewRaw returns a raw message with a copy of raw. Raw and description together
// have at most the announced message size (32 KB); either may be empty, and the
// description must be UTF-8. What breaks this is refused when it is sent.
func NewRaw(raw []byte, description string) *Message {
	return &Message{payload: wire.RawMessage(bytes.Clone(raw), description)}
}

// Type tells whether this is a text or a raw message. The zero Message is neither.
func (m *Message) Type() wire.MessageType { return m.payload.Type }

// Text returns the text of a text message.
func (m *Message) Text() string { return m.payload.Text }

// Raw returns the bytes of a raw message, which must not be changed.
func (m *Message) Raw() []byte { return m.payload.Raw }

// Description returns the description of a raw message.
func (m *Message) Description() string { return m.payload.Description }

// Received tells whether the message came from the server; such a message refuses
// to be sent.
func (m *Message) Received() bool { return m.received }

// ServerReceivedAt returns when the server received the message, to the
// millisecond, and the zero time for a message of one's own. It is for display;
// the order of messages must not be derived from it (rules 99, 100).
func (m *Message) ServerReceivedAt() time.Time {
	if !m.received {
		return time.Time{}
	}
	return time.UnixMilli(m.at)
}

// check returns nil if the message may be sent, and else the error with code.
func (m *Message) check(code wire.Code, limit int) error {
	switch {
	case m == nil || m.payload.Type == wire.MessageInvalid:
		return refuse(code, "this is no message; make one with NewText or NewRaw")
	case m.received:
		return refuse(code, "a received message cannot be sent again; make a new one from its content")
	case m.payload.Size() > limit:
		return refuse(code, "the message has %d bytes and may have %d; split it", m.payload.Size(), limit)
	case !utf8.ValidString(m.payload.Text) || !utf8.ValidString(m.payload.Description):
		return refuse(code, "the text is not valid UTF-8; send such bytes as a raw message")
	}
	return nil
}
