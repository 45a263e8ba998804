package wire

// This file writes the frames of traffic around a payload that is already encoded,
// as [Envelope.Payload] holds it or [Message.AppendPayload] makes it, so that a
// server copies a payload instead of decoding it and writing it again.

// AppendPayload appends the payload members in canonical form, `"text":"hi"`.
func (m *Message) AppendPayload(dst []byte) []byte {
	start := len(dst)
	dst = m.append(dst)
	if len(dst) == start {
		return dst
	}
	// append writes the comma that parts the payload from the members before it.
	return append(dst[:start], dst[start+1:]...)
}

// AppendPeerSend appends a peer.send frame.
func AppendPeerSend(dst []byte, id uint64, to string, payload []byte) []byte {
	return closing(text(number(open(dst, KindPeerSend), "id", id), "to", to), payload)
}

// AppendPeerMessage appends a peer.message frame.
func AppendPeerMessage(dst []byte, seq uint64, from string, ts int64, payload []byte) []byte {
	dst = text(number(open(dst, KindPeerMessage), "seq", seq), "from", from)
	return closing(number(dst, "ts", ts), payload)
}

// AppendChannelSend appends a channel.send frame.
func AppendChannelSend(dst []byte, id uint64, channel string, payload []byte) []byte {
	return closing(text(number(open(dst, KindChannelSend), "id", id), "channel", channel), payload)
}

// AppendChannelMessage appends a channel.message frame.
func AppendChannelMessage(dst []byte, channel, from string, seq uint64, ts int64, payload []byte) []byte {
	dst = text(text(open(dst, KindChannelMessage), "channel", channel), "from", from)
	return closing(number(number(dst, "seq", seq), "ts", ts), payload)
}

// AppendPeerSendOK appends a peer.send.ok frame.
func AppendPeerSendOK(dst []byte, id uint64, received bool) []byte {
	return append(boolean(number(open(dst, KindPeerSendOK), "id", id), "received", received), '}')
}

// AppendOK appends the answer to a request of kind answers that has nothing to
// tell but success, see [OK].
func AppendOK(dst []byte, answers Kind, id uint64) []byte {
	dst = append(append(dst, `{"kind":"`...), answers...)
	return append(number(append(dst, `.ok"`...), "id", id), '}')
}

// AppendPeerAck appends a peer.ack frame.
func AppendPeerAck(dst []byte, seq uint64) []byte {
	return append(number(open(dst, KindPeerAck), "seq", seq), '}')
}

// AppendPong appends a pong frame.
func AppendPong(dst []byte, id uint64) []byte {
	return append(number(open(dst, KindPong), "id", id), '}')
}

func closing(dst, payload []byte) []byte {
	return append(append(append(dst, ','), payload...), '}')
}
