package reports

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// FloorSchema is the schema version of [Floor].
const FloorSchema = "rtmkit-floor/v1"

// FloorFile is the file of a run folder that holds the [Floor] of the host, when
// it was known.
const FloorFile = "floor.json"

// Floor is what the load generator measures on one host when there is next to
// nothing to measure: the same workload against a null server, which hands every
// message over at the least cost. It is drawn beside the latencies of a run and
// never subtracted from them: both vary, and the difference of two percentiles
// is no percentile.
type Floor struct {
	// Schema is always [FloorSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// ToolVersion is the version of the load generator.
	ToolVersion string `json:"tool_version"`
	// MeasuredAt is when the measurement began.
	MeasuredAt time.Time `json:"measured_at"`
	// HostSHA256 is the hex SHA-256 of what makes two hosts alike: see
	// [Environment.Fingerprint].
	HostSHA256 string `json:"host_sha256"`
	// Environment is the host.
	Environment Environment `json:"environment"`
	// Workload is the workload's name, such as "peer".
	Workload string `json:"workload"`
	// KindSHA256 is the hex SHA-256 of the workload without its rates, lengths
	// and seed. Runs with the same sum can be set beside this floor.
	KindSHA256 string `json:"kind_sha256"`
	// ValidPerS is the highest offered rate, in messages per second, at which
	// the generator kept its schedule; zero when it kept none that was tried.
	ValidPerS float64 `json:"valid_per_s"`
	// Bounded says that a higher rate was tried and not kept. Without it the
	// generator may carry more than ValidPerS.
	Bounded bool `json:"bounded"`
	// Levels are the rates that were tried, in ascending order of rate.
	Levels []FloorLevel `json:"levels"`
}

// FloorLevel is the floor at one rate.
type FloorLevel struct {
	// OfferedPerS is the rate that was offered, in messages per second.
	OfferedPerS float64 `json:"offered_per_s"`
	// AchievedPerS is the rate that was sent.
	AchievedPerS float64 `json:"achieved_per_s"`
	// Validity says whether the generator kept its schedule.
	Validity ValidityVerdict `json:"validity"`
	// LagP99NS is the 99th percentile of the schedule lag in nanoseconds.
	LagP99NS int64 `json:"lag_p99_ns"`
	// GeneratorCPUPerMessageNS is the CPU time of the generator per message
	// sent, in nanoseconds: what it takes to send one, to take its answer and to
	// receive it wherever it goes. Zero when not observed.
	GeneratorCPUPerMessageNS float64 `json:"generator_cpu_per_message_ns,omitempty"`
	// GeneratorCPUPerDeliveryNS is the same CPU time per delivery.
	GeneratorCPUPerDeliveryNS float64 `json:"generator_cpu_per_delivery_ns,omitempty"`
	// Metrics are the latency distributions, with their curves.
	Metrics []Metric `json:"metrics,omitempty"`
}

// At returns the level to set beside a run that offered so many messages per
// second: of those at which the generator kept its schedule, the nearest by
// ratio. It is nil when there is none.
func (f *Floor) At(perS float64) *FloorLevel {
	var nearest *FloorLevel
	distance := math.Inf(1)
	for i := range f.Levels {
		level := &f.Levels[i]
		if level.Validity == Invalid || level.OfferedPerS <= 0 {
			continue
		}
		if d := math.Abs(math.Log(level.OfferedPerS / perS)); nearest == nil || d < distance {
			nearest, distance = level, d
		}
	}
	return nearest
}

// For returns the floor as it is stored beside a run that offered so many
// messages per second: with the distributions of the level [Floor.At] names, and
// the numbers alone of the others. It is nil for no floor.
func (f *Floor) For(perS float64) *Floor {
	if f == nil {
		return nil
	}
	beside, slim := f.At(perS), *f
	slim.Levels = slices.Clone(f.Levels)
	for i := range slim.Levels {
		if &f.Levels[i] != beside {
			slim.Levels[i].Metrics = nil
		}
	}
	return &slim
}

// Metric returns the metric of the level by name, or nil.
func (l *FloorLevel) Metric(name string) *Metric {
	for i := range l.Metrics {
		if l.Metrics[i].Name == name {
			return &l.Metrics[i]
		}
	}
	return nil
}

// FloorMetric returns the floor of one of the run's metrics by name, at the
// level nearest to the run's offered rate; nil when no floor is known.
func (l *Load) FloorMetric(name string) *Metric {
	if l.Floor == nil {
		return nil
	}
	level := l.Floor.At(l.Summary.OfferedPerS)
	if level == nil {
		return nil
	}
	return level.Metric(name)
}

// WriteFloor puts the floor into the file, whole or not at all, and makes its
// folder when it is missing. It refuses what [ReadFloor] would refuse.
func WriteFloor(file string, f *Floor) error {
	clean, err := redactedCopy(f)
	if err == nil {
		err = clean.validate()
	}
	var data []byte
	if err == nil {
		data, err = encode(clean)
	}
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", file, err)
	}
	return writeFiles(filepath.Dir(file), []textFile{{filepath.Base(file), data}})
}

// ReadFloor returns the floor in the file, as strict as [Read].
func ReadFloor(file string) (*Floor, error) {
	f := new(Floor)
	if err := readFile(file, FloorSchema, f); err != nil {
		return nil, err
	}
	if err := f.validate(); err != nil {
		return nil, fmt.Errorf("reports: read %s: %w", file, err)
	}
	return f, nil
}

// readRunFloor returns the floor of a run folder, or nil when it has none.
func readRunFloor(dir string) (*Floor, error) {
	file := filepath.Join(dir, FloorFile)
	if _, err := os.Lstat(file); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return ReadFloor(file)
}

// validate reports everything in the floor that a reader of this version could
// misunderstand.
func (f *Floor) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf("floor: "+format, args...)) }
	if f.Schema != FloorSchema {
		wrong("schema is %q, not %q", f.Schema, FloorSchema)
	}
	for name, sum := range map[string]string{"host_sha256": f.HostSHA256, "kind_sha256": f.KindSHA256} {
		if !sha256Hex.MatchString(sum) {
			wrong("%s is %q, which is no SHA-256", name, sum)
		}
	}
	if !slices.IsSortedFunc(f.Levels, func(a, b FloorLevel) int { return cmp.Compare(a.OfferedPerS, b.OfferedPerS) }) {
		wrong("the levels do not stand in ascending order")
	}
	for i, level := range f.Levels {
		if level.OfferedPerS <= 0 {
			wrong("levels[%d]: offers %v messages per second", i, level.OfferedPerS)
		}
		if !level.Validity.known() {
			wrong("levels[%d]: unknown validity %q", i, level.Validity)
		}
	}
	return errors.Join(errs...)
}

func (v ValidityVerdict) known() bool { return v == Valid || v == Degraded || v == Invalid }
