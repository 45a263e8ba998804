package loadgen

import (
	"maps"
	"slices"
	"strings"

	"github.com/rtmkit/rtmkit/reports"
)

// quantity is something that a threshold can limit.
type quantity struct {
	unit    unit
	labels  []string // what may stand in braces
	latency bool     // then metric is set, and a statistic has to be named
	metric  metric
	server  bool // only there where the server can be watched

	row    func(*reports.LedgerRow) int64 // of a count of the ledger
	of     func(*reports.Summary) float64 // of a number of the summary; zero is not seen where server is set
	errors bool                           // of the failures: their count, or their share of all messages
}

// quantities are all of them by name; some have two. A function keeps them from being changed.
var quantities = func() map[string]*quantity {
	all := map[string]*quantity{
		"achieved/offered": {unit: unitShare, of: func(s *reports.Summary) float64 { return 100 * ratio(s.AchievedPerS, s.OfferedPerS) }},
		"errors.count":     {unit: unitCount, labels: []string{"op", "class", "code"}, errors: true},
		"errors.rate":      {unit: unitShare, labels: []string{"op", "class", "code"}, errors: true},
		"server.cpu_per_msg": {unit: unitDuration, server: true, of: func(s *reports.Summary) float64 {
			return s.Health.ServerCPUPerMessageNS
		}},
		"server.rss":          {unit: unitBytes, server: true, of: func(s *reports.Summary) float64 { return float64(s.Health.ServerRSSBytes) }},
		"operations_failed":   {unit: unitCount, of: failedOperations},
		"generator.cpu_share": {unit: unitShare, of: func(s *reports.Summary) float64 { return 100 * s.Health.GeneratorCPUShare }},
	}
	for m := range metrics {
		all[m.String()] = &quantity{unit: unitDuration, latency: true, metric: m}
	}
	for names, row := range map[string]func(*reports.LedgerRow) int64{
		"lost loss":                           func(r *reports.LedgerRow) int64 { return r.Lost },
		"duplicated duplicates duplicate":     func(r *reports.LedgerRow) int64 { return r.Duplicated },
		"reordered":                           func(r *reports.LedgerRow) int64 { return r.Reordered },
		"leaked leaks leak":                   func(r *reports.LedgerRow) int64 { return r.Leaked },
		"foreign":                             func(r *reports.LedgerRow) int64 { return r.Foreign },
		"corrupt":                             func(r *reports.LedgerRow) int64 { return r.Corrupt },
		"false_receipts false_receipt":        func(r *reports.LedgerRow) int64 { return r.FalseReceipts },
		"shed":                                func(r *reports.LedgerRow) int64 { return r.Shed },
		"send_failed":                         func(r *reports.LedgerRow) int64 { return r.SendFailed },
		"ack_error ack_errors":                func(r *reports.LedgerRow) int64 { return r.AckError - r.AbsentError },
		"ack_timeout ack_timeouts":            func(r *reports.LedgerRow) int64 { return r.AckTimeout },
		"ack_lost":                            func(r *reports.LedgerRow) int64 { return r.AckLost },
		"acked_not_received ack_not_received": func(r *reports.LedgerRow) int64 { return r.AckedNotReceived - r.AbsentNotReceived },
	} {
		q := &quantity{unit: unitCount, labels: []string{"traffic"}, row: row}
		for name := range strings.FieldsSeq(names) {
			all[name] = q
		}
	}
	return all
}()

// quantityNames are the names in alphabetical order.
func quantityNames() []string { return slices.Sorted(maps.Keys(quantities)) }

// failureOps and failureClasses are the words of a [Failure] that labels may name. A word that cannot come is refused,
// because a misspelt label would count nothing and pass for good.
var (
	failureOps     = []string{"connect", "login", "logout", "channel.join", "channel.leave", "peer.send", "channel.send", "pause", "session"}
	failureClasses = []string{
		ClassDial, ClassTLS, ClassHandshake, ClassAuth, ClassKicked, ClassRateLimited, ClassTooLarge, ClassNotMember,
		ClassAckTimeout, ClassRefused, ClassClosed, ClassRead, ClassWrite, ClassProtocol, ClassToken, ClassQueueFull,
	}
)
