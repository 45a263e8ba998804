package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/loadgen"
	"github.com/rtmkit/rtmkit/reports"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// clientFlags say that the sessions of a load are those of a vendor's client.
type clientFlags struct {
	Client        bool     `help:"Put the client under load whose adapter stands behind --, for example --client -- node adapter.mjs."`
	ClientCommand []string `arg:"" optional:"" name:"command" help:"Command of the client adapter, behind --client --."`
}

// check refuses flags that do not go together.
func (c *clientFlags) check(tls tlsFlags) error {
	switch {
	case c.Client != (len(c.ClientCommand) > 0):
		return fail(exitUsage, "--client and the command of an adapter go together: --client -- node adapter.mjs")
	case c.Client && tls != (tlsFlags{}):
		return fail(exitUsage, "--tls-ca and --insecure are for rtmkit's own connections; the client behind --client makes its own")
	}
	return nil
}

// adapterQueue is how many messages may wait for the adapter to take them. What is due beyond is shed.
const adapterQueue = 1024

// adapterDriver puts the clients of an adapter under load: one process holds a client for each session. Its messages go
// one after the other through one pipe, because that is all that an adapter has.
type adapterDriver struct {
	program *adapter.Program
	options adapter.Options
	queue   chan adapterPost
	pumped  chan struct{}
	cancel  context.CancelFunc

	// at is when the line was read that is heard just now; it belongs to the goroutine that reads.
	at time.Time

	mu   sync.Mutex
	down error
}

// adapterPost is a message on its way to the adapter.
type adapterPost struct {
	session *adapterSession
	tag     uint64
	message adapter.Post
}

// startAdapterDriver starts the adapter and sees that its client can play the workload.
func startAdapterDriver(ctx context.Context, command adapter.Command, url, appID string, w loadgen.Workload) (*adapterDriver, error) {
	d := &adapterDriver{
		options: adapter.Options{URL: url, AppID: appID},
		queue:   make(chan adapterPost, adapterQueue), pumped: make(chan struct{}),
	}
	command.Patience = time.Minute
	command.Rewrite = func(direction adapter.Direction, line []byte) [][]byte {
		if direction == adapter.ToSuite {
			d.at = time.Now()
		}
		return [][]byte{line}
	}
	var err error
	if d.program, err = adapter.Start(ctx, command); err != nil {
		return nil, fail(exitUnreachable, "%w", err)
	}
	if err := d.suits(ctx, w); err != nil {
		_ = d.program.Close()
		return nil, err
	}
	pumping, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	go d.pump(pumping)
	return d, nil
}

// suits asks for what the workload needs of the client.
func (d *adapterDriver) suits(ctx context.Context, w loadgen.Workload) error {
	who := d.identity()
	if len(w.Channels) > 0 && !slices.Contains(d.program.Identity().Profiles, "channels") {
		return fail(exitUsage, "workload %s: it has channels, and %s does not claim the profile channels", w.Name, who.Name)
	}
	if !slices.ContainsFunc(w.Traffic, func(t loadgen.Traffic) bool { return t.Payload.Type == loadgen.Raw }) {
		return nil
	}
	client, err := d.program.NewClient(ctx, d.options)
	if err != nil {
		return fail(exitUnreachable, "the client under load: %w", err)
	}
	defer client.Close()
	if _, err = client.NewRaw(ctx, []byte{0}, ""); errors.Is(err, adapter.ErrUnsupported) {
		return fail(exitUsage, "workload %s: its messages are raw, and %s has none; use payload type text", w.Name, who.Name)
	}
	if err != nil {
		return fail(exitUnreachable, "the client under load: %w", err)
	}
	return nil
}

// underLoad puts the client that the flags name under the load of the options. It returns what ends its adapter, and what
// tells why the adapter could not be used to the end.
func (c *clientFlags) underLoad(a *app, o *loadgen.Options, w loadgen.Workload) (stop func(), died func() error, err error) {
	if !c.Client {
		return func() {}, func() error { return nil }, nil
	}
	d, err := startAdapterDriver(a.ctx, adapterOf(c.ClientCommand), o.URL, o.AppID, w)
	if err != nil {
		return nil, nil, err
	}
	o.Driver, o.Client = d, new(d.identity())
	o.Notes = append(o.Notes, fmt.Sprintf("The sessions are those of %s, in one process behind its adapter: latencies include that process and its pipe.",
		strings.TrimSpace(o.Client.Name+" "+o.Client.Version)))
	return d.close, func() error { _ = d.look(); return d.died() }, nil
}

// identity is who the client says it is.
func (d *adapterDriver) identity() reports.Identity {
	id := d.program.Identity()
	return reports.Identity{Kind: "client", Name: id.SDK, Version: id.Version, Language: id.Language}
}

// close ends the adapter. All sessions are closed by then.
func (d *adapterDriver) close() {
	d.cancel()
	<-d.pumped
	_ = d.program.Close()
}

// died returns why the adapter could not be used to the end, or nil.
func (d *adapterDriver) died() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down
}

// look notes when the adapter has ended, fallen silent or broken its protocol.
func (d *adapterDriver) look() error {
	err := d.program.Err()
	if err == nil {
		if down := d.program.Down(); down != nil {
			err = down
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.down == nil {
		d.down = err
	}
	return err
}

// pump hands messages to the adapter, which may wait until it takes them.
func (d *adapterDriver) pump(ctx context.Context) {
	defer close(d.pumped)
	for {
		select {
		case p := <-d.queue:
			p.session.post(ctx, p)
		case <-ctx.Done():
			return
		}
	}
}

// Open implements [loadgen.Driver].
func (d *adapterDriver) Open(ctx context.Context, login loadgen.Login, handle loadgen.Handler) (loadgen.Session, error) {
	s := &adapterSession{driver: d, handle: handle, rooms: map[string]adapter.Channel{}, over: make(chan struct{})}
	client, err := d.program.NewClient(ctx, d.options)
	if err != nil {
		return nil, d.failure("connect", err)
	}
	s.client = client
	err = client.Listen(ctx, "", s.hear)
	if err == nil {
		err = client.Login(ctx, login.UID, login.Token)
	}
	if err != nil {
		_ = client.Close()
		return nil, d.failure("login", err)
	}
	s.mu.Lock()
	s.open = true
	s.mu.Unlock()
	go s.watch()
	return s, nil
}

// failure turns an error of the adapter or of its SDK into one of the load generator.
func (d *adapterDriver) failure(op string, err error) *loadgen.Failure {
	if refused := new(adapter.Error); errors.As(err, &refused) {
		f := loadgen.RefusalOf(refused.Op, refused.Code, refused.Error())
		if refused.Op == string(wire.KindLogin) && refused.Code == wire.LoginTimeout.Number {
			// A client that finds no server goes on looking until its login times out.
			f.Class = loadgen.ClassDial
		}
		return f
	}
	class := loadgen.ClassRead
	switch {
	case op == "connect" || d.look() != nil && op == "login":
		class = loadgen.ClassDial
	case errors.Is(err, adapter.ErrUnsupported):
		class = loadgen.ClassRefused
	case errors.Is(err, context.DeadlineExceeded):
		class = loadgen.ClassAckTimeout
	}
	return &loadgen.Failure{Op: op, Class: class, Text: "the client under load: " + err.Error()}
}

// adapterSession is one client of the adapter.
type adapterSession struct {
	driver *adapterDriver
	client adapter.Client
	over   chan struct{} // closed when the session is

	mu     sync.Mutex
	handle loadgen.Handler
	rooms  map[string]adapter.Channel
	open   bool // events count
	closed bool // by the run, or about to be
	ended  bool // by itself
}

// Server implements [loadgen.Session]. A client does not tell who its server is.
func (s *adapterSession) Server() (wire.Server, wire.Limits) { return wire.Server{}, wire.Limits{} }

// Join implements [loadgen.Session].
func (s *adapterSession) Join(ctx context.Context, channel string) error {
	room, err := s.room(ctx, channel)
	if err == nil {
		err = room.Join(ctx)
	}
	if err != nil {
		return s.driver.failure(string(wire.KindChannelJoin), err)
	}
	return nil
}

// Leave ends a membership, as Join begins one.
func (s *adapterSession) Leave(ctx context.Context, channel string) error {
	room, err := s.room(ctx, channel)
	if err == nil {
		err = room.Leave(ctx)
	}
	if err != nil {
		return s.driver.failure(string(wire.KindChannelLeave), err)
	}
	return nil
}

// room returns the channel object of an id, with a listener, and makes it when there is none.
func (s *adapterSession) room(ctx context.Context, id string) (adapter.Channel, error) {
	s.mu.Lock()
	room := s.rooms[id]
	s.mu.Unlock()
	if room != nil {
		return room, nil
	}
	room, err := s.client.NewChannel(ctx, id)
	if err == nil {
		err = room.Listen(ctx, "", s.hear)
	}
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rooms[id] = room
	return room, nil
}

var (
	errAdapterBusy  = &loadgen.Failure{Op: "session", Class: loadgen.ClassQueueFull, Text: fmt.Sprintf("more than %d messages wait for the adapter", adapterQueue)}
	errAdapterEnded = &loadgen.Failure{Op: "session", Class: loadgen.ClassWrite, Text: "the session has ended"}
)

// Queue implements [loadgen.Session].
func (s *adapterSession) Queue(m loadgen.Outgoing) error {
	p := adapterPost{session: s, tag: m.Tag}
	s.mu.Lock()
	ended := s.ended || !s.open
	if m.Channel {
		p.message.Channel = s.rooms[m.To]
		ended = ended || p.message.Channel == nil
	} else {
		p.message.Peer = m.To
	}
	s.mu.Unlock()
	if ended {
		return errAdapterEnded
	}
	if m.Raw {
		p.message.Raw = slices.Clone(m.Body)
	} else {
		p.message.Text = string(m.Body)
	}
	select {
	case s.driver.queue <- p:
		return nil
	default:
		return errAdapterBusy
	}
}

// Flush implements [loadgen.Session]. Messages go their way as soon as they are queued.
func (s *adapterSession) Flush() {}

// post hands a message to the adapter.
func (s *adapterSession) post(ctx context.Context, p adapterPost) {
	op := string(wire.KindPeerSend)
	if p.message.Channel != nil {
		op = string(wire.KindChannelSend)
	}
	p.message.Answered = func(received bool, err error) {
		switch refused := new(adapter.Error); {
		case err == nil:
			s.tell(s.driver.at, loadgen.Event{Kind: loadgen.Answered, Tag: p.tag, Received: received})
		case errors.As(err, &refused) || errors.Is(err, adapter.ErrUnsupported):
			s.tell(s.driver.at, loadgen.Event{Kind: loadgen.Refused, Tag: p.tag, Failure: s.driver.failure(op, err)})
		}
		// Of anything else nobody knows what became of the message, and the ledger says so.
	}
	_ = s.client.(adapter.Poster).Post(ctx, p.message)
}

// hear takes an event of the client or one of its channels.
func (s *adapterSession) hear(e adapter.Event) {
	switch e.Kind {
	case adapter.MessageFromPeer, adapter.ChannelMessage:
		arrived := loadgen.Event{Kind: loadgen.Delivered, From: []byte(e.From), Raw: e.Message.Raw() != nil, Body: e.Message.Raw()}
		if !arrived.Raw {
			arrived.Body = []byte(e.Message.Text())
		}
		if e.Kind == adapter.ChannelMessage {
			arrived.Channel = []byte(e.Channel)
		}
		s.tell(s.driver.at, arrived)
	case adapter.StateChanged:
		switch e.State {
		case "ABORTED":
			s.end(loadgen.ClassKicked, e.State+" for "+e.Reason)
		case "DISCONNECTED":
			s.end(loadgen.ClassClosed, e.State+" for "+e.Reason)
		}
	}
}

// tell hands an event over, unless the session is closed.
func (s *adapterSession) tell(at time.Time, e loadgen.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open && !s.ended {
		s.handle.Handle(at, []loadgen.Event{e})
	}
}

// end tells that the session is over although nobody closed it.
func (s *adapterSession) end(class, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open || s.closed || s.ended {
		return
	}
	s.ended = true
	s.handle.Handle(time.Now(), []loadgen.Event{{Kind: loadgen.Ended, Failure: &loadgen.Failure{Op: "session", Class: class, Text: text}}})
}

// watch ends the session with the adapter.
func (s *adapterSession) watch() {
	select {
	case <-s.driver.program.Gone():
		if err := s.driver.look(); err != nil {
			s.end(loadgen.ClassRead, err.Error())
		}
	case <-s.over:
	}
}

// Close implements [loadgen.Session].
func (s *adapterSession) Close(ctx context.Context) error {
	s.mu.Lock()
	ended := s.ended
	s.closed = true
	s.mu.Unlock()
	var err error
	if !ended {
		err = s.client.Logout(ctx)
	}
	s.mu.Lock()
	s.open = false
	s.mu.Unlock()
	close(s.over)
	_ = s.client.Close()
	if err != nil {
		return s.driver.failure(string(wire.KindLogout), err)
	}
	return nil
}
