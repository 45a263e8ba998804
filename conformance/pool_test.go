package conformance

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/conformance/specs"
)

func TestWorkersFindWhatOneProcessFinds(t *testing.T) {
	for name, server := range map[string]string{
		"a server that conforms": startReference(t, shortLimits()),
		"a server that does not": rewriting(t, replacing(probe.ToClient, `"kind":"channel.join.ok"`, `"kind":"ok"`)),
	} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(server)
			cfg.SlowFactor = 0.2
			alone := judged(t, cfg)
			cfg.Workers, cfg.StartWorker = 4, startTestWorker(server)
			together := judged(t, cfg)

			for i, row := range together.Requirements {
				if want := alone.Requirements[i].Verdict; row.Verdict != want {
					t.Errorf("%s: workers found %s (%s), one process %s", row.ID, row.Verdict, row.Reason, want)
				}
			}
		})
	}
}

func TestAWorkerThatEndsEarlyIsTheSuitesFault(t *testing.T) {
	cfg := quick(startReference(t, shortLimits()))
	cfg.Workers = 2
	cfg.StartWorker = func(context.Context) (*Worker, error) {
		return &Worker{In: discarding{}, Out: strings.NewReader("nonsense\n"), Stop: func() {}, Diagnosis: func() string { return "it fell over" }}, nil
	}

	_, err := Run(t.Context(), cfg)

	if code := ExitCode(nil, err); code != ExitSuite || !strings.Contains(err.Error(), "it fell over") {
		t.Errorf("got %v with exit code %d", err, code)
	}
}

type discarding struct{}

func (discarding) Write(p []byte) (int, error) { return len(p), nil }
func (discarding) Close() error                { return nil }

func TestAPlanHoldsEachRequirementOnceAndWhatItNeedsBefore(t *testing.T) {
	requirements := catalogue.Embedded()
	all, err := Specs()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range requirements.Requirements {
		if r.Judged() {
			ids = append(ids, r.ID)
		}
	}
	env := &specs.Env{Limits: specs.ReadLimits(probe.Object{})}
	batches := plan(requirements, ids, env, all, 4, 1)

	var planned []string
	for _, b := range batches {
		planned = append(planned, b.IDs...)
	}
	slices.Sort(planned)
	if slices.Sort(ids); !slices.Equal(planned, ids) {
		t.Errorf("planned are %d requirements, wanted %d", len(planned), len(ids))
	}
	for _, b := range batches {
		for _, id := range b.IDs {
			for _, need := range requirements.Get(id).Needs {
				holder := batches[slices.IndexFunc(batches, func(other *batch) bool { return slices.Contains(other.IDs, need) })]
				if holder != b && !slices.Contains(b.after, holder) {
					t.Errorf("%s does not wait for %s", id, need)
				}
			}
		}
	}
	if first := chains(batches)[batches[0]]; first < 60*time.Second {
		t.Errorf("what begins first has a chain of %v behind it; two waits of 30 s one after the other are the longest", first)
	}
}
