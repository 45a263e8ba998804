package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/sdk/token"
)

// pair is the reference pair under test: the server in a child process, with short
// waiting times, an app that needs tokens, and every other app open.
type pair struct {
	*child
	tokens token.App
	other  string
	dir    string
	calls  pairCalls
	short  bool
}

// shortLimits are the waiting times of a server that is judged: long enough for a
// busy machine, short enough for an impatient person.
var shortLimits = []string{
	"--session-grace", "2500ms", "--reconnect-threshold", "600ms", "--ack-timeout", "2s",
	"--ping-interval", "150ms", "--silence", "2s", "--login-timeout", "2s", "--token-notice", "3s",
	"--replay-window", "1500ms", "--count-interval", "100ms", "--member-limit", "6",
}

// shortTimeouts are those of the SDK beside such a server.
var shortTimeouts = adapter.Timeouts{Login: 2 * time.Second, Send: 2 * time.Second}

func startPair(ctx context.Context, calls pairCalls, limits string) (*pair, error) {
	p := &pair{tokens: token.App{ID: randomHex(), Certificate: randomHex()}, other: randomHex(), calls: calls}
	dir, err := os.MkdirTemp("", "rtmkit-")
	if err != nil {
		return nil, fail(exitBroken, "cannot make a temporary folder: %w", err)
	}
	p.dir = dir
	apps := filepath.Join(dir, "apps.yaml")
	text := fmt.Sprintf("apps:\n  - id: %q\n    certificate: %q\n", p.tokens.ID, p.tokens.Certificate)
	if err := os.WriteFile(apps, []byte(text), 0o600); err != nil {
		os.RemoveAll(dir)
		return nil, fail(exitBroken, "cannot write the list of apps: %w", err)
	}
	args := []string{"--apps", apps, "--call-limits", string(calls), "--log-level", "warn", "--drain", "1s"}
	if p.short = limits != "published"; p.short {
		args = append(args, shortLimits...)
	}
	if p.child, err = startChild(ctx, args...); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return p, nil
}

func (p *pair) stop() {
	p.child.stop()
	os.RemoveAll(p.dir)
}

// judge makes the pair the subject.
func (p *pair) judge(s *subject) {
	s.Server, s.OtherAppID = p.url, p.other
	s.TokenAppID, s.Certificate = p.tokens.ID, p.tokens.Certificate
	if p.calls == "off" {
		s.notes = append(s.notes, "The server ran with its call limits off, so the profile call-limits is not judged.")
	}
	if !p.short {
		return
	}
	s.Timeouts = shortTimeouts
	s.notes = append(s.notes, "The server announced short waiting times ("+strings.Join(shortLimits[:6], " ")+
		" …), and a client was asked for timeouts of 2 s, by which every wait of the suite goes.")
}

func randomHex() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
