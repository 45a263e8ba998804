package loadgen

import (
	"fmt"
	"math/rand/v2"
)

// plan is a workload spelt out: who logs in, who joins what, and of every message when it is due, who sends it and who
// has to get it. It is made before a run and not changed by it.
type plan struct {
	Workload
	uids     []string
	channels []channelPlan
	joins    [][]int32 // for each session the channels it joins
	joinedBy int       // joins in all
	traffic  []*trafficPlan
	groups   []group
	streams  int // streams of all traffic entries together
	messages int // messages of all traffic entries together

	mine   block   // the sessions that this process plays: all of them, or those of its shard
	shards []uint8 // the shard that plays each session; all 0 in a run of one process

	roles  []role         // by session
	churn  []*churnPlan   // the traffic entries that send nothing
	moving map[place]bool // the places that join entries name, channels numbered as in the plan
}

type channelPlan struct {
	name    string
	members []int32 // sessions
}

// group is a set of sessions that receive the same messages: the members of a channel, or the one partner of a peer.
type group struct {
	receivers []int32
	channel   int32 // index in plan.channels; -1 for a peer
	entry     int32 // the traffic entry whose messages these are
	streams   int32 // how many streams lead into the group
	seqs      int32 // how many messages each of them can have
}

// bits returns how many messages the group can get, each of which has a bit at every receiver.
func (g *group) bits() int { return int(g.streams) * int(g.seqs) }

// trafficPlan is one traffic entry spelt out. Its messages are numbered 0, 1, 2, … over warm-up and measured phase;
// message n belongs to stream n mod streams and is number n div streams there.
type trafficPlan struct {
	Traffic
	index       int
	warm, main  schedule
	first       int // number of the entry's first message among all messages of the run
	firstStream int
	streams     []stream
	fanout      int // receivers of each message, if all are there
}

// stream is one sender's messages to one destination.
type stream struct {
	sender int32
	group  int32
	slot   int32 // number among the group's streams
	steady int32 // how many of its receivers this process plays that stay for the whole run and read without pause
	split  bool  // whether other processes play some of its receivers
}

func newPlan(w Workload) (*plan, error) {
	w.fill()
	if err := w.Check(); err != nil {
		return nil, err
	}
	p := &plan{Workload: w, roles: w.roles(), moving: map[place]bool{}, uids: make([]string, w.Sessions.Count), joins: make([][]int32, w.Sessions.Count)}
	for i := range p.uids {
		p.uids[i] = fmt.Sprintf(w.Sessions.UID, i)
	}
	ranges := p.addChannels()
	p.addChurn(ranges)
	for i, t := range w.Traffic {
		if t.Op.churns() {
			continue
		}
		seed := uint64(w.Seed) + uint64(i)<<32
		entry := &trafficPlan{
			Traffic: t,
			index:   len(p.traffic),
			warm:    t.warmSchedule(w.Phases.Warmup, seed, w.streamsOf(t)),
			main:    t.mainSchedule(w.Phases.Measure, seed+1, w.streamsOf(t)),
			first:   p.messages, firstStream: p.streams,
		}
		switch t.Op {
		case OpPeer:
			p.addPeers(entry, rand.New(rand.NewPCG(seed, 0x70616972)))
		case OpChannel:
			p.addChannelStreams(entry, ranges[t.Channel])
		}
		p.messages += entry.count()
		p.streams += len(entry.streams)
		p.traffic = append(p.traffic, entry)
	}
	p.take(0, 1)
	return p, nil
}

// streamsOf returns how many streams a traffic entry has.
func (w Workload) streamsOf(t Traffic) int {
	if t.Op == OpChannel {
		for _, c := range w.Channels {
			if c.Name == t.Channel {
				return c.Count * c.Members
			}
		}
	}
	return w.Sessions.Count
}

// addChannels spells out the channel groups and returns for each name the range of its channels.
func (p *plan) addChannels() map[string][2]int {
	ranges := map[string][2]int{}
	for _, c := range p.Channels {
		first := len(p.channels)
		for k := range c.Count {
			channel := channelPlan{name: fmt.Sprintf(c.Name, k)}
			for m := range c.Members {
				session := (k*c.Members + m) % p.Sessions.Count
				channel.members = append(channel.members, int32(session))
				p.joins[session] = append(p.joins[session], int32(len(p.channels)))
				p.joinedBy++
			}
			p.channels = append(p.channels, channel)
		}
		ranges[c.Name] = [2]int{first, len(p.channels)}
	}
	return ranges
}

// addPeers gives every session one partner, along a circle in random order through the sessions of its pod: nobody is
// alone, and nobody is the partner of two. Sessions that come and go have no part in it or only receive.
func (p *plan) addPeers(entry *trafficPlan, random *rand.Rand) {
	var peers []int32
	for session, role := range p.roles {
		if role.hasPeers() {
			peers = append(peers, int32(session))
		}
	}
	partner := make([]int32, len(peers))
	for _, pod := range pods(len(peers)) {
		circle := random.Perm(int(pod.last - pod.first))
		for i, member := range circle {
			partner[int(pod.first)+member] = peers[int(pod.first)+circle[(i+1)%len(circle)]]
		}
	}
	entry.fanout = 1
	for i, receiver := range partner {
		s := stream{sender: peers[i], group: int32(len(p.groups))}
		if p.roles[s.sender] != roleSteady {
			continue
		}
		entry.streams = append(entry.streams, s)
		p.groups = append(p.groups, group{
			receivers: []int32{receiver}, channel: -1, entry: int32(entry.index), streams: 1,
		})
	}
	for i := range entry.streams {
		p.groups[entry.streams[i].group].seqs = entry.seqsPer(len(entry.streams))
	}
}

// addChannelStreams makes a stream of every member of every channel that stays there, channels taking turns.
func (p *plan) addChannelStreams(entry *trafficPlan, channels [2]int) {
	count := channels[1] - channels[0]
	members := len(p.channels[channels[0]].members)
	entry.fanout = members - 1
	firstGroup := len(p.groups)
	for c := channels[0]; c < channels[1]; c++ {
		p.groups = append(p.groups, group{receivers: p.channels[c].members, channel: int32(c), entry: int32(entry.index)})
	}
	for s := range count * members {
		channel, member := s%count, s/count
		g := &p.groups[firstGroup+channel]
		sender := g.receivers[member]
		if !p.stays(place{sender, g.channel}) {
			continue
		}
		entry.streams = append(entry.streams, stream{sender: sender, group: int32(firstGroup + channel), slot: g.streams})
		g.streams++
	}
	for i := range entry.streams {
		s := &entry.streams[i]
		g := &p.groups[s.group]
		g.seqs = entry.seqsPer(len(entry.streams))
	}
}

// stays reports whether a session is in a place for the whole run, and reads without pause.
func (p *plan) stays(at place) bool { return p.roles[at.session] == roleSteady && !p.moving[at] }

// count returns how many messages the entry has in all.
func (t *trafficPlan) count() int { return t.warm.count() + t.main.count() }

// schedule returns the entry's schedule of the warm-up or of the measured phase.
func (t *trafficPlan) schedule(main bool) schedule {
	if main {
		return t.main
	}
	return t.warm
}

// measured reports whether message n belongs to the measured phase.
func (t *trafficPlan) measured(n int) bool { return n >= t.warm.count() }

// streamOf returns the stream of message n and the message's number in it.
func (t *trafficPlan) streamOf(n int) (s *stream, seq int) {
	return &t.streams[n%len(t.streams)], n / len(t.streams)
}

// inStream returns how many of the entry's first n messages belong to a stream.
func (t *trafficPlan) inStream(number, n int) int {
	return max(n-number+len(t.streams)-1, 0) / len(t.streams)
}

func (t *trafficPlan) seqsPer(streams int) int32 {
	return int32((t.count() + streams - 1) / streams)
}

// entryOf returns the traffic entry of a message numbered among all messages of the run, and its number in the entry.
func (p *plan) entryOf(message int) (entry *trafficPlan, n int) {
	for i := len(p.traffic) - 1; i >= 0; i-- {
		if t := p.traffic[i]; message >= t.first {
			return t, message - t.first
		}
	}
	return nil, 0
}

// entryOfStream returns the traffic entry of a stream numbered among all streams of the run, and its number in the
// entry; nil for a number that no stream has.
func (p *plan) entryOfStream(number uint32) (entry *trafficPlan, s int) {
	for i := len(p.traffic) - 1; i >= 0; i-- {
		if t := p.traffic[i]; int(number) >= t.firstStream {
			if s := int(number) - t.firstStream; s < len(t.streams) {
				return t, s
			}
			return nil, 0
		}
	}
	return nil, 0
}

// destination returns the name that a group's messages are sent to: a uid or a channel id.
func (p *plan) destination(g *group) string {
	if g.channel < 0 {
		return p.uids[g.receivers[0]]
	}
	return p.channels[g.channel].name
}

// seats returns the groups that each session receives from, in the order of its seats.
func (p *plan) seats() [][]int32 {
	list := make([][]int32, len(p.uids))
	for g := range p.groups {
		for _, session := range p.groups[g].receivers {
			list[session] = append(list[session], int32(g))
		}
	}
	return list
}

// offered returns the rate at which this process has to send in the measured phase, and the rate of the deliveries that
// its messages ask for here.
func (p *plan) offered() (messages, deliveries float64) {
	for _, t := range p.traffic {
		// Whole numbers, so that the rate of a run of one process is not rounded.
		senders, receivers := 0, 0
		for i := range t.streams {
			if s := &t.streams[i]; p.mine.has(s.sender) {
				senders++
				receivers += int(s.steady)
			}
		}
		rate := float64(t.average(p.Phases.Measure))
		messages += rate * (float64(senders) / float64(len(t.streams)))
		deliveries += rate * (float64(receivers) / float64(len(t.streams)))
	}
	return messages, deliveries
}

// round is one pass through the schedules of all traffic entries, in one phase. It hands out messages by due time.
type round struct {
	plan  *plan
	main  bool
	start int64 // run time at which the schedules begin
	next  []int // for each entry the number of its next message in this phase
}

func (p *plan) newRound(main bool, start int64) *round {
	r := &round{plan: p, main: main, start: start, next: make([]int, len(p.traffic))}
	for _, entry := range p.traffic {
		r.skip(entry)
	}
	return r
}

// skip moves on to the next message that this process has to send.
func (r *round) skip(entry *trafficPlan) {
	count, first := entry.warm.count(), 0
	if r.main {
		count, first = entry.main.count(), count
	}
	for n := &r.next[entry.index]; *n < count; *n++ {
		if s, _ := entry.streamOf(first + *n); r.plan.mine.has(s.sender) {
			return
		}
	}
}

// peek returns the entry of the message that is due next and when, in run time; nil when the phase has no more.
func (r *round) peek() (entry *trafficPlan, due int64) {
	for i, t := range r.plan.traffic {
		s := t.schedule(r.main)
		if r.next[i] < s.count() {
			if d := r.start + s.due(r.next[i]); entry == nil || d < due {
				entry, due = t, d
			}
		}
	}
	return entry, due
}

// take returns the number in its entry of the message that peek showed, and moves on.
func (r *round) take(entry *trafficPlan) int {
	n := r.next[entry.index]
	r.next[entry.index]++
	r.skip(entry)
	if r.main {
		n += entry.warm.count()
	}
	return n
}

// window is a phase's place in run time.
type window struct {
	name       string
	start, end int64
}

// connecting returns how many sessions the connect phase logs in.
func (p *plan) connecting() int {
	n := 0
	for _, role := range p.roles {
		if role != roleReserve {
			n++
		}
	}
	return n
}
