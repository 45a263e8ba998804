package main

import (
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/reports"
)

type conformSelftestCommand struct {
	subjectFlags

	Only    []string `placeholder:"ID" help:"Plant only the faults that break these requirements; repeatable, * and ? are wildcards."`
	Skip    []string `placeholder:"ID" help:"Leave these requirements out; repeatable."`
	Seed    int64    `placeholder:"N" help:"Order of the specs; 0 takes a new one."`
	Workers int      `default:"16" placeholder:"N" help:"Judge this many broken subjects at a time."`
	Out     string   `placeholder:"DIR" help:"Write selftest.json, selftest.md and selftest.html here."`
}

// Run plants every fault and every tolerance in front of the subject, hands the suite
// every useless subject, and says whether the suite can be trusted.
func (c *conformSelftestCommand) Run(a *app) error {
	if c.Workers < 1 || c.Workers > 64 {
		return fail(exitUsage, "--workers %d: give a number from 1 to 64", c.Workers)
	}
	if err := prepareOut(c.Out); err != nil {
		return err
	}
	subject, err := c.open(a, pairCalls("on"))
	if err != nil {
		return err
	}
	defer subject.stop()
	cfg, err := subject.config()
	if err != nil {
		return err
	}
	cfg.Only, cfg.Skip, cfg.Seed, cfg.Workers, cfg.StartWorker = c.Only, c.Skip, c.Seed, c.Workers, subject.startWorker
	cfg.Command, cfg.Notes = a.command(), subject.notes
	p := newProgress(a.stderr)
	p.begin("selftest", -1)
	cfg.Progress = func(at conformance.Progress) { p.at(at.Done, at.Total, strings.Join(at.IDs, " ")) }
	// The useless subjects are mostly waited for, which the broken ones leave time for.
	var (
		harness    []reports.HarnessResult
		harnessErr error
		useless    sync.WaitGroup
	)
	if len(c.Only)+len(c.Skip) == 0 {
		useless.Go(func() { harness, harnessErr = runHarness(a.ctx) })
	}
	result, err := conformance.Selftest(a.ctx, cfg)
	useless.Wait()
	if err == nil {
		err = harnessErr
	}
	p.end()
	if a.ctx.Err() != nil {
		return verdict(exitInterrupted)
	}
	if err != nil {
		return fail(exitCode(conformance.ExitCode(nil, err)), "%s", withoutPackage(err))
	}
	result.Harness, result.EndedAt = harness, time.Now().UTC()
	if c.Out != "" {
		if err := reports.WriteSelftest(c.Out, result); err != nil {
			return fail(exitBroken, "the selftest could not be written: %w", err)
		}
	}
	printSelftest(a.stdout, result)
	if c.Out != "" {
		fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(c.Out, "selftest.html"))
	}
	if !result.Trusted() {
		return verdict(exitBroken)
	}
	return nil
}

// printSelftest draws the matrix for a terminal: for each area and subject, what became
// of the violations that were planted, and whatever is in doubt.
func printSelftest(w io.Writer, s *reports.Selftest) {
	type place struct{ area, subject string }
	faults, counts := make(map[place]int), make(map[place]map[reports.FaultOutcome]int)
	var activations int64
	for i := range s.Faults {
		fault := &s.Faults[i]
		at := place{fault.Area, fault.Subject}
		faults[at]++
		activations += fault.Activations
		if counts[at] == nil {
			counts[at] = make(map[reports.FaultOutcome]int)
		}
		for _, result := range fault.Results {
			counts[at][result.Outcome]++
		}
	}
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprint(table, "area\tsubject\tfaults")
	for _, outcome := range reports.FaultOutcomes() {
		fmt.Fprintf(table, "\t%s", outcome)
	}
	fmt.Fprintln(table)
	places := slices.SortedFunc(maps.Keys(faults), func(a, b place) int {
		return strings.Compare(a.subject+a.area, b.subject+b.area)
	})
	for _, at := range places {
		fmt.Fprintf(table, "%s\t%s\t%d", at.area, at.subject, faults[at])
		for _, outcome := range reports.FaultOutcomes() {
			fmt.Fprintf(table, "\t%d", counts[at][outcome])
		}
		fmt.Fprintln(table)
	}
	_ = table.Flush()
	green, right := 0, 0
	for _, tolerance := range s.Tolerances {
		if tolerance.Green {
			green++
		}
	}
	for _, harness := range s.Harness {
		if harness.GotExit == harness.WantExit {
			right++
		}
	}
	fmt.Fprintf(w, "%d faults, %d activations; %d of %d tolerances green; %d of %d useless subjects refused; %d judged MUSTs without a fault\n",
		len(s.Faults), activations, green, len(s.Tolerances), right, len(s.Harness), len(s.Uncovered))
	for _, note := range s.Notes {
		fmt.Fprintln(w, "note: "+note)
	}
	doubts := s.Doubts()
	for _, doubt := range doubts {
		fmt.Fprintln(w, "DOUBT "+doubt)
	}
	verdict := "The suite can be trusted"
	if len(doubts) > 0 {
		verdict = "The suite cannot be trusted"
	}
	fmt.Fprintf(w, "%s (seed %d, %v).\n", verdict, s.Seed, s.EndedAt.Sub(s.StartedAt).Round(time.Millisecond))
}
