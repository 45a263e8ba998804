package loadgen

import (
	"strings"
	"testing"
	"time"
)

func TestRunThatItsMachineCannotCarryIsRefusedBeforeItStarts(t *testing.T) {
	enough := resources{openFiles: 10, filesLimit: 20_000, ports: 28_232, memory: 4 << 30, cores: 2, procs: 2}
	for name, c := range map[string]struct {
		workload Workload
		change   func(*resources)
		refused  string
	}{
		"enough":           {Peer(1000, time.Minute, 1000), func(*resources) {}, ""},
		"just files":       {Peer(1000, time.Minute, 1000), func(r *resources) { r.filesLimit = 1042 }, ""},
		"too few files":    {Peer(1000, time.Minute, 1000), func(r *resources) { r.filesLimit = 1041 }, "1000 sessions need 1042 open files and the limit is 1041; raise it with ulimit -n 1042"},
		"just ports":       {Peer(1000, time.Minute, 1000), func(r *resources) { r.ports = 1000 }, ""},
		"too few ports":    {Peer(1000, time.Minute, 1000), func(r *resources) { r.ports = 999 }, "1000 connections to one address need as many local ports and there are 999"},
		"too little":       {Peer(10_000, 10*time.Minute, 1000), func(r *resources) { r.memory = 64 << 20 }, "MiB of memory and 64 MiB are available; shorten it"},
		"nothing is known": {Peer(10_000, 10*time.Minute, 1000), func(r *resources) { *r = resources{} }, ""},
	} {
		p, err := newPlan(c.workload)
		if err != nil {
			t.Fatal(err)
		}
		have := enough
		c.change(&have)
		_, err = p.preflight(have)
		if c.refused == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), c.refused) || OutcomeOf(nil, err) != Unusable {
			t.Errorf("%s: %v, want %q", name, err, c.refused)
		}
	}
}

func TestGeneratorThatMayNotUseAllCoresSaysSo(t *testing.T) {
	p, err := newPlan(small(10))
	if err != nil {
		t.Fatal(err)
	}
	if notes, err := p.preflight(resources{cores: 8, procs: 1}); err != nil || len(notes) != 1 || !strings.Contains(notes[0], "1 of the 8 cores") {
		t.Errorf("notes %q, %v", notes, err)
	}
	if notes, _ := p.preflight(resources{cores: 8, procs: 8}); len(notes) != 0 {
		t.Errorf("notes %q", notes)
	}
}

func TestMemoryOfTheBooksGrowsWithTheirMessagesAndDeliveries(t *testing.T) {
	memory := func(w Workload) int64 {
		p, err := newPlan(w)
		if err != nil {
			t.Fatal(err)
		}
		return p.footprint(2)
	}
	short, long := memory(Peer(1000, 100*time.Second, 100)), memory(Peer(1000, 1100*time.Second, 100))
	// A million messages more take 10 bytes and a bit each.
	if grown := long - short; grown < 10_000_000 || grown > 11_000_000 {
		t.Errorf("a million messages more take %d bytes", grown)
	}
	few, many := memory(Fanout(1000, 100*time.Second, 1, 10)), memory(Fanout(1000, 100*time.Second, 1, 1000))
	// Each of 990 sessions more has a bit for each of 105,000 messages, and some memory of its own.
	if grown := many - few; grown < 990*(105_000/8+32<<10) {
		t.Errorf("990 members more take %d bytes", grown)
	}
}
