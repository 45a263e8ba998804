package adapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
)

// Serve is an adapter: it obeys the commands that come from stdin with clients of newClient, and writes replies and events
// to stdout, as ADAPTER.md says. So a client SDK in Go is judged by implementing [Client] and calling Serve from main, with
// nothing else on standard output.
//
// It returns nil when stdin ends, and the context's error when that ends first; the clients are closed then. A command that
// breaks the protocol is the suite's fault, and a [Client] that returns another error than its contract allows is the
// vendor's: both end Serve with an error, which belongs on standard error. What a client under test does with the network
// does not.
//
// Commands of one client begin in the order of their lines. Go has no way to tell that a call has begun other than that its
// goroutine runs. A goroutine that reads stdin is left behind until stdin ends.
func Serve(ctx context.Context, stdin io.Reader, stdout io.Writer, identity Identity, newClient NewClient) error {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &server{
		ctx: ctx, stop: cancel, stdout: stdout, identity: identity, newClient: newClient,
		clients: map[string]*served{}, rooms: map[string]*servedRoom{},
	}
	commands := make(chan []byte)
	go func() {
		from := newLines(stdin)
		for {
			line, err := from.next()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
				close(commands)
				return
			}
			if err != nil {
				cancel(fmt.Errorf("adapter: standard input cannot be read: %w", err))
				return
			}
			select {
			case commands <- line:
			case <-ctx.Done():
				return
			}
		}
	}()
	for {
		select {
		case line, more := <-commands:
			if !more {
				cancel(errInputEnded)
			} else if err := s.obey(line); err != nil {
				cancel(err)
			}
		case <-ctx.Done():
			s.closeAll()
			if err := context.Cause(ctx); !errors.Is(err, errInputEnded) {
				return err
			}
			return nil
		}
	}
}

var errInputEnded = errors.New("adapter: standard input ended")

// server is the adapter's side of the protocol.
type server struct {
	ctx       context.Context
	stop      context.CancelCauseFunc
	identity  Identity
	newClient NewClient
	running   sync.WaitGroup

	// These belong to the goroutine that obeys.
	clients map[string]*served
	rooms   map[string]*servedRoom

	// The lock makes each line whole and orders lines.
	mu     sync.Mutex
	stdout io.Writer
}

// served is a client with what it was told and what it told of.
type served struct {
	Client

	handle string
	ctx    context.Context // ends when the client is closed
	cancel context.CancelFunc
	begun  <-chan struct{} // closed when the last command runs; belongs to the goroutine that obeys

	// The lock of the server guards these.
	closed   bool
	numbered int
	messages map[string]Message
}

type servedRoom struct {
	Channel

	handle string
	client *served
}

// closeAll closes what is left and waits for every call to end.
func (s *server) closeAll() {
	for _, client := range s.clients {
		s.release(client)
	}
	s.running.Wait()
}

func (s *server) release(client *served) {
	s.mu.Lock()
	client.closed = true
	s.mu.Unlock()
	client.cancel()
	_ = client.Close()
}

// write writes one line. When it cannot, nobody is there to be told.
func (s *server) write(line any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeLocked(line)
}

func (s *server) writeLocked(line any) {
	text, err := encode(line)
	if err == nil {
		_, err = s.stdout.Write(append(text, '\n'))
	}
	if err != nil {
		s.stop(err)
	}
}

func (s *server) ok(seq int64, what any) {
	text, err := encode(what)
	if err != nil {
		s.stop(err)
		return
	}
	s.write(&reply{Seq: seq, OK: text})
}

// nothing is the ok of most commands.
var nothing = struct{}{}

// obey does what one line asks for. The error is the suite's fault.
func (s *server) obey(line []byte) error {
	c, err := s.read(line)
	if err != nil {
		return fmt.Errorf("adapter: the suite wrote %w: %s", err, clipped(line, new(secrets).redact))
	}
	if _, known := commands[c.Cmd]; !known || !s.identity.claims(c.Cmd) {
		s.write(&reply{Seq: c.Seq, Unsupported: true})
		return nil
	}
	switch c.Cmd {
	case "hello":
		return s.hello(c)
	case "createClient":
		return s.createClient(c)
	}
	var client *served
	var room *servedRoom
	if c.Channel != nil && c.Cmd != "createChannel" {
		if room = s.rooms[*c.Channel]; room == nil {
			return fmt.Errorf("adapter: the suite named the channel object %q, which does not exist", *c.Channel)
		}
		client = room.client
	} else if client = s.clients[*c.Client]; client == nil {
		return fmt.Errorf("adapter: the suite named the client %q, which does not exist", *c.Client)
	}
	return s.obeyFor(client, room, c)
}

// read reads a command and checks its members. A command that is not known is left for later.
func (s *server) read(line []byte) (*command, error) {
	var named struct {
		Seq int64  `json:"seq"`
		Cmd string `json:"cmd"`
	}
	unread := json.Unmarshal(line, &named)
	c := &command{Seq: named.Seq, Cmd: named.Cmd}
	known, exists := commands[c.Cmd]
	if unread == nil && c.Seq > 0 && c.Cmd != "" && !exists {
		return c, nil
	}
	members, err := object(line, "message")
	if err != nil {
		return nil, err
	}
	if unread != nil || c.Seq < 1 || c.Cmd == "" {
		return nil, errors.New(`an object without a "seq" above 0 and a "cmd"`)
	}
	if err := known.asks.check(members, "seq", "cmd"); err != nil {
		return nil, err
	}
	return c, decode(line, c)
}

func (s *server) hello(c *command) error {
	if c.Protocol != ProtocolVersion {
		s.write(&reply{Seq: c.Seq, Unsupported: true})
		return nil
	}
	said := hello{
		SDK: s.identity.SDK, Version: s.identity.Version, Language: s.identity.Language,
		Profiles: append([]string{}, s.identity.Profiles...),
	}
	if fixed := toMillis(s.identity.Timeouts); fixed != (millis{}) {
		said.Timeouts = &fixed
	}
	s.ok(c.Seq, said)
	return nil
}

func (s *server) createClient(c *command) error {
	if s.clients[*c.Client] != nil {
		return fmt.Errorf("adapter: the suite made the client %q twice", *c.Client)
	}
	client, err := s.newClient(s.ctx, Options{URL: *c.URL, AppID: *c.AppID, Timeouts: c.Timeouts.timeouts()})
	if err != nil {
		return s.answer(c, nothing, err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	begun := make(chan struct{})
	close(begun)
	s.clients[*c.Client] = &served{Client: client, handle: *c.Client, ctx: ctx, cancel: cancel, begun: begun, messages: map[string]Message{}}
	s.ok(c.Seq, nothing)
	return nil
}

// answer writes the reply of a call.
func (s *server) answer(c *command, ok any, err error) error {
	failed := new(Error)
	switch {
	case err == nil:
		s.ok(c.Seq, ok)
	case errors.Is(err, ErrUnsupported):
		s.write(&reply{Seq: c.Seq, Unsupported: true})
	case errors.As(err, &failed):
		s.write(&reply{Seq: c.Seq, Error: &failure{
			Op: failed.Op, Code: failed.Code, Name: failed.Name, Native: failed.Native, Indefinite: failed.Indefinite,
		}})
	default:
		return fmt.Errorf("adapter: %s returned neither nil, an *Error nor ErrUnsupported: %w", c.Cmd, err)
	}
	return nil
}

// obeyFor does what a line asks of a client or its channel object. What an SDK does at once is done at once, so that later
// lines find it done; what may wait runs beside.
func (s *server) obeyFor(client *served, room *servedRoom, c *command) error {
	ctx := client.ctx
	switch c.Cmd {
	case "listen":
		if room != nil {
			return s.answer(c, nothing, room.Listen(ctx, *c.Listener, s.teller(client, room, *c.Listener)))
		}
		return s.answer(c, nothing, client.Listen(ctx, *c.Listener, s.teller(client, nil, *c.Listener)))
	case "removeAllListeners":
		if room != nil {
			return s.answer(c, nothing, room.RemoveAllListeners(ctx))
		}
		return s.answer(c, nothing, client.RemoveAllListeners(ctx))
	case "state":
		state, err := client.State(ctx)
		return s.answer(c, map[string]string{"state": state}, err)
	case "createMessage":
		return s.createMessage(client, c)
	case "createChannel":
		if s.rooms[*c.Channel] != nil {
			return fmt.Errorf("adapter: the suite made the channel object %q twice", *c.Channel)
		}
		made, err := client.NewChannel(ctx, *c.ID)
		if err == nil {
			s.rooms[*c.Channel] = &servedRoom{Channel: made, handle: *c.Channel, client: client}
		}
		return s.answer(c, nothing, err)
	case "login":
		s.beside(client, c, func() (any, error) { return nothing, client.Login(ctx, *c.UID, *c.Token) })
	case "logout":
		s.beside(client, c, func() (any, error) { return nothing, client.Logout(ctx) })
	case "renewToken":
		s.beside(client, c, func() (any, error) { return nothing, client.RenewToken(ctx, *c.Token) })
	case "memberCounts":
		s.beside(client, c, func() (any, error) {
			counts, err := client.MemberCounts(ctx, c.Channels...)
			if counts == nil {
				counts = map[string]int{}
			}
			return map[string]any{"counts": counts}, err
		})
	case "joinChannel":
		s.beside(client, c, func() (any, error) { return nothing, room.Join(ctx) })
	case "leaveChannel":
		s.beside(client, c, func() (any, error) { return nothing, room.Leave(ctx) })
	case "members":
		s.beside(client, c, func() (any, error) {
			members, err := room.Members(ctx)
			return map[string]any{"members": append([]string{}, members...)}, err
		})
	case "sendPeer", "sendChannel":
		return s.send(client, room, c)
	case "close":
		delete(s.clients, client.handle)
		for name, room := range s.rooms {
			if room.client == client {
				delete(s.rooms, name)
			}
		}
		s.running.Go(func() {
			s.release(client)
			s.ok(c.Seq, nothing)
		})
	}
	return nil
}

func (s *server) createMessage(client *served, c *command) error {
	name, err := messageHandle(c)
	if err != nil || name == "" {
		return fmt.Errorf("adapter: the suite wrote a createMessage without the handle of a message")
	}
	text, raw, description, err := c.content.read()
	if err != nil {
		return fmt.Errorf("adapter: the suite wrote a command of which %w", err)
	}
	var message Message
	if raw != nil {
		message, err = client.NewRaw(client.ctx, raw, description)
	} else {
		message, err = client.NewText(client.ctx, text)
	}
	if err == nil {
		s.mu.Lock()
		client.messages[name] = message
		s.mu.Unlock()
	}
	return s.answer(c, nothing, err)
}

// messageHandle returns the handle of a message that a command names; "" when it names something that is not a message.
func messageHandle(c *command) (name string, err error) {
	if c.Message.Kind() == 'n' {
		return "", nil
	}
	err = json.Unmarshal(c.Message, &name)
	return name, err
}

func (s *server) send(client *served, room *servedRoom, c *command) error {
	name, err := messageHandle(c)
	if err != nil {
		return fmt.Errorf("adapter: the suite wrote a message that is neither a handle nor null")
	}
	var message Message
	if c.Message.Kind() != 'n' {
		s.mu.Lock()
		message = client.messages[name]
		s.mu.Unlock()
		if message == nil {
			return fmt.Errorf("adapter: the suite named the message %q, which the client %q does not have", name, client.handle)
		}
	}
	s.beside(client, c, func() (any, error) {
		if room != nil {
			return nothing, room.Send(client.ctx, message)
		}
		received, err := client.SendToPeer(client.ctx, *c.To, message)
		return map[string]bool{"hasPeerReceived": received}, err
	})
	return nil
}

// beside makes a call that may wait, once the call before it of the same client has begun.
func (s *server) beside(client *served, c *command, call func() (any, error)) {
	before, begun := client.begun, make(chan struct{})
	client.begun = begun
	s.running.Go(func() {
		<-before
		close(begun)
		ok, err := call()
		if failed := new(Error); err != nil && client.ctx.Err() != nil && !errors.As(err, &failed) && !errors.Is(err, ErrUnsupported) {
			// The call ended because its client was closed under it.
			err = &Error{Op: c.Cmd, Native: err.Error()}
		}
		if err := s.answer(c, ok, err); err != nil {
			s.stop(err)
		}
	})
}

// teller returns what writes the events of one listener.
func (s *server) teller(client *served, room *servedRoom, listener string) func(Event) {
	return func(event Event) {
		known, exists := eventShapes[event.Kind]
		line := &notice{Event: event.Kind, Listener: listener}
		if room != nil {
			line.Channel = room.handle
		} else {
			line.Client = client.handle
		}
		ofChannel := slices.Contains(known.need, "channel")
		lacks := slices.Contains(known.need, "message") && event.Message == nil
		if !exists || ofChannel != (room != nil) || lacks {
			s.stop(fmt.Errorf("adapter: a listener got the event %q, which has no message or no place there", event.Kind))
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if client.closed {
			return
		}
		for _, member := range known.need {
			switch member {
			case "state":
				line.State = &event.State
			case "reason":
				line.Reason = &event.Reason
			case "uid":
				line.UID = &event.UID
			case "from":
				line.From = &event.From
			case "count":
				line.Count = &event.Count
			case "message":
				client.numbered++
				line.Message = new(fmt.Sprintf("r%d", client.numbered))
				client.messages[*line.Message] = event.Message
			case "content":
				line.content = contentOf(event.Message)
			case "server_received_ms":
				line.Received = new(int64)
				if at := event.Message.ServerReceivedAt(); !at.IsZero() {
					*line.Received = at.UnixMilli()
				}
			}
		}
		s.writeLocked(line)
	}
}
