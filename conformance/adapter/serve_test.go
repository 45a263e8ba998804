package adapter

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// fake is a client whose calls do what a test says; what a test leaves out succeeds.
type fake struct {
	login   func(ctx context.Context, uid, token string) error
	send    func(message Message) (bool, error)
	state   string
	deliver map[string]func(Event)
	removed bool
	closed  bool
}

func (f *fake) Login(ctx context.Context, uid, token string) error {
	if f.login == nil {
		return nil
	}
	return f.login(ctx, uid, token)
}
func (f *fake) Logout(context.Context) error             { return nil }
func (f *fake) RenewToken(context.Context, string) error { return nil }
func (f *fake) NewText(_ context.Context, text string) (Message, error) {
	return &letter{text: text}, nil
}
func (f *fake) NewRaw(_ context.Context, raw []byte, description string) (Message, error) {
	if description == "unsupported" {
		return nil, ErrUnsupported
	}
	return &letter{raw: raw, description: description}, nil
}
func (f *fake) SendToPeer(_ context.Context, _ string, message Message) (bool, error) {
	return f.send(message)
}
func (f *fake) NewChannel(_ context.Context, id string) (Channel, error) {
	if id == "bad" {
		return nil, &Error{Op: "channel.new", Code: 1, Name: "CREATE_CHANNEL_ERR_INVALID_ARGUMENT"}
	}
	return &fakeChannel{fake: f, id: id}, nil
}
func (f *fake) MemberCounts(_ context.Context, channels ...string) (map[string]int, error) {
	counts := map[string]int{}
	for i, id := range channels {
		counts[id] = i
	}
	return counts, nil
}
func (f *fake) State(context.Context) (string, error) { return f.state, nil }
func (f *fake) Listen(_ context.Context, name string, deliver func(Event)) error {
	if f.deliver == nil {
		f.deliver = map[string]func(Event){}
	}
	f.deliver[name] = func(event Event) {
		event.Listener = name
		deliver(event)
	}
	return nil
}
func (f *fake) RemoveAllListeners(context.Context) error {
	f.removed = true
	return nil
}
func (f *fake) Close() error {
	f.closed = true
	return nil
}

type fakeChannel struct {
	*fake
	id string
}

func (c *fakeChannel) ID() string                  { return c.id }
func (c *fakeChannel) Join(context.Context) error  { return nil }
func (c *fakeChannel) Leave(context.Context) error { return nil }
func (c *fakeChannel) Members(context.Context) ([]string, error) {
	return []string{"alice", "bob"}, nil
}
func (c *fakeChannel) Send(_ context.Context, message Message) error {
	_, err := c.send(message)
	return err
}
func (c *fakeChannel) RemoveAllListeners(ctx context.Context) error {
	return c.fake.RemoveAllListeners(ctx)
}
func (c *fakeChannel) Listen(ctx context.Context, n string, d func(Event)) error {
	return c.fake.Listen(ctx, "channel "+n, d)
}

type letter struct {
	text        string
	raw         []byte
	description string
	at          time.Time
}

func (l *letter) Text() string                { return l.text }
func (l *letter) Raw() []byte                 { return l.raw }
func (l *letter) Description() string         { return l.description }
func (l *letter) ServerReceivedAt() time.Time { return l.at }

// conversation is a Serve that a test talks to.
type conversation struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *bufio.Scanner
	done chan error
}

func everyProfile() Identity {
	return Identity{SDK: "fake", Version: "1", Language: "go", Profiles: []string{"core", "channels", "tokens"}}
}

func talk(t *testing.T, ctx context.Context, identity Identity, client Client) *conversation {
	t.Helper()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	c := &conversation{t: t, in: inWrite, out: bufio.NewScanner(outRead), done: make(chan error, 1)}
	c.out.Buffer(nil, 2*MaxLine)
	go func() {
		err := Serve(ctx, inRead, outWrite, identity, func(context.Context, Options) (Client, error) { return client, nil })
		inRead.Close()
		outWrite.Close()
		c.done <- err
	}()
	t.Cleanup(func() {
		inWrite.Close()
		outRead.Close()
	})
	return c
}

// say writes a command.
func (c *conversation) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.in, line+"\n"); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}

// hear reads a line, which must be this one.
func (c *conversation) hear(want string) {
	c.t.Helper()
	if !c.out.Scan() {
		c.t.Fatalf("there is no line, want %s: %v", want, <-c.done)
	}
	if got := c.out.Text(); got != want {
		c.t.Fatalf("the line is %s, want %s", got, want)
	}
}

// create makes the client c1.
func (c *conversation) create() {
	c.t.Helper()
	c.say(`{"seq":1,"cmd":"createClient","client":"c1","url":"ws://x/","app_id":"a","timeouts":{}}`)
	c.hear(`{"seq":1,"ok":{}}`)
}

func TestACommandThatWaitsDoesNotKeepLaterOnesFromBeingObeyed(t *testing.T) {
	release := make(chan struct{})
	client := &fake{state: "CONNECTING", login: func(context.Context, string, string) error {
		<-release
		return nil
	}}
	c := talk(t, t.Context(), everyProfile(), client)
	c.create()
	c.say(`{"seq":2,"cmd":"login","client":"c1","uid":"alice","token":""}`)
	c.say(`{"seq":3,"cmd":"state","client":"c1"}`)
	c.hear(`{"seq":3,"ok":{"state":"CONNECTING"}}`)
	close(release)
	c.hear(`{"seq":2,"ok":{}}`)
}

func TestEventsStandBeforeTheReplyOfTheCallThatTheyPrecede(t *testing.T) {
	client := &fake{}
	client.login = func(context.Context, string, string) error {
		for _, state := range []string{"CONNECTING", "CONNECTED"} {
			for _, listener := range []string{"", "second"} {
				client.deliver[listener](Event{Kind: StateChanged, State: state, Reason: "LOGIN"})
			}
		}
		return nil
	}
	c := talk(t, t.Context(), everyProfile(), client)
	c.create()
	c.say(`{"seq":2,"cmd":"listen","client":"c1","listener":""}`)
	c.hear(`{"seq":2,"ok":{}}`)
	c.say(`{"seq":3,"cmd":"listen","client":"c1","listener":"second"}`)
	c.hear(`{"seq":3,"ok":{}}`)
	c.say(`{"seq":4,"cmd":"login","client":"c1","uid":"alice","token":""}`)
	for _, state := range []string{"CONNECTING", "CONNECTED"} {
		for _, listener := range []string{"", "second"} {
			c.hear(`{"event":"ConnectionStateChanged","client":"c1","listener":"` + listener + `","state":"` + state + `","reason":"LOGIN"}`)
		}
	}
	c.hear(`{"seq":4,"ok":{}}`)
}

func TestClosingAClientEndsWhatItWaitsFor(t *testing.T) {
	client := &fake{login: func(ctx context.Context, _, _ string) error {
		<-ctx.Done()
		return ctx.Err()
	}}
	c := talk(t, t.Context(), everyProfile(), client)
	c.create()
	c.say(`{"seq":9,"cmd":"listen","client":"c1","listener":""}`)
	c.hear(`{"seq":9,"ok":{}}`)
	c.say(`{"seq":2,"cmd":"login","client":"c1","uid":"alice","token":""}`)
	c.say(`{"seq":3,"cmd":"close","client":"c1"}`)
	var got []string
	for range 2 {
		if !c.out.Scan() {
			t.Fatal(<-c.done)
		}
		got = append(got, c.out.Text())
	}
	slices.Sort(got)
	want := []string{`{"seq":2,"error":{"op":"login","code":0,"name":"","native":"context canceled"}}`, `{"seq":3,"ok":{}}`}
	if !slices.Equal(got, want) {
		t.Errorf("the replies are %q, want %q", got, want)
	}
	client.deliver[""](Event{Kind: TokenExpired}) // It is too late to be told.
	c.say(`{"seq":4,"cmd":"dance"}`)
	c.hear(`{"seq":4,"unsupported":true}`)
	c.say(`{"seq":5,"cmd":"state","client":"c1"}`)
	if err := <-c.done; err == nil || !strings.Contains(err.Error(), `the client "c1", which does not exist`) {
		t.Errorf("a client that was closed is there: %v", err)
	}
}

func TestServeClosesItsClientsWhenItsInputEnds(t *testing.T) {
	client := &fake{}
	c := talk(t, t.Context(), everyProfile(), client)
	c.create()
	c.in.Close()
	if err := <-c.done; err != nil || !client.closed {
		t.Errorf("Serve returns %v; the client is closed: %v", err, client.closed)
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	client := &fake{}
	c := talk(t, ctx, everyProfile(), client)
	c.create()
	enough := errors.New("enough")
	cancel(enough)
	if err := <-c.done; !errors.Is(err, enough) || !client.closed {
		t.Errorf("Serve returns %v; the client is closed: %v", err, client.closed)
	}
}

func TestCommandsOfAProfileThatIsNotClaimedAreUnsupported(t *testing.T) {
	identity := everyProfile()
	identity.Profiles = []string{"core"}
	c := talk(t, t.Context(), identity, &fake{})
	c.create()
	for _, line := range []string{
		`{"seq":2,"cmd":"createChannel","client":"c1","channel":"h1","id":"lobby"}`,
		`{"seq":2,"cmd":"memberCounts","client":"c1","channels":["lobby"]}`,
		`{"seq":2,"cmd":"renewToken","client":"c1","token":"t"}`,
		`{"seq":2,"cmd":"x-18ea90b0"}`,
		`{"seq":2,"cmd":"dance","client":"nobody","with":null}`,
		`{"seq":2,"cmd":"hello","protocol":2}`,
	} {
		c.say(line)
		c.hear(`{"seq":2,"unsupported":true}`)
	}
}

func TestAMistakeOfTheSuiteEndsServe(t *testing.T) {
	for line, want := range map[string]string{
		`nonsense`:    "something that is not JSON",
		`[]`:          "not one JSON object",
		`{"cmd":"x"}`: `without a "seq" above 0 and a "cmd"`,
		`{"seq":1}`:   `without a "seq" above 0 and a "cmd"`,
		`{"seq":2,"cmd":"state","client":"c1","client":"c1"}`:                                          "a name stands twice",
		`{"seq":2,"cmd":"state"}`:                                                                      `lacks the member "client"`,
		`{"seq":2,"cmd":"state","client":"c1","uid":"x"}`:                                              `the member "uid"`,
		`{"seq":2,"cmd":"state","client":1}`:                                                           `"client" has the wrong type`,
		`{"seq":2,"cmd":"state","client":null}`:                                                        `"client" is null`,
		`{"seq":2,"cmd":"state","client":"c2"}`:                                                        `the client "c2", which does not exist`,
		`{"seq":2,"cmd":"listen","listener":""}`:                                                       `needs one of the members "client" and "channel"`,
		`{"seq":2,"cmd":"listen","client":"c1","channel":"h1","listener":""}`:                          `needs one of the members "client" and "channel"`,
		`{"seq":2,"cmd":"joinChannel","channel":"h2"}`:                                                 `the channel object "h2", which does not exist`,
		`{"seq":2,"cmd":"sendPeer","client":"c1","to":"bob","message":"m2"}`:                           `the message "m2", which the client "c1" does not have`,
		`{"seq":2,"cmd":"sendPeer","client":"c1","to":"bob","message":""}`:                             `the message ""`,
		`{"seq":2,"cmd":"sendPeer","client":"c1","to":"bob","message":7}`:                              "neither a handle nor null",
		`{"seq":2,"cmd":"createMessage","client":"c1","message":null,"text":""}`:                       "without the handle of a message",
		`{"seq":2,"cmd":"createMessage","client":"c1","message":"m2"}`:                                 `needs one of the members "text" and "raw"`,
		`{"seq":2,"cmd":"createMessage","client":"c1","message":"m2","raw":"A"}`:                       "not standard Base64",
		`{"seq":2,"cmd":"createMessage","client":"c1","message":"m2","text":"","description":"x"}`:     `a "description" beside "text"`,
		`{"seq":2,"cmd":"createClient","client":"c1","url":"ws://x/","app_id":"a","timeouts":{}}`:      `made the client "c1" twice`,
		`{"seq":2,"cmd":"createClient","client":"c2","url":"ws://x/","app_id":"a","timeouts":{"x":1}}`: `"timeouts/x"`,
		`{"seq":2,"cmd":"state","client":"` + strings.Repeat("x", MaxLine) + `"}`:                      "longer than 1 MiB",
	} {
		c := talk(t, t.Context(), everyProfile(), &fake{})
		c.create()
		go io.WriteString(c.in, line+"\n") // Of a line that is too long, not all is read.
		if err := <-c.done; err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 1000 {
			t.Errorf("%.100s ends Serve with %v, want %q", line, err, want)
		}
	}
}

func TestAClientThatBreaksItsContractEndsServe(t *testing.T) {
	for want, client := range map[string]*fake{
		"login returned neither nil, an *Error nor ErrUnsupported: boom": {login: func(context.Context, string, string) error { return errors.New("boom") }},
	} {
		c := talk(t, t.Context(), everyProfile(), client)
		c.create()
		c.say(`{"seq":2,"cmd":"login","client":"c1","uid":"alice","token":""}`)
		if err := <-c.done; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Serve returns %v, want %q", err, want)
		}
	}
	for _, event := range []Event{{Kind: "Rain"}, {Kind: MemberLeft}, {Kind: MessageFromPeer}} {
		client := &fake{}
		c := talk(t, t.Context(), everyProfile(), client)
		c.create()
		c.say(`{"seq":2,"cmd":"listen","client":"c1","listener":""}`)
		c.hear(`{"seq":2,"ok":{}}`)
		client.deliver[""](event)
		if err := <-c.done; err == nil || !strings.Contains(err.Error(), event.Kind) {
			t.Errorf("after the event %v Serve returns %v", event, err)
		}
	}
}

// overPipes starts an adapter that serves a client in this process.
func overPipes(t *testing.T, client Client, rewrite Rewrite) *Program {
	t.Helper()
	program, err := Start(t.Context(), Command{
		Profiles: everyProfile().Profiles, Rewrite: rewrite,
		InProcess: func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
			return Serve(ctx, stdin, stdout, everyProfile(), func(context.Context, Options) (Client, error) { return client, nil })
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	return program
}

func TestWhatAnSDKSaysComesBackOverThePipeAsItWas(t *testing.T) {
	said := &Error{Op: "login", Code: 9, Name: "LOGIN_ERR_TIMEOUT", Native: "no answer to token=" + testToken, Indefinite: true}
	var sent []Message
	var tokens []string
	client := &fake{
		state: "RECONNECTING",
		login: func(_ context.Context, _, token string) error {
			tokens = append(tokens, token)
			return said
		},
		send: func(message Message) (bool, error) {
			if message == nil {
				return false, ErrUnsupported
			}
			sent = append(sent, message)
			return true, nil
		},
	}
	ctx := t.Context()
	remote, err := overPipes(t, client, nil).NewClient(ctx, Options{})
	if err != nil {
		t.Fatal(err)
	}
	events := make(chan Event, 9)
	room, err := remote.NewChannel(ctx, "lobby")
	if err != nil {
		t.Fatal(err)
	}
	for _, listen := range []func(context.Context, string, func(Event)) error{remote.Listen, room.Listen} {
		if err := listen(ctx, "ear", func(event Event) { events <- event }); err != nil {
			t.Fatal(err)
		}
	}

	failed := new(Error)
	if err := remote.Login(ctx, "alice", testToken); !errors.As(err, &failed) || failed.Code != 9 || failed.Name != said.Name || failed.Op != "login" || !failed.Indefinite {
		t.Errorf("the login fails with %#v", err)
	}
	if strings.Contains(failed.Native, testToken) || !strings.Contains(failed.Native, "no answer") || tokens[0] != testToken {
		t.Errorf("the SDK got %q and said %q", tokens, failed.Native)
	}
	if state, err := remote.State(ctx); state != "RECONNECTING" || err != nil {
		t.Errorf("the state is %q, %v", state, err)
	}
	if counts, err := remote.MemberCounts(ctx, "lobby", "hall"); len(counts) != 2 || counts["hall"] != 1 || err != nil {
		t.Errorf("the counts are %v, %v", counts, err)
	}
	if members, err := room.Members(ctx); !slices.Equal(members, []string{"alice", "bob"}) || err != nil {
		t.Errorf("the members are %v, %v", members, err)
	}
	if _, err := remote.NewChannel(ctx, "bad"); !errors.As(err, &failed) || failed.Op != "channel.new" {
		t.Errorf("a bad channel object fails with %v", err)
	}

	text, _ := remote.NewText(ctx, "hi")
	raw, _ := remote.NewRaw(ctx, []byte{0, 255}, "two")
	empty, _ := remote.NewRaw(ctx, nil, "")
	for _, message := range []Message{text, raw, empty} {
		if received, err := remote.SendToPeer(ctx, "bob", message); !received || err != nil {
			t.Errorf("a send returns %v, %v", received, err)
		}
	}
	if sent[0].Text() != "hi" || sent[0].Raw() != nil || !bytes.Equal(sent[1].Raw(), []byte{0, 255}) || sent[1].Description() != "two" || sent[2].Raw() == nil {
		t.Errorf("the SDK was given %+v", sent)
	}
	if _, err := remote.NewRaw(ctx, nil, "unsupported"); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an unsupported message fails with %v", err)
	}
	if _, err := remote.SendToPeer(ctx, "bob", nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("no message fails with %v", err)
	}
	if _, err := remote.SendToPeer(ctx, "bob", &letter{}); err == nil {
		t.Error("a message of another client can be sent")
	}

	original := &letter{text: "yo", at: time.UnixMilli(1700000000123)}
	client.deliver["ear"](Event{Kind: MessageFromPeer, Message: original, From: "bob"})
	client.deliver["channel ear"](Event{Kind: ChannelMessage, Channel: "lobby", Message: &letter{raw: []byte{}}, From: "carol"})
	client.deliver["channel ear"](Event{Kind: MemberCountUpdated, Channel: "lobby", Count: 3})
	fromPeer, fromChannel, count := <-events, <-events, <-events
	if fromPeer.Listener != "ear" || fromPeer.From != "bob" || fromPeer.Message.Text() != "yo" || !fromPeer.Message.ServerReceivedAt().Equal(original.at) {
		t.Errorf("the peer message is %+v", fromPeer)
	}
	if fromChannel.Channel != "lobby" || fromChannel.From != "carol" || fromChannel.Message.Raw() == nil || !fromChannel.Message.ServerReceivedAt().IsZero() {
		t.Errorf("the channel message is %+v", fromChannel)
	}
	if count.Count != 3 || count.Channel != "lobby" || count.Kind != MemberCountUpdated {
		t.Errorf("the count is %+v", count)
	}
	if err := room.Send(ctx, fromPeer.Message); err != nil || sent[len(sent)-1] != Message(original) {
		t.Errorf("a received message is sent as another object: %v", err)
	}
	if err := remote.RemoveAllListeners(ctx); err != nil || !client.removed {
		t.Errorf("the listeners are removed: %v, %v", client.removed, err)
	}
	if err := remote.Close(); err != nil || !client.closed {
		t.Errorf("the client is closed: %v, %v", client.closed, err)
	}
}

func TestALineCanBeDroppedChangedRepeatedAndInserted(t *testing.T) {
	client := &fake{state: "CONNECTED"}
	of := func(direction Direction, fragment string, instead func(line []byte) [][]byte) Rewrite {
		return func(to Direction, line []byte) [][]byte {
			if to == direction && bytes.Contains(line, []byte(fragment)) {
				return instead(line)
			}
			return [][]byte{line}
		}
	}
	for name, tt := range map[string]struct {
		rewrite Rewrite
		state   string
		fails   string
	}{
		"drop": {rewrite: of(ToSuite, `"state":`, func([]byte) [][]byte { return nil }), fails: "did not answer state within"},
		"change": {state: "ABORTED", rewrite: of(ToSuite, `"state":`, func(line []byte) [][]byte {
			return [][]byte{bytes.Replace(line, []byte("CONNECTED"), []byte("ABORTED"), 1)}
		})},
		"repeat": {state: "CONNECTED", rewrite: of(ToSuite, `"state":`, func(line []byte) [][]byte { return [][]byte{line, line} }), fails: "answered seq 4 twice"},
		"insert": {rewrite: of(ToAdapter, `"state"`, func(line []byte) [][]byte {
			return [][]byte{[]byte(`{"seq":999,"cmd":"dance"}`), line}
		}), fails: "answered seq 999, which no command had"},
	} {
		t.Run(name, func(t *testing.T) {
			program := overPipes(t, client, tt.rewrite)
			remote, err := program.NewClient(t.Context(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			ctx := t.Context()
			if name == "drop" {
				impatient, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				defer cancel()
				ctx = impatient
			}
			state, err := remote.State(ctx)
			if state != tt.state && err == nil {
				t.Errorf("the state is %q", state)
			}
			if tt.fails == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil { // What was repeated comes after the answer.
				<-program.current().over
				err = program.Err()
			}
			if err == nil || !strings.Contains(err.Error(), tt.fails) {
				t.Errorf("the call fails with %v, want %q", err, tt.fails)
			}
		})
	}
}
