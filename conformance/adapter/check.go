package adapter

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/reports"
)

// Check starts an adapter and leads it through one session with the server at options.URL, which must be open for the app:
// hello and the probe, two clients that log in, a peer message, a channel with a message where the adapter claims channels,
// logout and close. It writes every line to out, with its direction and the seconds since the start, without tokens; a hook
// of the command sees them first.
//
// It is for the author of an adapter, and judges no requirement. The error says in one sentence what did not work; it is a
// [*BrokenError] or [*DownError] where the protocol was not kept, and the context's when that ended.
func Check(ctx context.Context, command Command, out io.Writer, options Options) (err error) {
	shown := &shownLines{out: out, start: time.Now()}
	hook := command.Rewrite
	command.Rewrite = func(direction Direction, line []byte) [][]byte {
		lines := [][]byte{line}
		if hook != nil {
			lines = hook(direction, line)
		}
		for _, line := range lines {
			shown.line(direction, line)
		}
		return lines
	}
	program, err := Start(ctx, command)
	if err != nil {
		return err
	}
	identity := program.Identity()
	shown.note("%s %s (%s) claims %s", identity.SDK, identity.Version, identity.Language, list(identity.Profiles))
	c := check{program: program, shown: shown, options: options}
	err = c.session(ctx)
	// The reason lies with the program when that is broken or down; what the session saw is what followed from it.
	for _, reason := range []error{program.Down(), program.Err()} {
		if reason != nil {
			err = reason
		}
	}
	if ended := program.Close(); err == nil {
		err = ended
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

func list(words []string) string {
	if len(words) == 0 {
		return "no profile"
	}
	return strings.Join(words, ", ")
}

// shownLines writes lines for people.
type shownLines struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

func (s *shownLines) line(direction Direction, line []byte) {
	text := []rune(reports.Redact(string(line)))
	rest := ""
	if most := 400; len(text) > most {
		text, rest = text[:most], fmt.Sprintf("… (%d bytes)", len(line))
	}
	s.note("%7.3f %s %s%s", time.Since(s.start).Seconds(), direction, string(text), rest)
}

func (s *shownLines) note(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.out, format+"\n", args...)
}

// check is one session with an adapter.
type check struct {
	program *Program
	shown   *shownLines
	options Options
}

// checked is a client in a session, with what its listeners heard.
type checked struct {
	Client

	uid   string
	heard chan Event
}

func (c *check) session(ctx context.Context) error {
	suffix := make([]byte, 4)
	_, _ = rand.Read(suffix)
	var clients []*checked
	for _, name := range []string{"alice", "bob"} {
		client, err := c.client(ctx, name+"-"+hex.EncodeToString(suffix))
		if err != nil {
			return err
		}
		clients = append(clients, client)
	}
	alice, bob := clients[0], clients[1]
	if err := c.peer(ctx, alice, bob); err != nil {
		return err
	}
	if err := c.channel(ctx, alice, bob, "lobby-"+hex.EncodeToString(suffix)); err != nil {
		return err
	}
	if !c.program.Identity().claims("renewToken") {
		if err := alice.RenewToken(ctx, "none"); !errors.Is(err, ErrUnsupported) {
			return overclaims("tokens", "renewToken")
		}
	}
	for _, client := range clients {
		if err := client.Logout(ctx); err != nil {
			return fmt.Errorf("the logout of %s does not work: %w", client.uid, err)
		}
		if err := client.Close(); err != nil {
			return fmt.Errorf("the client of %s cannot be closed: %w", client.uid, unfilled(err))
		}
	}
	return nil
}

func overclaims(profile, cmd string) error {
	return fmt.Errorf("the adapter does not claim the profile %s and does not answer %s with unsupported; claim it, or leave the command out", profile, cmd)
}

// client makes a client, listens and logs in.
func (c *check) client(ctx context.Context, uid string) (*checked, error) {
	made, err := c.program.NewClient(ctx, c.options)
	if err != nil {
		return nil, fmt.Errorf("a client cannot be made: %w", unfilled(err))
	}
	client := &checked{Client: made, uid: uid, heard: make(chan Event, 256)}
	if err := client.Listen(ctx, "", client.hear); err != nil {
		return nil, fmt.Errorf("a listener cannot be registered: %w", err)
	}
	if err := client.Login(ctx, uid, ""); err != nil {
		return nil, fmt.Errorf("the login of %s does not work: %w", uid, unfilled(err))
	}
	state, err := client.State(ctx)
	if err != nil {
		return nil, fmt.Errorf("the state of %s cannot be told: %w", uid, err)
	}
	if state != "CONNECTED" {
		return nil, fmt.Errorf("after its login %s is %q and not CONNECTED", uid, state)
	}
	return client, client.await(ctx, c.program.command.Patience, "the state CONNECTED", func(e Event) bool {
		return e.Kind == StateChanged && e.State == "CONNECTED"
	})
}

// unfilled adds to an error what the author of a new adapter may have left to do.
func unfilled(err error) error {
	if errors.Is(err, ErrUnsupported) {
		return fmt.Errorf("%w; a skeleton says so until its part one is filled in", err)
	}
	return err
}

// hear keeps an event, as long as there is room.
func (c *checked) hear(event Event) {
	select {
	case c.heard <- event:
	default:
	}
}

// await waits for an event that matches.
func (c *checked) await(ctx context.Context, patience time.Duration, what string, match func(Event) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the listeners of %s never heard of %s", c.uid, what))
	defer cancel()
	for {
		select {
		case event := <-c.heard:
			if match(event) {
				return nil
			}
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (c *check) peer(ctx context.Context, alice, bob *checked) error {
	message, err := alice.NewText(ctx, "hello")
	if err != nil {
		return fmt.Errorf("a text message cannot be made: %w", err)
	}
	received, err := alice.SendToPeer(ctx, bob.uid, message)
	if err != nil {
		return fmt.Errorf("the peer message does not work: %w", err)
	}
	if !received {
		return errors.New("the peer message to a client that is online has hasPeerReceived false")
	}
	return bob.await(ctx, c.program.command.Patience, "the peer message", func(e Event) bool {
		return e.Kind == MessageFromPeer && e.From == alice.uid && e.Message.Text() == "hello"
	})
}

func (c *check) channel(ctx context.Context, alice, bob *checked, id string) error {
	if !c.program.Identity().claims("createChannel") {
		_, making := alice.NewChannel(ctx, id)
		_, counting := alice.MemberCounts(ctx, id)
		if !errors.Is(making, ErrUnsupported) {
			return overclaims("channels", "createChannel")
		}
		if !errors.Is(counting, ErrUnsupported) {
			return overclaims("channels", "memberCounts")
		}
		return nil
	}
	var rooms []Channel
	for _, client := range []*checked{alice, bob} {
		room, err := client.NewChannel(ctx, id)
		if err != nil {
			return fmt.Errorf("a channel object cannot be made: %w", err)
		}
		if err := room.Listen(ctx, "", client.hear); err != nil {
			return fmt.Errorf("a listener of a channel object cannot be registered: %w", err)
		}
		if err := room.Join(ctx); err != nil {
			return fmt.Errorf("%s cannot join the channel: %w", client.uid, err)
		}
		rooms = append(rooms, room)
	}
	message, err := alice.NewText(ctx, "hello, all")
	if err != nil {
		return fmt.Errorf("a text message cannot be made: %w", err)
	}
	if err := rooms[0].Send(ctx, message); err != nil {
		return fmt.Errorf("the channel message does not work: %w", err)
	}
	err = bob.await(ctx, c.program.command.Patience, "the channel message", func(e Event) bool {
		return e.Kind == ChannelMessage && e.From == alice.uid && e.Message.Text() == "hello, all"
	})
	if err != nil {
		return err
	}
	members, err := rooms[0].Members(ctx)
	if err != nil {
		return fmt.Errorf("the members cannot be told: %w", err)
	}
	if len(members) != 2 {
		return fmt.Errorf("the channel of two has the members %q", members)
	}
	for i, room := range rooms {
		if err := room.Leave(ctx); err != nil {
			return fmt.Errorf("member %d cannot leave the channel: %w", i+1, err)
		}
	}
	return nil
}
