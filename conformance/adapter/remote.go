package adapter

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// handles numbers everything that the suite names, over all programs of this process.
var handles atomic.Int64

func handle(letter string) string { return fmt.Sprint(letter, handles.Add(1)) }

// remoteClient is a client that an adapter holds.
type remoteClient struct {
	life   *life
	handle string
	// The lock of the life guards these.
	listeners map[string]func(Event)
	closed    bool
}

func (l *life) newClient(ctx context.Context, options Options) (Client, error) {
	c := &remoteClient{life: l, handle: handle("c"), listeners: map[string]func(Event){}}
	l.mu.Lock()
	l.clients[c.handle] = c
	l.mu.Unlock()
	if err := c.ask(ctx, &command{Cmd: "createClient", URL: &options.URL, AppID: &options.AppID, Timeouts: new(toMillis(options.Timeouts))}, nil); err != nil {
		l.mu.Lock()
		c.closed = true
		l.mu.Unlock()
		return nil, err
	}
	return c, nil
}

// ask gives the adapter a command about this client.
func (c *remoteClient) ask(ctx context.Context, line *command, into any) error {
	line.Client = &c.handle
	return c.life.call(ctx, line, into)
}

func (c *remoteClient) Login(ctx context.Context, uid, token string) error {
	return c.ask(ctx, &command{Cmd: "login", UID: &uid, Token: &token}, nil)
}

func (c *remoteClient) Logout(ctx context.Context) error {
	return c.ask(ctx, &command{Cmd: "logout"}, nil)
}

func (c *remoteClient) RenewToken(ctx context.Context, token string) error {
	return c.ask(ctx, &command{Cmd: "renewToken", Token: &token}, nil)
}

func (c *remoteClient) NewText(ctx context.Context, text string) (Message, error) {
	return c.newMessage(ctx, &remoteMessage{text: text}, content{Text: &text})
}

func (c *remoteClient) NewRaw(ctx context.Context, raw []byte, description string) (Message, error) {
	if raw == nil {
		raw = []byte{}
	}
	encoded := base64.StdEncoding.EncodeToString(raw)
	return c.newMessage(ctx, &remoteMessage{raw: raw, description: description}, content{Raw: &encoded, Description: &description})
}

func (c *remoteClient) newMessage(ctx context.Context, m *remoteMessage, what content) (Message, error) {
	m.client, m.handle = c, handle("m")
	if err := c.ask(ctx, &command{Cmd: "createMessage", Message: quoted(m.handle), content: what}, nil); err != nil {
		return nil, err
	}
	return m, nil
}

func (c *remoteClient) SendToPeer(ctx context.Context, peer string, message Message) (bool, error) {
	what, err := c.handleOf(message)
	if err != nil {
		return false, err
	}
	var ok struct {
		HasPeerReceived bool `json:"hasPeerReceived"`
	}
	err = c.ask(ctx, &command{Cmd: "sendPeer", To: &peer, Message: what}, &ok)
	return err == nil && ok.HasPeerReceived, err
}

// handleOf returns how a message stands on a line.
func (c *remoteClient) handleOf(message Message) (jsontext.Value, error) {
	switch message := message.(type) {
	case nil:
		return jsontext.Value("null"), nil
	case *remoteMessage:
		if message.client == c {
			return quoted(message.handle), nil
		}
	}
	return nil, errors.New("adapter: the message belongs to another client")
}

// quoted returns a handle of the suite or of an adapter as JSON.
func quoted(handle string) jsontext.Value {
	text, err := jsontext.AppendQuote(nil, handle)
	if err != nil {
		panic(err) // A handle came from a line, or was made here.
	}
	return text
}

func (c *remoteClient) NewChannel(ctx context.Context, id string) (Channel, error) {
	room := &remoteChannel{client: c, handle: handle("h"), id: id, listeners: map[string]func(Event){}}
	c.life.mu.Lock()
	c.life.rooms[room.handle] = room
	c.life.mu.Unlock()
	if err := c.ask(ctx, &command{Cmd: "createChannel", Channel: &room.handle, ID: &id}, nil); err != nil {
		return nil, err
	}
	return room, nil
}

func (c *remoteClient) MemberCounts(ctx context.Context, channels ...string) (map[string]int, error) {
	var ok struct {
		Counts map[string]int `json:"counts"`
	}
	if err := c.ask(ctx, &command{Cmd: "memberCounts", Channels: append([]string{}, channels...)}, &ok); err != nil {
		return nil, err
	}
	return ok.Counts, nil
}

func (c *remoteClient) State(ctx context.Context) (string, error) {
	var ok struct {
		State string `json:"state"`
	}
	if err := c.ask(ctx, &command{Cmd: "state"}, &ok); err != nil {
		return "", err
	}
	return ok.State, nil
}

func (c *remoteClient) Listen(ctx context.Context, name string, deliver func(Event)) error {
	c.life.mu.Lock()
	c.listeners[name] = deliver
	c.life.mu.Unlock()
	return c.ask(ctx, &command{Cmd: "listen", Listener: &name}, nil)
}

func (c *remoteClient) RemoveAllListeners(ctx context.Context) error {
	// Its listeners stay known: an event that comes all the same is for a spec to judge.
	return c.ask(ctx, &command{Cmd: "removeAllListeners"}, nil)
}

// closesWithin bounds the release of a client, which talks to nobody. It comes after each spec, so that one that hangs
// must not cost as much as a call that waits for a server.
const closesWithin = 5 * time.Second

func (c *remoteClient) Close() error {
	c.life.mu.Lock()
	closed := c.closed
	c.closed = true
	c.life.mu.Unlock()
	if closed {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), min(closesWithin, c.life.program.command.Patience))
	defer cancel()
	return c.ask(ctx, &command{Cmd: "close"}, nil)
}

// remoteChannel is a channel object that an adapter holds.
type remoteChannel struct {
	client     *remoteClient
	handle, id string
	listeners  map[string]func(Event) // The lock of the life guards it.
}

func (c *remoteChannel) ask(ctx context.Context, line *command, into any) error {
	line.Channel = &c.handle
	return c.client.life.call(ctx, line, into)
}

func (c *remoteChannel) ID() string { return c.id }

func (c *remoteChannel) Join(ctx context.Context) error {
	return c.ask(ctx, &command{Cmd: "joinChannel"}, nil)
}

func (c *remoteChannel) Leave(ctx context.Context) error {
	return c.ask(ctx, &command{Cmd: "leaveChannel"}, nil)
}

func (c *remoteChannel) Send(ctx context.Context, message Message) error {
	what, err := c.client.handleOf(message)
	if err != nil {
		return err
	}
	return c.ask(ctx, &command{Cmd: "sendChannel", Message: what}, nil)
}

func (c *remoteChannel) Members(ctx context.Context) ([]string, error) {
	var ok struct {
		Members []string `json:"members"`
	}
	if err := c.ask(ctx, &command{Cmd: "members"}, &ok); err != nil {
		return nil, err
	}
	return ok.Members, nil
}

func (c *remoteChannel) Listen(ctx context.Context, name string, deliver func(Event)) error {
	c.client.life.mu.Lock()
	c.listeners[name] = deliver
	c.client.life.mu.Unlock()
	return c.ask(ctx, &command{Cmd: "listen", Listener: &name}, nil)
}

func (c *remoteChannel) RemoveAllListeners(ctx context.Context) error {
	return c.ask(ctx, &command{Cmd: "removeAllListeners"}, nil)
}

// remoteMessage is a message that an adapter holds.
type remoteMessage struct {
	client      *remoteClient
	handle      string
	text        string
	raw         []byte
	description string
	at          time.Time
}

func (m *remoteMessage) Text() string                { return m.text }
func (m *remoteMessage) Raw() []byte                 { return m.raw }
func (m *remoteMessage) Description() string         { return m.description }
func (m *remoteMessage) ServerReceivedAt() time.Time { return m.at }
