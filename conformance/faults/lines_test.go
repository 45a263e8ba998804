package faults

import (
	"strings"
	"testing"
)

// passing sends lines through a rewriter, commands to the adapter and the rest from it, and returns what is passed on.
func passing(rewrite Lines, lines ...string) string {
	var passed []string
	for _, text := range lines {
		for _, line := range rewrite(strings.Contains(text, `"cmd"`), []byte(text)) {
			passed = append(passed, string(line))
		}
	}
	return strings.Join(passed, "\n")
}

func TestOnlyLinesThatAreChangedCount(t *testing.T) {
	counter := new(Counter)
	rewrite := answering("logout", withCode(102), ok(nil))(counter)
	const login = `{ "seq":1, "cmd":"logout", "client":"c1" }`
	const other = `{ "seq":1, "ok":{} }`
	if got := passing(rewrite, login, other); got != login+"\n"+other || counter.Count() != 0 {
		t.Errorf("%d activations, and passed on:\n%s", counter.Count(), got)
	}
	got := passing(rewrite, `{"seq":9007199254740991,"cmd":"logout","client":"c1"}`,
		`{"seq":9007199254740991,"error":{"op":"logout","code":102,"name":"X"}}`)
	if want := `{"ok":{},"seq":9007199254740991}`; !strings.HasSuffix(got, "\n"+want) || counter.Count() != 1 {
		t.Errorf("%d activations, and passed on:\n%s", counter.Count(), got)
	}
}

func TestTheSuiteHearsNothingOfTheCommandsOfARewriter(t *testing.T) {
	rewrite := copying("sendPeer", isReceived, contentsOf)(new(Counter))
	got := passing(rewrite,
		`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"bob","text":"hi","server_received_ms":1}`,
		`{"seq":1,"cmd":"sendPeer","client":"c1","to":"bob","message":"r1"}`,
		`{"seq":4503599627370497,"ok":{}}`, `{"seq":1,"ok":{"hasPeerReceived":true}}`)
	want := strings.Join([]string{
		`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"bob","text":"hi","server_received_ms":1}`,
		`{"client":"c1","cmd":"createMessage","message":"copy of r1","seq":4503599627370497,"text":"hi"}`,
		`{"client":"c1","cmd":"sendPeer","message":"copy of r1","seq":1,"to":"bob"}`,
		`{"seq":1,"ok":{"hasPeerReceived":true}}`,
	}, "\n")
	if got != want {
		t.Errorf("passed on\n%s\nwant\n%s", got, want)
	}
}

func TestAPretendedCommandDoesNothing(t *testing.T) {
	rewrite := pretending("leaveChannel", always, ok(nil))(new(Counter))
	got := passing(rewrite, `{"seq":1,"cmd":"createChannel","client":"c1","channel":"h1","id":"lobby"}`, `{"seq":1,"ok":{}}`,
		`{"seq":2,"cmd":"leaveChannel","channel":"h1"}`, `{"seq":2,"ok":{"state":"CONNECTED"}}`)
	if !strings.Contains(got, `{"client":"c1","cmd":"state","seq":2}`) || !strings.HasSuffix(got, `{"ok":{},"seq":2}`) {
		t.Errorf("passed on:\n%s", got)
	}
}
