package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

type loadCalibrateCommand struct {
	Workload string `arg:"" optional:"" help:"peer, channel, another ready workload by name, or the path of a workload file; without it peer and channel."`

	Duration time.Duration `default:"5s" placeholder:"DURATION" help:"Length of each run at 10, 50 and 100 % of the rate."`
	Trial    time.Duration `default:"3s" placeholder:"DURATION" help:"Length of each run that looks for the highest rate."`
	To       loadgen.Rate  `default:"200000/s" placeholder:"N/s" help:"Highest rate that is tried."`
	Out      string        `placeholder:"FILE" help:"Write the floor here instead of into the user's cache; needs one workload."`
}

// calibrateTries is how often a rate is tried whose schedule is not kept.
const calibrateTries = 3

// calibrated are the workloads that have a floor where none is named.
var calibrated = []string{"peer", "channel"}

// Run measures the floor of each workload and keeps it for later runs.
func (c *loadCalibrateCommand) Run(a *app) error {
	names := calibrated
	if c.Workload != "" {
		names = []string{c.Workload}
	}
	switch {
	case c.Out != "" && len(names) > 1:
		return fail(exitUsage, "--out is one file, and each workload has a floor of its own; name the workload, such as load calibrate peer --out %s", c.Out)
	case c.Duration <= 0 || c.Trial <= 0:
		return fail(exitUsage, "--duration and --trial must be above 0")
	}
	var workloads []loadgen.Workload
	for _, name := range names {
		w, err := (&loadRunCommand{Workload: name}).workload()
		if err != nil {
			return err
		}
		if err := w.CheckScalable(); err != nil {
			return fail(exitUsage, "%w", err)
		}
		if c.To < w.TotalRate() {
			return fail(exitUsage, "--to %v is below the rate of %s, which is %v", c.To, w.Name, w.TotalRate())
		}
		w.Phases.Warmup = min(w.Phases.Warmup, c.Trial)
		workloads = append(workloads, w)
	}
	for _, w := range workloads {
		floor, err := c.calibrate(a, w)
		if err != nil {
			return err
		}
		writeFloor(a.stdout, floor)
		if floor.ValidPerS == 0 {
			return fail(exitInvalid, "the generator kept its schedule at no rate, not even %v, so there is no floor to keep; is the machine busy?", loadgen.Rate(floor.Levels[0].OfferedPerS))
		}
		file := c.Out
		if file == "" {
			if file, err = floorFile(w); err != nil {
				return fail(exitBroken, "there is no place for the floor: %w; give one with --out", err)
			}
		}
		if err := reports.WriteFloor(file, floor); err != nil {
			return fail(exitBroken, "%s", strings.TrimPrefix(err.Error(), "reports: "))
		}
		fmt.Fprintf(a.stdout, "floor  %s\n", file)
	}
	return nil
}

// calibrate measures the floor of one workload.
func (c *loadCalibrateCommand) calibrate(a *app, w loadgen.Workload) (*reports.Floor, error) {
	null, err := startNull(a.ctx)
	if err != nil {
		return nil, err
	}
	defer null.stop()
	kind, err := w.KindSHA256()
	if err != nil {
		return nil, err
	}
	host := reports.CollectEnvironment()
	floor := &reports.Floor{
		Schema: reports.FloorSchema, ToolVersion: version, MeasuredAt: time.Now().UTC(),
		HostSHA256: host.Fingerprint(), Environment: host, Workload: w.Name, KindSHA256: kind,
	}
	run := func(rate float64, length time.Duration) (loadgen.TrialResult, error) {
		level, result, err := nullRun(a, w.Scaled(loadgen.Rate(rate), length), null)
		if err == nil {
			addLevel(floor, level)
		}
		return result, err
	}
	full := float64(w.TotalRate())
	for _, share := range []float64{0.1, 0.5, 1} {
		// Whoever else uses the machine may be gone in a moment.
		for range calibrateTries {
			kept, err := run(share*full, c.Duration)
			if err != nil {
				return nil, err
			}
			if kept.Verdict == reports.TrialPassed {
				break
			}
		}
	}
	answer, err := loadgen.Searcher{
		From: full, To: float64(c.To), Width: 0.05, Short: c.Trial, Full: c.Trial, Unconfirmed: true,
		Trial: func(_ context.Context, _ reports.SearchStep, rate float64, length time.Duration) (loadgen.TrialResult, error) {
			return run(rate, length)
		},
	}.Search(a.ctx)
	if a.ctx.Err() != nil {
		return nil, fail(exitInterrupted, "interrupted; the floor was not written")
	}
	if err != nil {
		return nil, err
	}
	floor.ValidPerS, floor.Bounded = answer.RatePerS, answer.FailsPerS > 0
	for _, level := range floor.Levels {
		if answer.RatePerS == 0 && level.Validity != reports.Invalid {
			floor.ValidPerS = level.OfferedPerS
		}
	}
	return floor, nil
}

// nullRun plays a workload against the null server. It passes when the generator kept its schedule.
func nullRun(a *app, w loadgen.Workload, null *child) (reports.FloorLevel, loadgen.TrialResult, error) {
	load, err := measure(a, w, loadgen.Options{URL: null.url, AppID: defaultAppID, ServerPID: null.pid, ToolVersion: version})
	switch {
	case a.ctx.Err() != nil:
		return reports.FloorLevel{}, loadgen.TrialResult{}, fail(exitInterrupted, "interrupted; the floor was not written")
	case err != nil:
		if died := null.died(); died != nil {
			return reports.FloorLevel{}, loadgen.TrialResult{}, died
		}
		return reports.FloorLevel{}, loadgen.TrialResult{}, fail(loadCode(load, err), "%w", err)
	case loadgen.OutcomeOf(load, nil) == loadgen.AccountingBreach && load.Summary.Validity.Verdict != reports.Invalid:
		return reports.FloorLevel{}, loadgen.TrialResult{}, fail(exitBroken, "a message went astray between the generator and the null server at %v; that is a defect of rtmkit", w.TotalRate())
	}
	result := loadgen.TrialResult{Verdict: reports.TrialPassed}
	if v := load.Summary.Validity; v.Verdict == reports.Invalid {
		result = loadgen.TrialResult{Verdict: reports.TrialInvalid, Criterion: strings.Join(v.Reasons, "; ")}
	}
	return loadgen.FloorLevel(load), result, nil
}

// addLevel puts a level in its place. Of two at one rate the one that kept its schedule stays.
func addLevel(floor *reports.Floor, level reports.FloorLevel) {
	i, found := slices.BinarySearchFunc(floor.Levels, level.OfferedPerS, func(l reports.FloorLevel, rate float64) int {
		switch {
		case l.OfferedPerS < rate:
			return -1
		case l.OfferedPerS > rate:
			return 1
		}
		return 0
	})
	if level.Validity == reports.Invalid {
		level.Metrics = nil // they describe a machine that could not keep up
	}
	switch {
	case !found:
		floor.Levels = slices.Insert(floor.Levels, i, level)
	case floor.Levels[i].Validity == reports.Invalid:
		floor.Levels[i] = level
	}
}

// writeFloor prints a floor for a terminal.
func writeFloor(w io.Writer, f *reports.Floor) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "floor\trate\tlag p99\tmetric\tp50\tp99\tp99.9\tCPU per message\tper delivery\trun\t")
	for i := range f.Levels {
		level := &f.Levels[i]
		fmt.Fprintf(t, "%s\t%.0f/s\t%s\t", f.Workload, level.OfferedPerS, short(time.Duration(level.LagP99NS)))
		if m := floorMetric(level); m != nil {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t", m.Name, short(time.Duration(m.P50NS)), short(time.Duration(m.P99NS)), short(time.Duration(m.P999NS)))
		} else {
			fmt.Fprint(t, "\t\t\t\t")
		}
		fmt.Fprintf(t, "%.1f µs\t%.1f µs\t%s\t\n", level.GeneratorCPUPerMessageNS/1e3, level.GeneratorCPUPerDeliveryNS/1e3, level.Validity)
	}
	t.Flush()
	least := "is"
	if !f.Bounded {
		least = "is at least"
	}
	fmt.Fprintf(w, "%s: the highest rate at which the generator keeps its schedule %s %.0f/s\n", f.Workload, least, f.ValidPerS)
}

// floorMetric returns the metric by which a floor is shown.
func floorMetric(level *reports.FloorLevel) *reports.Metric {
	for _, name := range []string{"peer.ack", "channel.deliver"} {
		if m := level.Metric(name); m != nil {
			return m
		}
	}
	return nil
}

// floorFile returns where the floor of this host for the kind of the workload is kept.
func floorFile(w loadgen.Workload) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	kind, err := w.KindSHA256()
	if err != nil {
		return "", err
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", r) {
			return r
		}
		return '-'
	}, w.Name)
	key := sha256.Sum256([]byte(reports.CollectEnvironment().Fingerprint() + kind))
	return filepath.Join(cache, "rtmkit", fmt.Sprintf("floor-%.40s-%s.json", name, hex.EncodeToString(key[:6]))), nil
}

// floor returns the floor of this host for the workload: that of --floor, which has to fit, or the one in the cache; nil
// when there is none.
func (c *loadRunCommand) floor(a *app, w loadgen.Workload) (*reports.Floor, error) {
	kind, err := w.KindSHA256()
	if err != nil {
		return nil, err
	}
	file := c.Floor
	if file == "" {
		if file, err = floorFile(w); err != nil {
			return nil, nil // a machine without a cache has no floor in it
		}
	}
	floor, err := reports.ReadFloor(file)
	switch {
	case c.Floor == "" && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil && c.Floor == "":
		fmt.Fprintf(a.stderr, "rtmkit: the floor of this host is left out: %s; rtmkit load calibrate makes it anew\n", strings.TrimPrefix(err.Error(), "reports: "))
		return nil, nil
	case err != nil:
		return nil, asUsage(err)
	case floor.KindSHA256 != kind:
		return nil, fail(exitUsage, "--floor %s: it was measured with another workload (%s), other clients, channels or payloads; run load calibrate with this one", file, floor.Workload)
	case floor.HostSHA256 != reports.CollectEnvironment().Fingerprint():
		return nil, fail(exitUsage, "--floor %s: it was measured on another host (%s); run load calibrate on this one", file, floor.Environment.CPU)
	}
	return floor, nil
}

// writeFloors prints, below the latencies of runs, what would have been measured without a server worth the name.
func writeFloors(w io.Writer, loads []reports.Load) {
	for i := range loads {
		load := &loads[i]
		if load.Floor == nil {
			continue
		}
		level := load.Floor.At(load.Summary.OfferedPerS)
		if level == nil {
			continue
		}
		if m := floorMetric(level); m != nil {
			fmt.Fprintf(w, "%s floor of this host at %.0f/s, not subtracted: %s p50 %s, p99 %s, p99.9 %s\n", load.Manifest.Name, level.OfferedPerS, m.Name,
				short(time.Duration(m.P50NS)), short(time.Duration(m.P99NS)), short(time.Duration(m.P999NS)))
		}
	}
}
