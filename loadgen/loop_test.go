package loadgen

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// idle is a session that takes everything and says nothing.
type idle struct{ Session }

func (idle) Queue(Outgoing) error { return nil }
func (idle) Flush()               {}

func TestLoopKeepsToItsPlacesAndItsCeilingWhateverTheAnswersDo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sessions, outstanding := rapid.IntRange(2, 6).Draw(t, "sessions"), rapid.IntRange(1, 4).Draw(t, "outstanding")
		w := closedPeers(sessions, outstanding)
		w.Traffic[0].Rate = Rate(rapid.IntRange(sessions, 400).Draw(t, "rate"))
		p, err := newPlan(w)
		if err != nil {
			t.Fatal(err)
		}
		r := newRun(p, Options{pacer: func(c *clock) pacer { return sleeper{c} }}, nil)
		for i := range r.crew.sessions {
			r.crew.sessions[i] = idle{}
		}
		l := r.ledger.loop
		l.begin(p.newRound(true, 0))
		unanswered, sent := make([]int, sessions), make([]int, sessions)
		gap := time.Duration(float64(sessions) / float64(w.Traffic[0].Rate) * 1e9)
		for now := int64(0); now < int64(time.Second); {
			now += rapid.Int64Range(0, int64(100*time.Millisecond)).Draw(t, "step")
			for s := range unanswered {
				for range rapid.IntRange(0, unanswered[s]).Draw(t, "answers") {
					unanswered[s]--
					l.free(s)
				}
			}
			l.gather(r.sender, now)
			for _, m := range r.sender.turn {
				s, seq := m.n%sessions, m.n/sessions
				if seq != sent[s] {
					t.Fatalf("stream %d sends its message %d after %d", s, seq, sent[s])
				}
				sent[s]++
				if unanswered[s]++; unanswered[s] > outstanding {
					t.Fatalf("stream %d has %d messages without an answer", s, unanswered[s])
				}
				if most := now/int64(gap) + 1; int64(sent[s]) > most {
					t.Fatalf("stream %d sent %d messages in %v, and its ceiling allows %d", s, sent[s], time.Duration(now), most)
				}
			}
			for s := range unanswered {
				// What has a place and is under the ceiling goes out.
				if unanswered[s] < outstanding && l.from[s] <= now && sent[s] < p.traffic[0].count()/sessions {
					t.Fatalf("stream %d waits with %d of %d places taken", s, unanswered[s], outstanding)
				}
			}
			r.sender.flush(true, int64(len(r.sender.turn)))
		}
	})
}
