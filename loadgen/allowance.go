package loadgen

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// most returns the largest number of messages that the entry has in any stretch of the measured phase of that length. Of
// independent arrivals it is what they come to on average at the highest rate.
func (t Traffic) most(window time.Duration) float64 {
	n := float64(t.peak()) * window.Seconds()
	switch {
	case t.recorded != nil:
		return math.Max(float64(t.recorded.most(window)), float64(t.Rate)*window.Seconds())
	case t.Arrival == Burst:
		return (math.Floor(n/float64(t.Burst)) + 1) * float64(t.Burst)
	}
	return n
}

// heaviest returns the largest number of messages that one session sends in a stretch of that length when all entries
// are at their highest rates, and the number of the entry that asks most of it.
func (p *plan) heaviest(window time.Duration) (most float64, entry int) {
	load := make([]float64, len(p.uids))
	share := make([]float64, len(p.uids))
	by := make([]int, len(p.uids))
	for _, t := range p.traffic {
		part := make([]float64, len(p.uids))
		for _, s := range t.streams {
			part[s.sender] += t.most(window) / float64(len(t.streams))
		}
		for session, n := range part {
			load[session] += n
			if n > share[session] {
				share[session], by[session] = n, t.index
			}
		}
	}
	for session, n := range load {
		if n > most {
			most, entry = n, by[session]
		}
	}
	return most, entry
}

// checkSends compares what one session sends at most with the call limit of somebody and names the key that asks most of
// it.
func (p *plan) checkSends(limit wire.Rate, who string) *problem {
	window := wire.Millis(limit.WindowMS)
	most, entry := p.heaviest(window)
	// Rates that just fit must not fail for the last bit of a division.
	if limit.Count <= 0 || most <= float64(limit.Count)*(1+1e-9) {
		return nil
	}
	t := p.traffic[entry]
	key, what := "rate", "its rate"
	switch {
	case t.recorded != nil:
		key, what = "trace", "the busiest stretch of its trace"
	case len(t.Stages) > 0:
		key, what = "stages", "the highest rate of its stages, "+t.peak().String()+","
	case t.Arrival == Burst:
		key, what = "burst", "its bursts"
	case t.Executor == Closed:
		what = "its ceiling"
	}
	at := slices.IndexFunc(p.Traffic, func(o Traffic) bool { return o.ID == t.ID })
	return bad(fmt.Sprintf("traffic[%d].%s", at, key),
		"with %s a session would send %.0f messages within %v, and %s %d; use more sessions, a lower rate, or a server without call limits",
		what, math.Ceil(most-1e-9), window, who, limit.Count)
}

// checkJoins compares how often one session joins, and joins one channel, with the call limits of somebody. Every event
// of a join entry takes the next place, and every other one at a place is a join.
func (p *plan) checkJoins(limits wire.Limits, who string) *problem {
	for i := range p.Traffic {
		t := &p.Traffic[i]
		if t.Op != OpJoin {
			continue
		}
		places := p.placesOf(t)
		each := map[int32]int{}
		most := 0
		for _, place := range places {
			each[place.session]++
			most = max(most, each[place.session])
		}
		for _, c := range []struct {
			call   wire.Call
			places int
			what   string
		}{{wire.CallJoinSame, 1, "one channel"}, {wire.CallJoin, most, "channels"}} {
			limit, limited := limits.Rate(c.call)
			if !limited || limit.Count <= 0 {
				continue
			}
			window := wire.Millis(limit.WindowMS)
			if n := 1 + t.most(window)*float64(c.places)/float64(2*len(places)); n > float64(limit.Count)*(1+1e-9) {
				return bad(fmt.Sprintf("traffic[%d].rate", i), "a session would join %s up to %.0f times within %v, and %s %d; use a lower rate, a wider range of sessions, or a server without call limits",
					c.what, math.Floor(n), window, who, limit.Count)
			}
		}
	}
	return nil
}

// checkAllowance compares the workload with the limits that a server announced and names the first key that is over
// them.
func (p *plan) checkAllowance(limits wire.Limits) *problem {
	for i, t := range p.Traffic {
		if limits.MessageBytes > 0 && t.Payload.Bytes > limits.MessageBytes {
			return bad(fmt.Sprintf("traffic[%d].payload.bytes", i), "%d bytes are over the %d that the server takes; use smaller messages", t.Payload.Bytes, limits.MessageBytes)
		}
	}
	for session, channels := range p.joins {
		if limits.Channels > 0 && len(channels) > limits.Channels {
			return bad("channels", "session %d would join %d channels and the server allows %d; use more sessions, fewer channels or fewer members", session, len(channels), limits.Channels)
		}
	}
	return p.checkCalls(limits, "the server allows")
}

// checkCalls compares what a session does with the call limits of somebody.
func (p *plan) checkCalls(limits wire.Limits, who string) *problem {
	if send, limited := limits.Rate(wire.CallSend); limited {
		if found := p.checkSends(send, who); found != nil {
			return found
		}
	}
	return p.checkJoins(limits, who)
}
