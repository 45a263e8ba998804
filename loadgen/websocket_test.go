package loadgen

import (
	"bytes"
	"errors"
	"net"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// serverFrame builds a frame as servers send it: unmasked.
func serverFrame(first byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		return append([]byte{first, byte(n)}, payload...)
	case n < 1<<16:
		return append([]byte{first, 126, byte(n >> 8), byte(n)}, payload...)
	default:
		head := []byte{first, 127, 0, 0, 0, 0, byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
		return append(head, payload...)
	}
}

func TestFramesAreCutFromTheStreamWhereverReadsEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{0, 1, 125, 126, 127, 65_535, 65_536, 70_000}), 1, 5).Draw(t, "sizes")
		var stream []byte
		for i, size := range sizes {
			stream = append(stream, serverFrame(0x80|opText, bytes.Repeat([]byte{byte('a' + i)}, size))...)
		}
		cut := rapid.IntRange(0, len(stream)).Draw(t, "cut")
		var got []int
		used := 0
		for _, end := range []int{cut, len(stream)} {
			for {
				f, size, need, err := nextFrame(stream[used:end])
				if err != nil {
					t.Fatal(err)
				}
				if size == 0 {
					if need <= end-used {
						t.Fatalf("asked for %d bytes with %d there", need, end-used)
					}
					break
				}
				want := bytes.Repeat([]byte{byte('a' + len(got))}, len(f.payload))
				if !bytes.Equal(f.payload, want) || !f.final || f.opcode != opText {
					t.Fatalf("frame %d of %d bytes is wrong", len(got), len(f.payload))
				}
				got, used = append(got, len(f.payload)), used+size
			}
		}
		if len(got) != len(sizes) || used != len(stream) {
			t.Fatalf("frames of %v bytes, sent were %v", got, sizes)
		}
	})
}

func TestMaskedFramesUnmaskToThePayload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
		key := rapid.Uint32().Draw(t, "key")
		frame := appendFrame([]byte("before"), opText, payload, key)[6:]
		if frame[0] != 0x80|opText || frame[1]&0x80 == 0 {
			t.Fatalf("head % x", frame[:2])
		}
		masked := frame[len(frame)-len(payload):]
		for i := range masked {
			masked[i] ^= byte(key >> (8 * (i % 4)))
		}
		if !bytes.Equal(masked, payload) {
			t.Fatalf("got % x, want % x", masked, payload)
		}
	})
}

func FuzzNextFrame(f *testing.F) {
	f.Add(serverFrame(0x80|opText, []byte("{}")))
	f.Add(serverFrame(0x80|opClose, []byte{3, 232}))
	f.Add([]byte{0x81, 127, 255, 255, 255, 255, 255, 255, 255, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, size, need, err := nextFrame(b)
		if err == nil && (size > len(b) || len(frame.payload) > size || size == 0 && (need <= len(b) || need > maxFrame+14)) {
			t.Fatalf("size %d, need %d, payload %d of %d bytes", size, need, len(frame.payload), len(b))
		}
	})
}

// events collects what a session is told.
type events struct {
	arrived chan Event
}

func (e events) Handle(_ time.Time, list []Event) {
	for _, event := range list {
		event.Body, event.From, event.Channel = bytes.Clone(event.Body), bytes.Clone(event.From), bytes.Clone(event.Channel)
		e.arrived <- event
	}
}

// bareSession returns a session that is past its login, and the server's end of its connection.
func bareSession(t *testing.T) (*wireSession, net.Conn, events) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got := events{make(chan Event, 1<<16)}
	s := newWireSession(client, nil, got)
	go s.read()
	t.Cleanup(func() {
		server.Close()
		s.abort()
	})
	return s, server, got
}

func TestServerThatBreaksTheProtocolIsNamed(t *testing.T) {
	for name, raw := range map[string][]byte{
		"masked":                    {0x81, 0x82, 1, 2, 3, 4, 5, 6},
		"reserved bit":              {0xC1, 0},
		"larger than allowed":       {0x81, 127, 0, 0, 0, 1, 0, 0, 0, 0},
		"fragmented ping":           {opPing, 0},
		"continues nothing":         {0x80, 2, '{', '}'},
		"a second one in a message": {0x01, 1, '{', 0x01, 1, '{'},
		"binary":                    {0x82, 0},
		"not JSON":                  {0x81, 2, 'h', 'i'},
	} {
		_, server, got := bareSession(t)
		if _, err := server.Write(raw); err != nil {
			t.Fatal(err)
		}
		if e := <-got.arrived; e.Kind != Ended || e.Failure.Class != ClassProtocol {
			t.Errorf("%s: got %+v, %v", name, e, e.Failure)
		}
	}
}

func TestLinkThatBreaksIsNamed(t *testing.T) {
	_, server, got := bareSession(t)
	server.Close()
	if e := <-got.arrived; e.Kind != Ended || e.Failure.Class != ClassRead {
		t.Errorf("got %+v, %v", e, e.Failure)
	}
}

func TestFramesThatOnlyTheStrictDecoderReadsArriveToo(t *testing.T) {
	_, server, got := bareSession(t)
	for _, text := range []string{
		` {"seq":1,"kind":"peer.message","from":"a","ts":1,"text":"\u0068i"}`,
		`{"kind":"channel.message","channel":"c","from":"a","seq":1,"ts":1,"raw":"aGk=","new":1}`,
		`{"kind":"peer.message","seq":2,"from":"a","ts":1,"text":"\"quoted\""}`,
		`{ "kind":"peer.send.ok", "id":4294967303, "received":true}`,
		`{"kind":"some.news"}`,
		`{"id":4294967304,"kind":"channel.send.ok"}`,
		`{"kind":"error","id":4294967305,"op":"channel.send","code":5,"name":"CHANNEL_MESSAGE_ERR_NOT_IN_CHANNEL","message":"no"}`,
	} {
		if _, err := server.Write(serverFrame(0x80|opText, []byte(text))); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []Event{
		{Kind: Delivered, From: []byte("a"), Body: []byte("hi")},
		{Kind: Delivered, From: []byte("a"), Channel: []byte("c"), Raw: true, Body: []byte("hi")},
		{Kind: Delivered, From: []byte("a"), Body: []byte(`"quoted"`)},
		{Kind: Answered, Tag: 7, Received: true},
		{Kind: Answered, Tag: 8, Received: true},
		{Kind: Refused, Tag: 9},
	} {
		e := <-got.arrived
		if e.Kind != want.Kind || e.Tag != want.Tag || e.Received != want.Received || e.Raw != want.Raw ||
			!bytes.Equal(e.From, want.From) || !bytes.Equal(e.Channel, want.Channel) || !bytes.Equal(e.Body, want.Body) {
			t.Errorf("event %d is %+v, want %+v", i, e, want)
		}
		if e.Kind == Refused && e.Failure.Class != ClassNotMember {
			t.Errorf("refused as %+v", e.Failure)
		}
	}
}

// A server that does not read fills its socket. The sending goroutine must go on, nothing that was queued may be lost or
// torn, and what is refused must be refused by name.
func TestServerThatDoesNotReadHoldsUpNobody(t *testing.T) {
	s, server, _ := bareSession(t)
	body := bytes.Repeat([]byte("x"), 4000)
	queued := 0
	for {
		err := s.Queue(Outgoing{Tag: uint64(queued), To: "bob", Body: body})
		if failure, is := errors.AsType[*Failure](err); is {
			if failure.Class != ClassQueueFull {
				t.Fatal(err)
			}
			break
		}
		queued++
		s.Flush()
		if queued > 1<<16 {
			t.Fatal("there is no end to the queue")
		}
	}
	if queued < maxQueued/len(body) {
		t.Errorf("only %d messages were taken", queued)
	}
	var in []byte
	buffer := make([]byte, 64<<10)
	for got := 0; got < queued; {
		n, err := server.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		in = append(in, buffer[:n]...)
		for len(in) >= 8 && len(in) >= 8+int(in[2])<<8+int(in[3]) {
			size := int(in[2])<<8 + int(in[3])
			payload := bytes.Clone(in[8 : 8+size])
			for i := range payload {
				payload[i] ^= in[4+i%4]
			}
			f, err := wire.Decode(payload)
			if err != nil {
				t.Fatalf("message %d is torn: %v", got, err)
			}
			if send, is := f.(*wire.PeerSend); !is || send.ID != tagBase+uint64(got) || send.Message.Size() != len(body) {
				t.Fatalf("message %d came as %T %+v", got, f, f)
			}
			got, in = got+1, in[8+size:]
		}
	}
	// With room again, the session takes more.
	if err := s.Queue(Outgoing{Tag: 1 << 20, To: "bob", Body: body}); err != nil {
		t.Errorf("after the server has read: %v", err)
	}
}
