package probe

import (
	"context"
	"encoding/base64"
	"fmt"
)

// Start sends a request with the next free id and returns the id without waiting for the answer.
func (c *Conn) Start(kind string, fields ...Field) (int64, error) {
	id := c.lastID.Add(1)
	return id, c.SendJSON(append([]Field{F("kind", kind), F("id", id)}, fields...)...)
}

// Answer waits for the answer to the request with this id, be it an ok or an error.
func (c *Conn) Answer(ctx context.Context, id int64) (Object, error) {
	return c.Await(ctx, Matching(fmt.Sprintf("the answer to request %d", id), func(o Object) bool { return o.ID == id }))
}

// Request sends a request with the next free id and waits for its answer. An error answer of the server is an answer,
// not an error: look at [Object.Failed] and [Object.Code].
func (c *Conn) Request(ctx context.Context, kind string, fields ...Field) (Object, error) {
	id, err := c.Start(kind, fields...)
	if err != nil {
		return Object{}, err
	}
	what := fmt.Sprintf("the answer to %s (request %d)", kind, id)
	return c.Await(ctx, Matching(what, func(o Object) bool { return o.ID == id }))
}

// Credentials are the members of a login request.
type Credentials struct {
	// AppID is the member app_id.
	AppID string
	// UID is the member uid.
	UID string
	// Token is left out of the frame when it is empty.
	Token string
	// Resume asks for the session of a lost connection; nil asks for a new one.
	Resume *Resume
}

// Resume is what a client remembers of a session when it comes back.
type Resume struct {
	// Session is the session from the last login answer.
	Session string
	// PeerSeq is the sequence number of the last peer message that was received.
	PeerSeq int64
	// Channels are the joined channels with the last message received in each.
	Channels []Cursor
}

// Cursor is a position in a channel.
type Cursor struct {
	// Channel is the channel id.
	Channel string
	// Seq is the sequence number of the last message received.
	Seq int64
}

// Fields returns the credentials as members of a login request.
func (l Credentials) Fields() []Field {
	fields := []Field{F("app_id", l.AppID), F("uid", l.UID)}
	if l.Token != "" {
		fields = append(fields, F("token", l.Token))
	}
	if l.Resume == nil {
		return fields
	}
	channels := make([]any, len(l.Resume.Channels))
	for i, cursor := range l.Resume.Channels {
		channels[i] = map[string]any{"channel": cursor.Channel, "seq": cursor.Seq}
	}
	return append(fields, F("resume", []Field{
		F("session", l.Resume.Session), F("peer_seq", l.Resume.PeerSeq), F("channels", channels),
	}))
}

// Login sends a login request and returns its answer.
func (c *Conn) Login(ctx context.Context, credentials Credentials) (Object, error) {
	return c.Request(ctx, "login", credentials.Fields()...)
}

// Logout sends a logout request and returns its answer.
func (c *Conn) Logout(ctx context.Context) (Object, error) { return c.Request(ctx, "logout") }

// RenewToken sends a new token for the session and returns the answer.
func (c *Conn) RenewToken(ctx context.Context, token string) (Object, error) {
	return c.Request(ctx, "token.renew", F("token", token))
}

// Ping sends a ping and returns its answer.
func (c *Conn) Ping(ctx context.Context) (Object, error) { return c.Request(ctx, "ping") }

// SendPeer sends a text to a user and returns the receipt.
func (c *Conn) SendPeer(ctx context.Context, to, text string) (Object, error) {
	return c.Request(ctx, "peer.send", F("to", to), F("text", text))
}

// SendPeerRaw sends bytes to a user and returns the receipt. An empty description is left out.
func (c *Conn) SendPeerRaw(ctx context.Context, to string, raw []byte, description string) (Object, error) {
	return c.Request(ctx, "peer.send", append([]Field{F("to", to)}, rawFields(raw, description)...)...)
}

// Ack acknowledges all peer messages up to and including this sequence number.
func (c *Conn) Ack(seq int64) error { return c.SendJSON(F("kind", "peer.ack"), F("seq", seq)) }

// Join joins a channel and returns the answer.
func (c *Conn) Join(ctx context.Context, channel string) (Object, error) {
	return c.Request(ctx, "channel.join", F("channel", channel))
}

// JoinAfter joins a channel, asks for what was sent there after this sequence number, and returns the answer.
func (c *Conn) JoinAfter(ctx context.Context, channel string, after int64) (Object, error) {
	return c.Request(ctx, "channel.join", F("channel", channel), F("after", after))
}

// Leave leaves a channel and returns the answer.
func (c *Conn) Leave(ctx context.Context, channel string) (Object, error) {
	return c.Request(ctx, "channel.leave", F("channel", channel))
}

// SendChannel sends a text to a channel and returns the answer.
func (c *Conn) SendChannel(ctx context.Context, channel, text string) (Object, error) {
	return c.Request(ctx, "channel.send", F("channel", channel), F("text", text))
}

// SendChannelRaw sends bytes to a channel and returns the answer. An empty description is left out.
func (c *Conn) SendChannelRaw(ctx context.Context, channel string, raw []byte, description string) (Object, error) {
	return c.Request(ctx, "channel.send", append([]Field{F("channel", channel)}, rawFields(raw, description)...)...)
}

// Members asks for the members of a channel.
func (c *Conn) Members(ctx context.Context, channel string) (Object, error) {
	return c.Request(ctx, "channel.members", F("channel", channel))
}

// Count asks how many members the channels have.
func (c *Conn) Count(ctx context.Context, channels ...string) (Object, error) {
	return c.Request(ctx, "channel.count", F("channels", append([]string{}, channels...)))
}

func rawFields(raw []byte, description string) []Field {
	fields := []Field{F("raw", base64.StdEncoding.EncodeToString(raw))}
	if description != "" {
		fields = append(fields, F("description", description))
	}
	return fields
}
