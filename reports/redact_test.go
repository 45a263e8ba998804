package reports

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	bareToken = "007eJxTYBBbsMMnKq7p9Hf00F6uIbzPD19dTk2yMF5dSm7uPOe8ha3fW0UGAyNDAwsDA3NLM4NkEwA"
	oldToken  = "0060f1e2d3c4b5a69788796a5b4c3d2e1f0IADHvbqjkBIhHW0JkQOBbEXhrnRvYB3nyDWGvQ8Jf7q0VgAAAAAEAA"
)

func TestNoSecretReachesAReport(t *testing.T) {
	for _, text := range []string{
		`{"kind":"login","id":1,"token":"SECRET"}`,
		`{"kind":"login","token" : "SEC\"RET","uid":"a"}`,
		`{"kind":"token.renew","id":2,"token":"SECRET`,
		`{"kind":"login.ok","id":1,"session":"SECRET","resumed":false}`,
		`{"kind":"login","id":1,"resume":{"session":"SECRET","peer_seq":4}}`,
		`rtmkit conform run --token SECRET --only X`,
		`rtmkit conform run --token=SECRET`,
		`rtmkit serve --app-certificate 'SECRET and more'`,
		`rtmkit serve -token "SECRET"`,
		`ws://host/rtm/v1?app=1&token=SECRET&x=2`,
		`wss://user:SECRET@host/rtm/v1`,
		`RTM_APP_CERTIFICATE=SECRET rtmkit check`,
		"refused token " + bareToken,
		"refused token " + oldToken + ".",
	} {
		got := Redact(text)
		for _, secret := range []string{"SEC", "RET", "and more", bareToken[10:40], oldToken[10:40]} {
			if strings.Contains(got, secret) {
				t.Errorf("%q became %q", text, got)
			}
		}
		if !strings.Contains(got, redacted) {
			t.Errorf("%q became %q without a sign of what was taken out", text, got)
		}
	}
}

func TestRedactionLeavesPlainTextAlone(t *testing.T) {
	for _, text := range []string{
		"A missing token is refused with LOGIN_ERR_INVALID_TOKEN.",
		"rtmkit conform run --token-command ./mint.sh --server ws://127.0.0.1:1/rtm/v1",
		`{"kind":"token.will_expire","left_ms":30000}`,
		`{"seq":5,"cmd":"login","client":"c1","uid":"alice","token":""}`,
		"0079f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00",
		"user@host 007 RTM-PEER-002",
	} {
		if got := Redact(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestEveryFileOfAReportIsWithoutSecrets(t *testing.T) {
	r := failingReport()
	r.Command = "rtmkit check --token " + bareToken
	r.Loads[0].Manifest.Target = "ws://admin:hunter2@host/rtm/v1"
	q := &r.Conformance.Requirements[26]
	q.Observed = "the server echoed " + bareToken
	q.Specs = []SpecResult{{State: Fail, Message: oldToken, Frames: []Frame{{Actor: "a", Direction: Sent, Payload: `{"token":"` + bareToken + `"}`}}}}
	dir := t.TempDir()
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	if err := WriteLoad(dir, &r.Loads[0]); err != nil {
		t.Fatal(err)
	}
	files, err := regularFiles(dir)
	if err != nil || len(files) < 9 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		text, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{bareToken, oldToken, "hunter2"} {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s holds the secret %.12s…", filepath.Base(f), secret)
			}
		}
	}
	if !strings.Contains(r.Command, bareToken) {
		t.Error("Write changed the caller's report")
	}
}

func TestLongFramesAreClippedBetweenCharacters(t *testing.T) {
	f := NewFrame(0, "alice", Sent, strings.Repeat("x", MaxFramePayload-1)+"€€€")
	if want := "… (4104 bytes in all)"; !strings.HasSuffix(f.Payload, want) || strings.ContainsRune(f.Payload, '\uFFFD') {
		t.Errorf("the payload ends in %q", f.Payload[len(f.Payload)-40:])
	}
	if f := NewFrame(0, "alice", Sent, "a\xffb"); f.Payload != "a\uFFFDb" {
		t.Errorf("a byte that is not UTF-8 became %q", f.Payload)
	}
}
