package wire

// Code is an error of the vendor API: a number that has a meaning only together
// with its operation, and its name. Codes are comparable, and a Code is an error,
// so that errors.Is finds it in what the SDK returns.
type Code struct {
	Op     Kind   // Op is the operation: the kind of the request, or one of the local operations.
	Number int    // Number is the vendor API's number.
	Name   string // Name is the vendor API's name.
}

// Error returns the name.
func (c Code) Error() string { return c.Name }

// Operations that never reach the wire, and the one for frames without a meaning.
const (
	OpClientNew  Kind = "client.new"  // OpClientNew is making a client: createInstance.
	OpChannelNew Kind = "channel.new" // OpChannelNew is making a channel object: createChannel.
	OpFrame      Kind = "frame"       // OpFrame is a request whose kind the server does not know.
)

// The error codes that this version uses. A code that the vendor reserves is not
// listed. USER_NOT_LOGGED_IN is 102 for every operation (rule 225).
var (
	ClientNewInvalidArgument  = Code{OpClientNew, 1, "CREATE_INSTANCE_ERR_INVALID_ARGUMENT"} // ClientNewInvalidArgument: the app id is not 32 letters and digits.
	ChannelNewInvalidArgument = Code{OpChannelNew, 1, "CREATE_CHANNEL_ERR_INVALID_ARGUMENT"} // ChannelNewInvalidArgument: the channel id breaks the id rules.

	LoginUnknown         = Code{KindLogin, 1, "LOGIN_ERR_UNKNOWN"}          // LoginUnknown: a general failure.
	LoginRejected        = Code{KindLogin, 2, "LOGIN_ERR_REJECTED"}         // LoginRejected: the server refuses the login; deprecated by the vendor.
	LoginInvalidArgument = Code{KindLogin, 3, "LOGIN_ERR_INVALID_ARGUMENT"} // LoginInvalidArgument: the uid breaks the id rules.
	LoginInvalidAppID    = Code{KindLogin, 4, "LOGIN_ERR_INVALID_APP_ID"}   // LoginInvalidAppID: the server does not know the app.
	LoginInvalidToken    = Code{KindLogin, 5, "LOGIN_ERR_INVALID_TOKEN"}    // LoginInvalidToken: the token fails verification, or is missing where one is needed.
	LoginTokenExpired    = Code{KindLogin, 6, "LOGIN_ERR_TOKEN_EXPIRED"}    // LoginTokenExpired: the token is past its end.
	LoginNotAuthorized   = Code{KindLogin, 7, "LOGIN_ERR_NOT_AUTHORIZED"}   // LoginNotAuthorized: reserved on the Web.
	LoginAlready         = Code{KindLogin, 8, "LOGIN_ERR_ALREADY_LOGIN"}    // LoginAlready: the client is logging in, logged in, or ABORTED.
	LoginTimeout         = Code{KindLogin, 9, "LOGIN_ERR_TIMEOUT"}          // LoginTimeout: no answer in time.
	LoginTooOften        = Code{KindLogin, 10, "LOGIN_ERR_TOO_OFTEN"}       // LoginTooOften: over the login rate.

	LogoutNotLoggedIn = Code{KindLogout, 102, "LOGOUT_ERR_USER_NOT_LOGGED_IN"} // LogoutNotLoggedIn: there is no session.

	RenewFailure         = Code{KindTokenRenew, 1, "RENEW_TOKEN_ERR_FAILURE"}              // RenewFailure: a general failure.
	RenewInvalidArgument = Code{KindTokenRenew, 2, "RENEW_TOKEN_ERR_INVALID_ARGUMENT"}     // RenewInvalidArgument: the token is empty.
	RenewTooOften        = Code{KindTokenRenew, 4, "RENEW_TOKEN_ERR_TOO_OFTEN"}            // RenewTooOften: over the renew rate.
	RenewTokenExpired    = Code{KindTokenRenew, 5, "RENEW_TOKEN_ERR_TOKEN_EXPIRED"}        // RenewTokenExpired: the new token is past its end.
	RenewInvalidToken    = Code{KindTokenRenew, 6, "RENEW_TOKEN_ERR_INVALID_TOKEN"}        // RenewInvalidToken: the new token fails verification.
	RenewNotLoggedIn     = Code{KindTokenRenew, 102, "RENEW_TOKEN_ERR_USER_NOT_LOGGED_IN"} // RenewNotLoggedIn: there is no session.

	PeerFailure        = Code{KindPeerSend, 1, "PEER_MESSAGE_ERR_FAILURE"}              // PeerFailure: a general failure.
	PeerTimeout        = Code{KindPeerSend, 2, "PEER_MESSAGE_ERR_TIMEOUT"}              // PeerTimeout: no answer in time; the outcome is unknown.
	PeerTooOften       = Code{KindPeerSend, 5, "PEER_MESSAGE_ERR_TOO_OFTEN"}            // PeerTooOften: over the send rate.
	PeerInvalidUserID  = Code{KindPeerSend, 6, "PEER_MESSAGE_ERR_INVALID_USERID"}       // PeerInvalidUserID: the peer's uid breaks the id rules.
	PeerInvalidMessage = Code{KindPeerSend, 7, "PEER_MESSAGE_ERR_INVALID_MESSAGE"}      // PeerInvalidMessage: not a message, over 32 KB, or a received one.
	PeerIncompatible   = Code{KindPeerSend, 8, "PEER_MESSAGE_ERR_INCOMPATIBLE_MESSAGE"} // PeerIncompatible: the receiver's SDK does not know this kind of message.
	PeerNotLoggedIn    = Code{KindPeerSend, 102, "PEER_MESSAGE_ERR_USER_NOT_LOGGED_IN"} // PeerNotLoggedIn: there is no session.

	ChannelSendFailure        = Code{KindChannelSend, 1, "CHANNEL_MESSAGE_ERR_FAILURE"}              // ChannelSendFailure: a general failure.
	ChannelSendTimeout        = Code{KindChannelSend, 2, "CHANNEL_MESSAGE_ERR_TIMEOUT"}              // ChannelSendTimeout: no answer in time; the outcome is unknown.
	ChannelSendTooOften       = Code{KindChannelSend, 3, "CHANNEL_MESSAGE_ERR_TOO_OFTEN"}            // ChannelSendTooOften: over the send rate.
	ChannelSendInvalidMessage = Code{KindChannelSend, 4, "CHANNEL_MESSAGE_ERR_INVALID_MESSAGE"}      // ChannelSendInvalidMessage: not a message, over 32 KB, or a received one.
	ChannelSendNotInChannel   = Code{KindChannelSend, 5, "CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL"}       // ChannelSendNotInChannel: logged in, not joined.
	ChannelSendNotLoggedIn    = Code{KindChannelSend, 102, "CHANNEL_MESSAGE_ERR_USER_NOT_LOGGED_IN"} // ChannelSendNotLoggedIn: there is no session.

	JoinFailure         = Code{KindChannelJoin, 1, "JOIN_CHANNEL_ERR_FAILURE"}                             // JoinFailure: a general failure.
	JoinInvalidArgument = Code{KindChannelJoin, 3, "JOIN_CHANNEL_ERR_INVALID_ARGUMENT"}                    // JoinInvalidArgument: the channel id breaks the id rules.
	JoinTimeout         = Code{KindChannelJoin, 4, "JOIN_CHANNEL_TIMEOUT"}                                 // JoinTimeout: no answer in time.
	JoinExceedLimit     = Code{KindChannelJoin, 5, "JOIN_CHANNEL_ERR_EXCEED_LIMIT"}                        // JoinExceedLimit: the 21st channel.
	JoinAlready         = Code{KindChannelJoin, 6, "JOIN_CHANNEL_ERR_ALREADY_JOINED"}                      // JoinAlready: this object is joining or joined.
	JoinTooOften        = Code{KindChannelJoin, 7, "JOIN_CHANNEL_ERR_TOO_OFTEN"}                           // JoinTooOften: over the join rate.
	JoinSameTooOften    = Code{KindChannelJoin, 8, "JOIN_CHANNEL_ERR_JOIN_SAME_CHANNEL_TOO_OFTEN"}         // JoinSameTooOften: over the join rate of one channel.
	JoinNotLoggedIn     = Code{KindChannelJoin, 102, "JOIN_CHANNEL_ERR_USER_NOT_LOGGED_IN"}                // JoinNotLoggedIn: there is no session.
	JoinAbortedByLeave  = Code{KindChannelJoin, 201, "JOIN_CHANNEL_ERR_ABORTED_BY_LEAVE"}                  // JoinAbortedByLeave: leave came during join.
	JoinAlreadySameID   = Code{KindChannelJoin, 202, "JOIN_CHANNEL_ERR_ALREADY_JOINED_CHANNEL_OF_SAME_ID"} // JoinAlreadySameID: another object with this id is joined.

	LeaveFailure      = Code{KindChannelLeave, 1, "LEAVE_CHANNEL_ERR_FAILURE"}              // LeaveFailure: a general failure, or no answer in time.
	LeaveNotInChannel = Code{KindChannelLeave, 3, "LEAVE_CHANNEL_ERR_NOT_IN_CHANNEL"}       // LeaveNotInChannel: not joined.
	LeaveNotLoggedIn  = Code{KindChannelLeave, 102, "LEAVE_CHANNEL_ERR_USER_NOT_LOGGED_IN"} // LeaveNotLoggedIn: there is no session.

	MembersFailure      = Code{KindChannelMembers, 1, "GET_MEMBERS_ERR_FAILURE"}              // MembersFailure: a general failure.
	MembersTimeout      = Code{KindChannelMembers, 3, "GET_MEMBERS_ERR_TIMEOUT"}              // MembersTimeout: no answer in time.
	MembersTooOften     = Code{KindChannelMembers, 4, "GET_MEMBERS_ERR_TOO_OFTEN"}            // MembersTooOften: over the rate.
	MembersNotInChannel = Code{KindChannelMembers, 5, "GET_MEMBERS_ERR_NOT_IN_CHANNEL"}       // MembersNotInChannel: not joined.
	MembersNotLoggedIn  = Code{KindChannelMembers, 102, "GET_MEMBERS_ERR_USER_NOT_LOGGED_IN"} // MembersNotLoggedIn: there is no session.

	CountFailure         = Code{KindChannelCount, 1, "GET_CHANNEL_MEMBER_COUNT_ERR_FAILURE"}              // CountFailure: a general failure.
	CountInvalidArgument = Code{KindChannelCount, 2, "GET_CHANNEL_MEMBER_COUNT_ERR_INVALID_ARGUMENT"}     // CountInvalidArgument: no channel, or one that breaks the id rules.
	CountTooOften        = Code{KindChannelCount, 3, "GET_CHANNEL_MEMBER_COUNT_ERR_TOO_OFTEN"}            // CountTooOften: over the rate.
	CountTimeout         = Code{KindChannelCount, 4, "GET_CHANNEL_MEMBER_COUNT_ERR_TIMEOUT"}              // CountTimeout: no answer in time.
	CountExceedLimit     = Code{KindChannelCount, 5, "GET_CHANNEL_MEMBER_COUNT_ERR_EXCEED_LIMIT"}         // CountExceedLimit: more channels than count_channels.
	CountNotLoggedIn     = Code{KindChannelCount, 102, "GET_CHANNEL_MEMBER_COUNT_ERR_USER_NOT_LOGGED_IN"} // CountNotLoggedIn: there is no session.

	FrameUnknownKind = Code{OpFrame, 1, "FRAME_ERR_UNKNOWN_KIND"}         // FrameUnknownKind: the server does not know the request. This protocol's own.
	PingNotLoggedIn  = Code{KindPing, 102, "PING_ERR_USER_NOT_LOGGED_IN"} // PingNotLoggedIn: there is no session. This protocol's own.
)

// Codes lists every code above, in the order of PROTOCOL.md.
var Codes = []Code{
	ClientNewInvalidArgument, ChannelNewInvalidArgument,
	LoginUnknown, LoginRejected, LoginInvalidArgument, LoginInvalidAppID, LoginInvalidToken,
	LoginTokenExpired, LoginNotAuthorized, LoginAlready, LoginTimeout, LoginTooOften,
	LogoutNotLoggedIn,
	RenewFailure, RenewInvalidArgument, RenewTooOften, RenewTokenExpired, RenewInvalidToken, RenewNotLoggedIn,
	PeerFailure, PeerTimeout, PeerTooOften, PeerInvalidUserID, PeerInvalidMessage, PeerIncompatible, PeerNotLoggedIn,
	ChannelSendFailure, ChannelSendTimeout, ChannelSendTooOften, ChannelSendInvalidMessage,
	ChannelSendNotInChannel, ChannelSendNotLoggedIn,
	JoinFailure, JoinInvalidArgument, JoinTimeout, JoinExceedLimit, JoinAlready, JoinTooOften,
	JoinSameTooOften, JoinNotLoggedIn, JoinAbortedByLeave, JoinAlreadySameID,
	LeaveFailure, LeaveNotInChannel, LeaveNotLoggedIn,
	MembersFailure, MembersTimeout, MembersTooOften, MembersNotInChannel, MembersNotLoggedIn,
	CountFailure, CountInvalidArgument, CountTooOften, CountTimeout, CountExceedLimit, CountNotLoggedIn,
	FrameUnknownKind, PingNotLoggedIn,
}

// CodeOf returns the code with this operation and number. A number that this
// version does not know gives a code with an empty name and false.
func CodeOf(op Kind, number int) (Code, bool) {
	for _, c := range Codes {
		if c.Op == op && c.Number == number {
			return c, true
		}
	}
	return Code{Op: op, Number: number}, false
}

// NotLoggedIn returns the code for a request of kind op outside a session, and
// false for a kind that has none.
func NotLoggedIn(op Kind) (Code, bool) { return CodeOf(op, 102) }

// Refuse returns the error frame that answers request id with code. Message is for
// people and must not hold a token.
func Refuse(id uint64, code Code, message string) *Error {
	return &Error{ID: id, Op: code.Op, Code: code.Number, Name: code.Name, Message: message}
}
