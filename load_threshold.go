package main

import (
	"fmt"
	"io"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
)

// addThresholds adds limits of the command line to those of the workload.
func addThresholds(w *loadgen.Workload, more []loadgen.Threshold) error {
	if len(more) == 0 {
		return nil
	}
	w.Thresholds = append(w.Thresholds, more...)
	if err := w.Check(); err != nil {
		return fail(exitUsage, "--threshold: %w", err)
	}
	return nil
}

// writeThresholds prints what came of the thresholds that were set, and of those that every run has where they are broken.
func writeThresholds(w io.Writer, loads []reports.Load) {
	for _, load := range loads {
		for _, t := range load.Summary.Thresholds {
			switch {
			case !t.Holds:
				fmt.Fprintf(w, "%s: threshold %s is not kept: %s\n", load.Manifest.Name, t.Expr, t.Told())
			case !t.Implicit:
				fmt.Fprintf(w, "%s: threshold %s holds: %s\n", load.Manifest.Name, t.Expr, t.Told())
			}
		}
	}
}
