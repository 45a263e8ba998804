package conformance

import (
	"slices"
	"testing"

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
	cfg.Only, cfg.Claims = fault.Breaks, fault.Claims
	cfg.Slow, cfg.SlowFactor = true, 0.1
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
func TestEveryToleranceIsBorne(t *testing.T) {
	server := startReference(t, shortLimits())
	tolerances := faults.Tolerances()
	url, counters := server, make([]*faults.Counter, len(tolerances))
	for i, tolerance := range tolerances {
		counters[i] = new(faults.Counter)
		url = tolerating(t, url, tolerance, counters[i])
	}
	cfg := pair(url)
	cfg.Subjects = []string{"server"}
	cfg.Workers, cfg.StartWorker = 8, startTestWorker(url)

	result := judged(t, cfg)

	for i, tolerance := range tolerances {
		if counters[i].Count() == 0 {
			t.Errorf("the tolerance %s was never exercised", tolerance.Name)
		}
	}
	notBorne := violated(result)
	if ExitCode(result, nil) == ExitConformant && len(notBorne) == 0 {
		return
	}
	report(t, result)
	t.Errorf("the tolerances together turn %v red", notBorne)
	for _, tolerance := range tolerances {
		t.Run(tolerance.Name, func(t *testing.T) {
			cfg := pair(tolerating(t, server, tolerance, new(faults.Counter)))
			cfg.Subjects, cfg.Only = []string{"server"}, notBorne
			if result := judged(t, cfg); len(violated(result)) > 0 {
				report(t, result)
				t.Errorf("alone it turns %v red", violated(result))
			}
		})
	}
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
