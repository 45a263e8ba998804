package loadgen

import (
	"fmt"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Most of these bound memory: a message in flight takes some 30 bytes of ledger, an expected delivery one bit.
const (
	maxSessions   = 60_000
	maxMessages   = 20_000_000
	maxDeliveries = 2_000_000_000
	maxPayload    = 64 << 10
	maxBurst      = 100_000
	maxEntries    = 100
	maxPhase      = 24 * time.Hour

	maxRate Rate = 1e6
)

// problem is one thing wrong with a workload: where, in the path of its keys, and what to do.
type problem struct{ path, text string }

func (p problem) Error() string { return p.path + ": " + p.text }

// Check returns nil when the workload can be run, and else one sentence that names the first thing in the way and the
// remedy. Defaults count as filled in. Whether the server allows the workload is checked at login, against the limits it
// announces.
func (w Workload) Check() error {
	w.fill()
	for _, check := range []func() *problem{w.checkHead, w.checkChannels, w.checkTraffic, w.checkChurn, w.checkSize, w.checkThresholds} {
		if p := check(); p != nil {
			return fmt.Errorf("workload %s: %w", w.Name, *p)
		}
	}
	return nil
}

func bad(path, format string, args ...any) *problem {
	return &problem{path, fmt.Sprintf(format, args...)}
}

func (w Workload) checkHead() *problem {
	switch {
	case w.Schema != WorkloadSchema:
		return bad("schema", "%q is not known; this version reads %s", w.Schema, WorkloadSchema)
	case w.Sessions.Count < 1 || w.Sessions.Count > maxSessions:
		return bad("sessions.count", "%d sessions; use 1 to %d", w.Sessions.Count, maxSessions)
	case w.Sessions.Rate <= 0:
		return bad("sessions.rate", "%v logs nobody in; use a rate above 0, such as 200/s", w.Sessions.Rate)
	case w.Sessions.JoinRate <= 0:
		return bad("sessions.join_rate", "%v joins nobody; use a rate above 0, such as 1000/s", w.Sessions.JoinRate)
	case w.Phases.Measure <= 0 || w.Phases.Measure > maxPhase:
		return bad("phases.measure", "%v measures nothing; use more than 0 and at most %v", w.Phases.Measure, maxPhase)
	case w.Phases.Warmup < 0 || w.Phases.Warmup > maxPhase:
		return bad("phases.warmup", "%v; use 0 to %v", w.Phases.Warmup, maxPhase)
	case w.Phases.Drain < 0 || w.Phases.Drain > maxPhase:
		return bad("phases.drain", "%v; use 0 to %v", w.Phases.Drain, maxPhase)
	case w.Limits.MaxInFlight < 1:
		return bad("limits.max_in_flight", "%d lets nothing be sent; use 1 or more", w.Limits.MaxInFlight)
	}
	return badPattern("sessions.uid", w.Sessions.UID, w.Sessions.Count)
}

func (w Workload) checkChannels() *problem {
	seen := map[string]int{}
	most := wire.DefaultLimits().Channels
	tooMany := func(joined int) *problem {
		return bad("channels", "a session would join %d channels and may join %d; use more sessions, fewer channels or fewer members", joined, most)
	}
	places, perSession := 0, make([]int, w.Sessions.Count)
	for i, c := range w.Channels {
		path := fmt.Sprintf("channels[%d]", i)
		if j, twice := seen[c.Name]; twice {
			return bad(path+".name", "%q is also the name of channels[%d]; every group needs its own", c.Name, j)
		}
		seen[c.Name] = i
		switch {
		case c.Count < 1 || c.Count > maxSessions:
			return bad(path+".count", "%d channels; use 1 to %d", c.Count, maxSessions)
		case c.Members < 1:
			return bad(path+".members", "%d members; use 1 or more", c.Members)
		case c.Members > w.Sessions.Count:
			return bad(path+".members", "%d members need as many sessions, but sessions.count is %d; raise it or lower members", c.Members, w.Sessions.Count)
		}
		if p := badPattern(path+".name", c.Name, c.Count); p != nil {
			return p
		}
		// Far too many are not worth counting one by one.
		places += c.Count * c.Members
		if each := (places + w.Sessions.Count - 1) / w.Sessions.Count; each > most {
			return tooMany(each)
		}
		for k := range c.Count {
			for m := range c.Members {
				perSession[(k*c.Members+m)%w.Sessions.Count]++
			}
		}
	}
	for _, joined := range perSession {
		if joined > most {
			return tooMany(joined)
		}
	}
	return nil
}

func (w Workload) checkTraffic() *problem {
	switch n := len(w.Traffic); {
	case n == 0:
		return bad("traffic", "nothing is sent; add at least one entry")
	case n > maxEntries:
		return bad("traffic", "%d entries; use at most %d", n, maxEntries)
	}
	seen := map[string]int{}
	for i, t := range w.Traffic {
		path := fmt.Sprintf("traffic[%d]", i)
		if j, twice := seen[t.ID]; twice {
			return bad(path+".id", "%q is also the id of traffic[%d]; every entry needs its own", t.ID, j)
		}
		seen[t.ID] = i
		switch {
		case t.ID == "":
			return bad(path+".id", "it is empty; name the entry, such as peer")
		case t.Op.churns():
			if p := w.checkExecutor(path, t); p != nil {
				return p
			}
			continue
		case t.Payload.Type != Text && t.Payload.Type != Raw:
			return bad(path+".payload.type", "%q is not known; use text or raw", t.Payload.Type)
		case t.Payload.Bytes < t.Payload.least():
			return bad(path+".payload.bytes", "%d bytes cannot hold the stamp that every message carries; a %s message needs at least %d", t.Payload.Bytes, t.Payload.Type, t.Payload.least())
		case t.Payload.Bytes > maxPayload:
			return bad(path+".payload.bytes", "%d bytes; use at most %d", t.Payload.Bytes, maxPayload)
		}
		if p := w.checkOp(path, t); p != nil {
			return p
		}
		if p := w.checkExecutor(path, t); p != nil {
			return p
		}
	}
	return nil
}

func (w Workload) checkExecutor(path string, t Traffic) *problem {
	if p := t.checkKeys(path); p != nil {
		return p
	}
	if t.Executor == Replay {
		if p := t.checkTrace(path, w.Phases); p != nil {
			return p
		}
	}
	switch {
	case !(t.Rate > 0):
		return bad(path+".rate", "%v sends nothing; use a rate above 0, such as 1000/s", t.Rate)
	case t.Rate > maxRate:
		return bad(path+".rate", "%v is beyond what one generator can pace; use at most %v", t.Rate, maxRate)
	case t.Arrival == Burst && (t.Burst < 2 || t.Burst > maxBurst):
		return bad(path+".burst", "%d messages at once are no burst; use 2 to %d", t.Burst, maxBurst)
	}
	if p := w.checkClosed(path, t); p != nil {
		return p
	}
	return t.checkStages(path, w.Phases)
}

// checkKeys names a key of the entry that its executor or arrival has no use for, or misses.
func (t Traffic) checkKeys(path string) *problem {
	switch t.Executor {
	case Open:
		if t.Arrival != Constant && t.Arrival != Poisson && t.Arrival != Burst {
			return bad(path+".arrival", "%q is not known; use constant, poisson or burst", t.Arrival)
		}
	case Closed, Replay:
	default:
		return bad(path+".executor", "%q is not known; use open, closed or replay", t.Executor)
	}
	for _, key := range []struct {
		name  string
		given bool
		only  bool
		where string
	}{
		{"arrival", t.Arrival != "", t.Executor == Open, "executor: open"},
		{"stages", len(t.Stages) > 0, t.Executor == Open, "executor: open"},
		{"burst", t.Burst != 0, t.Arrival == Burst, "arrival: burst"},
		{"outstanding", t.Outstanding != 0, t.Executor == Closed, "executor: closed"},
		{"trace", t.Trace != "", t.Executor == Replay, "executor: replay"},
		{"trace_sha256", t.TraceSHA256 != "", t.Executor == Replay, "executor: replay"},
	} {
		if key.given && !key.only {
			return bad(path+"."+key.name, "it goes with %s only; remove one of the two", key.where)
		}
	}
	return nil
}

func (w Workload) checkOp(path string, t Traffic) *problem {
	switch t.Op {
	case OpPeer:
		if w.Sessions.Count < 2 {
			return bad(path+".op", "peer messages need two sessions, but sessions.count is %d", w.Sessions.Count)
		}
		if t.Channel != "" {
			return bad(path+".channel", "peer messages go to no channel; remove the key")
		}
		return nil
	case OpChannel:
		for _, c := range w.Channels {
			if c.Name == t.Channel {
				if c.Members < 2 {
					return bad(path+".channel", "a channel of one member has nobody to deliver to; use 2 members or more")
				}
				return nil
			}
		}
		return bad(path+".channel", "%q is the name of no channel group; use one of: %s", t.Channel, strings.Join(w.groupNames(), ", "))
	}
	return bad(path+".op", "%q is not known; use %s", t.Op, opNames)
}

func (w Workload) groupNames() []string {
	names := []string{}
	for _, c := range w.Channels {
		names = append(names, c.Name)
	}
	if len(names) == 0 {
		return []string{"(none; add a channels entry)"}
	}
	return names
}

func (w Workload) checkSize() *problem {
	messages, deliveries := 0.0, 0.0
	for _, t := range w.Traffic {
		if t.Op.churns() {
			continue
		}
		n := float64(t.Rate)*w.Phases.Warmup.Seconds() + float64(t.average(w.Phases.Measure))*w.Phases.Measure.Seconds()
		fanout := 1
		for _, c := range w.Channels {
			if t.Op == OpChannel && c.Name == t.Channel {
				fanout = c.Members - 1
			}
		}
		messages, deliveries = messages+n, deliveries+n*float64(fanout)
	}
	if messages > maxMessages || deliveries > maxDeliveries {
		return bad("phases.measure", "the run would send %.0f messages for %.0f deliveries, more than the ledger holds (%d and %d); shorten it or lower the rate", messages, deliveries, maxMessages, maxDeliveries)
	}
	return nil
}

// average returns the rate of the entry over a measured phase of the span.
func (t Traffic) average(span time.Duration) Rate {
	switch {
	case t.recorded != nil:
		return Rate(float64(len(t.recorded.due)) / span.Seconds())
	case len(t.Stages) > 0:
		return Rate(t.curve(span).total() / span.Seconds())
	}
	return t.Rate
}

// peak returns the highest rate of the run. Of a trace it is what its busiest second has.
func (t Traffic) peak() Rate {
	if t.recorded != nil {
		return max(Rate(t.recorded.most(time.Second)), t.Rate)
	}
	return max(t.curve(time.Second).peak(), t.Rate)
}

// badPattern checks an id pattern by making the longest id of it.
func badPattern(path, pattern string, count int) *problem {
	if strings.Count(pattern, "%") != 1 || strings.Contains(fmt.Sprintf(pattern, 0), "%!") {
		return bad(path, "%q needs exactly one number verb, such as %%05d", pattern)
	}
	if err := wire.CheckID(fmt.Sprintf(pattern, count-1)); err != nil {
		return bad(path, "%q makes an id that the protocol refuses: %v", pattern, err)
	}
	return nil
}
