//go:build linux

package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// decode reads a block of CI.md as YAML into a value.
func decode(t *testing.T, contains string, into any) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(pageBlock(t, "yaml", contains)), into); err != nil {
		t.Fatalf("the block with %q: %v", contains, err)
	}
}

func TestTheWorkflowOfThePageGivesTheActionWhatItTakes(t *testing.T) {
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses string            `yaml:"uses"`
				With map[string]string `yaml:"with"`
			} `yaml:"steps"`
		} `yaml:"jobs"`
	}
	decode(t, "runs-on:", &workflow)
	a, used, artifacts := readAction(t), 0, make(map[string]bool)
	for name, job := range workflow.Jobs {
		for _, step := range job.Steps {
			if !strings.HasPrefix(step.Uses, "rtmkit/rtmkit@") {
				continue
			}
			used++
			for input := range step.With {
				if _, known := a.Inputs[input]; !known {
					t.Errorf("the job %s gives the input %s, which there is not", name, input)
				}
			}
			artifact := step.With["artifact"]
			if artifacts[artifact] {
				t.Errorf("two jobs keep the artifact %q", artifact)
			}
			artifacts[artifact] = true
		}
	}
	if used < 2 {
		t.Errorf("%d jobs use the action, want one for a server and one for a client", used)
	}
}

func TestTheGitLabJobOfThePageShowsItsTests(t *testing.T) {
	var jobs map[string]struct {
		Image     string   `yaml:"image"`
		Script    []string `yaml:"script"`
		Artifacts struct {
			When    string   `yaml:"when"`
			Paths   []string `yaml:"paths"`
			Reports struct {
				JUnit string `yaml:"junit"`
			} `yaml:"reports"`
		} `yaml:"artifacts"`
	}
	decode(t, "script:", &jobs)
	job := jobs["rtm"]
	if job.Artifacts.When != "always" || len(job.Artifacts.Paths) != 1 {
		t.Fatalf("a red job must keep its report: %+v", job)
	}
	out := job.Artifacts.Paths[0]
	if job.Artifacts.Reports.JUnit != out+"/junit.xml" || !strings.HasSuffix(job.Script[len(job.Script)-1], " --out "+out) {
		t.Errorf("the report does not lie where the job looks for it: %+v", job)
	}
}

func TestTheJenkinsPipelineOfThePageIsWhole(t *testing.T) {
	text := pageBlock(t, "groovy", "pipeline {")
	depth := 0
	for line := range strings.Lines(text) {
		if strings.Count(line, "'")%2 != 0 {
			t.Errorf("a quote does not end: %s", line)
		}
		for _, r := range line {
			switch r {
			case '{':
				depth++
			case '}':
				depth--
			}
			if depth < 0 {
				t.Fatalf("a block ends that did not begin: %s", line)
			}
		}
	}
	if depth != 0 {
		t.Error("a block does not end")
	}
	for _, part := range []string{"--out report'", "junit 'report/junit.xml'", "archiveArtifacts artifacts: 'report/**'"} {
		if !strings.Contains(text, part) {
			t.Errorf("it lacks %s", part)
		}
	}
}

func TestThePagesNameTheVersionAndTheGoOfThisModule(t *testing.T) {
	var text []byte
	for _, page := range []string{"README.md", "CI.md"} {
		lines, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, lines...)
	}
	for _, found := range regexp.MustCompile("rtmkit@([^\\s'`]+)").FindAllStringSubmatch(string(text), -1) {
		if found[1] != "v"+version && found[1] != "latest" {
			t.Errorf("a page says %s, this is version %s", found[0], version)
		}
	}
	set := readAction(t).Runs.Steps[0].With["go-version"]
	for _, found := range regexp.MustCompile(`(?:golang:|Go )(\d+\.\d+)`).FindAllStringSubmatch(string(text), -1) {
		if found[1] != set {
			t.Errorf("a page says %s, the action sets up Go %s", found[0], set)
		}
	}
}
