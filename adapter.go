package main

import (
	"fmt"
	"strings"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
)

type adapterCommand struct {
	Check    adapterCheckCommand    `cmd:"" help:"Lead an adapter through one session and show every line."`
	Go       adapterGoCommand       `cmd:"" help:"Be the adapter of our own SDK, on standard input and output."`
	Schema   adapterSchemaCommand   `cmd:"" help:"Print the JSON Schema of a line of the adapter protocol."`
	Skeleton adapterSkeletonCommand `cmd:"" help:"Print a program to start an adapter from."`
	Useless  adapterUselessCommand  `cmd:"" hidden:"" help:"Be an adapter that cannot be judged, for the selftest."`
}

type adapterSchemaCommand struct{}

// Run prints the schema.
func (adapterSchemaCommand) Run(a *app) error {
	_, err := a.stdout.Write(adapter.Schema())
	return err
}

type adapterGoCommand struct{}

// Run obeys until standard input ends.
func (adapterGoCommand) Run(a *app) error {
	identity := adapter.Identity{SDK: "rtmkit", Version: version, Language: "go", Profiles: clientProfiles()}
	err := adapter.Serve(a.ctx, a.stdin, a.stdout, identity, adapter.NewSDK)
	switch {
	case err == nil:
		return nil
	case a.ctx.Err() != nil:
		return verdict(exitInterrupted)
	}
	return fail(exitBroken, "%w", err)
}

// clientProfiles are the profiles that ask something of a client.
func clientProfiles() []string {
	var profiles []string
	asked := map[string]bool{}
	for _, r := range catalogue.Embedded().Requirements {
		asked[r.Profile] = asked[r.Profile] || r.Subject == catalogue.Client
	}
	for _, name := range catalogue.Embedded().ProfileNames() {
		if asked[name] {
			profiles = append(profiles, name)
		}
	}
	return profiles
}

type adapterCheckCommand struct {
	Server string   `placeholder:"URL" help:"Server for the session, ws:// or wss://, open for the app; without it the reference server is started."`
	AppID  string   `default:"${app_id}" placeholder:"ID" help:"App in which the session logs in."`
	Cmd    []string `arg:"" name:"cmd" help:"The adapter and its arguments, behind --."`
}

// Run shows a session and says what came of it.
func (c *adapterCheckCommand) Run(a *app) error {
	if c.Server != "" && !strings.HasPrefix(c.Server, "ws://") && !strings.HasPrefix(c.Server, "wss://") {
		return fail(exitUsage, "--server %s: it must be a ws:// or wss:// URL with its path", c.Server)
	}
	if c.Server == "" {
		server, err := startChild(a.ctx, "--call-limits", "off", "--log-level", "warn")
		if err != nil {
			return err
		}
		defer server.stop()
		c.Server = server.url
	}
	err := adapter.Check(a.ctx, adapterOf(c.Cmd), a.stdout, adapter.Options{URL: c.Server, AppID: c.AppID})
	switch {
	case err == nil:
		fmt.Fprintln(a.stdout, "The adapter keeps the protocol; judge its SDK with rtmkit conform run.")
		return nil
	case a.ctx.Err() != nil:
		return verdict(exitInterrupted)
	}
	return fail(exitUnreachable, "%w", err)
}

// adapterOf is how the adapter behind a command line is started.
func adapterOf(words []string) adapter.Command {
	return adapter.Command{Args: words, Profiles: catalogue.Embedded().ProfileNames(), Nearest: catalogue.Nearest}
}
