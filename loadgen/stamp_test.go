package loadgen

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func drawStamp(t *rapid.T) Stamp {
	return Stamp{
		Run: rapid.Uint32().Draw(t, "run"), Phase: rapid.Uint8().Draw(t, "phase"), Shard: rapid.Uint8().Draw(t, "shard"),
		Stream: rapid.Uint32().Draw(t, "stream"), Seq: rapid.Uint32().Draw(t, "seq"), Due: rapid.Int64().Draw(t, "due"),
	}
}

func drawPayload(t *rapid.T) Payload {
	p := Payload{Type: rapid.SampledFrom([]PayloadType{Text, Raw}).Draw(t, "type")}
	p.Bytes = rapid.IntRange(p.least(), 3000).Draw(t, "bytes")
	return p
}

func TestStampSurvivesItsPayload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stamp, p := drawStamp(t), drawPayload(t)
		body := newBody(p)
		new(stamper).seal(&stamp, body, p.Type)
		var got Stamp
		if !new(stamper).open(&got, body, p.Type) || got != stamp || len(body) != p.Bytes {
			t.Fatalf("sealed %+v, opened %+v", stamp, got)
		}
		if p.Type == Text && bytes.ContainsAny(body, "\"\\\x00\n") {
			t.Fatalf("the text needs escapes: %q", body)
		}
	})
}

func TestEveryChangedBitOfAPayloadIsSeen(t *testing.T) {
	for _, p := range []Payload{{Bytes: 100, Type: Text}, {Bytes: 100, Type: Raw}} {
		stamp := Stamp{Run: 1, Stream: 2, Seq: 3, Due: 4}
		body := newBody(p)
		new(stamper).seal(&stamp, body, p.Type)
		for bit := range len(body) * 8 {
			body[bit/8] ^= 1 << (bit % 8)
			if new(stamper).open(new(Stamp), body, p.Type) {
				t.Errorf("bit %d of a %s payload changed unseen", bit, p.Type)
			}
			body[bit/8] ^= 1 << (bit % 8)
		}
	}
}

func TestCutOrGrownPayloadIsSeen(t *testing.T) {
	for _, p := range []Payload{{Bytes: 100, Type: Text}, {Bytes: 100, Type: Raw}, {Bytes: 43, Type: Text}, {Bytes: 32, Type: Raw}} {
		stamp := Stamp{Run: 1}
		body := newBody(p)
		new(stamper).seal(&stamp, body, p.Type)
		for _, other := range [][]byte{body[:len(body)-1], body[:p.least()-1], nil, append(bytes.Clone(body), filler[len(body)]), append(bytes.Clone(body), '!')} {
			if new(stamper).open(new(Stamp), other, p.Type) {
				t.Errorf("%+v: %d bytes opened", p, len(other))
			}
		}
	}
}

func FuzzStampOpen(f *testing.F) {
	stamp := Stamp{Run: 1, Stream: 2, Seq: 3, Due: 4}
	for _, p := range []Payload{{Bytes: 64, Type: Text}, {Bytes: 64, Type: Raw}} {
		body := newBody(p)
		new(stamper).seal(&stamp, body, p.Type)
		f.Add(body, p.Type == Raw)
	}
	f.Fuzz(func(t *testing.T, body []byte, raw bool) {
		kind := Text
		if raw {
			kind = Raw
		}
		var s Stamp
		if !new(stamper).open(&s, body, kind) {
			return
		}
		again := bytes.Clone(body)
		new(stamper).seal(&s, again, kind)
		if !bytes.Equal(again, body) {
			t.Fatalf("%q opened as %+v, which seals as %q", body, s, again)
		}
	})
}
