package specs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/probe"
)

// Subject is a client under test in a spec: the client, the tap between it and the server, and the events that its
// listeners got. Its methods end the spec when the client does not do what they wait for; a call that the client answers
// with an error is an [Outcome] for the spec to look at.
type Subject struct {
	// Name is how traces and failures call the client.
	Name string
	// UID is the uid that the client logs in with.
	UID string
	// Client is the client under test.
	Client adapter.Client
	// Tap is the second witness: what was really on the wire.
	Tap *probe.Tap

	env    *Env
	events events
}

// Announce makes the tap announce other limits to the client than the server does, so that specs about the client's own
// timing are short with every server.
type Announce map[string]int64

// Client makes a client under test that is not logged in. Its listeners are registered, and it is released when the spec
// ends.
func (e *Env) Client(ctx context.Context, name string, announce ...Announce) *Subject {
	ginkgo.GinkgoHelper()
	options := probe.TapOptions{Actor: name, TLS: e.TLS, Trace: e.Trace()}
	if len(announce) > 0 {
		options.Rewrite = announce[0].rewrite
	}
	tap, err := probe.NewTap(e.Server, options)
	if err != nil {
		panic(fmt.Sprintf("specs: %v", err))
	}
	ginkgo.DeferCleanup(func() { _ = tap.Close() })
	making, cancel := bounded(ctx, e.Answer())
	defer cancel()
	client, err := e.NewClient(making, adapter.Options{URL: tap.URL(), AppID: e.AppID, Timeouts: e.ClientTimeouts})
	if err != nil {
		fail(1, "a client can be created", err.Error())
	}
	ginkgo.DeferCleanup(func() { _ = client.Close() })
	subject := &Subject{Name: name, UID: e.UID(name), Client: client, Tap: tap, env: e}
	subject.events.init()
	subject.Listen(ctx, "", subject.events.put)
	return subject
}

// rewrite changes the limits in a login answer and passes everything else on.
func (a Announce) rewrite(direction probe.Direction, payload []byte) ([]byte, bool) {
	if object, err := probe.Decode(payload); direction != probe.ToClient || err != nil || object.Kind != "login.ok" {
		return payload, true
	}
	var answer, limits map[string]json.RawMessage
	if json.Unmarshal(payload, &answer) != nil || json.Unmarshal(answer["limits"], &limits) != nil {
		return payload, true
	}
	for name, value := range a {
		limits[name] = json.RawMessage(strconv.FormatInt(value, 10))
	}
	answer["limits"], _ = json.Marshal(limits)
	changed, err := json.Marshal(answer)
	return changed, err == nil
}

// LoginClient makes a client under test and logs it in, which must work.
func (e *Env) LoginClient(ctx context.Context, name string, announce ...Announce) *Subject {
	ginkgo.GinkgoHelper()
	subject := e.Client(ctx, name, announce...)
	subject.Login(ctx).OK()
	return subject
}

// Listen registers another listener for every event of the client.
func (s *Subject) Listen(ctx context.Context, name string, deliver func(adapter.Event)) {
	ginkgo.GinkgoHelper()
	s.local(ctx, "listen", func(ctx context.Context) error { return s.Client.Listen(ctx, name, deliver) })
}

// RemoveAllListeners removes the listeners of the client.
func (s *Subject) RemoveAllListeners(ctx context.Context) {
	ginkgo.GinkgoHelper()
	s.local(ctx, "removeAllListeners", s.Client.RemoveAllListeners)
}

// State returns the connection state.
func (s *Subject) State(ctx context.Context) (state string) {
	ginkgo.GinkgoHelper()
	s.local(ctx, "state", func(ctx context.Context) (err error) {
		state, err = s.Client.State(ctx)
		return err
	})
	return state
}

// Text makes a text message.
func (s *Subject) Text(ctx context.Context, text string) (message adapter.Message) {
	ginkgo.GinkgoHelper()
	s.local(ctx, "createMessage", func(ctx context.Context) (err error) {
		message, err = s.Client.NewText(ctx, text)
		return err
	})
	return message
}

// Raw makes a raw message.
func (s *Subject) Raw(ctx context.Context, raw []byte, description string) (message adapter.Message) {
	ginkgo.GinkgoHelper()
	s.local(ctx, "createMessage", func(ctx context.Context) (err error) {
		message, err = s.Client.NewRaw(ctx, raw, description)
		return err
	})
	return message
}

// local makes a call that sends nothing and must work.
func (s *Subject) local(ctx context.Context, what string, call func(ctx context.Context) error) {
	ginkgo.GinkgoHelper()
	calling, cancel := bounded(ctx, s.env.Answer())
	defer cancel()
	Outcome{who: s.Name, what: what, err: call(calling)}.OK()
}

// Outcome is how a call of the client under test ended.
type Outcome struct {
	who, what string
	err       error
}

// Err returns what the call returned.
func (o Outcome) Err() error { return o.err }

// OK asks for success.
func (o Outcome) OK() {
	ginkgo.GinkgoHelper()
	if o.err != nil {
		fail(1, fmt.Sprintf("%s of %s succeeds", o.what, o.who), "it fails with "+o.err.Error())
	}
}

// Fails asks for a failure with this code and name of the API.
func (o Outcome) Fails(code int, name string) {
	ginkgo.GinkgoHelper()
	expected := fmt.Sprintf("%s of %s fails with %s (%d)", o.what, o.who, name, code)
	if o.err == nil {
		fail(1, expected, "it succeeds")
	}
	failure := new(adapter.Error)
	if !errors.As(o.err, &failure) {
		fail(1, expected, "it fails with something that is no error of the API: "+o.err.Error())
	}
	if failure.Code != code || failure.Name != name {
		fail(1, expected, "it fails with "+failure.Error())
	}
}

// FailsAnyhow asks for a failure of the API, whatever its code.
func (o Outcome) FailsAnyhow() {
	ginkgo.GinkgoHelper()
	if failure := new(adapter.Error); !errors.As(o.err, &failure) {
		fail(1, fmt.Sprintf("%s of %s fails with an error of the API", o.what, o.who), "it ends with "+show(o.err))
	}
}

// Do runs one call of the client within a budget. A client that does not return in time ends the spec.
func (s *Subject) Do(ctx context.Context, what string, budget time.Duration, call func(ctx context.Context) error) Outcome {
	ginkgo.GinkgoHelper()
	return s.Begin(ctx, what, budget, call).Wait(ctx)
}

// Call is a call of the client that has not returned yet.
type Call struct {
	subject *Subject
	what    string
	done    chan error
	within  context.Context
	stop    context.CancelFunc
}

// Begin starts a call of the client in the background.
func (s *Subject) Begin(ctx context.Context, what string, budget time.Duration, call func(ctx context.Context) error) *Call {
	within, stop := bounded(ctx, budget)
	begun := &Call{subject: s, what: what, done: make(chan error, 1), within: within, stop: stop}
	// The client's own context outlives the budget a little, so that what ends a call is the client and not the suite.
	calling, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*budget)
	ginkgo.DeferCleanup(func() { stop(); cancel() })
	go func() {
		defer cancel()
		begun.done <- call(calling)
	}()
	return begun
}

// Wait waits for the call to return.
func (c *Call) Wait(ctx context.Context) Outcome {
	ginkgo.GinkgoHelper()
	defer c.stop()
	select {
	case err := <-c.done:
		return Outcome{who: c.subject.Name, what: c.what, err: err}
	case <-c.within.Done():
		missing(ctx, fmt.Sprintf("%s of %s returns", c.what, c.subject.Name), context.Cause(c.within))
		return Outcome{}
	}
}

// Returned tells whether the call has returned.
func (c *Call) Returned() bool { return len(c.done) > 0 }

// Login logs in with the subject's uid, and a token where the app needs one.
func (s *Subject) Login(ctx context.Context) Outcome {
	ginkgo.GinkgoHelper()
	return s.LoginAs(ctx, s.UID, s.env.Credentials(ctx, s.UID).Token)
}

// LoginAs logs in with another uid or token.
func (s *Subject) LoginAs(ctx context.Context, uid, token string) Outcome {
	ginkgo.GinkgoHelper()
	return s.BeginLogin(ctx, uid, token).Wait(ctx)
}

// BeginLogin starts a login in the background.
func (s *Subject) BeginLogin(ctx context.Context, uid, token string) *Call {
	return s.Begin(ctx, "login", s.env.Within("login"), func(ctx context.Context) error { return s.Client.Login(ctx, uid, token) })
}

// Logout logs out.
func (s *Subject) Logout(ctx context.Context) Outcome {
	ginkgo.GinkgoHelper()
	return s.Do(ctx, "logout", s.env.Within("login"), s.Client.Logout)
}

// RenewToken gives the session a new token.
func (s *Subject) RenewToken(ctx context.Context, token string) Outcome {
	ginkgo.GinkgoHelper()
	return s.Do(ctx, "renewToken", s.env.Within("send"), func(ctx context.Context) error { return s.Client.RenewToken(ctx, token) })
}

// SendToPeer sends a message and returns hasPeerReceived with the outcome.
func (s *Subject) SendToPeer(ctx context.Context, peer string, message adapter.Message) (received bool, outcome Outcome) {
	ginkgo.GinkgoHelper()
	call, receipt := s.BeginSendToPeer(ctx, peer, message)
	outcome = call.Wait(ctx)
	return *receipt, outcome
}

// BeginSendToPeer starts a send in the background; the receipt may be read once the call has returned.
func (s *Subject) BeginSendToPeer(ctx context.Context, peer string, message adapter.Message) (*Call, *bool) {
	receipt := new(bool)
	return s.Begin(ctx, "sendMessageToPeer", s.env.Within("send"), func(ctx context.Context) error {
		received, err := s.Client.SendToPeer(ctx, peer, message)
		*receipt = received
		return err
	}), receipt
}

// MemberCounts asks for member counts.
func (s *Subject) MemberCounts(ctx context.Context, channels ...string) (counts map[string]int, outcome Outcome) {
	ginkgo.GinkgoHelper()
	outcome = s.Do(ctx, "getChannelMemberCount", s.env.Within("send"), func(ctx context.Context) (err error) {
		counts, err = s.Client.MemberCounts(ctx, channels...)
		return err
	})
	return counts, outcome
}

// Room is a channel object of a client under test.
type Room struct {
	// Channel is the channel object.
	Channel adapter.Channel

	subject *Subject
}

// NewChannel makes a channel object, which must work, with its listeners registered.
func (s *Subject) NewChannel(ctx context.Context, id string) *Room {
	ginkgo.GinkgoHelper()
	room := &Room{subject: s}
	s.local(ctx, "createChannel", func(ctx context.Context) (err error) {
		room.Channel, err = s.Client.NewChannel(ctx, id)
		return err
	})
	s.local(ctx, "listen", func(ctx context.Context) error { return room.Channel.Listen(ctx, "", s.events.put) })
	return room
}

// JoinChannel makes a channel object and joins it, which must work.
func (s *Subject) JoinChannel(ctx context.Context, id string) *Room {
	ginkgo.GinkgoHelper()
	room := s.NewChannel(ctx, id)
	room.Join(ctx).OK()
	return room
}

// Join joins the channel.
func (r *Room) Join(ctx context.Context) Outcome {
	ginkgo.GinkgoHelper()
	return r.subject.Do(ctx, "join", r.subject.env.Within("send"), r.Channel.Join)
}

// Leave leaves the channel.
func (r *Room) Leave(ctx context.Context) Outcome {
	ginkgo.GinkgoHelper()
	return r.subject.Do(ctx, "leave", r.subject.env.Within("send"), r.Channel.Leave)
}

// Send sends a message to the channel.
func (r *Room) Send(ctx context.Context, message adapter.Message) Outcome {
	ginkgo.GinkgoHelper()
	return r.subject.Do(ctx, "sendMessage", r.subject.env.Within("send"), func(ctx context.Context) error { return r.Channel.Send(ctx, message) })
}

// SendText sends a text to the channel.
func (r *Room) SendText(ctx context.Context, text string) Outcome {
	ginkgo.GinkgoHelper()
	return r.Send(ctx, r.subject.Text(ctx, text))
}

// RemoveAllListeners removes the listeners of the channel object.
func (r *Room) RemoveAllListeners(ctx context.Context) {
	ginkgo.GinkgoHelper()
	r.subject.local(ctx, "removeAllListeners", r.Channel.RemoveAllListeners)
}

// Members asks for the members.
func (r *Room) Members(ctx context.Context) (members []string, outcome Outcome) {
	ginkgo.GinkgoHelper()
	outcome = r.subject.Do(ctx, "getMembers", r.subject.env.Within("send"), func(ctx context.Context) (err error) {
		members, err = r.Channel.Members(ctx)
		return err
	})
	return members, outcome
}

// Sent returns the frames of one kind that the client has put on the wire.
func (s *Subject) Sent(kind string) []probe.Object { return Of(kind, s.Tap.Seen(probe.ToServer)) }

// AwaitSent takes the oldest frame of the client that matches, waiting for it if need be.
func (s *Subject) AwaitSent(ctx context.Context, matcher probe.Matcher) probe.Object {
	ginkgo.GinkgoHelper()
	return s.awaitWire(ctx, s.env.Answer(), probe.ToServer, matcher)
}

// AwaitSentWithin waits for what the client may take longer to send.
func (s *Subject) AwaitSentWithin(ctx context.Context, budget time.Duration, matcher probe.Matcher) probe.Object {
	ginkgo.GinkgoHelper()
	return s.awaitWire(ctx, budget, probe.ToServer, matcher)
}

// AwaitReceived takes the oldest frame of the server that matches.
func (s *Subject) AwaitReceived(ctx context.Context, matcher probe.Matcher) probe.Object {
	ginkgo.GinkgoHelper()
	return s.awaitWire(ctx, s.env.Answer(), probe.ToClient, matcher)
}

func (s *Subject) awaitWire(ctx context.Context, budget time.Duration, direction probe.Direction, matcher probe.Matcher) probe.Object {
	ginkgo.GinkgoHelper()
	waiting, cancel := bounded(ctx, budget)
	defer cancel()
	object, err := s.Tap.Await(waiting, direction, matcher)
	if err != nil {
		verb := "sends"
		if direction == probe.ToClient {
			verb = "is sent"
		}
		missing(ctx, fmt.Sprintf("%s %s %s", s.Name, verb, matcher), err)
	}
	return object
}

// Events returns everything that the listeners got so far, in order.
func (s *Subject) Events() []adapter.Event { return s.events.all() }

// AwaitEvent waits for the first event that matches and passes over everything older.
func (s *Subject) AwaitEvent(ctx context.Context, matcher EventMatcher) adapter.Event {
	ginkgo.GinkgoHelper()
	return s.AwaitEventWithin(ctx, s.env.Answer(), matcher)
}

// AwaitEventWithin waits for what may take longer than most.
func (s *Subject) AwaitEventWithin(ctx context.Context, budget time.Duration, matcher EventMatcher) adapter.Event {
	ginkgo.GinkgoHelper()
	found := s.untilEvent(ctx, budget, matcher)
	return found[len(found)-1]
}

// UntilEvent waits for an event that matches and takes it and everything older, the match last.
func (s *Subject) UntilEvent(ctx context.Context, matcher EventMatcher) []adapter.Event {
	ginkgo.GinkgoHelper()
	return s.untilEvent(ctx, s.env.Answer(), matcher)
}

func (s *Subject) untilEvent(ctx context.Context, budget time.Duration, matcher EventMatcher) []adapter.Event {
	ginkgo.GinkgoHelper()
	waiting, cancel := bounded(ctx, budget)
	defer cancel()
	found, err := s.events.until(waiting, matcher)
	if err != nil {
		missing(ctx, fmt.Sprintf("the listeners of %s get %s", s.Name, matcher.what), err)
	}
	return found
}
