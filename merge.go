package main

import (
	"fmt"
	"path/filepath"

	"github.com/rtmkit/rtmkit/reports"
)

type reportMergeCommand struct {
	Dirs  []string `arg:"" name:"dir" help:"Report folders, each with conformance results."`
	Out   string   `placeholder:"DIR" help:"Write table.json, table.md and index.html here instead of printing the table."`
	Mixed bool     `help:"Allow reports that judged by different catalogues; the table says so."`
}

// Run sets the reports side by side.
func (c *reportMergeCommand) Run(a *app) error {
	var parts []reports.Part
	for _, dir := range c.Dirs {
		report, err := readFolder(dir)
		if err != nil {
			return err
		}
		parts = append(parts, reports.Part{Name: dir, Link: linkFrom(c.Out, dir), Report: report})
	}
	table, err := reports.Merge(c.Mixed, parts...)
	if err != nil {
		return asUsage(err)
	}
	if c.Out == "" {
		a.stdout.Write(table.Markdown())
		return nil
	}
	if err := prepareOut(c.Out); err != nil {
		return err
	}
	if err := reports.WriteTable(c.Out, table); err != nil {
		return fail(exitBroken, "%w", err)
	}
	fmt.Fprintf(a.stdout, "%s\ntable  %s\n", table.Sentence(), filepath.Join(c.Out, reports.PageFile))
	return nil
}

// linkFrom returns where a report lies as seen from the folder of a document. A
// report that does not lie below it gets no link, because the two may not be
// published together.
func linkFrom(out, dir string) string {
	if out == "" {
		return ""
	}
	out, err := filepath.Abs(out)
	if err != nil {
		return ""
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return ""
	}
	link, err := filepath.Rel(out, dir)
	if err != nil || !filepath.IsLocal(link) {
		return ""
	}
	return filepath.ToSlash(link)
}
