package probe

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Direction tells which way a frame went.
type Direction string

const (
	// ToServer marks what a client sent to the server.
	ToServer Direction = "->"
	// ToClient marks what a server sent to the client.
	ToClient Direction = "<-"
)

// Frame is one line of a trace: something that one actor sent or received.
type Frame struct {
	// At is when the frame was handed to the socket or read from it.
	At time.Time
	// Actor is the name of the connection that sent or received the frame.
	Actor string
	// Direction is ToServer for what the actor sent, ToClient for what it received.
	Direction Direction
	// Payload is the text of the frame. Tokens are replaced by their length, long payloads are cut after 2048 bytes,
	// and what is not text is described in angle brackets, such as "<close 4200 remote_login>".
	Payload string
}

// String returns the frame as one line without its time.
func (f Frame) String() string {
	return fmt.Sprintf("%s %s %s", f.Actor, f.Direction, f.Payload)
}

const (
	tracePayloadBytes = 2048
	traceFrames       = 20000
)

// Trace records the frames of one or more connections in the order in which they happened. It may be shared by several
// connections and is safe for concurrent use. It keeps the first 20000 frames and counts the rest.
type Trace struct {
	mu      sync.Mutex
	frames  []Frame
	dropped int
}

// Record appends a frame. The payload may be anything; see [Frame] for what is kept of it.
func (t *Trace) Record(actor string, direction Direction, payload string) {
	if t == nil {
		return
	}
	frame := Frame{At: time.Now(), Actor: actor, Direction: direction, Payload: shorten(redact(payload), tracePayloadBytes)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.frames) >= traceFrames {
		t.dropped++
		return
	}
	t.frames = append(t.frames, frame)
}

// Frames returns a copy of what was recorded so far.
func (t *Trace) Frames() []Frame {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.frames)
}

// Dropped returns how many frames were not kept because the trace was full.
func (t *Trace) Dropped() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// String returns the trace as lines of offset since the first frame, actor, direction and payload.
func (t *Trace) String() string {
	frames := t.Frames()
	var lines strings.Builder
	for _, frame := range frames {
		offset := frame.At.Sub(frames[0].At)
		fmt.Fprintf(&lines, "%10.3fms %s\n", float64(offset.Microseconds())/1000, frame)
	}
	return lines.String()
}

// Tokens and session secrets let their finder in. A frame with one need not be valid JSON, so the trace looks for the
// member by its shape. An unterminated string is redacted up to the end of the payload.
var secretMember = regexp.MustCompile(`("(?:token|session)"\s*:\s*)"((?:[^"\\]|\\.)*)("|\\?$)`)

func redact(payload string) string {
	if !strings.Contains(payload, `"token"`) && !strings.Contains(payload, `"session"`) {
		return payload
	}
	return secretMember.ReplaceAllStringFunc(payload, func(member string) string {
		parts := secretMember.FindStringSubmatch(member)
		return fmt.Sprintf(`%s"<%d bytes hidden>"`, parts[1], len(parts[2]))
	})
}

func shorten(payload string, limit int) string {
	if len(payload) <= limit {
		return payload
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(payload[cut]) {
		cut--
	}
	return fmt.Sprintf("%s… (%d bytes)", payload[:cut], len(payload))
}

func describeBytes(what string, data []byte) string {
	if len(data) <= 16 {
		return fmt.Sprintf("<%s, %d bytes: % x>", what, len(data), data)
	}
	return fmt.Sprintf("<%s, %d bytes: % x …>", what, len(data), data[:16])
}
