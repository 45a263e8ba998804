package wire

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite generated parts and golden files")

const codesMark = "<!-- codes -->\n"

func TestProtocolPageListsEveryErrorCode(t *testing.T) {
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), codesMark)
	if !found {
		t.Fatal("PROTOCOL.md has lost its mark for the table of codes")
	}
	var table strings.Builder
	for _, c := range Codes {
		fmt.Fprintf(&table, "| `%s` | %d | `%s` |\n", c.Op, c.Number, c.Name)
	}
	_, after, _ := strings.Cut(rest, "\nCode 1 of an operation")
	want := before + codesMark + table.String() + "\nCode 1 of an operation" + after
	if want == string(page) {
		return
	}
	if !*update {
		t.Fatal("the table of codes in PROTOCOL.md differs from Codes; run: go test ./sdk/wire -update")
	}
	if err := os.WriteFile("PROTOCOL.md", []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestProtocolPageNamesEveryKindLimitAndCloseCode(t *testing.T) {
	page, err := os.ReadFile("PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, kind := range Kinds() {
		if kind.Request() || kind == KindPeerAck {
			names = append(names, `"kind":"`+string(kind)+`"`)
			continue
		}
		names = append(names, `"kind":"`+string(kind)+`"`)
	}
	for code, name := range closeNames {
		if code != CloseGoingAway {
			names = append(names, fmt.Sprintf("| %d | %s |", code, name))
		}
	}
	for _, rate := range DefaultCalls() {
		names = append(names, fmt.Sprintf("| `%s` | %d | %d |", rate.Call, rate.Count, rate.WindowMS))
	}
	for _, name := range names {
		if !strings.Contains(string(page), name) {
			t.Errorf("PROTOCOL.md does not show %s", name)
		}
	}
}
