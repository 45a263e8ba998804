package conformance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// Worker is a process that runs [Work].
type Worker struct {
	// In is its standard input; closing it ends the worker.
	In io.WriteCloser
	// Out is its standard output.
	Out io.Reader
	// Stop waits until the worker, whose input was closed before, is gone. It gives the worker a few seconds to end its
	// client under test, and then kills it. It is called once.
	Stop func()
	// Diagnosis returns what the worker wrote to standard error, for the sentence about one that broke. It may be nil.
	Diagnosis func() string
}

// pool does jobs in several workers at a time.
type pool struct {
	hire func(ctx context.Context) (hand, error)
	size int
}

// hand does jobs, one after another.
type hand interface {
	do(ctx context.Context, next job, tell func(spec string, found []finding)) (*jobDone, error)
	release()
}

// pool returns the workers of the configuration: processes, or this one when there are none.
func (c *Config) pool() *pool {
	if c.Workers > 1 && c.StartWorker != nil {
		return &pool{size: c.Workers, hire: func(ctx context.Context) (hand, error) {
			worker, err := c.StartWorker(ctx)
			if err != nil {
				return nil, err
			}
			lines := bufio.NewScanner(worker.Out)
			lines.Buffer(nil, maxJobBytes)
			return &process{Worker: worker, lines: lines}, nil
		}}
	}
	return &pool{size: 1, hire: func(context.Context) (hand, error) { return inProcess{c}, nil }}
}

// inProcess does jobs in this process.
type inProcess struct{ config *Config }

func (h inProcess) do(ctx context.Context, next job, tell func(spec string, found []finding)) (*jobDone, error) {
	return h.config.do(ctx, next, tell), nil
}

func (h inProcess) release() {}

// process does jobs in a worker.
type process struct {
	*Worker
	lines   *bufio.Scanner
	stopped sync.Once
}

// batch is a job with what it must wait for.
type batch struct {
	job
	// after are the batches that must have ended before this one begins.
	after []*batch
	// cost is the waiting time of its longest requirement; the long ones begin first.
	cost time.Duration

	done bool
}

// run does the batches, as many at a time as there are workers. Before a batch begins, prepare may complete its job;
// tell hears of every spec and ended of every batch, one call at a time.
func (p *pool) run(ctx context.Context, batches []*batch, prepare func(*batch), tell func(*batch, string, []finding), ended func(*batch, *jobDone)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		mu      sync.Mutex
		changed = sync.NewCond(&mu)
		left    = slices.Clone(batches)
		workers sync.WaitGroup
		first   error
		working int
	)
	broken := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if first == nil {
			first = err
		}
		cancel(err)
		changed.Broadcast()
	}
	stop := context.AfterFunc(ctx, func() {
		mu.Lock()
		defer mu.Unlock()
		changed.Broadcast()
	})
	defer stop()
	// next takes the first batch that need not wait any more; nil when none is left.
	next := func() *batch {
		mu.Lock()
		defer mu.Unlock()
		for {
			if ctx.Err() != nil || len(left) == 0 {
				return nil
			}
			i := slices.IndexFunc(left, func(b *batch) bool {
				return !slices.ContainsFunc(b.after, func(earlier *batch) bool { return !earlier.done })
			})
			if i < 0 && working == 0 {
				// A circle, which requirements that share a spec could make: something has to begin.
				i = 0
			}
			if i >= 0 {
				b := left[i]
				left = slices.Delete(left, i, i+1)
				working++
				if prepare != nil {
					prepare(b)
				}
				return b
			}
			changed.Wait()
		}
	}
	for range min(p.size, len(batches)) {
		workers.Go(func() {
			var worker hand
			defer func() {
				if worker != nil {
					worker.release()
				}
			}()
			for b := next(); b != nil; b = next() {
				var err error
				if worker == nil {
					if worker, err = p.hire(ctx); err != nil {
						broken(err)
						return
					}
				}
				done, err := worker.do(ctx, b.job, func(spec string, found []finding) {
					mu.Lock()
					defer mu.Unlock()
					tell(b, spec, found)
				})
				if err != nil {
					if ctx.Err() == nil {
						broken(err)
					}
					return
				}
				mu.Lock()
				b.done = true
				working--
				ended(b, done)
				changed.Broadcast()
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return first
}

func (w *process) release() {
	w.stopped.Do(func() {
		_ = w.In.Close()
		w.Stop()
	})
}

// endsWithin is how long a worker may take to give up its job when the run ends.
const endsWithin = 5 * time.Second

// do gives the worker a job and reads what it says until the job is done, or until the run ends.
func (w *process) do(ctx context.Context, next job, tell func(spec string, found []finding)) (*jobDone, error) {
	heard := make(chan struct{})
	defer close(heard)
	defer context.AfterFunc(ctx, func() {
		_ = w.In.Close()
		select {
		case <-heard:
		case <-time.After(endsWithin):
			w.release()
		}
	})()
	text, err := json.Marshal(next)
	if err != nil {
		return nil, &SuiteError{err.Error()}
	}
	if _, err := w.In.Write(append(text, '\n')); err != nil {
		return nil, w.gone(err)
	}
	for w.lines.Scan() {
		var line said
		if err := json.Unmarshal(w.lines.Bytes(), &line); err != nil {
			return nil, w.gone(err)
		}
		if line.Done != nil {
			return line.Done, nil
		}
		tell(line.Spec, line.Found)
	}
	return nil, w.gone(w.lines.Err())
}

func (w *process) gone(err error) error {
	problem := "a worker ended early"
	if err != nil {
		problem = fmt.Sprintf("a worker ended early (%v)", err)
	}
	if w.Diagnosis != nil {
		problem += ": " + w.Diagnosis()
	}
	return &SuiteError{problem}
}

// runPool lets workers judge what is selected. Requirements that others need come first and together, those that wait
// for a limit alone and the longest first, the rest in between.
func (j *judge) runPool(ctx context.Context, cfg *Config, env *specs.Env) error {
	ids := j.wanted()
	all, err := j.specsOf(ids)
	if err != nil {
		return err
	}
	batches := plan(j.catalogue, ids, env, all, cfg.Workers, cfg.Seed)
	total := 0
	for _, spec := range all {
		if slices.ContainsFunc(spec.IDs, func(id string) bool { _, out := j.left[id]; return !out }) {
			total++
		}
	}
	var problem error
	err = cfg.pool().run(ctx, batches,
		func(b *batch) {
			b.Limits, b.Timeouts, b.ClientClaims, b.Seed, b.Unmet = env.Limits, env.ClientTimeouts, env.ClientClaims, cfg.Seed, j.unmet()
		},
		func(_ *batch, spec string, found []finding) { j.take(spec, found, cfg.Progress, total) },
		func(_ *batch, done *jobDone) {
			switch {
			case done.Unreachable != "" && problem == nil:
				problem = &UnreachableError{Server: done.Subject, Problem: done.Unreachable}
			case done.Suite != "" && problem == nil:
				problem = &SuiteError{done.Suite}
			}
		})
	if ctx.Err() != nil {
		j.interrupted = true
		return nil
	}
	if err == nil {
		err = problem
	}
	return err
}

// wanted are the ids that the selection does not leave out.
func (j *judge) wanted() []string {
	var ids []string
	for _, id := range j.catalogue.IDs() {
		if _, out := j.left[id]; !out {
			ids = append(ids, id)
		}
	}
	return ids
}

// unmet are the requirements that are known to be unmet by now.
func (j *judge) unmet() []string {
	var ids []string
	for id := range j.findings {
		if isUnmet(j.verdict(id)) {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

func isUnmet(v reports.Verdict) bool {
	return v == reports.Fail || v == reports.Warn || v == reports.Info || v == reports.Blocked || v == reports.Error
}

// specsOf lists the specs that verify at least one of the ids.
func (j *judge) specsOf(ids []string) ([]Spec, error) {
	all, err := listSpecs()
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(s Spec) bool {
		return !slices.ContainsFunc(s.IDs, func(id string) bool { return slices.Contains(ids, id) })
	}), nil
}
