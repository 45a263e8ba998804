package loadgen_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	refserver "github.com/rtmkit/rtmkit/reference-server"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// crowd is a quick workload of 30 sessions in two channels and peer messages beside them, with an entry that lets
// sessions come and go.
func crowd(entry loadgen.Traffic) loadgen.Workload {
	w := loadgen.Fanout(300, time.Second, 2, 30)
	w.Sessions.Rate, w.Sessions.JoinRate, w.Phases.Warmup = 2000, 5000, 300*time.Millisecond
	w.Traffic = append(w.Traffic, loadgen.Traffic{ID: "peer", Op: loadgen.OpPeer, Rate: 300}, entry)
	return w
}

// came plays the workload against the reference server and fails the test unless the books balance, nothing went wrong
// with any message, and every operation worked.
func came(t *testing.T, w loadgen.Workload, change func(*refserver.Config)) *reports.Load {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	load, err := played(t, w, loadgen.Options{URL: reference(t, change), AppID: app, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range load.Summary.Equations {
		if !e.Holds {
			t.Errorf("%s: %s does not hold: %d and %d", e.Traffic, e.Text, e.Left, e.Right)
		}
	}
	for _, row := range load.Summary.Ledger {
		if !row.Clean() {
			t.Errorf("ledger %+v", row)
		}
	}
	for _, threshold := range load.Summary.Thresholds {
		if !threshold.Holds {
			t.Errorf("%s, observed %s; errors %v; ledger %+v", threshold.Expr, threshold.Observed, load.Summary.Errors, load.Summary.Ledger)
		}
	}
	for _, row := range load.Summary.Operations {
		if row.Done == 0 || row.Done != row.Scheduled {
			t.Errorf("operations %+v; errors %v", row, load.Summary.Errors)
		}
	}
	found, err := loadgen.Verify(dir)
	if err != nil || len(found.Differences) > 0 {
		t.Errorf("the run folder: %v, %v", found, err)
	}
	return load
}

func TestReferenceServerKeepsItsBooksWhileMembersLeaveAndJoin(t *testing.T) {
	load := came(t, crowd(loadgen.Traffic{ID: "churn", Op: loadgen.OpJoin, Rate: 200, Arrival: loadgen.Poisson, Sessions: "10-29"}), nil)
	// Ten members stay in each channel.
	if row := load.Summary.Ledger[0]; row.Expected < 390*9 {
		t.Errorf("ledger %+v", row)
	}
}

func TestReferenceServerKeepsItsBooksInALoginStorm(t *testing.T) {
	w := crowd(loadgen.Traffic{ID: "storm", Op: loadgen.OpLogin, Rate: 200, Arrival: loadgen.Poisson, Sessions: "60-89"})
	w.Sessions.Count = 90
	load := came(t, w, nil)
	if row := load.Summary.Ledger[0]; row.DeliveredOnce != 390*29 {
		t.Errorf("ledger %+v", row)
	}
}

func TestReferenceServerKeepsItsBooksInAReconnectStorm(t *testing.T) {
	w := crowd(loadgen.Traffic{ID: "storm", Op: loadgen.OpReconnect, Rate: 100, Arrival: loadgen.Poisson, Sessions: "15-29"})
	w.Phases.Warmup = 0
	load := came(t, w, func(c *refserver.Config) {
		// Who sent to a session that was cut off learns so late that its receipt is missing.
		c.Limits.AckTimeoutMS = 4000
	})
	if row := load.Summary.Ledger[0]; row.Expected < 300*14 {
		t.Errorf("ledger %+v", row)
	}
}

func TestReferenceServerKeepsItsBooksWithSlowReaders(t *testing.T) {
	load := came(t, crowd(loadgen.Traffic{ID: "slow", Op: loadgen.OpPause, Rate: 50, Sessions: "20-29", Hold: 100 * time.Millisecond}), nil)
	// Slow readers get everything all the same.
	if row := load.Summary.Ledger[0]; row.DeliveredOnce != 390*29 {
		t.Errorf("ledger %+v", row)
	}
}

func TestSlowReaderThatTheServerCutsOffIsNoLoss(t *testing.T) {
	// 400 messages of 30 kB are more than server and sockets hold for a session that does not read for the whole run.
	w := loadgen.Fanout(400, time.Second, 1, 4)
	w.Traffic[0].Payload.Bytes = 30_000
	w.Sessions.Rate, w.Phases.Warmup, w.Phases.Drain = 1000, 0, 5*time.Second
	w.Traffic = append(w.Traffic, loadgen.Traffic{ID: "slow", Op: loadgen.OpPause, Rate: 1, Sessions: "3", Hold: time.Second})
	dir := filepath.Join(t.TempDir(), "run")
	load, err := played(t, w, loadgen.Options{URL: reference(t, nil), AppID: app, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	row := load.Summary.Ledger[0]
	// On a busy machine the server cuts off others as well.
	if !row.Clean() || row.Expected == 0 || row.Received == row.AckedReceived*3 {
		t.Errorf("ledger %+v; errors %v", row, load.Summary.Errors)
	}
	cut := func(e reports.ErrorCount) bool {
		return e.Class == loadgen.ClassClosed && e.Code == int(wire.CloseSlowConsumer)
	}
	if !slices.ContainsFunc(load.Summary.Errors, cut) {
		t.Errorf("errors %v do not name the end of the slow reader", load.Summary.Errors)
	}
}
