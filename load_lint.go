package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/rtmkit/rtmkit/loadgen"
)

type loadLintCommand struct {
	Files []string `arg:"" name:"file" help:"Workload files."`

	Strict bool `help:"Exit with 1 when there are warnings."`
}

// Run checks workload files without running them. What is wrong and what is odd
// goes to standard output, a line each, as compilers write it.
func (c *loadLintCommand) Run(a *app) error {
	code := exitOK
	for _, file := range c.Files {
		warnings, err := loadgen.LintWorkload(file)
		if errors.Is(err, os.ErrNotExist) {
			err = fmt.Errorf("%s: there is no such workload file", file)
		}
		if err != nil {
			fmt.Fprintln(a.stdout, err)
			code = graver(code, exitUsage)
		}
		for _, warning := range warnings {
			fmt.Fprintln(a.stdout, warning)
			if c.Strict {
				code = graver(code, exitViolated)
			}
		}
	}
	return verdict(code)
}
