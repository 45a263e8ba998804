package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rtmkit/rtmkit/conformance"
)

type conformSelftestCommand struct {
	subjectFlags

	Only    []string `placeholder:"ID" help:"Plant only the faults that break these requirements; repeatable, * and ? are wildcards."`
	Skip    []string `placeholder:"ID" help:"Leave these requirements out; repeatable."`
	Seed    int64    `placeholder:"N" help:"Order of the specs; 0 takes a new one."`
	Workers int      `default:"16" placeholder:"N" help:"Judge this many broken subjects at a time."`
	Out     string   `placeholder:"DIR" help:"Write selftest.json, selftest.md and selftest.html here."`
}

// Run plants every fault and every oddity in front of the subject and says whether the
// suite can be trusted.
func (c *conformSelftestCommand) Run(a *app) error {
	if err := prepareOut(c.Out); err != nil {
		return err
	}
	if c.Workers < 1 || c.Workers > 64 {
		return fail(exitUsage, "--workers %d: give a number from 1 to 64", c.Workers)
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
	result, err := conformance.Selftest(a.ctx, cfg)
	p.end()
	if err != nil {
		return fail(exitCode(conformance.ExitCode(nil, err)), "%s", strings.TrimPrefix(err.Error(), "conformance: "))
	}
	for _, doubt := range result.Doubts() {
		fmt.Fprintln(a.stdout, doubt)
	}
	for _, t := range result.Tolerances {
		fmt.Fprintln(a.stdout, t.Name, t.Green, t.Violated)
	}
	fmt.Fprintln(a.stdout, len(result.Faults), result.Outcomes(), result.EndedAt.Sub(result.StartedAt))
	if c.Out != "" {
		fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(c.Out, "selftest.html"))
	}
	if !result.Trusted() {
		return verdict(exitBroken)
	}
	return nil
}
