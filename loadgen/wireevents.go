package loadgen

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// memberEvents begin like this; there are many of them while sessions join and leave, and the load driver has no use
// for them.
var memberEvents = []byte(`{"kind":"channel.member_`)

// message turns one protocol frame into an event of the batch.
func (s *wireSession) message(p []byte) *Failure {
	var e wire.Envelope
	if !wire.Scan(p, &e) {
		if bytes.HasPrefix(p, memberEvents) {
			return nil
		}
		return s.rare(p)
	}
	switch e.Kind {
	case wire.KindPeerMessage:
		s.peerSeq = max(s.peerSeq, e.Seq)
		return s.delivered(&e)
	case wire.KindChannelMessage:
		return s.delivered(&e)
	case wire.KindPeerSendOK:
		s.events = append(s.events, Event{Kind: Answered, Tag: e.ID - tagBase, Received: e.Received})
	case wire.KindChannelSendOK:
		s.events = append(s.events, Event{Kind: Answered, Tag: e.ID - tagBase, Received: true})
	}
	return nil
}

var (
	textMember = []byte(`"text":"`)
	rawMember  = []byte(`"raw":"`)
)

// delivered adds the arrival of a message whose payload stands in canonical form.
func (s *wireSession) delivered(e *wire.Envelope) *Failure {
	event := Event{Kind: Delivered, From: e.From, Channel: e.Channel}
	if lit, ok := bytes.CutPrefix(e.Payload, textMember); ok {
		if event.Body = lit[:len(lit)-1]; len(event.Body) != e.Size {
			// The text holds escapes, which a generated payload never does; its bytes must be decoded all the same.
			event.Body, _ = e.AppendText(nil)
		}
	} else if lit, ok := bytes.CutPrefix(e.Payload, rawMember); ok {
		event.Raw = true
		start := len(s.texts)
		lit, _, _ = bytes.Cut(lit, []byte(`"`))
		text, err := base64.StdEncoding.AppendDecode(s.texts, lit)
		if err != nil {
			return &Failure{Op: "session", Class: ClassProtocol, Text: "a raw message is not Base64"}
		}
		// Growing may move texts; bodies of earlier events keep pointing to where they were written.
		s.texts = text
		event.Body = text[start:]
	}
	s.events = append(s.events, event)
	return nil
}

// rare handles the frames that the scanner leaves to the strict decoder.
func (s *wireSession) rare(p []byte) *Failure {
	frame, err := wire.Decode(p)
	if err != nil {
		return &Failure{Op: "session", Class: ClassProtocol, Text: "the server sent what is no frame: " + err.Error()}
	}
	switch f := frame.(type) {
	case *wire.PeerMessage:
		s.peerSeq = max(s.peerSeq, f.Seq)
		s.events = append(s.events, deliveredFrame(f.From, "", &f.Message))
	case *wire.ChannelMessage:
		s.events = append(s.events, deliveredFrame(f.From, f.Channel, &f.Message))
	case *wire.PeerSendOK:
		s.events = append(s.events, Event{Kind: Answered, Tag: f.ID - tagBase, Received: f.Received})
	case *wire.OK:
		if f.Answers == wire.KindChannelSend {
			s.events = append(s.events, Event{Kind: Answered, Tag: f.ID - tagBase, Received: true})
			return nil
		}
		s.answer(f.ID, f)
	case *wire.LoginOK:
		s.answer(f.ID, f)
	case *wire.ChannelJoinOK:
		s.answer(f.ID, f)
	case *wire.Error:
		if f.ID >= tagBase {
			s.events = append(s.events, Event{Kind: Refused, Tag: f.ID - tagBase, Failure: refusal(f.Op, f)})
			return nil
		}
		s.answer(f.ID, f)
	}
	return nil
}

func deliveredFrame(from, channel string, m *wire.Message) Event {
	e := Event{Kind: Delivered, From: []byte(from), Raw: m.Type == wire.MessageRaw, Body: []byte(m.Text)}
	if channel != "" {
		e.Channel = []byte(channel)
	}
	if e.Raw {
		e.Body = m.Raw
	}
	return e
}

// answer gives a call its answer.
func (s *wireSession) answer(id uint64, frame wire.Frame) {
	s.mu.Lock()
	waiting := s.waiting[id]
	delete(s.waiting, id)
	s.mu.Unlock()
	if waiting != nil {
		waiting <- frame
	}
}

// refusal classes an error answer.
func refusal(op wire.Kind, e *wire.Error) *Failure {
	f := &Failure{Op: string(op), Class: ClassRefused, Code: e.Code, Text: e.Name}
	if e.Message != "" {
		f.Text = fmt.Sprintf("%s (%s)", e.Name, e.Message)
	}
	code, _ := wire.CodeOf(op, e.Code)
	switch code {
	case wire.PeerTooOften, wire.ChannelSendTooOften, wire.JoinTooOften, wire.JoinSameTooOften, wire.LoginTooOften:
		f.Class = ClassRateLimited
	case wire.PeerTimeout, wire.ChannelSendTimeout:
		f.Class = ClassAckTimeout
	case wire.PeerInvalidMessage, wire.ChannelSendInvalidMessage:
		f.Class = ClassTooLarge
	case wire.ChannelSendNotInChannel:
		f.Class = ClassNotMember
	}
	return f
}
