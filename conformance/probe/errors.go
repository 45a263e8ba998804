package probe

import (
	"fmt"
	"strings"
	"time"
)

// WaitError tells why a wait ended without what it waited for.
type WaitError struct {
	// Actor is the name of the connection.
	Actor string
	// What describes what was awaited.
	What string
	// Waited is how long the wait took.
	Waited time.Duration
	// Came are the objects that were in the inbox instead, oldest first.
	Came []Object
	// Cause is the error of the context, a [ClosedError], or what was wrong with a frame of the server.
	Cause error
}

// Error tells what was awaited, how long, why the wait ended and what came instead (at most 8 frames).
func (e *WaitError) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s waited %s for %s: %v", e.Actor, e.Waited.Round(time.Millisecond), e.What, e.Cause)
	if len(e.Came) == 0 {
		text.WriteString("; nothing else came")
		return text.String()
	}
	text.WriteString("; instead came")
	shown := e.Came[max(0, len(e.Came)-8):]
	if hidden := len(e.Came) - len(shown); hidden > 0 {
		fmt.Fprintf(&text, " (%d earlier frames not shown)", hidden)
	}
	for _, object := range shown {
		text.WriteString("\n  " + object.String())
	}
	return text.String()
}

// Unwrap returns the cause.
func (e *WaitError) Unwrap() error { return e.Cause }

// ClosedError tells how a connection ended.
type ClosedError struct {
	// Code is the code of the server's close frame, or 1006 when the connection ended without one.
	Code int
	// Reason is the text of the close frame.
	Reason string
	// Cause is what the socket said when there was no close frame.
	Cause error
}

// Error tells the code and the reason, or what the socket said.
func (e *ClosedError) Error() string {
	if e.Cause != nil {
		return fmt.Sprintf("the connection ended without a close frame (%v)", e.Cause)
	}
	return fmt.Sprintf("the server closed the connection with %s", strings.Trim(describeClose(e.Code, e.Reason), "<>"))
}

// Unwrap returns what the socket said, or nil after a close frame.
func (e *ClosedError) Unwrap() error { return e.Cause }
