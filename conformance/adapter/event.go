package adapter

import "fmt"

// The events of a client under test.
const (
	// StateChanged is ConnectionStateChanged, with State and Reason.
	StateChanged = "ConnectionStateChanged"
	// MessageFromPeer is a peer message, with Message and From.
	MessageFromPeer = "MessageFromPeer"
	// TokenExpired tells that the token ended.
	TokenExpired = "TokenExpired"
	// TokenWillExpire is TokenPrivilegeWillExpire.
	TokenWillExpire = "TokenPrivilegeWillExpire"
	// ChannelMessage is a channel message, with Channel, Message and From.
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
	// From is the uid of the sender of a message.
	From string
	// UID is the member that a member event is about.
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
	for _, word := range []string{e.State, e.Reason, e.Channel, e.From, e.UID} {
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
