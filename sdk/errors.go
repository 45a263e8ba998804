package rtm

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Error is what every call of this package fails with. It answers four questions:
// which operation, which code, whether the server said so or the client found out
// by itself, and what to do next.
//
// errors.Is finds the code, as in errors.Is(err, wire.PeerTimeout), and what lies
// below: context.Canceled, context.DeadlineExceeded, a network error.
type Error struct {
	Op         wire.Kind // Op is the operation: the kind of the request, or one of the local operations.
	Code       wire.Code // Code is the vendor API's code; zero when the caller's context ended the call or the vendor has none.
	FromServer bool      // FromServer tells that the server answered so; false means that the client found out by itself.
	Message    string    // Message says for people what is wrong and what to do next. It never holds a token.
	Err        error     // Err is the cause, or nil.
}

// Error returns one sentence with the operation, the code, its origin and the message.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rtm: %s: ", e.Op)
	if e.Code != (wire.Code{}) {
		origin := "client"
		if e.FromServer {
			origin = "server"
		}
		fmt.Fprintf(&b, "%s (%d, said by the %s)", e.Code.Name, e.Code.Number, origin)
		if e.Message != "" {
			b.WriteString(": ")
		}
	}
	b.WriteString(e.Message)
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is this error's code: a [wire.Code] of the same
// operation and number.
func (e *Error) Is(target error) bool {
	code, ok := target.(wire.Code)
	return ok && code.Number != 0 && code.Op == e.Code.Op && code.Number == e.Code.Number
}

// CodeOf returns the code that err carries, and false when it carries none, as the
// error of a call that its context ended.
func CodeOf(err error) (wire.Code, bool) {
	var e *Error
	if !errors.As(err, &e) || e.Code == (wire.Code{}) {
		return wire.Code{}, false
	}
	return e.Code, true
}

var (
	errClosed   = errors.New("the client is closed")
	errLinkLost = errors.New("the link to the server is lost")
)

const unknownOutcome = "the outcome is unknown: the server may or may not have acted on it"

// refuse is what the client says by itself.
func refuse(code wire.Code, format string, args ...any) *Error {
	return &Error{Op: code.Op, Code: code, Message: fmt.Sprintf(format, args...)}
}

// refusedByServer turns an error frame into the error of operation op.
func refusedByServer(op wire.Kind, f *wire.Error) *Error {
	code, known := wire.CodeOf(f.Op, f.Code)
	if !known {
		code.Name = f.Name
	}
	message := f.Message
	if advice := next(code); advice != "" {
		if message != "" {
			message += "; "
		}
		message += advice
	}
	return &Error{Op: op, Code: code, FromServer: true, Message: message}
}

// notLoggedIn is the error of operation op outside a session.
func notLoggedIn(op wire.Kind, state State) *Error {
	code, _ := wire.NotLoggedIn(op)
	message := "there is no session; call Login first"
	switch state {
	case Connecting:
		message = "the login is not finished; wait for it"
	case Aborted:
		message = "the server ended the session; call Logout and then Login"
	}
	return &Error{Op: op, Code: code, Message: message}
}

// cancelled is the error of a call whose context ended.
func cancelled(op wire.Kind, ctx context.Context, sent bool) *Error {
	message := "nothing was sent"
	if sent {
		message = "given up while waiting for the answer, and " + unknownOutcome
	}
	return &Error{Op: op, Message: message, Err: context.Cause(ctx)}
}

var timeouts = map[wire.Kind]wire.Code{
	wire.KindPeerSend:       wire.PeerTimeout,
	wire.KindChannelSend:    wire.ChannelSendTimeout,
	wire.KindChannelJoin:    wire.JoinTimeout,
	wire.KindChannelLeave:   wire.LeaveFailure,
	wire.KindChannelMembers: wire.MembersTimeout,
	wire.KindChannelCount:   wire.CountTimeout,
	wire.KindTokenRenew:     wire.RenewFailure,
}

// timedOut is the error of a call without an answer in time.
func timedOut(op wire.Kind, after time.Duration, sent bool) *Error {
	what := unknownOutcome
	if !sent {
		what = "it was not sent, because the link was lost; try again"
	}
	return &Error{Op: op, Code: timeouts[op], Message: fmt.Sprintf("no answer within %v; %s", after, what)}
}

var failures = map[wire.Kind]wire.Code{
	wire.KindPeerSend:       wire.PeerFailure,
	wire.KindChannelSend:    wire.ChannelSendFailure,
	wire.KindChannelJoin:    wire.JoinFailure,
	wire.KindChannelLeave:   wire.LeaveFailure,
	wire.KindChannelMembers: wire.MembersFailure,
	wire.KindChannelCount:   wire.CountFailure,
	wire.KindTokenRenew:     wire.RenewFailure,
	wire.KindLogin:          wire.LoginUnknown,
}

// failed is the error of a call that the session could not bring to an end.
func failed(op wire.Kind, message string, cause error) *Error {
	return &Error{Op: op, Code: failures[op], Message: message, Err: cause}
}

// next says what to do after the server refused with code, where there is
// something to say.
func next(code wire.Code) string {
	switch code {
	case wire.LoginInvalidToken, wire.RenewInvalidToken:
		return "get a token that is minted for this app id and this uid"
	case wire.LoginTokenExpired, wire.RenewTokenExpired:
		return "get a fresh token"
	case wire.LoginInvalidAppID:
		return "check Config.AppID"
	case wire.LoginTooOften, wire.RenewTooOften, wire.PeerTooOften, wire.ChannelSendTooOften, wire.JoinTooOften,
		wire.JoinSameTooOften, wire.MembersTooOften, wire.CountTooOften:
		return "call less often; Limits().Calls has the announced rates"
	case wire.JoinExceedLimit:
		return "leave a channel first"
	case wire.PeerTimeout:
		return unknownOutcome
	}
	return ""
}
