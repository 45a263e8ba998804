package loadgen

import (
	"slices"
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

	// Thresholds are what the run has to keep. Some hold without being named: that no message is answered with an error,
	// not at all, or with a receipt that says it was not received, and that none fails to be sent. A threshold on one of
	// these counts takes its place.
	Thresholds []Threshold `yaml:"thresholds,omitempty"`
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

// Executor is what makes a message due.
type Executor string

// The executors. A workload is either closed in all its entries or in none: a closed entry slows down with the server,
// and would take the load off it that the others are there to measure.
const (
	// Open makes messages due by a schedule that no answer can change.
	Open Executor = "open"
	// Closed makes a message due when an earlier one of its stream has been answered. Its latencies cannot be compared
	// with those of an open loop: a slow server is sent less.
	Closed Executor = "closed"
	// Replay makes messages due at recorded times.
	Replay Executor = "replay"
)

// Arrival is how the moments at which messages are due are spread.
type Arrival string

// The arrivals.
const (
	// Constant spaces messages evenly: the least variance, for regression runs.
	Constant Arrival = "constant"
	// Poisson spaces them like independent users would: exponential gaps from the workload's seed.
	Poisson Arrival = "poisson"
	// Burst makes several messages due at once, and spaces these bursts evenly.
	Burst Arrival = "burst"
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

// Traffic is one kind of messages and when they are due.
type Traffic struct {
	// ID names the entry in the ledger; every entry has its own.
	ID string `yaml:"id"`

	// Op is what is sent.
	Op Op `yaml:"op"`

	// Channel is the Name of the channel group that messages go to, or that sessions join and leave; for the ops channel
	// and join only.
	Channel string `yaml:"channel,omitempty"`

	// Executor is what makes a message due: [Open], which is also the default, [Closed] or [Replay].
	Executor Executor `yaml:"executor"`

	// Arrival is how due times are spread; for the open executor only.
	Arrival Arrival `yaml:"arrival,omitempty"`

	// Rate is how many messages are due per second, over all sessions and channels together. With stages it is the rate
	// of the warm-up and at the start of the measured phase. Of a closed entry it is the ceiling: no stream is sent more
	// than its part of it, which bounds the ledger. Of a replay it is the rate of the warm-up, by default the trace's
	// own.
	Rate Rate `yaml:"rate"`

	// Burst is how many messages are due at once, every Burst/Rate; for the arrival burst only.
	Burst int `yaml:"burst,omitempty"`

	// Stages change the rate during the measured phase, which is as long as they are together.
	Stages []Stage `yaml:"stages,omitempty"`

	// Outstanding is how many messages of each stream may be without an answer; for the closed executor only. A stream
	// is one sender's messages to one destination.
	Outstanding int `yaml:"outstanding,omitempty"`

	// Trace is the file of a replay's due times, relative to the workload file: one time in seconds a line, ascending
	// from the start of the measured phase, comments behind a #. Only reading the workload from a file reads it.
	Trace string `yaml:"trace,omitempty"`

	// TraceSHA256 is the SHA-256 sum of the trace file in hex. It is filled in when the trace is read; where it is
	// given, the file must have it.
	TraceSHA256 string `yaml:"trace_sha256,omitempty"`

	// Payload describes the messages; the ops that send none have none.
	Payload Payload `yaml:"payload,omitempty"`

	// Sessions is the range of sessions that come and go, such as "80-99", both ends included, from 0; for the ops login,
	// reconnect and pause, and for join, where nothing means every member of the group.
	Sessions string `yaml:"sessions,omitempty"`

	// Hold is how long a session stops reading; for the op pause only.
	Hold time.Duration `yaml:"hold,omitempty"`

	recorded *trace
}

// Phases are the lengths of a run's phases after the sessions are connected.
type Phases struct {
	// Warmup is how long traffic flows before it is measured; zero for none.
	Warmup time.Duration `yaml:"warmup"`

	// Measure is how long traffic is measured. Stages and traces say so themselves; where they do, it may be left out.
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
// them. The entries are filled in on a copy, so that several may fill in one workload at a time.
func (w *Workload) fill() {
	w.Traffic = slices.Clone(w.Traffic)
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
		orElse(&t.Executor, Open)
		if t.Executor == Open {
			orElse(&t.Arrival, Constant)
		}
		if len(t.Stages) > 0 {
			orElse(&w.Phases.Measure, totalLength(t.Stages))
		}
		if t.recorded != nil {
			orElse(&w.Phases.Measure, t.recorded.length())
			orElse(&t.Rate, t.recorded.rate())
			orElse(&t.TraceSHA256, t.recorded.sha256())
		}
		if !t.Op.churns() {
			orElse(&t.Payload.Type, Text)
			orElse(&t.Payload.Bytes, 64)
		}
		if (t.Op == OpChannel || t.Op == OpJoin) && len(w.Channels) == 1 {
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
