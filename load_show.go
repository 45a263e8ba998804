package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/rtmkit/rtmkit/loadgen"
)

type loadShowCommand struct {
	Workload string `arg:"" optional:"" placeholder:"NAME" help:"Name of a ready workload; without it all are listed."`
}

// Run prints a ready workload's file, to be read or copied, or lists them.
func (c *loadShowCommand) Run(a *app) error {
	if c.Workload == "" {
		t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
		for _, s := range loadgen.Shelf() {
			fmt.Fprintf(t, "%s\t%s\n", s.Name, s.Question)
		}
		return t.Flush()
	}
	shelved, ok := shelvedWorkload(c.Workload)
	if !ok {
		return fail(exitUsage, "%s: there is no such ready workload; there are: %s", c.Workload, shelfNames())
	}
	_, err := a.stdout.Write(shelved.Text)
	return err
}

// shelvedWorkload finds a ready workload. What load run calls channel stands on the shelf as fanout.
func shelvedWorkload(name string) (loadgen.Shelved, bool) {
	if name == "channel" {
		name = "fanout"
	}
	return loadgen.FromShelf(name)
}

// shelfNames lists the names of the ready workloads in a sentence.
func shelfNames() string {
	var names []string
	for _, s := range loadgen.Shelf() {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
