package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/rtmkit/rtmkit/reports"
)

type loadExportCommand struct {
	Dirs   []string `arg:"" name:"dir" help:"Run or report folders; every run in them is exported."`
	Format string   `required:"" enum:"benchstat,prometheus,benchmark-action" help:"benchstat (Go benchmark text), prometheus (textfile) or benchmark-action (JSON, customSmallerIsBetter)."`
	Out    string   `placeholder:"FILE" help:"File to write, whole or not at all; without it standard output."`
}

// Run writes the export.
func (c *loadExportCommand) Run(a *app) error {
	var loads []reports.Load
	for _, dir := range c.Dirs {
		report, err := readFolder(dir)
		if err != nil {
			return err
		}
		if len(report.Loads) == 0 {
			return fail(exitUsage, "%s: its report has no load run; give a folder that rtmkit load run wrote with --out", dir)
		}
		loads = append(loads, report.Loads...)
	}
	text, err := reports.Export(reports.ExportFormat(c.Format), loads)
	if untrusted := new(reports.UntrustedError); errors.As(err, &untrusted) {
		return fail(exitInvalid, "%w", err)
	}
	if err != nil {
		return asUsage(err)
	}
	if c.Out == "" {
		_, err = a.stdout.Write(text)
		return err
	}
	if info, err := os.Stat(filepath.Dir(c.Out)); err != nil || !info.IsDir() {
		return fail(exitUsage, "--out %s: there is no folder %s; make it first", c.Out, filepath.Dir(c.Out))
	}
	if err := reports.WriteExport(c.Out, reports.ExportFormat(c.Format), loads); err != nil {
		return fail(exitBroken, "%w", err)
	}
	return nil
}
