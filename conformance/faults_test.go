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
	cfg.Only = fault.Breaks
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

func TestEveryToleranceIsBorne(t *testing.T) {
	server := startReference(t, shortLimits())
	for _, tolerance := range faults.Tolerances() {
		t.Run(tolerance.Name, func(t *testing.T) {
			cfg := pair(server)
			cfg.Subjects = []string{tolerance.Subject}
			cfg.planted = plantTolerance(tolerance)
			result := judged(t, cfg)

			if code := ExitCode(result, nil); code != ExitConformant || len(violated(result)) > 0 {
				report(t, result)
			}
			if cfg.planted.counter.Count() == 0 {
				t.Error("the tolerance was never exercised")
			}
		})
	}
}
