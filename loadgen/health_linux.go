package loadgen

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of CPU times in /proc, which Linux fixes at 100 for programs on every architecture that Go
// runs on.
const ticksPerSecond = 100

func ownCPU() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuPressure reads the total of the "some" line of the kernel's pressure stall information.
func cpuPressure() time.Duration {
	text, err := os.ReadFile("/proc/pressure/cpu")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(text, []byte("\n"))
	_, total, found := bytes.Cut(line, []byte("total="))
	if !found {
		return 0
	}
	us, err := strconv.ParseInt(string(total), 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(us) * time.Microsecond
}

// processUsage reads CPU time and resident memory of a process; zeroes when it is gone.
func processUsage(pid int) (cpu time.Duration, rss int64) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0
	}
	// The second field, the name, may hold spaces and parentheses; the last parenthesis ends it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 22 {
		return 0, 0
	}
	number := func(i int) int64 {
		n, _ := strconv.ParseInt(string(fields[i-3]), 10, 64)
		return n
	}
	// Fields 14 and 15 are user and system time, field 24 the resident pages, counted from 1 as proc(5) does.
	cpu = time.Duration(number(14)+number(15)) * time.Second / ticksPerSecond
	return cpu, number(24) * int64(os.Getpagesize())
}
