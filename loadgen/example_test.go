package loadgen_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

// A run against a server that is already there, with its results in a new folder.
func ExampleRun() {
	workload := loadgen.Peer(5000, 10*time.Second, 100)
	load, err := loadgen.Run(context.Background(), workload, loadgen.Options{
		URL:   "ws://127.0.0.1:8080/rtm/v1",
		AppID: "0123456789abcdef0123456789abcdef",
		Dir:   "runs/today",
		Progress: func(p loadgen.Progress) {
			fmt.Fprintf(os.Stderr, "%s: %d sent, p99 %v\n", p.Phase, p.Sent, p.P99)
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if outcome := loadgen.OutcomeOf(load, err); outcome != loadgen.Passed {
		fmt.Fprintln(os.Stderr, outcome)
		os.Exit(1)
	}
}

func ExampleFanout() {
	// 1,000 messages a second to 10 channels of 100 members ask for 99,000 deliveries a second.
	w := loadgen.Fanout(1000, 10*time.Second, 10, 100)
	w.Traffic[0].Payload.Bytes = 256
	fmt.Println(w.Sessions.Count, "sessions", w.Check())

	text, err := w.YAML()
	fmt.Print(string(text))
	fmt.Println(err)
	// Output:
	// 100 sessions <nil>
	// schema: rtmkit-load/v1
	// name: channel
	// seed: 1
	// sessions:
	//   count: 100
	//   uid: load-%05d
	//   rate: 200/s
	//   join_rate: 1000/s
	// channels:
	//   - name: room-%03d
	//     count: 10
	//     members: 100
	// traffic:
	//   - id: channel
	//     op: channel
	//     channel: room-%03d
	//     executor: open
	//     arrival: constant
	//     rate: 1000/s
	//     payload:
	//       bytes: 256
	//       type: text
	// phases:
	//   warmup: 2s
	//   measure: 10s
	//   drain: 15s
	// limits:
	//   max_in_flight: 20000
	// <nil>
}

func ExampleParseWorkload() {
	_, err := loadgen.ParseWorkload("chat.yaml", []byte(`
sessions: {count: 10}
traffic:
  - {id: chat, op: peer, rate: 100}
phases: {measure: 10s}
`))
	fmt.Println(err)
	// Output: chat.yaml:4: rate "100" has no unit; write it like 5000/s
}

func ExampleParseRate() {
	rate, err := loadgen.ParseRate("30/m")
	fmt.Println(rate, err)
	// Output: 0.5/s <nil>
}

func ExampleJudge() {
	v := loadgen.Judge(loadgen.Evidence{
		LagP99: 5 * time.Millisecond, Seconds: 10, Offered: 10_000, Sent: 10_000, GeneratorCPU: 0.9,
	})
	fmt.Println(v.Verdict, "because", v.Reasons[0])
	fmt.Println(v.Attribution)
	// Output:
	// invalid because the schedule lag had a p99 of 5ms; up to 1ms is valid
	// generator bound
}

// A search for what a server carries; here a trial is a sum, and in earnest a run that JudgeTrial judges.
func ExampleSearcher_Search() {
	answer, err := loadgen.Searcher{
		From: 100, To: 100_000, Short: 5 * time.Second, Full: 15 * time.Second,
		Trial: func(_ context.Context, _ reports.SearchStep, rate float64, _ time.Duration) (loadgen.TrialResult, error) {
			if rate > 20_000 {
				return loadgen.TrialResult{Verdict: reports.TrialFailed, Criterion: "peer.ack.p99 < 20ms; observed 31ms"}, nil
			}
			return loadgen.TrialResult{Verdict: reports.TrialPassed}, nil
		},
	}.Search(context.Background())
	fmt.Printf("%.0f/s passes, %.0f/s does not: %s\n", answer.RatePerS, answer.FailsPerS, answer.Criterion)
	fmt.Println(answer.Bound, answer.Confirmed, err)
	// Output:
	// 19740/s passes, 20180/s does not: peer.ack.p99 < 20ms; observed 31ms
	// server true <nil>
}
