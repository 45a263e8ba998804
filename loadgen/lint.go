package loadgen

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// muchMemory is how much the tables of a run may take before somebody should know.
const muchMemory = 1 << 30

// Lint returns what is odd about a workload that can be run: what a server with the usual limits refuses, what is set up
// and not used, what the numbers will not tell. Each warning is one sentence behind the path of its key. A workload that
// Check refuses has none.
func (w Workload) Lint() []error {
	w.fill()
	if w.Check() != nil {
		return nil
	}
	p, err := newPlan(w)
	if err != nil {
		return nil
	}
	var list []error
	for _, look := range []func(*plan) []*problem{lintCalls, lintChannels, lintSessions, lintMemory, lintMachine, lintThresholds, lintClosed} {
		for _, found := range look(p) {
			list = append(list, *found)
		}
	}
	return list
}

// LintWorkload reads a workload file and returns the warnings about it, each behind the file's name and a line. The
// error is the one of [ReadWorkload].
func LintWorkload(path string) (warnings []string, err error) {
	text, err := readWorkloadText(path)
	if err != nil {
		return nil, err
	}
	w, err := ParseWorkload(path, text)
	if err != nil {
		return nil, err
	}
	for _, warning := range w.Lint() {
		line := 1
		var p problem
		if errors.As(warning, &p) {
			line = lineOf(text, p.path)
		}
		warnings = append(warnings, fmt.Sprintf("%s:%d: %v", path, line, warning))
	}
	return warnings, nil
}

// lintCalls warns of sessions that call more often than servers allow unless they are told otherwise.
func lintCalls(p *plan) []*problem {
	if found := p.checkCalls(wire.DefaultLimits(), "a server with the usual call limits allows"); found != nil {
		return []*problem{found}
	}
	return nil
}

// lintChannels warns of channels that are joined for nothing.
func lintChannels(p *plan) (list []*problem) {
	used := map[string]bool{}
	for _, t := range p.Traffic {
		used[t.Channel] = true
	}
	for i, c := range p.Channels {
		if !used[c.Name] {
			list = append(list, bad(fmt.Sprintf("channels[%d]", i), "no traffic goes to %q; its sessions join it and nothing else comes of it", c.Name))
		}
	}
	return list
}

// lintSessions warns of sessions that log in for nothing.
func lintSessions(p *plan) []*problem {
	idle := make([]bool, len(p.uids))
	for i := range idle {
		idle[i] = true
	}
	for _, t := range p.traffic {
		for _, s := range t.streams {
			idle[s.sender] = false
		}
	}
	for _, g := range p.groups {
		for _, receiver := range g.receivers {
			idle[receiver] = false
		}
	}
	for i := range p.Traffic {
		if t := &p.Traffic[i]; t.Op.churns() {
			for _, place := range p.placesOf(t) {
				idle[place.session] = false
			}
		}
	}
	n, first := 0, -1
	for i, alone := range idle {
		if alone {
			if n++; first < 0 {
				first = i
			}
		}
	}
	if n == 0 {
		return nil
	}
	return []*problem{bad("sessions.count", "%d of %d sessions, the first of them number %d, send nothing and receive nothing; lower the count, unless it is idle connections that are to be measured", n, len(p.uids), first)}
}

// lintClosed warns of limits on latencies that a slow server keeps by being sent less.
func lintClosed(p *plan) (list []*problem) {
	if !p.closed() {
		return nil
	}
	for i, t := range p.Thresholds {
		if t.Expr.quantity().latency {
			list = append(list, bad(fmt.Sprintf("thresholds[%d]", i), "%v: in a closed loop a slow server is sent less, which keeps its latencies low; limit latencies with executor open", t.Expr))
		}
	}
	return list
}

// lintMemory warns of tables that a machine may not hold.
func lintMemory(p *plan) []*problem {
	if need := p.memory(); need > muchMemory {
		return []*problem{bad("phases.measure", "the ledger of every message will take some %.1f GiB of memory; see that the machine has it, or shorten the run or lower the rate", need/(1<<30))}
	}
	return nil
}

// lintMachine warns of a run that would not begin on this machine; it may on another.
func lintMachine(p *plan) []*problem {
	return p.lintResources(p.resourcesFor("ws://127.0.0.1/rtm/v1"))
}

func (p *plan) lintResources(have resources) []*problem {
	_, err := p.preflight(have)
	if err == nil {
		return nil
	}
	text := strings.TrimPrefix(err.Error(), "workload "+p.Name+": ")
	path, what, _ := strings.Cut(text, ": ")
	return []*problem{bad(path, "on this machine, %s", what)}
}

// memory estimates the bytes of the ledger's tables.
func (p *plan) memory() (bytes float64) {
	for _, t := range p.traffic {
		each := 10.0 // fate, answer, time of writing
		if t.Op == OpChannel {
			each += 20 // receivers left, first and last arrival
		}
		if _, written := t.main.(listed); written {
			each += 8
		}
		each += float64(t.fanout) / 8
		bytes += each * float64(t.count())
	}
	for _, g := range p.groups {
		bytes += 4 * float64(g.streams) * float64(len(g.receivers)) // the highest number seen of each stream
	}
	return bytes
}
