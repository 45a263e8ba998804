package conformance

import (
	"bytes"
	"context"
	"io"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/reports"
)

// overThePipe is this project's own SDK behind the adapter protocol.
func overThePipe() adapter.Command {
	profiles := catalogue.Embedded().ProfileNames()
	identity := adapter.Identity{SDK: "rtmkit", Version: "test", Language: "go", Profiles: profiles}
	return adapter.Command{
		Profiles: profiles, Nearest: catalogue.Nearest,
		InProcess: func(ctx context.Context, stdin io.Reader, stdout io.Writer) error {
			return adapter.Serve(ctx, stdin, stdout, identity, adapter.NewSDK)
		},
	}
}

// startAdapter starts an adapter for the time of a test.
func startAdapter(t testing.TB, command adapter.Command) *adapter.Program {
	t.Helper()
	program, err := adapter.Start(t.Context(), command)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := program.Close(); err != nil {
			t.Error(err)
		}
	})
	return program
}

// lineSchemas are the schemas of the lines of both directions.
func lineSchemas(t testing.TB) map[adapter.Direction]*jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(adapter.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("urn:test", parsed); err != nil {
		t.Fatal(err)
	}
	return map[adapter.Direction]*jsonschema.Schema{
		adapter.ToAdapter: compiler.MustCompile("urn:test#/$defs/command"),
		adapter.ToSuite:   compiler.MustCompile("urn:test#/$defs/answer"),
	}
}

func TestTheSDKMeetsEveryClientRequirementOverTheAdapterProtocolAndEveryLineKeepsTheSchema(t *testing.T) {
	command := overThePipe()
	schemas := lineSchemas(t)
	var (
		mu    sync.Mutex
		lines int
		words = map[string]bool{}
	)
	command.Rewrite = func(direction adapter.Direction, line []byte) [][]byte {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err == nil {
			err = schemas[direction].Validate(value)
		}
		if err != nil {
			t.Errorf("%s %s does not keep the schema: %v", direction, line, err)
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		lines++
		members := value.(map[string]any)
		for _, member := range []string{"cmd", "event"} {
			if word, ok := members[member].(string); ok {
				words[word] = true
			}
		}
		return [][]byte{line}
	}
	program := startAdapter(t, command)
	cfg := pair(startReference(t, shortLimits()))
	cfg.Subjects = []string{"client"}
	cfg.NewClient = program.NewClient

	result := judged(t, cfg)

	if got := violated(result); len(got) > 0 {
		report(t, result)
		t.Errorf("the violated requirements are %v", got)
	}
	judgedRows := 0
	for _, row := range result.Requirements {
		required := catalogue.Embedded().Get(row.ID)
		if required.Subject != "client" || required.Undecided != "" || required.Unless != "" {
			continue
		}
		if judgedRows++; row.Verdict != reports.Pass {
			t.Errorf("%s is %s: %s", row.ID, row.Verdict, row.Reason)
		}
	}
	if judgedRows == 0 {
		t.Error("no requirement was judged")
	}
	mu.Lock()
	defer mu.Unlock()
	t.Logf("%d lines", lines)
	for _, word := range []string{
		"hello", "createClient", "listen", "removeAllListeners", "state", "login", "logout", "renewToken", "createMessage", "sendPeer",
		"memberCounts", "createChannel", "joinChannel", "leaveChannel", "sendChannel", "members", "close",
		adapter.StateChanged, adapter.MessageFromPeer, adapter.TokenExpired, adapter.TokenWillExpire, adapter.ChannelMessage,
		adapter.MemberJoined, adapter.MemberLeft, adapter.MemberCountUpdated,
	} {
		if !words[word] {
			t.Errorf("the suite never saw a line of %s", word)
		}
	}
	for _, err := range []error{program.Err(), program.Down()} {
		if err != nil {
			t.Error(err)
		}
	}
}
