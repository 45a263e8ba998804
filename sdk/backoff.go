package rtm

import (
	"math/rand/v2"
	"time"
)

// Backoff spaces the attempts to reconnect. The pause before an attempt is drawn
// evenly from zero to a ceiling (full jitter, so that the clients of a server that
// restarts come back spread out); the ceiling is Min before the first attempt and
// doubles up to Max. A link that lasted 10 s starts it afresh. There is no last
// attempt (rule 78). Within a login the ceiling stays below an eighth of the login
// timeout.
type Backoff struct {
	Min time.Duration // Min is the first ceiling. Default 200 ms.
	Max time.Duration // Max is the highest ceiling. Default 20 s.
}

// stableAfter is how long a link must last to be trusted again.
const stableAfter = 10 * time.Second

// laterShift raises the first ceiling after a close that asks to come back later,
// to 3.2 s by default.
const laterShift = 4

// pauses draws the pauses of one outage.
type pauses struct {
	backoff Backoff
	attempt int
	draw    func(n int64) int64 // returns a number from 0 to n-1
}

func newPauses(b Backoff) pauses { return pauses{backoff: b, draw: rand.Int64N} }

func (p *pauses) next() time.Duration {
	ceiling := p.ceiling()
	p.attempt++
	return time.Duration(p.draw(int64(ceiling) + 1))
}

func (p *pauses) ceiling() time.Duration {
	ceiling := p.backoff.Min
	for range p.attempt {
		if ceiling >= p.backoff.Max/2 {
			return p.backoff.Max
		}
		ceiling *= 2
	}
	return min(ceiling, p.backoff.Max)
}

// later skips the short pauses.
func (p *pauses) later() { p.attempt = max(p.attempt, laterShift) }

func (p *pauses) reset() { p.attempt = 0 }
