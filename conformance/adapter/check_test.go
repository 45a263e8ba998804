package adapter

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// town is a server without a network: clients of it reach each other.
type town struct {
	mu      sync.Mutex
	clients map[string]*resident
	deaf    bool // peer messages are not delivered, and receipts say so
	silent  bool // peer messages are not delivered, and receipts lie
}

type resident struct {
	fake

	town *town
	uid  string
}

func (t *town) newClient(context.Context, Options) (Client, error) {
	return &resident{town: t, fake: fake{state: "CONNECTED"}}, nil
}

func (r *resident) Login(_ context.Context, uid, _ string) error {
	r.town.mu.Lock()
	defer r.town.mu.Unlock()
	if r.town.clients == nil {
		r.town.clients = map[string]*resident{}
	}
	r.uid = uid
	r.town.clients[uid] = r
	r.deliver[""](Event{Kind: StateChanged, State: "CONNECTED", Reason: "LOGIN_SUCCESS"})
	return nil
}

func (r *resident) SendToPeer(_ context.Context, peer string, message Message) (bool, error) {
	r.town.mu.Lock()
	defer r.town.mu.Unlock()
	if !r.town.deaf && !r.town.silent {
		r.town.clients[peer].deliver[""](Event{Kind: MessageFromPeer, From: r.uid, Message: &letter{text: message.Text()}})
	}
	return !r.town.deaf, nil
}

func TestACheckSaysWhatDoesNotWork(t *testing.T) {
	core := Identity{SDK: "acme", Version: "2", Language: "go", Profiles: []string{"core"}}
	for name, tt := range map[string]struct {
		town  *town
		fails string
		alter Rewrite
	}{
		"nothing":          {town: &town{}},
		"a false receipt":  {town: &town{deaf: true}, fails: "has hasPeerReceived false"},
		"a lost message":   {town: &town{silent: true}, fails: "never heard of the peer message"},
		"a channel object": {town: &town{}, fails: "does not claim the profile channels and does not answer createChannel with unsupported", alter: agreeing("createChannel")},
		"a renewed token":  {town: &town{}, fails: "does not claim the profile tokens and does not answer renewToken with unsupported", alter: agreeing("renewToken")},
		"a silent logout":  {town: &town{}, fails: "did not answer logout within", alter: swallowing("logout")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			patience := 20 * time.Second
			if strings.HasPrefix(tt.fails, "never") || strings.HasPrefix(tt.fails, "did not") {
				patience = 2 * time.Second
			}
			command := Command{
				Profiles: []string{"core", "channels", "tokens"}, Patience: patience, Rewrite: tt.alter,
				InProcess: func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
					return Serve(ctx, stdin, stdout, core, tt.town.newClient)
				},
			}
			var out bytes.Buffer
			err := Check(t.Context(), command, &out, Options{URL: "ws://x/", AppID: "a"})
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Errorf("the check ends with %v, want %q", err, tt.fails)
			}
			if !strings.Contains(out.String(), "acme 2 (go) claims core\n") || !strings.Contains(out.String(), `-> {"seq":1,"cmd":"hello","protocol":1}`) {
				t.Errorf("the check shows\n%s", out.String())
			}
		})
	}
}

// agreeing answers one command with an empty ok, whatever the adapter says.
func agreeing(cmd string) Rewrite {
	var mu sync.Mutex
	var seq []byte
	return func(direction Direction, line []byte) [][]byte {
		mu.Lock()
		defer mu.Unlock()
		if direction == ToAdapter && bytes.Contains(line, []byte(`"cmd":"`+cmd+`"`)) {
			seq = bytes.Clone(line[:bytes.IndexByte(line, ',')])
		}
		if direction == ToSuite && seq != nil && bytes.HasPrefix(line, append(bytes.Clone(seq), ',')) {
			return [][]byte{append(bytes.Clone(seq), `,"ok":{}}`...)}
		}
		return [][]byte{line}
	}
}

// swallowing keeps one command from the adapter.
func swallowing(cmd string) Rewrite {
	return func(direction Direction, line []byte) [][]byte {
		if direction == ToAdapter && bytes.Contains(line, []byte(`"cmd":"`+cmd+`"`)) {
			return nil
		}
		return [][]byte{line}
	}
}
