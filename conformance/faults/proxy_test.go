package faults

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestAClientThatDoesNotReadIsStillHeard(t *testing.T) {
	full, heard := make(chan struct{}), make(chan string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for payload := make([]byte, 64<<10); ; {
			_ = ws.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
			if ws.WriteMessage(websocket.TextMessage, payload) != nil {
				break
			}
		}
		close(full)
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil {
				return
			}
			select {
			case heard <- string(payload):
			case <-t.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	proxy, err := NewProxy("ws"+strings.TrimPrefix(server.URL, "http"), nil, nil, new(Counter))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	client, _, err := websocket.DefaultDialer.DialContext(t.Context(), proxy.URL(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	<-full

	for _, text := range []string{"one", "two", "three"} {
		if err := client.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-heard:
			if got != text {
				t.Errorf("the server hears %q instead of %q", got, text)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("the server does not hear %q", text)
		}
	}
}

func TestAProxyOpensConnectionsOfItsOwnAndRefusesThoseOfOthers(t *testing.T) {
	opened := make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		opened <- struct{}{}
		_, _, _ = ws.ReadMessage()
	}))
	t.Cleanup(server.Close)
	proxy, err := NewProxy("ws"+strings.TrimPrefix(server.URL, "http"), nil, func(p *Proxy) func(*Link) {
		p.Open()
		p.Admit(0)
		return func(*Link) {}
	}, new(Counter))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	if len(opened) != 1 {
		t.Errorf("the server has %d connections", len(opened))
	}
	if _, _, err := websocket.DefaultDialer.DialContext(t.Context(), proxy.URL(), nil); err == nil || len(opened) != 1 {
		t.Errorf("a connection was let in (%v), and the server has %d", err, len(opened))
	}
}
