package reports

import (
	"fmt"
	"time"
)

// LoadSchema is the schema version of a run folder: of manifest.json, of
// summary.json and of the two together as [Load].
const LoadSchema = "rtmkit-run/v1"

// Load is the result of one load run.
type Load struct {
	// Dir is the run folder relative to the report that holds this result,
	// with forward slashes; empty when there is none. It is not stored in the
	// run folder itself.
	Dir string `json:"dir,omitempty"`
	// Manifest says what was run, where and by whom (manifest.json).
	Manifest Manifest `json:"manifest"`
	// Summary says what came out (summary.json). Every number in it can be
	// derived again from the raw files of the run folder.
	Summary Summary `json:"summary"`

	anomalies []anomaly // the first few of each kind, where the run folder is at hand
	// Floor is what the generator measures on this host when the server does
	// next to nothing (floor.json); nil when that was not known.
	Floor *Floor `json:"floor,omitempty"`
}

// Manifest says what was run. It is written as manifest.json.
type Manifest struct {
	// Schema is always [LoadSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// Name is the workload's name, such as "peer" or "channel".
	Name string `json:"name"`
	// ToolVersion is the version of the load generator.
	ToolVersion string `json:"tool_version"`
	// Workload is the workload as run, all defaults filled in, as YAML text.
	Workload string `json:"workload,omitempty"`
	// WorkloadSHA256 is the hex SHA-256 of Workload without its thresholds.
	// Runs with different sums measure different things; thresholds are asked
	// of what was measured.
	WorkloadSHA256 string `json:"workload_sha256,omitempty"`
	// Seed decides ids, payloads and jitter.
	Seed int64 `json:"seed"`
	// Target is the URL that was loaded.
	Target string `json:"target"`
	// Server is the server as it named itself at login.
	Server Identity `json:"server"`
	// Client is the client library whose sessions were loaded through its
	// adapter, as it named itself; nil for sessions of the generator's own.
	Client *Identity `json:"client,omitempty"`
	// ProtocolVersion is the wire protocol spoken, such as "rtm.v1.json".
	ProtocolVersion string `json:"protocol_version,omitempty"`
	// Environment is the generator's machine.
	Environment Environment `json:"environment"`
	// Pacer is how intended times were kept.
	Pacer Pacer `json:"pacer"`
	// StartedAt is the wall time of the run's time zero.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when the last socket was closed.
	EndedAt time.Time `json:"ended_at"`
	// Command repeats the run. [Write] redacts tokens in it.
	Command string `json:"command,omitempty"`
	// Notes say in sentences what a reader must know, such as "call limits
	// off" or "server shares the machine".
	Notes []string `json:"notes,omitempty"`
	// Interrupted says that the run was cut short.
	Interrupted bool `json:"interrupted,omitempty"`
	// Aborted says which threshold cut the run short, or is nil.
	Aborted *Abort `json:"aborted,omitempty"`
	// RunID is the number, in hex, that every message of the run carried, the
	// same in all shards of a run.
	RunID string `json:"run_id,omitempty"`
	// Shard says which part of a run this is; nil for a whole one.
	Shard *Shard `json:"shard,omitempty"`
	// Parts are the shards that the run was merged from, in their order; none
	// for a run of one process.
	Parts []ShardPart `json:"parts,omitempty"`
	// LostNS is when the last session broke off, in nanoseconds since the
	// run's time zero, which ended the run; zero when the target stayed to the
	// end.
	LostNS int64 `json:"lost_ns,omitempty"`
	// Files are the raw files of the run folder.
	Files []File `json:"files,omitempty"`
}

// Abort says which threshold ended a run, and when.
type Abort struct {
	// Expr is the threshold, as in [Threshold].
	Expr string `json:"expr"`
	// Second is the second of the measured phase at whose end it was judged,
	// from 1.
	Second int `json:"second"`
	// Observed is what was seen by then, in the threshold's unit.
	Observed string `json:"observed"`
}

// Pacer says how the generator kept its schedule.
type Pacer struct {
	// Kind is the pacer's name with the priority it got, such as
	// "locked-thread, nice -10" or, without the right to one, "locked-thread,
	// nice 0".
	Kind string `json:"kind"`
	// GridNS is the distance of its wake-ups in nanoseconds.
	GridNS int64 `json:"grid_ns"`
	// Clock is the clock source, such as "CLOCK_MONOTONIC".
	Clock string `json:"clock,omitempty"`
}

// File is one file of a run folder.
type File struct {
	// Name is the path relative to the run folder, with forward slashes.
	Name string `json:"name"`
	// Bytes is the file's length.
	Bytes int64 `json:"bytes"`
	// SHA256 is the hex SHA-256 of the file.
	SHA256 string `json:"sha256,omitempty"`
}

// Summary says what came out of a load run. It is written as summary.json.
type Summary struct {
	// Schema is always [LoadSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// Validity says whether the numbers may be believed at all. It comes
	// before every other field.
	Validity Validity `json:"validity"`
	// Phases are the parts of the run in order.
	Phases []Phase `json:"phases,omitempty"`
	// OfferedPerS is the rate the schedule asked for in the measured phase, in
	// messages per second.
	OfferedPerS float64 `json:"offered_per_s"`
	// AchievedPerS is the rate that was really sent in the measured phase.
	AchievedPerS float64 `json:"achieved_per_s"`
	// ExpectedDeliveriesPerS is the offered rate times the fan-out.
	ExpectedDeliveriesPerS float64 `json:"expected_deliveries_per_s,omitempty"`
	// DeliveredPerS is the rate of deliveries seen by receivers.
	DeliveredPerS float64 `json:"delivered_per_s,omitempty"`
	// Metrics are the latency distributions of the measured phase, the primary
	// metric first.
	Metrics []Metric `json:"metrics,omitempty"`
	// Ledger says what became of each message, one row per traffic id of the
	// workload, over all phases.
	Ledger []LedgerRow `json:"ledger,omitempty"`
	// Operations say what became of the logins, joins and the like that the
	// workload asked for while messages flowed, one row per traffic id and
	// operation, over all phases.
	Operations []Operation `json:"operations,omitempty"`
	// Equations are the invariants of the ledger. One that does not hold makes
	// the run fail whatever the latency.
	Equations []Equation `json:"equations,omitempty"`
	// Errors are the failures by class.
	Errors []ErrorCount `json:"errors,omitempty"`
	// Thresholds are the limits the workload set, and what came of them.
	Thresholds []Threshold `json:"thresholds,omitempty"`
	// Series are the counters of each second of the run.
	Series []SeriesPoint `json:"series,omitempty"`
	// Health is the state of the generator and, where seen, of the server.
	Health Health `json:"health,omitzero"`
}

// ValidityVerdict says whether a run measured the server or its own generator.
type ValidityVerdict string

// The verdicts on a run's validity.
const (
	// Valid says that the generator kept its schedule.
	Valid ValidityVerdict = "valid"
	// Degraded says that the generator came near the limits of [Invalid]; the
	// numbers are upper bounds.
	Degraded ValidityVerdict = "degraded"
	// Invalid says that the generator did not keep its schedule, so that the
	// numbers describe it and not the server. [CompareLoads] refuses such a
	// run.
	Invalid ValidityVerdict = "invalid"
)

// Validity is the verdict on a run before it is fast or slow.
type Validity struct {
	// Verdict is valid, degraded or invalid.
	Verdict ValidityVerdict `json:"verdict"`
	// Reasons say in sentences, with numbers, why it is not valid.
	Reasons []string `json:"reasons,omitempty"`
	// Attribution says who limited the run: "host noise", "generator bound",
	// "server bound" or empty.
	Attribution string `json:"attribution,omitempty"`
	// Evidence says in one sentence, with numbers, what the attribution rests
	// on.
	Evidence string `json:"evidence,omitempty"`
}

// Phase is one part of a run, such as connect, warmup, measure or drain.
type Phase struct {
	// Name is the phase's name.
	Name string `json:"name"`
	// StartNS is its begin in nanoseconds since the run's time zero.
	StartNS int64 `json:"start_ns"`
	// DurationNS is its length in nanoseconds.
	DurationNS int64 `json:"duration_ns"`
	// Scheduled is how many operations were due in it.
	Scheduled int64 `json:"scheduled,omitempty"`
}

// Metric is one latency distribution. All latencies start at the intended time
// unless the name ends in ".service".
type Metric struct {
	// Name is the metric's name, such as "peer.ack" or "channel.last"; it is
	// the tag in the .hlog file as well.
	Name string `json:"name"`
	// Count is the number of samples.
	Count int64 `json:"count"`
	// MinNS is the smallest sample in nanoseconds.
	MinNS int64 `json:"min_ns"`
	// MeanNS is the mean in nanoseconds.
	MeanNS int64 `json:"mean_ns"`
	// P50NS is the median in nanoseconds.
	P50NS int64 `json:"p50_ns"`
	// P90NS is the 90th percentile in nanoseconds.
	P90NS int64 `json:"p90_ns"`
	// P99NS is the 99th percentile in nanoseconds.
	P99NS int64 `json:"p99_ns"`
	// P999NS is the 99.9th percentile in nanoseconds.
	P999NS int64 `json:"p999_ns"`
	// P9999NS is the 99.99th percentile in nanoseconds.
	P9999NS int64 `json:"p9999_ns"`
	// MaxNS is the largest sample in nanoseconds.
	MaxNS int64 `json:"max_ns"`
	// Overflow is how many samples were clamped to the histogram's upper end
	// (60 s).
	Overflow int64 `json:"overflow,omitempty"`
	// Curve is the percentile curve in ascending order.
	Curve []CurvePoint `json:"curve,omitempty"`
	// Series is the latency of each second of the run.
	Series []LatencyPoint `json:"series,omitempty"`
	// Heat is the full distribution of each second, or nil.
	Heat *Heat `json:"heat,omitempty"`
}

// CurvePoint is one point of a percentile curve.
type CurvePoint struct {
	// Percentile is between 0 and 100.
	Percentile float64 `json:"percentile"`
	// ValueNS is the latency at that percentile in nanoseconds.
	ValueNS int64 `json:"value_ns"`
	// Count is how many samples lie at or below the value.
	Count int64 `json:"count"`
}

// LatencyPoint is the latency of one metric in one second of a run.
type LatencyPoint struct {
	// Second counts from the run's time zero.
	Second int `json:"second"`
	// Count is the number of samples in that second.
	Count int64 `json:"count"`
	// P50NS is the median in nanoseconds.
	P50NS int64 `json:"p50_ns"`
	// P99NS is the 99th percentile in nanoseconds.
	P99NS int64 `json:"p99_ns"`
	// MaxNS is the largest sample in nanoseconds.
	MaxNS int64 `json:"max_ns"`
}

// Heat is a histogram per second: how often each band of latency was seen.
type Heat struct {
	// BoundsNS are the upper bounds of the bands in ascending order.
	BoundsNS []int64 `json:"bounds_ns"`
	// Columns are the seconds that had samples.
	Columns []HeatColumn `json:"columns"`
}

// HeatColumn is one second of a [Heat].
type HeatColumn struct {
	// Second counts from the run's time zero.
	Second int `json:"second"`
	// Counts are the samples per band, as many as there are bounds.
	Counts []int64 `json:"counts"`
}

// LedgerRow says what became of the messages of one traffic id.
type LedgerRow struct {
	// Traffic is the traffic id of the workload, such as "peer" or "room".
	Traffic string `json:"traffic"`
	// Scheduled is how many messages were due.
	Scheduled int64 `json:"scheduled"`
	// Sent is how many were written to a socket.
	Sent int64 `json:"sent"`
	// Shed is how many the generator dropped because it was overloaded itself.
	Shed int64 `json:"shed"`
	// SendFailed is how many could not be written.
	SendFailed int64 `json:"send_failed"`
	// AckedReceived is how many were answered with received true. For channel
	// messages it counts every positive answer.
	AckedReceived int64 `json:"acked_received"`
	// AckedNotReceived is how many were answered with received false.
	AckedNotReceived int64 `json:"acked_not_received"`
	// AbsentNotReceived is how many of those are right because the receiver
	// was not surely logged in.
	AbsentNotReceived int64 `json:"absent_not_received,omitempty"`
	// AckError is how many were answered with an error.
	AckError int64 `json:"ack_error"`
	// AbsentError is how many of those were to a receiver that was not surely
	// logged in, so that a server may have been left without its receipt.
	AbsentError int64 `json:"absent_error,omitempty"`
	// AckTimeout is how many were not answered in time.
	AckTimeout int64 `json:"ack_timeout"`
	// AckLost is how many lost their answer to a broken connection.
	AckLost int64 `json:"ack_lost"`
	// Expected is how many deliveries had to happen.
	Expected int64 `json:"expected"`
	// DeliveredOnce is how many of them happened.
	DeliveredOnce int64 `json:"delivered_once"`
	// MayDelivered is how many deliveries were allowed but not required, such
	// as to a member that was just joining.
	MayDelivered int64 `json:"may_delivered"`
	// Received is how many messages arrived at receivers in all.
	Received int64 `json:"received"`
	// Lost is how many expected deliveries never happened.
	Lost int64 `json:"lost"`
	// Duplicated is how many deliveries came once too often.
	Duplicated int64 `json:"duplicated"`
	// Reordered is how many came after a later one of the same stream.
	Reordered int64 `json:"reordered"`
	// Leaked is how many reached someone who must not have them.
	Leaked int64 `json:"leaked"`
	// Foreign is how many belonged to another run.
	Foreign int64 `json:"foreign"`
	// Corrupt is how many arrived altered.
	Corrupt int64 `json:"corrupt"`
	// FalseReceipts is how many were answered with received true although the
	// receiver never got them.
	FalseReceipts int64 `json:"false_receipts"`
}

// Clean reports whether every message of the row took its one right way: none
// lost, duplicated, reordered, leaked, foreign or corrupt, and no false
// receipt.
func (r LedgerRow) Clean() bool {
	return r.Lost+r.Duplicated+r.Reordered+r.Leaked+r.Foreign+r.Corrupt+r.FalseReceipts == 0
}

// Operation says what became of one kind of operation of one traffic id.
type Operation struct {
	// Traffic is the traffic id of the workload.
	Traffic string `json:"traffic"`
	// Op is the operation: "leave", "join", "login", "logout", "reconnect" or
	// "pause".
	Op string `json:"op"`
	// Scheduled is how many were due; of logouts, how many followed a login.
	Scheduled int64 `json:"scheduled"`
	// Done is how many worked.
	Done int64 `json:"done"`
	// Failed is how many did not; the errors of the run tell why.
	Failed int64 `json:"failed"`
	// Unfinished is how many were not over, or never begun, when the run
	// ended.
	Unfinished int64 `json:"unfinished"`
}

// Equation is one invariant of the ledger.
type Equation struct {
	// Traffic is the traffic id it was computed for; empty for the total.
	Traffic string `json:"traffic,omitempty"`
	// Text is the equation in the ledger's words, such as
	// "scheduled = sent + shed + send_failed".
	Text string `json:"text"`
	// Left is the value of its left side.
	Left int64 `json:"left"`
	// Right is the value of its right side.
	Right int64 `json:"right"`
	// Holds says whether it is true.
	Holds bool `json:"holds"`
}

// ErrorCount is how often one kind of failure was seen.
type ErrorCount struct {
	// Op is the operation that failed, such as "peer.send".
	Op string `json:"op,omitempty"`
	// Class is the failure's class, such as "dial", "ack_timeout" or
	// "rate_limited".
	Class string `json:"class"`
	// Code is the protocol's error or close code, or zero.
	Code int `json:"code,omitempty"`
	// Count is how often it was seen.
	Count int64 `json:"count"`
}

// Threshold is one limit that the run had to keep: one that its workload set,
// or one that every run has.
type Threshold struct {
	// Expr is the limit as written, such as "peer.ack.p99 < 50ms".
	Expr string `json:"expr"`
	// Implicit says that the workload did not set it.
	Implicit bool `json:"implicit,omitempty"`
	// Observed is what was seen, in the unit of the limit: of a limit per
	// window, in the worst window. It is "nothing" where nothing was seen.
	Observed string `json:"observed"`
	// Holds says whether the limit was kept.
	Holds bool `json:"holds"`
	// Insufficient says that there were too few samples for the limit, or that
	// the server could not be watched. Holds is true then only where the
	// workload allows it.
	Insufficient bool `json:"insufficient,omitempty"`
	// Samples is how many samples the limit was judged by; zero for numbers
	// that have none.
	Samples int64 `json:"samples,omitempty"`
	// Windows is how many windows the limit was judged in; zero for a limit
	// over the whole run.
	Windows int `json:"windows,omitempty"`
	// WindowsKept is how many of them kept it.
	WindowsKept int `json:"windows_kept,omitempty"`
	// Aborted says that the run was ended because of this limit.
	Aborted bool `json:"aborted,omitempty"`
	// Reason says in a sentence what the numbers above do not: how many samples
	// it needs, or when the run was ended.
	Reason string `json:"reason,omitempty"`
}

// Told is what was observed, for a reader.
func (t Threshold) Told() string {
	text := "observed " + t.Observed
	if t.Windows > 0 {
		text = fmt.Sprintf("kept in %d of %s, %s in the worst", t.WindowsKept, plural(int64(t.Windows), "window", "windows"), t.Observed)
	}
	if t.Reason != "" {
		text += ": " + t.Reason
	}
	return text
}

// SeriesPoint are the counters of one second of a run.
type SeriesPoint struct {
	// Second counts from the run's time zero.
	Second int `json:"second"`
	// Offered is how many messages were due in that second.
	Offered int64 `json:"offered"`
	// Sent is how many were written.
	Sent int64 `json:"sent"`
	// Acked is how many answers came.
	Acked int64 `json:"acked"`
	// Delivered is how many messages arrived at receivers.
	Delivered int64 `json:"delivered"`
	// Errors is how many operations failed.
	Errors int64 `json:"errors,omitempty"`
}
