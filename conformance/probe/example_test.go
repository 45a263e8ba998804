package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// parrot is a server that answers every frame with itself.
func parrot() *httptest.Server {
	upgrader := websocket.Upgrader{Subprotocols: []string{probe.Subprotocol}}
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer ws.Close()
		for {
			opcode, payload, err := ws.ReadMessage()
			if err != nil || ws.WriteMessage(opcode, payload) != nil {
				return
			}
		}
	}))
}

func Example() {
	server := parrot()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	alice, err := probe.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http"), probe.Options{Actor: "alice"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer alice.Close()

	// A request waits for its answer. This server repeats what it is told, so the answer is the request.
	answer, err := alice.SendPeer(ctx, "bob", "hi")
	fmt.Println(answer, err)

	// What no library would send is sent as it is.
	_ = alice.SendText(`{"kind":"novelty","id":1,"id":1}`)
	_, err = alice.Await(ctx, probe.Kind("pong"))
	fmt.Println(strings.SplitN(err.Error(), ": ", 2)[1])

	// Output:
	// {"kind":"peer.send","id":1,"to":"bob","text":"hi"} <nil>
	// the server broke the protocol: the member "id" occurs twice: {"kind":"novelty","id":1,"id":1}; nothing else came
}

func ExampleTap() {
	server := parrot()
	defer server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	tap, err := probe.NewTap("ws"+strings.TrimPrefix(server.URL, "http"), probe.TapOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tap.Close()
	client, err := probe.Dial(ctx, tap.URL(), probe.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	// Acknowledgements do not come through until further notice.
	restore := tap.Drop(probe.ToServer, probe.Kind("peer.ack"))
	_ = client.Ack(1)
	seen, _ := tap.Await(ctx, probe.ToServer, probe.Kind("peer.ack"))
	fmt.Println("dropped:", seen)

	restore()
	_ = client.Ack(2)
	passed, _ := client.Next(ctx)
	fmt.Println("passed: ", passed)

	// Output:
	// dropped: {"kind":"peer.ack","seq":1}
	// passed:  {"kind":"peer.ack","seq":2}
}
