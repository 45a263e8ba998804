package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rtmkit/rtmkit/reports"
)

type reportCommand struct {
	Annotate reportAnnotateCommand `cmd:"" help:"Print what did not hold, as annotations of a CI job."`
	HTML     reportHTMLCommand     `cmd:"" name:"html" help:"Make the pages of a report or run folder again."`
	Compare  reportCompareCommand  `cmd:"" aliases:"diff" help:"Show what changed between two report or run folders."`
	Merge    reportMergeCommand    `cmd:"" help:"Set conformance reports side by side in one table."`
	Verify   reportVerifyCommand   `cmd:"" help:"Check that report folders are whole and consistent."`
}

// readFolder reads a report folder, or a run folder as a report about one run.
func readFolder(dir string) (*reports.Report, error) {
	if _, err := os.Stat(filepath.Join(dir, reports.ReportFile)); err == nil {
		report, err := reports.Read(dir)
		return report, asUsage(err)
	}
	if _, err := os.Stat(filepath.Join(dir, reports.RunManifestFile)); errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitUsage, "%s: it holds neither %s nor %s; give a folder that rtmkit wrote with --out",
			dir, reports.ReportFile, reports.RunManifestFile)
	}
	load, err := reports.ReadLoad(dir)
	if err != nil {
		return nil, asUsage(err)
	}
	return reports.Of(load), nil
}

// asUsage turns what the reports package says about a folder into a usage failure.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return fail(exitUsage, "%s", strings.TrimPrefix(err.Error(), "reports: "))
}

type reportHTMLCommand struct {
	Dir string `arg:"" help:"Report or run folder."`
}

// Run writes index.html, junit.xml, summary.md and badge.json anew.
func (c *reportHTMLCommand) Run(a *app) error {
	report, err := readFolder(c.Dir)
	if err != nil {
		return err
	}
	if err := reports.Render(c.Dir, report); err != nil {
		return fail(exitBroken, "%w", err)
	}
	fmt.Fprintln(a.stdout, filepath.Join(c.Dir, reports.PageFile))
	return nil
}

type reportCompareCommand struct {
	Base string `arg:"" help:"The trusted side."`
	Head string `arg:"" help:"The side in question."`
	Out  string `placeholder:"DIR" help:"Also write compare.md and compare.html here."`
}

// Run prints what changed. It fails when a requirement got worse or more messages
// went wrong, and refuses invalid runs.
func (c *reportCompareCommand) Run(a *app) error {
	base, err := readFolder(c.Base)
	if err != nil {
		return err
	}
	head, err := readFolder(c.Head)
	if err != nil {
		return err
	}
	comparison, err := reports.Compare(base, head)
	if err != nil {
		return asUsage(err)
	}
	if c.Out != "" {
		if err := prepareOut(c.Out); err != nil {
			return err
		}
		if err := reports.WriteComparison(c.Out, comparison); err != nil {
			return fail(exitBroken, "%w", err)
		}
	}
	a.stdout.Write(comparison.Text())
	if comparison.Regressed() {
		return verdict(exitViolated)
	}
	return nil
}
