package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rtmkit/rtmkit/conformance/model"
	"github.com/rtmkit/rtmkit/conformance/specs"
)

// Play runs one scenario against the server, see [model.Parse] for its form, and returns how the server failed it, with the
// shortest scenario that it fails, or nil. What the configuration says about subjects and requirements does not matter.
//
// The error is a [*UsageError], an [*UnreachableError], the context's when it ended, or [model.ErrTooSlow]; then nothing was
// judged.
func Play(ctx context.Context, cfg Config, scenario string) (*model.Failure, error) {
	program, err := model.Parse(scenario)
	if err != nil {
		return nil, &UsageError{err.Error()}
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	env := new(specs.Env)
	cfg.fill(env)
	if _, err := cfg.preflight(ctx, env); err != nil {
		return nil, err
	}
	server := model.Server{URL: cfg.Server, TLS: cfg.TLS, AppID: cfg.AppID, Token: env.Token, Budget: env.Answer()}
	failure, err := model.Replay(ctx, server, program)
	limit := new(model.LimitError)
	switch {
	case err == nil:
		return failure, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.As(err, &limit):
		return nil, &UsageError{fmt.Sprintf("the server's limits are too low for the scenario: %s", problem(err))}
	case errors.Is(err, model.ErrTooSlow):
		return nil, model.ErrTooSlow
	}
	return nil, &UnreachableError{Server: cfg.Server, Problem: problem(err), Err: err}
}

func problem(err error) string { return strings.TrimPrefix(err.Error(), "model: ") }
