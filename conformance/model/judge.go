package model

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
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

// The bounds of a search for a shorter program.
const (
	shrinkRuns = 300
	// quicker is by how much the budget is cut while a program is shrunk. What seems to fail only because of that is found
	// out at the end.
	quicker = 20
	// shrinkBudgets is how many budgets of the server the search may take.
	shrinkBudgets = 4
)

// Replay runs one program, and shrinks it when it diverges; see [Run] for the error. When the shortest program found does not
// diverge once more, the failure is the program as it was. The trace of the server gets the frames of these last runs only.
func Replay(ctx context.Context, server Server, program Program) (*Failure, error) {
	quiet := server
	quiet.Trace = nil
	divergence, err := Run(ctx, quiet, program)
	if divergence == nil || err != nil {
		return nil, err
	}
	failure := &Failure{Program: program, Divergence: divergence, Steps: len(program)}
	server = server.withDefaults()
	quick := server
	quick.Budget, quick.Trace = server.Budget/quicker, nil
	searching, cancel := context.WithTimeout(ctx, shrinkBudgets*server.Budget)
	defer cancel()
	last := divergence.Step - 1
	shortest := Shrink(program[:last+program.group(last)], shrinkRuns, func(candidate Program) bool {
		divergence, err := Run(searching, quick, candidate)
		return err == nil && divergence != nil
	})
	for _, candidate := range []Program{shortest, program} {
		if divergence, err := Run(ctx, server, candidate); err == nil && divergence != nil {
			failure.Program, failure.Divergence, failure.Again = candidate, divergence, true
			break
		}
	}
	return failure, nil
}
