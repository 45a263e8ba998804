package reports

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Environment is the machine and the runtime that produced a result. It holds
// no name of the machine or of its user.
type Environment struct {
	// OS is the operating system in Go's words, such as "linux".
	OS string `json:"os"`
	// Arch is the architecture in Go's words, such as "amd64".
	Arch string `json:"arch"`
	// CPU is the processor's model name; empty when unknown.
	CPU string `json:"cpu,omitempty"`
	// Cores is the number of logical cores the process may use.
	Cores int `json:"cores"`
	// MemoryBytes is the physical memory; zero when unknown.
	MemoryBytes int64 `json:"memory_bytes,omitempty"`
	// Kernel is the kernel's release; empty when unknown.
	Kernel string `json:"kernel,omitempty"`
	// GoVersion is the version of Go the program was built with.
	GoVersion string `json:"go_version"`
	// GOMAXPROCS is how many threads may run Go code at once.
	GOMAXPROCS int `json:"gomaxprocs"`
}

// Fingerprint returns the hex SHA-256 of what decides how fast a host is, as far
// as it is known here: operating system, architecture, processor, cores, memory
// to the gigabyte and kernel. Two hosts of one kind have the same.
func (e Environment) Fingerprint() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%d\n%d\n%s\n%d\n", e.OS, e.Arch, e.CPU, e.Cores, e.MemoryBytes>>30, e.Kernel, e.GOMAXPROCS))
	return hex.EncodeToString(sum[:])
}

// CollectEnvironment returns the environment of this process. What the
// operating system does not tell stays empty; only Linux tells everything.
func CollectEnvironment() Environment {
	e := Environment{
		OS:         runtime.GOOS,
		Arch:       runtime.GOARCH,
		Cores:      runtime.NumCPU(),
		GoVersion:  runtime.Version(),
		GOMAXPROCS: runtime.GOMAXPROCS(0),
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		e.CPU = colonField(b, "model name")
	}
	if b, err := os.ReadFile("/proc/meminfo"); err == nil {
		kib, _ := strconv.ParseInt(strings.TrimSuffix(colonField(b, "MemTotal"), " kB"), 10, 64)
		e.MemoryBytes = kib * 1024
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		e.Kernel = strings.TrimSpace(string(b))
	}
	return e
}

// colonField returns the value of the first "name : value" line.
func colonField(text []byte, name string) string {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), ":")
		if ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
