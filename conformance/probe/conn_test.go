package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"
)

func TestRequestTakesItsOwnAnswerWhateverTheOrder(t *testing.T) {
	url := serve(t, func(ws *websocket.Conn) {
		_, first, _ := ws.ReadMessage()
		_, second, _ := ws.ReadMessage()
		_ = ws.WriteMessage(websocket.TextMessage, second)
		_ = ws.WriteMessage(websocket.TextMessage, first)
		drain(ws)
	})
	conn := dial(t, url, Options{})
	first := must[int64](t)(conn.Start("first"))
	second := must[int64](t)(conn.Start("second"))
	if answer := must[Object](t)(conn.Answer(within(t), first)); answer.Kind != "first" {
		t.Errorf("request %d got %s", first, answer)
	}
	if answer := must[Object](t)(conn.Answer(within(t), second)); answer.Kind != "second" {
		t.Errorf("request %d got %s", second, answer)
	}
}

func TestErrorAnswerIsAnAnswer(t *testing.T) {
	url := serveScript(t, `{"kind":"error","id":1,"op":"channel.join","code":5,"name":"JOIN_CHANNEL_ERR_EXCEED_LIMIT","message":"no"}`)
	answer := must[Object](t)(dial(t, url, Options{}).Join(within(t), "c"))
	if !answer.Failed() || answer.Code() != 5 || answer.Name() != "JOIN_CHANNEL_ERR_EXCEED_LIMIT" {
		t.Errorf("got failed=%v code=%d name=%s", answer.Failed(), answer.Code(), answer.Name())
	}
}

func TestAwaitLeavesWhatDoesNotMatch(t *testing.T) {
	url := serveScript(t, `{"kind":"a","n":1}`, `{"kind":"b","n":2}`, `{"kind":"a","n":3}`)
	conn := dial(t, url, Options{})
	if got := must[Object](t)(conn.Await(within(t), Kind("a").With("n", 3))); got.Kind != "a" {
		t.Errorf("got %s", got)
	}
	for _, want := range []int64{1, 2} {
		if got := must[Object](t)(conn.Next(within(t))); got.Value("n") != want {
			t.Errorf("got %s, want n=%d", got, want)
		}
	}
	if all := conn.Inbox(); len(all) != 3 {
		t.Errorf("the inbox kept %d of 3 frames", len(all))
	}
}

func TestUntilTakesEverythingBeforeTheMarker(t *testing.T) {
	url := serveScript(t, `{"kind":"a"}`, `{"kind":"b"}`, `{"kind":"marker"}`, `{"kind":"late"}`)
	conn := dial(t, url, Options{})
	before := must[[]Object](t)(conn.Until(within(t), Kind("marker")))
	if got := fmt.Sprint(kinds(before)); got != "[a b marker]" {
		t.Errorf("got %s", got)
	}
	if next := must[Object](t)(conn.Next(within(t))); next.Kind != "late" {
		t.Errorf("got %s", next)
	}
}

func kinds(objects []Object) []string {
	var kinds []string
	for _, object := range objects {
		kinds = append(kinds, object.Kind)
	}
	return kinds
}

func TestWaitErrorTellsWhatWasAwaitedAndWhatCame(t *testing.T) {
	conn := dial(t, serveScript(t, `{"kind":"other","token":"sesame"}`, `{"kind":"marker"}`), Options{Actor: "alice"})
	must[Object](t)(conn.Await(within(t), Kind("marker")))
	_, err := conn.Await(expired(t), Kind("peer.message").With("from", "bob"))
	for _, part := range []string{"alice", "peer.message with from bob", `{"kind":"other"`, "context canceled"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not tell %q: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "sesame") {
		t.Errorf("the error tells a token: %v", err)
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the error does not wrap its cause: %v", err)
	}
}

func TestWaitEndsWhenTheServerCloses(t *testing.T) {
	url := serve(t, func(ws *websocket.Conn) {
		_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4200, "remote_login"))
		drain(ws)
	})
	conn := dial(t, url, Options{})
	_, err := conn.Await(within(t), Kind("pong"))
	var closed *ClosedError
	if !errors.As(err, &closed) || closed.Code != 4200 || closed.Reason != "remote_login" {
		t.Errorf("got %v", err)
	}
	code, reason, err := conn.AwaitClose(within(t))
	if code != 4200 || reason != "remote_login" || err != nil {
		t.Errorf("got %d %q %v", code, reason, err)
	}
}

func TestServerSeesTheClosingHandshakeCompleted(t *testing.T) {
	ended := make(chan error, 1)
	url := serve(t, func(ws *websocket.Conn) {
		_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4100, ""))
		_, _, err := ws.ReadMessage()
		ended <- err
	})
	dial(t, url, Options{})
	if err := <-ended; !websocket.IsCloseError(err, 4100) {
		t.Errorf("the server got %v", err)
	}
}

func TestLostConnectionIsToldFromAClose(t *testing.T) {
	for name, lose := range map[string]func(ws *websocket.Conn){
		"reset": func(ws *websocket.Conn) { reset(ws.NetConn()) },
		"ended": func(ws *websocket.Conn) { _ = ws.Close() },
	} {
		conn := dial(t, serve(t, lose), Options{})
		code, _, err := conn.AwaitClose(within(t))
		if code != websocket.CloseAbnormalClosure || err != nil {
			t.Errorf("%s: got %d %v", name, code, err)
		}
		if _, err := conn.Next(within(t)); !strings.Contains(err.Error(), "without a close frame") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAwaitCloseTellsThatTheConnectionIsOpen(t *testing.T) {
	conn := dial(t, serveScript(t), Options{})
	if code, _, err := conn.AwaitClose(expired(t)); err == nil {
		t.Errorf("got %d for an open connection", code)
	}
}

func TestNothingIsSentUnasked(t *testing.T) {
	got := make(chan []string, 1)
	url := serve(t, func(ws *websocket.Conn) {
		var texts []string
		ws.SetPongHandler(func(payload string) error { texts = append(texts, "pong "+payload); return nil })
		greetWithPeerMessage(ws)
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil || string(payload) == "marker" {
				got <- texts
				return
			}
			texts = append(texts, string(payload))
		}
	})
	conn := dial(t, url, Options{})
	must[Object](t)(conn.Await(within(t), Kind("peer.message")))
	if err := conn.SendText("marker"); err != nil {
		t.Fatal(err)
	}
	if texts := <-got; len(texts) != 0 {
		t.Errorf("the server heard %q", texts)
	}
}

func greetWithPeerMessage(ws *websocket.Conn) {
	_ = ws.WriteMessage(websocket.PingMessage, []byte("x"))
	_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"kind":"peer.message","seq":3,"from":"bob","ts":1,"text":"hi"}`))
}

func TestAutomaticAnswersWhenSwitchedOn(t *testing.T) {
	heard := make(chan string, 2)
	url := serve(t, func(ws *websocket.Conn) {
		ws.SetPongHandler(func(payload string) error { heard <- "pong " + payload; return nil })
		greetWithPeerMessage(ws)
		_, payload, _ := ws.ReadMessage()
		heard <- string(payload)
	})
	conn := dial(t, url, Options{AutoPong: true, AutoAck: true})
	for _, want := range []string{"pong x", `{"kind":"peer.ack","seq":3}`} {
		select {
		case got := <-heard:
			if got != want {
				t.Errorf("the server heard %q, want %q", got, want)
			}
		case <-within(t).Done():
			t.Fatalf("%s was never sent", want)
		}
	}
	must[Object](t)(conn.Await(within(t), Kind("peer.message")))
}

func TestAutoPingKeepsItsPongsOutOfTheInbox(t *testing.T) {
	pings := make(chan struct{}, 100)
	url := serve(t, func(ws *websocket.Conn) {
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil {
				return
			}
			object, _ := Decode(payload)
			_ = ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"kind":"pong","id":%d}`, object.ID))
			select {
			case pings <- struct{}{}:
			default:
			}
		}
	})
	conn := dial(t, url, Options{AutoPing: time.Millisecond})
	for range 3 {
		<-pings
	}
	own := must[Object](t)(conn.Ping(within(t)))
	if inbox := conn.Inbox(); len(inbox) != 1 || inbox[0].ID != own.ID {
		t.Errorf("the inbox holds %v", inbox)
	}
}

func TestPausedReaderTakesNothingFromTheSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		gated := newGatedConn(near)
		got := make(chan string, 2)
		go func() {
			buffer := make([]byte, 8)
			for {
				n, err := gated.Read(buffer)
				if err != nil {
					close(got)
					return
				}
				got <- string(buffer[:n])
			}
		}()
		synctest.Wait() // the reader is inside the socket's Read when the gate closes
		gated.pause(true)
		go func() { _, _ = far.Write([]byte("one")); _, _ = far.Write([]byte("two")) }()
		synctest.Wait()
		if len(got) != 0 {
			t.Errorf("a paused reader handed over %q", <-got)
		}
		gated.pause(false)
		if first, second := <-got, <-got; first != "one" || second != "two" {
			t.Errorf("after the pause came %q and %q", first, second)
		}
		gated.pause(true)
		_ = gated.Close()
		if text, open := <-got; open {
			t.Errorf("a closed connection handed over %q", text)
		}
	})
}

func TestRefusedHandshakeTellsTheStatus(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "too many", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	direct := "ws" + strings.TrimPrefix(server.URL, "http")
	for name, url := range map[string]string{"directly": direct, "through a tap": tap(t, direct, TapOptions{}).URL()} {
		_, err := Dial(within(t), url, Options{})
		var refused *HandshakeError
		if !errors.As(err, &refused) || refused.Status != 503 || refused.Header.Get("Retry-After") != "7" {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestServerFrameThatBreaksTheProtocolFailsTheWait(t *testing.T) {
	for _, text := range []string{`{"kind":"a","kind":"b"}`, `[]`, `{"kind":"a"} x`, "{\"kind\":\"\xff\"}", `{"id":1}`, `{"kind":"a","id":0}`} {
		conn := dial(t, serveScript(t, text), Options{})
		if _, err := conn.Await(within(t), Kind("never")); err == nil || !strings.Contains(err.Error(), "broke the protocol") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	binary := serve(t, func(ws *websocket.Conn) { _ = ws.WriteMessage(websocket.BinaryMessage, []byte{1}); drain(ws) })
	if _, err := dial(t, binary, Options{}).Await(within(t), Kind("never")); !strings.Contains(err.Error(), "binary") {
		t.Errorf("binary: got %v", err)
	}
}

func TestRawConnectionReadsUntilTheServerEndsIt(t *testing.T) {
	raw := must[*Raw](t)(DialRaw(within(t), serveScript(t), Options{}))
	defer raw.Close()
	if err := raw.Send("NONSENSE\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if text := must[string](t)(raw.AwaitEnd(within(t))); !strings.HasPrefix(text, "HTTP/1.1 400") {
		t.Errorf("got %q", text)
	}
}

func TestProbeSpeaksTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		_, payload, _ := ws.ReadMessage()
		_ = ws.WriteMessage(websocket.TextMessage, payload)
		drain(ws)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	url := "wss" + strings.TrimPrefix(server.URL, "https")
	trusting := server.Client().Transport.(*http.Transport).TLSClientConfig

	if _, err := Dial(within(t), url, Options{}); err == nil {
		t.Error("a certificate that nobody signed was trusted")
	}
	conn := dial(t, url, Options{TLS: trusting})
	must[Object](t)(conn.Ping(within(t)))
	if err := conn.Cut(); err != nil {
		t.Error(err)
	}
	raw := must[*Raw](t)(DialRaw(within(t), url, Options{TLS: trusting}))
	defer raw.Close()
	_ = raw.Send("GET / HTTP/1.0\r\n\r\n")
	if text := must[string](t)(raw.AwaitEnd(within(t))); !strings.HasPrefix(text, "HTTP/1.0 400") {
		t.Errorf("got %q", text)
	}
}
