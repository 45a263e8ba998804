package specs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// Actor is a user in a spec: a raw connection with a name. Its methods wait within a budget and end the spec when the
// server does not do what they wait for, so a spec reads as a script. A bare [Actor.Conn] is there for what a script
// cannot say.
type Actor struct {
	// Name is how traces and failures call the actor.
	Name string
	// UID is the uid that the actor logs in with.
	UID string
	// Session is the session of the last login answer; empty before a login.
	Session string
	// Conn is the raw connection.
	Conn *probe.Conn

	env *Env
}

// Habit is what a connection does or leaves by itself.
type Habit func(*probe.Options)

// WithoutAck leaves peer messages unacknowledged until the spec acknowledges them.
func WithoutAck() Habit { return func(o *probe.Options) { o.AutoAck = false } }

// WithoutPing leaves the connection silent when the spec sends nothing.
func WithoutPing() Habit { return func(o *probe.Options) { o.AutoPing = 0 } }

// Connect opens a connection without logging in. By habit it acknowledges peer messages, pings in time and answers
// WebSocket pings, as a good client does. It is closed when the spec ends.
func (e *Env) Connect(ctx context.Context, name string, habits ...Habit) *Actor {
	ginkgo.GinkgoHelper()
	options := probe.Options{
		Actor: name, TLS: e.TLS, Trace: e.Trace(),
		AutoAck: true, AutoPing: e.Limits.Duration("ping_interval_ms"), AutoPong: true,
	}
	for _, habit := range habits {
		habit(&options)
	}
	ctx, cancel := bounded(ctx, e.Answer())
	defer cancel()
	conn, err := probe.Dial(ctx, e.Server, options)
	if err != nil {
		fail(1, "the server accepts a connection of "+name, err.Error())
	}
	ginkgo.DeferCleanup(func() { _ = conn.Close() })
	return &Actor{Name: name, UID: e.UID(name), Conn: conn, env: e}
}

// Login opens a connection and logs in with the actor's own uid, which must work.
func (e *Env) Login(ctx context.Context, name string, habits ...Habit) *Actor {
	ginkgo.GinkgoHelper()
	actor := e.Connect(ctx, name, habits...)
	actor.Login(ctx).OK()
	return actor
}

// Again opens a second connection for the same user and logs in on it, which must work.
func (a *Actor) Again(ctx context.Context, habits ...Habit) *Actor {
	ginkgo.GinkgoHelper()
	again := a.Elsewhere(ctx, habits...)
	again.Login(ctx).OK()
	return again
}

// Elsewhere opens a second connection for the same user without logging in.
func (a *Actor) Elsewhere(ctx context.Context, habits ...Habit) *Actor {
	ginkgo.GinkgoHelper()
	elsewhere := a.env.Connect(ctx, a.Name+"2", habits...)
	elsewhere.UID = a.UID
	return elsewhere
}

// Credentials are what the user logs in with: the app of the run, the uid, and a token where the app needs one.
func (e *Env) Credentials(ctx context.Context, uid string) probe.Credentials {
	credentials := probe.Credentials{AppID: e.AppID, UID: uid}
	if e.Token != nil {
		token, err := e.Token(ctx, uid)
		if err != nil {
			panic(fmt.Sprintf("the token source failed: %v", err))
		}
		credentials.Token = token
	}
	return credentials
}

// Login logs in with the actor's uid.
func (a *Actor) Login(ctx context.Context) Answer {
	ginkgo.GinkgoHelper()
	return a.LoginAs(ctx, a.env.Credentials(ctx, a.UID))
}

// LoginAs logs in with these credentials.
func (a *Actor) LoginAs(ctx context.Context, credentials probe.Credentials) Answer {
	ginkgo.GinkgoHelper()
	answer := a.Request(ctx, "login", credentials.Fields()...)
	if session, ok := answer.Text("session"); ok && answer.Kind == "login.ok" {
		a.Session, a.UID = session, credentials.UID
	}
	return answer
}

// Resume opens a new connection for the user and asks for the session back.
func (a *Actor) Resume(ctx context.Context, peerSeq int64, channels ...probe.Cursor) (*Actor, Answer) {
	ginkgo.GinkgoHelper()
	back := a.Elsewhere(ctx)
	credentials := a.env.Credentials(ctx, a.UID)
	credentials.Resume = &probe.Resume{Session: a.Session, PeerSeq: peerSeq, Channels: channels}
	return back, back.LoginAs(ctx, credentials)
}

// Request sends a request and waits for its answer, be it an ok or an error.
func (a *Actor) Request(ctx context.Context, kind string, fields ...probe.Field) Answer {
	ginkgo.GinkgoHelper()
	return a.Answer(ctx, a.Start(kind, fields...))
}

// Asked is a request whose answer is not yet there.
type Asked struct {
	kind string
	id   int64
}

// Start sends a request without waiting for the answer.
func (a *Actor) Start(kind string, fields ...probe.Field) Asked {
	ginkgo.GinkgoHelper()
	id, err := a.Conn.Start(kind, fields...)
	if err != nil {
		fail(1, a.Name+" can send "+kind, a.ended(err))
	}
	return Asked{kind, id}
}

// ended words why nothing could be sent: how the server ended the connection tells more than the write that failed.
func (a *Actor) ended(err error) string {
	ctx, cancel := bounded(context.Background(), a.env.Answer())
	defer cancel()
	if code, reason, late := a.Conn.AwaitClose(ctx); late == nil {
		return strings.TrimSpace(fmt.Sprintf("the server has closed the connection with close %d %s", code, reason))
	}
	return err.Error()
}

// Answer waits for the answer to a request.
func (a *Actor) Answer(ctx context.Context, request Asked) Answer {
	ginkgo.GinkgoHelper()
	return a.AnswerWithin(ctx, a.env.Answer(), request)
}

// AnswerWithin waits for the answer to a request that may take longer than most.
func (a *Actor) AnswerWithin(ctx context.Context, budget time.Duration, request Asked) Answer {
	ginkgo.GinkgoHelper()
	what := fmt.Sprintf("an answer to %s (request %d)", request.kind, request.id)
	object := a.AwaitWithin(ctx, budget, probe.Matching(what, func(o probe.Object) bool { return o.ID == request.id }))
	return Answer{Object: object, actor: a, request: request.kind}
}

// SendPeer sends a text to another user and waits for the receipt.
func (a *Actor) SendPeer(ctx context.Context, to, text string) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "peer.send", probe.F("to", to), probe.F("text", text))
}

// SendChannel sends a text to a channel.
func (a *Actor) SendChannel(ctx context.Context, channel, text string) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "channel.send", probe.F("channel", channel), probe.F("text", text))
}

// Join joins a channel.
func (a *Actor) Join(ctx context.Context, channel string) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "channel.join", probe.F("channel", channel))
}

// Leave leaves a channel.
func (a *Actor) Leave(ctx context.Context, channel string) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "channel.leave", probe.F("channel", channel))
}

// Members asks for the members of a channel.
func (a *Actor) Members(ctx context.Context, channel string) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "channel.members", probe.F("channel", channel))
}

// Count asks how many members the channels have.
func (a *Actor) Count(ctx context.Context, channels ...string) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "channel.count", probe.F("channels", channels))
}

// Ping sends a ping and waits for the pong. The server handles the requests of one connection in order, so a pong also
// proves that everything sent before has taken effect.
func (a *Actor) Ping(ctx context.Context) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "ping")
}

// Logout logs out.
func (a *Actor) Logout(ctx context.Context) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "logout")
}

// RenewToken gives the session a new token.
func (a *Actor) RenewToken(ctx context.Context, token string) Answer {
	ginkgo.GinkgoHelper()
	return a.Request(ctx, "token.renew", probe.F("token", token))
}

// Ack acknowledges the peer messages up to seq.
func (a *Actor) Ack(seq int64) {
	ginkgo.GinkgoHelper()
	if err := a.Conn.Ack(seq); err != nil {
		fail(1, a.Name+" can acknowledge a message", a.ended(err))
	}
}

// Await takes the oldest frame that matches, waiting for it if need be.
func (a *Actor) Await(ctx context.Context, matcher probe.Matcher) probe.Object {
	ginkgo.GinkgoHelper()
	return a.AwaitWithin(ctx, a.env.Answer(), matcher)
}

// AwaitWithin waits for what may take longer than most.
func (a *Actor) AwaitWithin(ctx context.Context, budget time.Duration, matcher probe.Matcher) probe.Object {
	ginkgo.GinkgoHelper()
	waiting, cancel := bounded(ctx, budget)
	defer cancel()
	object, err := a.Conn.Await(waiting, matcher)
	if err != nil {
		missing(ctx, a.Name+" gets "+matcher.String(), err)
	}
	return object
}

// Until waits for a frame that matches and takes it and everything older, the match last. It is the barrier by which
// absence is proven.
func (a *Actor) Until(ctx context.Context, matcher probe.Matcher) []probe.Object {
	ginkgo.GinkgoHelper()
	return a.UntilWithin(ctx, a.env.Answer(), matcher)
}

// UntilWithin is [Actor.Until] for what may take longer than most.
func (a *Actor) UntilWithin(ctx context.Context, budget time.Duration, matcher probe.Matcher) []probe.Object {
	ginkgo.GinkgoHelper()
	waiting, cancel := bounded(ctx, budget)
	defer cancel()
	objects, err := a.Conn.Until(waiting, matcher)
	if err != nil {
		missing(ctx, a.Name+" gets "+matcher.String(), err)
	}
	return objects
}

// AwaitClose waits for the end of the connection and returns the close code, 1006 when there was no close frame.
func (a *Actor) AwaitClose(ctx context.Context) int {
	ginkgo.GinkgoHelper()
	return a.AwaitCloseWithin(ctx, a.env.Answer())
}

// AwaitCloseWithin is [Actor.AwaitClose] for what may take longer than most.
func (a *Actor) AwaitCloseWithin(ctx context.Context, budget time.Duration) int {
	ginkgo.GinkgoHelper()
	waiting, cancel := bounded(ctx, budget)
	defer cancel()
	code, _, err := a.Conn.AwaitClose(waiting)
	if err != nil {
		missing(ctx, "the server closes the connection of "+a.Name, err)
	}
	return code
}

// Cut resets the connection, as a crash or a firewall would.
func (a *Actor) Cut() { _ = a.Conn.Cut() }

// missing ends the spec because a wait ended without what it waited for. A wait that ended with the spec itself, because
// the run was interrupted, is no finding about the subject.
func missing(ctx context.Context, expected string, err error) {
	ginkgo.GinkgoHelper()
	if ctx.Err() != nil {
		ginkgo.AddReportEntry(SkipEntry, Skipped{"not-selected", "the run was interrupted"}, ginkgo.ReportEntryVisibilityNever)
		ginkgo.Skip("the run was interrupted")
	}
	observed := err.Error()
	if wait := new(probe.WaitError); errors.As(err, &wait) {
		observed = wait.Cause.Error()
		if len(wait.Came) > 0 {
			observed += "; unexpected were " + clip(showFrames(wait.Came))
		}
	}
	fail(1, expected, observed)
}

// Answer is what the server answered to a request.
type Answer struct {
	probe.Object

	actor   *Actor
	request string
}

// OK asks for success.
func (a Answer) OK() Answer {
	ginkgo.GinkgoHelper()
	want := a.request + ".ok"
	if a.request == "ping" {
		want = "pong"
	}
	if a.Kind != want {
		fail(1, fmt.Sprintf("%s gets %s", a.actor.Name, want), show(a.Object))
	}
	return a
}

// Refused asks for an error answer with this code and name for the operation that was requested.
func (a Answer) Refused(code int64, name string) {
	ginkgo.GinkgoHelper()
	a.RefusedAs(a.request, code, name)
}

// RefusedAs asks for an error answer of another operation than the one requested.
func (a Answer) RefusedAs(op string, code int64, name string) {
	ginkgo.GinkgoHelper()
	gotOp, _ := a.Text("op")
	if !a.Failed() || a.Code() != code || a.Name() != name || gotOp != op {
		fail(1, fmt.Sprintf("%s gets the error %s (%d) of %s", a.actor.Name, name, code, op), show(a.Object))
	}
}
