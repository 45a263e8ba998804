//go:build linux

package main

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/reports"
)

// action is action.yml, as far as GitHub knows its members.
type action struct {
	Name        string            `yaml:"name"`
	Description string            `yaml:"description"`
	Author      string            `yaml:"author"`
	Branding    map[string]string `yaml:"branding"`
	Inputs      map[string]struct {
		Description string `yaml:"description"`
		Required    bool   `yaml:"required"`
		Default     string `yaml:"default"`
	} `yaml:"inputs"`
	Outputs map[string]struct {
		Description string `yaml:"description"`
		Value       string `yaml:"value"`
	} `yaml:"outputs"`
	Runs struct {
		Using string       `yaml:"using"`
		Steps []actionStep `yaml:"steps"`
	} `yaml:"runs"`
}

type actionStep struct {
	Name  string            `yaml:"name"`
	ID    string            `yaml:"id"`
	If    string            `yaml:"if"`
	Uses  string            `yaml:"uses"`
	With  map[string]string `yaml:"with"`
	Shell string            `yaml:"shell"`
	Env   map[string]string `yaml:"env"`
	Run   string            `yaml:"run"`
}

func readAction(t *testing.T) action {
	t.Helper()
	text, err := os.ReadFile("action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a action
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// judge returns the step that judges.
func (a action) judge(t *testing.T) actionStep {
	t.Helper()
	i := slices.IndexFunc(a.Runs.Steps, func(s actionStep) bool { return s.ID == "judge" })
	if i < 0 {
		t.Fatal("no step of action.yml is called judge")
	}
	return a.Runs.Steps[i]
}

var expression = regexp.MustCompile(`\$\{\{ (inputs|steps\.judge\.outputs)\.([a-z-]+) \}\}`)

func TestEveryInputOfTheActionIsUsedAndNoneIsAPartOfAScript(t *testing.T) {
	a := readAction(t)
	used := make(map[string]bool)
	use := func(place string, values map[string]string) {
		for name, value := range values {
			for _, found := range expression.FindAllStringSubmatch(value, -1) {
				if _, known := a.Inputs[found[2]]; found[1] == "inputs" && !known {
					t.Errorf("%s: %s uses the input %s, which there is not", place, name, found[2])
				}
				used[found[2]] = true
			}
		}
	}
	for _, step := range a.Runs.Steps {
		use(step.Name, step.Env)
		use(step.Name, step.With)
		if strings.Contains(step.Run, "${{") {
			t.Errorf("%s: a value of the workflow is pasted into the script; take it from the environment", step.Name)
		}
		if (step.Run != "") != (step.Shell == "bash") {
			t.Errorf("%s: a script names its shell, bash, and nothing else does", step.Name)
		}
	}
	for name, input := range a.Inputs {
		if !used[name] {
			t.Errorf("the input %s is not used", name)
		}
		if input.Description == "" {
			t.Errorf("the input %s is not described", name)
		}
	}
	script := a.judge(t).Run
	for name, output := range a.Outputs {
		if found := expression.FindStringSubmatch(output.Value); found == nil || found[2] != name || !strings.Contains(script, `"`+name+"=") {
			t.Errorf("the output %s is not set: %s", name, output.Value)
		}
	}
}

func TestTheActionBuildsWithTheGoOfTheModule(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	a := readAction(t)
	if want := a.Runs.Steps[0].With["go-version"]; want == "" || !strings.Contains(string(mod), "\ngo "+want+".") {
		t.Errorf("action.yml sets up Go %q, go.mod asks for another", want)
	}
}

// job is what a run of the judging step left.
type job struct {
	code    int
	dir     string // the workspace
	log     string
	summary string
	outputs map[string]string
}

// perform runs the judging step as GitHub does, with these inputs on top of the defaults.
func perform(t *testing.T, inputs map[string]string) job {
	t.Helper()
	a, dir, temp := readAction(t), t.TempDir(), t.TempDir()
	if err := os.Symlink(filepath.Dir(binary(t)), filepath.Join(temp, "rtmkit")); err != nil {
		t.Fatal(err)
	}
	step := a.judge(t)
	script := filepath.Join(temp, "step.sh")
	if err := os.WriteFile(script, []byte(step.Run), 0o600); err != nil {
		t.Fatal(err)
	}
	summary, output := filepath.Join(temp, "summary"), filepath.Join(temp, "output")
	for _, file := range []string{summary, output} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "RUNNER_TEMP=" + temp, "GITHUB_STEP_SUMMARY=" + summary, "GITHUB_OUTPUT=" + output}
	for name := range inputs {
		if _, known := a.Inputs[name]; !known {
			t.Fatalf("there is no input %s", name)
		}
	}
	for variable, value := range step.Env {
		name := expression.FindStringSubmatch(value)[2]
		text, given := inputs[name]
		if !given {
			text = a.Inputs[name].Default
		}
		cmd.Env = append(cmd.Env, variable+"="+text)
	}
	log, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	j := job{code: cmd.ProcessState.ExitCode(), dir: dir, log: string(log), outputs: make(map[string]string)}
	text, err := os.ReadFile(summary)
	if err != nil {
		t.Fatal(err)
	}
	j.summary = string(text)
	if text, err = os.ReadFile(output); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if _, twice := j.outputs[name]; twice {
			t.Errorf("the output %s is set twice", name)
		}
		j.outputs[name] = value
	}
	return j
}

// tellLog shows what the step printed, if the test failed.
func tellLog(t *testing.T, j job) {
	if t.Failed() {
		t.Log(j.log)
	}
}

// heard returns the lines that the runner takes for commands: those outside of what it was told to leave alone.
func (j job) heard(t *testing.T) []string {
	t.Helper()
	var commands []string
	mark := ""
	for line := range strings.Lines(j.log) {
		line = strings.TrimSuffix(line, "\n")
		switch stop, stopping := strings.CutPrefix(line, "::stop-commands::"); {
		case mark != "":
			if line == "::"+mark+"::" {
				mark = ""
			}
		case stopping:
			mark = stop
		case strings.HasPrefix(line, "::"):
			commands = append(commands, line)
		}
	}
	if mark != "" {
		t.Error("the runner was told to stop hearing commands and never to begin again")
	}
	return commands
}

// serveInJob starts the reference server from a job.
const serveInJob = `exec "$RUNNER_TEMP/rtmkit/rtmkit" serve --addr 127.0.0.1:0 --log-level warn`

func TestTheActionIsGreenWhereEverythingHolds(t *testing.T) {
	long(t)
	for name, inputs := range map[string]map[string]string{
		"server": {"server-command": serveInJob, "args": "--only=RTM-PEER-001\n\n--seed=7\n", "claim": "core, channels", "set": "1.0"},
		"client": {"client-command": `"$RUNNER_TEMP/rtmkit/rtmkit" adapter go`, "args": "--only=RTM-PEER-031\r\n--only=RTM-PEER-032"},
	} {
		t.Run(name, func(t *testing.T) {
			j := perform(t, inputs)
			t.Cleanup(func() { tellLog(t, j) })
			want := map[string]string{"exit-code": "0", "verdict": "held", "report": "rtmkit-report", "badge": "rtmkit-report/badge.json"}
			if j.code != 0 || !maps.Equal(j.outputs, want) {
				t.Errorf("exit code %d, outputs %v, want %v", j.code, j.outputs, want)
			}
			if commands := j.heard(t); len(commands) > 0 {
				t.Errorf("there is nothing to annotate: %q", commands)
			}
			report, err := reports.Read(filepath.Join(j.dir, "rtmkit-report"))
			if err != nil {
				t.Fatal(err)
			}
			if c := report.Conformance; c == nil || c.Subject.Kind != name || c.Counts()[reports.Pass] == 0 {
				t.Errorf("the report does not judge a %s", name)
			}
			if file, _ := os.ReadFile(filepath.Join(j.dir, "rtmkit-report", reports.SummaryFile)); j.summary != string(file) || j.summary == "" {
				t.Errorf("the summary of the job is %q", j.summary)
			}
		})
	}
}

// startReferenceServer starts a reference server in a process of its own and returns its URL.
func startReferenceServer(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(binary(t), "serve", "--addr", "127.0.0.1:0", "--until-stdin-closes", "--log-level", "warn")
	server, err := startServer(t.Context(), cmd, "the reference server", exitBroken)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.stop)
	return server.url
}

// startBrokenServer starts a reference server with a fault planted in front of it and returns its URL and what it breaks.
func startBrokenServer(t *testing.T, name string) (url string, breaks []string) {
	t.Helper()
	fault, err := faults.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	broken, err := faults.NewProxy(startReferenceServer(t), nil, fault.Plant, new(faults.Counter))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broken.Close)
	return broken.URL(), fault.Breaks
}

func TestTheActionNamesTheRequirementThatDidNotHold(t *testing.T) {
	long(t)
	url, breaks := startBrokenServer(t, "peer.offline-received")

	j := perform(t, map[string]string{"server": url, "args": "--only=" + breaks[0], "out": "my report's folder"})
	t.Cleanup(func() { tellLog(t, j) })

	if j.code != int(exitViolated) || j.outputs["exit-code"] != "1" || j.outputs["verdict"] != "violated" || j.outputs["report"] != "my report's folder" {
		t.Errorf("exit code %d, outputs %v", j.code, j.outputs)
	}
	commands := j.heard(t)
	if len(commands) != 1 || !strings.HasPrefix(commands[0], "::error title="+breaks[0]+"::MUST ") || !strings.Contains(commands[0], "%0Aobserved: ") {
		t.Errorf("the annotations are %q", commands)
	}
	if !strings.Contains(j.summary, breaks[0]) {
		t.Errorf("the summary does not name %s: %s", breaks[0], j.summary)
	}
}

// TestTheKnownFailuresOfThePageExcuseWhatTheyName judges the server that the example of the page is about.
func TestTheKnownFailuresOfThePageExcuseWhatTheyName(t *testing.T) {
	url, breaks := startBrokenServer(t, "peer.offline-received")
	list := regexp.MustCompile(`(?m)^  until: .*$`).ReplaceAllString(pageBlock(t, "yaml", "observed:"), "  until: 9999-12-31")
	file := filepath.Join(t.TempDir(), "known failures.yaml")
	if err := os.WriteFile(file, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}

	j := perform(t, map[string]string{"server": url, "args": "--only=" + breaks[0], "known-failures": file})
	t.Cleanup(func() { tellLog(t, j) })

	if j.code != 0 || j.outputs["verdict"] != "held" {
		t.Errorf("exit code %d, outputs %v", j.code, j.outputs)
	}
	if commands := j.heard(t); len(commands) != 1 || !strings.HasPrefix(commands[0], "::notice title="+breaks[0]+"::") {
		t.Errorf("the annotations are %q", commands)
	}
}

func TestAnEarlierReportDoesNotPassForTheOneOfThisRun(t *testing.T) {
	old := t.TempDir()
	if err := reports.Write(old, shelfReport()); err != nil {
		t.Fatal(err)
	}
	j := perform(t, map[string]string{"server": "ws://127.0.0.1:1/rtm/v1", "out": old})
	want := map[string]string{"exit-code": "3", "verdict": "unreachable"}
	if j.code != int(exitUnreachable) || !maps.Equal(j.outputs, want) || j.summary != "" {
		t.Errorf("exit code %d, outputs %v, want %v; summary %q", j.code, j.outputs, want, j.summary)
	}
	if commands := j.heard(t); len(commands) != 1 || !strings.HasPrefix(commands[0], "::error title=rtmkit::Nothing was judged") {
		t.Errorf("the annotations are %q", commands)
	}
}

func TestWhatAnInputSaysIsNeverRun(t *testing.T) {
	long(t)
	const server = "ws://127.0.0.1:1/rtm/v1"
	for _, attack := range []string{
		"$(touch pwned)", "`touch pwned`", "'; touch pwned; '", "\"; touch pwned; \"", "x\ntouch pwned\n", "x\n::error::pwned\nexit-code=0",
		"--client\n--\ntouch\npwned", "${INPUT_SET:=$(touch pwned)}", "a[$(touch pwned)]", "-e", "--insecure",
	} {
		for _, input := range []string{"server", "app-id", "claim", "known-failures", "set", "strict", "out", "args"} {
			inputs := map[string]string{"server": server}
			inputs[input] = attack
			if input == "args" {
				// What a workflow hands to rtmkit there, rtmkit takes; the shell must not.
				inputs[input] = "--nonsense " + strings.ReplaceAll(attack, "\n", " ")
			}
			j := perform(t, inputs)
			if _, err := os.Stat(filepath.Join(j.dir, "pwned")); err == nil {
				t.Errorf("%s: %q was run", input, attack)
			}
			if j.code != int(exitUsage) && j.code != int(exitUnreachable) {
				t.Errorf("%s: %q ends with %d: %s", input, attack, j.code, j.log)
			}
			for name := range j.outputs {
				if name != "exit-code" && name != "verdict" {
					t.Errorf("%s: %q sets the output %s", input, attack, name)
				}
			}
			for _, command := range j.heard(t) {
				if !strings.HasPrefix(command, "::error title=rtmkit::") || strings.Contains(command, "pwned") {
					t.Errorf("%s: %q makes the runner hear %q", input, attack, command)
				}
			}
		}
	}
}

func TestTheActionRefusesInputsThatMakeNoSense(t *testing.T) {
	for name, inputs := range map[string]map[string]string{
		"nobody":          {},
		"no folder":       {"server": "ws://127.0.0.1:1/rtm/v1", "out": ""},
		"two lines":       {"server": "ws://127.0.0.1:1/rtm/v1", "out": "report\nverdict=held"},
		"a misspelt word": {"server": "ws://127.0.0.1:1/rtm/v1", "strict": "yes"},
	} {
		j := perform(t, inputs)
		if commands := j.heard(t); j.code != int(exitUsage) || j.outputs["verdict"] != "usage" || len(commands) != 1 {
			t.Errorf("%s: exit code %d, outputs %v, %q", name, j.code, j.outputs, commands)
		}
	}
}
