package probe

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// budget is far longer than any wait in these tests takes; it only ends a test that is broken.
const budget = 20 * time.Second

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), budget)
	t.Cleanup(cancel)
	return ctx
}

// expired is a context that is already over, for looking at what is there without waiting.
func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// serve starts a server that hands each connection to the handler, and returns its URL.
func serve(t *testing.T, handle func(ws *websocket.Conn)) string {
	upgrader := websocket.Upgrader{Subprotocols: []string{Subprotocol}, CheckOrigin: func(*http.Request) bool { return true }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		ws.SetReadLimit(1 << 20)
		handle(ws)
	}))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http") + "/rtm/v1"
}

// serveScript starts a server that sends these texts to each connection and then reads until it ends.
func serveScript(t *testing.T, texts ...string) string {
	return serve(t, func(ws *websocket.Conn) {
		for _, text := range texts {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(text))
		}
		drain(ws)
	})
}

// serveEcho starts a server that sends every message back.
func serveEcho(t *testing.T) string {
	return serve(t, func(ws *websocket.Conn) {
		for {
			opcode, payload, err := ws.ReadMessage()
			if err != nil || ws.WriteMessage(opcode, payload) != nil {
				return
			}
		}
	})
}

func drain(ws *websocket.Conn) {
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
}

func dial(t *testing.T, url string, options Options) *Conn {
	t.Helper()
	conn, err := Dial(within(t), url, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func must[T any](t *testing.T) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}
