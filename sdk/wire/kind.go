package wire

// Kind names what a frame is. The part before the first dot is the area. A
// request has an id, and its answer repeats the id under the request's kind with
// ".ok" behind it, or is an [KindError] frame.
type Kind string

// Requests, sent by the client. Each carries an id from 1 to [MaxID].
const (
	KindLogin          Kind = "login"           // app_id uid token? resume?; the first frame of a connection
	KindLogout         Kind = "logout"          // ends the session; the server closes with 1000 after the answer
	KindTokenRenew     Kind = "token.renew"     // token; replaces the token of the session
	KindPeerSend       Kind = "peer.send"       // to, message; answered after the receiver's peer.ack
	KindChannelJoin    Kind = "channel.join"    // channel after?; becomes a member
	KindChannelLeave   Kind = "channel.leave"   // channel; stops being a member
	KindChannelSend    Kind = "channel.send"    // channel, message; to all other members
	KindChannelMembers Kind = "channel.members" // channel; asks for the member uids
	KindChannelCount   Kind = "channel.count"   // channels; asks for member counts without joining
	KindPing           Kind = "ping"            // asks for a pong; any frame counts as contact
)

// KindPeerAck is the one client frame without an id: it acknowledges every peer
// message of this session up to and including seq.
const KindPeerAck Kind = "peer.ack"

// Answers, sent by the server with the id of their request.
const (
	KindLoginOK          Kind = "login.ok"           // session resumed server_ts server limits missing?
	KindLogoutOK         Kind = "logout.ok"          // no members but the id
	KindTokenRenewOK     Kind = "token.renew.ok"     // no members but the id
	KindPeerSendOK       Kind = "peer.send.ok"       // received
	KindChannelJoinOK    Kind = "channel.join.ok"    // seq count
	KindChannelLeaveOK   Kind = "channel.leave.ok"   // no members but the id
	KindChannelSendOK    Kind = "channel.send.ok"    // no members but the id
	KindChannelMembersOK Kind = "channel.members.ok" // members
	KindChannelCountOK   Kind = "channel.count.ok"   // counts
	KindPong             Kind = "pong"               // no members but the id
	KindError            Kind = "error"              // op code name message
)

// Events, sent by the server on its own; they have no id.
const (
	KindPeerMessage         Kind = "peer.message"          // seq from ts, message
	KindChannelMessage      Kind = "channel.message"       // channel from seq ts, message
	KindChannelMemberJoined Kind = "channel.member_joined" // channel uid
	KindChannelMemberLeft   Kind = "channel.member_left"   // channel uid
	KindChannelMemberCount  Kind = "channel.member_count"  // channel count
	KindLoginKicked         Kind = "login.kicked"          // reason; a terminal close follows
	KindTokenWillExpire     Kind = "token.will_expire"     // left_ms
)

// MaxID is the largest request id and sequence number: the largest integer that
// every JSON library holds exactly.
const MaxID = 1<<53 - 1

// blank holds one empty frame for each kind that this version defines.
var blank = map[Kind]func() decodable{
	KindLogin:               func() decodable { return new(Login) },
	KindLogout:              func() decodable { return new(Logout) },
	KindTokenRenew:          func() decodable { return new(TokenRenew) },
	KindPeerSend:            func() decodable { return new(PeerSend) },
	KindChannelJoin:         func() decodable { return new(ChannelJoin) },
	KindChannelLeave:        func() decodable { return new(ChannelLeave) },
	KindChannelSend:         func() decodable { return new(ChannelSend) },
	KindChannelMembers:      func() decodable { return new(ChannelMembers) },
	KindChannelCount:        func() decodable { return new(ChannelCount) },
	KindPing:                func() decodable { return new(Ping) },
	KindPeerAck:             func() decodable { return new(PeerAck) },
	KindLoginOK:             func() decodable { return new(LoginOK) },
	KindLogoutOK:            func() decodable { return &OK{Answers: KindLogout} },
	KindTokenRenewOK:        func() decodable { return &OK{Answers: KindTokenRenew} },
	KindPeerSendOK:          func() decodable { return new(PeerSendOK) },
	KindChannelJoinOK:       func() decodable { return new(ChannelJoinOK) },
	KindChannelLeaveOK:      func() decodable { return &OK{Answers: KindChannelLeave} },
	KindChannelSendOK:       func() decodable { return &OK{Answers: KindChannelSend} },
	KindChannelMembersOK:    func() decodable { return new(ChannelMembersOK) },
	KindChannelCountOK:      func() decodable { return new(ChannelCountOK) },
	KindPong:                func() decodable { return new(Pong) },
	KindError:               func() decodable { return new(Error) },
	KindPeerMessage:         func() decodable { return new(PeerMessage) },
	KindChannelMessage:      func() decodable { return new(ChannelMessage) },
	KindChannelMemberJoined: func() decodable { return new(ChannelMemberJoined) },
	KindChannelMemberLeft:   func() decodable { return new(ChannelMemberLeft) },
	KindChannelMemberCount:  func() decodable { return new(ChannelMemberCount) },
	KindLoginKicked:         func() decodable { return new(LoginKicked) },
	KindTokenWillExpire:     func() decodable { return new(TokenWillExpire) },
}

// Kinds returns every kind that this version defines, in no particular order.
func Kinds() []Kind {
	kinds := make([]Kind, 0, len(blank))
	for kind := range blank {
		kinds = append(kinds, kind)
	}
	return kinds
}

// Request reports whether a frame of kind k is a client request, which must carry
// an id and is always answered.
func (k Kind) Request() bool {
	switch k {
	case KindLogin, KindLogout, KindTokenRenew, KindPeerSend, KindChannelJoin, KindChannelLeave,
		KindChannelSend, KindChannelMembers, KindChannelCount, KindPing:
		return true
	}
	return false
}

// numbered reports whether a frame of kind k must carry an id above zero.
func (k Kind) numbered() bool {
	switch k {
	case KindLoginOK, KindLogoutOK, KindTokenRenewOK, KindPeerSendOK, KindChannelJoinOK,
		KindChannelLeaveOK, KindChannelSendOK, KindChannelMembersOK, KindChannelCountOK, KindPong:
		return true
	}
	return k.Request()
}
