// Package loadgen measures RTM servers under an honest load: it sends messages on a schedule that no answer can slow
// down, follows every message to every receiver, and judges its own run before it shows a latency.
//
// # One run
//
// A [Workload] says what to do: how many sessions, which channels, which traffic at which rate, for how long. [Run]
// plays it against a server in four phases. In connect every session logs in and joins its channels. In warmup the
// traffic flows but is not measured; the phase ends behind a barrier, when every warm-up message is accounted for. In
// measure a fresh schedule starts. In drain nothing is sent any more; the phase ends when nothing is missing or its time
// is over. Then all sessions log out, and what has not arrived by the end of their connections is lost.
//
// Ready workloads stand on the [Shelf]. [LintWorkload] says what is odd about one of your own, and [WorkloadJSONSchema]
// lets an editor complete it.
//
// # What is measured
//
// The load is open loop, at one rate, in stages, in bursts, or replayed from a trace: the moment at which each message is
// due follows from the workload and its seed alone. A latency starts at that intended time, not at the moment the message
// was really sent, so that a stall of the server or of the generator shows in full in every percentile (no coordinated
// omission). The distance between the two is measured for every message as well, as the metric lag. A workload may be a
// closed loop instead, in which answers make room for messages: it finds out how fast a server lets itself be driven, and
// its result says that its latencies do not compare. Latencies are integer nanoseconds of one process's monotonic clock in
// HdrHistograms of three digits.
//
// # What is counted
//
// Every payload begins with a [Stamp] that names run, stream, sequence number and due time. Each receiver marks in a
// bitmap what reached it, so that the ledger of a run is exact: every delivery that had to happen happened once, or is
// lost, and whatever else arrived is a duplicate, a leak, foreign or corrupt. A receipt that claims a delivery which the
// receiver's bitmap does not have is a false receipt.
//
// # Who comes and goes
//
// Sessions may leave and join channels, log in and out, lose their connection, or stop reading while messages flow
// ([OpJoin], [OpLogin], [OpReconnect], [OpPause]). A log of each place says by run time when a session was there for
// sure, when it was away for sure, and when it was just coming or going; the whole way of a message, from the write to
// the answer, is held against it. Whoever was there all the time must get the message; whoever was away all the time
// must not; whoever was coming or going may. So a loss or a leak stays an exact count while members change.
//
// # Whether to believe it
//
// A run is valid, degraded or invalid before it is fast or slow: see [Judge]. The server belongs in a process of its
// own, else both share one scheduler and the generator measures itself.
//
// What a host can measure at all, [ServeNull] shows: a server that hands every message over and does nothing else. A run
// stores that floor and never subtracts it. How much a server carries, a [Searcher] finds, with [JudgeTrial] to say of
// each run whether the server kept up, or the generator did not.
//
// # What it has to keep
//
// A [Threshold] is a [Limit] of one number of the run, over all of it or in each window of it. A limit that has too few
// samples to be judged fails, because nobody knows whether it was kept. A threshold may end the run.
//
// # What stays behind
//
// A run folder: manifest.json, workload.yaml, summary.json, latency.hlog (read by every HdrHistogram tool), one .hgrm
// for each metric, series.csv, health.csv, events.jsonl, books.jsonl.gz with what became of each message, and
// ledger.jsonl, which names what went wrong. Everything in summary.json follows from the other files: [Verify] derives it
// again and compares.
package loadgen
