package loadgen

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// MaxShards is how many parts a run can have. A stamp has one byte for the part.
const MaxShards = 256

// Shard is one part of a run that several processes play together, on one machine or many. All of them are given the
// same workload, number of parts and start. Each logs in a block of neighbouring sessions, sends what these have to send,
// at the moments that one process alone would, and takes account of what they receive. [Merge] puts the run folders
// together.
//
// Everything begins by the wall clock at StartAt, and the phases follow at distances that the workload decides. Clocks
// that differ between machines shift the parts against each other, by no more than the drain may take. No latency ever
// spans two processes: a delivery from another part counts in the ledger only.
type Shard struct {
	// Index is the number of the part, from 0 to Count-1.
	Index int
	// Count is how many parts there are, at most [MaxShards].
	Count int
	// StartAt is when all parts begin to log in.
	StartAt time.Time
}

// ParseShard reads a part such as 0/4, the first of four.
func ParseShard(text string) (index, count int, err error) {
	i, n, ok := strings.Cut(text, "/")
	if ok {
		index, err = strconv.Atoi(i)
	}
	if ok && err == nil {
		count, err = strconv.Atoi(n)
	}
	if !ok || err != nil {
		return 0, 0, fmt.Errorf("shard %q is not a part of a run; write the first of four as 0/4 and the last as 3/4", text)
	}
	if count < 1 || count > MaxShards || index < 0 || index >= count {
		return 0, 0, fmt.Errorf("shard %q is none; shards count from 0, and there are at most %d", text, MaxShards)
	}
	return index, count, nil
}

// ParseStart reads when the parts of a run begin: a moment such as 2030-01-31T12:00:00Z, or a distance from now such as
// +30s. A moment in the past is refused, because the part would lag behind the others from its first message on.
func ParseStart(text string, now time.Time) (time.Time, error) {
	if distance, ok := strings.CutPrefix(text, "+"); ok {
		d, err := time.ParseDuration(distance)
		if err != nil || d < 0 {
			return time.Time{}, fmt.Errorf("start %q is no distance from now; write it like +30s", text)
		}
		return now.Add(d), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("start %q is no moment; write it like %s or +30s", text, now.UTC().Add(time.Minute).Format(time.RFC3339))
	}
	if at.Before(now) {
		return time.Time{}, fmt.Errorf("start %s was %v ago; give all shards the same moment, late enough for the last of them", text, now.Sub(at).Round(time.Millisecond))
	}
	return at, nil
}

// runID is the number that the stamps of all parts of a run carry: the same for one workload and start, and another one
// otherwise.
func (s *Shard) runID(workload []byte) uint32 {
	h := sha256.New()
	h.Write(workload)
	_ = binary.Write(h, binary.BigEndian, s.StartAt.UnixNano())
	_ = binary.Write(h, binary.BigEndian, int64(s.Count))
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// block is a range of sessions: from first on, up to but not including last.
type block struct{ first, last int32 }

func (b block) has(session int32) bool { return session >= b.first && session < b.last }

// podSize is how many neighbouring sessions choose their peers among themselves.
const podSize = 32

// pods cuts sessions into pods, none of which has a session alone.
func pods(sessions int) (list []block) {
	count := int32(sessions)
	for first := int32(0); first < count; {
		last := first + podSize
		if last+1 >= count {
			last = count
		}
		list = append(list, block{first, last})
		first = last
	}
	return list
}

// blockOf returns the sessions of one part. Where parts are large enough, the borders lie between pods, or between
// channels that share no session, so that no message crosses them.
func (p *plan) blockOf(index, count int) block {
	sessions, unit := len(p.uids), 1
	for _, t := range p.Traffic {
		if t.Op == OpPeer {
			unit = podSize
		}
	}
	if unit == 1 && len(p.Channels) > 0 {
		unit = p.Channels[0].Members
	}
	if sessions/count < unit {
		unit = 1
	}
	border := func(i int) int32 {
		if i == count {
			return int32(sessions)
		}
		return int32(i * sessions / count / unit * unit)
	}
	return block{border(index), border(index + 1)}
}

// take makes the plan that of one part: the same plan, of which the process plays a block of sessions.
func (p *plan) take(index, count int) {
	p.mine = p.blockOf(index, count)
	p.shards = make([]uint8, len(p.uids))
	for i := range count {
		b := p.blockOf(i, count)
		for session := b.first; session < b.last; session++ {
			p.shards[session] = uint8(i)
		}
	}
	here, stay := make([]int32, len(p.groups)), make([]int32, len(p.groups)) // receivers of each group
	for g := range p.groups {
		for _, receiver := range p.groups[g].receivers {
			if p.mine.has(receiver) {
				here[g]++
				if p.stays(place{receiver, p.groups[g].channel}) {
					stay[g]++
				}
			}
		}
	}
	for _, t := range p.traffic {
		for i := range t.streams {
			s := &t.streams[i]
			g := &p.groups[s.group]
			s.steady, s.split = stay[s.group], int(here[s.group]) < len(g.receivers)
			if g.channel >= 0 && p.mine.has(s.sender) {
				s.steady-- // a member gets no message of its own
			}
		}
	}
}

// checkShard says why the workload cannot be cut into so many parts.
func (p *plan) checkShard(s *Shard) error {
	if s.Count < 1 || s.Count > MaxShards || s.Index < 0 || s.Index >= s.Count {
		return fmt.Errorf("shard %d of %d is none; shards count from 0, and there are at most %d", s.Index, s.Count, MaxShards)
	}
	if len(p.churn) > 0 && s.Count > 1 {
		return fmt.Errorf("workload %s: traffic %s: whether a message had to reach who was just coming or going is told by one clock, so that the op %s cannot be played in shards; run it in one process", p.Name, p.churn[0].ID, p.churn[0].Op)
	}
	if s.Count > len(p.uids) {
		return fmt.Errorf("workload %s: sessions.count: %d sessions cannot be cut into %d shards", p.Name, len(p.uids), s.Count)
	}
	return nil
}

// connectBudget is how long the parts of a run give each other to log in and to join: half more than it takes at the
// workload's rates, and some seconds for a slow server.
func (p *plan) connectBudget() (login, join time.Duration) {
	login = time.Duration(float64(len(p.uids)) / float64(p.Sessions.Rate) * 1.5 * float64(time.Second))
	join = time.Duration(float64(p.joinedBy) / float64(p.Sessions.JoinRate) * 1.5 * float64(time.Second))
	return login + 3*time.Second, join + 2*time.Second
}

// timetable is when the phases of a part begin, in run time. The zero timetable leaves it to each phase to begin when the
// one before has ended.
type timetable struct {
	connect, join, warmup, measure, close int64
}

// late returns an error when the sessions were connected after the time at which all parts begin their traffic.
func (t timetable) late(now int64) error {
	if t == (timetable{}) || now <= t.warmup {
		return nil
	}
	return &WorkloadError{fmt.Errorf("the sessions of this shard were connected only %v after the start, and all shards begin their traffic after %v; use a lower sessions.rate, which gives them more time",
		time.Duration(now-t.connect).Round(time.Millisecond), time.Duration(t.warmup-t.connect))}
}

// await waits until the parts of the run begin.
func (s *Shard) await(ctx context.Context) error {
	ahead := time.Until(s.StartAt)
	if ahead < 0 {
		return &WorkloadError{fmt.Errorf("shard %d of %d was to start %v ago; give all shards the same moment, late enough for the last of them", s.Index, s.Count, -ahead.Round(time.Millisecond))}
	}
	wait(ctx, ahead)
	return ctx.Err()
}

// settling is what a drain may take longer than it says, for the looks at what is missing.
const settling = 100 * time.Millisecond

// timetable returns when the phases begin in every part of a run that begins at the given run time. Each drain gets all the time that it may take, because no part knows what others have still on their way.
func (p *plan) timetable(start int64) timetable {
	login, join := p.connectBudget()
	t := timetable{connect: start, join: start + int64(login)}
	t.warmup = t.join + int64(join)
	t.measure = t.warmup
	if p.Phases.Warmup > 0 {
		t.measure += int64(p.Phases.Warmup + p.Phases.Drain + settling)
	}
	t.close = t.measure + int64(p.Phases.Measure+p.Phases.Drain+settling)
	return t
}

// manifest describes the part.
func (s *Shard) manifest(p *plan) *reports.Shard {
	return &reports.Shard{
		Index: s.Index, Count: s.Count, StartAt: s.StartAt,
		FirstSession: int(p.mine.first), Sessions: int(p.mine.last - p.mine.first),
	}
}

// note says what a reader of the part's report has to know.
func (s *Shard) note(p *plan) string {
	return fmt.Sprintf("This is shard %d of 0 to %d of a run: it played the sessions %s to %s and judged only what these sent to each other. "+
		"rtmkit load merge puts the shards together and judges the rest.",
		s.Index, s.Count-1, p.uids[p.mine.first], p.uids[p.mine.last-1])
}
