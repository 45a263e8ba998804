package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/rtmkit/rtmkit/reports"
)

type loadCompareCommand struct {
	Base   runFolders `arg:"" help:"Run folders of the base, or one folder that holds them."`
	Head   runFolders `arg:"" optional:"" help:"Behind --, the same for the head. Two folders that hold run folders need no --."`
	Gate   []string   `sep:"none" placeholder:"METRIC.STAT=MARGIN" help:"Gate this number with this margin, such as peer.ack.p90=20%, or not at all: peer.ack.p50=off; repeatable."`
	Strict bool       `help:"Fail also when the runs do not tell."`
	Out    string     `placeholder:"DIR" help:"Also write ab.json, ab.md and index.html here."`
}

// runFolders are words up to the next flag or --. The parser of the command line
// knows no two lists in one command.
type runFolders struct{ dirs []string }

// Decode takes the words that stand next.
func (f *runFolders) Decode(ctx *kong.DecodeContext) error {
	for ctx.Scan.Len() > 0 {
		token := ctx.Scan.Peek()
		word, is := token.Value.(string)
		if !is || token.Type == kong.UntypedToken && strings.HasPrefix(word, "-") {
			break
		}
		ctx.Scan.Pop()
		f.dirs = append(f.dirs, word)
	}
	return nil
}

// Run compares stored runs, at least five of each side for a verdict.
func (c *loadCompareCommand) Run(a *app) error {
	base, head, err := c.sides()
	if err != nil {
		return err
	}
	g, err := reports.NewStoredGate(base, head, nil)
	if err != nil {
		return asUsage(err)
	}
	if len(c.Gate) > 0 {
		rules := g.Plan.Rules
		for _, text := range c.Gate {
			rule, err := reports.ParseGateRule(text)
			if err == nil {
				err = g.CheckRule(rule)
			}
			if err != nil {
				return fail(exitUsage, "--gate %w", err)
			}
			rules = reports.WithRule(rules, rule)
		}
		g.Plan.Rules = rules
		g.Judge()
	}
	g.Command = a.command()
	if c.Out != "" {
		if err := prepareOut(c.Out); err != nil {
			return err
		}
		if err := reports.WriteGate(c.Out, g); err != nil {
			return fail(exitBroken, "the comparison could not be written: %w", err)
		}
	}
	return a.end(g, c.Out, c.Strict, nil)
}

// sides reads the runs of both sides.
func (c *loadCompareCommand) sides() (base, head []reports.StoredRun, err error) {
	if len(c.Base.dirs) == 2 && len(c.Head.dirs) == 0 {
		c.Base.dirs, c.Head.dirs = c.Base.dirs[:1], c.Base.dirs[1:]
	}
	if len(c.Head.dirs) == 0 {
		return nil, nil, fail(exitUsage, "give the run folders of the base, then --, then those of the head; or two folders that hold them")
	}
	for _, dir := range c.Base.dirs {
		runs, err := c.runsIn(dir)
		if err != nil {
			return nil, nil, err
		}
		base = append(base, runs...)
	}
	for _, dir := range c.Head.dirs {
		runs, err := c.runsIn(dir)
		if err != nil {
			return nil, nil, err
		}
		head = append(head, runs...)
	}
	return base, head, nil
}

// runsIn reads a run folder, or the run folders in a folder.
func (c *loadCompareCommand) runsIn(dir string) ([]reports.StoredRun, error) {
	folders := []string{dir}
	if _, err := os.Stat(filepath.Join(dir, reports.RunManifestFile)); errors.Is(err, os.ErrNotExist) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, fail(exitUsage, "%s: %w", dir, plainPath(err))
		}
		folders = nil
		for _, entry := range entries {
			folder := filepath.Join(dir, entry.Name())
			if _, err := os.Stat(filepath.Join(folder, reports.RunManifestFile)); err == nil {
				folders = append(folders, folder)
			}
		}
		if len(folders) == 0 {
			return nil, fail(exitUsage, "%s: it is no run folder and holds none; give folders that rtmkit load wrote with --out", dir)
		}
	}
	var runs []reports.StoredRun
	for _, folder := range folders {
		load, err := reports.ReadLoad(folder)
		if err != nil {
			return nil, asUsage(err)
		}
		load.Dir = linkFrom(c.Out, folder)
		runs = append(runs, reports.StoredRun{Name: filepath.ToSlash(folder), Load: load})
	}
	return runs, nil
}
