package loadgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxWorkloadBytes bounds what a workload file may hold.
const maxWorkloadBytes = 1 << 20

// ReadWorkload reads and checks a workload file. Errors name the file, the line and the remedy.
func ReadWorkload(path string) (Workload, error) {
	file, err := os.Open(path)
	if err != nil {
		return Workload{}, fmt.Errorf("read workload: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxWorkloadBytes+1))
	if err != nil {
		return Workload{}, fmt.Errorf("read workload: %w", err)
	}
	if len(text) > maxWorkloadBytes {
		return Workload{}, fmt.Errorf("read workload: %s is larger than %d bytes", path, maxWorkloadBytes)
	}
	return ParseWorkload(path, text)
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
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Workload{}, fmt.Errorf("%s: more than one YAML document; a workload file holds one", name)
	}
	w.fill()
	if err := w.Check(); err != nil {
		var p problem
		if errors.As(err, &p) {
			return Workload{}, fmt.Errorf("%s:%d: %w", name, lineOf(text, p.path), p)
		}
		return Workload{}, fmt.Errorf("%s: %w", name, err)
	}
	return w, nil
}

// YAML returns the workload as the text of a workload file, defaults filled in.
func (w Workload) YAML() ([]byte, error) {
	w.fill()
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
	lineText   = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)
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
		return fmt.Errorf("%s: %s", name, strings.TrimPrefix(text, "yaml: "))
	}
	line, what := place[1], place[2]
	if key := unknownKey.FindStringSubmatch(what); key != nil {
		what = fmt.Sprintf("unknown key %q; known here: %s", key[1], strings.Join(keysOf(key[2]), ", "))
	}
	return fmt.Errorf("%s:%s: %s", name, line, what)
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
			if t.Name() == typeName {
				key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
				keys = append(keys, key)
			}
			walk(field.Type)
		}
	}
	walk(reflect.TypeFor[Workload]())
	return keys
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
