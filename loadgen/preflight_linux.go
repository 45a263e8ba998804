package loadgen

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// localPorts returns how many ports the kernel gives to outgoing connections to one address.
func localPorts() int64 {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0
	}
	return portRange(string(text))
}

// portRange reads a first and a last port.
func portRange(text string) int64 {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0
	}
	first, err := strconv.ParseInt(fields[0], 10, 64)
	last, err2 := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || err2 != nil || last < first {
		return 0
	}
	return last - first + 1
}

// availableMemory returns the kernel's estimate of what programs can still have, and less where the group of this process
// may have less.
func availableMemory() int64 {
	memory := int64(0)
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		memory = memoryAvailable(text)
	}
	most, err := os.ReadFile(groupFile("memory.max"))
	used, err2 := os.ReadFile(groupFile("memory.current"))
	if err == nil && err2 == nil {
		limit, err := strconv.ParseInt(string(bytes.TrimSpace(most)), 10, 64) // it is "max" where there is none
		now, err2 := strconv.ParseInt(string(bytes.TrimSpace(used)), 10, 64)
		if err == nil && err2 == nil {
			memory = min(memory, max(limit-now, 1))
		}
	}
	return memory
}

// memoryAvailable reads the line of /proc/meminfo.
func memoryAvailable(text []byte) int64 {
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == "MemAvailable:" && fields[2] == "kB" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}
