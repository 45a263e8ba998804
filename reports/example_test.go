package reports_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

func Example() {
	dir, err := os.MkdirTemp("", "report")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	report := &reports.Report{
		Schema:      reports.ReportSchema,
		ToolVersion: "0.1.0",
		StartedAt:   time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC),
		EndedAt:     time.Date(2026, 11, 23, 9, 30, 9, 0, time.UTC),
		Environment: reports.CollectEnvironment(),
		Conformance: &reports.Conformance{
			Schema:  reports.ConformanceSchema,
			Subject: reports.Identity{Kind: "server", Name: "example", Version: "1.0"},
			Requirements: []reports.RequirementResult{{
				ID: "RTM-PEER-002", Area: "peer", Level: reports.Must, Subject: "server", Profile: "core",
				Text: "hasPeerReceived is false when the peer is offline.", Verdict: reports.Pass,
			}},
		},
	}
	if err := reports.Write(dir, report); err != nil {
		fmt.Println(err)
		return
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	again, err := reports.Read(dir)
	fmt.Println(again.Conformance.Counts(), err)
	// Output:
	// badge.json
	// checksums.txt
	// index.html
	// junit.xml
	// report.json
	// summary.md
	// map[pass:1] <nil>
}

func ExampleWorst() {
	fmt.Println(reports.Worst(reports.Pass, reports.Fail, reports.Warn))
	// Output: fail
}

func ExampleRedact() {
	fmt.Println(reports.Redact(`{"kind":"login","id":1,"uid":"alice","token":"007eJxT"}`))
	// Output: {"kind":"login","id":1,"uid":"alice","token":"[redacted]"}
}

func ExampleNewFrame() {
	f := reports.NewFrame(1500*time.Microsecond, "alice", reports.Sent, `{"kind":"ping","id":3}`)
	fmt.Println(f.AtNS, f.Actor, f.Direction, f.Payload)
	// Output: 1500000 alice -> {"kind":"ping","id":3}
}

func ExampleCompareLoads() {
	run := func(p99 time.Duration) *reports.Load {
		return &reports.Load{
			Manifest: reports.Manifest{Schema: reports.LoadSchema, Name: "peer"},
			Summary: reports.Summary{
				Schema:   reports.LoadSchema,
				Validity: reports.Validity{Verdict: reports.Valid},
				Metrics:  []reports.Metric{{Name: "peer.ack", Count: 50_000, P99NS: int64(p99)}},
			},
		}
	}
	c, err := reports.CompareLoads(run(4*time.Millisecond), run(5*time.Millisecond))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range c.Runs[0].Metrics {
		if percent, ok := m.Percent(); ok {
			fmt.Printf("%s %s %+.0f %%\n", m.Metric, m.Statistic, percent)
		}
	}
	// Output: peer.ack p99 +25 %
}
