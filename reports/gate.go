package reports

import "time"

// GateSchema is the schema version of [Gate].
const GateSchema = "rtmkit-ab/v1"

// Gate is the comparison of two builds of a server by repeated load runs, with a
// verdict whose unit is the run. It is written as ab.json. What was run stands in
// Runs and Blocks; everything in Verdict, Metrics and Counts follows from these
// and from Plan, see [Gate.Judge].
type Gate struct {
	// Schema is always [GateSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// Verdict is the worst of what is gated.
	Verdict GateVerdict `json:"verdict"`
	// ToolVersion is the version of rtmkit that compared.
	ToolVersion string `json:"tool_version"`
	// StartedAt is when the first run began.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when the last run ended.
	EndedAt time.Time `json:"ended_at"`
	// Environment is the machine that compared.
	Environment Environment `json:"environment"`
	// Command repeats the comparison. [WriteGate] redacts tokens in it.
	Command string `json:"command,omitempty"`
	// Notes say in sentences what a reader must know before the numbers, such as
	// that the CPU time of the server was not observed.
	Notes []string `json:"notes,omitempty"`
	// Interrupted says that the comparison was cut short.
	Interrupted bool `json:"interrupted,omitempty"`
	// Workload is the workload's name.
	Workload string `json:"workload"`
	// WorkloadSHA256 is the hex SHA-256 of the workload of every run.
	WorkloadSHA256 string `json:"workload_sha256,omitempty"`
	// Base is the trusted side.
	Base GateServer `json:"base"`
	// Head is the side in question.
	Head GateServer `json:"head"`
	// Plan was fixed before the first run.
	Plan GatePlan `json:"plan"`
	// Paired says that the runs stand in interleaved blocks. Without it they are
	// stored runs, and a change of the machine between the sides is part of the
	// difference.
	Paired bool `json:"paired"`
	// Seed tossed the order of the runs of each block.
	Seed int64 `json:"seed,omitempty"`
	// Blocks are the blocks in the order they ran; none for stored runs.
	Blocks []GateBlock `json:"blocks,omitempty"`
	// Runs are all runs, also those that do not count.
	Runs []GateRun `json:"runs,omitempty"`
	// Curve names the metric of the percentile curves of the runs.
	Curve string `json:"curve,omitempty"`
	// Metrics are the verdicts, the gated ones first.
	Metrics []GateMetric `json:"metrics,omitempty"`
	// Counts are what should not happen at all.
	Counts []GateCount `json:"counts,omitempty"`
	// Noise is what this host showed earlier when a build was compared with
	// itself; nil when it is not known.
	Noise *HostNoise `json:"noise,omitempty"`
}

// GateVerdict says whether head is worse than base.
type GateVerdict string

// The verdicts of a gate.
const (
	// Regressed says that head is worse by more than the margin.
	Regressed GateVerdict = "regressed"
	// Inconclusive says that the runs do not tell: neither a change beyond the
	// margin nor its absence is shown.
	Inconclusive GateVerdict = "inconclusive"
	// Equivalent says that any change is smaller than the margin.
	Equivalent GateVerdict = "equivalent"
	// Improved says that head is better by more than the margin.
	Improved GateVerdict = "improved"
	// NotGated says that the number is reported and decides nothing.
	NotGated GateVerdict = "not gated"
)

// GateVerdicts returns every verdict of a gate, the gravest first.
func GateVerdicts() []GateVerdict {
	return []GateVerdict{Regressed, Inconclusive, Equivalent, Improved, NotGated}
}

// GateServer is one side of a [Gate].
type GateServer struct {
	// Source is where the runs came from: the command that started the server,
	// its URL, or the folders of the stored runs.
	Source string `json:"source"`
	// Server is the server as it named itself at login.
	Server Identity `json:"server"`
}

// GatePlan is what decides, fixed before the first run.
type GatePlan struct {
	// Alpha is the probability of a false claim, of regressions and of
	// improvements each, over all metrics and looks together.
	Alpha float64 `json:"alpha"`
	// Rules are the gated metrics.
	Rules []GateRule `json:"rules,omitempty"`
	// Looks are the only moments at which a claim may be made; none for stored
	// runs, which are looked at once.
	Looks []GateLook `json:"looks,omitempty"`
}

// GateRule is one gated number.
type GateRule struct {
	// Name is the number's name, such as "peer.ack.p50" or [ServerCPU].
	Name string `json:"name"`
	// Margin is the change that does not matter, as a share of the base: 0.05 for
	// five percent.
	Margin float64 `json:"margin"`
}

// GateLook is one moment at which the blocks so far are judged.
type GateLook struct {
	// Blocks is how many blocks have been run by then.
	Blocks int `json:"blocks"`
	// Alpha is the part of the plan's alpha that is spent here.
	Alpha float64 `json:"alpha"`
}

// GateOrder is the order of the sides in a block.
type GateOrder string

// The orders of a block, A for base and B for head. In both a steady drift of the
// machine adds as much to one side as to the other. Which one a block has is
// tossed, and that alone makes the test exact: on identical builds each block
// could as well have had the opposite sign, whatever the machine does.
const (
	// ABBA runs base, head, head, base.
	ABBA GateOrder = "ABBA"
	// BAAB runs head, base, base, head.
	BAAB GateOrder = "BAAB"
)

// Sides returns the sides in their order.
func (o GateOrder) Sides() []GateSide {
	if o == BAAB {
		return []GateSide{HeadSide, BaseSide, BaseSide, HeadSide}
	}
	return []GateSide{BaseSide, HeadSide, HeadSide, BaseSide}
}

// GateBlock is one block of four runs, two of each side.
type GateBlock struct {
	// Order is the order of its runs.
	Order GateOrder `json:"order"`
	// Dropped says in a sentence why the block does not count; empty when it does.
	Dropped string `json:"dropped,omitempty"`
}

// GateSide is base or head.
type GateSide string

// The sides of a gate.
const (
	// BaseSide is the trusted side.
	BaseSide GateSide = "base"
	// HeadSide is the side in question.
	HeadSide GateSide = "head"
)

// GateRun is one load run of a [Gate].
type GateRun struct {
	// Name is what the run is called.
	Name string `json:"name"`
	// Dir is the run folder relative to the folder of the gate, with forward
	// slashes; empty when there is none.
	Dir string `json:"dir,omitempty"`
	// Side is base or head.
	Side GateSide `json:"side"`
	// Block is the number of its block from one; zero for stored runs.
	Block int `json:"block,omitempty"`
	// StartedAt is when it began.
	StartedAt time.Time `json:"started_at"`
	// Validity is the verdict on the run itself.
	Validity ValidityVerdict `json:"validity"`
	// Reasons say why it is not valid.
	Reasons []string `json:"reasons,omitempty"`
	// Counted says that the run belongs to what is judged: it is not invalid, and
	// its block was not dropped.
	Counted bool `json:"counted"`
	// Lost is how many expected deliveries never happened.
	Lost int64 `json:"lost"`
	// FalseReceipts is how many messages were receipted and never delivered.
	FalseReceipts int64 `json:"false_receipts"`
	// Failed is how many messages were refused, not answered or not sent.
	Failed int64 `json:"failed"`
	// Values are the numbers of the run by name, in nanoseconds. What was not
	// observed is missing.
	Values map[string]float64 `json:"values,omitempty"`
	// Curve is the percentile curve of the gate's curve metric, up to where ten
	// samples lie beyond.
	Curve []CurvePoint `json:"curve,omitempty"`
}

// GateMetric is what became of one number.
type GateMetric struct {
	// Name is the number's name.
	Name string `json:"name"`
	// Verdict is the verdict, or [NotGated].
	Verdict GateVerdict `json:"verdict"`
	// Reason says in a sentence why nothing could be decided; empty when the
	// interval says it all.
	Reason string `json:"reason,omitempty"`
	// Margin is the margin of its rule; zero when it is not gated.
	Margin float64 `json:"margin,omitempty"`
	// Base is the median over the base's runs in nanoseconds.
	Base float64 `json:"base"`
	// Head is the median over the head's runs in nanoseconds.
	Head float64 `json:"head"`
	// Ratio is the estimate of head over base (Hodges and Lehmann).
	Ratio float64 `json:"ratio"`
	// Low is the lower end of the ratio's interval; zero when it has none.
	Low float64 `json:"low,omitempty"`
	// High is the upper end of the ratio's interval; zero when it has none.
	High float64 `json:"high,omitempty"`
	// Confidence is the level of the interval, 0 to 1, after the correction for
	// the number of gated metrics and of looks.
	Confidence float64 `json:"confidence"`
	// P is the smallest p-value of the three claims: worse than the margin,
	// better than it, within it. One when nothing was tested.
	P float64 `json:"p"`
	// Blocks is how many blocks the interval rests on; for stored runs, how many
	// runs of the smaller side.
	Blocks int `json:"blocks"`
	// Detectable is the smallest change that can be told from noise here, as a
	// share: half the width of the interval. Zero when there is no interval.
	Detectable float64 `json:"detectable,omitempty"`
}

// GateCount is something that should not happen even once.
type GateCount struct {
	// Name says what was counted.
	Name string `json:"name"`
	// Base is the count over all runs of the base.
	Base int64 `json:"base"`
	// Head is the count over all runs of the head.
	Head int64 `json:"head"`
	// Verdict is regressed when it happened in head, whatever the base did, or
	// [NotGated].
	Verdict GateVerdict `json:"verdict"`
}
