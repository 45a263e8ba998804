package specs

import (
	"fmt"
	"time"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// Limits are the numbers that the server announced in its login answer, by their wire names.
type Limits struct {
	// Values are the plain numbers, such as "channels" or "session_grace_ms".
	Values map[string]int64
	// Calls are the announced call limits; none means that the server enforces none.
	Calls []CallLimit
	// Missing are the names that the server did not announce; their values are the published defaults.
	Missing []string
}

// CallLimit is one announced call limit: at most Count calls in any window of Window.
type CallLimit struct {
	// Call names what is counted, such as "send".
	Call string
	// Count is how many calls pass in a window.
	Count int
	// Window is the length of the window.
	Window time.Duration
}

// published are the limits of the protocol document with their defaults, in its order.
var published = []struct {
	name  string
	value int64
}{
	{"channels", 20}, {"message_bytes", 32768}, {"id_bytes", 64}, {"frame_bytes", 262144}, {"members", 512},
	{"count_channels", 32}, {"replay_messages", 32}, {"replay_ms", 30000}, {"session_grace_ms", 30000},
	{"reconnect_threshold_ms", 4000}, {"ack_timeout_ms", 9000}, {"ping_interval_ms", 2500}, {"silence_ms", 6000},
	{"login_timeout_ms", 10000}, {"token_notice_ms", 30000}, {"count_interval_ms", 1000}, {"count_interval_large_ms", 3000},
}

// LimitNames returns the names of all plain limits of the protocol, in its order.
func LimitNames() []string {
	names := make([]string, len(published))
	for i, limit := range published {
		names[i] = limit.name
	}
	return names
}

// ReadLimits takes the limits out of a login answer. What is missing or not above zero gets the published default and is
// listed in Missing, so that one missing number does not keep all specs from running.
func ReadLimits(login probe.Object) Limits {
	limits := Limits{Values: make(map[string]int64)}
	for _, limit := range published {
		value, ok := login.Int("limits." + limit.name)
		if !ok || value <= 0 {
			limits.Missing = append(limits.Missing, limit.name)
			value = limit.value
		}
		limits.Values[limit.name] = value
	}
	calls, _ := login.Value("limits.calls").([]any)
	for _, item := range calls {
		call, _ := item.(map[string]any)
		name, _ := call["call"].(string)
		count, _ := call["count"].(int64)
		window, _ := call["window_ms"].(int64)
		if name != "" && count > 0 && window > 0 {
			limits.Calls = append(limits.Calls, CallLimit{name, int(count), time.Duration(window) * time.Millisecond})
		}
	}
	return limits
}

// Number returns a plain limit. An unknown name is a mistake of the spec and panics.
func (l Limits) Number(name string) int {
	value, ok := l.Values[name]
	if !ok {
		panic(fmt.Sprintf("specs: there is no limit %q", name))
	}
	return int(value)
}

// Duration returns a limit whose name ends in _ms.
func (l Limits) Duration(name string) time.Duration {
	return time.Duration(l.Number(name)) * time.Millisecond
}

// Call returns the limit of one call, and whether the server announced one.
func (l Limits) Call(name string) (CallLimit, bool) {
	for _, limit := range l.Calls {
		if limit.Call == name {
			return limit, true
		}
	}
	return CallLimit{}, false
}
