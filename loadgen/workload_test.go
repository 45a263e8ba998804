package loadgen

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const fullWorkload = `schema: rtmkit-load/v1
name: mixed
seed: 7
sessions: {count: 50, uid: "lt-%03d", rate: 100/s, join_rate: 500/s}
channels:
  - {name: "room-%02d", count: 4, members: 20}
traffic:
  - id: peer
    op: peer
    arrival: poisson
    rate: 200/s
    payload: {bytes: 128, type: raw}
  - {id: room, op: channel, channel: "room-%02d", rate: 30/m}
phases: {warmup: 1s, measure: 10s, drain: 5s}
limits: {max_in_flight: 1000}
`

func TestWorkloadFileIsReadAsWritten(t *testing.T) {
	w, err := ParseWorkload("w.yaml", []byte(fullWorkload))
	if err != nil {
		t.Fatal(err)
	}
	if w.Seed != 7 || w.Sessions.JoinRate != 500 || w.Channels[0].Members != 20 || w.Traffic[0].Payload.Type != Raw ||
		w.Traffic[1].Rate != 0.5 || w.Traffic[1].Arrival != Constant || w.Traffic[1].Payload.Bytes != 64 ||
		w.Phases.Measure != 10*time.Second || w.Limits.MaxInFlight != 1000 {
		t.Errorf("read as %+v", w)
	}
	text, err := w.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseWorkload("again.yaml", text)
	if err != nil {
		t.Fatalf("its own text is refused: %v\n%s", err, text)
	}
	if second, _ := again.YAML(); string(second) != string(text) {
		t.Errorf("the text changes when read and written again:\n%s\n%s", text, second)
	}
}

func TestImpossibleWorkloadIsNamedInOneSentenceWithItsLine(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want string }{
		"unknown key":         {"    arrival: poisson", "    arival: poisson", `w.yaml:10: unknown key "arival"; did you mean arrival? known here: id, op, channel, executor, arrival, rate, burst,`},
		"unknown section":     {"limits:", "limit:", `w.yaml:15: unknown key "limit"; did you mean limits? known here: schema, name, seed, sessions, channels, traffic, phases, limits`},
		"unknown inner key":   {"type: raw", "kind: raw", `w.yaml:12: unknown key "kind"; known here: bytes, type`},
		"key twice":           {"seed: 7", "seed: 7\nname: b", `w.yaml:4: mapping key "name" already defined at line 2`},
		"other schema":        {"load/v1", "load/v9", `w.yaml:1: schema: "rtmkit-load/v9" is not known; this version reads rtmkit-load/v1`},
		"rate without unit":   {"rate: 200/s", "rate: 200", `w.yaml:11: rate "200" has no unit; write it like 5000/s`},
		"rate of nothing":     {"rate: 200/s", "rate: 0/s", `w.yaml:11: traffic[0].rate: 0/s sends nothing; use a rate above 0, such as 1000/s`},
		"negative rate":       {"rate: 200/s", "rate: -5/s", `w.yaml:11: traffic[0].rate: -5/s sends nothing`},
		"rate out of words":   {"rate: 200/s", "rate: fast/s", `w.yaml:11: rate "fast/s" does not start with a number`},
		"no such unit":        {"rate: 200/s", "rate: 200/day", `w.yaml:11: rate "200/day" has the unknown unit "day"; use /s, /m or /h`},
		"too many members":    {"members: 20", "members: 51", `w.yaml:6: channels[0].members: 51 members need as many sessions, but sessions.count is 50; raise it or lower members`},
		"lonely channel":      {"members: 20", "members: 1", `w.yaml:13: traffic[1].channel: a channel of one member has nobody to deliver to`},
		"too many channels":   {"count: 4, members: 20", "count: 21, members: 50", `w.yaml:6: channels: a session would join 21 channels and may join 20`},
		"too many groups":     {"- {name: \"room-%02d\"", "- {name: \"hall-%d\", count: 19, members: 50}\n  - {name: \"room-%02d\"", `w.yaml:6: channels: a session would join 21 channels and may join 20`},
		"too many entries":    {"  - {id: room,", strings.Repeat("  - {id: a, op: peer, rate: 1/s}\n", 99) + "  - {id: room,", `w.yaml:8: traffic: 101 entries; use at most 100`},
		"no sessions":         {"count: 50", "count: 0", `w.yaml:4: sessions.count: 0 sessions; use 1 to 60000`},
		"one peer":            {"count: 50", "count: 1", `w.yaml:6: channels[0].members: 20 members need`},
		"pattern of nothing":  {"lt-%03d", "lt", `w.yaml:4: sessions.uid: "lt" needs exactly one number verb, such as %05d`},
		"pattern of strings":  {"lt-%03d", "lt-%s", `w.yaml:4: sessions.uid: "lt-%s" needs exactly one number verb`},
		"id against protocol": {"lt-%03d", "lt/%03d", `w.yaml:4: sessions.uid: "lt/%03d" makes an id that the protocol refuses: byte 2`},
		"payload too small":   {"bytes: 128", "bytes: 31", `w.yaml:12: traffic[0].payload.bytes: 31 bytes cannot hold the stamp that every message carries; a raw message needs at least 32`},
		"unknown op":          {"op: peer", "op: shout", `w.yaml:9: traffic[0].op: "shout" is not known; use peer, channel, join, login, reconnect or pause`},
		"unknown arrival":     {"poisson", "bursts", `w.yaml:10: traffic[0].arrival: "bursts" is not known; use constant, poisson or burst`},
		"unknown executor":    {"poisson", "poisson\n    executor: opne", `w.yaml:11: traffic[0].executor: "opne" is not known; use open, closed or replay`},
		"burst of one":        {"poisson", "burst", `w.yaml:8: traffic[0].burst: 0 messages at once are no burst; use 2 to 100000`},
		"burst unasked":       {"poisson", "poisson\n    burst: 5", `w.yaml:11: traffic[0].burst: it goes with arrival: burst only; remove one of the two`},
		"outstanding unasked": {"poisson", "poisson\n    outstanding: 5", `w.yaml:11: traffic[0].outstanding: it goes with executor: closed only`},
		"trace unasked":       {"poisson", "poisson\n    trace: workload_test.go", `w.yaml:11: traffic[0].trace: `},
		"stages too short":    {"poisson", "poisson\n    stages: [{hold: 9s}]", `w.yaml:15: phases.measure: 10s, but the stages of traffic[0] take 9s together; make both equal, or leave the key out`},
		"stage of two kinds":  {"poisson", "poisson\n    stages: [{hold: 9s, to: 3/s, over: 1s}]", `w.yaml:11: traffic[0].stages[0]: it mixes kinds of stages`},
		"stage of nothing":    {"poisson", "poisson\n    stages:\n    - {}", `w.yaml:12: traffic[0].stages[0]: it is empty`},
		"ramp without end":    {"poisson", "poisson\n    stages: [{over: 10s}]", `w.yaml:11: traffic[0].stages[0].over: a ramp needs to as well`},
		"ramp without time":   {"poisson", "poisson\n    stages: [{to: 10/s}]", `w.yaml:11: traffic[0].stages[0].over: a ramp takes more than 0`},
		"step without time":   {"poisson", "poisson\n    stages: [{step: 10/s}]", `w.yaml:11: traffic[0].stages[0].every: a step needs the time`},
		"step of nothing":     {"poisson", "poisson\n    stages: [{every: 10s}]", `w.yaml:11: traffic[0].stages[0]: steps need step as well`},
		"steps below zero":    {"poisson", "poisson\n    stages: [{step: -150/s, every: 5s, times: 2}]", `w.yaml:11: traffic[0].stages[0].step: it leads to -100/s; a rate ends at 0/s`},
		"steps too high":      {"poisson", "poisson\n    stages: [{step: 999999/s, every: 5s, times: 2}]", `w.yaml:11: traffic[0].stages[0].step: it leads to `},
		"step to silence":     {"poisson", "poisson\n    stages: [{step: -200/s, every: 10s}]", `w.yaml:11: traffic[0].stages: the rate is 0/s throughout`},
		"steps without end":   {"poisson", "poisson\n    stages: [{step: 1/s, every: 1ms, times: 1000000}]", `w.yaml:11: traffic[0].stages[0].times: 1000000 steps; use 1 to 1000`},
		"unknown stage key":   {"poisson", "poisson\n    stages: [{hodl: 1s}]", `w.yaml:11: unknown key "hodl"; did you mean hold? known here: to, over, hold, step, every, times`},
		"unknown channel":     {"channel: \"room-%02d\"", "channel: \"hall-%02d\"", `w.yaml:13: traffic[1].channel: "hall-%02d" is the name of no channel group; use one of: room-%02d`},
		"id twice":            {"{id: room", "{id: peer", `w.yaml:13: traffic[1].id: "peer" is also the id of traffic[0]; every entry needs its own`},
		"nothing measured":    {"measure: 10s", "measure: 0s", `w.yaml:14: phases.measure: 0s measures nothing`},
		"not a duration":      {"measure: 10s", "measure: soon", `w.yaml:14: "soon" has to be a length of time, such as 10s or 500ms`},
		"not a number":        {"count: 50", "count: many", `w.yaml:4: "many" has to be a whole number`},
		"not a section":       {"{bytes: 128, type: raw}", "128", `w.yaml:12: "128" has to be keys with values`},
		"not a list":          {"limits: {max_in_flight: 1000}", "traffic: none", `w.yaml:`},
		"more than fits":      {"rate: 200/s", "rate: 900000/s\n    # long", `w.yaml:15: phases.measure: `},
		"not YAML":            {"sessions: {", "sessions: {{", `w.yaml:`},
		"no workload":         {fullWorkload, "", `w.yaml:1: the file is empty; a workload has at least sessions, traffic and phases`},
		"two documents":       {"limits:", "---\nlimits:", `w.yaml:15: more than one YAML document`},
	} {
		text := strings.Replace(fullWorkload, c.old, c.new, 1)
		if name == "more than fits" {
			text = strings.Replace(text, "measure: 10s", "measure: 1h", 1)
		}
		if text == fullWorkload {
			t.Fatalf("%s: nothing was changed", name)
		}
		_, err := ParseWorkload("w.yaml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %q, want %q…", name, err, c.want)
		}
	}
}

func TestWorkloadFileThatCannotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	huge := filepath.Join(dir, "huge.yaml")
	if err := os.WriteFile(huge, make([]byte, maxWorkloadBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing.yaml"), dir, huge} {
		if _, err := ReadWorkload(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func TestReadyWorkloadsCanBeRun(t *testing.T) {
	for name, c := range map[string]struct {
		w        Workload
		sessions int
	}{
		"peer":          {Peer(5000, 10*time.Second, 100), 100},
		"fan-out":       {Fanout(1000, 10*time.Second, 10, 100), 100},
		"many channels": {Fanout(1000, 10*time.Second, 1000, 10), 500},
	} {
		if err := c.w.Check(); err != nil || c.w.Sessions.Count != c.sessions {
			t.Errorf("%s: %v with %d sessions, want %d", name, err, c.w.Sessions.Count, c.sessions)
		}
	}
}

func TestCheckLeavesTheWorkloadAsItIs(t *testing.T) {
	w := Workload{Sessions: Sessions{Count: 2}, Traffic: []Traffic{{ID: "peer", Op: OpPeer, Rate: 1}}, Phases: Phases{Measure: time.Second}}
	if err := w.Check(); err != nil || w.Traffic[0].Executor != "" || w.Name != "" {
		t.Errorf("%v, and it became %+v", err, w)
	}
}

// atLine matches errors that begin with file and line, as a compiler's do, and are of one line themselves.
var atLine = regexp.MustCompile(`^f:\d+: [^\n]+$`)

func FuzzParseWorkload(f *testing.F) {
	f.Add([]byte(fullWorkload))
	f.Add([]byte("traffic: [{id: a, op: peer, rate: 1/s}]\nsessions: {count: 2}\nphases: {measure: 1s}\n"))
	f.Add([]byte("0\n\n0"))
	f.Add([]byte("sessions: &a {count: *a}"))
	f.Add([]byte("traffic: [{id: a, op: peer, rate: 1/s, stages: [{to: 9/s, over: 1s}, {step: -1/s, every: 1s, times: 9}]}]\nsessions: {count: 2}"))
	for _, s := range Shelf() {
		f.Add(s.Text)
	}
	f.Add([]byte("traffic: [{id: a, op: peer, executor: replay, trace: a.txt}]\nsessions: {count: 2}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		w, err := ParseWorkload("f", text)
		if err != nil {
			if !atLine.MatchString(err.Error()) {
				t.Fatalf("an error without a line: %v", err)
			}
			return
		}
		if err := w.Check(); err != nil {
			t.Fatalf("read but refused: %v", err)
		}
	})
}

func TestEachSessionIsThePartnerOfExactlyOneOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Peer(1000, time.Second, rapid.IntRange(2, 200).Draw(t, "sessions"))
		w.Seed = rapid.Int64Range(1, 1<<40).Draw(t, "seed")
		p, err := newPlan(w)
		if err != nil {
			t.Fatal(err)
		}
		partnerOf := make([]int, len(p.uids))
		for _, s := range p.traffic[0].streams {
			receiver := p.groups[s.group].receivers[0]
			if receiver == s.sender {
				t.Fatalf("session %d is its own partner", s.sender)
			}
			partnerOf[receiver]++
		}
		if slices.ContainsFunc(partnerOf, func(n int) bool { return n != 1 }) {
			t.Fatalf("partners: %v", partnerOf)
		}
	})
}

func TestEveryMessageHasItsOwnPlaceInItsStream(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		channels, members := rapid.IntRange(1, 6).Draw(t, "channels"), rapid.IntRange(2, 9).Draw(t, "members")
		w := Fanout(Rate(rapid.IntRange(50, 700).Draw(t, "rate")), time.Second, channels, members)
		p, err := newPlan(w)
		if err != nil {
			t.Fatal(err)
		}
		entry := p.traffic[0]
		type place struct {
			group, slot int32
			seq         int
		}
		seen := map[place]bool{}
		for n := range entry.count() {
			s, seq := entry.streamOf(n)
			g := p.groups[s.group]
			at := place{s.group, s.slot, seq}
			if seen[at] || seq >= int(g.seqs) || s.slot >= g.streams || !slices.Contains(g.receivers, s.sender) {
				t.Fatalf("message %d at %+v of %+v", n, at, g)
			}
			seen[at] = true
		}
	})
}
