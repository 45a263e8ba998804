package refserver_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func TestHostileFramesAreClosedWithTheirCode(t *testing.T) {
	s := overTCP(t)
	for name, c := range map[string]struct {
		kind  int
		frame string
		code  wire.CloseCode
	}{
		"empty":               {1, ``, wire.CloseBadFrame},
		"no JSON":             {1, `hello`, wire.CloseBadFrame},
		"half":                {1, `{"kind":"ping","id":1`, wire.CloseBadFrame},
		"two objects":         {1, `{"kind":"ping","id":1}{"kind":"ping","id":2}`, wire.CloseBadFrame},
		"array":               {1, `[{"kind":"ping","id":1}]`, wire.CloseBadFrame},
		"no kind":             {1, `{"id":1}`, wire.CloseBadFrame},
		"kind twice":          {1, `{"kind":"ping","kind":"ping","id":1}`, wire.CloseBadFrame},
		"case variant":        {1, `{"kind":"peer.send","id":1,"to":"bob","TO":"eve","text":"x"}`, wire.CloseBadFrame},
		"wrong type":          {1, `{"kind":"peer.send","id":1,"to":7,"text":"x"}`, wire.CloseBadFrame},
		"no id":               {1, `{"kind":"ping"}`, wire.CloseBadFrame},
		"id zero":             {1, `{"kind":"ping","id":0}`, wire.CloseBadFrame},
		"id too large":        {1, `{"kind":"ping","id":9007199254740992}`, wire.CloseBadFrame},
		"id negative":         {1, `{"kind":"ping","id":-1}`, wire.CloseBadFrame},
		"id fraction":         {1, `{"kind":"ping","id":1.5}`, wire.CloseBadFrame},
		"deep nesting":        {1, `{"kind":"x","a":` + strings.Repeat("[", 50000) + `}`, wire.CloseBadFrame},
		"server's kind":       {1, `{"kind":"pong","id":1}`, wire.CloseBadFrame},
		"server's event":      {1, `{"kind":"peer.message","seq":1,"from":"a","ts":1,"text":"x"}`, wire.CloseBadFrame},
		"server's event, odd": {1, `{"kind":"login.kicked", "reason":"x"}`, wire.CloseBadFrame},
		"ack of nothing":      {1, `{"kind":"peer.ack","seq":1}`, wire.CloseBadFrame},
		"binary":              {2, `{"kind":"ping","id":1}`, wire.CloseUnsupported},
		"not UTF-8":           {1, "{\"kind\":\"peer.send\",\"id\":1,\"to\":\"bob\",\"text\":\"\xff\"}", wire.CloseBadUTF8},
		"not UTF-8, odd":      {1, "{\"kind\": \"peer.send\",\"id\":1,\"to\":\"bob\",\"text\":\"\xc3\x28\"}", wire.CloseBadUTF8},
		"lone surrogate":      {1, `{"kind":"peer.send","id":1,"to":"bob","text":"\ud800"}`, wire.CloseBadFrame},
		"too big":             {1, `{"kind":"ping","id":1,"pad":"` + strings.Repeat("x", 256<<10) + `"}`, wire.CloseTooBig},
	} {
		t.Run(name, func(t *testing.T) {
			s := &testServer{s.Server, t, s.dial}
			eve := s.login("eve")
			if err := eve.ws.WriteMessage(c.kind, []byte(c.frame)); err != nil {
				t.Fatal(err)
			}
			eve.closedWith(c.code)
			// Nobody else noticed.
			bob := s.login("bob")
			bob.quiet()
		})
	}
}

func TestNothingTakesEffectAfterABadFrame(t *testing.T) {
	s := overTCP(t)
	bob, eve := s.login("bob"), s.login("eve")
	burst := maskedText(`{"kind":"peer.send","id":5,"to":"bob","text":"before"}`) + maskedText(`{"kind":1}`) +
		maskedText(`{"kind":"peer.send","id":6,"to":"bob","text":"after"}`)
	if _, err := eve.ws.NetConn().Write([]byte(burst)); err != nil {
		t.Fatal(err)
	}
	eve.closedWith(wire.CloseBadFrame)
	if got := of[*wire.PeerMessage](bob.collect()); len(got) != 1 || got[0].Message.Text != "before" {
		t.Fatalf("bob got %v", got)
	}
}

func TestUnknownKindsDoNotEndTheSession(t *testing.T) {
	s := overTCP(t)
	c := s.login("alice")
	c.text(`{"kind":"presence.subscribe","id":77,"uids":["bob"]}`)
	c.id = 77
	c.refused(wire.FrameUnknownKind)
	c.text(`{"kind":"presence.news"}`)
	c.text(` { "id" : 78 , "kind" : "ping", "new_member": {"a":[1,2]} } `)
	if f := expect[*wire.Pong](c); f.ID != 78 {
		t.Fatalf("got %s", f.Append(nil))
	}
}

func TestFramesBeforeLoginAreSmall(t *testing.T) {
	s := overTCP(t)
	c := s.connect()
	c.text(`{"kind":"ping","id":1,"pad":"` + strings.Repeat("x", 16000) + `"}`)
	c.id = 1
	c.refused(wire.PingNotLoggedIn)
	c.text(`{"kind":"ping","id":1,"pad":"` + strings.Repeat("x", 17000) + `"}`)
	c.closedWith(wire.CloseTooBig)
}

func TestFrameOfTheAnnouncedSizeIsAccepted(t *testing.T) {
	s := overTCP(t)
	c := s.login("alice")
	frame := `{"kind":"ping","id":5,"pad":""}`
	frame = strings.Replace(frame, `""`, `"`+strings.Repeat("x", c.ok.Limits.FrameBytes-len(frame))+`"`, 1)
	c.text(frame)
	if f := expect[*wire.Pong](c); f.ID != 5 {
		t.Fatalf("got %s", f.Append(nil))
	}
}

func TestFragmentsAndControlFramesBetweenThemAreUnderstood(t *testing.T) {
	s := overTCP(t)
	c := s.login("alice")
	pong := make(chan string, 1)
	c.ws.SetPongHandler(func(text string) error { pong <- text; return nil })
	w, err := c.ws.NextWriter(websocket.TextMessage)
	if err != nil {
		t.Fatal(err)
	}
	// Longer than the write buffer, so that the message goes out in fragments.
	fmt.Fprintf(w, `{"kind":"ping","id":9,"pad":"%s`, strings.Repeat("x", 10000))
	if err := c.ws.WriteControl(websocket.PingMessage, []byte("between"), noDeadline); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(w, `"}`)
	w.Close()
	if f := expect[*wire.Pong](c); f.ID != 9 || <-pong != "between" {
		t.Fatal("wrong answer")
	}
}

func TestHandshakeIsRefusedWithASentence(t *testing.T) {
	s := overTCP(t, func(c *refserver.Config) {
		c.MaxConnectionsPerAddress = 2
		c.Origins = []string{"https://app.example.com"}
	})
	try := func(header http.Header, protocols ...string) (*websocket.Conn, *http.Response) {
		d := websocket.Dialer{Subprotocols: protocols, NetDialContext: s.dialContext, EnableCompression: true}
		ws, resp, _ := d.Dial("ws://server"+wire.Path, header)
		return ws, resp
	}
	refused := func(status int, resp *http.Response) {
		t.Helper()
		if resp == nil || resp.StatusCode != status {
			t.Fatalf("answer %v, expected %d", resp, status)
		}
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		if text := strings.TrimSpace(body.String()); !strings.HasSuffix(text, ".") {
			t.Errorf("the refusal is no sentence: %q", text)
		}
	}
	_, resp := try(nil)
	refused(400, resp)
	_, resp = try(nil, "other.v1")
	refused(400, resp)
	_, resp = try(http.Header{"Origin": {"https://evil.example.com"}}, wire.Subprotocol)
	refused(403, resp)
	ws, _ := try(http.Header{"Origin": {"https://app.example.com"}}, wire.Subprotocol)
	if ws == nil {
		t.Fatal("a listed origin is refused")
	}
	defer ws.Close()
	ws, resp = try(http.Header{"Origin": {"http://server"}}, "other.v1", wire.Subprotocol)
	if ws == nil {
		t.Fatal("the server's own origin is refused")
	}
	defer ws.Close()
	if ext := resp.Header.Get("Sec-WebSocket-Extensions"); ext != "" {
		t.Fatalf("extension %q was negotiated", ext)
	}
	_, resp = try(nil, wire.Subprotocol)
	refused(429, resp)
}

func TestServerIsFullSaysSo(t *testing.T) {
	s := overTCP(t, func(c *refserver.Config) { c.MaxConnections = 1 })
	alice := s.login("alice")
	d := websocket.Dialer{Subprotocols: []string{wire.Subprotocol}, NetDialContext: s.dialContext}
	_, resp, err := d.Dial("ws://server"+wire.Path, nil)
	if err == nil || resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Fatalf("answer %v", resp)
	}
	alice.quiet()
}

// FuzzFrames sends any sequence of frames to a server: it must not panic, and another
// user must not notice.
func FuzzFrames(f *testing.F) {
	for _, kind := range wire.Kinds() {
		f.Add([]byte(fmt.Sprintf(`{"kind":%q,"id":1,"channel":"c","to":"bob","text":"x","seq":1,"token":"t"}`, kind)), uint64(1))
	}
	f.Add([]byte("{\"kind\":\"channel.join\",\"id\":1,\"channel\":\"a\"}\n{\"kind\":\"channel.send\",\"id\":2,\"channel\":\"a\",\"text\":\"x\"}\n"+
		"{\"kind\":\"peer.send\",\"id\":3,\"to\":\"eve\",\"raw\":\"AA==\"}\n{\"kind\":\"peer.ack\",\"seq\":1}\n{\"kind\":\"logout\",\"id\":4}"), uint64(2))
	s := overTCP(f)
	bob := s.login("bob")
	f.Fuzz(func(t *testing.T, input []byte, seed uint64) {
		eve := (&testServer{s.Server, t, s.dial}).login("eve")
		random := rand.New(rand.NewPCG(seed, 0))
		for _, frame := range bytes.Split(input, []byte("\n")) {
			kind := websocket.TextMessage
			if random.IntN(50) == 0 {
				kind = websocket.BinaryMessage
			}
			if eve.ws.WriteMessage(kind, frame) != nil {
				break
			}
		}
		_ = eve.ws.WriteMessage(websocket.TextMessage, []byte(`{"kind":"ping","id":9007199254740991}`))
		for {
			_, p, err := eve.ws.ReadMessage()
			if err != nil || string(p) == `{"kind":"pong","id":9007199254740991}` {
				break
			}
		}
		eve.drop()
		bob.t = t
		bob.collect()
	})
}
