package probe

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Object is one frame that the server sent, decoded: an answer, an error or an event.
type Object struct {
	// Kind is the member "kind".
	Kind string
	// ID is the member "id", or 0 for an event, which has none.
	ID int64
	// Names are the names of the members in the order of the frame.
	Names []string
	// Raw is the frame as it was received.
	Raw []byte
	// At is when the frame was read from the socket.
	At time.Time

	members map[string]any
}

// Value returns a member, or nil when there is none. A dot descends into a nested object: Value("limits.channels").
// Values are string, bool, int64 for whole numbers, float64 for others, infinite for one beyond it, []any, map[string]any, and [Null].
func (o Object) Value(path string) any {
	var value any = o.members
	for name := range strings.SplitSeq(path, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value, ok = object[name]
		if !ok {
			return nil
		}
	}
	return value
}

// Text returns a member that is a string, and whether it is one.
func (o Object) Text(path string) (string, bool) {
	text, ok := o.Value(path).(string)
	return text, ok
}

// Int returns a member that is a whole number, and whether it is one.
func (o Object) Int(path string) (int64, bool) {
	number, ok := o.Value(path).(int64)
	return number, ok
}

// Texts returns a member that is an array of strings, and whether it is one.
func (o Object) Texts(path string) ([]string, bool) {
	list, ok := o.Value(path).([]any)
	if !ok {
		return nil, false
	}
	texts := make([]string, len(list))
	for i, item := range list {
		if texts[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return texts, true
}

// Failed tells whether the object is an error answer.
func (o Object) Failed() bool { return o.Kind == "error" }

// Code returns the code of an error answer, or 0 when the object is not one.
func (o Object) Code() int64 {
	if !o.Failed() {
		return 0
	}
	code, _ := o.Int("code")
	return code
}

// Name returns the name of an error answer, or "" when the object is not one.
func (o Object) Name() string {
	if !o.Failed() {
		return ""
	}
	name, _ := o.Text("name")
	return name
}

// String returns the frame as it was received, shortened.
func (o Object) String() string { return shorten(redact(string(o.Raw)), 200) }

// Null is the value of a member that is null, as opposed to nil for a member that is not there.
type Null struct{}

// Field is one member of a frame to send. Names are written as given, in order, also twice.
type Field struct {
	// Name is the name of the member.
	Name string
	// Value is what encoding/json can write. A json.RawMessage is written as it is, valid or not.
	Value any
}

// F returns a field; it keeps calls such as Request(ctx, "channel.join", F("channel", id)) short.
func F(name string, value any) Field { return Field{Name: name, Value: value} }

// Encode writes the fields as one JSON object in the order given, without spaces. It checks nothing: duplicate names,
// wrong types and missing members are the caller's right.
func Encode(fields ...Field) ([]byte, error) {
	out := []byte{'{'}
	for i, field := range fields {
		if i > 0 {
			out = append(out, ',')
		}
		name, err := encodeValue(field.Name)
		if err != nil {
			return nil, err
		}
		value, err := encodeValue(field.Value)
		if err != nil {
			return nil, fmt.Errorf("probe: encode member %q: %w", field.Name, err)
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}

func encodeValue(value any) ([]byte, error) {
	switch value := value.(type) {
	case json.RawMessage:
		return value, nil
	case []Field:
		return Encode(value...)
	case []byte:
		return nil, errors.New("bytes are ambiguous: give the base64 text or a json.RawMessage")
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// Decode reads one frame from a server. It is strict: the frame must be valid UTF-8 and exactly one JSON object, without
// duplicate names at any depth, with a string "kind" and, if there is an "id" that is not null, a whole number from 1 to
// 2^53-1. Unknown kinds and members are kept, since a server may add them. Frames nested more than a thousand deep, far
// beyond what a reader has to accept, are refused for the probe's own sake.
func Decode(raw []byte) (Object, error) {
	object := Object{Raw: raw}
	if !utf8.Valid(raw) {
		return object, errors.New("the frame is not valid UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	first, err := decoder.Token()
	if err != nil {
		return object, fmt.Errorf("the frame is not JSON: %w", err)
	}
	if first != json.Delim('{') {
		return object, errors.New("the frame is not a JSON object")
	}
	object.members, object.Names, err = decodeMembers(decoder, 1)
	if err != nil {
		return object, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return object, errors.New("the frame holds something after its JSON object")
	}
	var ok bool
	if object.Kind, ok = object.members["kind"].(string); !ok || object.Kind == "" {
		return object, errors.New(`the frame has no string member "kind"`)
	}
	if object.Value("id") != nil && object.Value("id") != (Null{}) {
		if object.ID, ok = object.Int("id"); !ok || object.ID < 1 || object.ID > 1<<53-1 {
			return object, errors.New(`the member "id" is not a whole number from 1 to 2^53-1`)
		}
	}
	return object, nil
}

const decodeDepth = 1000

func decodeMembers(decoder *json.Decoder, depth int) (map[string]any, []string, error) {
	if depth > decodeDepth {
		return nil, nil, fmt.Errorf("the frame is nested more than %d deep", decodeDepth)
	}
	members := make(map[string]any)
	var names []string
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, nil, fmt.Errorf("the frame is not JSON: %w", err)
		}
		name, ok := token.(string)
		if !ok {
			return nil, nil, errors.New("the frame is not JSON: a member has no name")
		}
		if _, twice := members[name]; twice {
			return nil, nil, fmt.Errorf("the member %q occurs twice", name)
		}
		value, err := decodeValue(decoder, depth)
		if err != nil {
			return nil, nil, err
		}
		members[name], names = value, append(names, name)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, nil, fmt.Errorf("the frame is not JSON: %w", err)
	}
	return members, names, nil
}

func decodeValue(decoder *json.Decoder, depth int) (any, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, fmt.Errorf("the frame is not JSON: %w", err)
	}
	switch token := token.(type) {
	case json.Number:
		return decodeNumber(token)
	case nil:
		return Null{}, nil
	case json.Delim:
		if token == '{' {
			members, _, err := decodeMembers(decoder, depth+1)
			return members, err
		}
		return decodeList(decoder, depth+1)
	}
	return token, nil
}

func decodeList(decoder *json.Decoder, depth int) (any, error) {
	if depth > decodeDepth {
		return nil, fmt.Errorf("the frame is nested more than %d deep", decodeDepth)
	}
	list := []any{}
	for decoder.More() {
		value, err := decodeValue(decoder, depth)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	if _, err := decoder.Token(); err != nil {
		return nil, fmt.Errorf("the frame is not JSON: %w", err)
	}
	return list, nil
}

func decodeNumber(number json.Number) (any, error) {
	if whole, err := strconv.ParseInt(number.String(), 10, 64); err == nil {
		return whole, nil
	}
	float, err := number.Float64()
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return nil, fmt.Errorf("the number %s cannot be read: %w", number, err)
	}
	return float, nil
}
