package conformance

import (
	"context"
	"slices"
	"testing"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// broken is the configuration for judging a pair with a fault in it: only what the fault breaks, and without patience for
// frames that never come.
func broken(server string, fault faults.Fault) Config {
	cfg := pair(server)
	cfg.Subjects = []string{fault.Subject}
	cfg.Only, cfg.Claims, cfg.clientClaims = fault.Breaks, fault.Claims, fault.Claims
	cfg.Slow, cfg.SlowFactor = true, 0.1
	cfg.Claims, cfg.clientClaims = fault.Claims, fault.Claims
	cfg.planted = plantFault(fault)
	return cfg
}

// limitsCalls tells whether a requirement can be judged only where call limits are in force.
func limitsCalls(id string) bool { return catalogue.Embedded().Get(id).Profile == "call-limits" }

func TestEveryFaultIsCaughtByTheSpecsOfWhatItBreaks(t *testing.T) {
	limits := shortLimits()
	free := startReference(t, limits)
	limits.Calls = wire.DefaultCalls()
	limited := startReference(t, limits)
	for _, fault := range faults.All() {
		t.Run(fault.Name, func(t *testing.T) {
			server := free
			if slices.ContainsFunc(fault.Breaks, limitsCalls) {
				server = limited
			}
			cfg := broken(server, fault)
			result := judged(t, cfg)

			for _, row := range result.Requirements {
				if slices.Contains(fault.Breaks, row.ID) && row.Verdict != reports.Fail && row.Verdict != reports.Warn {
					t.Errorf("%s is %s: %s", row.ID, row.Verdict, row.Reason)
				}
				if testing.Verbose() && (row.Verdict == reports.Fail || row.Verdict == reports.Warn) {
					t.Log(Explain(&row))
				}
			}
			if cfg.planted.counter.Count() == 0 {
				t.Error("the fault was never exercised")
			}
		})
	}
}

// A tolerance in front of a server that conforms makes a server that conforms. So all of them are borne at once, one in
// front of the other, the suite's own first look at the server included. What is not borne is looked for in each alone.
func TestEveryToleranceOfServersIsBorne(t *testing.T) {
	tolerances := of(faults.Server, func(faults.Tolerance) bool { return true })
	server := startReference(t, shortLimits())
	url, counters := server, make([]*faults.Counter, len(tolerances))
	for i, tolerance := range tolerances {
		counters[i] = new(faults.Counter)
		url = tolerating(t, url, tolerance, counters[i])
	}
	cfg := pair(url)
	cfg.Subjects = []string{"server"}

	result := judged(t, cfg)

	for i, tolerance := range tolerances {
		if counters[i].Count() == 0 {
			t.Errorf("the tolerance %s was never exercised", tolerance.Name)
		}
	}
	if borne(t, result) {
		return
	}
	for _, tolerance := range tolerances {
		t.Run(tolerance.Name, func(t *testing.T) {
			cfg := pair(tolerating(t, server, tolerance, new(faults.Counter)))
			cfg.Subjects, cfg.Only = []string{"server"}, violated(result)
			borne(t, judged(t, cfg))
		})
	}
}

func TestEveryOtherToleranceIsBorne(t *testing.T) {
	server := startReference(t, shortLimits())
	for _, tolerance := range faults.Tolerances() {
		if !alone(tolerance) {
			continue
		}
		t.Run(tolerance.Name, func(t *testing.T) {
			cfg := pair(server)
			cfg.Subjects = []string{tolerance.Subject}
			cfg.Claims, cfg.clientClaims = tolerance.Claims, tolerance.Claims
			cfg.planted = plantTolerance(tolerance)

			borne(t, judged(t, cfg))

			if cfg.planted.counter.Count() == 0 {
				t.Error("the tolerance was never exercised")
			}
		})
	}
}

// alone tells whether a tolerance cannot stand in front of others, since it claims little.
func alone(tolerance faults.Tolerance) bool { return tolerance.Claims != nil }

// of returns the tolerances of one subject that can stand in front of each other.
func of(subject string, more func(faults.Tolerance) bool) []faults.Tolerance {
	return slices.DeleteFunc(faults.Tolerances(), func(tolerance faults.Tolerance) bool {
		return alone(tolerance) || tolerance.Subject != subject || !more(tolerance)
	})
}

func TestAllTolerancesOfAClientsFramesAreBorneAtOnce(t *testing.T) {
	bearsTogether(t, of(faults.Client, func(tolerance faults.Tolerance) bool { return tolerance.Lines == nil }))
}

func TestAllTolerancesOfAClientsLinesAreBorneAtOnce(t *testing.T) {
	bearsTogether(t, of(faults.Client, func(tolerance faults.Tolerance) bool { return tolerance.Plant == nil }))
}

// bearsTogether judges a client with several tolerances, and when something turns red, with each of them.
func bearsTogether(t *testing.T, tolerances []faults.Tolerance) {
	server := startReference(t, shortLimits())
	cfg := pair(server)
	cfg.Subjects = []string{"client"}
	counters := odd(t, &cfg, tolerances)

	result := judged(t, cfg)

	for i, tolerance := range tolerances {
		if counters[i].Count() == 0 {
			t.Errorf("the tolerance %s was never exercised", tolerance.Name)
		}
	}
	if borne(t, result) {
		return
	}
	for i, tolerance := range tolerances {
		t.Run(tolerance.Name, func(t *testing.T) {
			cfg := pair(server)
			cfg.Subjects, cfg.Only = []string{"client"}, violated(result)
			odd(t, &cfg, tolerances[i:i+1])
			borne(t, judged(t, cfg))
		})
	}
}

// odd makes the client of a configuration an odd one. The first tolerance is next to the client.
func odd(t *testing.T, cfg *Config, tolerances []faults.Tolerance) []*faults.Counter {
	counters := make([]*faults.Counter, len(tolerances))
	for i := range counters {
		counters[i] = new(faults.Counter)
	}
	if tolerances[0].Lines != nil {
		cfg.planted = &planted{subject: faults.Client, lines: func(*faults.Counter) faults.Lines {
			rewriters := make([]faults.Lines, len(tolerances))
			for i, tolerance := range tolerances {
				rewriters[i] = tolerance.Lines(counters[i])
			}
			return inLine(rewriters)
		}}
		return counters
	}
	cfg.NewClient = func(ctx context.Context, options adapter.Options) (adapter.Client, error) {
		for i, tolerance := range slices.Backward(tolerances) {
			options.URL = tolerating(t, options.URL, tolerance, counters[i])
		}
		return adapter.NewSDK(ctx, options)
	}
	return counters
}

// inLine rewrites replies and events by each rewriter in turn, and commands the other way round.
func inLine(rewriters []faults.Lines) faults.Lines {
	return func(toAdapter bool, line []byte) [][]byte {
		lines := [][]byte{line}
		for i := range rewriters {
			rewrite := rewriters[i]
			if toAdapter {
				rewrite = rewriters[len(rewriters)-1-i]
			}
			var passed [][]byte
			for _, line := range lines {
				passed = append(passed, rewrite(toAdapter, line)...)
			}
			lines = passed
		}
		return lines
	}
}

// borne fails the test when something turned red.
func borne(t *testing.T, result *reports.Conformance) bool {
	t.Helper()
	if ExitCode(result, nil) == ExitConformant && len(violated(result)) == 0 {
		return true
	}
	report(t, result)
	t.Errorf("not borne by %v", violated(result))
	return false
}

// tolerating puts a tolerance in front of a server.
func tolerating(t *testing.T, server string, tolerance faults.Tolerance, counter *faults.Counter) string {
	t.Helper()
	proxy, err := faults.NewProxy(server, nil, tolerance.Plant, counter)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	return proxy.URL()
}
