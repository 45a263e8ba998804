package specs

import (
	"context"
	"fmt"
	"time"
)

// Client is a client SDK under test, reduced to what specs ask of it. The suite's own SDK and the JSON-lines adapter
// implement it. Errors of the SDK are [*ClientError]; any other error means that the client under test is broken.
type Client interface {
	// Login starts a session for uid; an empty token means none.
	Login(ctx context.Context, uid, token string) error
	// Logout ends the session.
	Logout(ctx context.Context) error
	// RenewToken replaces the token of the session.
	RenewToken(ctx context.Context, token string) error
	// NewText makes a text message.
	NewText(text string) Message
	// NewRaw makes a raw message.
	NewRaw(raw []byte, description string) Message
	// NoMessage returns something that is not a message, or nil when the SDK's language rules that out.
	NoMessage() Message
	// SendToPeer sends a message to a user and returns hasPeerReceived.
	SendToPeer(ctx context.Context, peer string, message Message) (received bool, err error)
	// NewChannel makes a local channel object.
	NewChannel(id string) (Channel, error)
	// MemberCounts asks for member counts.
	MemberCounts(ctx context.Context, channels ...string) (map[string]int, error)
	// State returns the connection state in the words of the API, such as "CONNECTED".
	State() string
	// Listen registers a listener for every event of the client; its events carry the name.
	Listen(name string, deliver func(Event))
	// RemoveAllListeners removes the listeners of the client.
	RemoveAllListeners()
	// Close releases what the client holds; it is not an operation under test.
	Close() error
}

// Channel is a channel object of a client under test.
type Channel interface {
	// ID returns the channel id.
	ID() string
	// Join joins the channel.
	Join(ctx context.Context) error
	// Leave leaves the channel.
	Leave(ctx context.Context) error
	// Send sends a message to the other members.
	Send(ctx context.Context, message Message) error
	// Members asks for the member uids.
	Members(ctx context.Context) ([]string, error)
	// Listen registers a listener for every event of the channel object; its events carry the name.
	Listen(name string, deliver func(Event))
	// RemoveAllListeners removes the listeners of this channel object.
	RemoveAllListeners()
}

// Message is a message object of a client under test: a handle, since the rule that a received message may not be sent
// is about objects and not about contents.
type Message interface {
	// Text returns the text, or "" for a raw message.
	Text() string
	// Raw returns the bytes, or nil for a text message.
	Raw() []byte
	// Description returns the description of a raw message.
	Description() string
	// ServerReceivedAt returns when the server received the message; the zero time for a message of one's own.
	ServerReceivedAt() time.Time
}

// The events of a client under test.
const (
	// StateChanged is ConnectionStateChanged, with State and Reason.
	StateChanged = "ConnectionStateChanged"
	// MessageFromPeer is a peer message, with Message and UID.
	MessageFromPeer = "MessageFromPeer"
	// TokenExpired tells that the token ended.
	TokenExpired = "TokenExpired"
	// TokenWillExpire is TokenPrivilegeWillExpire.
	TokenWillExpire = "TokenPrivilegeWillExpire"
	// ChannelMessage is a channel message, with Channel, Message and UID.
	ChannelMessage = "ChannelMessage"
	// MemberJoined tells of a new member, with Channel and UID.
	MemberJoined = "MemberJoined"
	// MemberLeft tells of a member that left, with Channel and UID.
	MemberLeft = "MemberLeft"
	// MemberCountUpdated tells the number of members, with Channel and Count.
	MemberCountUpdated = "MemberCountUpdated"
)

// Event is one call of a listener.
type Event struct {
	// Kind is one of the event names above.
	Kind string
	// Listener is the name under which the listener was registered.
	Listener string
	// State and Reason are those of StateChanged, in the words of the API.
	State, Reason string
	// Channel is the id of the channel object, for channel events.
	Channel string
	// UID is the sender or the member.
	UID string
	// Message is the received message.
	Message Message
	// Count is the number of members.
	Count int
}

// String describes the event for traces and failures.
func (e Event) String() string {
	text := e.Kind
	if e.Listener != "" {
		text += "[" + e.Listener + "]"
	}
	for _, word := range []string{e.State, e.Reason, e.Channel, e.UID} {
		if word != "" {
			text += " " + word
		}
	}
	if e.Message != nil {
		text += fmt.Sprintf(" %.80q", e.Message.Text())
	}
	if e.Kind == MemberCountUpdated {
		text += fmt.Sprintf(" %d", e.Count)
	}
	return text
}

// ClientError is a failure that an SDK reports to its caller.
type ClientError struct {
	// Op is the operation, in the words of the protocol, such as "peer.send".
	Op string
	// Code is the number that the API lists for the operation.
	Code int
	// Name is the name that the API lists for the code.
	Name string
	// Text is what the SDK says, for reports only.
	Text string
}

// Error tells the operation, the name and the code.
func (e *ClientError) Error() string { return fmt.Sprintf("%s: %s (%d)", e.Op, e.Name, e.Code) }

// ClientOptions say how a client under test is made.
type ClientOptions struct {
	// URL is where it connects.
	URL string
	// AppID is the app it belongs to.
	AppID string
	// Timeouts are those it should use where it lets its user choose.
	Timeouts ClientTimeouts
}

// NewClient makes a client under test. An error of the SDK itself is a [*ClientError].
type NewClient func(options ClientOptions) (Client, error)

// ClientTimeouts are the timeouts that a client has by its own, not from the server. Zero values mean the API's.
type ClientTimeouts struct {
	// Login bounds a login; the API's is 12 seconds.
	Login time.Duration
	// Send bounds a send; the API's is 10 seconds.
	Send time.Duration
}

func (t ClientTimeouts) login() time.Duration {
	if t.Login <= 0 {
		return 12 * time.Second
	}
	return t.Login
}

func (t ClientTimeouts) send() time.Duration {
	if t.Send <= 0 {
		return 10 * time.Second
	}
	return t.Send
}
