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
}

// Scenario returns the failure as a scenario: what was expected and observed as remarks, and the program. [Parse] reads it.
func (f *Failure) Scenario() string {
	d := f.Divergence
	remark := func(word, text string) string {
		return fmt.Sprintf("# %s %s\n", word, strings.ReplaceAll(text, "\n", " "))
	}
	return fmt.Sprintf("# In step %d, %s:\n", d.Step, d.Line) + remark("expected", d.Expected) + remark("observed", d.Observed) + f.Program.String()
}

// Judge makes programs from a seed and runs them until one diverges, which it shrinks. It returns nil when none does. The
// same seed and shape make the same programs; see [Run] for the error. A program that was too slow counts as long as another
// was not.
func Judge(ctx context.Context, server Server, shape Shape, seed uint64, programs int) (*Failure, error) {
	judged := 0
	for n := range programs {
		program := Generate(rand.New(rand.NewPCG(seed, uint64(n))), shape)
		divergence, err := Run(ctx, server, program)
		switch {
		case errors.Is(err, ErrTooSlow):
			continue
		case err != nil:
			return nil, err
		case divergence != nil:
			return Shorten(ctx, server, program, divergence), nil
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

// Shorten shrinks a program that diverged on a server. When the shortest one found does not diverge once more, the failure
// is the program as it was.
func Shorten(ctx context.Context, server Server, program Program, divergence *Divergence) *Failure {
	whole := &Failure{Program: program, Divergence: divergence, Steps: len(program)}
	server = server.withDefaults()
	quick := server
	quick.Budget, quick.Trace = server.Budget/quicker, nil
	searching, cancel := context.WithTimeout(ctx, shrinkBudgets*server.Budget)
	defer cancel()
	upTo := program[:divergence.Step-1+program.group(divergence.Step-1)]
	shortest := Shrink(upTo, shrinkRuns, func(candidate Program) bool {
		divergence, err := Run(searching, quick, candidate)
		return err == nil && divergence != nil
	})
	if divergence, err := Run(ctx, server, shortest); err == nil && divergence != nil {
		whole.Program, whole.Divergence = shortest, divergence
	}
	return whole
}
