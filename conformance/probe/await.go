package probe

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Await takes the oldest object that matches out of the inbox, waiting for it if need be. What does not match stays.
// The error is a [WaitError].
func (c *Conn) Await(ctx context.Context, matcher Matcher) (Object, error) {
	return c.inbox.await(ctx, matcher)
}

// Until waits for the first object that matches and takes it and everything older out of the inbox, oldest first and the
// match last. It is how absence is proven: send a marker that must arrive on the same ordered way, and look at what came
// before it.
func (c *Conn) Until(ctx context.Context, matcher Matcher) ([]Object, error) {
	return c.inbox.until(ctx, matcher)
}

// Next takes the oldest object out of the inbox, whatever it is, waiting for one if need be.
func (c *Conn) Next(ctx context.Context) (Object, error) {
	return c.inbox.await(ctx, Matching("any frame", func(Object) bool { return true }))
}

// AwaitClose waits until the connection has ended and returns the code and reason of the server's close frame. Without a
// close frame the code is 1006. The error, a [WaitError], tells only that the connection did not end in time.
func (c *Conn) AwaitClose(ctx context.Context) (code int, reason string, err error) {
	start := time.Now()
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	c.inbox.mu.Lock()
	defer c.inbox.mu.Unlock()
	if ended := c.inbox.closed; ended != nil {
		return ended.Code, ended.Reason, nil
	}
	return 0, "", &WaitError{
		Actor: c.options.Actor, What: "the end of the connection", Waited: time.Since(start),
		Came: c.inbox.pending(), Cause: context.Cause(ctx),
	}
}

// AwaitPong waits until the server has sent a WebSocket pong with this payload. The error is a [WaitError].
func (c *Conn) AwaitPong(ctx context.Context, payload string) error {
	what := fmt.Sprintf("a WebSocket pong with %q", payload)
	return c.inbox.wait(ctx, what, func() bool { return slices.Contains(c.inbox.pongs, payload) })
}

// Done is closed when the connection has ended.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Inbox returns everything that was received, taken or not, in order.
func (c *Conn) Inbox() []Object { return c.inbox.all() }

// Pending returns what was received and not yet taken by a wait, in order.
func (c *Conn) Pending() []Object {
	c.inbox.mu.Lock()
	defer c.inbox.mu.Unlock()
	return c.inbox.pending()
}
