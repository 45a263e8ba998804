package adapter

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/rtmkit/rtmkit/reports"
)

// BrokenError tells that an adapter does not keep the protocol, so that nothing can be judged with it. It is for good.
type BrokenError struct {
	// Deed says what the adapter did, as a sentence that begins with its verb.
	Deed string
	// Line is the offending line, clipped and without secrets; empty when there is none.
	Line string
	// Stderr is the end of what the adapter wrote to its standard error, without secrets.
	Stderr string
}

// Error tells in one sentence what the adapter did, the line, and what it wrote to its standard error.
func (e *BrokenError) Error() string {
	text := "the adapter " + e.Deed
	if e.Line != "" {
		text += ": " + e.Line
	}
	return text + lastWords(e.Stderr)
}

// DownError tells that an adapter ended or fell silent while a client was under test. It may be the doing of the SDK
// behind it, so it is a finding for the spec that runs; [Program.Restart] makes the program ready for the next one.
type DownError struct {
	// Deed says what the adapter did, as a sentence that begins with its verb.
	Deed string
	// Stderr is the end of what the adapter wrote to its standard error, without secrets.
	Stderr string
}

// Error tells in one sentence what the adapter did, and what it wrote to its standard error.
func (e *DownError) Error() string { return "the adapter " + e.Deed + lastWords(e.Stderr) }

func lastWords(stderr string) string {
	if stderr == "" {
		return ""
	}
	return "; its standard error ends with: " + strings.ReplaceAll(stderr, "\n", " | ")
}

// shownLine is how much of an offending line is shown, in bytes.
const shownLine = 200

// clipped quotes a line for an error, and shortens it. It is redacted whole, since a secret that is cut may have no shape.
func clipped(line []byte, redact func(string) string) string {
	text := redact(string(line[:min(len(line), MaxLine)]))
	if len(text) <= shownLine {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprintf("%q… (%d bytes)", strings.ToValidUTF8(text[:shownLine], ""), len(line))
}

// secrets are the tokens that an adapter was given. They are replaced wherever they stand, whatever their shape.
type secrets struct {
	mu    sync.Mutex
	known []string
}

// secretsKept bounds how many tokens are remembered.
const secretsKept = 1000

func (s *secrets) add(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A few characters are no secret, and to replace them would spoil every text.
	if len(token) < 8 {
		return
	}
	if len(s.known) == secretsKept {
		s.known = s.known[1:]
	}
	s.known = append(s.known, token)
}

func (s *secrets) redact(text string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, token := range s.known {
		text = strings.ReplaceAll(text, token, "[redacted]")
	}
	return reports.Redact(text)
}

// tail keeps the end of what an adapter writes to its standard error.
type tail struct {
	mu   sync.Mutex
	kept []byte
	cut  bool
}

// tailBytes is how much of it is kept, and tailShown how much of that is shown.
const (
	tailBytes = 16 << 10
	tailShown = 2 << 10
)

// Write keeps the end.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
		t.cut = true
	}
	return len(p), nil
}

// text returns the end of what was kept. It begins with a whole word, since half a token has no shape by which it could
// be redacted.
func (t *tail) text(redact func(string) string) string {
	t.mu.Lock()
	kept, cut := bytes.Clone(t.kept), t.cut
	t.mu.Unlock()
	if cut {
		_, kept, _ = bytes.Cut(kept, []byte("\n"))
	}
	text := strings.TrimSpace(strings.ToValidUTF8(redact(string(kept)), "\uFFFD"))
	if over := len(text) - tailShown; over > 0 {
		text = "… " + strings.ToValidUTF8(text[over:], "")
	}
	return text
}

var _ io.Writer = (*tail)(nil)
