package conformance

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// faulty starts a server that conforms but for one fault.
func faulty(t *testing.T, server, name string) string {
	t.Helper()
	fault, err := faults.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faults.NewProxy(server, nil, fault.Plant, new(faults.Counter))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	return proxy.URL()
}

// recorded judges requirements and returns the traces of their failures.
func recorded(t *testing.T, cfg Config, ids ...string) []reports.Trace {
	t.Helper()
	cfg.Only = ids
	var traces []reports.Trace
	for _, row := range judged(t, cfg).Requirements {
		for _, spec := range row.Specs {
			if len(spec.Frames) > 0 {
				traces = append(traces, reports.Trace{Schema: reports.WireSchema, ID: row.ID, Spec: spec.Name, Frames: spec.Frames})
			}
		}
	}
	if len(traces) == 0 {
		t.Fatalf("%s did not fail", ids)
	}
	return traces
}

// replayed plays traces and returns the sum, and what was told.
func replayed(t *testing.T, cfg Config, traces ...reports.Trace) (sum Replayed, told string) {
	t.Helper()
	var out bytes.Buffer
	for _, trace := range traces {
		played, err := Replay(t.Context(), cfg, trace, &out)
		if err != nil {
			t.Fatal(err)
		}
		sum.Same, sum.Different, sum.Skipped = sum.Same+played.Same, sum.Different+played.Different, sum.Skipped+played.Skipped
	}
	return sum, out.String()
}

func TestATraceOfAFailureIsTheSameOnAServerThatFailsSoAndDifferentOnOneThatConforms(t *testing.T) {
	clean := startReference(t, shortLimits())
	for _, name := range []string{"peer.offline-received", "logout.closed-as-going-away", "transport.resume-never"} {
		t.Run(name, func(t *testing.T) {
			fault, err := faults.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			cfg := quick(faulty(t, clean, name))
			cfg.Subjects, cfg.SlowFactor = []string{"server"}, 0.2
			traces := recorded(t, cfg, fault.Breaks...)
			for range 2 {
				if sum, told := replayed(t, cfg, traces...); sum.Same == 0 || sum.Different > 0 {
					t.Errorf("the same server: %+v\n%s", sum, told)
				}
			}
			cfg.Server = clean
			if sum, told := replayed(t, cfg, traces...); sum.Different == 0 || !strings.Contains(told, "recorded was") {
				t.Errorf("a clean server: %+v\n%s", sum, told)
			}
		})
	}
}

// frame is one frame of alice.
func frame(direction reports.Direction, payload string) reports.Frame {
	return reports.Frame{Actor: "alice", Direction: direction, Payload: payload}
}

const (
	loginFrame   = `{"kind":"login","id":1,"app_id":"00000000000000000000000000000000","uid":"alice","token":"<9 bytes hidden>"}`
	loginOKFrame = `{"kind":"login.ok","id":1,"uid":"alice","session":"<22 bytes hidden>","resumed":false}`
)

func TestWhatIsNotWholeInATraceIsSkippedAndCounted(t *testing.T) {
	trace := reports.Trace{ID: "RTM-PEER-001", Frames: []reports.Frame{
		frame(reports.Sent, loginFrame),
		frame(reports.Sent, `{"kind":"peer.send","id":2,"to":"bob","text":"aaaa… (40000 bytes)`),
		frame(reports.Sent, `{"kind":"token.renew","id":3,"token":"<9 bytes hidden>"}`),
		frame(reports.Sent, `<raw, 3 bytes: 01 02 03>`),
		frame(reports.Received, `{"kind":"peer.message","text":"aaaa… (40000 bytes)`),
		frame(reports.Received, `<end of connection>`),
		frame(reports.Sent, `{"kind":"ping","id":4}`),
		frame(reports.Received, `{"kind":"pong","id":4}`),
	}}
	cfg := Config{Server: startReference(t, shortLimits()), AppID: testApp}
	if sum, told := replayed(t, cfg, trace); sum != (Replayed{Same: 1, Skipped: 5}) || strings.Count(told, "cannot be") != 5 {
		t.Errorf("got %+v\n%s", sum, told)
	}
}

func TestAReplayPutsTheSecretsOfItsOwnServerInPlaceAndShowsNone(t *testing.T) {
	cfg := Config{Server: startReference(t, shortLimits()), AppID: certified.ID, TokenApp: certified}
	trace := reports.Trace{ID: "RTM-TRANSPORT-031", Frames: []reports.Frame{
		frame(reports.Sent, loginFrame),
		frame(reports.Received, loginOKFrame),
		{Actor: "alice2", Direction: reports.Sent, Payload: strings.Replace(loginFrame, `"uid"`, `"resume":{"session":"<22 bytes hidden>","peer_seq":0,"channels":[]},"uid"`, 1)},
		{Actor: "alice2", Direction: reports.Received, Payload: strings.Replace(loginOKFrame, "false", "true", 1)},
		frame(reports.Received, `<close 4203 taken over>`),
	}}
	var tokens []string
	cfg.Token = func(ctx context.Context, uid string) (string, error) {
		token, err := specs.MintFor(certified)(ctx, uid)
		tokens = append(tokens, token)
		return token, err
	}
	sum, told := replayed(t, cfg, trace)
	// The login answers say more than these frames.
	if sum.Same+sum.Different != 3 || !strings.Contains(told, `"resumed":true`) || !strings.Contains(told, "<close 4203") {
		t.Errorf("got %+v\n%s", sum, told)
	}
	for _, token := range tokens {
		if len(tokens) != 3 || strings.Contains(told, token) {
			t.Errorf("one of %d tokens is shown:\n%s", len(tokens), told)
		}
	}
	if strings.Contains(told, `"session":"`) && !strings.Contains(told, "[redacted]") {
		t.Errorf("a session is shown:\n%s", told)
	}
}

func TestAReplayComparesTheCodeOfAClose(t *testing.T) {
	server := startReference(t, shortLimits())
	for payload, want := range map[string]Replayed{
		`<close 1000 logged out>`: {Same: 2},
		`<close 1000>`:            {Same: 2},
		`<close 10000>`:           {Same: 1, Different: 1},
		`<close 4200 remote>`:     {Same: 1, Different: 1},
	} {
		trace := reports.Trace{ID: "RTM-LOGIN-022", Frames: []reports.Frame{
			frame(reports.Sent, loginFrame),
			frame(reports.Sent, `{"kind":"logout","id":2}`),
			frame(reports.Received, `{"kind":"logout.ok","id":2}`),
			frame(reports.Received, payload),
		}}
		if sum, told := replayed(t, Config{Server: server, AppID: testApp}, trace); sum != want {
			t.Errorf("%s: got %+v, want %+v\n%s", payload, sum, want, told)
		}
	}
}

func TestAReplayThatCannotBeginIsNoResult(t *testing.T) {
	trace := reports.Trace{ID: "RTM-LOGIN-022", Frames: []reports.Frame{frame(reports.Sent, loginFrame)}}
	server := startReference(t, shortLimits())
	calls := 0
	once := func(context.Context, string) (string, error) {
		if calls++; calls > 1 {
			return "", errors.New("no more tokens")
		}
		return "", nil
	}
	for name, test := range map[string]struct {
		cfg  Config
		code int
		want string
	}{
		"nobody":          {Config{Server: "ws://127.0.0.1:1/rtm/v1", AppID: testApp}, ExitUnreachable, "refused"},
		"no app id":       {Config{Server: server}, ExitUsage, "32"},
		"no more tokens":  {Config{Server: server, AppID: testApp, Token: once}, ExitUsage, "the token source failed: no more tokens"},
		"bad credentials": {Config{Server: server, AppID: certified.ID}, ExitUnreachable, "credentials"},
	} {
		var out bytes.Buffer
		_, err := Replay(t.Context(), test.cfg, trace, &out)
		if code := ExitCode(nil, err); code != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v with exit code %d", name, err, code)
		}
	}
}
