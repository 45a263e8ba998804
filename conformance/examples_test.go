package conformance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rtmkit/rtmkit/conformance/adapter"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/reports"
)

// interpreter runs examples.
type interpreter struct {
	// runs are the ways to call it, the best first, and has finds out whether one of them works here.
	runs [][]string
	has  []string
	// needs says what is missing when none does.
	needs string
}

var node = interpreter{
	runs:  [][]string{{"node"}, {"node", "--experimental-websocket"}},
	has:   []string{"-e", "process.exit(parseInt(process.versions.node) < 20 || typeof WebSocket === 'undefined' ? 1 : 0)"},
	needs: "Node 20.10 or later",
}

var python = interpreter{
	runs:  [][]string{{"python3", "-B"}, {"/usr/bin/python3", "-B"}},
	has:   []string{"-c", "import sys, websockets; sys.exit(sys.version_info < (3, 9))"},
	needs: "Python 3.9 or later with websockets (Debian's python3-websockets)",
}

// words returns how the interpreter is called here, or skips the test where it cannot be, unless the environment demands
// that nothing be skipped.
func (i interpreter) words(t *testing.T) []string {
	t.Helper()
	for _, run := range i.runs {
		if exec.Command(run[0], slices.Concat(run[1:], i.has)...).Run() == nil {
			return slices.Clone(run)
		}
	}
	if os.Getenv("RTMKIT_REQUIRE_ALL") != "" {
		t.Fatalf("%s is missing, and RTMKIT_REQUIRE_ALL is set", i.needs)
	}
	t.Skipf("%s is not installed", i.needs)
	return nil
}

// example is one of the clients that stand below examples as something to read and to judge.
type example struct {
	language string // of the skeleton that its adapter fills in
	by       interpreter
	adapter  string // the file of the adapter
}

var examples = []example{
	{language: "javascript", by: node, adapter: "examples/javascript-client/adapter.mjs"},
	{language: "python", by: python, adapter: "examples/python-client/adapter.py"},
}

func TestTheExampleClientsKeepEveryRequirementOfTheProfilesThatTheyClaim(t *testing.T) {
	if testing.Short() {
		t.Skip("the program of somebody else is judged, which the race detector cannot look into")
	}
	for _, example := range examples {
		t.Run(example.language, func(t *testing.T) {
			args := append(example.by.words(t), example.adapter)
			// The pair in one process is quick; these are a process each, which the tap stands in front of.
			limits := shortLimits()
			limits.SessionGraceMS = 2500
			limits.ReconnectThresholdMS = 900
			limits.SilenceMS = 2000
			limits.LoginTimeoutMS = 1800
			cfg := pair(startReference(t, limits))
			cfg.Subjects = []string{"client"}
			cfg.Adapter = &adapter.Command{Args: args}
			cfg.ClientTimeouts = adapter.Timeouts{Login: 2500 * time.Millisecond, Send: 2500 * time.Millisecond}
			program := startAdapter(t, adapter.Command{Args: args, Profiles: catalogue.Embedded().ProfileNames()})
			claims := program.Identity().Profiles

			result := judged(t, cfg)

			for _, least := range []string{"core", "channels", "limits", "tokens"} {
				if !slices.Contains(claims, least) {
					t.Errorf("it does not claim the profile %s", least)
				}
			}
			failed := false
			for _, row := range result.Requirements {
				required := catalogue.Embedded().Get(row.ID)
				if required.Subject != catalogue.Client || required.Undecided != "" {
					continue
				}
				claimed := slices.Contains(claims, required.Profile) && !slices.Contains(claims, required.Unless)
				if claimed && row.Verdict != reports.Pass {
					failed = true
					t.Errorf("%s is %s: %s", row.ID, row.Verdict, row.Reason)
				}
			}
			if failed {
				report(t, result)
			}
		})
	}
}

func TestTheExampleClientsReadTheGoldenVectors(t *testing.T) {
	vectors, err := filepath.Glob(filepath.FromSlash("../sdk/wire/testdata/vectors/*.json"))
	if err != nil || len(vectors) == 0 {
		t.Fatalf("there are no vectors: %v", err)
	}
	for _, example := range examples {
		t.Run(example.language, func(t *testing.T) {
			args := append(example.by.words(t), strings.Replace(example.adapter, "adapter.", "vectors.", 1))
			args = append(args, vectors...)
			if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// protocolPart is where the part of a skeleton begins that nobody has to change.
var protocolPart = []byte(" Part two: the protocol.")

func TestTheAdaptersOfTheExampleClientsAreTheSkeletonsFilledIn(t *testing.T) {
	for _, example := range examples {
		text, err := os.ReadFile(filepath.FromSlash(example.adapter))
		if err != nil {
			t.Fatal(err)
		}
		skeleton, err := adapter.Skeleton(example.language)
		if err != nil {
			t.Fatal(err)
		}
		_, filledIn, _ := bytes.Cut(text, protocolPart)
		_, asPrinted, found := bytes.Cut(skeleton, protocolPart)
		if !found || !bytes.Equal(filledIn, asPrinted) {
			t.Errorf("the part of %s about the protocol is not that of the skeleton; copy it anew", example.adapter)
		}
	}
}
