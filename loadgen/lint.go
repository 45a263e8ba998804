package loadgen

import (
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// defaultSendRate returns how often a session may send under the call limits that servers have by default.
func defaultSendRate() Rate {
	limits := wire.DefaultLimits()
	send, _ := limits.Rate(wire.CallSend)
	return perSecond(send)
}

// perSecond returns a call limit as a rate.
func perSecond(limit wire.Rate) Rate {
	return Rate(float64(limit.Count) / wire.Millis(limit.WindowMS).Seconds())
}
