package main

import (
	"context"
	"encoding/json"
	"io"
	"net"

	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

type loadNullCommand struct{}

// Run serves the protocol at the least cost until a signal, or until the parent that calibrates is gone.
func (loadNullCommand) Run(a *app) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fail(exitBroken, "the null server cannot listen: %w", plainNet(err))
	}
	ctx, stop := context.WithCancel(a.ctx)
	defer stop()
	go func() {
		_, _ = io.Copy(io.Discard, a.stdin)
		stop()
	}()
	_ = json.NewEncoder(a.stdout).Encode(readyLine{"ws://" + listener.Addr().String() + wire.Path})
	if err := loadgen.ServeNull(ctx, listener); err != nil {
		return fail(exitBroken, "the null server stopped: %w", plainNet(err))
	}
	return nil
}

// startNull starts a null server in a process of its own.
func startNull(ctx context.Context) (*child, error) {
	return startSelf(ctx, "the null server", "load", "null")
}
