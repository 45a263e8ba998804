package main

import (
	"github.com/rtmkit/rtmkit/loadgen"
)

type loadSchemaCommand struct{}

// Run prints the JSON Schema of workload files, for editors.
func (c *loadSchemaCommand) Run(a *app) error {
	_, err := a.stdout.Write(loadgen.WorkloadJSONSchema())
	return err
}
