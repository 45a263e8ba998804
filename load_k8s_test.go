package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/rtmkit/rtmkit/loadgen"
)

// manifestSchema holds what a manifest has to have to run as it should.
const manifestSchema = `{
  "type": "object", "required": ["apiVersion", "kind", "metadata"],
  "properties": {"metadata": {"required": ["name"], "properties": {"name": {"pattern": "^[a-z0-9-]{1,63}$"}}}},
  "oneOf": [
    {"properties": {"kind": {"const": "ConfigMap"}, "apiVersion": {"const": "v1"}, "data": {"required": ["workload.yaml"], "additionalProperties": {"type": "string"}}}, "required": ["data"]},
    {"properties": {"kind": {"const": "PersistentVolumeClaim"}, "apiVersion": {"const": "v1"},
      "spec": {"required": ["accessModes", "resources"], "properties": {"accessModes": {"const": ["ReadWriteMany"]}}}}, "required": ["spec"]},
    {"properties": {"kind": {"const": "Job"}, "apiVersion": {"const": "batch/v1"}, "spec": {
      "required": ["completions", "parallelism", "completionMode", "backoffLimitPerIndex", "template"],
      "properties": {"completionMode": {"const": "Indexed"}, "completions": {"const": 4}, "parallelism": {"const": 4}, "backoffLimitPerIndex": {"const": 0},
        "template": {"properties": {"spec": {
          "required": ["restartPolicy", "automountServiceAccountToken", "securityContext", "containers", "volumes"],
          "properties": {
            "restartPolicy": {"const": "Never"}, "automountServiceAccountToken": {"const": false},
            "securityContext": {"required": ["runAsNonRoot", "fsGroup", "seccompProfile"], "properties": {"runAsNonRoot": {"const": true}}},
            "containers": {"minItems": 1, "maxItems": 1, "items": {
              "required": ["image", "command", "args", "resources", "securityContext", "volumeMounts"],
              "properties": {
                "args": {"items": {"type": "string"}},
                "resources": {"required": ["limits", "requests"], "properties": {"limits": {"required": ["cpu", "memory"], "additionalProperties": {"type": "string"}}}},
                "securityContext": {"required": ["readOnlyRootFilesystem", "allowPrivilegeEscalation", "capabilities"],
                  "properties": {"readOnlyRootFilesystem": {"const": true}, "allowPrivilegeEscalation": {"const": false}, "capabilities": {"const": {"drop": ["ALL"]}}}}}}}}}}}}}}, "required": ["spec"]}
  ]}`

var k8sNow = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func k8s(change func(*loadK8sCommand)) *loadK8sCommand {
	c := &loadK8sCommand{
		Workload: "peer", Shards: 4, Image: "registry.example/rtmkit:1", Server: "wss://rtm.example/rtm/v1", AppID: defaultAppID,
		Name: "rtmkit-load", CPU: "2", Memory: "1Gi", Storage: "1Gi",
	}
	if change != nil {
		change(c)
	}
	return c
}

// documents parses the manifest and returns its parts by kind.
func documents(t *testing.T, text []byte) map[string]object {
	t.Helper()
	parts := map[string]object{}
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		part := object{}
		err := decoder.Decode(&part)
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		parts[part["kind"].(string)] = part
	}
}

// containerOf returns the one container of the manifest's job.
func containerOf(t *testing.T, c *loadK8sCommand) (container object, parts map[string]object) {
	t.Helper()
	text, err := c.manifest(k8sNow)
	if err != nil {
		t.Fatal(err)
	}
	parts = documents(t, text)
	spec := parts["Job"]["spec"].(object)["template"].(object)["spec"].(object)
	return spec["containers"].([]any)[0].(object), parts
}

func argsOf(container object) (args []string) {
	for _, arg := range container["args"].([]any) {
		args = append(args, arg.(string))
	}
	return args
}

func TestTheManifestIsWhatAClusterNeedsToPlayTheParts(t *testing.T) {
	schema, err := jsonschema.UnmarshalJSON(strings.NewReader(manifestSchema))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("urn:manifest", schema); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("urn:manifest")
	if err != nil {
		t.Fatal(err)
	}
	_, parts := containerOf(t, k8s(nil))
	if len(parts) != 3 {
		t.Errorf("the manifest has %d parts, want 3", len(parts))
	}
	for kind, part := range parts {
		if err := compiled.Validate(part); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	text := parts["ConfigMap"]["data"].(object)["workload.yaml"].(string)
	if shelved, _ := loadgen.FromShelf("peer"); text != string(shelved.Text) {
		t.Errorf("the workload of the pods is not the ready one:\n%s", text)
	}
}

func TestThePodsRunACommandLineThatIsUnderstood(t *testing.T) {
	container, _ := containerOf(t, k8s(func(c *loadK8sCommand) { c.Secret = "rtm-app" }))
	args := argsOf(container)
	parses(t, strings.Fields(strings.ReplaceAll(strings.Join(args[:len(args)-1], " "), "$(JOB_COMPLETION_INDEX)", "3")+" mint")...)
	if got := strings.Join(args, " "); !strings.Contains(got, "--shard $(JOB_COMPLETION_INDEX)/4 --start-at 2026-11-24T12:02:00Z") {
		t.Errorf("the parts do not begin together: %s", got)
	}
	parses(t, shellWords(t, strings.TrimPrefix(args[len(args)-1], "rtmkit "))...)
}

func TestTheManifestHoldsNoSecretAndNoTextThatEscapes(t *testing.T) {
	t.Setenv("RTMKIT_CERTIFICATE", "hunter2")
	c := k8s(func(c *loadK8sCommand) {
		c.Secret = "rtm-app"
		c.Image = "x\n---\nkind: Pod # '\"$(HOME)"
		c.TokenCommand = "mint $(cat /run/secret) \"$RTM_UID\""
	})
	container, parts := containerOf(t, c)
	if len(parts) != 3 || container["image"] != c.Image {
		t.Errorf("the image broke out: %d parts, image %q", len(parts), container["image"])
	}
	args := argsOf(container)
	if got := args[len(args)-1]; got != "mint $$(cat /run/secret) \"$RTM_UID\"" {
		t.Errorf("the cluster would replace a part of the command: %s", got)
	}
	if text, _ := c.manifest(k8sNow); bytes.Contains(text, []byte("hunter2")) {
		t.Error("the manifest holds the certificate")
	}
}

func TestTheManifestIsRefusedWhereItCouldNotRun(t *testing.T) {
	trace := filepath.Join(t.TempDir(), "trace.yaml")
	for file, text := range map[string]string{
		trace: "schema: rtmkit-load/v1\nname: x\nsessions: {count: 4}\ntraffic: [{id: p, op: peer, executor: replay, trace: times.txt}]\nphases: {measure: 1s}\n",
		filepath.Join(filepath.Dir(trace), "times.txt"): "0.1\n0.2\n",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, change := range map[string]func(*loadK8sCommand){
		"--shards 0":                   func(c *loadK8sCommand) { c.Shards = 0 },
		"only 100 sessions":            func(c *loadK8sCommand) { c.Shards = 101 },
		"there is no such workload":    func(c *loadK8sCommand) { c.Workload = "nothing" },
		"which the pods would not hav": func(c *loadK8sCommand) { c.Workload = trace },
		"--server":                     func(c *loadK8sCommand) { c.Server = "rtm.example" },
		"--image":                      func(c *loadK8sCommand) { c.Image = " " },
		"--name Load":                  func(c *loadK8sCommand) { c.Name = "Load" },
		"--secret a b":                 func(c *loadK8sCommand) { c.Secret = "a b" },
		"--memory much":                func(c *loadK8sCommand) { c.Memory = "much" },
		"in the past":                  func(c *loadK8sCommand) { c.StartAt = "2020-01-01T00:00:00Z" },
		"write it like":                func(c *loadK8sCommand) { c.StartAt = "soon" },
		"--start-at +0s: write":        func(c *loadK8sCommand) { c.StartAt = "+0s" },
	} {
		_, err := k8s(change).manifest(k8sNow)
		var f *failure
		if err == nil || !strings.Contains(err.Error(), want) || !errors.As(err, &f) || f.code != exitUsage {
			t.Errorf("want a usage error with %q, got %v", want, err)
		}
	}
}

// loadLine is a command of rtmkit anywhere in a script.
var loadLine = regexp.MustCompile(`rtmkit (load [^&"\n]*(?:"[^"\n]*"[^&"\n]*)*)`)

func TestTheExamplesOfManyMachinesAreUnderstood(t *testing.T) {
	replaced := strings.NewReplacer("$i/$n", "0/2", "$INDEX/4", "0/4", "$at", "+1m", "$AT", "+1m", "$url", "ws://x/", "$SERVER", "ws://x/", `\`, "")
	for file, want := range map[string]int{"ssh.sh": 2, "ci-matrix.yml": 2, "kubernetes.md": 1} {
		text, err := os.ReadFile(filepath.Join("loadgen", "examples", file))
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, match := range loadLine.FindAllStringSubmatch(string(text), -1) {
			command, _, _ := strings.Cut(match[1], " > ")
			if strings.Contains(command, "`") {
				continue // in a sentence
			}
			found++
			parses(t, shellWords(t, replaced.Replace(strings.TrimSpace(command)))...)
		}
		if found != want {
			t.Errorf("%s: %d commands were seen, want %d", file, found, want)
		}
		if strings.HasSuffix(file, ".yml") {
			if err := yaml.Unmarshal(text, &object{}); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

func TestTheScriptOfTheExampleIsAShellScript(t *testing.T) {
	if out, err := exec.Command("sh", "-n", filepath.Join("loadgen", "examples", "ssh.sh")).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
