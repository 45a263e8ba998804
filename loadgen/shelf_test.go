package loadgen

import (
	"strings"
	"testing"
	"time"
)

func TestEveryReadyWorkloadRunsAndSaysWhatItIsFor(t *testing.T) {
	for _, s := range Shelf() {
		w, err := s.Workload()
		if err != nil {
			t.Error(err)
			continue
		}
		p, err := newPlan(w)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(s.Question, "?") || !strings.Contains(string(s.Text), "\n# Needs ") {
			t.Errorf("%s begins with %q and has to ask a question and say what it needs", s.Name, s.Question)
		}
		if took := p.expected(); took > 40*time.Second && s.Name != "soak" {
			t.Errorf("%s takes %v, more than somebody waits for", s.Name, took)
		}
		// What two shared cores carry, with room.
		if messages, deliveries := p.offered(); messages > 5000 || deliveries > 100_000 {
			t.Errorf("%s offers %.0f messages and %.0f deliveries a second", s.Name, messages, deliveries)
		}
		if warnings := w.Lint(); len(warnings) > 0 {
			t.Errorf("%s: %v", s.Name, warnings)
		}
	}
}

// What load run peer and load run channel do without flags is what their files on the shelf say.
func TestReadyPeerAndFanoutAreThoseOfTheCommandLine(t *testing.T) {
	for name, w := range map[string]Workload{
		"peer": Peer(1000, 10*time.Second, 100), "fanout": Fanout(1000, 10*time.Second, 10, 100),
	} {
		s, ok := FromShelf(name)
		if !ok {
			t.Fatalf("%s is missing", name)
		}
		read, err := s.Workload()
		if err != nil {
			t.Fatal(err)
		}
		want, _ := w.YAML()
		got, _ := read.YAML()
		if string(got) != string(want) {
			t.Errorf("%s:\n%s\nwant:\n%s", name, got, want)
		}
	}
}
