package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/rtmkit/rtmkit/conformance"
)

type scenarioCommand struct {
	File string `arg:"" type:"existingfile" help:"Scenario: one step per line, such as: alice joins lobby."`
	serverFlags
}

// Run plays the scenario. When the server fails it, standard output is the shortest
// scenario that it fails, with what was expected and observed as remarks.
func (c *scenarioCommand) Run(a *app) error {
	text, err := os.ReadFile(c.File)
	if err != nil {
		return fail(exitUsage, "%s: %w", c.File, plainPath(err))
	}
	server, err := c.open(a, pairCalls("off"))
	if err != nil {
		return err
	}
	defer server.stop()
	cfg, err := server.config()
	if err != nil {
		return err
	}
	failure, err := conformance.Play(a.ctx, cfg, string(text))
	switch {
	case a.ctx.Err() != nil:
		return verdict(exitInterrupted)
	case err != nil:
		return fail(exitCode(conformance.ExitCode(nil, err)), "%s: %s", c.File, withoutPackage(err))
	case failure != nil:
		fmt.Fprint(a.stdout, failure.Scenario())
		return verdict(exitViolated)
	}
	fmt.Fprintf(a.stdout, "%s: the server does what each step asks for\n", c.File)
	return nil
}

func withoutPackage(err error) string {
	return strings.TrimPrefix(strings.TrimPrefix(err.Error(), "conformance: "), "model: ")
}
