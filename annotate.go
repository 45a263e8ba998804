package main

import "fmt"

type reportAnnotateCommand struct {
	Dir    string `arg:"" help:"Report or run folder."`
	Format string `enum:"github,plain" default:"github" help:"How to print them: github for workflow commands of GitHub Actions, plain for one readable line each."`
	Limit  int    `default:"50" placeholder:"N" help:"Print no more than this many, the gravest first; 0 prints all."`
}

// Run prints the annotations. It tells and does not judge: its exit code says nothing about the report.
func (c *reportAnnotateCommand) Run(a *app) error {
	if c.Limit < 0 {
		return fail(exitUsage, "--limit %d: give a number from 0", c.Limit)
	}
	report, err := readFolder(c.Dir)
	if err != nil {
		return err
	}
	for _, annotation := range report.Annotations(c.Limit) {
		line := annotation.String()
		if c.Format == "github" {
			line = annotation.GitHub()
		}
		fmt.Fprintln(a.stdout, line)
	}
	return nil
}
