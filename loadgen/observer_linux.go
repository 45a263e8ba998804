package loadgen

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ticksPerSecond is the unit of CPU times in /proc, which Linux fixes at 100 for programs on every architecture that Go
// runs on.
const ticksPerSecond = 100

// lookAround reads what the kernel tells of this process's threads and of the machine.
func (o *observer) lookAround(u *usage) {
	o.lookAtThreads(u)
	if text, err := os.ReadFile("/proc/stat"); err == nil {
		u.machine(text)
	}
	if text, err := os.ReadFile("/proc/pressure/cpu"); err == nil {
		u.pressure(text)
	}
	if text, err := os.ReadFile("/proc/net/snmp"); err == nil {
		u.network(text)
	}
	if text, err := os.ReadFile(groupFile("cpu.stat")); err == nil {
		if us, ok := field(text, "throttled_usec "); ok {
			u.readings[colThrottled] = us * 1e3
		}
	}
}

// lookAtThreads adds up what the threads of this process waited, thread by thread, because the account of a thread that
// has ended is gone. What such a thread waited since the last look is lost.
func (o *observer) lookAtThreads(u *usage) {
	files, _ := filepath.Glob("/proc/self/task/*/schedstat")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		var ran int64
		var now turns
		if n, err := fmt.Sscan(string(text), &ran, &now.waited, &now.runs); n < 3 || err != nil {
			continue
		}
		last := o.threads[file]
		if now.runs < last.runs {
			last = turns{} // a new thread under an old number
		}
		o.turns.waited += now.waited - last.waited
		o.turns.runs += now.runs - last.runs
		o.threads[file] = now
		u.readings[colGeneratorWait], u.readings[colGeneratorRuns] = float64(o.turns.waited), float64(o.turns.runs)
	}
}

// machine takes the CPU times of all cores and of each, and the run queue, from /proc/stat.
func (u *usage) machine(text []byte) {
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 2 && fields[0] == "procs_running":
			if n, err := strconv.ParseFloat(fields[1], 64); err == nil {
				u.readings[colRunQueue] = n
			}
		case len(fields) >= 9 && strings.HasPrefix(fields[0], "cpu"):
			// user, nice, system, idle, iowait, irq, softirq, steal; what guests used is part of user and nice.
			var t [8]uint64
			var total uint64
			for i := range t {
				t[i], _ = strconv.ParseUint(fields[i+1], 10, 64)
				total += t[i]
			}
			busy := total - t[3] - t[4] - t[7]
			if fields[0] != "cpu" {
				u.cores = append(u.cores, coreTime{busy + t[7], total})
				continue
			}
			const tick = float64(time.Second / ticksPerSecond)
			u.readings[colMachineCPU], u.readings[colSteal] = float64(busy)*tick, float64(t[7])*tick
		}
	}
}

// pressure takes the totals of the kernel's pressure stall information.
func (u *usage) pressure(text []byte) {
	for line := range bytes.Lines(text) {
		us, ok := field(line, "total=")
		switch {
		case ok && bytes.HasPrefix(line, []byte("some ")):
			u.readings[colPressureSome] = us * 1e3
		case ok && bytes.HasPrefix(line, []byte("full ")):
			u.readings[colPressureFull] = us * 1e3
		}
	}
}

// network takes the number of segments sent again from /proc/net/snmp, where a line of names stands over one of numbers.
func (u *usage) network(text []byte) {
	var names []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || fields[0] != "Tcp:" {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if name == "RetransSegs" && i < len(fields) {
				if n, err := strconv.ParseFloat(fields[i], 64); err == nil {
					u.readings[colRetransmits] = n
				}
			}
		}
	}
}

// field returns the number behind a name.
func field(text []byte, name string) (float64, bool) {
	_, rest, found := bytes.Cut(text, []byte(name))
	if !found {
		return 0, false
	}
	digits := bytes.IndexFunc(rest, func(r rune) bool { return r < '0' || r > '9' })
	if digits < 0 {
		digits = len(rest)
	}
	n, err := strconv.ParseFloat(string(rest[:digits]), 64)
	return n, err == nil
}

// groupFile names a file of the control group of this process.
func groupFile(name string) string {
	text, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if group, unified := strings.CutPrefix(strings.TrimSpace(line), "0::"); unified {
			return filepath.Join("/sys/fs/cgroup", group, name)
		}
	}
	return ""
}

// maxTree bounds how many processes count as the server.
const maxTree = 1000

// processTree adds up a process and all that descend from it, and says how the CPU time was observed; nothing when the
// process is gone. A server that was started through a shell does its work in a child.
//
// The CPU clock of a process is exact to the nanosecond, as far as the scheduler has booked it, and knows of threads that
// have ended. The process table counts in ticks of 10 ms; it serves where the clock of another process cannot be read,
// and for children that have ended.
func processTree(root int) (sum processes, by string) {
	by = byClock
	pids := []int{root}
	for i := 0; i < len(pids) && i < maxTree; i++ {
		pid := pids[i]
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		// The second field, the name, may hold spaces and parentheses; the last parenthesis ends it.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if err != nil || len(fields) < 22 {
			continue
		}
		number := func(i int) int64 {
			n, _ := strconv.ParseInt(string(fields[i-3]), 10, 64)
			return n
		}
		const tick = time.Second / ticksPerSecond
		// Counted from 1 as proc(5) does: 14 and 15 are user and system time, 16 and 17 those of the children that were
		// waited for, 24 the resident pages.
		if cpu, ok := processClock(pid); ok {
			sum.cpu += cpu
		} else {
			sum.cpu += time.Duration(number(14)+number(15)) * tick
			by = byTicks
		}
		sum.cpu += time.Duration(number(16)+number(17)) * tick
		sum.rss += number(24) * int64(os.Getpagesize())
		pids = append(pids, children(pid)...)
	}
	if sum == (processes{}) {
		return sum, ""
	}
	return sum, by
}

// processClock reads the CPU clock of a process. Its number is made of the process id as clock_getcpuclockid(3) does.
func processClock(pid int) (time.Duration, bool) {
	const cpuClock = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuClock), &t); err != nil {
		return 0, false
	}
	return time.Duration(t.Nano()), true
}

// children lists the processes that the threads of a process have started and not waited for.
func children(pid int) (pids []int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, word := range bytes.Fields(text) {
			if child, err := strconv.Atoi(string(word)); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
