package probe

import (
	"bytes"
	"strings"
	"testing"
)

func TestBrokenFramesReachTheServerAsTheyAre(t *testing.T) {
	half := RawFrame{Opcode: OpText, Payload: []byte(`{"kind":"ping"}`)}.Bytes()[:9]
	for name, test := range map[string]struct {
		send func(conn *Conn) error
		code int
	}{
		"no mask":             {func(c *Conn) error { return c.SendFrames(RawFrame{Opcode: OpText, Unmasked: true}) }, 1002},
		"reserved bit":        {func(c *Conn) error { return c.SendFrames(RawFrame{Opcode: OpText, Reserved: 2}) }, 1002},
		"reserved opcode":     {func(c *Conn) error { return c.SendBytes(0x3, nil) }, 1002},
		"stray continuation":  {func(c *Conn) error { return c.SendBytes(OpContinuation, nil) }, 1002},
		"fragmented ping":     {func(c *Conn) error { return c.SendFrames(RawFrame{Opcode: OpPing, Continues: true}) }, 1002},
		"claim of a gigabyte": {func(c *Conn) error { return c.SendFrames(RawFrame{Opcode: OpText, Claim: 1 << 30}) }, 1009},
		"forbidden close":     {func(c *Conn) error { return c.SendClose(1005, "") }, 1002},
		"half a frame, cut off": {func(c *Conn) error {
			if err := c.SendRaw(half); err != nil {
				return err
			}
			return c.Close()
		}, 1006},
	} {
		t.Run(name, func(t *testing.T) {
			conn := dial(t, serveEcho(t), Options{})
			if err := test.send(conn); err != nil {
				t.Fatal(err)
			}
			if code, _, err := conn.AwaitClose(within(t)); code != test.code {
				t.Errorf("the server closed with %d (%v), want %d", code, err, test.code)
			}
		})
	}
}

func TestFragmentsArriveAsOneMessage(t *testing.T) {
	conn := dial(t, serveEcho(t), Options{})
	text := `{"kind":"long","text":"` + strings.Repeat("é", 40000) + `"}`
	for _, size := range []int{1 << 20, 65536, 65535, 126, 125, 7} {
		if err := conn.SendFrames(Fragments(OpText, []byte(text), size)...); err != nil {
			t.Fatal(err)
		}
		if got := must[Object](t)(conn.Next(within(t))); string(got.Raw) != text {
			t.Errorf("fragments of %d bytes arrived as %s", size, got)
		}
	}
}

func TestPongIsAwaitedByItsPayload(t *testing.T) {
	conn := dial(t, serveEcho(t), Options{})
	if err := conn.SendBytes(OpPing, []byte("are you there?")); err != nil {
		t.Fatal(err)
	}
	if err := conn.AwaitPong(within(t), "are you there?"); err != nil {
		t.Error(err)
	}
	if err := conn.AwaitPong(expired(t), "another"); err == nil || !strings.Contains(err.Error(), `a WebSocket pong with "another"`) {
		t.Errorf("got %v", err)
	}
}

func TestFrameBytesFollowTheStandard(t *testing.T) {
	for name, test := range map[string]struct {
		frame RawFrame
		want  []byte
	}{
		"short text":      {RawFrame{Opcode: OpText, Unmasked: true, Payload: []byte("hi")}, []byte{0x81, 2, 'h', 'i'}},
		"first of many":   {RawFrame{Opcode: OpText, Unmasked: true, Continues: true}, []byte{0x01, 0}},
		"reserved bits":   {RawFrame{Opcode: OpText, Unmasked: true, Reserved: 5}, []byte{0xD1, 0}},
		"two bytes":       {RawFrame{Opcode: OpText, Unmasked: true, Claim: 126}, []byte{0x81, 126, 0, 126}},
		"the most in two": {RawFrame{Opcode: OpText, Unmasked: true, Claim: 1<<16 - 1}, []byte{0x81, 126, 255, 255}},
		"eight bytes":     {RawFrame{Opcode: OpText, Unmasked: true, Claim: 1 << 16}, []byte{0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0}},
	} {
		if got := test.frame.Bytes(); !bytes.Equal(got, test.want) {
			t.Errorf("%s: got % x, want % x", name, got, test.want)
		}
	}
	masked := RawFrame{Opcode: OpText, Payload: []byte("hi")}.Bytes()
	if len(masked) != 8 || masked[1] != 0x82 || masked[6]^masked[2] != 'h' || masked[7]^masked[3] != 'i' {
		t.Errorf("masked: got % x", masked)
	}
}

func TestEncodeKeepsOrderAndWhatIsWrong(t *testing.T) {
	text := must[[]byte](t)(Encode(F("kind", "x<&>"), F("id", -1), F("id", "two"), F("inner", []Field{F("b", 1), F("a", nil)})))
	if want := `{"kind":"x<&>","id":-1,"id":"two","inner":{"b":1,"a":null}}`; string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestLoginFrameIsCanonical(t *testing.T) {
	login := Credentials{AppID: "app", UID: "alice", Token: "t", Resume: &Resume{Session: "s", PeerSeq: 4, Channels: []Cursor{{"c", 9}}}}
	text := must[[]byte](t)(Encode(login.Fields()...))
	want := `{"app_id":"app","uid":"alice","token":"t","resume":{"session":"s","peer_seq":4,"channels":[{"channel":"c","seq":9}]}}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}
