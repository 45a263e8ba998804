package conformance

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// Run judges the subject and returns the verdicts, one for each requirement of the catalogue. Runs in one process wait
// for each other, and it must not be called from inside a Ginkgo suite; see [Register] for that. From the first run on the
// process takes SIGINT and SIGTERM as Ginkgo does, so a program that wants to end by them must listen for them itself.
//
// The error is a [*UsageError], an [*UnreachableError] or a [*SuiteError]; then nothing was judged. A subject that does
// not conform is a result and not an error, see [ExitCode]. When the context ends, the spec that runs is given up and the
// result, marked as interrupted, holds what was judged until then.
func Run(ctx context.Context, cfg Config) (*reports.Conformance, error) {
	ginkgoTree.Lock()
	defer ginkgoTree.Unlock()
	if cfg.Seed == 0 {
		cfg.Seed = NewSeed()
	}
	env := new(specs.Env)
	judge, server, err := cfg.open(ctx, env)
	if err != nil {
		return nil, err
	}
	env.Gate = judge.gate
	defer cfg.leave()
	if err := cfg.enter(ctx, env); err != nil && ctx.Err() == nil {
		return nil, err
	}
	result := cfg.result(env, server)
	for i := range max(cfg.Repeats, 1) {
		again := judge
		if i > 0 {
			again = newJudge(ctx, judge.selection, &cfg)
			env.Gate = again.gate
			cfg.Seed++
		}
		if cfg.Workers > 1 && cfg.StartWorker != nil {
			err = again.runPool(ctx, &cfg, env)
		} else {
			err = again.runAlone(ctx, &cfg, env)
		}
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		judge.repeated(again)
	}
	result.EndedAt = time.Now().UTC()
	result.Interrupted = ctx.Err() != nil || judge.interrupted
	result.Requirements = judge.requirements(&cfg, env)
	result.Profiles = profiles(judge.catalogue, result.Subject.Kind, result.Requirements)
	return result, nil
}

// NewSeed takes a [Config.Seed] from the clock, for a caller that wants to name it before the run; it is never 0.
func NewSeed() int64 { return time.Now().UnixNano()&(1<<31-1) + 1 }

// open makes everything ready for specs in an environment: it checks the configuration, looks at the server and selects.
func (c *Config) open(ctx context.Context, env *specs.Env) (*judge, reports.Identity, error) {
	if err := c.check(); err != nil {
		return nil, reports.Identity{}, err
	}
	c.fill(env)
	server, err := c.preflight(ctx, env)
	if err != nil {
		return nil, server, err
	}
	if c.Adapter != nil && slices.Contains(c.subjects(), string(catalogue.Client)) {
		if err := c.meet(ctx, env); err != nil {
			return nil, server, err
		}
	}
	chosen, err := c.choose(env)
	if err != nil {
		return nil, server, err
	}
	return newJudge(ctx, chosen, c), server, nil
}

// fill gives an environment what specs get of the configuration.
func (c *Config) fill(env *specs.Env) {
	env.Server, env.TLS = c.Server, c.TLS
	env.AppID, env.OtherAppID, env.Token, env.TokenApp = c.AppID, c.OtherAppID, c.Token, c.TokenApp
	env.NewClient, env.ClientTimeouts = c.NewClient, c.ClientTimeouts
	env.SlowFactor, env.Repeat, env.Seed, env.ClientClaims = c.SlowFactor, c.Repeat, c.Seed, c.clientClaims
	env.Limits = specs.ReadLimits(probe.Object{})
	if env.NewClient == nil {
		env.NewClient = adapter.NewSDK
	}
	if env.Token == nil && c.TokenApp.Certificate != "" && c.TokenApp.ID == c.AppID {
		env.Token = specs.MintFor(c.TokenApp)
	}
}

// enter puts into an environment what stands between the suite and the subject, and the program of the client under test.
func (c *Config) enter(ctx context.Context, env *specs.Env) error {
	if rewrite := c.planted.rewrite(); rewrite != nil || c.client == nil && c.Adapter != nil {
		c.client = c.newProgram(ctx, rewrite)
		c.leaving = c.client.close
	}
	if c.client != nil {
		if _, err := c.client.start(ctx); err != nil {
			return c.client.broken(err)
		}
		env.NewClient = c.client.newClient
	}
	return c.planted.plantIn(env)
}

// leave ends what enter has begun.
func (c *Config) leave() {
	if c.leaving != nil {
		c.leaving()
	}
	c.planted.pull()
}

func (c *Config) result(env *specs.Env, server reports.Identity) *reports.Conformance {
	result := &reports.Conformance{
		Schema: reports.ConformanceSchema, SuiteVersion: c.SuiteVersion, CatalogueSHA256: catalogue.Embedded().SHA256(), ProtocolVersion: probe.Subprotocol,
		Seed: c.Seed, StartedAt: time.Now().UTC(), Notes: c.Notes, Command: reports.Redact(c.Command),
		Subject: c.identity(server), Limits: env.Limits.Values, Set: c.set(), Strict: c.Strict, Repeats: c.Repeats,
	}
	switch subjects := c.subjects(); {
	case len(subjects) > 1:
	case subjects[0] == "client":
		client := result.Subject
		result.Client, result.Server, result.Claims = &client, &server, c.clientClaims
	default:
		result.Claims = c.Claims
	}
	for _, call := range env.Limits.Calls {
		result.CallLimits = append(result.CallLimits, reports.CallLimit{Call: call.Call, Count: call.Count, WindowMS: call.Window.Milliseconds()})
	}
	return result
}

// identity names who is judged.
func (c *Config) identity(server reports.Identity) reports.Identity {
	client := c.Client
	client.Kind = "client"
	if client.Name == "" {
		client.Name = "rtmkit sdk"
	}
	subjects := c.subjects()
	switch {
	case len(subjects) > 1:
		return reports.Identity{Kind: "pair", Name: server.Name + " and " + client.Name, Version: server.Version, URL: server.URL}
	case subjects[0] == "client":
		return client
	}
	return server
}

// runAlone judges what is selected in this process.
func (j *judge) runAlone(ctx context.Context, cfg *Config, env *specs.Env) error {
	ids := j.wanted()
	all, err := j.specsOf(ids)
	if err != nil {
		return err
	}
	return j.runSpecs(ctx, cfg, env, ids, func(spec string, found []finding) { j.take(spec, found, cfg.Progress, len(all)) })
}

// runSpecs lets Ginkgo run the specs of these requirements and tells what they find.
func (j *judge) runSpecs(ctx context.Context, cfg *Config, env *specs.Env, ids []string, tell func(spec string, found []finding)) (err error) {
	reset, err := ownTree()
	if err != nil {
		return err
	}
	defer reset()
	defer func() {
		if panicked := recover(); panicked != nil {
			err = &SuiteError{fmt.Sprint(panicked)}
		}
	}()

	specs.Register(env, ids...)
	suite, reporter := configuration(cfg.Seed, ids)
	ran := 0
	ginkgo.ReportAfterEach(func(report ginkgo.SpecReport) {
		ran++
		found := j.read(report)
		if err := cfg.client.err(); err != nil && j.broken == nil && report.State != types.SpecStateSkipped {
			j.broken = cfg.client.broken(fmt.Errorf("while it judged %v: %w", specs.IDs(report.Labels()), err))
			for i := range found {
				found[i].Spec.State, found[i].Reason = reports.Error, err.Error()
			}
		}
		if len(found) > 0 {
			tell(specName(report), found)
		}
	})
	ended := ginkgo.AroundNode(func(node context.Context) context.Context { return joined(node, ctx) })
	ginkgo.RunSpecs(failed{}, "RTM conformance", suite, reporter, ended)
	if ran == 0 {
		return &SuiteError{"Ginkgo ran no spec"}
	}
	return j.broken
}
