package wire

import (
	"encoding/base64"
	"unicode/utf8"
)

// Envelope is a frame of traffic as the hot paths see it: the routing members
// decoded, the payload as it stands in the frame. Its slices alias the scanned
// bytes and are valid as long as those.
type Envelope struct {
	Kind     Kind   // Kind is one of the kinds that [Scan] reads.
	ID       uint64 // ID is the request id of requests and answers.
	Seq      uint64 // Seq is the seq of peer.ack, peer.message and channel.message.
	TS       int64  // TS is the server time of peer.message and channel.message, in milliseconds.
	To       []byte // To is the receiver of peer.send.
	Channel  []byte // Channel is the channel of channel.send and channel.message.
	From     []byte // From is the sender of peer.message and channel.message.
	Payload  []byte // Payload is the payload members as they stand: `"text":"hi"` or `"raw":"…","description":"…"`.
	Size     int    // Size is the size of the payload, see [Message.Size].
	Received bool   // Received is the result in peer.send.ok.
}

// Scan reads a frame of traffic in canonical form into e without allocating:
// peer.send, peer.send.ok, peer.ack, peer.message, channel.send, channel.send.ok,
// channel.message, ping and pong. It returns false for everything else; that is no
// judgement, and [Decode] must be asked. What Scan accepts, Decode accepts with the
// same content.
func Scan(p []byte, e *Envelope) bool {
	s := scanner{p: p}
	if !s.literal(`{"kind":"`) {
		return false
	}
	*e = Envelope{}
	switch kind := s.upTo('"'); string(kind) {
	case string(KindPeerSend):
		e.Kind = KindPeerSend
		return s.id(e) && s.name(`,"to":"`, &e.To) && s.payload(e) && s.end()
	case string(KindChannelSend):
		e.Kind = KindChannelSend
		return s.id(e) && s.name(`,"channel":"`, &e.Channel) && s.payload(e) && s.end()
	case string(KindPeerAck):
		e.Kind = KindPeerAck
		return s.number(`,"seq":`, &e.Seq) && s.end()
	case string(KindPeerMessage):
		e.Kind = KindPeerMessage
		return s.number(`,"seq":`, &e.Seq) && s.name(`,"from":"`, &e.From) && s.time(e) && s.payload(e) && s.end()
	case string(KindChannelMessage):
		e.Kind = KindChannelMessage
		return s.name(`,"channel":"`, &e.Channel) && s.name(`,"from":"`, &e.From) &&
			s.number(`,"seq":`, &e.Seq) && s.time(e) && s.payload(e) && s.end()
	case string(KindPeerSendOK):
		e.Kind = KindPeerSendOK
		return s.id(e) && s.received(e) && s.end()
	case string(KindChannelSendOK):
		e.Kind = KindChannelSendOK
		return s.id(e) && s.end()
	case string(KindPing):
		e.Kind = KindPing
		return s.id(e) && s.end()
	case string(KindPong):
		e.Kind = KindPong
		return s.id(e) && s.end()
	}
	return false
}

// AppendText appends the decoded text of the payload to dst, and reports false if
// the payload is a raw message.
func (e *Envelope) AppendText(dst []byte) ([]byte, bool) {
	lit, ok := member(e.Payload, `"text":"`)
	if !ok {
		return dst, false
	}
	return unescape(dst, lit), true
}

// Message decodes the payload into a message of its own memory.
func (e *Envelope) Message() Message {
	if lit, ok := member(e.Payload, `"text":"`); ok {
		if len(lit) == e.Size {
			return TextMessage(string(lit)) // nothing is escaped
		}
		return TextMessage(string(unescape(nil, lit)))
	}
	lit, _ := member(e.Payload, `"raw":"`)
	raw, _ := base64.StdEncoding.AppendDecode(nil, lit)
	m := RawMessage(raw, "")
	if rest := e.Payload[len(`"raw":""`)+len(lit):]; len(rest) > 0 {
		description, _ := member(rest, `,"description":"`)
		m.Description = string(unescape(nil, description))
	}
	return m
}

// member returns the string literal that follows prefix, without its quotes.
func member(p []byte, prefix string) ([]byte, bool) {
	s := scanner{p: p}
	if !s.literal(prefix) {
		return nil, false
	}
	start := s.at
	s.str()
	return p[start : s.at-1], true
}

// unescape appends the canonical string literal lit, decoded.
func unescape(dst, lit []byte) []byte {
	for i := 0; i < len(lit); i++ {
		c := lit[i]
		if c == '\\' {
			i++
			switch c = lit[i]; c {
			case 'b':
				c = '\b'
			case 't':
				c = '\t'
			case 'n':
				c = '\n'
			case 'f':
				c = '\f'
			case 'r':
				c = '\r'
			case 'u':
				c = hexValue(lit[i+3])<<4 | hexValue(lit[i+4])
				i += 4
			}
		}
		dst = append(dst, c)
	}
	return dst
}

func hexValue(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c - 'a' + 10
}

// scanner reads canonical bytes from left to right.
type scanner struct {
	p  []byte
	at int
}

func (s *scanner) literal(text string) bool {
	if len(s.p)-s.at < len(text) || string(s.p[s.at:s.at+len(text)]) != text {
		return false
	}
	s.at += len(text)
	return true
}

// upTo returns the bytes before the next delimiter within a kind's length.
func (s *scanner) upTo(delimiter byte) []byte {
	start := s.at
	for s.at < len(s.p) && s.at-start < 32 {
		if s.p[s.at] == delimiter {
			s.at++
			return s.p[start : s.at-1]
		}
		s.at++
	}
	return nil
}

func (s *scanner) id(e *Envelope) bool { return s.number(`,"id":`, &e.ID) && e.ID > 0 }

func (s *scanner) number(prefix string, n *uint64) bool {
	if !s.literal(prefix) {
		return false
	}
	start, value := s.at, uint64(0)
	for s.at < len(s.p) && s.p[s.at]-'0' <= 9 && s.at-start < 17 {
		value = value*10 + uint64(s.p[s.at]-'0')
		s.at++
	}
	*n = value
	digits := s.at - start
	return digits > 0 && value <= MaxID && (digits == 1 || s.p[start] != '0')
}

func (s *scanner) time(e *Envelope) bool {
	var ts uint64
	if !s.number(`,"ts":`, &ts) {
		return false
	}
	e.TS = int64(ts)
	return true
}

// name reads an id, which by its alphabet has no escapes.
func (s *scanner) name(prefix string, into *[]byte) bool {
	if !s.literal(prefix) {
		return false
	}
	start := s.at
	for s.at < len(s.p) {
		c := s.p[s.at]
		if c == '"' {
			*into = s.p[start:s.at]
			s.at++
			return true
		}
		if c < 0x20 || c == '\\' || c >= 0x7f {
			return false
		}
		s.at++
	}
	return false
}

func (s *scanner) received(e *Envelope) bool {
	if s.literal(`,"received":true`) {
		e.Received = true
		return true
	}
	return s.literal(`,"received":false`)
}

func (s *scanner) payload(e *Envelope) bool {
	start := s.at + 1
	if s.literal(`,"text":"`) {
		size, ok := s.str()
		e.Payload, e.Size = s.p[min(start, s.at):s.at], size
		return ok
	}
	if !s.literal(`,"raw":"`) {
		return false
	}
	size, ok := s.base64()
	if !ok {
		return false
	}
	if s.literal(`,"description":"`) {
		more, ok := s.str()
		if !ok || more == 0 {
			return false
		}
		size += more
	}
	e.Payload, e.Size = s.p[start:s.at], size
	return true
}

// str reads to the end of a canonical string and returns its decoded length.
func (s *scanner) str() (size int, ok bool) {
	start, saved, ascii := s.at, 0, byte(0)
	for s.at < len(s.p) {
		c := s.p[s.at]
		s.at++
		switch {
		case c == '"':
			lit := s.p[start : s.at-1]
			return len(lit) - saved, ascii < 0x80 || utf8.Valid(lit)
		case c < 0x20:
			return 0, false
		case c == '\\':
			n := s.escape()
			if n == 0 {
				return 0, false
			}
			saved += n
		}
		ascii |= c
	}
	return 0, false
}

// escape reads the rest of a canonical escape and returns how many bytes it is
// longer than what it stands for, or zero if it is not canonical.
func (s *scanner) escape() int {
	if s.at >= len(s.p) {
		return 0
	}
	c := s.p[s.at]
	s.at++
	switch c {
	case '"', '\\', 'b', 't', 'n', 'f', 'r':
		return 1
	case 'u':
		if len(s.p)-s.at < 4 || s.p[s.at] != '0' || s.p[s.at+1] != '0' {
			return 0
		}
		hi, lo := s.p[s.at+2], s.p[s.at+3]
		if hi != '0' && hi != '1' || !(lo >= '0' && lo <= '9' || lo >= 'a' && lo <= 'f') {
			return 0
		}
		switch hexValue(hi)<<4 | hexValue(lo) {
		case '\b', '\t', '\n', '\f', '\r':
			return 0
		}
		s.at += 4
		return 5
	}
	return 0
}

// base64 reads to the end of a strict Base64 string and returns its decoded length.
func (s *scanner) base64() (size int, ok bool) {
	start := s.at
	for s.at < len(s.p) && s.p[s.at] != '"' {
		s.at++
	}
	if s.at == len(s.p) {
		return 0, false
	}
	lit := s.p[start:s.at]
	s.at++
	if len(lit)%4 != 0 {
		return 0, false
	}
	if len(lit) == 0 {
		return 0, true
	}
	// Only the last four characters can hold padding, and must be strict.
	last := lit[len(lit)-4:]
	for _, c := range lit[:len(lit)-4] {
		if !base64Byte[c] {
			return 0, false
		}
	}
	var tail [3]byte
	for _, c := range last {
		if c == '\r' || c == '\n' {
			return 0, false
		}
	}
	n, err := strictBase64.Decode(tail[:], last)
	if err != nil {
		return 0, false
	}
	return (len(lit)-4)/4*3 + n, true
}

var strictBase64 = base64.StdEncoding.Strict()

var base64Byte = func() (set [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		set[c] = true
	}
	return set
}()

func (s *scanner) end() bool { return s.at == len(s.p)-1 && s.p[s.at] == '}' }
