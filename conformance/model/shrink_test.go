package model

import (
	"slices"
	"testing"
)

// holds tells whether a program has these lines in this order, with others in between.
func holds(p Program, lines ...string) bool {
	for _, step := range p {
		if len(lines) > 0 && step.String() == lines[0] {
			lines = lines[1:]
		}
	}
	return len(lines) == 0
}

func TestTheSameSeedMakesTheSameValidProgram(t *testing.T) {
	made := make(map[string]bool)
	for seed := range uint64(100) {
		shape := Shape{Channels: 4, Users: 8, Steps: 60, Kicks: true, Cuts: true}
		program := Generate(seeded(seed), shape)
		if err := program.check(); err != nil {
			t.Fatal(err)
		}
		if again := Generate(seeded(seed), shape); !slices.Equal(program, again) {
			t.Fatalf("seed %d makes two programs", seed)
		}
		made[program.String()] = true
	}
	if len(made) != 100 {
		t.Errorf("100 seeds make %d programs", len(made))
	}
}

func TestProgramsUseEveryVerb(t *testing.T) {
	used := make(map[Verb]int)
	atOnce := 0
	for seed := range uint64(40) {
		for _, step := range Generate(seeded(seed), shapes["reconnect"]) {
			used[step.Verb]++
			if step.AtOnce {
				atOnce++
			}
		}
	}
	for _, known := range verbs {
		if used[known.verb] < 3 {
			t.Errorf("%q is used %d times", known.verb, used[known.verb])
		}
	}
	if atOnce < 10 {
		t.Errorf("%d steps happen at once", atOnce)
	}
}

func TestWithoutChannelsAProgramHasNone(t *testing.T) {
	for seed := range uint64(40) {
		if channels := Generate(seeded(seed), Shape{Kicks: true, Cuts: true}).Channels(); len(channels) > 0 {
			t.Fatalf("seed %d has the channels %v", seed, channels)
		}
	}
}

func TestAProgramShrinksToWhatItFailsBy(t *testing.T) {
	fails := func(p Program) bool {
		joined := false
		for _, step := range p {
			joined = joined || step.User == "bob" && step.Verb == Joins
			if joined && step.Verb == IsCut {
				return true
			}
		}
		return false
	}
	want := 0
	for seed := range uint64(30) {
		program := Generate(seeded(seed), shapes["reconnect"])
		if !fails(program) {
			continue
		}
		want++
		shortest := Shrink(program, 300, fails)
		if len(shortest) != 2 || shortest[0].Verb != Joins || shortest[1].Verb != IsCut {
			t.Errorf("seed %d shrinks to\n%s", seed, shortest)
		}
		if again := Shrink(program, 300, fails); !slices.Equal(again, shortest) {
			t.Errorf("seed %d shrinks to\n%s and to\n%s", seed, shortest, again)
		}
	}
	if want < 5 {
		t.Fatalf("%d programs fail", want)
	}
}

func TestShrinkingStopsAfterItsRuns(t *testing.T) {
	runs := 0
	program := Generate(seeded(1), Shape{Channels: 2, Steps: 100})
	Shrink(program, 10, func(Program) bool { runs++; return runs%2 == 0 })
	if runs != 10 {
		t.Errorf("it took %d runs, want 10", runs)
	}
}

func TestWhatHappenedAtOnceWithADroppedStepHappensAlone(t *testing.T) {
	program, err := Parse("alice joins a\nalice at once joins b\nalice at once leaves b\n")
	if err != nil {
		t.Fatal(err)
	}
	shortest := Shrink(program, 100, func(p Program) bool {
		return p.check() == nil && (holds(p, "alice leaves b") || holds(p, "alice at once leaves b"))
	})
	if got := shortest.String(); got != "alice leaves b\n" {
		t.Errorf("it shrinks to\n%s", got)
	}
}
