package main

import (
	"fmt"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/reports"
)

type conformReplayCommand struct {
	File string `arg:"" type:"existingfile" help:"Wire trace that a report holds, such as report/wire/RTM-PEER-002.jsonl."`
	serverFlags
}

// Run plays the traces of the file again. It succeeds when the server does again what
// was recorded, so that the failure shows without the suite.
func (c *conformReplayCommand) Run(a *app) error {
	traces, err := reports.ReadWire(c.File)
	if err != nil {
		return asUsage(err)
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
	var sum conformance.Replayed
	for _, trace := range traces {
		played, err := conformance.Replay(a.ctx, cfg, trace, a.stdout)
		switch {
		case a.ctx.Err() != nil:
			return verdict(exitInterrupted)
		case err != nil:
			return fail(exitCode(conformance.ExitCode(nil, err)), "%s", withoutPackage(err))
		}
		sum.Same, sum.Different, sum.Skipped = sum.Same+played.Same, sum.Different+played.Different, sum.Skipped+played.Skipped
	}
	fmt.Fprintf(a.stdout, "%d frames as recorded, %d otherwise, %d that cannot be played again\n", sum.Same, sum.Different, sum.Skipped)
	if sum.Different > 0 {
		fmt.Fprintln(a.stdout, "The server does not do again what was recorded.")
		return verdict(exitViolated)
	}
	return nil
}
