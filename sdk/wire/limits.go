package wire

import "time"

// Limits are the limits in force for one session, announced in login.ok. Clients
// and the conformance suite read their budgets here, so a server with short ones
// is judged by short waits. Times are in milliseconds.
type Limits struct {
	Channels             int    `json:"channels"`                // Channels is how many channels a session may be in at once (rule 122).
	MessageBytes         int    `json:"message_bytes"`           // MessageBytes bounds a payload, see [Message.Size] (rules 108, 109).
	IDBytes              int    `json:"id_bytes"`                // IDBytes bounds a uid or channel id (rule 12).
	FrameBytes           int    `json:"frame_bytes"`             // FrameBytes bounds a whole frame as it stands on the wire.
	Members              int    `json:"members"`                 // Members is the size above which member lists are cut and join and leave events stop (rules 144, 145).
	CountChannels        int    `json:"count_channels"`          // CountChannels bounds the channels of one channel.count (rule 150).
	ReplayMessages       int    `json:"replay_messages"`         // ReplayMessages is how many messages of a channel are replayed after an outage (rule 86).
	ReplayMS             int64  `json:"replay_ms"`               // ReplayMS is how old a replayed message may be (rule 86).
	SessionGraceMS       int64  `json:"session_grace_ms"`        // SessionGraceMS is how long a session lasts without contact (rules 79, 80).
	ReconnectThresholdMS int64  `json:"reconnect_threshold_ms"`  // ReconnectThresholdMS is how long a link may be lost before a client says RECONNECTING (rule 77).
	AckTimeoutMS         int64  `json:"ack_timeout_ms"`          // AckTimeoutMS is how long the server waits for a peer.ack before it answers with the timeout code.
	PingIntervalMS       int64  `json:"ping_interval_ms"`        // PingIntervalMS is how long a client may stay silent before it must ping.
	SilenceMS            int64  `json:"silence_ms"`              // SilenceMS is how long the server bears a silent connection before it drops it.
	LoginTimeoutMS       int64  `json:"login_timeout_ms"`        // LoginTimeoutMS is how long a connection may take to log in.
	TokenNoticeMS        int64  `json:"token_notice_ms"`         // TokenNoticeMS is how long before the end of a 007 token the server warns (rule 42).
	CountIntervalMS      int64  `json:"count_interval_ms"`       // CountIntervalMS is the least time between two member_count events of a channel (rule 147).
	CountIntervalLargeMS int64  `json:"count_interval_large_ms"` // CountIntervalLargeMS is the same for a channel of more than Members (rule 147).
	Calls                []Rate `json:"calls"`                   // Calls are the call limits in force; empty when the server enforces none.
}

// Rate is a call limit: at most Count calls in any window of WindowMS.
type Rate struct {
	Call     Call  `json:"call"`      // Call names what is counted.
	Count    int   `json:"count"`     // Count is how many calls pass in a window.
	WindowMS int64 `json:"window_ms"` // WindowMS is the length of the window in milliseconds.
}

// Call names what a [Rate] counts.
type Call string

// The calls that can be limited.
const (
	CallLogin    Call = "login"     // CallLogin counts login requests of one connection.
	CallRenew    Call = "renew"     // CallRenew counts token.renew.
	CallSend     Call = "send"      // CallSend counts peer.send and channel.send together (rule 112).
	CallJoin     Call = "join"      // CallJoin counts channel.join of all channels (rule 125).
	CallJoinSame Call = "join_same" // CallJoinSame counts channel.join of one channel (rule 125).
	CallMembers  Call = "members"   // CallMembers counts channel.members.
	CallCount    Call = "count"     // CallCount counts channel.count (rule 150).
)

// DefaultCalls returns the call limits that the vendor publishes.
func DefaultCalls() []Rate {
	return []Rate{
		{CallLogin, 2, 1000},
		{CallRenew, 2, 1000},
		{CallSend, 180, 3000},
		{CallJoin, 50, 3000},
		{CallJoinSame, 2, 5000},
		{CallMembers, 5, 2000},
		{CallCount, 1, 1000},
	}
}

// DefaultLimits returns the limits that the vendor publishes, and this protocol's
// own where the vendor has none, with the call limits on.
func DefaultLimits() Limits {
	return Limits{
		Channels:             20,
		MessageBytes:         32 << 10,
		IDBytes:              64,
		FrameBytes:           256 << 10,
		Members:              512,
		CountChannels:        32,
		ReplayMessages:       32,
		ReplayMS:             30_000,
		SessionGraceMS:       30_000,
		ReconnectThresholdMS: 4_000,
		AckTimeoutMS:         9_000,
		PingIntervalMS:       2_500,
		SilenceMS:            6_000,
		LoginTimeoutMS:       10_000,
		TokenNoticeMS:        30_000,
		CountIntervalMS:      1_000,
		CountIntervalLargeMS: 3_000,
		Calls:                DefaultCalls(),
	}
}

// Rate returns the limit on call, and false when the server announces none.
func (l *Limits) Rate(call Call) (Rate, bool) {
	for _, rate := range l.Calls {
		if rate.Call == call {
			return rate, true
		}
	}
	return Rate{}, false
}

// Millis turns a limit in milliseconds into a duration.
func Millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }
