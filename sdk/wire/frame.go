package wire

// Frame is one frame of the protocol: a pointer to one of the frame structs of
// this package, or an [Unknown]. The set is closed.
type Frame interface {
	// Kind returns the kind that stands in the frame.
	Kind() Kind
	// Append appends the frame in canonical form to dst and returns the result.
	// It does not validate: an id out of range is written as it stands.
	Append(dst []byte) []byte
}

// Login asks for a session for UID in the app AppID. Token is empty where the app
// needs none. Resume is nil for a fresh login.
type Login struct {
	ID     uint64  // ID is the request id.
	AppID  string  // AppID is the 32-character app id; only users of one app reach each other.
	UID    string  // UID is the user id, see [CheckID].
	Token  string  // Token is the access token, or empty.
	Resume *Resume // Resume asks to continue a session after a lost link.
}

// Resume names the session that a client wants back and how much of it the client
// has seen. The server sends what is missing after the login.ok frame.
type Resume struct {
	Session  string   // Session is the value that login.ok gave.
	PeerSeq  uint64   // PeerSeq is the seq of the last peer message received; it also acknowledges up to it.
	Channels []Cursor // Channels holds one cursor for each channel joined.
}

// Cursor is how far a client has read a channel.
type Cursor struct {
	Channel string // Channel is the channel id.
	Seq     uint64 // Seq is the seq of the last channel message seen, or the one that channel.join.ok gave.
}

// Logout ends the session.
type Logout struct {
	ID uint64 // ID is the request id.
}

// TokenRenew replaces the token of the running session.
type TokenRenew struct {
	ID    uint64 // ID is the request id.
	Token string // Token is the new token.
}

// PeerSend sends a message to one user. It is answered by [PeerSendOK].
type PeerSend struct {
	ID      uint64  // ID is the request id.
	To      string  // To is the uid of the receiver.
	Message Message // Message is the payload.
}

// PeerAck acknowledges all peer messages of the session up to Seq. Clients send
// one for everything that a read brought.
type PeerAck struct {
	Seq uint64 // Seq is the seq of the last peer message received.
}

// ChannelJoin makes the user a member of a channel. After, if not zero, asks for
// the messages behind that seq that the server still holds.
type ChannelJoin struct {
	ID      uint64 // ID is the request id.
	Channel string // Channel is the channel id, see [CheckID].
	After   uint64 // After is the seq of the last message seen before an outage, or zero.
}

// ChannelLeave ends the membership.
type ChannelLeave struct {
	ID      uint64 // ID is the request id.
	Channel string // Channel is the channel id.
}

// ChannelSend sends a message to all other members of a channel.
type ChannelSend struct {
	ID      uint64  // ID is the request id.
	Channel string  // Channel is the channel id.
	Message Message // Message is the payload.
}

// ChannelMembers asks for the uids of the members of a channel.
type ChannelMembers struct {
	ID      uint64 // ID is the request id.
	Channel string // Channel is the channel id.
}

// ChannelCount asks how many members each of the channels has; membership is not
// needed.
type ChannelCount struct {
	ID       uint64   // ID is the request id.
	Channels []string // Channels are the channel ids, at most the announced count_channels.
}

// Ping asks for a [Pong].
type Ping struct {
	ID uint64 // ID is the request id.
}

// LoginOK grants a session.
type LoginOK struct {
	ID       uint64   // ID is the id of the login.
	Session  string   // Session names the session and is its resume secret; it is not for logs.
	Resumed  bool     // Resumed tells that the session asked for in resume goes on, with its memberships.
	ServerTS int64    // ServerTS is the server's clock in Unix milliseconds.
	Server   Server   // Server is who answers.
	Limits   Limits   // Limits are the limits in force for this session.
	Missing  []string // Missing lists channels of a resume in which the user is no longer a member.
}

// Server is how a server presents itself.
type Server struct {
	Name    string `json:"name"`    // Name is the product name.
	Version string `json:"version"` // Version is the product version.
}

// OK is the answer to a request that has nothing to tell but success: logout,
// token.renew, channel.leave and channel.send.
type OK struct {
	Answers Kind   // Answers is the kind of the request.
	ID      uint64 // ID is the id of the request.
}

// PeerSendOK tells what became of a peer message.
type PeerSendOK struct {
	ID uint64 // ID is the id of the peer.send.
	// Received is true only after the receiving client acknowledged the message,
	// and false when the server has the message but cannot reach the receiver.
	Received bool
}

// ChannelJoinOK confirms a membership.
type ChannelJoinOK struct {
	ID    uint64 // ID is the id of the channel.join.
	Seq   uint64 // Seq is the channel's seq at the moment of joining: the first cursor.
	Count int    // Count is the number of members, the new one included.
}

// ChannelMembersOK lists members.
type ChannelMembersOK struct {
	ID      uint64   // ID is the id of the channel.members.
	Members []string // Members are uids, the caller's among them, at most the announced members.
}

// ChannelCountOK tells member counts.
type ChannelCountOK struct {
	ID     uint64 // ID is the id of the channel.count.
	Counts []int  // Counts stand in the order of the channels asked for.
}

// Pong answers a [Ping].
type Pong struct {
	ID uint64 // ID is the id of the ping.
}

// Error refuses a request.
type Error struct {
	ID      uint64 // ID is the id of the request.
	Op      Kind   // Op is the kind of the request; Code has a meaning only together with it.
	Code    int    // Code is the number of the vendor API.
	Name    string // Name is the vendor API's name for Op and Code.
	Message string // Message is for people. It never holds a token, and nothing may depend on its text.
}

// PeerMessage delivers a peer message.
type PeerMessage struct {
	Seq     uint64  // Seq numbers the peer messages of one session, growing by one.
	From    string  // From is the sender's uid, taken from the sender's session.
	TS      int64   // TS is when the server received the message, Unix milliseconds; not for ordering.
	Message Message // Message is the payload.
}

// ChannelMessage delivers a channel message.
type ChannelMessage struct {
	Channel string  // Channel is the channel id.
	From    string  // From is the sender's uid, taken from the sender's session.
	Seq     uint64  // Seq grows within one channel, with gaps that mean nothing.
	TS      int64   // TS is when the server received the message, Unix milliseconds; not for ordering.
	Message Message // Message is the payload.
}

// ChannelMemberJoined tells the members that another user joined.
type ChannelMemberJoined struct {
	Channel string // Channel is the channel id.
	UID     string // UID is the new member.
}

// ChannelMemberLeft tells the members that a user left or was dropped.
type ChannelMemberLeft struct {
	Channel string // Channel is the channel id.
	UID     string // UID is the former member.
}

// ChannelMemberCount tells the members how many they are now.
type ChannelMemberCount struct {
	Channel string // Channel is the channel id.
	Count   int    // Count is the number of members.
}

// LoginKicked tells why the server ends the session. A close frame with the
// matching terminal code follows.
type LoginKicked struct {
	Reason KickReason // Reason is why.
}

// KickReason is the reason in a [LoginKicked]: the vendor API's name for a
// connection change.
type KickReason string

// The kick reasons of this version.
const (
	KickRemoteLogin  KickReason = "REMOTE_LOGIN"     // KickRemoteLogin: the uid logged in from elsewhere.
	KickBanned       KickReason = "BANNED_BY_SERVER" // KickBanned: the operator banned the user.
	KickTokenExpired KickReason = "TOKEN_EXPIRED"    // KickTokenExpired: a 007 token reached its end.
)

// TokenWillExpire warns that the token of the session ends soon.
type TokenWillExpire struct {
	LeftMS int64 // LeftMS is the time left, in milliseconds.
}

// Unknown is a well-formed frame of a kind that this version does not define. A
// server answers it with FRAME_ERR_UNKNOWN_KIND if it has an id, and both sides
// ignore it otherwise, so that later versions can add kinds.
type Unknown struct {
	Name Kind   // Name is the kind that stood in the frame.
	ID   uint64 // ID is the request id, or zero.
}

// Kind returns the kind of the frame.
func (*Login) Kind() Kind { return KindLogin }

// Kind returns the kind of the frame.
func (*Logout) Kind() Kind { return KindLogout }

// Kind returns the kind of the frame.
func (*TokenRenew) Kind() Kind { return KindTokenRenew }

// Kind returns the kind of the frame.
func (*PeerSend) Kind() Kind { return KindPeerSend }

// Kind returns the kind of the frame.
func (*PeerAck) Kind() Kind { return KindPeerAck }

// Kind returns the kind of the frame.
func (*ChannelJoin) Kind() Kind { return KindChannelJoin }

// Kind returns the kind of the frame.
func (*ChannelLeave) Kind() Kind { return KindChannelLeave }

// Kind returns the kind of the frame.
func (*ChannelSend) Kind() Kind { return KindChannelSend }

// Kind returns the kind of the frame.
func (*ChannelMembers) Kind() Kind { return KindChannelMembers }

// Kind returns the kind of the frame.
func (*ChannelCount) Kind() Kind { return KindChannelCount }

// Kind returns the kind of the frame.
func (*Ping) Kind() Kind { return KindPing }

// Kind returns the kind of the frame.
func (*LoginOK) Kind() Kind { return KindLoginOK }

// Kind returns the kind of the frame: the answered kind with ".ok" behind it.
func (f *OK) Kind() Kind { return f.Answers + ".ok" }

// Kind returns the kind of the frame.
func (*PeerSendOK) Kind() Kind { return KindPeerSendOK }

// Kind returns the kind of the frame.
func (*ChannelJoinOK) Kind() Kind { return KindChannelJoinOK }

// Kind returns the kind of the frame.
func (*ChannelMembersOK) Kind() Kind { return KindChannelMembersOK }

// Kind returns the kind of the frame.
func (*ChannelCountOK) Kind() Kind { return KindChannelCountOK }

// Kind returns the kind of the frame.
func (*Pong) Kind() Kind { return KindPong }

// Kind returns the kind of the frame.
func (*Error) Kind() Kind { return KindError }

// Kind returns the kind of the frame.
func (*PeerMessage) Kind() Kind { return KindPeerMessage }

// Kind returns the kind of the frame.
func (*ChannelMessage) Kind() Kind { return KindChannelMessage }

// Kind returns the kind of the frame.
func (*ChannelMemberJoined) Kind() Kind { return KindChannelMemberJoined }

// Kind returns the kind of the frame.
func (*ChannelMemberLeft) Kind() Kind { return KindChannelMemberLeft }

// Kind returns the kind of the frame.
func (*ChannelMemberCount) Kind() Kind { return KindChannelMemberCount }

// Kind returns the kind of the frame.
func (*LoginKicked) Kind() Kind { return KindLoginKicked }

// Kind returns the kind of the frame.
func (*TokenWillExpire) Kind() Kind { return KindTokenWillExpire }

// Kind returns the unknown kind as it stood in the frame.
func (f *Unknown) Kind() Kind { return f.Name }
