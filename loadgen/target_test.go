package loadgen

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// dies makes the rig break every session off at message n.
func (s *rig) dies(n int) {
	s.tamper = func(i int, r *routed) {
		if i != n {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, session := range s.sessions {
			session.end()
		}
	}
}

func TestRunThatLosesItsTargetEndsAtOnceAndIsWritten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		s := newRig()
		s.dies(2500)
		w := small(60_000)
		began := time.Now()
		load := s.play(t, t.Context(), w, Options{Dir: dir})
		if took := time.Since(began); took > 4*time.Second {
			t.Errorf("it went on for %v", took)
		}
		balanced(t, load)
		row := load.Summary.Ledger[0]
		if row.AckLost == 0 || row.Scheduled < 2500 || row.Scheduled > 2600 {
			t.Errorf("ledger %+v", row)
		}
		v := load.Summary.Validity
		if v.Verdict != reports.Invalid || v.Attribution != "server bound" || !strings.Contains(strings.Join(v.Reasons, " "), "the server went away in second ") {
			t.Errorf("validity %+v", v)
		}
		if got := OutcomeOf(load, nil); got != TargetLost || load.Manifest.LostNS == 0 || load.Manifest.Interrupted {
			t.Errorf("outcome %v, lost at %d", got, load.Manifest.LostNS)
		}
		if found, err := Verify(dir); err != nil || len(found.Differences) > 0 {
			t.Errorf("%v\n%s", err, differences(found))
		}
	})
}

func TestRunThatLosesItsTargetInTheWarmupEndsToo(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.dies(100)
		w := small(10_000)
		w.Phases.Warmup = time.Minute
		began := time.Now()
		load := s.play(t, t.Context(), w, Options{})
		balanced(t, load)
		if took := time.Since(began); took > 2*time.Second || OutcomeOf(load, nil) != TargetLost {
			t.Errorf("it took %v and came to %v", took, OutcomeOf(load, nil))
		}
	})
}

func TestSessionsThatBreakOffAloneDoNotEndARun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n == 100 {
				for _, uid := range []string{"load-00001", "load-00002", "load-00003"} {
					s.session(uid).end()
				}
			}
		}
		load := s.play(t, t.Context(), small(2000), Options{})
		balanced(t, load)
		if row := load.Summary.Ledger[0]; load.Manifest.LostNS != 0 || row.Scheduled != 2000 || OutcomeOf(load, nil) == TargetLost {
			t.Errorf("lost at %d with %+v", load.Manifest.LostNS, row)
		}
	})
}
