package loadgen

import (
	"fmt"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// WorkloadSchema is the schema version of a workload file; it stands in the key schema.
const WorkloadSchema = "rtmkit-load/v1"

// Workload says what a run does. It is the content of a workload file; [ParseWorkload] reads one, [Peer] and
// [Fanout] make the two common ones.
type Workload struct {
	// Schema is [WorkloadSchema]; empty means the same.
	Schema string `yaml:"schema"`

	// Name names the workload in reports.
	Name string `yaml:"name"`

	// Seed fixes everything random: arrivals, pairings. Two runs with one seed are due to send the same.
	Seed int64 `yaml:"seed"`

	// Sessions are the clients that log in.
	Sessions Sessions `yaml:"sessions"`

	// Channels are the channels that the sessions join before any traffic.
	Channels []Channels `yaml:"channels,omitempty"`

	// Traffic lists what is sent, at least one entry.
	Traffic []Traffic `yaml:"traffic"`

	// Phases are the lengths of the run's phases.
	Phases Phases `yaml:"phases"`

	// Limits bound what the generator itself takes on.
	Limits Limits `yaml:"limits"`
}

// Sessions are the clients of a run. Each logs in once, over a connection of its own.
type Sessions struct {
	// Count is how many there are.
	Count int `yaml:"count"`

	// UID is the pattern of their user ids, with one %d verb for the session's number from 0, such as "load-%05d".
	UID string `yaml:"uid"`

	// Rate is how many log in per second.
	Rate Rate `yaml:"rate"`

	// JoinRate is how many channel joins are due per second, over all sessions together.
	JoinRate Rate `yaml:"join_rate"`
}

// Channels is a group of alike channels. The members of channel number i are the sessions from i times Members on, going
// round: with as many sessions as members everybody is in every channel, with Count times as many the channels are
// disjoint.
type Channels struct {
	// Name is the pattern of the channel ids, with one %d verb for the channel's number from 0, such as "room-%03d".
	// Traffic names the group by it.
	Name string `yaml:"name"`

	// Count is how many channels the group has.
	Count int `yaml:"count"`

	// Members is how many sessions join each of them.
	Members int `yaml:"members"`
}

// Op is what a traffic entry does.
type Op string

// The operations of traffic.
const (
	// OpPeer sends peer messages. Every session has one partner it sends to, chosen by the seed so that each session is
	// the partner of exactly one other; the sessions take turns.
	OpPeer Op = "peer"
	// OpChannel sends channel messages. Channels take turns, and within a channel its members do.
	OpChannel Op = "channel"
)

// Arrival is how the moments at which messages are due are spread.
type Arrival string

// The arrivals.
const (
	// Constant spaces messages evenly: the least variance, for regression runs.
	Constant Arrival = "constant"
	// Poisson spaces them like independent users would: exponential gaps from the workload's seed.
	Poisson Arrival = "poisson"
)

// PayloadType is how a payload travels.
type PayloadType string

// The payload types.
const (
	// Text payloads are printable ASCII, with the stamp as Base64.
	Text PayloadType = "text"
	// Raw payloads are bytes.
	Raw PayloadType = "raw"
)

// Payload describes the messages of a traffic entry.
type Payload struct {
	// Bytes is the size as the service counts it: the UTF-8 bytes of a text, the bytes of a raw message. The stamp is
	// part of it, so the least is 43 for text and 32 for raw messages.
	Bytes int `yaml:"bytes"`

	// Type is text or raw.
	Type PayloadType `yaml:"type"`
}

// least returns the smallest size that holds a stamp.
func (p Payload) least() int {
	if p.Type == Raw {
		return stampBytes
	}
	return stampTextBytes
}

// Traffic is one kind of messages at one rate, open loop.
type Traffic struct {
	// ID names the entry in the ledger; every entry has its own.
	ID string `yaml:"id"`

	// Op is what is sent.
	Op Op `yaml:"op"`

	// Channel is the Name of the channel group that messages go to; for the op channel only.
	Channel string `yaml:"channel,omitempty"`

	// Arrival is how due times are spread.
	Arrival Arrival `yaml:"arrival"`

	// Rate is how many messages are due per second, over all sessions and channels together.
	Rate Rate `yaml:"rate"`

	// Payload describes the messages.
	Payload Payload `yaml:"payload"`
}

// Phases are the lengths of a run's phases after the sessions are connected.
type Phases struct {
	// Warmup is how long traffic flows before it is measured; zero for none.
	Warmup time.Duration `yaml:"warmup"`

	// Measure is how long traffic is measured.
	Measure time.Duration `yaml:"measure"`

	// Drain is the longest wait for what is still on its way, after the warm-up and after the measured phase. The waits
	// end earlier when nothing is missing.
	Drain time.Duration `yaml:"drain"`
}

// Limits bound what the generator takes on, so that a dead server cannot make it eat the machine.
type Limits struct {
	// MaxInFlight is how many messages may be without an answer. What is due beyond is shed: not sent, but counted, and
	// the run is invalid when it is more than a trace.
	MaxInFlight int `yaml:"max_in_flight"`
}

// Peer returns the workload of peer messages at the rate, measured for duration, between clients sessions: text of 64
// bytes, constant arrivals, a fifth of duration (1 to 5 s) to warm up. Every field may be changed before Run.
func Peer(rate Rate, duration time.Duration, clients int) Workload {
	w := common("peer", rate, duration, clients)
	w.Traffic[0].Op = OpPeer
	return w
}

// Fanout returns the workload of channel messages at the rate, over all channels together, measured for duration, to
// channels of members sessions each. The sessions are as few as the 20 channels that each may join allow. The rest is as
// in [Peer].
func Fanout(rate Rate, duration time.Duration, channels, members int) Workload {
	sessions := members
	if most := wire.DefaultLimits().Channels; channels > most {
		sessions = (channels*members + most - 1) / most
	}
	w := common("channel", rate, duration, sessions)
	w.Channels = []Channels{{Name: "room-%03d", Count: channels, Members: members}}
	w.Traffic[0].Op, w.Traffic[0].Channel = OpChannel, w.Channels[0].Name
	return w
}

func common(name string, rate Rate, duration time.Duration, sessions int) Workload {
	w := Workload{
		Name:     name,
		Sessions: Sessions{Count: sessions},
		Traffic:  []Traffic{{ID: name, Rate: rate}},
		Phases:   Phases{Warmup: min(max(duration/5, time.Second), 5*time.Second), Measure: duration},
	}
	w.fill()
	return w
}

// fill puts the defaults where nothing is said. Fields without a sensible default stay as they are, and check names
// them.
func (w *Workload) fill() {
	orElse(&w.Schema, WorkloadSchema)
	orElse(&w.Name, "workload")
	orElse(&w.Seed, 1)
	orElse(&w.Sessions.UID, "load-%05d")
	orElse(&w.Sessions.Rate, 200)
	orElse(&w.Sessions.JoinRate, 1000)
	orElse(&w.Phases.Drain, 15*time.Second)
	orElse(&w.Limits.MaxInFlight, 20_000)
	for i := range w.Traffic {
		t := &w.Traffic[i]
		orElse(&t.Arrival, Constant)
		orElse(&t.Payload.Type, Text)
		orElse(&t.Payload.Bytes, 64)
		if t.Op == OpChannel && len(w.Channels) == 1 {
			orElse(&t.Channel, w.Channels[0].Name)
		}
	}
}

func orElse[T comparable](field *T, fallback T) {
	var zero T
	if *field == zero {
		*field = fallback
	}
}

// Most of these bound memory: a message in flight takes some 30 bytes of ledger, an expected delivery one bit.
const (
	maxSessions   = 60_000
	maxMessages   = 20_000_000
	maxDeliveries = 2_000_000_000
	maxPayload    = 64 << 10
	maxPhase      = 24 * time.Hour
)

// problem is one thing wrong with a workload: where, in the path of its keys, and what to do.
type problem struct{ path, text string }

func (p problem) Error() string { return p.path + ": " + p.text }

// Check returns nil when the workload can be run, and else one sentence that names the first thing in the way and the
// remedy. Defaults count as filled in. Whether the server allows the workload is checked at login, against the limits it
// announces.
func (w Workload) Check() error {
	w.fill()
	for _, check := range []func() *problem{w.checkHead, w.checkChannels, w.checkTraffic, w.checkSize} {
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
	perSession := make([]int, w.Sessions.Count)
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
		for k := range c.Count {
			for m := range c.Members {
				perSession[(k*c.Members+m)%w.Sessions.Count]++
			}
		}
	}
	most := wire.DefaultLimits().Channels
	for _, joined := range perSession {
		if joined > most {
			return bad("channels", "a session would join %d channels and may join %d; use more sessions, fewer channels or fewer members", joined, most)
		}
	}
	return nil
}

func (w Workload) checkTraffic() *problem {
	if len(w.Traffic) == 0 {
		return bad("traffic", "nothing is sent; add at least one entry")
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
		case !(t.Rate > 0):
			return bad(path+".rate", "%v sends nothing; use a rate above 0, such as 1000/s", t.Rate)
		case t.Rate > 1e6:
			return bad(path+".rate", "%v is beyond what one generator can pace; use at most 1000000/s", t.Rate)
		case t.Arrival != Constant && t.Arrival != Poisson:
			return bad(path+".arrival", "%q is not known; use constant or poisson", t.Arrival)
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
	return bad(path+".op", "%q is not known; use peer or channel", t.Op)
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
		n := float64(t.Rate) * (w.Phases.Warmup + w.Phases.Measure).Seconds()
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
