package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// job is the part of a run that a worker does at a time: one JSON object in a line of its input.
type job struct {
	// IDs are the requirements to judge.
	IDs []string `json:"ids"`
	// Unmet are requirements that were already judged and not met.
	Unmet []string `json:"unmet,omitempty"`
	// Fault or Tolerance names what is planted between the suite and the subject.
	Fault     string `json:"fault,omitempty"`
	Tolerance string `json:"tolerance,omitempty"`
	// Limits are what the server announced to whoever looked first.
	Limits specs.Limits `json:"limits"`
	// Timeouts are those of the client under test.
	Timeouts adapter.Timeouts `json:"timeouts"`
	// ClientClaims are those of the client under test, null when it claims all.
	ClientClaims []string `json:"client_claims"`
	// Seed orders the specs of the job.
	Seed int64 `json:"seed"`
	// SlowFactor stretches the budgets; 0 leaves those of the worker.
	SlowFactor float64 `json:"slow_factor,omitempty"`
}

// said is one line of a worker's output: what a spec found, or how the job ended.
type said struct {
	Spec  string    `json:"spec,omitempty"`
	Found []finding `json:"found,omitempty"`
	Done  *jobDone  `json:"done,omitempty"`
}

// jobDone ends a job.
type jobDone struct {
	// Activations counts how often what was planted did something.
	Activations int64 `json:"activations,omitempty"`
	// Subject and Unreachable are those of an [*UnreachableError], Suite is the problem of a [*SuiteError].
	Subject     string `json:"subject,omitempty"`
	Unreachable string `json:"unreachable,omitempty"`
	Suite       string `json:"suite,omitempty"`
}

// maxJobBytes bounds a line between a run and its worker. A flood of long frames in a trace is what makes one long.
const maxJobBytes = 64 << 20

// Work does jobs for a [Run] in another process until the input ends: that process has started this one as a
// [Config.StartWorker] says, with the same configuration. When the input ends in the middle of a job, the job is given up
// and the client under test is ended. What passes between the two is no protocol for others and changes with the version.
// The error is a [*UsageError] for the configuration, or one of reading and writing.
func Work(ctx context.Context, cfg Config, in io.Reader, out io.Writer) error {
	if err := cfg.check(); err != nil {
		return err
	}
	write := func(line said) error {
		text, err := json.Marshal(line)
		if err == nil {
			_, err = out.Write(append(text, '\n'))
		}
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if cfg.Adapter != nil {
		// One program serves all jobs but those that rewrite its lines.
		cfg.client = cfg.newProgram(ctx, nil)
		defer cfg.client.close()
	}
	lines, failed := readJobs(ctx, in, cancel)
	for line := range lines {
		var next job
		if err := json.Unmarshal(line, &next); err != nil {
			return fmt.Errorf("conformance: a job cannot be read: %w", err)
		}
		done := cfg.do(ctx, next, func(spec string, found []finding) { _ = write(said{Spec: spec, Found: found}) })
		if err := write(said{Done: done}); err != nil {
			return fmt.Errorf("conformance: a job's end cannot be told: %w", err)
		}
	}
	return <-failed
}

// readJobs reads lines while jobs run, so that the end of the input is noticed at once: over is called then, and failed
// tells why nothing more is read.
func readJobs(ctx context.Context, in io.Reader, over func()) (lines <-chan []byte, failed <-chan error) {
	read, reason := make(chan []byte), make(chan error, 1)
	go func() {
		defer over()
		defer close(read)
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, maxJobBytes)
		for scanner.Scan() {
			select {
			case read <- bytes.Clone(scanner.Bytes()):
			case <-ctx.Done():
				reason <- nil
				return
			}
		}
		reason <- scanner.Err()
	}()
	return read, reason
}

// do does one job and tells what each spec found.
func (c *Config) do(ctx context.Context, next job, tell func(spec string, found []finding)) *jobDone {
	cfg := *c
	cfg.Seed = next.Seed
	if next.SlowFactor != 0 {
		cfg.SlowFactor = next.SlowFactor
	}
	env := new(specs.Env)
	cfg.ClientTimeouts, cfg.clientClaims = next.Timeouts, next.ClientClaims
	cfg.fill(env)
	env.Limits = next.Limits
	err := cfg.plant(next)
	if err == nil {
		err = cfg.enter(ctx, env)
		defer cfg.leave()
	}
	if err == nil {
		judge := newJudge(ctx, onlyThese(next.IDs), &cfg)
		for _, id := range next.Unmet {
			judge.findings[id] = []finding{{ID: id, Spec: reports.SpecResult{State: reports.Fail}}}
		}
		env.Gate = judge.gate
		err = judge.runSpecs(ctx, &cfg, env, next.IDs, func(spec string, found []finding) {
			judge.take(spec, found, nil, 0)
			tell(spec, found)
		})
	}
	done := new(jobDone)
	if cfg.planted != nil {
		done.Activations = cfg.planted.counter.Count()
	}
	var unreachable *UnreachableError
	switch {
	case errors.As(err, &unreachable):
		done.Subject, done.Unreachable = unreachable.Server, unreachable.Problem
	case err != nil:
		done.Suite = strings.TrimPrefix(err.Error(), "conformance: ")
	}
	return done
}

// plant prepares what the job wants between the suite and the subject.
func (c *Config) plant(next job) error {
	for _, fault := range c.allFaults() {
		if fault.Name == next.Fault {
			c.planted = plantFault(fault)
		}
	}
	for _, tolerance := range c.allTolerances() {
		if tolerance.Name == next.Tolerance {
			c.planted = plantTolerance(tolerance)
		}
	}
	if name := next.Fault + next.Tolerance; name != "" && c.planted == nil {
		return &SuiteError{fmt.Sprintf("there is no fault or tolerance %q", name)}
	}
	return nil
}

// onlyThese selects requirements that somebody else has chosen.
func onlyThese(ids []string) *selection {
	chosen := &selection{catalogue: catalogue.Embedded(), left: make(map[string]specs.Skipped)}
	for _, r := range chosen.catalogue.Requirements {
		if !slices.Contains(ids, r.ID) {
			chosen.left[r.ID] = specs.Skipped{Verdict: string(reports.NotSelected), Reason: "another worker judges it"}
		}
	}
	return chosen
}
