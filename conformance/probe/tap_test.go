package probe

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/gorilla/websocket"
)

func tap(t *testing.T, server string, options TapOptions) *Tap {
	t.Helper()
	tap := must[*Tap](t)(NewTap(server, options))
	t.Cleanup(func() { _ = tap.Close() })
	return tap
}

func TestTapPassesMessagesBothWaysAndRecordsThem(t *testing.T) {
	tap := tap(t, serveEcho(t), TapOptions{Actor: "sdk"})
	conn := dial(t, tap.URL(), Options{})
	answer := must[Object](t)(conn.SendPeer(within(t), "bob", "<&> é"))
	if sent := must[Object](t)(tap.Await(within(t), ToServer, Kind("peer.send"))); !bytes.Equal(sent.Raw, answer.Raw) {
		t.Errorf("sent %s, got %s", sent, answer)
	}
	if conn.ws.Subprotocol() != Subprotocol {
		t.Errorf("the client got the subprotocol %q", conn.ws.Subprotocol())
	}
	if up, down := tap.Count(ToServer, Kind("peer.send")), tap.Count(ToClient, Kind("peer.send")); up != 1 || down != 1 {
		t.Errorf("counted %d up and %d down", up, down)
	}
	if frames := tap.Trace().Frames(); len(frames) != 2 || frames[0].Direction != ToServer || frames[1].Direction != ToClient || frames[0].Actor != "sdk" {
		t.Errorf("the trace holds\n%s", tap.Trace())
	}
}

func TestTapPassesCloseFramesOn(t *testing.T) {
	url := serve(t, func(ws *websocket.Conn) {
		_, _, err := ws.ReadMessage()
		if websocket.IsCloseError(err, 4321) {
			return
		}
		_ = ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4200, "remote_login"))
		drain(ws)
	})
	tap := tap(t, url, TapOptions{})
	byServer := dial(t, tap.URL(), Options{})
	_ = byServer.SendText("x")
	if code, reason, _ := byServer.AwaitClose(within(t)); code != 4200 || reason != "remote_login" {
		t.Errorf("from the server: got %d %q", code, reason)
	}
	byClient := dial(t, tap.URL(), Options{})
	_ = byClient.SendClose(4321, "done")
	if code, _, _ := byClient.AwaitClose(within(t)); code != 4321 {
		t.Errorf("from the client: got %d", code)
	}
	if err := tap.AwaitIdle(within(t)); err != nil {
		t.Error(err)
	}
}

func TestTapClosesTheClientAndPassesItsAnswerOn(t *testing.T) {
	ended := make(chan error, 1)
	url := serve(t, func(ws *websocket.Conn) { _, _, err := ws.ReadMessage(); ended <- err })
	tap := tap(t, url, TapOptions{})
	if tap.CloseClient(4001, "") == nil {
		t.Error("a client without a link was closed")
	}
	conn := dial(t, tap.URL(), Options{})
	if err := tap.AwaitLinks(within(t), 1); err != nil {
		t.Fatal(err)
	}
	if err := tap.CloseClient(4001, "silent"); err != nil {
		t.Fatal(err)
	}
	if code, reason, _ := conn.AwaitClose(within(t)); code != 4001 || reason != "silent" {
		t.Errorf("the client got %d %q", code, reason)
	}
	if err := <-ended; !websocket.IsCloseError(err, 4001) {
		t.Errorf("the server got %v", err)
	}
}

func TestTapDropsUntilTold(t *testing.T) {
	tap := tap(t, serveEcho(t), TapOptions{})
	conn := dial(t, tap.URL(), Options{})
	stop := tap.Drop(ToServer, Kind("peer.ack"))
	_ = conn.Ack(1)
	must[Object](t)(tap.Await(within(t), ToServer, Kind("peer.ack")))
	stop()
	_ = conn.Ack(2)
	if got := must[Object](t)(conn.Next(within(t))); got.Value("seq") != int64(2) {
		t.Errorf("got %s", got)
	}
}

func TestTapHoldsAndReleasesInOrder(t *testing.T) {
	tap := tap(t, serveEcho(t), TapOptions{})
	conn := dial(t, tap.URL(), Options{})
	release := tap.Hold(ToClient, Kind("slow"))
	for _, kind := range []string{"slow", "slow", "quick"} {
		must[int64](t)(conn.Start(kind))
	}
	if first := must[Object](t)(conn.Next(within(t))); first.Kind != "quick" {
		t.Errorf("%s was not held", first)
	}
	release()
	for _, want := range []int64{1, 2} {
		if got := must[Object](t)(conn.Next(within(t))); got.ID != want {
			t.Errorf("got %s, want id %d", got, want)
		}
	}
}

func TestTapRuleHoldsOnLaterLinks(t *testing.T) {
	tap := tap(t, serveEcho(t), TapOptions{})
	release := tap.Hold(ToClient, Kind("slow"))
	conn := dial(t, tap.URL(), Options{})
	must[int64](t)(conn.Start("slow"))
	must[Object](t)(tap.Await(within(t), ToClient, Kind("slow")))
	must[int64](t)(conn.Start("quick"))
	if got := must[Object](t)(conn.Next(within(t))); got.Kind != "quick" {
		t.Errorf("%s was not held", got)
	}
	release()
	must[Object](t)(conn.Await(within(t), Kind("slow")))
}

func TestTapCutEndsBothSides(t *testing.T) {
	ended := make(chan error, 1)
	url := serve(t, func(ws *websocket.Conn) { _, _, err := ws.ReadMessage(); ended <- err })
	tap := tap(t, url, TapOptions{})
	conn := dial(t, tap.URL(), Options{})
	if err := tap.AwaitLinks(within(t), 1); err != nil {
		t.Fatal(err)
	}
	tap.Cut()
	if code, _, err := conn.AwaitClose(within(t)); code != 1006 || err != nil {
		t.Errorf("the client got %d %v", code, err)
	}
	if err := <-ended; err == nil {
		t.Error("the server got a message")
	}
}

func TestTapRefusesUntilItAdmits(t *testing.T) {
	tap := tap(t, serveEcho(t), TapOptions{})
	first := dial(t, tap.URL(), Options{})
	tap.Refuse()
	if _, err := Dial(within(t), tap.URL(), Options{}); err == nil {
		t.Error("a refusing tap let a connection in")
	}
	if err := tap.AwaitAttempts(within(t), 2); err != nil {
		t.Error(err)
	}
	must[Object](t)(first.Ping(within(t)))
	tap.Admit()
	must[Object](t)(dial(t, tap.URL(), Options{}).Ping(within(t)))
	if tap.Links() != 2 {
		t.Errorf("%d links", tap.Links())
	}
}

func TestTapRewritesAfterRecording(t *testing.T) {
	tap := tap(t, serveEcho(t), TapOptions{Rewrite: func(direction Direction, payload []byte) ([]byte, bool) {
		if direction == ToServer {
			return payload, !bytes.Contains(payload, []byte("secret"))
		}
		return bytes.Replace(payload, []byte("false"), []byte("true"), 1), true
	}})
	conn := dial(t, tap.URL(), Options{})
	must[int64](t)(conn.Start("secret"))
	must[int64](t)(conn.Start("receipt", F("received", false)))
	if got := must[Object](t)(conn.Next(within(t))); got.Value("received") != true {
		t.Errorf("got %s", got)
	}
	if seen := fmt.Sprint(kinds(tap.Seen(ToServer)), tap.Seen(ToClient)[0].Value("received")); seen != "[secret receipt] false" {
		t.Errorf("the tap saw %s", seen)
	}
}

func TestTapInjectsOnTheNewestLink(t *testing.T) {
	tap := tap(t, serveEcho(t), TapOptions{})
	if tap.Inject(ToClient, `{"kind":"x"}`) == nil {
		t.Error("injected without a link")
	}
	conn := dial(t, tap.URL(), Options{})
	if err := tap.AwaitLinks(within(t), 1); err != nil {
		t.Fatal(err)
	}
	if err := tap.Inject(ToClient, `{"kind":"novelty"}`); err != nil {
		t.Fatal(err)
	}
	must[Object](t)(conn.Await(within(t), Kind("novelty")))
}
