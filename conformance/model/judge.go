package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Failure is a program on which a server diverges.
type Failure struct {
	// Program is the shortest that was found.
	Program Program
	// Divergence is what happened on it.
	Divergence *Divergence
	// Steps is how many steps the program had before it was shrunk.
	Steps int
	// Again tells whether the server diverged again when the program was repeated.
	Again bool
}

// Scenario returns the failure as a scenario: what was expected and observed as remarks, and the program. [Parse] reads it.
func (f *Failure) Scenario() string {
	d := f.Divergence
	remark := func(word, text string) string {
		return fmt.Sprintf("# %s %s\n", word, strings.ReplaceAll(text, "\n", " "))
	}
	text := fmt.Sprintf("# In step %d, %s:\n", d.Step, d.Line) + remark("expected", d.Expected) + remark("observed", d.Observed)
	if !f.Again {
		text += "# The server did not diverge again when the program was repeated.\n"
	}
	return text + f.Program.String()
}

// Judge makes programs from a seed and runs them until one diverges, which it shrinks. It returns nil when none does. The
// same seed and shape make the same programs; see [Run] for the error. A program that was too slow counts as long as another
// was not.
func Judge(ctx context.Context, server Server, shape Shape, seed uint64, programs int) (*Failure, error) {
	judged := 0
	for n := range programs {
		failure, err := Replay(ctx, server, Generate(rand.New(rand.NewPCG(seed, uint64(n))), shape))
		switch {
		case errors.Is(err, ErrTooSlow):
			continue
		case failure != nil || err != nil:
			return failure, err
		}
		judged++
	}
	if judged == 0 {
		return nil, ErrTooSlow
	}
	return nil, nil
}

// shrinkRuns bounds a search for a shorter program.
const shrinkRuns = 200

// quicker are the parts of the budget with which a program is shrunk, one after the other. A short wait finds sooner that
// something does not come; what fails only because of that is found out at the end, and calls for more patience.
var quicker = []time.Duration{20, 4}

// Replay runs one program, and shrinks it when it diverges; see [Run] for the error. When the shortest program found does not
// diverge once more, the failure is the program as it was. The trace of the server gets the frames of these last runs only.
func Replay(ctx context.Context, server Server, program Program) (*Failure, error) {
	quiet := server
	quiet.Trace = nil
	divergence, err := Run(ctx, quiet, program)
	if divergence == nil || err != nil {
		return nil, err
	}
	last := divergence.Step - 1
	upTo := program[:last+program.group(last)]
	for _, part := range quicker {
		quick := quiet
		quick.Budget = server.withDefaults().Budget / part
		shortest := Shrink(upTo, shrinkRuns, func(candidate Program) bool {
			divergence, err := Run(ctx, quick, candidate)
			return err == nil && divergence != nil
		})
		if again, err := Run(ctx, server, shortest); err == nil && again != nil {
			return &Failure{shortest, again, len(program), true}, nil
		}
	}
	failure := &Failure{program, divergence, len(program), false}
	if again, err := Run(ctx, server, program); err == nil && again != nil {
		failure.Divergence, failure.Again = again, true
	}
	return failure, nil
}
