package adapter

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// lineSchema compiles a part of the schema of lines.
func lineSchema(t testing.TB, part string) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("urn:test", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := compiler.Compile("urn:test" + part)
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func keeps(t testing.TB, schema *jsonschema.Schema, line string) error {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return schema.Validate(value)
}

// page returns ADAPTER.md.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("ADAPTER.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exampleLines are the lines of the example session on the page, with their directions.
func exampleLines(t *testing.T) (lines []string, directions []Direction) {
	t.Helper()
	for _, found := range regexp.MustCompile(`(?m)^    (->|<-) (\{.*)$`).FindAllStringSubmatch(page(t), -1) {
		direction := ToAdapter
		if found[1] == ToSuite.String() {
			direction = ToSuite
		}
		lines, directions = append(lines, found[2]), append(directions, direction)
	}
	if len(lines) < 20 {
		t.Fatalf("the page has only %d example lines", len(lines))
	}
	return lines, directions
}

func TestTheExampleSessionKeepsTheSchemaAndTheProtocol(t *testing.T) {
	command, answer := lineSchema(t, "#/$defs/command"), lineSchema(t, "#/$defs/answer")
	example, directions := exampleLines(t)
	asked := map[int64]*asked{}
	known := &life{
		program: &Program{}, waiting: asked, seq: 1000,
		clients: map[string]*remoteClient{"c1": {listeners: map[string]func(Event){"": func(Event) {}}}},
		rooms:   map[string]*remoteChannel{},
	}
	known.rooms["h3"] = &remoteChannel{client: known.clients["c1"], listeners: map[string]func(Event){"": func(Event) {}}}
	for i, line := range example {
		if directions[i] == ToAdapter {
			if err := keeps(t, command, line); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			read, err := new(server).read([]byte(line))
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			asked[read.Seq] = question(read.Cmd)
			continue
		}
		if err := keeps(t, answer, line); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if err := known.hear([]byte(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if len(asked) > 0 {
		t.Errorf("%d commands of the example are not answered", len(asked))
	}
}

func question(cmd string) *asked { return &asked{cmd: cmd, done: make(chan error, 1)} }

// row matches a row of a table whose first cell is a word in code.
var row = regexp.MustCompile("(?m)^\\| (`\\w+`) \\|(.*)\\|$")

func TestThePageListsEveryCommandAndEventAsTheCodeHasThem(t *testing.T) {
	code := func(names []string, mark string) (cell []string) {
		for _, name := range names {
			cell = append(cell, "`"+name+"`"+mark)
		}
		return cell
	}
	want := map[string]string{}
	for name, c := range commands {
		ok := append(code(c.ok.need, ""), code(c.ok.may, "?")...)
		want["`"+name+"`"] = fmt.Sprintf(" %s | %s | %s ", strings.Join(code(c.asks.need, ""), ", "), strings.Join(ok, ", "), claimed[name])
	}
	for name, event := range eventShapes {
		want["`"+name+"`"] = fmt.Sprintf(" %s ", strings.Join(code(event.need, ""), ", "))
	}
	_, tables, _ := strings.Cut(page(t), "## commands")
	got := map[string]string{}
	for _, found := range row.FindAllStringSubmatch(tables, -1) {
		got[found[1]] = found[2]
	}
	spaces := regexp.MustCompile(` +`)
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if got, want := spaces.ReplaceAllString(got[name], " "), spaces.ReplaceAllString(want[name], " "); got != want {
			t.Errorf("the row of %s is %q, want %q", name, got, want)
		}
	}
	if len(got) != len(want) {
		t.Errorf("the page has %d rows for %d commands and events", len(got), len(want))
	}
}

// wrongLines are lines that an adapter must not write; those that need more than a look at the line are left out.
var wrongLines = []string{
	`{}`,
	`{"seq":1}`,
	`{"seq":"1","ok":{}}`,
	`{"seq":1,"ok":{},"unsupported":true}`,
	`{"seq":1,"ok":{},"error":null}`,
	`{"seq":1,"ok":null}`,
	`{"seq":1,"unsupported":false}`,
	`{"seq":1,"error":{"op":"login","name":"X"}}`,
	`{"seq":1,"error":{"op":"login","code":"3","name":"X"}}`,
	`{"seq":1,"error":{"op":"login","code":3,"name":"X","text":"y"}}`,
	`{"seq":1,"ok":{"uid":"x"}}`,
	`{"seq":1,"okay":{}}`,
	`{"seq":2,"ok":{"counts":{"lobby":null}}}`,
	`{"seq":3,"ok":{"members":[null]}}`,
	`{"seq":4,"ok":{"sdk":"","version":"","language":"","profiles":[]}}`,
	`{"seq":4,"ok":{"sdk":"x","version":"","language":"","profiles":[],"timeouts":{"login_ms":-1}}}`,
	`{"event":"Rain","client":"c1","listener":""}`,
	`{"event":"TokenExpired","client":"c1"}`,
	`{"event":"TokenExpired","channel":"h3","listener":""}`,
	`{"event":"TokenExpired","client":"c1","listener":"","seq":3}`,
	`{"event":"ConnectionStateChanged","client":"c1","listener":"","state":"CONNECTED"}`,
	`{"event":"MemberCountUpdated","channel":"h3","listener":"","count":"2"}`,
	`{"event":"MessageFromPeer","client":"c1","listener":"","message":"m1","from":"x","text":"","server_received_ms":1}`,
	`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"x","server_received_ms":1}`,
	`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"x","text":"","raw":"","server_received_ms":1}`,
	`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"x","text":"","description":"","server_received_ms":1}`,
	`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"x","raw":"AA","server_received_ms":1}`,
	`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"x","raw":"AA\n==","server_received_ms":1}`,
	`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"x","text":"","server_received_ms":1.5}`,
}

func TestTheSchemaAndTheSuiteRefuseTheSameLines(t *testing.T) {
	answer := lineSchema(t, "#/$defs/answer")
	for _, line := range wrongLines {
		if err := keeps(t, answer, line); err == nil {
			t.Errorf("the schema takes %s", line)
		}
		l := &life{
			program: &Program{}, seq: 4,
			waiting: map[int64]*asked{1: question("login"), 2: question("memberCounts"), 3: question("members"), 4: question("hello")},
			clients: map[string]*remoteClient{"c1": {listeners: map[string]func(Event){"": func(Event) {}}}},
			rooms:   map[string]*remoteChannel{},
		}
		l.rooms["h3"] = &remoteChannel{client: l.clients["c1"], listeners: l.clients["c1"].listeners}
		l.waiting[4].into = new(hello)
		if err := l.hear([]byte(line)); err == nil {
			t.Errorf("the suite takes %s", line)
		}
	}
}

// FuzzALineThatTheSuiteTakesKeepsTheSchema looks for a line at which the suite is more patient than the schema that it
// publishes.
func FuzzALineThatTheSuiteTakesKeepsTheSchema(f *testing.F) {
	for _, line := range wrongLines {
		f.Add(line)
	}
	for _, line := range []string{
		`{"seq":1,"ok":{}}`, `{"seq":2,"ok":{"hasPeerReceived":true}}`, `{"seq":3,"ok":{"counts":{"a":1}}}`, `{"seq":4,"ok":{"members":["a"]}}`,
		`{"seq":5,"ok":{"sdk":"x","version":"1","language":"go","profiles":["core"],"timeouts":{"login_ms":1}}}`,
		`{"seq":1,"error":{"op":"login","code":3,"name":"X","native":"y","indefinite":true}}`, `{"seq":1,"unsupported":true}`,
		`{"event":"ConnectionStateChanged","client":"c1","listener":"","state":"CONNECTED","reason":"LOGIN"}`,
		`{"event":"MessageFromPeer","client":"c1","listener":"","message":"r1","from":"x","raw":"AA==","description":"d","server_received_ms":1}`,
		`{"event":"ChannelMessage","channel":"h3","listener":"","message":"r1","from":"x","text":"t","server_received_ms":1}`,
		`{"event":"MemberCountUpdated","channel":"h3","listener":"","count":2}`, `{"event":"MemberLeft","channel":"h3","listener":"","uid":"x"}`,
	} {
		f.Add(line)
	}
	answer := lineSchema(f, "#/$defs/answer")
	f.Fuzz(func(t *testing.T, line string) {
		l := &life{program: &Program{}, seq: 5, waiting: map[int64]*asked{
			1: question("login"), 2: question("sendPeer"), 3: question("memberCounts"), 4: question("members"), 5: question("hello"),
		}}
		for seq, into := range map[int64]any{
			2: new(struct {
				HasPeerReceived bool `json:"hasPeerReceived"`
			}), 3: new(struct {
				Counts map[string]int `json:"counts"`
			}), 4: new(struct {
				Members []string `json:"members"`
			}), 5: new(hello),
		} {
			l.waiting[seq].into = into
		}
		l.clients = map[string]*remoteClient{"c1": {listeners: map[string]func(Event){"": func(Event) {}}}}
		l.rooms = map[string]*remoteChannel{"h3": {client: l.clients["c1"], listeners: l.clients["c1"].listeners}}
		if l.hear([]byte(line)) != nil {
			return
		}
		if err := keeps(t, answer, line); err != nil {
			t.Errorf("the suite takes %q: %v", line, err)
		}
	})
}
