package conformance

import (
	"bytes"
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/conformance/probe"
	"github.com/rtmkit/rtmkit/reports"
)

// rewrite changes a message on its way, or loses it by returning false.
type rewrite func(direction probe.Direction, payload []byte) ([]byte, bool)

// rewriting starts a faulty server: the reference server behind a proxy that rewrites its frames.
func rewriting(t *testing.T, rewrite rewrite) string {
	t.Helper()
	hook := func(direction probe.Direction) func(*faults.Frame) bool {
		return func(f *faults.Frame) bool {
			if f.Opcode != faults.OpText {
				return true
			}
			payload, keep := rewrite(direction, f.Payload)
			if !bytes.Equal(payload, f.Payload) {
				f.SetPayload(payload)
			}
			return keep
		}
	}
	plant := func(*faults.Proxy) func(*faults.Link) {
		return func(l *faults.Link) { l.OnClient, l.OnServer = hook(probe.ToServer), hook(probe.ToClient) }
	}
	proxy, err := faults.NewProxy(startReference(t, shortLimits()), nil, plant, new(faults.Counter))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	return proxy.URL()
}

// replacing returns a rewriting of what goes one way.
func replacing(way probe.Direction, pattern, with string) rewrite {
	expression := regexp.MustCompile(pattern)
	return func(direction probe.Direction, payload []byte) ([]byte, bool) {
		if direction != way {
			return payload, true
		}
		return expression.ReplaceAll(payload, []byte(with)), true
	}
}

// swallowing returns a rewriting that loses what the server sends.
func swallowing(part string) rewrite {
	return func(direction probe.Direction, payload []byte) ([]byte, bool) {
		return payload, direction != probe.ToClient || !bytes.Contains(payload, []byte(part))
	}
}

// quick is a run without the requirements that wait for a limit.
func quick(server string) Config {
	cfg := pair(server)
	cfg.SlowAfter = 90 * time.Millisecond
	cfg.Skip = []string{"RTM-TOKEN-*"}
	return cfg
}

func TestAFaultyServerFailsExactlyTheRequirementThatNamesItsFault(t *testing.T) {
	for name, test := range map[string]struct {
		rewrite rewrite
		want    []string
	}{
		"allows 21 channels": {
			replacing(probe.ToClient, `^\{"kind":"error","id":(\d+),"op":"channel.join","code":5,.*`, `{"kind":"channel.join.ok","id":$1,"seq":1,"count":1}`),
			[]string{"RTM-CHANNEL-015"},
		},
		"accepts a uid of 65 bytes": {
			replacing(probe.ToServer, `("kind":"login".*"uid":"[^"]{64})[^"]+"`, `$1"`),
			[]string{"RTM-LOGIN-003"},
		},
		"says hasPeerReceived for an offline peer": {
			replacing(probe.ToClient, `"received":false`, `"received":true`),
			[]string{"RTM-PEER-002"},
		},
		"evicts without a word": {swallowing(`"login.kicked"`), []string{"RTM-LOGIN-021"}},
		"forgets a limit":       {replacing(probe.ToClient, `"replay_ms":\d+,`, ``), []string{"RTM-TRANSPORT-004"}},
		"tells nobody who joins": {
			replacing(probe.ToClient, `^\{"kind":"channel.member_joined",.*`, `{"kind":"ignored"}`),
			[]string{"RTM-CHANNEL-002"},
		},
		"hides a name": {
			replacing(probe.ToClient, `"name":"PEER_MESSAGE_ERR_INVALID_USERID"`, `"name":"ERR"`),
			[]string{"RTM-PEER-016", "RTM-TRANSPORT-025"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := quick(rewriting(t, test.rewrite))
			cfg.Workers, cfg.StartWorker = 4, startTestWorker(cfg.Server)
			result := judged(t, cfg)
			if got := violated(result); !slices.Equal(got, test.want) {
				report(t, result)
				t.Errorf("the violated requirements are %v, want %v", got, test.want)
			}
			if code := ExitCode(result, nil); code != ExitNotConformant {
				t.Errorf("the exit code is %d", code)
			}
		})
	}
}

func TestAFailureShowsFramesAndWordsInsteadOfGo(t *testing.T) {
	cfg := quick(rewriting(t, replacing(probe.ToClient, `"received":false`, `"received":true`)))
	cfg.Only = []string{"RTM-PEER-002"}
	cfg.Repeat = func(id string) string { return "rtmkit conform run --only " + id }
	result := judged(t, cfg)

	i := slices.IndexFunc(result.Requirements, func(row reports.RequirementResult) bool { return row.ID == "RTM-PEER-002" })
	text := Explain(&result.Requirements[i])
	for _, want := range []string{
		"FAIL RTM-PEER-002  MUST", "PROTOCOL.md#peer-receipt", "is answered with received false",
		"expected  received is false", "observed  received is true", `alice -> {"kind":"peer.send"`, `alice <- {"kind":"peer.send.ok"`,
		"repeat    rtmkit conform run --only RTM-PEER-002",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the explanation lacks %q:\n%s", want, text)
		}
	}
	if logins := strings.Count(text, `-> {"kind":"login"`); logins != 1 {
		t.Errorf("the explanation shows %d logins, so the spec did not run once:\n%s", logins, text)
	}
	if strings.Contains(text, "<bool>") || strings.Contains(text, "Expected\n") {
		t.Errorf("the explanation shows Go values:\n%s", text)
	}
}

// resending is a client that sends received messages again.
type resending struct{ adapter.Client }

func (c resending) SendToPeer(ctx context.Context, peer string, message adapter.Message) (bool, error) {
	if message != nil && !message.ServerReceivedAt().IsZero() {
		var err error
		if message, err = c.NewText(ctx, message.Text()); err != nil {
			return false, err
		}
	}
	return c.Client.SendToPeer(ctx, peer, message)
}

func TestAClientThatSendsAReceivedMessageFailsExactlyThatRequirement(t *testing.T) {
	cfg := pair(startReference(t, shortLimits()))
	cfg.Subjects = []string{"client"}
	cfg.SlowAfter = 90 * time.Millisecond
	cfg.NewClient = func(ctx context.Context, options adapter.Options) (adapter.Client, error) {
		client, err := adapter.NewSDK(ctx, options)
		return resending{client}, err
	}

	result := judged(t, cfg)

	if got, want := violated(result), []string{"RTM-PEER-036"}; !slices.Equal(got, want) {
		report(t, result)
		t.Errorf("the violated requirements are %v, want %v", got, want)
	}
}
