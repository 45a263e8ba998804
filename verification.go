package main

import (
	"fmt"

	"github.com/rtmkit/rtmkit/reports"
)

type reportVerifyCommand struct {
	Dirs []string `arg:"" name:"dir" help:"Report folders."`
}

// Run prints a line for each folder, and one for each thing in it that does not
// hold.
func (c *reportVerifyCommand) Run(a *app) error {
	code := exitOK
	for _, dir := range c.Dirs {
		found, err := reports.Verify(dir, version)
		if err != nil {
			fmt.Fprintf(a.stderr, "rtmkit: %v\n", asUsage(err))
			code = graver(code, exitUsage)
			continue
		}
		word := "holds"
		if len(found.Findings) > 0 {
			word = "does not hold"
			code = graver(code, exitViolated)
		}
		fmt.Fprintf(a.stdout, "%s  %s\n", dir, word)
		for _, sentence := range found.Findings {
			fmt.Fprintf(a.stdout, "  ✗ %s\n", sentence)
		}
		for _, sentence := range found.Notes {
			fmt.Fprintf(a.stdout, "  · %s\n", sentence)
		}
	}
	return verdict(code)
}
