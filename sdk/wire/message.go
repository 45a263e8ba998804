package wire

import (
	"encoding/base64"
	"strings"
)

// MessageType tells what a [Message] carries.
type MessageType uint8

// The message types. The zero value is no message at all.
const (
	MessageInvalid MessageType = iota // MessageInvalid: neither text nor raw, both, or raw that is not Base64.
	MessageText                       // MessageText: Text holds the message.
	MessageRaw                        // MessageRaw: Raw and Description hold the message.
)

// Message is the payload of a peer or channel message. In a frame it stands as
// the member text, or as the members raw (standard Base64 with padding, no line
// breaks) and description (optional, only with raw).
type Message struct {
	Type        MessageType // Type tells which fields count.
	Text        string      // Text is the message text; it may be empty.
	Raw         []byte      // Raw holds the bytes of a raw message; it may be empty.
	Description string      // Description describes a raw message; it may be empty.

	parts uint8 // which members the decoder has seen
}

const (
	partText = 1 << iota
	partRaw
	partDescription
	partBroken
)

// TextMessage returns a text message.
func TextMessage(text string) Message { return Message{Type: MessageText, Text: text} }

// RawMessage returns a raw message. It keeps raw and does not copy it.
func RawMessage(raw []byte, description string) Message {
	return Message{Type: MessageRaw, Raw: raw, Description: description}
}

// Size returns the number of bytes that count against the announced
// message_bytes: the UTF-8 text, or the raw bytes and the description together.
func (m *Message) Size() int {
	if m.Type == MessageRaw {
		return len(m.Raw) + len(m.Description)
	}
	return len(m.Text)
}

// member returns the setter for a payload member, or nil if name is none.
func (m *Message) member(name string) any {
	switch name {
	case "text":
		return func(s string) { m.parts |= partText; m.Text = s }
	case "raw":
		return func(s string) {
			m.parts |= partRaw
			raw, err := base64.StdEncoding.Strict().DecodeString(s)
			if err != nil || strings.ContainsAny(s, "\r\n") {
				m.parts |= partBroken
			}
			m.Raw = raw
		}
	case "description":
		return func(s string) {
			if s != "" { // an empty description is an absent one
				m.parts |= partDescription
				m.Description = s
			}
		}
	}
	return nil
}

// settle decides the type once all members have been seen.
func (m *Message) settle() {
	switch m.parts {
	case partText:
		m.Type = MessageText
	case partRaw, partRaw | partDescription:
		m.Type = MessageRaw
	default:
		*m = Message{}
	}
	m.parts = 0
}
