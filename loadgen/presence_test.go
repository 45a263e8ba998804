package loadgen

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestDutyFollowsFromWhatTheServerHadConfirmed(t *testing.T) {
	// There from 0, away from 110 on after asking at 100, back for sure from 210 after asking at 200, cut off at 10,000.
	log := newPresence()
	log.leave(100, false)
	log.left(110)
	log.enter(200)
	log.entered(210)
	log.leave(10_000, true)
	log.left(10_010)
	for _, c := range []struct {
		name            string
		began, answered int64
		want            duty
	}{
		{"all in the first stay", 1, 50, dutyMust},
		{"answered as it began to leave", 50, 99, dutyMust},
		{"answered in the same nanosecond as the leave began", 50, 100, dutyMay},
		{"answered while leaving", 50, 105, dutyMay},
		{"written while leaving", 105, 107, dutyMay},
		{"written in the same nanosecond as the leave was confirmed", 110, 120, dutyMay},
		{"written after the leave was confirmed", 111, 120, dutyMustNot},
		{"answered before it asked to join", 111, 199, dutyMustNot},
		{"answered in the same nanosecond", 111, 200, dutyMay},
		{"answered while joining", 111, 205, dutyMay},
		{"written while joining", 205, 300, dutyMay},
		{"written in the same nanosecond as the join was confirmed", 210, 300, dutyMay},
		{"written after the join was confirmed", 211, 300, dutyMust},
		{"over the whole absence", 50, 300, dutyMay},
		{"never answered, written while there", 300, never, dutyMay},
		{"never answered, written while away", 150, never, dutyMay},
		{"answered long before the cut", 300, 9_000, dutyMust},
		{"answered just long enough before the cut", 300, 9_900, dutyMust},
		{"answered too shortly before the cut", 300, 9_901, dutyMay},
		{"written behind the cut", 10_011, 10_020, dutyMustNot},
		{"written behind the cut and never answered", 10_011, never, dutyMustNot},
	} {
		if got := log.duty(c.began, c.answered, 100); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

func TestEndThatNobodyChoseIsACut(t *testing.T) {
	log := newPresence().cut([]int64{1000})
	for _, c := range []struct {
		began, answered int64
		want            duty
	}{{1, 900, dutyMust}, {1, 901, dutyMay}, {1, 1001, dutyMay}, {1001, 1002, dutyMustNot}, {1001, never, dutyMustNot}} {
		if got := log.duty(c.began, c.answered, 100); got != c.want {
			t.Errorf("%d to %d: %d, want %d", c.began, c.answered, got, c.want)
		}
	}
	// Who was already leaving in good order was not cut off.
	leaving := newPresence()
	leaving.leave(950, false)
	if got := leaving.cut([]int64{1000}).duty(1, 940, 100); got != dutyMust {
		t.Errorf("before a leave that the end overtook: %d, want must", got)
	}
}

func TestUnconfirmedOperationsForbidNothing(t *testing.T) {
	log := newPresence()
	log.leave(100, false) // no answer came
	if log.away() {
		t.Error("away without a confirmation")
	}
	if got := log.duty(200, 300, 100); got != dutyMay {
		t.Errorf("behind a leave without an answer: %d, want may", got)
	}
	log.leave(400, false)
	log.left(410)
	if got := log.duty(200, 300, 100); got != dutyMay {
		t.Errorf("between two tries: %d, want may", got)
	}
	if got := log.duty(420, 430, 100); got != dutyMustNot || !log.away() {
		t.Errorf("behind the confirmation: %d, want must not", got)
	}
	log.enter(500)
	log.refused()
	if got := log.duty(510, 520, 100); got != dutyMustNot || !log.away() {
		t.Errorf("behind a refused join: %d, want must not", got)
	}
	log.enter(600) // no answer came
	if got := log.duty(700, 800, 100); got != dutyMay || log.away() {
		t.Errorf("behind a join without an answer: %d, want may", got)
	}
}

// slice is a moment between two whole times in the slow model of a presence.
type slice uint8

const (
	unsure slice = iota
	inside
	outside
)

// TestDutyAgreesWithASlowModel compares the log with a table of every moment, which is filled in as operations happen.
func TestDutyAgreesWithASlowModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const patience = 5
		log := newPresence()
		table := []slice{} // the state between time i and time i+1
		abrupt := map[int]bool{}
		var ends []int64
		state, before := inside, inside
		pending := ""
		pass := func() int64 {
			for range rapid.IntRange(1, 4).Draw(t, "time") {
				table = append(table, state)
			}
			return int64(len(table))
		}
		pass()
		for range rapid.IntRange(0, 12).Draw(t, "operations") {
			at := pass()
			switch what := rapid.SampledFrom([]string{"begin", "cut", "confirm", "fail", "end"}).Draw(t, "what"); {
			case what == "begin" && pending == "" && log.away():
				log.enter(at)
				before, state, pending = state, unsure, "enter"
			case (what == "begin" || what == "cut") && pending == "":
				log.leave(at, what == "cut")
				abrupt[int(at)] = what == "cut" && state == inside
				if state == inside {
					state = unsure
				}
				pending = "leave"
			case what == "confirm" && pending == "enter":
				log.entered(at)
				state, pending = inside, ""
			case what == "confirm" && pending == "leave":
				log.left(at)
				state, pending = outside, ""
			case what == "fail" && pending == "enter" && rapid.Bool().Draw(t, "refused"):
				log.refused()
				// The server has said that it was never inside.
				for i := len(table) - 1; i >= 0 && table[i] == unsure; i-- {
					if before == outside {
						table[i] = outside
					}
				}
				state, pending = before, ""
			case what == "fail":
				pending = ""
			case what == "end":
				ends = append(ends, at)
				abrupt[int(at)] = state == inside
				state, pending = outside, ""
			}
		}
		pass()
		log = log.cut(ends)
		began := rapid.IntRange(1, len(table)-1).Draw(t, "began")
		answered := rapid.IntRange(began, len(table)-1).Draw(t, "answered")
		window := table[began-1 : answered+1]
		want := dutyMay
		switch {
		case !slices.ContainsFunc(window, func(s slice) bool { return s != outside }):
			want = dutyMustNot
		case !slices.ContainsFunc(window, func(s slice) bool { return s != inside }):
			want = dutyMust
			end := answered
			for end < len(table) && table[end] == inside {
				end++
			}
			if end < len(table) && abrupt[end] && end-answered < patience {
				want = dutyMay
			}
		}
		if got := log.duty(int64(began), int64(answered), patience); got != want {
			t.Fatalf("from %d to %d: %d, want %d in %v", began, answered, got, want, table)
		}
	})
}
