package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

type loadMergeCommand struct {
	Dirs []string `arg:"" name:"dir" help:"Run folders of all shards of one run, in any order."`
	Out  string   `required:"" placeholder:"DIR" help:"Run folder of the whole run, new or empty."`
}

// Run merges the shards, judges the whole run and prints it like a run of one
// process.
func (c *loadMergeCommand) Run(a *app) error {
	if err := (&loadRunCommand{Out: c.Out}).freshOut(); err != nil {
		return err
	}
	started := time.Now()
	load, err := loadgen.Merge(c.Dirs, c.Out, loadgen.MergeOptions{ToolVersion: version, Command: a.command()})
	if refused := new(loadgen.MergeError); errors.As(err, &refused) {
		return fail(exitUsage, "%w", err)
	}
	if err != nil {
		return fail(exitBroken, "%w", err)
	}
	code := loadCode(load, nil)
	report := newReport(a, started)
	report.Loads = []reports.Load{*load}
	if err := finish(report, code, c.Out); err != nil {
		return err
	}
	writeLoads(a.stdout, report.Loads)
	fmt.Fprintf(a.stdout, "report  %s\n", filepath.Join(c.Out, reports.PageFile))
	return verdict(code)
}
