package loadgen

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// wireNote is what a server saw of one message: everything that must not depend on how many processes play the run. Due
// is counted from the first message of its phase.
type wireNote struct {
	phase       uint8
	stream, seq uint32
	due         int64
	from, to    string
}

// notes makes the rig write down every message.
func (s *rig) notes(t *testing.T) *[]wireNote {
	list := new([]wireNote)
	s.tamper = func(_ int, r *routed) {
		var stamp Stamp
		if !new(stamper).open(&stamp, r.body, Text) {
			t.Error("a message without a stamp")
		}
		*list = append(*list, wireNote{stamp.Phase, stamp.Stream, stamp.Seq, stamp.Due, r.from, r.via})
	}
	return list
}

// connects makes the rig write down when each session logged in and joined, counted from the first.
func (s *rig) connects() map[string][]time.Duration {
	list := map[string][]time.Duration{}
	var first time.Time
	note := func(uid string) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(list) == 0 {
			first = time.Now()
		}
		list[uid] = append(list[uid], time.Since(first))
	}
	s.opened = func(session *rigSession) { note(session.uid) }
	s.ask = func(op, uid string) error {
		if op == "join" {
			note(uid + " joins")
		}
		return nil
	}
	return list
}

// fromZero makes due times relative to their phase, and sorts.
func fromZero(list []wireNote) []wireNote {
	first := map[uint8]int64{0: 1 << 62, 1: 1 << 62}
	for _, n := range list {
		first[n.phase] = min(first[n.phase], n.due)
	}
	for i := range list {
		list[i].due -= first[list[i].phase]
	}
	slices.SortFunc(list, func(a, b wireNote) int {
		return slices.Compare([]int64{int64(a.stream), int64(a.seq)}, []int64{int64(b.stream), int64(b.seq)})
	})
	return list
}

// playShards plays the workload in n parts at once against one rig, and returns their folders.
func playShards(t *testing.T, s *rig, w Workload, n int) (dirs []string) {
	t.Helper()
	parent, start := t.TempDir(), time.Now().Add(1500*time.Millisecond)
	errs := make([]error, n)
	for i := range n {
		dirs = append(dirs, filepath.Join(parent, string(rune('a'+i))))
	}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, errs[i] = s.run(t.Context(), w, Options{Dir: dirs[i], Shard: &Shard{i, n, start}})
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return dirs
}

// crossing is a workload of both kinds of messages whose channels lie across every border.
func crossing() Workload {
	w := Fanout(400, 2*time.Second, 3, 40)
	w.Sessions.Count = 100
	w.Traffic = append(w.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: 500, Arrival: Poisson})
	w.Phases.Warmup, w.Phases.Drain = 500*time.Millisecond, time.Second
	return w
}

func TestShardsTogetherPlayTheScheduleOfOneProcess(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := crossing()
		single, many := newRig(), newRig()
		want, got := single.notes(t), many.notes(t)
		alone, together := single.connects(), many.connects()
		whole := single.play(t, t.Context(), w, Options{})
		dirs := playShards(t, many, w, 3)
		if a, b := fromZero(*want), fromZero(*got); len(a) < 2000 || !slices.Equal(a, b) {
			t.Errorf("%d messages in one process, %d in three, not the same", len(a), len(b))
		}

		// Parts leave more time between logins and joins than a run that need not wait for others.
		shift := together["load-00000 joins"][0] - alone["load-00000 joins"][0]
		for uid, at := range alone {
			other := together[uid]
			for i := range other {
				if strings.HasSuffix(uid, " joins") {
					other[i] -= shift
				}
			}
			if !slices.Equal(at, other) {
				t.Errorf("%s at %v in one process, at %v in three", uid, at, other)
			}
		}
		out := filepath.Join(t.TempDir(), "merged")
		merged, err := Merge(dirs, out, MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := verified(out); err != nil {
			t.Errorf("the merged folder: %v", err)
		}
		balanced(t, merged)
		if !reflect.DeepEqual(merged.Summary.Ledger, whole.Summary.Ledger) {
			t.Errorf("merged ledger\n%+v\nof one process\n%+v", merged.Summary.Ledger, whole.Summary.Ledger)
		}
		m, o := merged.Summary, whole.Summary
		if m.OfferedPerS != o.OfferedPerS || m.AchievedPerS != o.AchievedPerS || m.DeliveredPerS != o.DeliveredPerS || m.ExpectedDeliveriesPerS != o.ExpectedDeliveriesPerS {
			t.Errorf("merged rates %v %v %v %v, of one process %v %v %v %v", m.OfferedPerS, m.AchievedPerS, m.DeliveredPerS, m.ExpectedDeliveriesPerS,
				o.OfferedPerS, o.AchievedPerS, o.DeliveredPerS, o.ExpectedDeliveriesPerS)
		}
		for _, name := range []string{"peer.ack", "channel.ack", "login", "join", "lag"} {
			if a, b := metricOf(t, merged, name).Count, metricOf(t, whole, name).Count; a != b {
				t.Errorf("%s: %d samples merged, %d of one process", name, a, b)
			}
		}
		// No pod lies across a border, so that all peers are in one process; of the channel some deliveries cross.
		if a, b := metricOf(t, merged, "peer.deliver").Count, metricOf(t, whole, "peer.deliver").Count; a != b {
			t.Errorf("peer.deliver: %d samples merged, %d of one process", a, b)
		}
		if a, b := metricOf(t, merged, "channel.deliver").Count, metricOf(t, whole, "channel.deliver").Count; a == 0 || a >= b {
			t.Errorf("channel.deliver: %d samples merged, %d of one process; those that cross have no latency", a, b)
		}
		for _, metric := range m.Metrics {
			if metric.Name == "channel.first" || metric.Name == "channel.last" {
				t.Errorf("%d samples of %s, although every channel is split", metric.Count, metric.Name)
			}
		}
		rewriteManifest(t, out, func(m *reports.Manifest) { m.Parts[1].Health.GridOverruns++ })
		if found, err := Verify(out); err != nil || !named(found.Differences, reports.RunManifestFile, "parts[1].health.grid_overruns  stored 1  derived nothing") {
			t.Errorf("a part of another health: %v\n%s", err, differences(found))
		}
		rewriteManifest(t, out, func(m *reports.Manifest) { m.Parts = m.Parts[:2] })
		if found, err := Verify(out); err != nil || !named(found.Differences, reports.RunManifestFile, "parts[0].shard  stored 0 of 3  derived 0 of 2") {
			t.Errorf("a part less: %v\n%s", err, differences(found))
		}
		if len(merged.Manifest.Parts) != 3 || merged.Manifest.Parts[1].Shard.FirstSession != 32 || merged.Manifest.Shard != nil {
			t.Errorf("parts %+v", merged.Manifest.Parts)
		}
	})
}

func TestAShardWaitsForWhatOthersHaveOnTheirWay(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := crossing()
		w.Traffic, w.Sessions.Count, w.Phases.Warmup = w.Traffic[:1], 60, 0
		plan, err := newPlan(w)
		if err != nil {
			t.Fatal(err)
		}
		last := plan.messages - 1
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n == last {
				r.late = 900 * time.Millisecond
			}
		}
		merged, err := Merge(playShards(t, s, w, 2), filepath.Join(t.TempDir(), "merged"), MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if row := merged.Summary.Ledger[0]; row.Lost != 0 || row.Expected != row.DeliveredOnce {
			t.Errorf("ledger %+v", row)
		}
	})
}

func TestAMessageUnderTheNumberOfAnotherShardIsCorrupt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		s.tamper = func(n int, r *routed) {
			if n != 50 {
				return
			}
			var stamp Stamp
			if !new(stamper).open(&stamp, r.body, Text) {
				t.Error("a message without a stamp")
			}
			stamp.Shard ^= 1
			new(stamper).seal(&stamp, r.body, Text)
		}
		w := crossing()
		w.Traffic = w.Traffic[1:]
		merged, err := Merge(playShards(t, s, w, 2), filepath.Join(t.TempDir(), "merged"), MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if rows := merged.Summary.Ledger; len(rows) != 2 || rows[1].Corrupt != 1 || rows[0].Lost != 1 {
			t.Errorf("ledger %+v", rows)
		}
	})
}

func TestAMergedRunIsAsValidAsItsLeastValidPart(t *testing.T) {
	part := func(index int, verdict reports.ValidityVerdict, who string, reasons ...string) reports.ShardPart {
		return reports.ShardPart{Shard: reports.Shard{Index: index}, Validity: reports.Validity{Verdict: verdict, Attribution: who, Reasons: reasons},
			Health: reports.Health{GeneratorCPUNS: 10, GeneratorCPUShare: float64(index) / 10, ServerCPUNS: int64(100 * index)}}
	}
	for name, c := range map[string]struct {
		parts []reports.ShardPart
		want  reports.Validity
	}{
		"all valid": {[]reports.ShardPart{part(0, reports.Valid, ""), part(1, reports.Valid, "")}, reports.Validity{Verdict: reports.Valid}},
		"one of each": {[]reports.ShardPart{part(0, reports.Degraded, "host noise", "a"), part(1, reports.Invalid, "generator bound", "b", "c"), part(2, reports.Valid, "")},
			reports.Validity{Verdict: reports.Invalid, Attribution: "generator bound", Reasons: []string{"shard 0: a", "shard 1: b", "shard 1: c"}}},
	} {
		if got := worst(c.parts); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
	h := together([]reports.ShardPart{part(1, reports.Valid, ""), part(3, reports.Valid, ""), part(2, reports.Valid, "")}, reports.Health{LagP99NS: 5}, 3)
	if h.GeneratorCPUNS != 30 || h.GeneratorCPUShare != 0.3 || h.ServerCPUNS != 300 || h.ServerCPUPerMessageNS != 100 || h.LagP99NS != 5 {
		t.Errorf("health %+v", h)
	}
}

func TestMergeJudgesDeliveriesBetweenShards(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s := newRig()
		// The first sessions and the last ones are in different shards.
		s.tamper = func(n int, r *routed) {
			last := slices.Index(r.to, "load-00039")
			if r.from != "load-00000" || last < 0 {
				return
			}
			switch n / 120 % 2 { // streams take turns
			case 0:
				r.to = slices.Delete(r.to, last, last+1)
			case 1:
				r.to = append(r.to, "load-00039")
			}
		}
		w := crossing()
		w.Traffic = w.Traffic[:1]
		w.Sessions.Count = 60 // halves smaller than a channel, so that the border is at 30
		dirs := playShards(t, s, w, 2)
		var parts reports.LedgerRow
		for _, dir := range dirs {
			load, err := reports.ReadLoad(dir)
			if err != nil {
				t.Fatal(err)
			}
			balanced(t, load)
			parts.Lost += load.Summary.Ledger[0].Lost
			parts.Duplicated += load.Summary.Ledger[0].Duplicated
			if !strings.Contains(strings.Join(load.Manifest.Notes, " "), "of 0 to 1 of a run") {
				t.Errorf("notes %q", load.Manifest.Notes)
			}
		}
		merged, err := Merge(dirs, filepath.Join(t.TempDir(), "merged"), MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		balanced(t, merged)
		row := merged.Summary.Ledger[0]
		if parts.Lost != 0 || row.Lost == 0 || row.Duplicated == 0 || row.Duplicated != parts.Duplicated || OutcomeOf(merged, nil) != AccountingBreach {
			t.Errorf("of parts %+v, merged %+v", parts, row)
		}
	})
}

func TestARunOfWhichOneShardWasInterruptedIsInterrupted(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		s, parent, start := newRig(), t.TempDir(), time.Now().Add(time.Second)
		w := crossing()
		p, err := newPlan(w)
		if err != nil {
			t.Fatal(err)
		}
		login, join := p.connectBudget()
		short, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second+login+join+2500*time.Millisecond, cancel) // in the middle of the measured phase
		dirs := []string{filepath.Join(parent, "a"), filepath.Join(parent, "b")}
		var all sync.WaitGroup
		for i, ctx := range []context.Context{t.Context(), short} {
			all.Go(func() {
				if _, err := s.run(ctx, w, Options{Dir: dirs[i], Shard: &Shard{i, 2, start}}); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		merged, err := Merge(dirs, filepath.Join(parent, "merged"), MergeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := verified(filepath.Join(parent, "merged")); err != nil {
			t.Error(err)
		}
		row := merged.Summary.Ledger[0]
		if OutcomeOf(merged, nil) != Interrupted || merged.Manifest.Parts[0].Interrupted || !merged.Manifest.Parts[1].Interrupted || row.Lost == 0 {
			t.Errorf("outcome %v, parts %+v, ledger %+v", OutcomeOf(merged, nil), merged.Manifest.Parts, row)
		}
	})
}

func TestMergeRefusesWhatIsNotAllOfOneRun(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		w := crossing()
		w.Phases.Measure = 200 * time.Millisecond
		dirs := playShards(t, newRig(), w, 2)
		whole := filepath.Join(t.TempDir(), "whole")
		newRig().play(t, t.Context(), w, Options{Dir: whole})
		w.Seed = 7
		others := playShards(t, newRig(), w, 2)
		spoilt := filepath.Join(t.TempDir(), "spoilt")
		if err := os.CopyFS(spoilt, os.DirFS(dirs[1])); err != nil {
			t.Fatal(err)
		}
		rewrite(t, spoilt, SeriesFile, once(`(?m)^0,\d+`, `0,3`))
		for words, list := range map[string][]string{
			"shard 1 of 2 is missing":            dirs[:1],
			"shard 0 of 2 is missing":            dirs[1:],
			"are both shard 0":                   {dirs[0], dirs[1], dirs[0]},
			"a run of its own":                   {whole},
			"its workload_sha256 is":             {dirs[0], others[1]},
			"does not follow from its raw files": {dirs[0], spoilt},
			"holds no load run":                  {t.TempDir()},
			"nothing to merge":                   nil,
		} {
			out := filepath.Join(t.TempDir(), "out")
			_, err := Merge(list, out, MergeOptions{})
			if refused := new(MergeError); !errors.As(err, &refused) || !strings.Contains(err.Error(), words) {
				t.Errorf("want %q, got %v", words, err)
			}
			if _, err := os.Stat(out); err == nil {
				t.Errorf("%s: something was written", words)
			}
		}
	})
}

func TestPeersAreNeighboursAndNobodyIsAlone(t *testing.T) {
	for count := 2; count < 200; count++ {
		p, err := newPlan(Peer(100, time.Second, count))
		if err != nil {
			t.Fatal(err)
		}
		partners := map[int32]bool{}
		for _, s := range p.traffic[0].streams {
			receiver := p.groups[s.group].receivers[0]
			if receiver == s.sender || partners[receiver] || max(receiver-s.sender, s.sender-receiver) > podSize {
				t.Fatalf("%d sessions: %d sends to %d", count, s.sender, receiver)
			}
			partners[receiver] = true
		}
		for shards := 1; shards <= count; shards++ {
			last := int32(0)
			for i := range shards {
				b := p.blockOf(i, shards)
				if b.first != last || b.last <= b.first {
					t.Fatalf("%d sessions: shard %d/%d is %+v after %d", count, i, shards, b, last)
				}
				last = b.last
			}
			if last != int32(count) {
				t.Fatalf("%d sessions in %d shards end at %d", count, shards, last)
			}
		}
	}
}

func TestAShardThatComesTooLateIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var refused *WorkloadError
		_, err := newRig().run(t.Context(), small(100), Options{Shard: &Shard{0, 2, time.Now().Add(-time.Second)}})
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "was to start 1s ago") {
			t.Errorf("a start in the past: %v", err)
		}
		slow := newRig()
		slow.connect = func(string) error { time.Sleep(20 * time.Second); return nil }
		_, err = slow.run(t.Context(), small(100), Options{Shard: &Shard{0, 2, time.Now().Add(time.Second)}})
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), "lower sessions.rate") {
			t.Errorf("logins that take too long: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		_, err = newRig().run(ctx, small(100), Options{Shard: &Shard{0, 2, time.Now().Add(time.Minute)}})
		if OutcomeOf(nil, err) != Interrupted {
			t.Errorf("interrupted while it waited: %v", err)
		}
	})
}

func TestShardsAndStartsAreReadStrictly(t *testing.T) {
	for _, text := range []string{"", "1", "a/2", "2/2", "-1/2", "0/0", "1/257", "0/2/3"} {
		if i, n, err := ParseShard(text); err == nil {
			t.Errorf("%q is shard %d of %d", text, i, n)
		}
	}
	if i, n, err := ParseShard("3/4"); i != 3 || n != 4 || err != nil {
		t.Errorf("3/4 is shard %d of %d, %v", i, n, err)
	}
	now := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	for _, text := range []string{"", "soon", "30s", "+", "+-3s", "2030-01-31T11:59:59Z"} {
		if at, err := ParseStart(text, now); err == nil {
			t.Errorf("%q is %v", text, at)
		}
	}
	for text, want := range map[string]time.Time{"+30s": now.Add(30 * time.Second), "2030-01-31T13:00:30+01:00": now.Add(30 * time.Second)} {
		if at, err := ParseStart(text, now); err != nil || !at.Equal(want) {
			t.Errorf("%q is %v, %v", text, at, err)
		}
	}
}
