package loadgen

import (
	"fmt"
	"net/url"
	"runtime"
)

// resources are what this process may use of its machine. Zero means that it is not known, so that nothing is refused
// for it.
type resources struct {
	openFiles  int64 // files and sockets that are open already
	filesLimit int64 // how many may be open
	ports      int64 // local ports for connections to one address
	memory     int64 // bytes that programs can still have
	cores      int   // of the machine
	procs      int   // that Go may use at once
}

// spareFiles are for the run folder, the metrics of a server, and what the runtime opens.
const spareFiles = 32

// preflight holds what a run will need against what there is, before anything is opened, and returns the first thing that
// does not suffice with the remedy, as a [*WorkloadError], or sentences that readers of the report must know.
func (p *plan) preflight(have resources) (notes []string, err error) {
	refuse := func(format string, args ...any) ([]string, error) {
		return nil, &WorkloadError{fmt.Errorf("workload %s: %w", p.Name, fmt.Errorf(format, args...))}
	}
	sessions := p.connections()
	if need := sessions + have.openFiles + spareFiles; have.filesLimit > 0 && need > have.filesLimit {
		return refuse("sessions.count: %d sessions need %d open files and the limit is %d; raise it with ulimit -n %d, or use fewer sessions", sessions, need, have.filesLimit, need)
	}
	if have.ports > 0 && sessions > have.ports {
		return refuse("sessions.count: %d connections to one address need as many local ports and there are %d; widen net.ipv4.ip_local_port_range, or use at most %d sessions", sessions, have.ports, have.ports)
	}
	if need := p.footprint(have.procs); have.memory > 0 && need > have.memory {
		return refuse("phases.measure: the books of the run need %s of memory and %s are available; shorten it, lower the rate, or use fewer sessions", bytesText(need), bytesText(have.memory))
	}
	if have.procs > 0 && have.procs < have.cores {
		notes = append(notes, fmt.Sprintf("The generator was allowed %d of the %d cores (GOMAXPROCS).", have.procs, have.cores))
	}
	return notes, nil
}

// connections returns how many connections this process opens.
func (p *plan) connections() int64 { return int64(p.mine.last - p.mine.first) }

// footprint estimates what a run takes of memory, in bytes, as far as it grows with the workload: the ledger, the sessions
// and the histograms.
func (p *plan) footprint(procs int) int64 {
	const (
		session   = 32 << 10 // buffers and stacks
		histogram = 226_000  // of our geometry
	)
	// Of each metric a filling and an empty one for each shard, the second and the total.
	return int64(p.memory()) + p.connections()*session + int64(metrics)*histogram*int64(2*(procs+1)+2)
}

func bytesText(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// resourcesFor finds out what this process may use, and raises its limit of open files as far as it may where that is
// needed.
func (p *plan) resourcesFor(target string) resources {
	have := resources{cores: runtime.NumCPU(), procs: runtime.GOMAXPROCS(0)}
	have.openFiles, have.filesLimit = openFilesFor(p.connections() + spareFiles)
	have.memory = availableMemory()
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		have.ports = localPorts()
	}
	return have
}
