package conformance

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/reports"
)

const (
	// adapterKind is the environment variable that makes the test binary an adapter of the kind that it names.
	adapterKind = "RTMKIT_TEST_ADAPTER"
	// workerWith is the environment variable that gives a worker an adapter of the kind that it names.
	workerWith = "RTMKIT_TEST_WORKER_WITH"
	// mark is an environment variable by which a test finds its adapters.
	mark = "RTMKIT_TEST_MARK"
)

// fatal is the command at which an adapter does what its kind says. Only the specs of RTM-CHANNEL-070 give it.
const fatal = `"cmd":"memberCounts"`

// beAdapter is this project's SDK as an adapter with a weakness, and returns its exit code.
func beAdapter(kind string) int {
	commands, obeyed := io.Pipe()
	go func() {
		lines := bufio.NewScanner(os.Stdin)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if strings.Contains(lines.Text(), fatal) {
				switch kind {
				case "dies":
					fmt.Fprintln(os.Stderr, "I fell over")
					os.Exit(3)
				case "hangs":
					fmt.Fprintln(os.Stderr, "I am lost in thought")
					select {}
				case "chats":
					fmt.Println("INFO counting")
				}
			}
			fmt.Fprintln(obeyed, lines.Text())
		}
		obeyed.Close()
	}()
	identity := adapter.Identity{
		SDK: "thing", Version: "7", Language: "go", Profiles: []string{"core", "channels"},
		Timeouts: adapter.Timeouts{Login: 1300 * time.Millisecond},
	}
	if err := adapter.Serve(context.Background(), commands, os.Stdout, identity, adapter.NewSDK); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// client is the configuration for judging an adapter of a kind.
func client(server, kind string) Config {
	cfg := pair(server)
	cfg.Subjects, cfg.SlowFactor = []string{"client"}, 0.3
	cfg.Only = []string{"RTM-CHANNEL-05[1-9]", "RTM-CHANNEL-069", "RTM-CHANNEL-070", "RTM-LOGIN-03[6-9]", "RTM-PEER-03[12]"}
	cfg.Adapter = &adapter.Command{
		Args: []string{os.Args[0], "of", kind}, Env: append(os.Environ(), adapterKind+"="+kind, workerOf+"="), Grace: 100 * time.Millisecond, Patience: 2 * time.Second,
	}
	return cfg
}

// processes tells whose environment holds a variable. It looks only where there is a /proc.
func processes(t *testing.T, variable string) []string {
	t.Helper()
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains("\x00"+string(text), "\x00"+variable+"\x00") {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

func TestAnAdapterThatDiesOrHangsFailsTheSpecThatRanAndNoOther(t *testing.T) {
	for kind, want := range map[string]string{
		"dies":  "ended while it was needed (exit status 3); its standard error ends with: I fell over",
		"hangs": "getChannelMemberCount of alice returns; nothing within",
	} {
		for _, workers := range []int{1, 2} {
			t.Run(fmt.Sprintf("%s with %d workers", kind, workers), func(t *testing.T) {
				t.Setenv(mark, t.Name())
				server := startReference(t, shortLimits())
				cfg := client(server, kind)
				cfg.Workers, cfg.StartWorker = workers, startTestWorker(server, workerWith+"="+kind)

				result := judged(t, cfg)

				if got := violated(result); !slices.Equal(got, []string{"RTM-CHANNEL-070"}) {
					report(t, result)
					t.Errorf("the violated requirements are %v", got)
				}
				for _, row := range result.Requirements {
					if said := row.Expected + "; " + row.Observed; row.ID == "RTM-CHANNEL-070" && !strings.Contains(said, want) {
						t.Errorf("%s: %q does not say %q", row.ID, said, want)
					}
				}
				if code := ExitCode(result, nil); code != ExitNotConformant {
					t.Errorf("the exit code is %d", code)
				}
				if left := processes(t, mark+"="+t.Name()); len(left) > 0 {
					t.Errorf("still running: %q", left)
				}
			})
		}
	}
}

func TestAnAdapterThatBreaksTheProtocolIsNoSubjectAndGetsNoVerdict(t *testing.T) {
	missing := func(cfg *Config) { cfg.Adapter.Args = []string{"no-such-adapter"} }
	for name, test := range map[string]struct {
		kind    string
		workers int
		spoil   func(*Config)
		want    string
	}{
		"in the middle":               {"chats", 1, nil, `wrote something that is not JSON: "INFO counting"`},
		"in the middle, with workers": {"chats", 2, nil, `wrote something that is not JSON: "INFO counting"`},
		"no program":                  {"", 1, missing, "cannot be started"},
		"no program, with workers":    {"", 2, missing, "cannot be started"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(mark, t.Name())
			server := startReference(t, shortLimits())
			cfg := client(server, test.kind)
			if test.spoil != nil {
				test.spoil(&cfg)
			}
			cfg.Workers, cfg.StartWorker = test.workers, startTestWorker(server, workerWith+"="+test.kind)

			result, err := Run(t.Context(), cfg)

			if code := ExitCode(result, err); code != ExitUnreachable || result != nil {
				t.Fatalf("the exit code is %d with %v, %v", code, result, err)
			}
			for _, want := range []string{test.want, strings.Join(cfg.Adapter.Args, " ")} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not say %q", err, want)
				}
			}
			if left := processes(t, mark+"="+t.Name()); len(left) > 0 {
				t.Errorf("still running: %q", left)
			}
		})
	}
}

func TestWhatAnAdapterSaysOfItselfLandsInTheResult(t *testing.T) {
	cfg := client(startReference(t, shortLimits()), "good")
	cfg.Only = []string{"RTM-PEER-031", "RTM-TOKEN-032", "RTM-TRANSPORT-*"}
	cfg.Skip = []string{"RTM-TRANSPORT-*"}
	result := judged(t, cfg)

	want := reports.Identity{Kind: "client", Name: "thing", Version: "7", Language: "go"}
	if result.Subject != want || result.Client == nil || *result.Client != want || result.Server == nil || result.Server.Kind != "server" {
		t.Errorf("the subject is %+v, the client %+v, the server %+v", result.Subject, result.Client, result.Server)
	}
	if !slices.Equal(result.Claims, []string{"core", "channels"}) {
		t.Errorf("the claims are %q", result.Claims)
	}
	for _, row := range result.Requirements {
		if row.Subject == "client" && row.Profile == "tokens" && row.Verdict != reports.NotDeclared && row.Verdict != reports.Undecided {
			t.Errorf("%s of a profile that is not claimed is %s", row.ID, row.Verdict)
		}
		// It cannot choose the timeout of a login, and leaves that of a send to the suite.
		if row.ID == "RTM-LOGIN-045" && time.Duration(row.BudgetNS) != 1300*time.Millisecond+1500*time.Millisecond {
			t.Errorf("%s has a budget of %v", row.ID, time.Duration(row.BudgetNS))
		}
	}
	if got := verdictOf(result, "RTM-TOKEN-032"); got != reports.Pass {
		t.Errorf("an unclaimed renewal is refused as unsupported, and that is %s", got)
	}
}

func TestAProgramThatHangsEndsWithItsRun(t *testing.T) {
	t.Setenv(mark, t.Name())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := client(startReference(t, shortLimits()), "hangs")
	p := cfg.newProgram(ctx, nil)
	defer p.close()
	client, err := p.newClient(t.Context(), adapter.Options{URL: cfg.Server, AppID: testApp})
	if err != nil {
		t.Fatal(err)
	}
	counting := make(chan error)
	go func() {
		_, err := client.MemberCounts(context.Background(), "lobby")
		counting <- err
	}()

	cancel()

	if err := <-counting; err == nil {
		t.Error("an adapter that hangs has counted")
	}
	p.close()
	if _, err := p.newClient(t.Context(), adapter.Options{}); err == nil {
		t.Error("a client was made when the run was over")
	}
	if left := processes(t, mark+"="+t.Name()); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}
