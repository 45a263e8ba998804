package loadgen

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func rate(r Rate) *Rate { return &r }

// drawStages draws a traffic entry with stages of all kinds.
func drawStages(t *rapid.T) (Traffic, time.Duration) {
	entry := Traffic{Rate: Rate(rapid.Float64Range(1, 3000).Draw(t, "rate"))}
	span := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(1, int64(3*time.Second)).Draw(t, "span"))
	})
	for range rapid.IntRange(1, 5).Draw(t, "stages") {
		var s Stage
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			s = Stage{To: rate(Rate(rapid.Float64Range(0, 5000).Draw(t, "to"))), Over: span.Draw(t, "over")}
		case 1:
			s = Stage{Hold: span.Draw(t, "hold")}
		case 2:
			s = Stage{Step: rate(Rate(rapid.Float64Range(0, 500).Draw(t, "step"))), Every: span.Draw(t, "every"), Times: rapid.IntRange(0, 4).Draw(t, "times")}
		}
		entry.Stages = append(entry.Stages, s)
	}
	return entry, totalLength(entry.Stages)
}

func TestStagedScheduleKeepsTheIntegralOfItsRateInEveryWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		entry, span := drawStages(t)
		c := entry.curve(span)
		burst := rapid.SampledFrom([]int{1, 1, 2, 50}).Draw(t, "burst")
		s := newShaped(c, burst, span)
		last := int64(0)
		for i := range s.count() {
			due := s.due(i)
			if due < last || due >= int64(span) {
				t.Fatalf("message %d is due at %d after %d, span %d", i, due, last, span)
			}
			last = due
		}
		from := rapid.Int64Range(0, int64(span)).Draw(t, "from")
		to := rapid.Int64Range(from, int64(span)).Draw(t, "to")
		inside := dueBefore(s, to) - dueBefore(s, from)
		want := area(entry, float64(to)/1e9) - area(entry, float64(from)/1e9)
		// A nanosecond on either side is as exact as due times are.
		slack := 2e-9*float64(c.peak()) + 1e-6
		if math.Abs(float64(inside)-want) > float64(burst)+slack {
			t.Fatalf("%d messages from %d to %d, want %.3f within %d", inside, from, to, want, burst)
		}
	})
}

// area integrates the rate of the stages up to a moment by another way than the curve: stage by stage, with the
// trapezium rule, which is exact for straight lines.
func area(entry Traffic, until float64) (sum float64) {
	at, now := 0.0, float64(entry.Rate)
	line := func(span, from, to float64) {
		if in := min(until-at, span); in > 0 {
			sum += in * (from + (from + (to-from)*in/span)) / 2
		}
		at += span
	}
	for _, s := range entry.Stages {
		switch {
		case s.To != nil:
			line(s.Over.Seconds(), now, float64(*s.To))
			now = float64(*s.To)
		case s.Step != nil:
			for range max(s.Times, 1) {
				now += float64(*s.Step)
				line(s.Every.Seconds(), now, now)
			}
		default:
			line(s.Hold.Seconds(), now, now)
		}
	}
	return sum
}

func TestStagesReadLikeASentence(t *testing.T) {
	const text = `sessions: {count: 4}
traffic:
  - id: peer
    op: peer
    rate: 100/s
    stages:
      - {to: 300/s, over: 2s}            # 400 messages
      - {hold: 1s}                       # 300
      - {step: +100/s, every: 1s, times: 2} # 400, 500
      - {step: -500/s, every: 1s}        # none
phases: {warmup: 2s}
`
	w, err := ParseWorkload("w.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if w.Phases.Measure != 6*time.Second {
		t.Errorf("the measured phase is %v long, and the stages 6s", w.Phases.Measure)
	}
	p, err := newPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	entry := p.traffic[0]
	if n := entry.warm.count(); n != 200 {
		t.Errorf("%d messages of warm-up, want 200: 2 s at the starting rate", n)
	}
	var perSecond [6]int
	for i := range entry.main.count() {
		perSecond[entry.main.due(i)/1e9]++
	}
	if want := [6]int{150, 250, 300, 400, 500, 0}; perSecond != want {
		t.Errorf("%v messages in the seconds, want %v", perSecond, want)
	}
	if peak := entry.peak(); peak != 500 {
		t.Errorf("the peak is %v, want 500/s", peak)
	}
	if offered, _ := p.offered(); math.Abs(offered-1600.0/6) > 1e-9 {
		t.Errorf("offered %v, want 1600 messages in 6 s", offered)
	}
}

func TestStagedPoissonIsAPoissonProcessOfTheCurve(t *testing.T) {
	// Moved back through the curve, the arrivals must be those of a process of one a second.
	entry := Traffic{Rate: 1000, Arrival: Poisson, Stages: []Stage{
		{To: rate(20_000), Over: 4 * time.Second}, {Hold: time.Second}, {Step: rate(-6000), Every: time.Second, Times: 3},
	}}
	span := totalLength(entry.Stages)
	c := entry.curve(span)
	s := entry.mainSchedule(span, 42, 1)
	if n, want := float64(s.count()), c.total(); math.Abs(n-want) > 4*math.Sqrt(want) {
		t.Fatalf("%.0f arrivals, want about %.0f", n, want)
	}
	gaps := make([]float64, s.count())
	last := 0.0
	for i := range gaps {
		at := area(entry, float64(s.due(i))/1e9)
		gaps[i], last = at-last, at
	}
	if far, limit := fromExponential(gaps); far > limit {
		t.Errorf("the gaps are %.5f from exponential, at most %.5f expected", far, limit)
	}
	if again := entry.mainSchedule(span, 42, 1); !slices.Equal(again.(listed), s.(listed)) {
		t.Error("one seed, two schedules")
	}
}

func TestBurstsComeWholeAndEvenlySpaced(t *testing.T) {
	entry := Traffic{Rate: 1000, Arrival: Burst, Burst: 50}
	s := entry.mainSchedule(10*time.Second, 1, 1)
	if s.count() != 10_000 {
		t.Fatalf("%d messages in 10 s at 1000/s", s.count())
	}
	for i := range s.count() {
		if want := int64(i/50) * int64(50*time.Millisecond); s.due(i) != want {
			t.Fatalf("message %d is due at %d, want %d", i, s.due(i), want)
		}
	}
	if n := (Traffic{Rate: 1000, Arrival: Burst, Burst: 300}).mainSchedule(time.Second, 1, 1).count(); n != 1200 {
		t.Errorf("%d messages, want 4 whole bursts of 300", n)
	}
}
