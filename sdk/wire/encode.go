package wire

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// The canonical form: no white space, kind first, id second, then the members in
// the order of PROTOCOL.md; optional members left out when empty; strings with the
// fewest escapes (RFC 8785); integers without exponent or fraction.

func open(dst []byte, kind Kind) []byte {
	dst = append(dst, `{"kind":"`...)
	dst = append(dst, kind...)
	return append(dst, '"')
}

func number[N int | int64 | uint64](dst []byte, name string, n N) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	if n < 0 {
		return strconv.AppendInt(dst, int64(n), 10)
	}
	return strconv.AppendUint(dst, uint64(n), 10)
}

func text(dst []byte, name, s string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return quote(dst, s)
}

func boolean(dst []byte, name string, b bool) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":`...)
	return strconv.AppendBool(dst, b)
}

func texts(dst []byte, name string, list []string) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, name...)
	dst = append(dst, `":[`...)
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = quote(dst, s)
	}
	return append(dst, ']')
}

const hexDigits = "0123456789abcdef"

// quote appends s as a JSON string with the fewest escapes. Bytes that are not
// UTF-8 become the replacement character, because a frame must be UTF-8.
func quote(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < 0x80 {
			continue
		}
		if c >= 0x80 {
			// Whole runes are copied with the run; only broken ones need work.
			if r, n := utf8.DecodeRuneInString(s[i:]); r != utf8.RuneError || n > 1 {
				i += n - 1
				continue
			}
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\uFFFD"...)
			start = i + 1
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = escape(dst, c)
		start = i + 1
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

func escape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\t':
		return append(dst, `\t`...)
	case '\n':
		return append(dst, `\n`...)
	case '\f':
		return append(dst, `\f`...)
	case '\r':
		return append(dst, `\r`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

func (m *Message) append(dst []byte) []byte {
	switch m.Type {
	case MessageText:
		return text(dst, "text", m.Text)
	case MessageRaw:
		dst = append(dst, `,"raw":"`...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Raw)
		dst = append(dst, '"')
		if m.Description != "" {
			dst = text(dst, "description", m.Description)
		}
	}
	return dst
}

// Append appends the frame in canonical form.
func (f *Login) Append(dst []byte) []byte {
	dst = number(open(dst, KindLogin), "id", f.ID)
	dst = text(text(dst, "app_id", f.AppID), "uid", f.UID)
	if f.Token != "" {
		dst = text(dst, "token", f.Token)
	}
	if f.Resume != nil {
		dst = append(dst, `,"resume":{"session":`...)
		dst = quote(dst, f.Resume.Session)
		dst = number(dst, "peer_seq", f.Resume.PeerSeq)
		dst = append(dst, `,"channels":[`...)
		for i, c := range f.Resume.Channels {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(dst, `{"channel":`...)
			dst = number(quote(dst, c.Channel), "seq", c.Seq)
			dst = append(dst, '}')
		}
		dst = append(dst, `]}`...)
	}
	return append(dst, '}')
}

// Append appends the frame in canonical form.
func (f *Logout) Append(dst []byte) []byte {
	return append(number(open(dst, KindLogout), "id", f.ID), '}')
}

// Append appends the frame in canonical form.
func (f *TokenRenew) Append(dst []byte) []byte {
	return append(text(number(open(dst, KindTokenRenew), "id", f.ID), "token", f.Token), '}')
}

// Append appends the frame in canonical form.
func (f *PeerSend) Append(dst []byte) []byte {
	dst = text(number(open(dst, KindPeerSend), "id", f.ID), "to", f.To)
	return append(f.Message.append(dst), '}')
}

// Append appends the frame in canonical form.
func (f *PeerAck) Append(dst []byte) []byte {
	return append(number(open(dst, KindPeerAck), "seq", f.Seq), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelJoin) Append(dst []byte) []byte {
	dst = text(number(open(dst, KindChannelJoin), "id", f.ID), "channel", f.Channel)
	if f.After != 0 {
		dst = number(dst, "after", f.After)
	}
	return append(dst, '}')
}

// Append appends the frame in canonical form.
func (f *ChannelLeave) Append(dst []byte) []byte {
	return append(text(number(open(dst, KindChannelLeave), "id", f.ID), "channel", f.Channel), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelSend) Append(dst []byte) []byte {
	dst = text(number(open(dst, KindChannelSend), "id", f.ID), "channel", f.Channel)
	return append(f.Message.append(dst), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelMembers) Append(dst []byte) []byte {
	return append(text(number(open(dst, KindChannelMembers), "id", f.ID), "channel", f.Channel), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelCount) Append(dst []byte) []byte {
	return append(texts(number(open(dst, KindChannelCount), "id", f.ID), "channels", f.Channels), '}')
}

// Append appends the frame in canonical form.
func (f *Ping) Append(dst []byte) []byte {
	return append(number(open(dst, KindPing), "id", f.ID), '}')
}

// Append appends the frame in canonical form.
func (f *LoginOK) Append(dst []byte) []byte {
	dst = number(open(dst, KindLoginOK), "id", f.ID)
	dst = boolean(text(dst, "session", f.Session), "resumed", f.Resumed)
	dst = number(dst, "server_ts", f.ServerTS)
	dst = append(dst, `,"server":{"name":`...)
	dst = text(quote(dst, f.Server.Name), "version", f.Server.Version)
	dst = append(dst, `},"limits":`...)
	dst = append(f.Limits.append(dst), '}')
	if len(f.Missing) > 0 {
		dst = texts(dst[:len(dst)-1], "missing", f.Missing)
		dst = append(dst, '}')
	}
	return dst
}

func (l *Limits) append(dst []byte) []byte {
	dst = append(dst, `{"channels":`...)
	dst = strconv.AppendInt(dst, int64(l.Channels), 10)
	dst = number(dst, "message_bytes", l.MessageBytes)
	dst = number(dst, "id_bytes", l.IDBytes)
	dst = number(dst, "frame_bytes", l.FrameBytes)
	dst = number(dst, "members", l.Members)
	dst = number(dst, "count_channels", l.CountChannels)
	dst = number(dst, "replay_messages", l.ReplayMessages)
	dst = number(dst, "replay_ms", l.ReplayMS)
	dst = number(dst, "session_grace_ms", l.SessionGraceMS)
	dst = number(dst, "reconnect_threshold_ms", l.ReconnectThresholdMS)
	dst = number(dst, "ack_timeout_ms", l.AckTimeoutMS)
	dst = number(dst, "ping_interval_ms", l.PingIntervalMS)
	dst = number(dst, "silence_ms", l.SilenceMS)
	dst = number(dst, "login_timeout_ms", l.LoginTimeoutMS)
	dst = number(dst, "token_notice_ms", l.TokenNoticeMS)
	dst = number(dst, "count_interval_ms", l.CountIntervalMS)
	dst = number(dst, "count_interval_large_ms", l.CountIntervalLargeMS)
	dst = append(dst, `,"calls":[`...)
	for i, r := range l.Calls {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"call":`...)
		dst = number(quote(dst, string(r.Call)), "count", r.Count)
		dst = append(number(dst, "window_ms", r.WindowMS), '}')
	}
	return append(dst, `]}`...)
}

// Append appends the frame in canonical form.
func (f *OK) Append(dst []byte) []byte {
	return append(number(open(dst, f.Kind()), "id", f.ID), '}')
}

// Append appends the frame in canonical form.
func (f *PeerSendOK) Append(dst []byte) []byte {
	return append(boolean(number(open(dst, KindPeerSendOK), "id", f.ID), "received", f.Received), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelJoinOK) Append(dst []byte) []byte {
	dst = number(open(dst, KindChannelJoinOK), "id", f.ID)
	return append(number(number(dst, "seq", f.Seq), "count", f.Count), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelMembersOK) Append(dst []byte) []byte {
	return append(texts(number(open(dst, KindChannelMembersOK), "id", f.ID), "members", f.Members), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelCountOK) Append(dst []byte) []byte {
	dst = append(number(open(dst, KindChannelCountOK), "id", f.ID), `,"counts":[`...)
	for i, n := range f.Counts {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	return append(dst, `]}`...)
}

// Append appends the frame in canonical form.
func (f *Pong) Append(dst []byte) []byte {
	return append(number(open(dst, KindPong), "id", f.ID), '}')
}

// Append appends the frame in canonical form. An error without a request, ID zero,
// is written without an id.
func (f *Error) Append(dst []byte) []byte {
	dst = open(dst, KindError)
	if f.ID != 0 {
		dst = number(dst, "id", f.ID)
	}
	dst = number(text(dst, "op", string(f.Op)), "code", f.Code)
	return append(text(text(dst, "name", f.Name), "message", f.Message), '}')
}

// Append appends the frame in canonical form.
func (f *PeerMessage) Append(dst []byte) []byte {
	dst = text(number(open(dst, KindPeerMessage), "seq", f.Seq), "from", f.From)
	return append(f.Message.append(number(dst, "ts", f.TS)), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelMessage) Append(dst []byte) []byte {
	dst = text(text(open(dst, KindChannelMessage), "channel", f.Channel), "from", f.From)
	dst = number(number(dst, "seq", f.Seq), "ts", f.TS)
	return append(f.Message.append(dst), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelMemberJoined) Append(dst []byte) []byte {
	return append(text(text(open(dst, KindChannelMemberJoined), "channel", f.Channel), "uid", f.UID), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelMemberLeft) Append(dst []byte) []byte {
	return append(text(text(open(dst, KindChannelMemberLeft), "channel", f.Channel), "uid", f.UID), '}')
}

// Append appends the frame in canonical form.
func (f *ChannelMemberCount) Append(dst []byte) []byte {
	dst = text(open(dst, KindChannelMemberCount), "channel", f.Channel)
	return append(number(dst, "count", f.Count), '}')
}

// Append appends the frame in canonical form.
func (f *LoginKicked) Append(dst []byte) []byte {
	return append(text(open(dst, KindLoginKicked), "reason", string(f.Reason)), '}')
}

// Append appends the frame in canonical form.
func (f *TokenWillExpire) Append(dst []byte) []byte {
	return append(number(open(dst, KindTokenWillExpire), "left_ms", f.LeftMS), '}')
}

// Append appends the kind and, if there is one, the id.
func (f *Unknown) Append(dst []byte) []byte {
	dst = append(dst, `{"kind":`...)
	dst = quote(dst, string(f.Name))
	if f.ID != 0 {
		dst = number(dst, "id", f.ID)
	}
	return append(dst, '}')
}
