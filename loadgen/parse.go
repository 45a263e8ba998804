package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxWorkloadBytes bounds what a workload file may hold.
const maxWorkloadBytes = 1 << 20

// ReadWorkload reads and checks a workload file. Errors name the file, the line and the remedy.
func ReadWorkload(path string) (Workload, error) {
	text, err := readWorkloadText(path)
	if err != nil {
		return Workload{}, err
	}
	return ParseWorkload(path, text)
}

func readWorkloadText(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read workload: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxWorkloadBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read workload: %w", err)
	}
	if len(text) > maxWorkloadBytes {
		return nil, fmt.Errorf("read workload: %s is larger than %d bytes", path, maxWorkloadBytes)
	}
	return text, nil
}

// ParseWorkload reads and checks the text of a workload file, with defaults filled in. It is strict: a key it does not
// know is an error, as is a second document. Errors begin with name and line, as compilers write them.
func ParseWorkload(name string, text []byte) (Workload, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	var w Workload
	err := decoder.Decode(&w)
	if errors.Is(err, io.EOF) {
		return Workload{}, fmt.Errorf("%s:1: the file is empty; a workload has at least sessions, traffic and phases", name)
	}
	if err != nil {
		return Workload{}, located(name, err)
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return Workload{}, fmt.Errorf("%s:%d: more than one YAML document; a workload file holds one", name, max(second.Line, 1))
	}
	if err := w.complete(name, text); err != nil {
		var p problem
		if errors.As(err, &p) {
			return Workload{}, fmt.Errorf("%s:%d: %w", name, lineOf(text, p.path), p)
		}
		return Workload{}, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

// complete reads what the workload names beside its file, fills in the defaults and checks the whole.
func (w *Workload) complete(name string, text []byte) error {
	if err := w.readTraces(filepath.Dir(name)); err != nil {
		return err
	}
	// A length of zero and none at all look the same from here on, but only the latter means the sum of the stages.
	if w.Phases.Measure == 0 && hasKey(text, "phases.measure") {
		return *bad("phases.measure", "0s measures nothing; use more than 0, or leave the key out where stages or a trace say how long")
	}
	w.fill()
	return w.Check()
}

// YAML returns the workload as the text of a workload file, defaults filled in. A trace it names as a run folder keeps
// it, see [TraceFile].
func (w Workload) YAML() ([]byte, error) {
	w.fill()
	w.Traffic = slices.Clone(w.Traffic)
	for i := range w.Traffic {
		if t := &w.Traffic[i]; t.Trace != "" {
			t.Trace = TraceFile(t.ID)
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(w); err != nil {
		return nil, fmt.Errorf("write workload: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("write workload: %w", err)
	}
	return out.Bytes(), nil
}

var (
	lineText   = regexp.MustCompile(`(?s)^(?:yaml: )?line (\d+): (.*)$`)
	wrongKind  = regexp.MustCompile("(?s)^cannot unmarshal !!\\w+ (?:`(.*)` )?into (.+)$")
	unknownKey = regexp.MustCompile(`^field (.+) not found in type loadgen\.(\w+)$`)
)

// located turns the YAML library's error into one sentence about the first fault, after name and line.
func located(name string, err error) error {
	text := err.Error()
	var types *yaml.TypeError
	if errors.As(err, &types) {
		text = types.Errors[0]
	}
	place := lineText.FindStringSubmatch(text)
	if place == nil {
		// The few errors without a line are about anchors and aliases, which no workload needs.
		return fmt.Errorf("%s:1: %s", name, strings.TrimPrefix(text, "yaml: "))
	}
	line, what := place[1], place[2]
	if key := unknownKey.FindStringSubmatch(what); key != nil {
		known := keysOf(key[2])
		what = fmt.Sprintf("unknown key %q;%s known here: %s", key[1], didYouMean(key[1], known), strings.Join(known, ", "))
	}
	if kind := wrongKind.FindStringSubmatch(what); kind != nil {
		what = misplaced(kind[1], kind[2])
	}
	return fmt.Errorf("%s:%s: %s", name, line, strings.Join(strings.Fields(what), " "))
}

// misplaced says what belongs where a value of another kind stands.
func misplaced(value, goType string) string {
	wanted := map[string]string{
		"int": "a whole number", "int64": "a whole number", "float64": "a number", "string": "a word",
		"time.Duration": "a length of time, such as 10s or 500ms",
	}[goType]
	switch {
	case wanted != "":
	case strings.HasPrefix(goType, "[]"):
		wanted = "a list"
	default:
		wanted = "keys with values"
	}
	if value == "" {
		return "this has to be " + wanted
	}
	return fmt.Sprintf("%q has to be %s", value, wanted)
}

// keysOf returns the YAML keys of a struct of this package that a workload can hold.
func keysOf(typeName string) []string {
	var keys []string
	var walk func(t reflect.Type)
	walk = func(t reflect.Type) {
		for t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return
		}
		for field := range t.Fields() {
			if t.Name() == typeName && field.IsExported() {
				key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
				keys = append(keys, key)
			}
			walk(field.Type)
		}
	}
	walk(reflect.TypeFor[Workload]())
	return keys
}

// didYouMean suggests the known word that is nearest to one that is not known, if any is near.
func didYouMean(word string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(word, k); d < least && d < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" did you mean %s?", best)
}

// distance counts the letters to insert, remove or change to make one word of the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := corner
			if a[i] != b[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// hasKey reports whether the text says anything at the path.
func hasKey(text []byte, path string) bool {
	var document yaml.Node
	if yaml.Unmarshal(text, &document) != nil || len(document.Content) == 0 {
		return false
	}
	node := document.Content[0]
	for step := range strings.SplitSeq(path, ".") {
		if node = child(node, step); node == nil {
			return false
		}
	}
	return true
}

// lineOf returns the line of the value at a path such as traffic[0].payload.bytes, or of the nearest part of the path
// that the text has.
func lineOf(text []byte, path string) int {
	var document yaml.Node
	if yaml.Unmarshal(text, &document) != nil || len(document.Content) == 0 {
		return 1
	}
	node, line := document.Content[0], document.Content[0].Line
	for _, step := range strings.FieldsFunc(path, func(r rune) bool { return r == '.' || r == '[' || r == ']' }) {
		next := child(node, step)
		if next == nil {
			break
		}
		node, line = next, next.Line
	}
	return line
}

func child(node *yaml.Node, step string) *yaml.Node {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		if i, err := strconv.Atoi(step); err == nil && i < len(node.Content) {
			return node.Content[i]
		}
	}
	return nil
}
