package refserver

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/reference-server/engine"
)

// TestInboxAgreesWithItsModel runs random programs against the ring and against a
// plain list of letters.
func TestInboxAgreesWithItsModel(t *testing.T) {
	type entry struct {
		seq, request uint64
		deadline     int64
		open         bool
	}
	back := new(session)
	rapid.Check(t, func(t *rapid.T) {
		var x inbox
		var model []entry
		seq, now := uint64(0), int64(0)
		same := func(what string, got []receipt, want []uint64, outcome engine.Receipt) {
			if len(got) != len(want) {
				t.Fatalf("%s settles %d letters, expected %d", what, len(got), len(want))
			}
			for i, r := range got {
				if r.request != want[i] || r.outcome != outcome {
					t.Fatalf("%s settles request %d as %v, expected %d as %v", what, r.request, r.outcome, want[i], outcome)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				answered := rapid.Bool().Draw(t, "answered")
				seq++
				x.add(engine.Peer{From: "alice", Back: back, Request: seq * 10, Payload: []byte(`"text":"x"`)}, 1, now+5, answered)
				model = append(model, entry{seq, seq * 10, now + 5, !answered})
			},
			"acknowledge": func(t *rapid.T) {
				upTo := rapid.Uint64Range(0, seq).Draw(t, "seq")
				var want []uint64
				for len(model) > 0 && model[0].seq <= upTo {
					if model[0].open {
						want = append(want, model[0].request)
					}
					model = model[1:]
				}
				same("acknowledge", x.acknowledge(upTo, nil), want, engine.Received)
			},
			"expire": func(t *rapid.T) {
				now += rapid.Int64Range(0, 4).Draw(t, "time")
				var want []uint64
				for i := range model {
					if model[i].open && model[i].deadline <= now {
						want, model[i].open = append(want, model[i].request), false
					}
				}
				same("expire", x.expired(now, nil), want, engine.TimedOut)
			},
			"refuse": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
					t.Skip()
				}
				var want []uint64
				for i := range model {
					if model[i].open {
						want, model[i].open = append(want, model[i].request), false
					}
				}
				same("refuse", x.refuse(nil), want, engine.NotReceived)
			},
			"": func(t *rapid.T) {
				waiting := false
				for _, e := range model {
					waiting = waiting || e.open
				}
				if x.count != len(model) || x.seq != seq || x.waiting() != waiting {
					t.Fatalf("count %d, seq %d, waiting %v; expected %d, %d, %v", x.count, x.seq, x.waiting(), len(model), seq, waiting)
				}
				if x.count == 0 && x.bytes != 0 {
					t.Fatalf("an empty inbox has %d bytes", x.bytes)
				}
			},
		})
	})
}
