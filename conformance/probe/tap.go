package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// TapOptions configure a [Tap].
type TapOptions struct {
	// Actor names the client under test in traces and errors. Empty means "client".
	Actor string
	// TLS is used towards a wss server; towards the client a tap always speaks plain ws.
	TLS *tls.Config
	// Trace records the frames as they came, before rules and rewriting; nil makes a trace of its own.
	Trace *Trace
	// Rewrite changes messages on their way, after they were recorded: it returns what is passed on instead, or false to
	// swallow the message. It is called for text and binary messages, one at a time per link and direction, but at the
	// same time for different links and directions. Nil passes everything on unchanged.
	Rewrite func(direction Direction, payload []byte) ([]byte, bool)
}

// Tap is a WebSocket proxy in this process that stands between a client under test and a server. It passes messages,
// pings, pongs and close frames on in order and unchanged, records them, and makes outages on demand. Each connection of
// the client has one of its own to the server: together they are a link. Extensions such as compression are not passed
// on, and how messages are cut into fragments is not kept.
type Tap struct {
	options  TapOptions
	server   string
	path     string
	listener net.Listener
	http     http.Server
	seen     map[Direction]*inbox
	workers  sync.WaitGroup

	mu       sync.Mutex
	changed  chan struct{}
	refusing bool
	closed   bool
	attempts int
	opened   int
	links    []*link
	rules    []*rule
}

// NewTap starts a tap in front of the server at a ws or wss URL. The caller must call [Tap.Close].
func NewTap(server string, options TapOptions) (*Tap, error) {
	target, err := url.Parse(server)
	if err != nil {
		return nil, fmt.Errorf("probe: tap: %w", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("probe: tap: %w", err)
	}
	if options.Actor == "" {
		options.Actor = "client"
	}
	if options.Trace == nil {
		options.Trace = new(Trace)
	}
	t := &Tap{
		options: options, server: server, path: target.EscapedPath(), listener: listener, changed: make(chan struct{}),
		seen: map[Direction]*inbox{ToServer: new(inbox), ToClient: new(inbox)},
	}
	for _, seen := range t.seen {
		seen.init(options.Actor)
	}
	t.http = http.Server{Handler: t, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	t.workers.Go(func() { _ = t.http.Serve(tapListener{listener, t}) })
	return t, nil
}

// URL returns the address that the client under test is to connect to.
func (t *Tap) URL() string { return "ws://" + t.listener.Addr().String() + t.path }

// Trace returns the trace that the tap records to.
func (t *Tap) Trace() *Trace { return t.options.Trace }

// Await takes the oldest message of one direction that matches, waiting for it if need be. Messages that were dropped or
// held count as soon as they reach the tap. A message that cannot be decoded has the kind "".
func (t *Tap) Await(ctx context.Context, direction Direction, matcher Matcher) (Object, error) {
	return t.seen[direction].await(ctx, matcher)
}

// Until waits for the first message of one direction that matches and takes it and everything older, the match last.
func (t *Tap) Until(ctx context.Context, direction Direction, matcher Matcher) ([]Object, error) {
	return t.seen[direction].until(ctx, matcher)
}

// Count returns how many messages of one direction matched so far, taken or not.
func (t *Tap) Count(direction Direction, matcher Matcher) int {
	count := 0
	for _, object := range t.seen[direction].all() {
		if matcher.match(object) {
			count++
		}
	}
	return count
}

// Seen returns all messages of one direction in the order in which they reached the tap.
func (t *Tap) Seen(direction Direction) []Object { return t.seen[direction].all() }

// Drop swallows the messages of one direction that match, on present and later links, until the returned function is
// called.
func (t *Tap) Drop(direction Direction, matcher Matcher) (stop func()) {
	return t.addRule(&rule{direction: direction, matcher: matcher, drop: true})
}

// Hold keeps the messages of one direction that match until the returned function is called, which passes them on in
// order, each on its link as far as that is still open. Messages that do not match overtake them.
func (t *Tap) Hold(direction Direction, matcher Matcher) (release func()) {
	return t.addRule(&rule{direction: direction, matcher: matcher})
}

// Inject sends a text message on the newest link as if the other side had sent it. It is not recorded.
func (t *Tap) Inject(direction Direction, text string) error {
	t.mu.Lock()
	if len(t.links) == 0 {
		t.mu.Unlock()
		return errors.New("probe: tap: inject: no link is open")
	}
	pipe := t.links[len(t.links)-1].pipes[direction]
	t.mu.Unlock()
	pipe.mu.Lock()
	defer pipe.mu.Unlock()
	return pipe.write(websocket.TextMessage, []byte(text))
}

// CloseClient sends the client a close frame on the newest link, as if the server had closed the connection. The client's
// answer is passed on to the server, and so ends the link. The frame is not recorded.
func (t *Tap) CloseClient(code int, reason string) error {
	t.mu.Lock()
	if len(t.links) == 0 {
		t.mu.Unlock()
		return errors.New("probe: tap: close: no link is open")
	}
	pipe := t.links[len(t.links)-1].pipes[ToClient]
	t.mu.Unlock()
	return pipe.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
}

// Cut resets all links on both sides, as a cable that is pulled does once somebody notices. New connections are let in
// unless [Tap.Refuse] was called before.
func (t *Tap) Cut() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, link := range t.links {
		link.cut()
	}
}

// Refuse resets new connections as soon as they are made, until [Tap.Admit]. Present links stay.
func (t *Tap) Refuse() { t.setRefusing(true) }

// Admit lets new connections in again.
func (t *Tap) Admit() { t.setRefusing(false) }

// Links returns how many links were opened so far, including those that have ended.
func (t *Tap) Links() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.opened
}

// AwaitLinks waits until this many links were opened in all.
func (t *Tap) AwaitLinks(ctx context.Context, count int) error {
	return t.wait(ctx, fmt.Sprintf("%d links in all", count), func() bool { return t.opened >= count })
}

// AwaitIdle waits until no link is open.
func (t *Tap) AwaitIdle(ctx context.Context) error {
	return t.wait(ctx, "the end of all links", func() bool { return len(t.links) == 0 })
}

// AwaitAttempts waits until the client has tried to connect this many times in all, let in or refused.
func (t *Tap) AwaitAttempts(ctx context.Context, count int) error {
	return t.wait(ctx, fmt.Sprintf("%d attempts to connect", count), func() bool { return t.attempts >= count })
}

// Close ends all links and the tap, and waits until nothing of it runs any more.
func (t *Tap) Close() error {
	t.mu.Lock()
	t.closed, t.refusing = true, true
	t.mu.Unlock()
	err := t.http.Close()
	t.Cut()
	t.workers.Wait()
	return err
}

// ServeHTTP makes a link from a handshake of the client. It is the tap's HTTP handler.
func (t *Tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !t.begin() {
		return
	}
	defer t.workers.Done()
	offered := websocket.Subprotocols(r)
	dialer := websocket.Dialer{TLSClientConfig: t.options.TLS, Subprotocols: offered, HandshakeTimeout: 10 * time.Second}
	server, response, err := dialer.DialContext(r.Context(), t.server, passedHeader(r.Header))
	if err != nil {
		relayRefusal(w, response, err)
		return
	}
	upgrader := websocket.Upgrader{CheckOrigin: func(*http.Request) bool { return true }}
	if chosen := server.Subprotocol(); chosen != "" {
		upgrader.Subprotocols = []string{chosen}
	}
	client, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		_ = server.Close()
		return
	}
	link := newLink(t, client, server)
	if t.add(link) {
		link.run()
		t.remove(link)
	}
}

// begin counts a handshake among the workers that Close waits for: the HTTP server forgets connections taken over.
func (t *Tap) begin() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.closed {
		t.workers.Add(1)
	}
	return !t.closed
}

func (t *Tap) add(link *link) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		link.cut()
		return false
	}
	for _, rule := range t.rules {
		link.pipes[rule.direction].addRule(rule)
	}
	t.links = append(t.links, link)
	t.opened++
	t.notify()
	return true
}

func (t *Tap) remove(ended *link) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.links = slices.DeleteFunc(t.links, func(l *link) bool { return l == ended })
	t.notify()
}

func (t *Tap) addRule(added *rule) (remove func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rules = append(t.rules, added)
	for _, link := range t.links {
		link.pipes[added.direction].addRule(added)
	}
	return func() {
		t.mu.Lock()
		t.rules = slices.DeleteFunc(t.rules, func(r *rule) bool { return r == added })
		links := slices.Clone(t.links)
		t.mu.Unlock()
		for _, link := range links {
			link.pipes[added.direction].removeRule(added)
		}
	}
}

func (t *Tap) setRefusing(refusing bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refusing = refusing
}

func (t *Tap) admits() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.attempts++
	t.notify()
	return !t.refusing
}

func (t *Tap) notify() {
	close(t.changed)
	t.changed = make(chan struct{})
}

func (t *Tap) wait(ctx context.Context, what string, ready func() bool) error {
	start := time.Now()
	for {
		t.mu.Lock()
		done, changed := ready(), t.changed
		t.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &WaitError{Actor: t.options.Actor, What: what, Waited: time.Since(start), Cause: context.Cause(ctx)}
		}
	}
}

func passedHeader(header http.Header) http.Header {
	passed := make(http.Header)
	for _, name := range []string{"Origin", "Authorization", "Cookie", "User-Agent"} {
		if values := header.Values(name); len(values) > 0 {
			passed[name] = values
		}
	}
	return passed
}

func relayRefusal(w http.ResponseWriter, response *http.Response, err error) {
	if response == nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if retry := response.Header.Get("Retry-After"); retry != "" {
		w.Header().Set("Retry-After", retry)
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, io.LimitReader(response.Body, 1024))
}

// tapListener resets connections while the tap refuses them.
type tapListener struct {
	net.Listener
	tap *Tap
}

func (l tapListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || l.tap.admits() {
			return conn, err
		}
		reset(conn)
		_ = conn.Close()
	}
}
