package rtm

// State is the connection state of a client. A new client is [Disconnected]
// (rule 75).
type State uint8

// The connection states.
const (
	Disconnected State = iota // Disconnected: there is no session; Login is the way on.
	Connecting                // Connecting: Login is at work.
	Connected                 // Connected: there is a session, and its link works or has been lost only for a moment.
	Reconnecting              // Reconnecting: the link has been lost for longer than the threshold; the client is working on it.
	Aborted                   // Aborted: the server ended the session; Logout and then Login is the way on.
)

var stateNames = [...]string{"DISCONNECTED", "CONNECTING", "CONNECTED", "RECONNECTING", "ABORTED"}

// String returns the vendor API's word for the state.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "UNKNOWN"
}

// Reason tells why the connection state changed. Its text is the vendor API's
// word.
type Reason string

// The reasons for a change of the connection state.
const (
	ReasonLogin        Reason = "LOGIN"            // ReasonLogin: Login began.
	ReasonLoginSuccess Reason = "LOGIN_SUCCESS"    // ReasonLoginSuccess: the server granted the session, or gave it back after an outage.
	ReasonLoginFailure Reason = "LOGIN_FAILURE"    // ReasonLoginFailure: the server refused the login, or its caller gave it up.
	ReasonLoginTimeout Reason = "LOGIN_TIMEOUT"    // ReasonLoginTimeout: the login had no answer in time.
	ReasonInterrupted  Reason = "INTERRUPTED"      // ReasonInterrupted: the link is lost.
	ReasonLogout       Reason = "LOGOUT"           // ReasonLogout: Logout or Close was called.
	ReasonBanned       Reason = "BANNED_BY_SERVER" // ReasonBanned: the operator banned the user.
	ReasonRemoteLogin  Reason = "REMOTE_LOGIN"     // ReasonRemoteLogin: the same uid logged in elsewhere.
	ReasonTokenExpired Reason = "TOKEN_EXPIRED"    // ReasonTokenExpired: the token of the session ended.
)

// String returns the vendor API's word for the reason.
func (r Reason) String() string { return string(r) }
