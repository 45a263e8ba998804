package reports

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// Direction says which way a frame went, seen from its actor.
type Direction string

// The directions of a frame.
const (
	// Sent marks a frame that the actor wrote.
	Sent Direction = "->"
	// Received marks a frame that the actor read.
	Received Direction = "<-"
)

// MaxFramePayload is how many bytes of a frame a report keeps. The rest is
// replaced by a note with the full length.
const MaxFramePayload = 4096

// Frame is one frame on the wire, or one event on a connection.
type Frame struct {
	// AtNS is when it happened, in nanoseconds since the spec began.
	AtNS int64 `json:"at_ns"`
	// Actor is the connection's name in the spec, such as "alice".
	Actor string `json:"actor"`
	// Direction is [Sent] or [Received].
	Direction Direction `json:"direction"`
	// Payload is the frame as text without secrets. Close frames and binary
	// frames are described in words.
	Payload string `json:"payload"`
}

// NewFrame returns a frame for a report. It redacts tokens with [Redact],
// replaces bytes that are not UTF-8, and clips the payload to
// [MaxFramePayload] bytes. A time before the spec began becomes zero.
func NewFrame(at time.Duration, actor string, direction Direction, payload string) Frame {
	return Frame{AtNS: max(0, int64(at)), Actor: actor, Direction: direction, Payload: clip(Redact(payload))}
}

func clip(s string) string {
	if len(s) > MaxFramePayload {
		cut := MaxFramePayload
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = fmt.Sprintf("%s… (%d bytes in all)", s[:cut], len(s))
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// redacted stands where a secret stood.
const redacted = "[redacted]"

var secrets = []struct {
	pattern *regexp.Regexp
	replace string
}{
	// A JSON member; the closing quote may be missing in a frame cut short.
	{regexp.MustCompile(`(?i)("[a-z_]*(?:token|certificate|secret|password|session)"\s*:\s*")(?:[^"\\]|\\.)+("|$)`), "${1}" + redacted + "${2}"},
	// A flag. One that names a command or a file (--token-command) holds no
	// secret itself.
	{regexp.MustCompile(`(?i)(--?(?:[a-z]+-)?(?:token|certificate|secret|password)(?:=|\s+))('[^']*'|"[^"]*"|[^\s'"-][^\s'"]*)`), "${1}" + redacted},
	// A parameter of a URL, or a variable of the environment.
	{regexp.MustCompile(`(?i)((?:^|[?&\s])[a-z_]*(?:token|certificate|secret|password)=)('[^']*'|"[^"]*"|[^\s&'"]+)`), "${1}" + redacted},
	// A user and password in a URL.
	{regexp.MustCompile(`([a-z][a-z0-9+.-]*://)[^/\s@"]+@`), "${1}" + redacted + "@"},
	// A bare access token of format 006 or 007. The length keeps it apart from
	// a SHA-256 that happens to begin so.
	{regexp.MustCompile(`\b00[67][A-Za-z0-9+/_-]{64,}={0,2}`), redacted},
}

// Redact replaces access tokens, app certificates, session secrets and passwords
// in a text by a fixed word: members of a JSON frame, flags of a command line, parameters and
// user info of a URL, and bare tokens of format 006 and 007. It recognises
// secrets by their name or shape only; a secret that stands bare and has no
// known shape stays.
func Redact(s string) string {
	for _, secret := range secrets {
		s = secret.pattern.ReplaceAllString(s, secret.replace)
	}
	return s
}
