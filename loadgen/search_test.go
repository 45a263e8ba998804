package loadgen

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/reports"
)

// simulated is a server whose capacity is known, for a [Searcher].
type simulated struct {
	capacity  float64 // of the server
	generator float64 // of the generator; 0 for one without limits
	noise     float64 // chance that a trial fails for nothing
	merciful  bool    // noise that never strikes three times in a row
	random    *rand.Rand
	struck    int
	trials    []reports.SearchTrial
}

func (s *simulated) trial(_ context.Context, step reports.SearchStep, rate float64, length time.Duration) (TrialResult, error) {
	r := TrialResult{Verdict: reports.TrialPassed}
	switch {
	case s.generator > 0 && rate > s.generator:
		r = TrialResult{reports.TrialInvalid, "the schedule was not kept"}
	case rate > s.capacity:
		r = TrialResult{reports.TrialFailed, "peer.ack.p99 < 20ms"}
	case s.noise > 0 && s.random.Float64() < s.noise && !(s.merciful && s.struck == 2):
		s.struck++
		r = TrialResult{reports.TrialNoisy, "somebody used the machine"}
	}
	if r.Verdict != reports.TrialNoisy {
		s.struck = 0
	}
	s.trials = append(s.trials, reports.SearchTrial{RatePerS: rate, LengthNS: int64(length), Step: step, Verdict: r.Verdict})
	return r, nil
}

func (s *simulated) search(from, to float64) (reports.SearchAnswer, error) {
	return Searcher{From: from, To: to, Short: 5 * time.Second, Full: 15 * time.Second, MaxTrials: 200, Trial: s.trial}.Search(context.Background())
}

func TestASearchFindsTheCapacityOfEveryServer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &simulated{
			capacity: math.Exp(rapid.Float64Range(math.Log(150), math.Log(90_000)).Draw(t, "log capacity")),
			noise:    rapid.Float64Range(0, 0.3).Draw(t, "noise"),
			merciful: true,
			random:   rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)),
		}
		answer, err := s.search(100, 100_000)
		if err != nil {
			t.Fatal(err)
		}
		if s.capacity/answer.RatePerS > 1.03 || answer.RatePerS > s.capacity || answer.FailsPerS <= s.capacity || answer.FailsPerS/answer.RatePerS > 1.03 {
			t.Fatalf("capacity %.0f: %+v", s.capacity, answer)
		}
		if answer.Bound != reports.ServerBound || !answer.Confirmed || answer.Criterion != "peer.ack.p99 < 20ms" {
			t.Fatalf("capacity %.0f: %+v", s.capacity, answer)
		}
	})
}

// TestNoiseRarelyBendsASearch counts over many seeds, because a single search may be unlucky.
func TestNoiseRarelyBendsASearch(t *testing.T) {
	low, searches := 0, 400
	for seed := range searches {
		s := &simulated{capacity: 21_300, noise: 0.1, random: rand.New(rand.NewPCG(uint64(seed), 7))}
		answer, err := s.search(100, 200_000)
		if err != nil {
			t.Fatal(err)
		}
		if answer.RatePerS < s.capacity/1.1 || answer.RatePerS > s.capacity {
			low++
		}
	}
	if low > searches/20 {
		t.Errorf("%d of %d searches were further off than a tenth", low, searches)
	}
}

func TestASearchThatTheGeneratorEndsSaysSo(t *testing.T) {
	s := &simulated{capacity: 50_000, generator: 12_000}
	answer, err := s.search(100, 200_000)
	if err != nil || answer.Bound != reports.GeneratorBound || !answer.AtLeast() || answer.RatePerS > 12_000 || answer.RatePerS < 12_000/1.03 {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestASearchThatMeetsNoLimitEndsWithItsRange(t *testing.T) {
	s := &simulated{capacity: 1e9}
	answer, err := s.search(1000, 30_000)
	if err != nil || answer.Bound != reports.RangeBound || answer.RatePerS != 30_000 || answer.FailsPerS != 0 || !answer.Confirmed {
		t.Errorf("%+v, %v", answer, err)
	}
	last := s.trials[len(s.trials)-1]
	if last.RatePerS != 30_000 || last.Step != reports.StepConfirm || last.LengthNS != int64(15*time.Second) {
		t.Errorf("the last trial is %+v", last)
	}
}

func TestASearchWithoutAnAnswerEndsAtOnce(t *testing.T) {
	s := &simulated{capacity: 50}
	answer, err := s.search(100, 30_000)
	if err != nil || answer.RatePerS != 0 || answer.FailsPerS != 100 || answer.Confirmed || answer.Criterion == "" {
		t.Errorf("%+v, %v", answer, err)
	}
	if len(s.trials) != 2 {
		t.Errorf("%d trials to see a failure twice", len(s.trials))
	}
}

func TestASearchLearnsFromAConfirmationThatFails(t *testing.T) {
	// Short trials see twice the capacity: a backlog shows in long ones only.
	s := &simulated{}
	patient := func(ctx context.Context, step reports.SearchStep, rate float64, length time.Duration) (TrialResult, error) {
		s.capacity = 8000
		if length < 10*time.Second {
			s.capacity = 16_000
		}
		return s.trial(ctx, step, rate, length)
	}
	answer, err := Searcher{From: 100, To: 100_000, Short: 5 * time.Second, Full: 15 * time.Second, MaxTrials: 200, Trial: patient}.Search(t.Context())
	if err != nil || !answer.Confirmed || answer.RatePerS > 8000 || answer.RatePerS < 8000/1.04 {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestASearchForgetsAFailureThatAHigherRateDisproves(t *testing.T) {
	// The machine has a bad minute in the beginning.
	s := &simulated{capacity: 40_000}
	made := 0
	moody := func(ctx context.Context, step reports.SearchStep, rate float64, length time.Duration) (TrialResult, error) {
		if made++; made >= 3 && made <= 5 {
			return TrialResult{reports.TrialNoisy, "a bad minute"}, nil
		}
		return s.trial(ctx, step, rate, length)
	}
	answer, err := Searcher{From: 100, To: 100_000, Short: 5 * time.Second, Full: 15 * time.Second, MaxTrials: 200, Trial: moody}.Search(t.Context())
	if err != nil || !answer.Confirmed || answer.RatePerS > 40_000 || answer.RatePerS < 40_000/1.04 {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestASearchIsBounded(t *testing.T) {
	s := &simulated{capacity: 21_300}
	answer, err := Searcher{From: 100, To: 200_000, Short: 5 * time.Second, Full: 15 * time.Second, MaxTrials: 9, Trial: s.trial}.Search(t.Context())
	if err != nil || len(s.trials) != 9 || answer.Confirmed || answer.RatePerS != 12_800 {
		t.Errorf("%d trials, %+v, %v", len(s.trials), answer, err)
	}
}

func TestAnErrorEndsASearchWithWhatItFound(t *testing.T) {
	s := &simulated{capacity: 21_300}
	gone := errors.New("the server is gone")
	answer, err := Searcher{From: 100, To: 200_000, Short: time.Second, Full: time.Second, Trial: func(ctx context.Context, step reports.SearchStep, rate float64, length time.Duration) (TrialResult, error) {
		if rate > 1000 {
			return TrialResult{}, gone
		}
		return s.trial(ctx, step, rate, length)
	}}.Search(t.Context())
	if !errors.Is(err, gone) || answer.RatePerS != 800 || answer.Bound != reports.UnknownBound {
		t.Errorf("%+v, %v", answer, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Searcher{From: 1, To: 2, Trial: s.trial}).Search(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that was called off says %v", err)
	}
}

func TestTrialsOfASearchGrowLongerAsTheIntervalNarrows(t *testing.T) {
	s := &simulated{capacity: 21_300}
	if _, err := s.search(100, 200_000); err != nil {
		t.Fatal(err)
	}
	var narrowing []int64
	for _, trial := range s.trials {
		switch trial.Step {
		case reports.StepGrow:
			if trial.LengthNS != int64(5*time.Second) {
				t.Errorf("a first trial takes %v", time.Duration(trial.LengthNS))
			}
		case reports.StepNarrow:
			narrowing = append(narrowing, trial.LengthNS)
		default:
			if trial.LengthNS != int64(15*time.Second) {
				t.Errorf("a last trial takes %v", time.Duration(trial.LengthNS))
			}
		}
	}
	if !slices.IsSorted(narrowing) || narrowing[0] != int64(5*time.Second) || narrowing[len(narrowing)-1] != int64(15*time.Second) {
		t.Errorf("the trials of narrowing take %v", narrowing)
	}
}

// TestASearchFindsTheKneeOfAServerOfKnownSpeed plays whole runs on a fake clock against a server that takes half a
// millisecond for each message, and so carries 2000 of them per second.
func TestASearchFindsTheKneeOfAServerOfKnownSpeed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		limit, err := ParseThreshold("peer.ack.p99 < 20ms")
		if err != nil {
			t.Fatal(err)
		}
		limit.AllowInsufficient = true
		w := Peer(1000, time.Second, 10)
		w.Phases.Warmup, w.Phases.Drain = 0, 2*time.Second
		w.Thresholds = []Threshold{limit}
		var trials []reports.SearchTrial
		answer, err := Searcher{
			From: 500, To: 50_000, Short: time.Second, Full: 4 * time.Second,
			Trial: func(ctx context.Context, step reports.SearchStep, rate float64, length time.Duration) (TrialResult, error) {
				s := newRig()
				s.tamper = func(_ int, r *routed) { r.late = 500 * time.Microsecond }
				load, err := s.run(ctx, w.Scaled(Rate(rate), length), Options{})
				if err != nil {
					return TrialResult{}, err
				}
				trial := JudgeTrial(load, length)
				trials = append(trials, trial)
				return TrialResult{trial.Verdict, trial.Criterion}, nil
			},
		}.Search(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if answer.Bound != reports.ServerBound || !answer.Confirmed || answer.RatePerS < 1900 || answer.RatePerS > 2020 {
			t.Errorf("%+v", answer)
			for _, trial := range trials {
				t.Logf("%.0f/s for %v: %s %s", trial.RatePerS, time.Duration(trial.LengthNS), trial.Verdict, trial.Criterion)
			}
		}
		if last := trials[len(trials)-1]; last.Verdict == reports.TrialPassed {
			t.Errorf("a tenth more than the answer passed: %+v", last)
		}
	})
}
