package refserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

func (s *testServer) get(path string) (status int, body string) {
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	return w.Code, w.Body.String()
}

func TestDrainAnswersWhatHasBeenReadAndThenCloses(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, idle := s.login("alice"), s.connect()
		bob := s.login("bob")
		if status, _ := s.get("/readyz"); status != 200 {
			t.Fatalf("ready is %d", status)
		}
		// One write of many frames; it returns when the server has read them.
		var frames strings.Builder
		for i := range 30 {
			frames.WriteString(maskedText(fmt.Sprintf(`{"kind":"channel.join","id":%d,"channel":"c%d"}`, i+10, i%20)))
		}
		if _, err := alice.ws.NetConn().Write([]byte(frames.String())); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- s.Shutdown(context.Background()) }()
		answers := 0
		for {
			f, err := alice.next()
			if err != nil {
				if closed, ok := err.(*websocket.CloseError); !ok || closed.Code != int(wire.CloseDraining) {
					t.Fatalf("alice ended with %v", err)
				}
				break
			}
			if f.Kind() == wire.KindChannelJoinOK || f.Kind() == wire.KindError {
				answers++
			}
		}
		if answers != 30 {
			t.Fatalf("%d of 30 requests were answered", answers)
		}
		if status, _ := s.get("/readyz"); status != 503 {
			t.Fatalf("ready is %d", status)
		}
		if status, _ := s.get("/healthz"); status != 200 {
			t.Fatalf("health is %d", status)
		}
		idle.closedWith(wire.CloseDraining)
		bob.closedWith(wire.CloseDraining)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if _, err := s.dial(); err == nil {
			t.Fatal("the listener is still open")
		}
		if err := s.Shutdown(context.Background()); err != nil {
			t.Fatalf("the second Shutdown: %v", err)
		}
	})
}

func TestDrainSpreadsTheCloses(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		const n = 100
		var mu sync.Mutex
		var at []time.Time
		var done sync.WaitGroup
		for i := range n {
			c := s.login(fmt.Sprint("u", i))
			done.Go(func() {
				c.closedWith(wire.CloseDraining)
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Now())
			})
		}
		began := time.Now()
		if err := s.Shutdown(context.Background()); err != nil {
			t.Fatal(err)
		}
		done.Wait()
		if first, last := at[0].Sub(began), at[n-1].Sub(began); first > 100*time.Millisecond || last < 500*time.Millisecond {
			t.Fatalf("closed between %v and %v", first, last)
		}
	})
}

func TestDrainIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, deaf := s.login("alice"), s.login("deaf")
		for range 3 {
			alice.peerSend("deaf", "not read")
		}
		_ = deaf // it never reads
		began := time.Now()
		go func() {
			for {
				if _, err := alice.next(); err != nil {
					return
				}
			}
		}()
		err := s.Shutdown(context.Background())
		if took := time.Since(began); took > 10*time.Second || err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("after %v: %v", took, err)
		}
	})
}

func TestShutdownObeysItsContext(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, deaf := s.login("alice"), s.login("deaf")
		alice.peerSend("deaf", "not read")
		alice.quiet()
		_ = deaf
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if err := s.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
			t.Fatalf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestSlowReaderDoesNotDelayOthers(t *testing.T) {
	small := func(c *refserver.Config) { c.QueueBytes = c.Limits.FrameBytes }
	run := func(t *testing.T, s *testServer) {
		alice, bob, carol := s.login("alice"), s.login("bob"), s.login("carol")
		for _, c := range []*client{alice, bob, carol} {
			c.join("lobby")
		}
		alice.collect()
		carol.collect()
		text := strings.Repeat("x", 30<<10)
		// Bob reads nothing. Each message must reach carol before the next is sent, so one
		// that waits for bob would end the test.
		for i := range 600 {
			alice.id++
			alice.send(&wire.ChannelSend{ID: alice.id, Channel: "lobby", Message: wire.TextMessage(text)})
			for {
				f, err := carol.next()
				if err != nil {
					t.Fatal(err)
				}
				if m, ok := f.(*wire.ChannelMessage); ok {
					if m.Message.Text != text {
						t.Fatal("wrong message")
					}
					break
				}
			}
			if _, metrics := s.get("/metrics"); strings.Contains(metrics, `rtm_drops_total{reason="slow_consumer"} 1`) {
				t.Logf("closed after %d messages", i+1)
				bob.closedWith(wire.CloseSlowConsumer)
				return
			}
		}
		t.Fatal("the slow reader was never closed")
	}
	t.Run("over TCP", func(t *testing.T) { run(t, overTCP(t, small)) })
	t.Run("in memory", func(t *testing.T) { bubble(t, run, small) })
}

func TestSlowReaderHasTheAnnouncedSilenceToReadItsCloseFrame(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		text := strings.Repeat("x", 30<<10)
		for range 20 {
			alice.peerSend("bob", text)
		}
		stay(wire.Millis(wire.DefaultLimits().SilenceMS)-100*time.Millisecond, alice)
		bob.closedWith(wire.CloseSlowConsumer)
	}, func(c *refserver.Config) { c.QueueBytes = c.Limits.FrameBytes })
}

func TestSlowReaderThatNeverReadsAgainIsCut(t *testing.T) {
	bubble(t, func(t *testing.T, s *testServer) {
		alice, bob := s.login("alice"), s.login("bob")
		text := strings.Repeat("x", 30<<10)
		for range 20 {
			alice.peerSend("bob", text)
		}
		stay(7*time.Second, alice)
		if _, metrics := s.get("/metrics"); !strings.Contains(metrics, "rtm_connections 1\n") {
			t.Fatalf("bob is still connected:\n%s", metrics)
		}
		_ = bob
	}, func(c *refserver.Config) { c.QueueBytes = c.Limits.FrameBytes })
}

// maskedText returns the bytes of a text frame as a client writes it, with a zero mask.
func maskedText(payload string) string {
	if len(payload) >= 126 {
		panic("too long for this helper")
	}
	return string([]byte{0x81, 0x80 | byte(len(payload)), 0, 0, 0, 0}) + payload
}
