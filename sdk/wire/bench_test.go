package wire

import (
	"strings"
	"testing"
)

var (
	benchFrame   = (&PeerSend{ID: 12345, To: "user-000123", Message: TextMessage(strings.Repeat("payload ", 16))}).Append(nil)
	benchPayload = []byte(`"text":"` + strings.Repeat("payload ", 16) + `"`)
	sink         []byte
)

func BenchmarkScan(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(benchFrame)))
	var e Envelope
	for b.Loop() {
		if !Scan(benchFrame, &e) {
			b.Fatal("not scanned")
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(benchFrame)))
	for b.Loop() {
		if _, err := Decode(benchFrame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendPeerMessage(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sink = AppendPeerMessage(sink[:0], 12345, "user-000123", 1700000000000, benchPayload)
	}
}

func BenchmarkAppendPeerSend(b *testing.B) {
	b.ReportAllocs()
	f := &PeerSend{ID: 12345, To: "user-000123", Message: TextMessage(strings.Repeat("payload ", 16))}
	for b.Loop() {
		sink = f.Append(sink[:0])
	}
}

func TestTrafficIsReadAndWrittenWithoutAllocation(t *testing.T) {
	var e Envelope
	buf := make([]byte, 0, 1024)
	for name, f := range map[string]func(){
		"Scan":                 func() { Scan(benchFrame, &e) },
		"AppendText":           func() { Scan(benchFrame, &e); buf, _ = e.AppendText(buf[:0]) },
		"ValidID":              func() { ValidID(e.To) },
		"AppendPeerSend":       func() { buf = AppendPeerSend(buf[:0], 7, "bob", benchPayload) },
		"AppendPeerMessage":    func() { buf = AppendPeerMessage(buf[:0], 7, "bob", 1, benchPayload) },
		"AppendChannelSend":    func() { buf = AppendChannelSend(buf[:0], 7, "lobby", benchPayload) },
		"AppendChannelMessage": func() { buf = AppendChannelMessage(buf[:0], "lobby", "bob", 7, 1, benchPayload) },
		"AppendPeerSendOK":     func() { buf = AppendPeerSendOK(buf[:0], 7, true) },
		"AppendOK":             func() { buf = AppendOK(buf[:0], KindChannelSend, 7) },
		"AppendPeerAck":        func() { buf = AppendPeerAck(buf[:0], 7) },
		"AppendPong":           func() { buf = AppendPong(buf[:0], 7) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
