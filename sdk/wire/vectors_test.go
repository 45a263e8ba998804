package wire

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// vector is one golden vector. testdata/vectors/README.md describes the format for
// other implementations.
type vector struct {
	Name      string `json:"name"`
	From      string `json:"from"`
	Frame     string `json:"frame"`
	Hex       string `json:"hex"`
	Outcome   string `json:"outcome"`
	Canonical string `json:"canonical"`
	Close     int    `json:"close"`
	Size      *int   `json:"size"`
}

func (v vector) bytes(t testing.TB) []byte {
	if v.Hex == "" {
		return []byte(v.Frame)
	}
	p, err := hex.DecodeString(v.Hex)
	if err != nil {
		t.Fatalf("vector %q: %v", v.Name, err)
	}
	return p
}

func vectors(t testing.TB) map[string][]vector {
	paths, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	all := map[string][]vector{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		var list []vector
		if err := dec.Decode(&list); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[filepath.Base(path)] = list
	}
	return all
}

func message(f Frame) *Message {
	switch f := f.(type) {
	case *PeerSend:
		return &f.Message
	case *PeerMessage:
		return &f.Message
	case *ChannelSend:
		return &f.Message
	case *ChannelMessage:
		return &f.Message
	}
	return nil
}

func TestDecodeAnswersAsTheVectorsSay(t *testing.T) {
	seen := map[Kind]bool{}
	for file, list := range vectors(t) {
		for _, v := range list {
			t.Run(file+"/"+v.Name, func(t *testing.T) {
				p := v.bytes(t)
				f, err := Decode(p)
				if v.Outcome == "close" {
					var bad *FrameError
					if !errors.As(err, &bad) || int(bad.Close) != v.Close {
						t.Fatalf("Decode: %v, %v; want close %d", f, err, v.Close)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				seen[f.Kind()] = true
				_, unknown := f.(*Unknown)
				if unknown != (v.Outcome == "unknown") {
					t.Fatalf("Decode gave %T; want outcome %s", f, v.Outcome)
				}
				m := message(f)
				if v.Outcome == "invalid-message" {
					if m == nil || m.Type != MessageInvalid {
						t.Fatalf("Decode gave the message %+v; want an invalid one", m)
					}
					return
				}
				if m != nil && (m.Type == MessageInvalid || v.Size == nil || m.Size() != *v.Size) {
					t.Fatalf("Decode gave the message %+v of size %d; want a valid one of size %v", m, m.Size(), v.Size)
				}
				want := v.Canonical
				if want == "" {
					want = string(p)
				}
				if got := string(f.Append(nil)); got != want {
					t.Fatalf("Append\n got %s\nwant %s", got, want)
				}
			})
		}
	}
	for _, kind := range Kinds() {
		if !seen[kind] {
			t.Errorf("no valid vector has the kind %s", kind)
		}
	}
}

func TestScanAgreesWithDecodeOnTheVectors(t *testing.T) {
	for file, list := range vectors(t) {
		for _, v := range list {
			t.Run(file+"/"+v.Name, func(t *testing.T) { agree(t, v.bytes(t)) })
		}
	}
}

// agree fails t if the two readers see p differently, or if Scan does not take the
// canonical form of a frame of traffic that Decode took.
func agree(t *testing.T, p []byte) {
	t.Helper()
	f, err := Decode(p)
	var e Envelope
	if Scan(p, &e) {
		if err != nil {
			t.Fatalf("Scan took %q, Decode says %v", p, err)
		}
		same(t, f, &e)
		if got := f.Append(nil); !bytes.Equal(got, p) {
			t.Fatalf("Scan took %q, which is not canonical: %q", p, got)
		}
		return
	}
	if err != nil || !traffic(f) {
		return
	}
	if m := message(f); m != nil && m.Type == MessageInvalid {
		return
	}
	canonical := f.Append(nil)
	if !Scan(canonical, &e) {
		t.Fatalf("Scan refuses the canonical frame %q", canonical)
	}
	same(t, f, &e)
}

// traffic reports whether f is a frame that Scan reads. A name that needs escapes
// is no id, so Scan leaves its frame to Decode.
func traffic(f Frame) bool {
	plain := func(names ...string) bool {
		for _, name := range names {
			for i := range len(name) {
				if c := name[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' {
					return false
				}
			}
		}
		return true
	}
	switch f := f.(type) {
	case *PeerSend:
		return plain(f.To)
	case *PeerMessage:
		return plain(f.From)
	case *ChannelSend:
		return plain(f.Channel)
	case *ChannelMessage:
		return plain(f.Channel, f.From)
	case *PeerSendOK, *PeerAck, *Ping, *Pong:
		return true
	case *OK:
		return f.Answers == KindChannelSend
	}
	return false
}

func same(t *testing.T, f Frame, e *Envelope) {
	t.Helper()
	got := Frame(nil)
	switch e.Kind {
	case KindPeerSend:
		got = &PeerSend{ID: e.ID, To: string(e.To), Message: e.Message()}
	case KindPeerMessage:
		got = &PeerMessage{Seq: e.Seq, From: string(e.From), TS: e.TS, Message: e.Message()}
	case KindChannelSend:
		got = &ChannelSend{ID: e.ID, Channel: string(e.Channel), Message: e.Message()}
	case KindChannelMessage:
		got = &ChannelMessage{Channel: string(e.Channel), From: string(e.From), Seq: e.Seq, TS: e.TS, Message: e.Message()}
	case KindPeerSendOK:
		got = &PeerSendOK{ID: e.ID, Received: e.Received}
	case KindChannelSendOK:
		got = &OK{Answers: KindChannelSend, ID: e.ID}
	case KindPeerAck:
		got = &PeerAck{Seq: e.Seq}
	case KindPing:
		got = &Ping{ID: e.ID}
	case KindPong:
		got = &Pong{ID: e.ID}
	}
	if want := f.Append(nil); !bytes.Equal(got.Append(nil), want) {
		t.Fatalf("Scan read\n %s\nDecode read\n %s", got.Append(nil), want)
	}
	if m := message(f); m != nil {
		if m.Size() != e.Size {
			t.Fatalf("Scan measured %d bytes, Decode %d", e.Size, m.Size())
		}
		if payload := m.AppendPayload(nil); !bytes.Equal(payload, e.Payload) {
			t.Fatalf("Scan cut out the payload %q, want %q", e.Payload, payload)
		}
	}
}

func FuzzScanAgreesWithDecode(f *testing.F) {
	for _, list := range vectors(f) {
		for _, v := range list {
			f.Add(v.bytes(f))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) { agree(t, p) })
}

func FuzzDecodeIsStable(f *testing.F) {
	for _, list := range vectors(f) {
		for _, v := range list {
			f.Add(v.bytes(f))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		frame, err := Decode(p)
		if err != nil {
			return
		}
		if m := message(frame); m != nil && m.Type == MessageInvalid {
			return
		}
		canonical := frame.Append(nil)
		again, err := Decode(canonical)
		if err != nil {
			t.Fatalf("Decode refuses its own canonical form %q: %v", canonical, err)
		}
		if twice := again.Append(nil); !bytes.Equal(canonical, twice) {
			t.Fatalf("canonical form is not stable:\n%q\n%q", canonical, twice)
		}
	})
}
