package loadgen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

func TestRunIsJudgedByItsOwnEvidenceBeforeItsLatency(t *testing.T) {
	good := Evidence{LagP99: 300 * time.Microsecond, Seconds: 100, Offered: 100_000, Sent: 100_000}
	with := func(change func(*Evidence)) Evidence {
		e := good
		change(&e)
		return e
	}
	for name, c := range map[string]struct {
		evidence Evidence
		verdict  reports.ValidityVerdict
		reason   string
		who      string
	}{
		"on schedule":       {good, reports.Valid, "", ""},
		"late a little":     {with(func(e *Evidence) { e.LagP99 = 1100 * time.Microsecond }), reports.Degraded, "p99 of 1.1ms", ""},
		"late":              {with(func(e *Evidence) { e.LagP99 = 2100 * time.Microsecond }), reports.Invalid, "p99 of 2.1ms", ""},
		"late and busy":     {with(func(e *Evidence) { e.LagP99, e.GeneratorCPU = 5*time.Millisecond, 0.9 }), reports.Invalid, "90 % of all cores", "generator bound"},
		"late on busy host": {with(func(e *Evidence) { e.LagP99, e.GeneratorCPU, e.Pressure = 5*time.Millisecond, 0.1, 0.5 }), reports.Invalid, "5ms", "host noise"},
		"late in 5 of 100":  {with(func(e *Evidence) { e.LateSeconds, e.HalfLateSeconds = 5, 5 }), reports.Valid, "", ""},
		"late in 6 of 100":  {with(func(e *Evidence) { e.LateSeconds, e.HalfLateSeconds = 6, 6 }), reports.Invalid, "6 of 100 seconds", ""},
		"one second of 6":   {with(func(e *Evidence) { e.Seconds, e.LateSeconds, e.HalfLateSeconds = 6, 1, 1 }), reports.Valid, "", ""},
		"two seconds of 6":  {with(func(e *Evidence) { e.Seconds, e.LateSeconds, e.HalfLateSeconds = 6, 2, 2 }), reports.Invalid, "2 of 6 seconds", ""},
		"half late in 6":    {with(func(e *Evidence) { e.HalfLateSeconds = 6 }), reports.Degraded, "6 of 100 seconds", ""},
		"sheds a trace":     {with(func(e *Evidence) { e.Shed, e.Sent = 40, 99_960 }), reports.Valid, "", ""},
		"sheds":             {with(func(e *Evidence) { e.Shed, e.Sent = 90, 99_910 }), reports.Degraded, "90 of 100000 messages were shed", "server bound"},
		"sheds more":        {with(func(e *Evidence) { e.Shed, e.Sent = 110, 99_890 }), reports.Invalid, "110 of 100000", "server bound"},
		"fails to send":     {with(func(e *Evidence) { e.Sent = 99_400 }), reports.Invalid, "only 99400 of 100000", "server bound"},
		"a client sheds":    {with(func(e *Evidence) { e.Shed, e.Sent, e.Client = 110, 99_890, true }), reports.Invalid, "110 of 100000", "client bound"},
		"a client is busy": {with(func(e *Evidence) { e.Shed, e.Sent, e.Client, e.OthersCPU, e.Pressure = 110, 99_890, true, 0.6, 0.5 }),
			reports.Invalid, "the client under load among them, used 60 %", "client bound"},
		"nothing was due":  {Evidence{}, reports.Invalid, "no message was due", ""},
		"warm-up left":     {with(func(e *Evidence) { e.WarmupLeft = true }), reports.Degraded, "warm-up", "server bound"},
		"busy but in time": {with(func(e *Evidence) { e.GeneratorCPU = 0.9 }), reports.Degraded, "90 %", "generator bound"},
		"wider limit":      {with(func(e *Evidence) { e.LagP99, e.LagLimit = 2100*time.Microsecond, 5*time.Millisecond }), reports.Valid, "", ""},
	} {
		v := Judge(c.evidence)
		if v.Verdict != c.verdict || v.Attribution != c.who || !strings.Contains(strings.Join(v.Reasons, "; "), c.reason) {
			t.Errorf("%s: got %+v, want %s for %q by %q", name, v, c.verdict, c.reason, c.who)
		}
		if (v.Verdict == reports.Valid) != (len(v.Reasons) == 0) {
			t.Errorf("%s: reasons %v for %s", name, v.Reasons, v.Verdict)
		}
	}
}

func TestWhoIsInTheWayIsToldWithEvidence(t *testing.T) {
	late := func(e Evidence) Evidence {
		e.LagP99, e.Seconds, e.LateSeconds, e.HalfLateSeconds = 9*time.Millisecond, 10, 10, 10
		e.Offered, e.Sent = 1000, 1000
		return e
	}
	shed := func(e Evidence) Evidence {
		e.LagP99, e.Seconds, e.Offered, e.Sent, e.Shed, e.Cores, e.GeneratorCores = 100*time.Microsecond, 10, 1000, 800, 200, 2, max(e.GeneratorCores, 1)
		return e
	}
	for name, c := range map[string]struct {
		evidence Evidence
		verdict  reports.ValidityVerdict
		who, why string
	}{
		"hogs":                              {late(Evidence{GeneratorCPU: 0.2, ServerCPU: 0.2, OthersCPU: 0.6, Pressure: 0.9}), reports.Invalid, "host noise", "other processes used 60 % of all cores"},
		"hogs that shed":                    {shed(Evidence{GeneratorCPU: 0.2, ServerCPU: 0.2, OthersCPU: 0.6, Pressure: 0.9, GeneratorCores: 2}), reports.Invalid, "host noise", "60 %"},
		"hogs, on schedule":                 {Evidence{LagP99: 1, Offered: 1, Sent: 1, OthersCPU: 0.6, Pressure: 0.9}, reports.Degraded, "host noise", "90 % of the time"},
		"busy neighbours, no wait":          {Evidence{LagP99: 1, Offered: 1, Sent: 1, OthersCPU: 0.6, Pressure: 0.1}, reports.Valid, "", ""},
		"unseen server, on schedule":        {Evidence{LagP99: 1, Offered: 1, Sent: 1, OthersCPU: 0.6, Pressure: 0.9, ServerUnseen: true}, reports.Valid, "", ""},
		"client under load, on schedule":    {Evidence{LagP99: 1, Offered: 1, Sent: 1, OthersCPU: 0.6, Pressure: 0.9, Client: true}, reports.Valid, "", ""},
		"unseen server that sheds":          {shed(Evidence{OthersCPU: 0.6, Pressure: 0.9, ServerUnseen: true}), reports.Invalid, "", "name the server's process"},
		"late beside an unseen server":      {late(Evidence{OthersCPU: 0.6, Pressure: 0.9, ServerUnseen: true}), reports.Invalid, "host noise", "the server perhaps among them"},
		"stolen":                            {late(Evidence{GeneratorCPU: 0.1, Steal: 0.2}), reports.Invalid, "host noise", "the hypervisor gave 20 %"},
		"its cores used up":                 {late(Evidence{GeneratorCPU: 0.45, ServerCPU: 0.4, Pressure: 0.9, GeneratorCores: 1, Cores: 2}), reports.Invalid, "generator bound", "0.90 cores and may use 1 of the 2"},
		"used up, though others are there":  {late(Evidence{GeneratorCPU: 0.45, OthersCPU: 0.3, Pressure: 0.9, GeneratorCores: 1, Cores: 2}), reports.Invalid, "generator bound", "0.90 cores"},
		"used up, and sheds":                {shed(Evidence{GeneratorCPU: 0.45, ServerCPU: 0.1, GeneratorCores: 1}), reports.Invalid, "generator bound", "0.90 cores"},
		"used up and waiting":               {Evidence{LagP99: 1, Offered: 1, Sent: 1, GeneratorCPU: 0.9, SchedLatencyP99: 9 * time.Millisecond}, reports.Invalid, "generator bound", "90 %"},
		"two share the machine":             {late(Evidence{GeneratorCPU: 0.5, ServerCPU: 0.45, Pressure: 0.95}), reports.Invalid, "generator bound", "95 % of the cores that they share"},
		"its garbage collector":             {late(Evidence{GeneratorCPU: 0.2, GCCPU: 0.4}), reports.Invalid, "generator bound", "garbage collector took 40 %"},
		"its scheduler":                     {late(Evidence{GeneratorCPU: 0.2, SchedLatencyP99: 8 * time.Millisecond}), reports.Invalid, "generator bound", "waited up to 8ms"},
		"its scheduler while messages shed": {shed(Evidence{GeneratorCPU: 0.2, GeneratorCores: 2, SchedLatencyP99: 8 * time.Millisecond}), reports.Invalid, "generator bound", "waited up to 8ms"},
		"a quota":                           {late(Evidence{GeneratorCPU: 0.2, Throttled: 0.3}), reports.Invalid, "generator bound", "quota held the generator back in 30 %"},
		"a quota, on schedule":              {Evidence{LagP99: 1, Offered: 1, Sent: 1, Throttled: 0.3}, reports.Degraded, "generator bound", "30 %"},
		"the server is gone":                {late(Evidence{OthersCPU: 0.5, Pressure: 0.9, LostAt: 12500 * time.Millisecond}), reports.Invalid, "server bound", "in second 12 of the run"},
		"nobody knows":                      {late(Evidence{GeneratorCPU: 0.1}), reports.Invalid, "", "nothing that was observed"},
		"the server":                        {shed(Evidence{GeneratorCPU: 0.1, ServerCPU: 0.5, Pressure: 0.5}), reports.Invalid, "server bound", "the schedule was kept, with a lag p99 of 100µs"},
	} {
		v := Judge(c.evidence)
		if v.Verdict != c.verdict || v.Attribution != c.who || !strings.Contains(v.Evidence, c.why) {
			t.Errorf("%s: got %+v, want %s by %q for %q", name, v, c.verdict, c.who, c.why)
		}
	}
}

func TestRunsComeToTheirOutcome(t *testing.T) {
	load := func(change func(*reports.Load)) *reports.Load {
		l := &reports.Load{Summary: reports.Summary{
			Validity:   reports.Validity{Verdict: reports.Valid},
			Ledger:     []reports.LedgerRow{{}},
			Equations:  []reports.Equation{{Holds: true}},
			Thresholds: []reports.Threshold{{Holds: true}},
		}}
		change(l)
		return l
	}
	lossy := func(l *reports.Load) { l.Summary.Ledger[0].Lost = 1 }
	invalid := func(l *reports.Load) { l.Summary.Validity.Verdict = reports.Invalid }
	for name, c := range map[string]struct {
		load *reports.Load
		err  error
		want Outcome
	}{
		"good":                {load(func(*reports.Load) {}), nil, Passed},
		"degraded":            {load(func(l *reports.Load) { l.Summary.Validity.Verdict = reports.Degraded }), nil, Passed},
		"threshold":           {load(func(l *reports.Load) { l.Summary.Thresholds[0].Holds = false }), nil, ThresholdFailed},
		"invalid":             {load(invalid), nil, RunInvalid},
		"lossy":               {load(lossy), nil, AccountingBreach},
		"lossy and invalid":   {load(func(l *reports.Load) { lossy(l); invalid(l) }), nil, AccountingBreach},
		"unbalanced":          {load(func(l *reports.Load) { l.Summary.Equations[0].Holds = false }), nil, AccountingBreach},
		"target lost":         {load(func(l *reports.Load) { l.Manifest.LostNS = 5e9; lossy(l); invalid(l) }), nil, TargetLost},
		"lost, then stopped":  {load(func(l *reports.Load) { l.Manifest.LostNS = 5e9; l.Manifest.Interrupted = true }), nil, Interrupted},
		"interrupted":         {load(func(l *reports.Load) { l.Manifest.Interrupted = true; lossy(l) }), nil, Interrupted},
		"interrupted early":   {nil, fmt.Errorf("x: %w", context.Canceled), Interrupted},
		"no server":           {nil, fmt.Errorf("x: %w", &Failure{Class: ClassDial}), TargetUnreachable},
		"bad workload":        {nil, &WorkloadError{errors.New("x")}, Unusable},
		"login refused":       {nil, &Failure{Class: ClassAuth}, Unusable},
		"folder not writable": {load(func(*reports.Load) {}), errors.New("disk full"), Unusable},
	} {
		if got := OutcomeOf(c.load, c.err); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestLagMayBeATenthOfTheTightestLatencyThatIsAllowed(t *testing.T) {
	for texts, want := range map[string]time.Duration{
		"":                                       2 * time.Millisecond,
		"peer.ack.p99 < 5ms":                     2 * time.Millisecond,
		"peer.ack.p99 < 50ms":                    5 * time.Millisecond,
		"peer.ack.p99 <= 50ms; login.p50 < 30ms": 3 * time.Millisecond,
		"peer.ack.p99 > 50ms; lost == 0":         2 * time.Millisecond,
		"lag.p99 < 500ms":                        2 * time.Millisecond,
		"peer.ack.count < 900000000":             2 * time.Millisecond,
	} {
		w := small(10)
		for _, text := range strings.Split(texts, "; ") {
			if text == "" {
				continue
			}
			limit, err := ParseThreshold(text)
			if err != nil {
				t.Fatal(err)
			}
			w.Thresholds = append(w.Thresholds, limit)
		}
		if got := lagLimit(w); got != want {
			t.Errorf("%q: %v, want %v", texts, got, want)
		}
	}
}

// recorded are the rows of real runs on a machine of two cores that others used, too.
var recorded = map[string]struct {
	file    string
	lagP99  time.Duration
	verdict reports.ValidityVerdict
	who     string
	why     string
}{
	"2000/s on a calm machine":                                {"calm.csv", 199 * time.Microsecond, reports.Valid, "", ""},
	"5000/s beside two busy processes of its own priority":    {"two-hogs.csv", 3267 * time.Microsecond, reports.Invalid, "host noise", "other processes used 76 % of all cores"},
	"5000/s beside four busy processes of its own priority":   {"four-hogs.csv", 3416 * time.Microsecond, reports.Invalid, "host noise", "other processes used 81 % of all cores"},
	"120000/s with GOMAXPROCS=1, beside a server and a build": {"one-core.csv", 3473 * time.Microsecond, reports.Invalid, "generator bound", "0.97 cores and may use 1 of the 2"},
}

func TestRecordedRunsAreHeldUpByWhoWasThere(t *testing.T) {
	for name, c := range recorded {
		file, err := os.Open(filepath.Join("testdata", "health", c.file))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := readVitals(file)
		if err := errors.Join(err, file.Close()); err != nil {
			t.Fatalf("%s: %v", c.file, err)
		}
		e := Evidence{LagP99: c.lagP99, Offered: 1, Sent: 1}
		for _, v := range rows {
			if p99, seen := v.readings[colLagP99]; seen {
				e.Seconds++
				if p99 > float64(maxLagP99) {
					e.LateSeconds++
				}
			}
		}
		e.add(healthOf(rows), true)
		v := Judge(e)
		if v.Verdict != c.verdict || v.Attribution != c.who || !strings.Contains(v.Evidence, c.why) {
			t.Errorf("%s: %+v, want %s by %q for %q", name, v, c.verdict, c.who, c.why)
		}
	}
}
