package reports

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// NoiseSchema is the schema version of [Noise].
const NoiseSchema = "rtmkit-noise/v1"

// Noise is what hosts showed when a build was compared with itself: how small a
// change they can tell from noise. It is a file of its own that comparisons read
// and those of identical builds add to.
type Noise struct {
	// Schema is always [NoiseSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// Hosts are the measurements, one for each kind of host and workload.
	Hosts []HostNoise `json:"hosts,omitempty"`
}

// HostNoise is the noise of one kind of host under one workload.
type HostNoise struct {
	// HostSHA256 is the host's [Environment.Fingerprint].
	HostSHA256 string `json:"host_sha256"`
	// WorkloadSHA256 is the hex SHA-256 of the workload, with its rates and
	// lengths: shorter runs are noisier.
	WorkloadSHA256 string `json:"workload_sha256"`
	// Workload is the workload's name.
	Workload string `json:"workload"`
	// MeasuredAt is when the comparison began.
	MeasuredAt time.Time `json:"measured_at"`
	// Blocks is how many blocks counted. With fewer, less can be told.
	Blocks int `json:"blocks"`
	// Metrics are the numbers that every run had.
	Metrics []MetricNoise `json:"metrics,omitempty"`
}

// MetricNoise is the noise of one number.
type MetricNoise struct {
	// Name is the number's name, such as "peer.ack.p99".
	Name string `json:"name"`
	// Detectable is the smallest change that could be told from noise, as a share.
	Detectable float64 `json:"detectable"`
}

// Detectable returns the smallest change of a number that could be told from noise,
// and whether it is known. It may be asked of a nil noise.
func (n *HostNoise) Detectable(name string) (float64, bool) {
	if n == nil {
		return 0, false
	}
	at := slices.IndexFunc(n.Metrics, func(m MetricNoise) bool { return m.Name == name })
	if at < 0 {
		return 0, false
	}
	return n.Metrics[at].Detectable, true
}

// Of returns the noise of a host under a workload; nil when it is not known.
func (n *Noise) Of(hostSHA256, workloadSHA256 string) *HostNoise {
	for i := range n.Hosts {
		if n.Hosts[i].HostSHA256 == hostSHA256 && n.Hosts[i].WorkloadSHA256 == workloadSHA256 {
			return &n.Hosts[i]
		}
	}
	return nil
}

// Keep adds what a comparison of a build with itself has shown, in the place of
// what was known before. It refuses one that was cut short, had too few valid runs,
// or found a difference, which identical builds cannot have.
func (n *Noise) Keep(g *Gate) error {
	switch {
	case g.Interrupted || g.Starved():
		return errors.New("the comparison has too few valid runs to tell the noise of the host")
	case g.Verdict == Regressed || g.Verdict == Improved:
		return fmt.Errorf("identical builds are called %s: they are not identical, or the host is not fit", g.Verdict)
	}
	h := HostNoise{HostSHA256: g.Environment.Fingerprint(), WorkloadSHA256: g.WorkloadSHA256, Workload: g.Workload, MeasuredAt: g.StartedAt, Blocks: g.CountedBlocks()}
	for _, m := range g.Metrics {
		if m.High > 0 {
			h.Metrics = append(h.Metrics, MetricNoise{m.Name, m.Detectable})
		}
	}
	n.Hosts = slices.DeleteFunc(n.Hosts, func(old HostNoise) bool {
		return old.HostSHA256 == h.HostSHA256 && old.WorkloadSHA256 == h.WorkloadSHA256
	})
	n.Hosts = append(n.Hosts, h)
	return nil
}

// CheckTail refuses a rule about a high percentile that this host cannot tell from
// noise, or that nobody has measured: such a rule never decides anything.
func (n *HostNoise) CheckTail(r GateRule) error {
	if r.Margin == 0 || !tailName.MatchString(r.Name) {
		return nil
	}
	detectable, known := n.Detectable(r.Name)
	switch {
	case !known:
		return fmt.Errorf("%s: high percentiles are gated only where a comparison of a build with itself has shown that the host can tell them from noise", r.Name)
	case detectable >= r.Margin:
		return fmt.Errorf("%s: this host cannot tell a change below %s from noise, and the margin is %s", r.Name, formatShare(detectable), formatMargin(r.Margin))
	}
	return nil
}

// WriteNoise puts the noise into the file, whole or not at all, and makes its
// folder when it is missing. It refuses what [ReadNoise] would refuse.
func WriteNoise(file string, n *Noise) error {
	err := n.validate()
	var data []byte
	if err == nil {
		data, err = encode(n)
	}
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", file, err)
	}
	return writeFiles(filepath.Dir(file), []textFile{{filepath.Base(file), data}})
}

// ReadNoise returns the noise in the file, as strict as [Read].
func ReadNoise(file string) (*Noise, error) {
	n := new(Noise)
	if err := readFile(file, NoiseSchema, n); err != nil {
		return nil, err
	}
	if err := n.validate(); err != nil {
		return nil, fmt.Errorf("reports: read %s: %w", file, err)
	}
	return n, nil
}

func (n *Noise) validate() error {
	var errs []error
	if n.Schema != NoiseSchema {
		errs = append(errs, fmt.Errorf("schema is %q, not %q", n.Schema, NoiseSchema))
	}
	for i, h := range n.Hosts {
		if !sha256Hex.MatchString(h.HostSHA256) || !sha256Hex.MatchString(h.WorkloadSHA256) {
			errs = append(errs, fmt.Errorf("hosts[%d]: a check sum is none", i))
		}
		for _, m := range h.Metrics {
			if !(m.Detectable >= 0) {
				errs = append(errs, fmt.Errorf("hosts[%d]: %s: detectable is %v", i, m.Name, m.Detectable))
			}
		}
	}
	return errors.Join(errs...)
}
