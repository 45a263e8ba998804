package loadgen

import (
	"context"
	"fmt"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Driver opens sessions on the subject under test. The one that [Run] uses by default speaks this project's wire
// protocol; another one puts another protocol, or another client library, under the same workloads.
type Driver interface {
	// Open connects and logs in. It returns once the server has confirmed the login, or with a [Failure]. From then on
	// until the session ends, the driver calls handle, from one goroutine at a time.
	Open(ctx context.Context, login Login, handle Handler) (Session, error)
}

// Login is who logs in.
type Login struct {
	// UID is the user id.
	UID string
	// Token is the access token, or empty.
	Token string
}

// Session is one logged-in connection. Queue and Flush never wait for the network; they are called from one goroutine,
// at the same time as the others from any.
type Session interface {
	// Server says who answered the login, and the limits it announced.
	Server() (wire.Server, wire.Limits)

	// Join makes the user a member of a channel; it returns when the server has confirmed it, or with a [Failure].
	Join(ctx context.Context, channel string) error

	// Leave ends the membership of a channel; it returns when the server has confirmed it, or with a [Failure].
	Leave(ctx context.Context, channel string) error

	// Queue takes a message to be sent at the next Flush. The message and its body belong to the caller again when Queue
	// returns. It fails, and takes nothing, when the session has ended or too much is waiting for the socket.
	Queue(m Outgoing) error

	// Flush starts writing what was queued, all in one go. What the socket does not take at once is written in the
	// background.
	Flush()

	// Close logs out, waits until the server has closed the connection, so that everything it had to say was handled,
	// and ends the session. It waits no longer than ctx allows. When Close returns, handle is not called any more; no
	// Ended event comes for a session that was closed.
	Close(ctx context.Context) error
}

// Cutter is a session whose connection can be broken off; the op reconnect needs it.
type Cutter interface {
	// Cut breaks the connection off at once and without a goodbye, as a dead link does. When it returns, handle is not
	// called any more; no Ended event comes. The session cannot be used again.
	Cut()
}

// Pauser is a session that can be a slow reader; the op pause needs it.
type Pauser interface {
	// Pause stops reading from the connection, or goes on with it. It may return before the reading has stopped. Closing
	// or cutting the session ends a pause.
	Pause(on bool)
}

// WriteWatcher is a [Handler] that wants to know how long the connection held up what was written.
type WriteWatcher interface {
	// WriteBlocked is told how long it took from the moment at which the connection would take no more until it had taken
	// everything. It may be called from any goroutine, at the same time as Handle, and does not block.
	WriteBlocked(d time.Duration)
}

// Outgoing is a message to be sent.
type Outgoing struct {
	// Tag comes back with the answer; it is below 1<<48 and unique in a run.
	Tag uint64
	// Channel tells whether To is a channel id or a uid.
	Channel bool
	// To is the destination.
	To string
	// Raw tells whether Body is a raw message or the text of a text message; a text is printable ASCII without quotes and
	// backslashes.
	Raw bool
	// Body is the payload.
	Body []byte
}

// Handler is told what arrives on a session.
type Handler interface {
	// Handle gets what one read brought, in order; at is taken right after that read. The events and the bytes they
	// point to are valid until Handle returns. Handle does not block.
	Handle(at time.Time, events []Event)
}

// EventKind says what an [Event] is.
type EventKind uint8

// The kinds of events.
const (
	// Delivered: a message has arrived. From, Channel and Body are set; Channel is nil for a peer message.
	Delivered EventKind = iota
	// Answered: the server has confirmed a message of ours. Tag is set, and Received for peer messages.
	Answered
	// Refused: the server has answered a message of ours with an error. Tag and Failure are set.
	Refused
	// Ended: the session is over although nobody closed it. Failure is set. It is the last event.
	Ended
)

// Event is something that arrived on a session.
type Event struct {
	// Kind says which of the other fields are set.
	Kind EventKind
	// Received is the receipt of a peer message, and true for a confirmed channel message.
	Received bool
	// Raw tells whether a delivered message was raw.
	Raw bool
	// Tag is the tag of the message that was answered or refused.
	Tag uint64
	// From is the sender's uid.
	From []byte
	// Channel is the channel id.
	Channel []byte
	// Body is the payload: the bytes of a raw message, or of a text.
	Body []byte
	// Failure says what went wrong.
	Failure *Failure
}

// The classes of failures: a closed set, so that they can be counted.
const (
	// ClassDial: no connection could be opened.
	ClassDial = "dial"
	// ClassTLS: the TLS handshake failed.
	ClassTLS = "tls"
	// ClassHandshake: what answered is no RTM server.
	ClassHandshake = "handshake"
	// ClassAuth: the server refused the login.
	ClassAuth = "auth_rejected"
	// ClassKicked: the server ended the session for a reason of the user.
	ClassKicked = "kicked"
	// ClassRateLimited: over a call limit.
	ClassRateLimited = "rate_limited"
	// ClassTooLarge: the message was larger than the server takes.
	ClassTooLarge = "payload_too_large"
	// ClassNotMember: the sender is no member of the channel.
	ClassNotMember = "not_member"
	// ClassAckTimeout: the server gave up waiting for the receiver, or we for the server.
	ClassAckTimeout = "ack_timeout"
	// ClassRefused: the server answered with any other error.
	ClassRefused = "refused"
	// ClassClosed: the server closed the connection with the code in Failure.Code.
	ClassClosed = "closed"
	// ClassRead: the connection broke while reading.
	ClassRead = "read_error"
	// ClassWrite: the connection broke while writing.
	ClassWrite = "write_error"
	// ClassProtocol: the server sent what the protocol does not allow.
	ClassProtocol = "protocol_violation"
	// ClassToken: no token could be had, so that nobody logged in.
	ClassToken = "no_token"
	// ClassQueueFull: too much was waiting for the socket, so that the generator did not send.
	ClassQueueFull = "local_queue_full"
)

// Failure is an operation that did not work out.
type Failure struct {
	// Op is the operation, in the words of the protocol: connect, login, channel.join, peer.send, channel.send, session.
	Op string
	// Class is one of the classes above.
	Class string
	// Code is the protocol's error or close code, or 0 when it was not the server that said so.
	Code int
	// Text says what happened, without secrets.
	Text string
}

// Error returns operation, text and, where the server spoke, its code.
func (f *Failure) Error() string {
	if f.Code != 0 {
		return fmt.Sprintf("%s: the server answered %d: %s", f.Op, f.Code, f.Text)
	}
	return f.Op + ": " + f.Text
}

// unreachable reports whether the failure means that there is no RTM server to be had.
func (f *Failure) unreachable() bool {
	return f.Class == ClassDial || f.Class == ClassTLS || f.Class == ClassHandshake
}
