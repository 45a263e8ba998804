package loadgen

import (
	"strings"
	"testing"
	"time"
)

func TestLintWarnsOfWhatIsOdd(t *testing.T) {
	crowded := Fanout(100, time.Second, 2, 10)
	crowded.Channels = append(crowded.Channels, Channels{Name: "hall-%d", Count: 1, Members: 2})
	lonely := Fanout(100, time.Second, 1, 10)
	lonely.Sessions.Count = 13
	closed := limited(t, closedPeers(100, 1), "peer.ack.p50 < 1ms", "loss == 0")
	closed.Traffic[0].Rate = 5000
	churned := Fanout(100, time.Second, 1, 10)
	churned.Sessions.Count = 30
	churned.Traffic = append(churned.Traffic, Traffic{ID: "storm", Op: OpLogin, Rate: 1, Sessions: "10-19"})
	for name, c := range map[string]struct {
		workload Workload
		want     string
	}{
		"nothing":        {Peer(1000, time.Second, 100), ""},
		"fast sessions":  {Peer(1000, time.Second, 10), "traffic[0].rate: with its rate a session would send 300 messages within 3s, and a server with the usual call limits allows 180; "},
		"unused channel": {crowded, `channels[1]: no traffic goes to "hall-%d"; `},
		"closed latency": {closed, "thresholds[0]: peer.ack.p50 < 1ms: in a closed loop a slow server is sent less, "},
		"few samples":    {limited(t, Peer(10, time.Second, 100), "peer.ack.p99 < 1ms"), "thresholds[0]: peer.ack.p99 < 1ms: about 10 samples are to be expected, and p99 needs 1000"},
		"only coming":    {churned, "sessions.count: 10 of 30 sessions, the first of them number 20, send nothing and receive nothing; "},
		"idle sessions":  {lonely, "sessions.count: 3 of 13 sessions, the first of them number 10, send nothing and receive nothing; "},
	} {
		var got []string
		for _, warning := range c.workload.Lint() {
			got = append(got, warning.Error())
		}
		if text := strings.Join(got, "\n"); !strings.HasPrefix(text, c.want) || len(got) > 1 || (c.want == "") != (text == "") {
			t.Errorf("%s: got %q, want %q…", name, text, c.want)
		}
	}
}

func TestLintWarnsOfALargeLedger(t *testing.T) {
	// 5,000 messages to 399 receivers: as many bits, and two tables of 30 bytes and 4 bytes a stream and receiver.
	w := Fanout(500, 10*time.Second, 20, 400)
	w.Phases.Warmup = 0
	p, err := newPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := p.memory(), 5000*(30+399.0/8)+20*400*400*4; got != want {
		t.Errorf("%.0f bytes, want %.0f", got, want)
	}
	p.groups = append(p.groups, group{receivers: make([]int32, 1<<14), streams: 1 << 14})
	if list := lintMemory(p); len(list) != 1 || !strings.Contains(list[0].text, "some 1.0 GiB of memory") {
		t.Errorf("got %v", list)
	}
}

func TestLintWarnsOfWhatThisMachineCannotCarry(t *testing.T) {
	p, err := newPlan(Peer(1000, time.Second, 500))
	if err != nil {
		t.Fatal(err)
	}
	if list := p.lintResources(resources{filesLimit: 256}); len(list) != 1 || list[0].path != "sessions.count" || !strings.HasPrefix(list[0].text, "on this machine, 500 sessions need ") {
		t.Errorf("got %v", list)
	}
	if list := p.lintResources(resources{filesLimit: 4096}); len(list) != 0 {
		t.Errorf("got %v", list)
	}
}
