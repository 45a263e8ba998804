package conformance

import (
	"context"
	"io"
	"testing"

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

func TestTheSDKMeetsEveryClientRequirementOverTheAdapterProtocol(t *testing.T) {
	program := startAdapter(t, overThePipe())
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
		if required.Subject != "client" || required.Undecided != "" {
			continue
		}
		if judgedRows++; row.Verdict != reports.Pass {
			t.Errorf("%s is %s: %s", row.ID, row.Verdict, row.Reason)
		}
	}
	if judgedRows == 0 {
		t.Error("no requirement was judged")
	}
	for _, err := range []error{program.Err(), program.Down()} {
		if err != nil {
			t.Error(err)
		}
	}
}
