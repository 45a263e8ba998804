package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

// experiment is a comparison on its way.
type experiment struct {
	app      *app
	command  *loadABCommand
	workload loadgen.Workload
	gate     *reports.Gate
	progress *progress
	// one plays one run and keeps it; tests have no time for real ones.
	one func(reports.GateSide) (*reports.GateRun, error)
}

// play runs blocks until the plan needs no more. After an error, what ran stays in the
// gate.
func (x *experiment) play() error {
	toss := rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Append(nil, x.gate.Seed))))
	if x.progress.tty {
		x.progress.begin("load ab", 1000*4*x.command.MaxBlocks)
		defer x.progress.end()
	}
	for x.gate.Open() {
		order := reports.ABBA
		if toss.IntN(2) == 1 {
			order = reports.BAAB
		}
		x.gate.Blocks = append(x.gate.Blocks, reports.GateBlock{Order: order})
		dropped, err := x.block(order)
		if dropped == "" && err != nil {
			dropped = "The comparison ended here."
		}
		x.drop(dropped)
		x.gate.Judge()
		if err != nil {
			return err
		}
	}
	return nil
}

// block plays the runs of one block, and says why it cannot count.
func (x *experiment) block(order reports.GateOrder) (dropped string, err error) {
	repeated := 0
	for _, side := range order.Sides() {
		for {
			run, err := x.one(side)
			if err != nil {
				return "", err
			}
			if run.Validity != reports.Invalid {
				break
			}
			if repeated == retriesPerBlock {
				return fmt.Sprintf("Run %s is invalid, after %d of the block were repeated.", run.Name, repeated), nil
			}
			repeated++
		}
	}
	return "", nil
}

// drop takes the runs of the last block out of what is judged.
func (x *experiment) drop(why string) {
	if why == "" {
		return
	}
	x.gate.Blocks[len(x.gate.Blocks)-1].Dropped = why
	for i := range x.gate.Runs {
		if r := &x.gate.Runs[i]; r.Block == len(x.gate.Blocks) {
			r.Counted = false
		}
	}
}

// run plays one run of a side against a fresh server, and keeps it.
func (x *experiment) run(side reports.GateSide) (*reports.GateRun, error) {
	a, c, number, s := x.app, x.command, len(x.gate.Runs)+1, x.command.side(side)
	dir := fmt.Sprintf("%s/%03d", s.letter, number)
	flags := loadRunCommand{Server: s.source, ServerPID: s.pid, ServerMetrics: s.metrics, AppID: c.AppID, TokenCommand: c.TokenCommand, tlsFlags: c.tlsFlags}
	flags.Out = filepath.Join(c.Out, filepath.FromSlash(dir))
	died := func() error { return nil }
	if !s.remote() {
		server, err := startCommand(a.ctx, s.source, "the server of -"+s.letter)
		if err != nil {
			return nil, err
		}
		defer server.stop()
		flags.Server, died = server.url, server.died
		if s.metrics == "" {
			flags.ServerPID = server.pid
		}
	}
	options, err := flags.options(a)
	if err != nil {
		return nil, err
	}
	options.Progress = x.watch(number-1, dir)
	started := time.Now()
	load, err := loadgen.Run(a.ctx, x.workload, options.Options)
	if load == nil {
		return nil, loadFailure(err)
	}
	report := newReport(a, started)
	report.Loads = []reports.Load{*load}
	if broken := finish(report, loadCode(load, err), flags.Out); err == nil {
		err = broken
	}
	of := &x.gate.Base
	if side == reports.HeadSide {
		of = &x.gate.Head
	}
	of.Server = load.Manifest.Server
	x.gate.WorkloadSHA256 = load.Manifest.WorkloadSHA256
	load.Dir = dir
	run := reports.NewGateRun(load, side, x.gate.Curve)
	run.Name, run.Block = dir, len(x.gate.Blocks)
	x.gate.Runs = append(x.gate.Runs, run)
	x.tell(&run)
	if err := x.checkRules(); err != nil {
		return nil, err
	}
	switch {
	case err != nil:
		return nil, fail(loadCode(load, err), "run %s: %w", dir, err)
	case a.ctx.Err() != nil:
		return nil, context.Cause(a.ctx)
	}
	if err := died(); err != nil {
		return nil, err
	}
	if load.Manifest.LostNS > 0 {
		return nil, fail(exitUnreachable, "the server of -%s went away during run %s, after %s", s.letter, dir, short(time.Duration(load.Manifest.LostNS)))
	}
	return &run, nil
}

// checkRules refuses a number that somebody asked for and that the runs do not have.
func (x *experiment) checkRules() error {
	for _, text := range x.command.Gate {
		rule, err := reports.ParseGateRule(text)
		if err == nil {
			err = x.gate.CheckRule(rule)
		}
		if err != nil {
			return fail(exitUsage, "--gate %w", err)
		}
	}
	return nil
}

// watch returns what shows a run on a terminal; elsewhere every run is one line.
func (x *experiment) watch(before int, dir string) func(loadgen.Progress) {
	if !x.progress.tty {
		return nil
	}
	return func(at loadgen.Progress) {
		done := 0
		if at.Total > 0 {
			done = min(int(1000*at.Elapsed/at.Total), 1000)
		}
		note := fmt.Sprintf("block %d, run %s  %s", len(x.gate.Blocks), dir, at.Phase)
		x.progress.at(1000*before+done, 1000*max(4*x.command.MaxBlocks, before+1), note)
	}
}

// tell writes the line of a run.
func (x *experiment) tell(run *reports.GateRun) {
	if x.progress.tty {
		return
	}
	words := fmt.Sprintf("block %d of %d  %s  %s", run.Block, x.command.MaxBlocks, run.Name, run.Validity)
	for _, rule := range x.gate.Plan.Rules {
		if value := run.Values[rule.Name]; value > 0 {
			words += fmt.Sprintf("  %s %s", rule.Name, short(time.Duration(value)))
		}
	}
	if run.Validity != reports.Valid {
		words += "  " + strings.Join(run.Reasons, "; ")
	}
	fmt.Fprintln(x.app.stderr, words)
}

// close writes the gate and says how it ends.
func (x *experiment) close(err error) error {
	g := x.gate
	g.EndedAt, g.Interrupted = time.Now().UTC(), x.app.ctx.Err() != nil
	if len(g.Runs) == 0 && err != nil && !g.Interrupted {
		return err
	}
	if err != nil && !g.Interrupted {
		g.Notes = append(g.Notes, "The comparison ended early: "+err.Error()+".")
	}
	g.Judge()
	if broken := reports.WriteGate(x.command.Out, g); broken != nil {
		return fail(exitBroken, "the comparison could not be written: %w", broken)
	}
	if broken := x.command.keepNoise(x.app, g); broken != nil {
		return broken
	}
	return x.app.end(g, x.command.Out, x.command.Strict, err)
}

// end prints a gate and returns what its process ends with.
func (a *app) end(g *reports.Gate, out string, strict bool, err error) error {
	fmt.Fprintln(a.stdout)
	a.stdout.Write(g.Text())
	if out != "" {
		fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(out, reports.PageFile))
	}
	switch {
	case g.Interrupted:
		return verdict(exitInterrupted)
	case err != nil:
		return err
	case g.Verdict == reports.Regressed:
		return verdict(exitViolated)
	case g.Paired && g.Starved():
		return fail(exitInvalid, "too few valid runs for a verdict; give more --blocks, a lower rate or a quieter machine")
	case g.Verdict == reports.Inconclusive && strict:
		return verdict(exitViolated)
	case g.Verdict == reports.Inconclusive:
		fmt.Fprintln(a.stderr, "rtmkit: NOT PROVEN EITHER WAY: this passes, and it is no evidence that head is as good as base; take more runs, or --strict to fail here")
	}
	return nil
}
