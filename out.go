package main

import (
	"errors"
	"os"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// prepareOut makes the report folder before any work is done for it.
func prepareOut(dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fail(exitUsage, "--out %s: %w; choose a folder that can be written", dir, plainPath(err))
	}
	probe, err := os.CreateTemp(dir, ".writable-")
	if err != nil {
		return fail(exitUsage, "--out %s: %w; choose a folder that can be written", dir, plainPath(err))
	}
	probe.Close()
	os.Remove(probe.Name())
	return nil
}

func plainPath(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// newReport begins the report of this process.
func newReport(a *app, started time.Time) *reports.Report {
	return &reports.Report{
		Schema: reports.ReportSchema, ToolVersion: version, StartedAt: started.UTC(),
		Environment: reports.CollectEnvironment(), Command: a.command(),
	}
}

// finish closes the report with the exit code and writes it to dir, if there is one.
func finish(report *reports.Report, code exitCode, dir string) error {
	report.EndedAt = time.Now().UTC()
	report.ExitCode = int(code)
	report.Interrupted = code == exitInterrupted
	if dir == "" {
		return nil
	}
	if err := reports.Write(dir, report); err != nil {
		return fail(exitBroken, "the report could not be written: %w", err)
	}
	return nil
}

// quoted returns word as a POSIX shell reads it back.
func quoted(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\"'\\$&|;<>()*?[]{}~#`!") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
