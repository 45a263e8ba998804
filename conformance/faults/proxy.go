package faults

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Proxy stands in front of a server, or between a client and its server, and rewrites what passes. Without hooks it is a
// relay of bytes: frames, fragments, breaches of RFC 6455, resets and the pressure of slow readers pass as they are.
type Proxy struct {
	// Counter counts the activations of what is planted.
	Counter *Counter

	target   *url.URL
	tls      *tls.Config
	plant    func(*Link)
	listener net.Listener
	workers  sync.WaitGroup

	mu     sync.Mutex // guards links and runs hooks one at a time
	links  []*Link
	conns  map[net.Conn]bool
	timers map[*time.Timer]bool
	closed bool
	// admits is how many more connections are let in; below zero stands for any number.
	admits int
	// written are the ways on which hooks have left something to be written.
	written map[writing]bool
}

// NewProxy starts a proxy in front of the server at a ws or wss URL, with a defect or an oddity planted in it; a nil plant
// passes everything on. The counter may be shared by several proxies. The caller must call [Proxy.Close].
func NewProxy(server string, config *tls.Config, plant Plant, counter *Counter) (*Proxy, error) {
	target, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("faults: %w", err)
	}
	p := &Proxy{
		Counter: counter, target: target, tls: config, listener: listener, admits: -1,
		plant: func(*Link) {}, conns: make(map[net.Conn]bool), timers: make(map[*time.Timer]bool), written: make(map[writing]bool),
	}
	if plant != nil {
		p.plant = plant(p)
	}
	p.workers.Go(p.serve)
	return p, nil
}

// URL returns the address of the proxy; it always speaks plain ws.
func (p *Proxy) URL() string { return "ws://" + p.listener.Addr().String() + p.target.EscapedPath() }

// Links returns the links that are open now, the oldest first. It is for hooks.
func (p *Proxy) Links() []*Link { return p.links }

// User returns the newest open link on which this user is logged in, or nil. It is for hooks.
func (p *Proxy) User(uid string) *Link {
	for _, l := range slices.Backward(p.links) {
		if l.UID == uid {
			return l
		}
	}
	return nil
}

// Admit lets this many more connections in, and resets those after them without a word to the server, as if the client
// had given up; each of them counts as an activation. It is for hooks and for a [Plant].
func (p *Proxy) Admit(more int) { p.admits = more }

// Close ends all links and waits until nothing of the proxy runs any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	_ = p.listener.Close()
	for conn := range p.conns {
		_ = conn.Close()
	}
	for timer := range p.timers {
		if timer.Stop() {
			p.workers.Done()
		}
	}
	p.mu.Unlock()
	p.workers.Wait()
}

func (p *Proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.workers.Go(func() { p.link(client) })
	}
}

func (p *Proxy) link(client net.Conn) {
	defer client.Close()
	if p.refuses() {
		reset(client)
		return
	}
	server, err := p.dial()
	if err != nil {
		reset(client)
		return
	}
	defer server.Close()
	l := &Link{Proxy: p, asked: make(map[int64]*Frame)}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.conns[client], p.conns[server] = true, true
	p.links = append(p.links, l)
	p.plant(l)
	p.mu.Unlock()
	l.run(client, server)
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.links = slices.DeleteFunc(p.links, func(open *Link) bool { return open == l })
}

func (p *Proxy) refuses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.admits == 0:
		p.Counter.Hit()
		return true
	case p.admits > 0:
		p.admits--
	}
	return false
}

func (p *Proxy) dial() (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	host := p.target.Host
	if p.target.Port() == "" {
		host = net.JoinHostPort(p.target.Hostname(), map[string]string{"ws": "80", "wss": "443"}[p.target.Scheme])
	}
	if p.target.Scheme != "wss" {
		return dialer.Dial("tcp", host)
	}
	config := p.tls.Clone()
	if config == nil {
		config = new(tls.Config)
	}
	if config.ServerName == "" {
		config.ServerName = p.target.Hostname()
	}
	config.NextProtos = []string{"http/1.1"}
	return tls.DialWithDialer(dialer, "tcp", host, config)
}

// hook runs one hook of a link and writes what it has left: the way that the hook was about at once, everything else
// without waiting for it. A client that does not read must still be heard.
func (p *Proxy) hook(own *Link, way Way, do func()) {
	p.mu.Lock()
	do()
	written := p.takeWritten()
	p.mu.Unlock()
	for _, w := range written {
		if w.link == own && w.way == way {
			continue
		}
		p.workers.Go(func() { _ = w.link.write(w.way) })
	}
	if slices.Contains(written, writing{own, way}) {
		_ = own.write(way)
	}
}

// writing is a way of a link on which something is to be written.
type writing struct {
	link *Link
	way  Way
}

func (p *Proxy) takeWritten() []writing {
	ways := slices.Collect(maps.Keys(p.written))
	clear(p.written)
	return ways
}

func (p *Proxy) after(d time.Duration, do func()) {
	if p.closed {
		return
	}
	p.workers.Add(1)
	var timer *time.Timer
	timer = time.AfterFunc(d, func() {
		defer p.workers.Done()
		p.hook(nil, ToClient, func() {
			delete(p.timers, timer)
			if !p.closed {
				do()
			}
		})
	})
	p.timers[timer] = true
}
