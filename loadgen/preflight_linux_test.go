package loadgen

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestResourcesOfThisMachineAreFound(t *testing.T) {
	p, err := newPlan(small(10))
	if err != nil {
		t.Fatal(err)
	}
	have := p.resourcesFor("ws://127.0.0.1:1/rtm/v1")
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if have.openFiles < 3 || have.filesLimit != int64(limit.Cur) || have.memory < 1<<20 || have.cores < 1 || have.procs < 1 {
		t.Errorf("found %+v", have)
	}
	if _, err := os.Stat("/proc/sys/net/ipv4/ip_local_port_range"); err == nil && have.ports < 1 {
		t.Errorf("found %d ports", have.ports)
	}
}

func TestTablesOfTheKernelAreRead(t *testing.T) {
	for text, want := range map[string]int64{"32768\t60999\n": 28232, "1024 1024": 1, "": 0, "9 1": 0, "a b": 0} {
		if got := portRange(text); got != want {
			t.Errorf("%q: %d ports, want %d", text, got, want)
		}
	}
	if got := memoryAvailable([]byte("MemTotal: 9 kB\nMemAvailable:     2048 kB\n")); got != 2<<20 {
		t.Errorf("%d bytes are available, want 2 MiB", got)
	}
	u := usage{readings: readings{}}
	u.machine([]byte("cpu  100 0 50 800 10 5 15 20 3 0\ncpu0 60 0 30 400 5 5 10 10 3 0\ncpu1 40 0 20 400 5 0 5 10 0 0\nintr 5 1\nprocs_running 7\n"))
	u.pressure([]byte("some avg10=1.00 avg60=2.00 avg300=3.00 total=1234\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=56\n"))
	u.network([]byte("Ip: A B\nIp: 1 2\nTcp: RtoMin RetransSegs InErrs\nTcp: 200 99 1\n"))
	for c, want := range map[column]float64{
		colMachineCPU: 170 * 1e7, colSteal: 20 * 1e7, colRunQueue: 7,
		colPressureSome: 1234e3, colPressureFull: 56e3, colRetransmits: 99,
	} {
		if got, seen := u.readings[c]; !seen || got != want {
			t.Errorf("%s is %v, want %v", c, got, want)
		}
	}
	later := usage{readings: readings{}}
	later.machine([]byte("cpu0 60 0 30 500 5 5 10 10 3 0\ncpu1 90 0 20 450 5 0 5 10 0 0\n"))
	if share := later.since(u)[colBusiestCore]; share != 0.5 {
		t.Errorf("the busiest core was busy %v of the time, want half", share)
	}
}
