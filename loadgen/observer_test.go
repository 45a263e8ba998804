package loadgen

import (
	"math"
	"os"
	"runtime"
	runtimemetrics "runtime/metrics"
	"testing"
)

func TestObserverSeesThisProcess(t *testing.T) {
	o := newObserver(os.Getpid(), nil)
	before := o.look()
	if _, seen := before.readings[colGeneratorCPU]; !seen {
		t.Skip("this system does not tell CPU times")
	}
	// Busy until the clock for CPU times has moved.
	after := before
	for after.readings[colGeneratorCPU] == before.readings[colGeneratorCPU] {
		after = o.look()
	}
	if after.readings[colGoroutines] < 1 || after.readings[colGeneratorCores] < 1 {
		t.Errorf("before %v, after %v", before.readings, after.readings)
	}
	if runtime.GOOS != "linux" {
		return
	}
	for _, c := range []column{colServerCPU, colServerRSS, colMachineCPU, colOpenFiles, colOpenFilesLimit, colRunQueue} {
		if after.readings[c] <= 0 {
			t.Errorf("%s is %v", c, after.readings[c])
		}
	}
	// The server is this process, seen by another clock, with what other tests have started.
	if own, server := after.readings[colGeneratorCPU], after.readings[colServerCPU]; after.serverBy == byClock && server < 0.9*own-50e6 {
		t.Errorf("this process used %v ns by its own account and, with its children, %v by its clock", own, server)
	}
	if sum, by := processTree(1 << 30); by != "" || sum != (processes{}) {
		t.Errorf("a process that is not there used %+v", sum)
	}
}

func TestQuantilesOfAnIntervalLeaveOutWhatWasBefore(t *testing.T) {
	bounds := []float64{math.Inf(-1), 0, 1e-6, 1e-5, 1e-4, math.Inf(1)}
	before := &runtimemetrics.Float64Histogram{Counts: []uint64{0, 0, 0, 500, 1}, Buckets: bounds}
	after := &runtimemetrics.Float64Histogram{Counts: []uint64{0, 98, 1, 501, 1}, Buckets: bounds}
	for q, want := range map[float64]float64{0.5: 1000, 0.98: 1000, 0.99: 10_000, 1: 100_000} {
		if got, ok := quantileSince(before, after, q); !ok || got != want {
			t.Errorf("quantile %v is %v ns, want %v", q, got, want)
		}
	}
	if got, ok := quantileSince(before, before, 0.99); ok {
		t.Errorf("nothing had a quantile of %v", got)
	}
	after.Counts[4]++
	if got, _ := quantileSince(before, after, 1); got != 100_000 {
		t.Errorf("beyond the last bound is %v ns, want the bound", got)
	}
}
