package model

import (
	"time"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// Limits are those of a server's announced limits that a program can meet. Their zero value are the published defaults, with
// call limits.
type Limits struct {
	// Members is how many users a program may have: above it a server tells less, and the model knows nothing of that.
	Members int
	// Channels is how many channels a session may be in.
	Channels int
	// ReplayMessages is how many messages of a channel are replayed.
	ReplayMessages int
	// Replay is how old a replayed message may be.
	Replay time.Duration
	// Grace is how long a session without contact lasts.
	Grace time.Duration
	// Silence is how long a silent connection lasts.
	Silence time.Duration
	// AckTimeout is how long a server waits for an acknowledgement.
	AckTimeout time.Duration
	// PingInterval is how long a client may be silent.
	PingInterval time.Duration
	// Calls are how many calls of a kind are never too many for a session, by the names of the protocol; what is not named
	// is not limited. Nil stands for the published call limits, an empty map for none.
	Calls map[string]int
}

// withDefaults returns the limits with the published defaults where there is nothing above zero.
func (l Limits) withDefaults() Limits {
	for value, published := range map[*int]int{&l.Members: 512, &l.Channels: 20, &l.ReplayMessages: 32} {
		if *value <= 0 {
			*value = published
		}
	}
	for value, published := range map[*time.Duration]time.Duration{
		&l.Replay: 30 * time.Second, &l.Grace: 30 * time.Second, &l.Silence: 6 * time.Second,
		&l.AckTimeout: 9 * time.Second, &l.PingInterval: 2500 * time.Millisecond,
	} {
		if *value <= 0 {
			*value = published
		}
	}
	if l.Calls == nil {
		l.Calls = map[string]int{"send": 180, "join": 50, "join_same": 2, "members": 5, "count": 1}
	}
	return l
}

// ReadLimits takes the limits out of a login answer; what is missing gets the published default.
func ReadLimits(login probe.Object) Limits {
	number := func(name string) int {
		value, _ := login.Int("limits." + name)
		return int(value)
	}
	duration := func(name string) time.Duration { return time.Duration(number(name)) * time.Millisecond }
	limits := Limits{
		Members: number("members"), Channels: number("channels"), ReplayMessages: number("replay_messages"),
		Replay: duration("replay_ms"), Grace: duration("session_grace_ms"), Silence: duration("silence_ms"),
		AckTimeout: duration("ack_timeout_ms"), PingInterval: duration("ping_interval_ms"), Calls: make(map[string]int),
	}
	calls, _ := login.Value("limits.calls").([]any)
	for _, item := range calls {
		call, _ := item.(map[string]any)
		name, _ := call["call"].(string)
		if count, _ := call["count"].(int64); name != "" && count > 0 {
			limits.Calls[name] = int(count)
		}
	}
	return limits.withDefaults()
}
