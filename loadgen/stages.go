package loadgen

import (
	"fmt"
	"math"
	"time"
)

// maxStages bounds the pieces that the stages of one traffic entry make, every repetition of a step among them.
const maxStages = 1000

// Stage is one piece of a traffic entry's measured phase. It begins at the rate at which the one before it ended, the
// first at the entry's Rate. A stage is one of three: a ramp (To and Over), a hold (Hold), or steps (Step and Every).
type Stage struct {
	// To is the rate at the end of a ramp. The rate changes evenly; zero is allowed.
	To *Rate `yaml:"to,omitempty"`

	// Over is how long the ramp takes.
	Over time.Duration `yaml:"over,omitempty"`

	// Hold is how long the rate stays as it is.
	Hold time.Duration `yaml:"hold,omitempty"`

	// Step is by how much the rate changes at once, such as 500/s or -500/s, before it stays for Every.
	Step *Rate `yaml:"step,omitempty"`

	// Every is how long the rate stays after each step.
	Every time.Duration `yaml:"every,omitempty"`

	// Times is how many steps follow each other; zero means one.
	Times int `yaml:"times,omitempty"`
}

// times returns how many steps a stage of steps has.
func (s Stage) times() int { return max(s.Times, 1) }

// length returns how long the stage takes.
func (s Stage) length() time.Duration {
	if s.Step != nil {
		return s.Every * time.Duration(s.times())
	}
	return s.Over + s.Hold
}

func totalLength(stages []Stage) (sum time.Duration) {
	for _, s := range stages {
		sum += s.length()
	}
	return sum
}

// check names what is wrong with one stage that begins at the rate.
func (s Stage) check(path string) *problem {
	ramp, hold, steps := s.To != nil || s.Over != 0, s.Hold != 0, s.Step != nil || s.Every != 0 || s.Times != 0
	switch {
	case ramp && (hold || steps) || hold && steps:
		return bad(path, "it mixes kinds of stages; write to with over, hold alone, or step with every and times, each as a stage of its own")
	case ramp && s.To == nil:
		return bad(path+".over", "a ramp needs to as well, the rate at its end, such as 500/s")
	case ramp && (s.Over <= 0 || s.Over > maxPhase):
		return bad(path+".over", "a ramp takes more than 0 and at most %v; for a change at once use step", maxPhase)
	case hold && (s.Hold < 0 || s.Hold > maxPhase):
		return bad(path+".hold", "%v; use more than 0 and at most %v", s.Hold, maxPhase)
	case steps && s.Step == nil:
		return bad(path, "steps need step as well, the change of the rate, such as +500/s")
	case steps && (s.Every <= 0 || s.Every > maxPhase):
		return bad(path+".every", "a step needs the time for which its rate stays, more than 0 and at most %v", maxPhase)
	case s.Times < 0 || s.Times > maxStages:
		return bad(path+".times", "%d steps; use 1 to %d", s.Times, maxStages)
	case !ramp && !hold && !steps:
		return bad(path, "it is empty; write to with over, hold, or step with every")
	}
	return nil
}

// checkStages names the first thing wrong with the stages of a traffic entry.
func (t Traffic) checkStages(path string, phases Phases) *problem {
	if len(t.Stages) == 0 {
		return nil
	}
	rate, pieces := t.Rate, 0
	for i, s := range t.Stages {
		at := fmt.Sprintf("%s.stages[%d]", path, i)
		if p := s.check(at); p != nil {
			return p
		}
		pieces++
		key := ".to"
		switch {
		case s.To != nil:
			rate = *s.To
		case s.Step != nil:
			// Steps go one way, so that the last rate is the outermost.
			rate += *s.Step * Rate(s.times())
			pieces += s.times() - 1
			key = ".step"
		}
		if rate < 0 {
			return bad(at+key, "it leads to %v; a rate ends at 0/s", rate)
		}
		if rate > maxRate {
			return bad(at+key, "it leads to %v, beyond what one generator can pace; use at most %v", rate, maxRate)
		}
		if pieces > maxStages {
			return bad(at, "the stages have more than %d pieces; use fewer or longer ones", maxStages)
		}
	}
	sum := totalLength(t.Stages)
	if sum > maxPhase {
		return bad(path+".stages", "they take %v together; use at most %v", sum, maxPhase)
	}
	if sum != phases.Measure {
		return bad("phases.measure", "%v, but the stages of %s take %v together; make both equal, or leave the key out", phases.Measure, path, sum)
	}
	if t.curve(phases.Measure).total() == 0 {
		return bad(path+".stages", "the rate is 0/s throughout, so that nothing is measured")
	}
	return nil
}

// curve is a rate over time, in pieces: what the stages of a traffic entry come to.
type curve []piece

// piece is a stretch of time in which the rate changes evenly. Times are seconds, rates per second.
type piece struct {
	start, span float64
	from, to    float64
	before      float64 // how many messages are due before it
}

// curve spells the entry's rate out over the span.
func (t Traffic) curve(span time.Duration) curve {
	var c curve
	rate := float64(t.Rate)
	if len(t.Stages) == 0 {
		return c.then(span, rate, rate)
	}
	for _, s := range t.Stages {
		switch {
		case s.To != nil:
			c = c.then(s.Over, rate, float64(*s.To))
			rate = float64(*s.To)
		case s.Step != nil:
			first := rate
			for i := range s.times() {
				// Multiplied instead of added up, so that steps down to zero end there.
				rate = max(first+float64(i+1)*float64(*s.Step), 0)
				c = c.then(s.Every, rate, rate)
			}
		default:
			c = c.then(s.Hold, rate, rate)
		}
	}
	return c
}

func (c curve) then(span time.Duration, from, to float64) curve {
	next := piece{span: span.Seconds(), from: from, to: to, before: c.total()}
	if len(c) > 0 {
		next.start = c[len(c)-1].start + c[len(c)-1].span
	}
	return append(c, next)
}

// total returns how many messages are due over the whole curve, as a real number.
func (c curve) total() float64 {
	if len(c) == 0 {
		return 0
	}
	last := c[len(c)-1]
	return last.before + (last.from+last.to)/2*last.span
}

// peak returns the highest rate.
func (c curve) peak() Rate {
	highest := 0.0
	for _, p := range c {
		highest = max(highest, p.from, p.to)
	}
	return Rate(highest)
}

// when returns the moment, in seconds from the start, before which n messages are due: the inverse of the
// integral of the rate.
func (c curve) when(n float64) float64 {
	low, high := 0, len(c)-1
	for low < high {
		if middle := (low + high + 1) / 2; c[middle].before <= n {
			low = middle
		} else {
			high = middle - 1
		}
	}
	p := c[low]
	left := n - p.before
	if left <= 0 {
		return p.start
	}
	// left = from·t + slope·t²/2, solved in the form that stays exact when the slope is small.
	slope := (p.to - p.from) / p.span
	root := math.Sqrt(max(p.from*p.from+2*slope*left, 0))
	if p.from+root == 0 {
		return p.start + p.span
	}
	return p.start + min(2*left/(p.from+root), p.span)
}

// shaped spaces messages so that the rate follows a curve; burst of them at a time are due together.
type shaped struct {
	curve curve
	n     int
	burst int
	last  int64 // the latest moment within the span
}

func newShaped(c curve, burst int, span time.Duration) shaped {
	burst = max(burst, 1)
	// What rounding adds to a sum of many pieces must not make a message of its own.
	bursts := math.Ceil(c.total()/float64(burst) - 1e-9)
	return shaped{curve: c, n: int(bursts) * burst, burst: burst, last: int64(span) - 1}
}

func (s shaped) count() int { return s.n }

func (s shaped) due(i int) int64 {
	return min(int64(math.Round(s.curve.when(float64(i/s.burst*s.burst))*1e9)), s.last)
}
