package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

type checkCommand struct {
	Out  string `placeholder:"DIR" help:"Report folder (default: reports/out/TIME)."`
	Seed int64  `placeholder:"N" help:"Order of the specs; 0 takes a new one."`
}

// checkLoads are the load runs of a check: enough messages for a p99.9, and little
// enough for an impatient person on two cores.
func checkLoads() []loadgen.Workload {
	peer := loadgen.Peer(2000, 5*time.Second, 50)
	channel := loadgen.Fanout(200, 5*time.Second, 10, 50)
	peer.Phases.Warmup, channel.Phases.Warmup = time.Second, time.Second
	return []loadgen.Workload{peer, channel}
}

// Run judges and measures the reference pair and ends by the worst verdict.
func (c *checkCommand) Run(a *app) error {
	if c.Out == "" {
		c.Out = filepath.Join("reports", "out", time.Now().Format("20060102-150405"))
	}
	if err := prepareOut(c.Out); err != nil {
		return err
	}
	report := newReport(a, time.Now())
	report.Notes = append(report.Notes, "The reference server ran in a process of its own, on this machine, with its call limits off.")
	code, err := c.judge(a, report)
	if err == nil && a.ctx.Err() == nil {
		var worst exitCode
		worst, err = c.measure(a, report)
		code = graver(code, worst)
	}
	var f *failure
	if errors.As(err, &f) {
		code = graver(code, f.code)
		if f.err != nil {
			report.Notes = append(report.Notes, "The check ended early: "+f.Error())
		}
	}
	if a.ctx.Err() != nil {
		code, err = exitInterrupted, nil
	}
	report.Verdict = checkVerdict(report, code)
	if writeErr := finish(report, code, c.Out); writeErr != nil {
		return writeErr
	}
	c.print(a, report)
	if err != nil {
		return &failure{code, f}
	}
	return verdict(code)
}

// judge runs the suite against a server of its own.
func (c *checkCommand) judge(a *app, report *reports.Report) (exitCode, error) {
	workers, _ := strconv.Atoi(defaultWorkers)
	run := conformRunCommand{subjectFlags: subjectFlags{serverFlags: serverFlags{AppID: defaultAppID, SlowFactor: 1, Limits: "short"}}, Seed: c.Seed, Workers: workers}
	pair, err := run.open(a, pairCalls("off"))
	if err != nil {
		return exitOK, err
	}
	defer pair.stop()
	cfg, err := run.config(a, pair)
	if err != nil {
		return exitOK, err
	}
	result, err := judge(a, cfg)
	code := exitCode(conformance.ExitCode(result, err))
	if err != nil {
		if died := pair.died(); died != nil {
			return exitOK, died
		}
		return exitOK, fail(code, "%s", strings.TrimPrefix(err.Error(), "conformance: "))
	}
	report.Conformance = result
	return code, nil
}

// measure runs the loads, each against a fresh server, so that none inherits the
// heap of another.
func (c *checkCommand) measure(a *app, report *reports.Report) (exitCode, error) {
	worst := exitOK
	for _, workload := range checkLoads() {
		code, err := c.measureOne(a, report, workload)
		worst = graver(worst, code)
		if err != nil || a.ctx.Err() != nil {
			return worst, err
		}
	}
	return worst, nil
}

func (c *checkCommand) measureOne(a *app, report *reports.Report, w loadgen.Workload) (exitCode, error) {
	server, err := startUnderLoad(a.ctx, "")
	if err != nil {
		return exitOK, err
	}
	defer server.stop()
	name := "load-" + w.Name
	dir := filepath.Join(c.Out, name)
	if err := os.RemoveAll(dir); err != nil {
		return exitOK, fail(exitBroken, "the run folder %s cannot be made anew: %w", dir, plainPath(err))
	}
	options := loadOptions{loadgen.Options{AppID: defaultAppID, Dir: dir, ToolVersion: version, Command: a.command()}}
	options.loadChild(server)
	load, err := measure(a, w, options.Options)
	if load == nil {
		if died := server.died(); died != nil {
			return exitOK, died
		}
		return exitOK, loadFailure(err)
	}
	load.Dir = name
	report.Loads = append(report.Loads, *load)
	return loadCode(load, err), nil
}

// checkVerdict says the outcome of a check in one sentence.
func checkVerdict(report *reports.Report, code exitCode) string {
	switch code {
	case exitOK:
		runs := "the runs are valid"
		for _, load := range report.Loads {
			if load.Summary.Validity.Verdict != reports.Valid {
				runs = "no run is invalid, but not all are free of doubt"
			}
		}
		return "The pair conforms in every profile that was judged, every message is accounted for, and " + runs + "."
	case exitViolated:
		return "The pair does not conform."
	case exitAccounting:
		return "The pair conforms, but messages went wrong under load."
	case exitInvalid:
		return "The pair conforms, but a load run cannot be trusted."
	case exitInterrupted:
		return "Interrupted: what had run by then is here."
	}
	return "The check could not be finished."
}

// print fits on one screen.
func (c *checkCommand) print(a *app, report *reports.Report) {
	w := a.stdout
	env := report.Environment
	fmt.Fprintf(w, "rtmkit %s  %s/%s  %d cores  %.0f s\n\n", version, env.OS, env.Arch, env.Cores, report.EndedAt.Sub(report.StartedAt).Seconds())
	if report.Conformance != nil {
		conformance.Print(w, report.Conformance)
		fmt.Fprintln(w)
	}
	if len(report.Loads) > 0 {
		writeLoads(w, report.Loads)
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%s\nreport  %s\n", report.Verdict, filepath.Join(c.Out, reports.PageFile))
}
