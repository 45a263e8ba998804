package main

import (
	"fmt"

	"github.com/rtmkit/rtmkit/loadgen"
)

type loadVerifyCommand struct {
	Dirs []string `arg:"" name:"dir" help:"Run folders, or report folders that hold some."`
}

// Run prints a line for each folder, and one for each number in it that does not
// follow from its raw files.
func (c *loadVerifyCommand) Run(a *app) error {
	code := exitOK
	for _, dir := range c.Dirs {
		found, err := loadgen.Verify(dir)
		if err != nil {
			fmt.Fprintf(a.stderr, "rtmkit: %v\n", err)
			code = graver(code, exitUsage)
			continue
		}
		word := "holds"
		if len(found.Differences) > 0 {
			word = "does not hold"
			code = graver(code, exitViolated)
		}
		fmt.Fprintf(a.stdout, "%s  %s\n", dir, word)
		for _, d := range found.Differences {
			fmt.Fprintf(a.stdout, "  ✗ %s\n", d)
		}
	}
	return verdict(code)
}
