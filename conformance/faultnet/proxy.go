package faultnet

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"
)

// Direction is one of the two ways through a proxy. Faults can be put on one of them or, with Both, on each.
type Direction uint8

const (
	// ToServer is the way from the client that connected to the proxy's target.
	ToServer Direction = 1 << iota
	// ToClient is the way back.
	ToClient
	// Both stands for the two ways.
	Both = ToServer | ToClient
)

// Proxy listens on a port of 127.0.0.1 and carries each connection to its target. Each connection with its counterpart is
// a link. A Proxy is safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener
	workers  sync.WaitGroup
	context  context.Context
	cancel   context.CancelFunc

	mu       sync.Mutex
	changed  chan struct{}
	refusing bool
	attempts int
	opened   int
	links    []*link
	faults   map[Direction]faults
}

// faults are the conditions of one direction. They are copied, so a change is a new value.
type faults struct {
	latency time.Duration
	rate    int
	slice   int
	stalled bool
}

// Listen starts a proxy to a TCP address such as "127.0.0.1:8080". The target need not be there yet: a connection whose
// target cannot be reached is reset. The caller must call [Proxy.Close].
func Listen(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faultnet: %w", err)
	}
	p := &Proxy{target: target, listener: listener, changed: make(chan struct{}), faults: make(map[Direction]faults)}
	p.context, p.cancel = context.WithCancel(context.Background())
	p.workers.Go(p.accept)
	return p, nil
}

// Addr returns the address that clients are to connect to, as host and port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut resets all links on both sides. New connections are let in unless [Proxy.Refuse] was called.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, link := range p.links {
		link.cut()
	}
}

// HalfOpen turns the present links into dead ends, as a router that forgot them does: both sides may go on writing, and
// nothing they write, nor that they close or reset, reaches the other any more. Only [Proxy.Cut] and [Proxy.Close] end
// such a link. New connections are carried as usual.
func (p *Proxy) HalfOpen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, link := range p.links {
		link.swallow()
	}
}

// Stall stops carrying in this direction, on all links, until [Proxy.Flow]. Nothing is lost; the sender's buffers fill up.
func (p *Proxy) Stall(direction Direction) {
	p.change(direction, func(f *faults) { f.stalled = true })
}

// Flow undoes [Proxy.Stall] for this direction.
func (p *Proxy) Flow(direction Direction) {
	p.change(direction, func(f *faults) { f.stalled = false })
}

// Latency delays what is read from now on by this time, keeping the order. 0 ends it; what was delayed before keeps its
// time.
func (p *Proxy) Latency(direction Direction, delay time.Duration) {
	p.change(direction, func(f *faults) { f.latency = delay })
}

// Throttle carries at most this many bytes per second on each link, so that the sender meets a slow reader. 0 ends it.
func (p *Proxy) Throttle(direction Direction, bytesPerSecond int) {
	p.change(direction, func(f *faults) { f.rate = bytesPerSecond })
}

// Slice writes at most this many bytes at a time, so that frames arrive in pieces. 0 ends it.
func (p *Proxy) Slice(direction Direction, size int) {
	p.change(direction, func(f *faults) { f.slice = size })
}

// Refuse resets new connections as soon as they are made, until [Proxy.Admit]. Present links stay.
func (p *Proxy) Refuse() { p.setRefusing(true) }

// Admit lets new connections in again.
func (p *Proxy) Admit() { p.setRefusing(false) }

// Links returns how many links were opened so far, including those that have ended.
func (p *Proxy) Links() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// AwaitLinks waits until this many links were opened in all.
func (p *Proxy) AwaitLinks(ctx context.Context, count int) error {
	return p.wait(ctx, fmt.Sprintf("%d links in all", count), func() bool { return p.opened >= count })
}

// AwaitAttempts waits until clients have tried to connect this many times in all, let in or refused.
func (p *Proxy) AwaitAttempts(ctx context.Context, count int) error {
	return p.wait(ctx, fmt.Sprintf("%d attempts to connect", count), func() bool { return p.attempts >= count })
}

// AwaitIdle waits until no link is open.
func (p *Proxy) AwaitIdle(ctx context.Context) error {
	return p.wait(ctx, "the end of all links", func() bool { return len(p.links) == 0 })
}

// Close resets all links, stops listening and waits until nothing of the proxy runs any more.
func (p *Proxy) Close() error {
	p.cancel()
	err := p.listener.Close()
	p.Cut()
	p.workers.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		if !p.admits() {
			reset(client)
			continue
		}
		p.workers.Go(func() { p.carry(client) })
	}
}

func (p *Proxy) admits() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.attempts++
	p.notify()
	return !p.refusing
}

func (p *Proxy) carry(client net.Conn) {
	server, err := new(net.Dialer).DialContext(p.context, "tcp", p.target)
	if err != nil {
		reset(client)
		return
	}
	carried := newLink(p, client, server)
	p.mu.Lock()
	p.links = append(p.links, carried)
	p.opened++
	if p.context.Err() != nil {
		carried.cut()
	}
	p.notify()
	p.mu.Unlock()

	carried.run()

	p.mu.Lock()
	defer p.mu.Unlock()
	p.links = slices.DeleteFunc(p.links, func(other *link) bool { return other == carried })
	p.notify()
}

func (p *Proxy) setRefusing(refusing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = refusing
}

func (p *Proxy) change(direction Direction, apply func(f *faults)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range []Direction{ToServer, ToClient} {
		if direction&one != 0 {
			changed := p.faults[one]
			apply(&changed)
			p.faults[one] = changed
		}
	}
	p.notify()
}

// conditions returns the faults of one direction, and a channel that is closed when they may have changed.
func (p *Proxy) conditions(direction Direction) (faults, <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults[direction], p.changed
}

func (p *Proxy) notify() {
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *Proxy) wait(ctx context.Context, what string, ready func() bool) error {
	for {
		p.mu.Lock()
		done, changed := ready(), p.changed
		p.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("faultnet: waited for %s: %w", what, context.Cause(ctx))
		}
	}
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
