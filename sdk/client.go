package rtm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Client is one user's connection to an RTM server. Any number of clients live
// side by side in a process, independent of each other (rule 1). All methods may
// be called by several goroutines at once, and from inside listeners.
type Client struct {
	cfg      Config
	delivery *delivery
	limits   atomic.Pointer[wire.Limits]

	onState           listeners[func(State, Reason)]
	onMessage         listeners[func(*Message, string)]
	onTokenExpired    listeners[func()]
	onTokenWillExpire listeners[func(time.Duration)]

	mu        sync.Mutex // the one lock of client, session, calls and channels
	state     State
	uid       string
	lastLogin time.Time // when a login was last accepted for trying
	login     *login    // nil unless one is at work
	session   *session  // nil unless CONNECTED or RECONNECTING
	channels  map[string]*Channel
	closed    bool
	life      context.Context
	endLife   context.CancelCauseFunc
}

// New returns a client in the state [Disconnected]. It checks the config and does
// not touch the network (rule 6). It fails with wire.ClientNewInvalidArgument (1)
// when the app id is not 32 letters and digits, or when another field of the config
// cannot be right.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, channels: map[string]*Channel{}}
	c.delivery = newDelivery(c.deliver, c.panicked)
	limits := wire.DefaultLimits()
	c.limits.Store(&limits)
	c.life, c.endLife = context.WithCancelCause(context.Background())
	return c, nil
}

// State returns the connection state. Listeners hear of a change shortly after.
func (c *Client) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// UID returns the user who is logged in or logging in, and the empty string in
// [Disconnected].
func (c *Client) UID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.uid
}

// Limits returns what the server announced for the current session, or for the
// last one; before the first login the published defaults. The caller must not
// change the Calls in it.
func (c *Client) Limits() wire.Limits { return *c.limits.Load() }

// OnConnectionStateChanged calls f with each new connection state and its reason
// (rule 76). The returned function removes f. A listener that panics is logged, and
// stops the later listeners of the same event and nothing else (rule 226).
func (c *Client) OnConnectionStateChanged(f func(State, Reason)) (off func()) {
	return c.onState.add(f)
}

// OnMessage calls f with each message from a user, and the sender's uid:
// the vendor API's MessageFromPeer. The returned function removes f.
func (c *Client) OnMessage(f func(m *Message, peer string)) (off func()) { return c.onMessage.add(f) }

// OnTokenExpired calls f when the token has ended: while reconnecting, when
// [Client.RenewToken] is needed to go on (rule 41), or while connected, just before
// the state becomes [Aborted] (rule 43). The returned function removes f.
func (c *Client) OnTokenExpired(f func()) (off func()) { return c.onTokenExpired.add(f) }

// OnTokenWillExpire calls f with the time that is left when the token is about to
// end: the vendor API's TokenPrivilegeWillExpire (rule 42). The returned function
// removes f.
func (c *Client) OnTokenWillExpire(f func(left time.Duration)) (off func()) {
	return c.onTokenWillExpire.add(f)
}

// RemoveAllListeners removes every listener of this client. The listeners of its
// channels stay (rule 227).
func (c *Client) RemoveAllListeners() {
	c.onState.clear()
	c.onMessage.clear()
	c.onTokenExpired.clear()
	c.onTokenWillExpire.clear()
}

// Close releases everything at once and is the end of this client: every later
// call fails. It does not log out, so the server keeps the user online until its
// grace time is over; call [Client.Logout] before to end that too. The vendor API
// has no such call. Close returns nil, and when nothing of the client runs any
// more, except when a listener calls it.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.endLife(errClosed)
	for c.login != nil {
		c.login.wait(&c.mu, context.Background())
	}
	s := c.session
	if s != nil {
		s.end(Disconnected, ReasonLogout, wire.CloseGoingAway)
	} else if c.state == Aborted {
		c.setState(Disconnected, ReasonLogout)
	}
	c.mu.Unlock()
	if s != nil {
		<-s.ended
	}
	c.delivery.wait()
	return nil
}

// setState changes the state and tells the listeners. The lock is held.
func (c *Client) setState(state State, reason Reason) {
	c.state = state
	if state == Disconnected {
		c.uid = ""
	}
	c.delivery.push(event{kind: eventState, state: state, reason: reason})
}

// live returns the session, or the error of operation op without one. The lock is
// held.
func (c *Client) live(op wire.Kind) (*session, error) {
	if c.closed {
		return nil, &Error{Op: op, Code: notLoggedIn(op, c.state).Code, Message: "make a new client", Err: errClosed}
	}
	if c.session == nil {
		return nil, notLoggedIn(op, c.state)
	}
	return c.session, nil
}

// deliver calls the listeners of one event.
func (c *Client) deliver(e *event) {
	switch e.kind {
	case eventState:
		for f := range c.onState.all() {
			f(e.state, e.reason)
		}
	case eventPeerMessage:
		for f := range c.onMessage.all() {
			f(e.message, e.uid)
		}
	case eventTokenExpired:
		for f := range c.onTokenExpired.all() {
			f()
		}
	case eventTokenWillExpire:
		for f := range c.onTokenWillExpire.all() {
			f(wire.Millis(e.number))
		}
	default:
		e.channel.deliver(e)
	}
}

func (c *Client) panicked(_ *event, value any, stack []byte) {
	c.cfg.Logger.Error("rtm: a listener panicked; the later listeners of this event are left out",
		"panic", fmt.Sprint(value), "stack", string(stack))
}
