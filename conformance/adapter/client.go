package adapter

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Client is a client SDK under test, reduced to what specs ask of it.
//
// A call that the SDK answers with an error returns an [*Error]. A call that the SDK's language or its set of features
// rules out returns [ErrUnsupported]. Any other error means that the client under test is broken. A context bounds how
// long the suite waits; it is not what ends a call of the SDK, which has timeouts of its own.
//
// Methods may be called at the same time.
type Client interface {
	// Login starts a session for uid; an empty token means none.
	Login(ctx context.Context, uid, token string) error
	// Logout ends the session.
	Logout(ctx context.Context) error
	// RenewToken replaces the token of the session.
	RenewToken(ctx context.Context, token string) error
	// NewText makes a text message. What the SDK refuses about the content, it refuses when the message is sent.
	NewText(ctx context.Context, text string) (Message, error)
	// NewRaw makes a raw message, as NewText does.
	NewRaw(ctx context.Context, raw []byte, description string) (Message, error)
	// SendToPeer sends a message to a user and returns hasPeerReceived. A nil message stands for something that is not a
	// message, and is ErrUnsupported where the SDK's language rules that out.
	SendToPeer(ctx context.Context, peer string, message Message) (received bool, err error)
	// NewChannel makes a local channel object.
	NewChannel(ctx context.Context, id string) (Channel, error)
	// MemberCounts asks for member counts, by channel id.
	MemberCounts(ctx context.Context, channels ...string) (map[string]int, error)
	// State returns the connection state in the words of the API, such as "CONNECTED".
	State(ctx context.Context) (string, error)
	// Listen registers a listener for every event of the client; its events carry the name. Deliver is called for one
	// event at a time, in the order in which the SDK calls its listeners; it must return soon and not call the client.
	Listen(ctx context.Context, name string, deliver func(Event)) error
	// RemoveAllListeners removes the listeners of the client.
	RemoveAllListeners(ctx context.Context) error
	// Close releases what the client holds, whatever its state. It is not an operation under test.
	Close() error
}

// Channel is a channel object of a client under test. Its errors are those of [Client].
type Channel interface {
	// ID returns the channel id.
	ID() string
	// Join joins the channel.
	Join(ctx context.Context) error
	// Leave leaves the channel.
	Leave(ctx context.Context) error
	// Send sends a message to the other members; a nil message is as for SendToPeer.
	Send(ctx context.Context, message Message) error
	// Members asks for the member uids.
	Members(ctx context.Context) ([]string, error)
	// Listen registers a listener for every event of the channel object, as Client.Listen does.
	Listen(ctx context.Context, name string, deliver func(Event)) error
	// RemoveAllListeners removes the listeners of this channel object.
	RemoveAllListeners(ctx context.Context) error
}

// Message is a message object of a client under test: a handle, since the rule that a received message may not be sent
// is about objects and not about contents. A message belongs to the client that made or received it.
type Message interface {
	// Text returns the text, or "" for a raw message.
	Text() string
	// Raw returns the bytes, or nil for a text message.
	Raw() []byte
	// Description returns the description of a raw message.
	Description() string
	// ServerReceivedAt returns when the server received the message, to the millisecond; the zero time for a message of
	// one's own.
	ServerReceivedAt() time.Time
}

// NewClient makes a client under test. An error of the SDK itself is an [*Error].
type NewClient func(ctx context.Context, options Options) (Client, error)

// Options say how a client under test is made.
type Options struct {
	// URL is where it connects.
	URL string
	// AppID is the app it belongs to.
	AppID string
	// Timeouts are those it should use where it lets its user choose.
	Timeouts Timeouts
}

// The timeouts of the published API, which a client has by its own.
const (
	// DefaultLoginTimeout bounds a login.
	DefaultLoginTimeout = 12 * time.Second
	// DefaultSendTimeout bounds a send and every other call.
	DefaultSendTimeout = 10 * time.Second
)

// Timeouts are those that a client has by its own, not from the server. Zero values mean the API's.
type Timeouts struct {
	// Login bounds a login; zero means [DefaultLoginTimeout].
	Login time.Duration
	// Send bounds a send and every other call; zero means [DefaultSendTimeout].
	Send time.Duration
}

// OrDefaults returns the timeouts with the API's in the place of those that are not positive.
func (t Timeouts) OrDefaults() Timeouts {
	if t.Login <= 0 {
		t.Login = DefaultLoginTimeout
	}
	if t.Send <= 0 {
		t.Send = DefaultSendTimeout
	}
	return t
}

// ErrUnsupported is the error of a call that the SDK under test cannot make at all.
var ErrUnsupported = errors.New("the client under test does not support this")

// Error is a failure that an SDK reports to its caller.
type Error struct {
	// Op is the operation, in the words of the protocol, such as "peer.send".
	Op string
	// Code is the number that the API lists for the operation; 0 when it lists none for this failure.
	Code int
	// Name is the name that the API lists for the code; empty when it lists none.
	Name string
	// Native is what the SDK says in its own words, for reports only.
	Native string
	// Indefinite tells that the SDK says that the outcome is unknown.
	Indefinite bool
}

// Error tells the operation, the name and the code, or the SDK's own words where the API has no code.
func (e *Error) Error() string {
	if e.Code == 0 && e.Name == "" {
		return fmt.Sprintf("%s: no code of the API (%s)", e.Op, e.Native)
	}
	return fmt.Sprintf("%s: %s (%d)", e.Op, e.Name, e.Code)
}
