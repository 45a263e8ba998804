package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// parses fails the test unless rtmkit understands the words behind its name. Nothing is run.
func parses(t *testing.T, words ...string) {
	t.Helper()
	parser, err := commandLine()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(words); err != nil {
		t.Errorf("rtmkit %s: %v", strings.Join(words, " "), err)
	}
}

func TestTheCommandThatRepeatsARequirementIsUnderstood(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	run := conformRunCommand{Slow: true, Strict: true, subjectFlags: subjectFlags{
		serverFlags: serverFlags{
			Server: "wss://rtm.example/rtm/v1", ServerCommand: "./serve.sh", AppID: "0f", OtherAppID: "0e", TokenCommand: "./mint.sh",
			TokenAppID: "0d", TokenAppFile: file, Limits: "published", SlowFactor: 2, tlsFlags: tlsFlags{TLSCA: file, Insecure: true},
		},
		Claim: []string{"core", "channels"}, Client: true, Command: []string{"node", "adapter.mjs"},
	}}
	parses(t, shellWords(t, run.again()("RTM-PEER-001"))[1:]...)
}

// fence is a block of code of a page, and its language.
var fence = regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$")

// inline is a command in the middle of a sentence.
var inline = regexp.MustCompile("`rtmkit ([a-z][^`]*)`")

// TestEveryCommandOfThePagesIsUnderstood takes every line of the pages that begins with rtmkit, alone or as a part of a
// script, and holds it against the real flags.
func TestEveryCommandOfThePagesIsUnderstood(t *testing.T) {
	for _, page := range []string{"README.md", "CI.md", "loadgen/README.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
			if block[1] == "" {
				continue // what a command prints
			}
			for _, words := range commandsIn(t, block[2]) {
				found++
				t.Run(page+"/"+strings.Join(words[:min(3, len(words))], " "), func(t *testing.T) {
					t.Chdir(withFilesOf(t, words))
					parses(t, words...)
				})
			}
		}
		for _, span := range inline.FindAllStringSubmatch(string(text), -1) {
			t.Run(page+"/"+span[1], func(t *testing.T) {
				words := shellWords(t, strings.TrimSuffix(span[1], " …"))
				t.Chdir(withFilesOf(t, words))
				parses(t, words...)
			})
		}
		if found < 3 {
			t.Errorf("%s has %d commands; the test does not see them", page, found)
		}
	}
}

// pageBlock returns the block of CI.md in this language that contains a text.
func pageBlock(t *testing.T, language, contains string) string {
	t.Helper()
	text, err := os.ReadFile("CI.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		if block[1] == language && strings.Contains(block[2], contains) {
			return block[2]
		}
	}
	t.Fatalf("CI.md has no block of %s with %q in it", language, contains)
	return ""
}

// begins is where a command begins: on a line of its own, as an entry of a YAML list, or in a step of a pipeline.
var begins = regexp.MustCompile(`^\s*(?:- |sh ["'])?(?:go run \.|(?:\./)?rtmkit) +(\S.*)$`)

// commandsIn returns the words of each command of rtmkit in a block, without its name.
func commandsIn(t *testing.T, block string) [][]string {
	t.Helper()
	var found [][]string
	for line := range strings.Lines(strings.ReplaceAll(block, "\\\n", " ")) {
		match := begins.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if match == nil {
			continue
		}
		command := match[1]
		if strings.Contains(line, `sh '`) {
			command = strings.TrimSuffix(command, "'")
		}
		command, _, _ = strings.Cut(command, " || ")
		words := shellWords(t, command)
		if i := slices.IndexFunc(words, func(word string) bool { return strings.HasPrefix(word, "#") || strings.HasPrefix(word, ">") }); i >= 0 {
			words = words[:i]
		}
		found = append(found, words)
	}
	return found
}

// withFilesOf returns a folder in which every file that the words name exists, because some flags ask for that.
func withFilesOf(t *testing.T, words []string) string {
	t.Helper()
	dir := t.TempDir()
	for _, word := range words {
		_, value, _ := strings.Cut("="+strings.TrimPrefix(word, "--"), "=")
		if !filepath.IsLocal(value) || filepath.Ext(value) == "" || strings.ContainsAny(value, " ") {
			continue
		}
		file := filepath.Join(dir, value)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// shellWords splits a command at its spaces, as a shell does that meets nothing but quotes.
func shellWords(t *testing.T, command string) []string {
	t.Helper()
	var words []string
	var word strings.Builder
	quote, begun := rune(0), false
	for _, r := range command + " " {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
			begun = true
		}
	}
	if quote != 0 {
		t.Errorf("%s: a quote does not end", command)
	}
	return words
}
