package wire

import "strconv"

// CloseCode is a WebSocket close code as this protocol uses it. The range of a
// code is the reconnect policy: 4000 to 4099 reconnect, 4100 to 4199 reconnect
// later or elsewhere, 4200 to 4299 do not reconnect.
type CloseCode int

// The close codes of this version.
const (
	CloseNormal       CloseCode = 1000 // CloseNormal: after logout.ok, or the client is done.
	CloseGoingAway    CloseCode = 1001 // CloseGoingAway: the client program ends without logging out.
	CloseUnsupported  CloseCode = 1003 // CloseUnsupported: a binary frame came.
	CloseBadUTF8      CloseCode = 1007 // CloseBadUTF8: a text frame was not UTF-8.
	CloseTooBig       CloseCode = 1009 // CloseTooBig: a frame was over frame_bytes.
	CloseSlowConsumer CloseCode = 4000 // CloseSlowConsumer: the client did not read fast enough.
	CloseSilent       CloseCode = 4001 // CloseSilent: nothing came for silence_ms.
	CloseInternal     CloseCode = 4002 // CloseInternal: the server failed.
	CloseLoginTimeout CloseCode = 4003 // CloseLoginTimeout: the connection did not log in in time.
	CloseDraining     CloseCode = 4100 // CloseDraining: the server shuts down.
	CloseOverloaded   CloseCode = 4101 // CloseOverloaded: the server is at a bound of its own.
	CloseFlood        CloseCode = 4102 // CloseFlood: the client stayed far above its call limits.
	CloseRemoteLogin  CloseCode = 4200 // CloseRemoteLogin: the uid logged in elsewhere.
	CloseBanned       CloseCode = 4201 // CloseBanned: the operator banned the user.
	CloseTokenExpired CloseCode = 4202 // CloseTokenExpired: the token of the session ended.
	CloseSuperseded   CloseCode = 4203 // CloseSuperseded: the same session goes on over a newer connection.
	CloseBadFrame     CloseCode = 4204 // CloseBadFrame: a frame could not be understood.
)

var closeNames = map[CloseCode]string{
	CloseNormal: "normal", CloseGoingAway: "going_away", CloseUnsupported: "unsupported_data",
	CloseBadUTF8: "bad_utf8", CloseTooBig: "too_big", CloseSlowConsumer: "slow_consumer",
	CloseSilent: "silent", CloseInternal: "internal", CloseLoginTimeout: "login_timeout",
	CloseDraining: "draining", CloseOverloaded: "overloaded", CloseFlood: "flood",
	CloseRemoteLogin: "remote_login", CloseBanned: "banned", CloseTokenExpired: "token_expired",
	CloseSuperseded: "superseded", CloseBadFrame: "bad_frame",
}

// String returns the name of the code, which is also the reason text of the close
// frame, or the number where the code has no name here.
func (c CloseCode) String() string {
	if name, ok := closeNames[c]; ok {
		return name
	}
	return strconv.Itoa(int(c))
}

// Policy is what a client does after a close.
type Policy uint8

// The reconnect policies.
const (
	PolicyRetry      Policy = iota // PolicyRetry: reconnect with backoff and resume.
	PolicyRetryLater               // PolicyRetryLater: reconnect, starting from a longer backoff.
	PolicyTerminal                 // PolicyTerminal: do not reconnect.
)

// Policy returns what a client does when a connection ends with this code. Codes
// that this version does not know fall under the policy of their range; a link
// that breaks without a close frame (1006), and a 1000 that no logout asked for, are
// a retry.
func (c CloseCode) Policy() Policy {
	switch {
	case c == CloseUnsupported, c == CloseBadUTF8, c == CloseTooBig,
		c >= 4200 && c <= 4299:
		return PolicyTerminal
	case c >= 4100 && c <= 4199:
		return PolicyRetryLater
	}
	return PolicyRetry
}
