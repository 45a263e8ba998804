package conformance

import (
	"context"
	"sync"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/conformance/specs"
)

// planted is a fault or a tolerance that stands between the suite and the subject.
type planted struct {
	subject string
	frames  faults.Plant
	lines   func(*faults.Counter) faults.Lines
	counter *faults.Counter

	mu      sync.Mutex
	proxies []*faults.Proxy
}

func plantFault(f faults.Fault) *planted {
	return &planted{subject: f.Subject, frames: f.Plant, lines: f.Lines, counter: new(faults.Counter)}
}

func plantTolerance(t faults.Tolerance) *planted {
	return &planted{subject: t.Subject, frames: t.Plant, lines: t.Lines, counter: new(faults.Counter)}
}

// allFaults are the faults that a selftest plants.
func (c *Config) allFaults() []faults.Fault {
	if c.faults != nil {
		return c.faults
	}
	return faults.All()
}

// allTolerances are the tolerances that a selftest plants.
func (c *Config) allTolerances() []faults.Tolerance {
	if c.tolerances != nil {
		return c.tolerances
	}
	return faults.Tolerances()
}

// plantIn puts it into the environment of a run, which has already seen the subject as it is.
func (p *planted) plantIn(env *specs.Env) error {
	if p == nil || p.frames == nil {
		return nil
	}
	if p.subject == faults.Server {
		proxy, err := p.proxy(env.Server, env)
		if err != nil {
			return err
		}
		env.Server, env.TLS = proxy.URL(), nil
		return nil
	}
	create := env.NewClient
	env.NewClient = func(ctx context.Context, options adapter.Options) (adapter.Client, error) {
		proxy, err := p.proxy(options.URL, env)
		if err != nil {
			return nil, err
		}
		options.URL = proxy.URL()
		return create(ctx, options)
	}
	return nil
}

func (p *planted) proxy(server string, env *specs.Env) (*faults.Proxy, error) {
	config := env.TLS
	if p.subject == faults.Client {
		config = nil
	}
	proxy, err := faults.NewProxy(server, config, p.frames, p.counter)
	if err != nil {
		return nil, &SuiteError{err.Error()}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proxies = append(p.proxies, proxy)
	return proxy, nil
}

// pull ends everything that was put between.
func (p *planted) pull() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, proxy := range p.proxies {
		proxy.Close()
	}
	p.proxies = nil
}

// rewrite returns the rewriting of adapter lines for one program, or nil.
func (p *planted) rewrite() adapter.Rewrite {
	if p == nil || p.lines == nil {
		return nil
	}
	return rewritingLines(p.lines(p.counter))
}
