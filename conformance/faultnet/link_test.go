package faultnet

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// carried runs a link over pipes in memory inside a synctest bubble, so that time is exact. Piece receives what arrives
// at the server, write by write.
func carried(t *testing.T, act func(proxy *Proxy, l *link, client net.Conn, piece <-chan string)) {
	synctest.Test(t, func(t *testing.T) {
		proxy := &Proxy{changed: make(chan struct{}), faults: make(map[Direction]faults)}
		client, near := net.Pipe()
		far, server := net.Pipe()
		l := newLink(proxy, near, far)
		proxy.links = append(proxy.links, l)
		pieces := make(chan string, 100)
		go l.run()
		go func() {
			defer close(pieces)
			buffer := make([]byte, 1000)
			for {
				n, err := server.Read(buffer)
				if n > 0 {
					pieces <- string(buffer[:n])
				}
				if err != nil {
					return
				}
			}
		}()
		act(proxy, l, client, pieces)
		proxy.Cut()
		_ = client.Close()
		_ = server.Close()
		for range pieces {
		}
	})
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func TestLatencyDelaysExactlyAndKeepsTheOrder(t *testing.T) {
	carried(t, func(proxy *Proxy, _ *link, client net.Conn, pieces <-chan string) {
		proxy.Latency(ToServer, 300*time.Millisecond)
		write(t, client, "not delayed: its read began before")
		<-pieces
		start := time.Now()
		write(t, client, "a")
		write(t, client, "b")
		if first, second := <-pieces, <-pieces; first != "a" || second != "b" {
			t.Errorf("got %q, %q", first, second)
		}
		if took := time.Since(start); took != 300*time.Millisecond {
			t.Errorf("took %s", took)
		}
	})
}

func TestThrottleCarriesNoFasterThanTheRate(t *testing.T) {
	carried(t, func(proxy *Proxy, _ *link, client net.Conn, pieces <-chan string) {
		proxy.Throttle(Both, 100)
		start := time.Now()
		write(t, client, string(make([]byte, 250)))
		write(t, client, "!")
		for piece := range pieces {
			if piece == "!" {
				break
			}
		}
		if took := time.Since(start); took != 2500*time.Millisecond {
			t.Errorf("251 bytes at 100 per second took %s", took)
		}
	})
}

func TestSliceCutsWritesIntoPieces(t *testing.T) {
	carried(t, func(proxy *Proxy, _ *link, client net.Conn, pieces <-chan string) {
		proxy.Slice(ToServer, 2)
		write(t, client, "hello")
		if got := <-pieces + "," + <-pieces + "," + <-pieces; got != "he,ll,o" {
			t.Errorf("got %s", got)
		}
	})
}

func TestStallHoldsEverythingUntilFlow(t *testing.T) {
	carried(t, func(proxy *Proxy, _ *link, client net.Conn, pieces <-chan string) {
		synctest.Wait()
		proxy.Stall(ToServer)
		go func() { _, _ = io.WriteString(client, "x") }()
		synctest.Wait()
		if len(pieces) != 0 {
			t.Errorf("a stalled link carried %q", <-pieces)
		}
		proxy.Flow(ToServer)
		if got := <-pieces; got != "x" {
			t.Errorf("got %q", got)
		}
	})
}

func TestHalfOpenLinkSwallowsWritesAndEnds(t *testing.T) {
	for name, end := range map[string]func(l *link, client net.Conn){
		"the client closes": func(_ *link, client net.Conn) { _ = client.Close() },
		"both sides fail": func(l *link, _ net.Conn) {
			_ = l.client.SetReadDeadline(time.Now())
			_ = l.server.SetReadDeadline(time.Now())
		},
	} {
		carried(t, func(proxy *Proxy, l *link, client net.Conn, pieces <-chan string) {
			proxy.HalfOpen()
			write(t, client, "lost")
			end(l, client)
			synctest.Wait()
			select {
			case piece, open := <-pieces:
				t.Errorf("%s: a half-open link carried %q, open %v", name, piece, open)
			case <-l.ended:
				t.Errorf("%s: a half-open link ended by itself", name)
			default:
			}
		})
	}
}

func TestHalfOpenLinkSwallowsWhatWasUnderWay(t *testing.T) {
	carried(t, func(proxy *Proxy, _ *link, client net.Conn, pieces <-chan string) {
		proxy.Latency(ToServer, time.Second)
		write(t, client, "its read began before the latency")
		<-pieces
		write(t, client, "under way")
		proxy.HalfOpen()
		select {
		case piece := <-pieces:
			t.Errorf("a half-open link carried %q", piece)
		case <-time.After(2 * time.Second): // of the bubble's clock
		}
	})
}
