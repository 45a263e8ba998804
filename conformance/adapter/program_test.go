package adapter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// leash is a listener to which every process of a misbehaving adapter connects, to show by the end of the connection that
// it has ended.
type leash struct{ net.Listener }

func newLeash(t *testing.T) leash {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return leash{listener}
}

// ended waits until so many processes that have connected have ended, however long ago.
func (l leash) ended(t *testing.T, processes int) {
	t.Helper()
	for range processes {
		_ = l.Listener.(*net.TCPListener).SetDeadline(time.Now().Add(20 * time.Second))
		conn, err := l.Accept()
		if err != nil {
			t.Fatalf("no process was there: %v", err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a process was left behind")
		}
		conn.Close()
	}
}

// misbehaving is the command that runs an adapter with this misdeed.
func misbehaving(t *testing.T, name string) (Command, leash) {
	t.Helper()
	leash := newLeash(t)
	return Command{
		Args:     []string{os.Args[0]},
		Env:      append(os.Environ(), misdeedVariable+"="+name, leashVariable+"="+leash.Addr().String()),
		Profiles: []string{"core", "channels"},
		Nearest:  func(_ string, words []string) string { return words[1] },
		Patience: 20 * time.Second, Grace: 20 * time.Second,
	}, leash
}

// session is a first session with an adapter, in which the login may take so long; it returns its first error.
func session(ctx context.Context, program *Program, login time.Duration) error {
	client, err := program.NewClient(ctx, Options{URL: "ws://127.0.0.1:1/", AppID: "x"})
	if err != nil {
		return err
	}
	if err := client.Listen(ctx, "", func(Event) {}); err != nil {
		return err
	}
	within, cancel := context.WithTimeout(ctx, login)
	defer cancel()
	if err := client.Login(within, "alice", testToken); err != nil {
		return err
	}
	if _, err := client.State(ctx); err != nil {
		return err
	}
	return client.Close()
}

func TestEveryMisdeedOfAnAdapterGetsASentenceAndLeavesNoProcess(t *testing.T) {
	for name, deed := range misdeeds {
		t.Run(name, func(t *testing.T) {
			if deed.unix && runtime.GOOS == "windows" {
				t.Skip("Windows shows this in another way")
			}
			t.Parallel()
			command, leash := misbehaving(t, name)
			login := 20 * time.Second
			switch {
			case name == "is mute":
				command.Patience = 5 * time.Second
			case strings.HasPrefix(name, "hangs"):
				login = 100 * time.Millisecond
			}
			program, err := Start(t.Context(), command)
			if err == nil {
				defer program.Close()
				err = session(t.Context(), program, login)
			}

			if err == nil || !strings.Contains(err.Error(), deed.says) {
				t.Fatalf("the error is %v, want %q", err, deed.says)
			}
			if strings.Contains(err.Error(), testToken) {
				t.Errorf("the error shows the token: %v", err)
			}
			if len(err.Error()) > 3000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			down, broken := new(DownError), new(BrokenError)
			if errors.As(err, &down) != deed.down || errors.As(err, &broken) == deed.down {
				t.Errorf("the error is a %T", err)
			}
			if program == nil {
				leash.ended(t, 1)
				return
			}
			for what, got := range map[string]error{"Err": program.Err(), "Down": program.Down()} {
				if want := (what == "Down") == deed.down; (got != nil) != want {
					t.Errorf("%s returns %v", what, got)
				} else if want && got.Error() != err.Error() {
					t.Errorf("%s returns %v, not what the call did", what, got)
				}
			}
			if _, again := program.NewClient(t.Context(), Options{}); again == nil || again.Error() != err.Error() {
				t.Errorf("the next call fails with %v", again)
			}
			processes := 1
			restart := program.Restart(t.Context())
			switch {
			case deed.down && restart != nil:
				t.Errorf("the restart fails: %v", restart)
			case deed.down:
				processes = 2
				if _, err := program.NewClient(t.Context(), Options{}); err != nil {
					t.Errorf("after the restart: %v", err)
				}
			case restart == nil:
				t.Error("a broken adapter can be started anew")
			default:
				// It is killed at once, and not left until somebody closes it.
				leash.ended(t, 1)
				processes = 0
			}
			if err := program.Close(); err != nil {
				t.Error(err)
			}
			leash.ended(t, processes)
		})
	}
}

func TestAnAdapterSaysWhoItIs(t *testing.T) {
	command, leash := misbehaving(t, "none")
	program, err := Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	got := program.Identity()
	want := Identity{SDK: "fake", Version: "1", Language: "go", Timeouts: Timeouts{Login: 7 * time.Second}}
	if got.SDK != want.SDK || got.Version != want.Version || got.Language != want.Language || got.Timeouts != want.Timeouts || !slices.Equal(got.Profiles, []string{"core"}) {
		t.Errorf("it says %+v", got)
	}
	if err := session(t.Context(), program, 20*time.Second); err != nil {
		t.Error(err)
	}
	if err := program.Close(); err != nil {
		t.Error(err)
	}
	leash.ended(t, 1)
}

func TestAProgramThatCannotBeStartedIsBroken(t *testing.T) {
	_, err := Start(t.Context(), Command{Args: []string{"no-such-adapter"}})
	if broken := new(BrokenError); !errors.As(err, &broken) || !strings.Contains(err.Error(), "no-such-adapter") {
		t.Errorf("the error is %v", err)
	}
	if _, err := Start(t.Context(), Command{}); err == nil {
		t.Error("a command of nothing starts")
	}
}

func TestAnAdapterThatIgnoresItsEndIsKilled(t *testing.T) {
	command, leash := misbehaving(t, "ignores its end")
	command.Grace = 100 * time.Millisecond
	program, err := Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Close(); err == nil || !strings.Contains(err.Error(), "did not end within 100ms") {
		t.Errorf("Close returns %v", err)
	}
	leash.ended(t, 1)
}

func TestWhatAnAdapterStartedEndsWithIt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no process groups to kill")
	}
	command, leash := misbehaving(t, "leaves a grandchild")
	program, err := Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Close(); err != nil {
		t.Error(err)
	}
	leash.ended(t, 2)
}

func TestACallerWhoLosesInterestIsNoFaultOfTheAdapter(t *testing.T) {
	command, leash := misbehaving(t, "hangs in a command")
	program, err := Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	client, err := program.NewClient(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	bored := errors.New("bored")
	cancel(bored)
	if err := client.Login(ctx, "alice", ""); !errors.Is(err, bored) {
		t.Errorf("the login fails with %v", err)
	}
	if state, err := client.State(t.Context()); state != "CONNECTED" || err != nil {
		t.Errorf("afterwards the state is %q, %v", state, err)
	}
	if err := program.Down(); err != nil {
		t.Error(err)
	}
	if err := program.Close(); err != nil {
		t.Error(err)
	}
	leash.ended(t, 1)
}

func TestAStartEndsWithItsContext(t *testing.T) {
	command, _ := misbehaving(t, "is mute")
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	command.Rewrite = func(_ Direction, line []byte) [][]byte {
		cancel(enough)
		return [][]byte{line}
	}
	if _, err := Start(ctx, command); !errors.Is(err, enough) {
		t.Errorf("the start fails with %v", err)
	}
}

func TestManyLinesAreNoFloodWhenCommandsComeBetween(t *testing.T) {
	program := overPipes(t, &fake{}, nil)
	client, err := program.NewClient(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	life := program.current()
	life.mu.Lock()
	life.unasked = floodLines
	life.mu.Unlock()
	if _, err := client.State(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEventsOfAClosedClientAreIgnored(t *testing.T) {
	var late []byte
	program := overPipes(t, &fake{}, func(direction Direction, line []byte) [][]byte {
		if direction == ToSuite && late != nil {
			return [][]byte{line, late}
		}
		return [][]byte{line}
	})
	client, err := program.NewClient(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(t.Context(), "", func(event Event) { t.Errorf("%v is delivered", event) }); err != nil {
		t.Fatal(err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	late = fmt.Appendf(nil, `{"event":"TokenExpired","client":%q,"listener":""}`, client.(*remoteClient).handle)
	for range 2 { // The second command comes after the late event of the first.
		if _, err := program.NewClient(t.Context(), Options{}); err != nil {
			t.Error(err)
		}
	}
}

func TestHalfATokenIsNotShown(t *testing.T) {
	token := strings.Repeat("secret", 40)
	known, words := new(secrets), new(tail)
	known.add(token)
	for range 2 * tailBytes / len(token) {
		fmt.Fprintln(words, token)
	}
	if tailBytes%(len(token)+1) == 0 {
		t.Fatal("the tail begins with a whole line, which proves nothing")
	}
	if text := words.text(known.redact); strings.Contains(text, "secret") || !strings.HasSuffix(text, "[redacted]") || len(text) > tailShown+10 {
		t.Errorf("the tail is %.200q…, %d bytes", text, len(text))
	}
}
