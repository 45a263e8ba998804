package rtm

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// mirror is the network and a server in one, for measuring the client alone: it
// answers each request within the client's own write, and allocates nothing.
type mirror struct {
	mu      sync.Mutex
	ready   sync.Cond
	in, out []byte
	open    bool
	closed  bool
	writes  int
}

func newMirror() *mirror {
	m := &mirror{}
	m.ready.L = &m.mu
	return m
}

func (m *mirror) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return 0, net.ErrClosed
	}
	m.writes++
	m.in = append(m.in, p...)
	if !m.open {
		m.upgrade()
	} else {
		m.answer()
	}
	m.ready.Broadcast()
	return len(p), nil
}

func (m *mirror) upgrade() {
	request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(m.in)))
	if err != nil {
		return
	}
	key := sha1.Sum([]byte(request.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	m.out = append(m.out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: "+
		wire.Subprotocol+"\r\nSec-WebSocket-Accept: "+base64.StdEncoding.EncodeToString(key[:])+"\r\n\r\n"...)
	m.in, m.open = m.in[:0], true
}

func (m *mirror) answer() {
	rest := m.in
	for len(rest) >= 6 {
		size, head := int(rest[1]&127), 2
		if size == 126 {
			size, head = int(binary.BigEndian.Uint16(rest[2:])), 4
		}
		if len(rest) < head+4+size {
			break
		}
		mask, payload := rest[head:head+4], rest[head+4:head+4+size]
		for i := range payload {
			payload[i] ^= mask[i%4]
		}
		m.frame(payload)
		rest = rest[head+4+size:]
	}
	m.in = append(m.in[:0], rest...)
}

func (m *mirror) frame(p []byte) {
	var e wire.Envelope
	switch {
	case bytes.HasPrefix(p, []byte(`{"kind":"login"`)):
		ok := (&wire.LoginOK{ID: 1, Session: "s", Limits: wire.DefaultLimits()}).Append(nil)
		m.out = append(m.out, 0x81, 126, byte(len(ok)>>8), byte(len(ok)))
		m.out = append(m.out, ok...)
	case wire.Scan(p, &e) && e.Kind == wire.KindPeerSend:
		at := len(m.out)
		m.out = append(m.out, 0x81, 0)
		m.out = wire.AppendPeerSendOK(m.out, e.ID, true)
		m.out[at+1] = byte(len(m.out) - at - 2)
	}
}

func (m *mirror) Read(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.out) == 0 && !m.closed {
		m.ready.Wait()
	}
	if m.closed {
		return 0, io.EOF
	}
	n := copy(p, m.out)
	m.out = append(m.out[:0], m.out[n:]...)
	return n, nil
}

// push makes bytes arrive at the client.
func (m *mirror) push(p []byte) {
	m.mu.Lock()
	m.out = append(m.out, p...)
	m.ready.Broadcast()
	m.mu.Unlock()
}

func (m *mirror) Close() error {
	m.mu.Lock()
	m.closed = true
	m.ready.Broadcast()
	m.mu.Unlock()
	return nil
}

func (m *mirror) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (m *mirror) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (m *mirror) SetDeadline(time.Time) error      { return nil }
func (m *mirror) SetReadDeadline(time.Time) error  { return nil }
func (m *mirror) SetWriteDeadline(time.Time) error { return nil }

func mirrored(t testing.TB) (*Client, *mirror) {
	t.Helper()
	m := newMirror()
	c, err := New(Config{URL: "ws://mirror/rtm/v1", AppID: appID,
		Dial: func(context.Context, string, string) (net.Conn, error) { return m, nil }})
	succeed(t, err)
	t.Cleanup(func() { _ = c.Close() })
	succeed(t, c.Login(context.Background(), "alice", ""))
	return c, m
}

var benchMessage = NewText(strings.Repeat("payload ", 16))

func sendOne(t testing.TB, c *Client) {
	receipt, err := c.SendToPeer(context.Background(), "bob", benchMessage)
	if err != nil || !receipt.HasPeerReceived {
		t.Fatal(receipt, err)
	}
}

func BenchmarkSendToPeer(b *testing.B) {
	b.ReportAllocs()
	c, _ := mirrored(b)
	for b.Loop() {
		sendOne(b, c)
	}
}

// BenchmarkSendToPeerTogether shows the batching: many callers share a write.
func BenchmarkSendToPeerTogether(b *testing.B) {
	b.ReportAllocs()
	c, m := mirrored(b)
	m.writes = 0
	b.SetParallelism(64)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			sendOne(b, c)
		}
	})
	b.ReportMetric(float64(m.writes)/float64(b.N), "writes/op")
}

var burstPayload = []byte(`"text":"` + strings.Repeat("x", 32) + `"`)

// burst appends n peer messages from seq on as bytes of the server.
func burst(dst []byte, seq *uint64, n int) []byte {
	for range n {
		*seq++
		at := len(dst)
		dst = wire.AppendPeerMessage(append(dst, 0x81, 0), *seq, "bob", 1700000000000, burstPayload)
		dst[at+1] = byte(len(dst) - at - 2)
	}
	return dst
}

// BenchmarkReceive64PeerMessages measures a burst of 64 messages from the network
// to the listener; it includes the writing of their frames.
func BenchmarkReceive64PeerMessages(b *testing.B) {
	b.ReportAllocs()
	c, m := mirrored(b)
	const size = 64
	got := make(chan struct{}, size)
	c.OnMessage(func(*Message, string) { got <- struct{}{} })
	var seq uint64
	var frames []byte
	for b.Loop() {
		frames = burst(frames[:0], &seq, size)
		m.push(frames)
		for range size {
			<-got
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/message")
}

func TestSendAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, _ := mirrored(t)
	for range 100 {
		sendOne(t, c)
	}
	// The websocket package makes a writer and a reader for each frame; the flush
	// that the first writer schedules costs a goroutine and its closure.
	if n := testing.AllocsPerRun(1000, func() { sendOne(t, c) }); n > 4 {
		t.Fatalf("%v allocations for one message sent", n)
	}
}

func TestReceiveAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	c, m := mirrored(t)
	const size = 64
	got := make(chan struct{}, size)
	c.OnMessage(func(*Message, string) { got <- struct{}{} })
	var seq uint64
	var frames []byte
	once := func() {
		frames = burst(frames[:0], &seq, size)
		m.push(frames)
		for range size {
			<-got
		}
	}
	once()
	// A message, its text and the websocket package's reader, for each message.
	if n := testing.AllocsPerRun(100, once) / size; n > 3.2 {
		t.Fatalf("%v allocations for one message received", n)
	}
}
