package model

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"

	refserver "github.com/rtmkit/rtmkit/reference-server"
)

// shapes are the kinds of programs that the suite makes.
var shapes = map[string]Shape{
	"core":      {Kicks: true},
	"channels":  {Channels: 2, Kicks: true},
	"reconnect": {Channels: 2, Kicks: true, Cuts: true, Steps: 30},
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func TestTheReferenceServerKeepsToTheModel(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			server := startReference(t)
			shape.Limits.Calls = map[string]int{}
			for seed := range uint64(200) {
				program := Generate(seeded(seed), shape)
				divergence, err := Run(t.Context(), server, program)
				if err != nil || divergence != nil {
					t.Fatalf("seed %d: %v %v\n%s", seed, divergence, err, program)
				}
			}
		})
	}
}

func TestTheReferenceServerKeepsToTheModelWithItsCallLimits(t *testing.T) {
	server := startReference(t, func(c *refserver.Config) { c.Limits.Calls = wire.DefaultCalls() })
	for seed := range uint64(20) {
		program := Generate(seeded(seed), shapes["reconnect"])
		divergence, err := Run(t.Context(), server, program)
		if err != nil || divergence != nil {
			t.Fatalf("seed %d: %v %v\n%s", seed, divergence, err, program)
		}
	}
}

func TestAProgramThatAsksForMoreThanTheLimitsIsNotRun(t *testing.T) {
	server := startReference(t, func(c *refserver.Config) { c.Limits.Calls, c.Limits.Members = wire.DefaultCalls(), 2 })
	for text, want := range map[string]LimitError{
		"alice logs in\n" + strings.Repeat("alice joins lobby\nalice leaves lobby\n", 3):      {6, "join_same", 2},
		"alice logs in\nalice counts hall\nalice counts hall\n":                               {3, "count", 1},
		"alice logs in\nbob logs in\ncarol logs in\n":                                         {0, "members", 2},
		"alice logs in\nalice counts hall\nalice logs in elsewhere\nalice counts hall\n":      {},
		"alice counts hall\nalice counts hall\nalice logs in\nalice counts hall\n":            {},
		"alice logs in\nalice lists hall\n" + strings.Repeat("alice at once lists hall\n", 9): {},
	} {
		program, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		limit := new(LimitError)
		divergence, err := Run(t.Context(), server, program)
		if errors.As(err, &limit) != (want.Most > 0) || *limit != want || divergence != nil || err != nil && want.Most == 0 {
			t.Errorf("%q ends with %v, %v, want %v", text, divergence, err, want)
		}
	}
}

func TestNothingIsBlamedOnAServerWhoseGraceMayBeOver(t *testing.T) {
	program := Program{{User: "alice", Verb: IsCut}, {User: "bob", Verb: LogsIn}}
	finding := found(2, "one thing", "another")
	for name, test := range map[string]struct {
		presence presence
		since    time.Duration
		missing  bool
		want     error
	}{
		"in the grace":                      {lost, 500 * time.Millisecond, false, nil},
		"behind the grace":                  {lost, 2 * time.Second, false, ErrTooSlow},
		"behind the grace, nothing came":    {lost, 2 * time.Second, true, nil},
		"on a connection that may be dead":  {online, 4 * time.Second, false, ErrTooSlow},
		"on a connection that must live":    {online, 2 * time.Second, false, nil},
		"when the user is offline for long": {offline, time.Hour, false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := &run{
				program: program, state: newState(Limits{}), missing: test.missing, limits: Limits{Grace: time.Second, Silence: 3 * time.Second},
				actors: map[string]*actor{"alice": {name: "alice", contact: time.Now().Add(-test.since)}},
			}
			r.state.user("alice").presence = test.presence
			divergence, err := r.diverged(t.Context(), finding)
			if !errors.Is(err, test.want) || (divergence == nil) != (err != nil) {
				t.Errorf("it ends with %v, %v, want %v", divergence, err, test.want)
			}
		})
	}
}

func TestARunThatIsGivenUpFindsNothing(t *testing.T) {
	server := startReference(t)
	ctx, cancel := context.WithCancel(t.Context())
	server.Token = func(_ context.Context, uid string) (string, error) {
		if strings.HasPrefix(uid, "bob") {
			cancel()
		}
		return "", nil
	}
	divergence, err := Run(ctx, server, Program{{User: "alice", Verb: LogsIn}, {User: "bob", Verb: LogsIn}})
	if divergence != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v, %v", divergence, err)
	}
}

func TestATokenSourceThatFailsIsNoFinding(t *testing.T) {
	server := startReference(t)
	server.Token = func(_ context.Context, uid string) (string, error) {
		if strings.HasPrefix(uid, "bob") {
			return "", errors.New("no more tokens")
		}
		return "", nil
	}
	divergence, err := Run(t.Context(), server, Program{{User: "bob", Verb: LogsIn}})
	if divergence != nil || err == nil || !strings.Contains(err.Error(), "the token source failed: no more tokens") {
		t.Errorf("it ends with %v, %v", divergence, err)
	}
}
