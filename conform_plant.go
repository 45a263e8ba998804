package main

import (
	"encoding/json"
	"strings"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
)

type conformPlantCommand struct {
	Fault  string `arg:"" help:"Fault or tolerance of the selftest, such as peer.offline-received; conform explain names the faults of a requirement."`
	Server string `placeholder:"URL" help:"Server to break, ws:// or wss://; without it the reference server is started."`
	tlsFlags
}

// Run stands a broken server up until a signal comes, and prints its ready line: to try
// out what the suite, a gate or a client makes of it.
func (c *conformPlantCommand) Run(a *app) error {
	plant, err := c.plant()
	if err != nil {
		return err
	}
	if c.Server != "" && !strings.HasPrefix(c.Server, "ws://") && !strings.HasPrefix(c.Server, "wss://") {
		return fail(exitUsage, "--server %s: it must be a ws:// or wss:// URL with its path", c.Server)
	}
	config, err := c.config()
	if err != nil {
		return err
	}
	ended := make(<-chan struct{})
	died := func() error { return nil }
	if c.Server == "" {
		server, err := startChild(a.ctx, append([]string{"--log-level", "warn"}, shortLimits...)...)
		if err != nil {
			return err
		}
		defer server.stop()
		c.Server, ended, died = server.url, server.done, server.died
	}
	proxy, err := faults.NewProxy(c.Server, config, plant, new(faults.Counter))
	if err != nil {
		return fail(exitBroken, "the fault cannot be planted: %w", err)
	}
	defer proxy.Close()
	if err := json.NewEncoder(a.stdout).Encode(readyLine{proxy.URL()}); err != nil {
		return fail(exitBroken, "the ready line cannot be written: %w", err)
	}
	select {
	case <-a.ctx.Done():
		return nil
	case <-ended:
		return died()
	}
}

// plant finds what is planted in front of a server.
func (c *conformPlantCommand) plant() (faults.Plant, error) {
	var names []string
	for _, fault := range faults.All() {
		switch names = append(names, fault.Name); {
		case fault.Name == c.Fault && fault.Subject != faults.Server:
			return nil, fail(exitUsage, "%s is a fault of a client; only those of servers can be stood up", c.Fault)
		case fault.Name == c.Fault:
			return fault.Plant, nil
		}
	}
	for _, tolerance := range faults.Tolerances() {
		switch names = append(names, tolerance.Name); {
		case tolerance.Name == c.Fault && tolerance.Subject != faults.Server:
			return nil, fail(exitUsage, "%s is a tolerance of clients; only those of servers can be stood up", c.Fault)
		case tolerance.Name == c.Fault:
			return tolerance.Plant, nil
		}
	}
	return nil, fail(exitUsage, "there is no fault or tolerance %s; the nearest is %s", c.Fault, catalogue.Nearest(c.Fault, names))
}
