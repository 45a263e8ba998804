package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// FrameError says that bytes are not a frame and how the connection must end.
type FrameError struct {
	Close  CloseCode // Close is the code to close the connection with.
	Reason string    // Reason says what is wrong and where; it never quotes a value of the frame.
}

// Error returns the reason.
func (e *FrameError) Error() string { return "frame: " + e.Reason }

// badFrame returns the error for a frame that cannot be understood.
func badFrame(format string, args ...any) error {
	return &FrameError{Close: CloseBadFrame, Reason: fmt.Sprintf(format, args...)}
}

// decodable is a frame that can name the place of each of its members.
type decodable interface {
	Frame
	object
}

// object is anything that stands as a JSON object in a frame. field returns the
// address of the member's value, or a setter, or nil for a member it does not know.
type object interface {
	field(name string) any
}

// Decode reads one frame strictly: one JSON object of valid UTF-8, no duplicate
// names, no name that differs from a defined one only in case, members of the
// right JSON type, a request with an id. Members that this version does not define
// are ignored. A kind that this version does not define gives an [Unknown]. Every
// error is a [FrameError]. The frame does not alias p.
//
// Decode checks form, not meaning: an empty uid or a message with both text and
// raw comes through, and the receiver answers it with the operation's own error.
func Decode(p []byte) (Frame, error) {
	if !utf8.Valid(p) {
		return nil, &FrameError{Close: CloseBadUTF8, Reason: "the bytes are not UTF-8"}
	}
	head := &Unknown{}
	if err := decodeObject(p, head); err != nil {
		return nil, err
	}
	if head.Name == "" {
		return nil, badFrame("the member kind is missing or empty")
	}
	make, known := blank[head.Name]
	if !known {
		return head, nil
	}
	frame := make()
	if err := decodeObject(p, frame); err != nil {
		return nil, err
	}
	if head.Name.numbered() && head.ID == 0 {
		return nil, badFrame("a frame of kind %s needs an id from 1 to %d", head.Name, uint64(MaxID))
	}
	return frame, nil
}

// decodeObject reads the JSON object p, and nothing but it, into into.
func decodeObject(p []byte, into object) error {
	dec := jsontext.NewDecoder(bytes.NewReader(p))
	if err := readObject(dec, into); err != nil {
		return asFrameError(err)
	}
	if rest := bytes.TrimLeft(p[dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return badFrame("something follows the object at byte %d", len(p)-len(rest))
	}
	return nil
}

func asFrameError(err error) error {
	var frame *FrameError
	if errors.As(err, &frame) {
		return frame
	}
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return badFrame("a member name stands twice, at byte %d", syntax.ByteOffset)
		}
		return badFrame("not a JSON object, at byte %d", syntax.ByteOffset)
	}
	return badFrame("not a JSON object")
}

func readObject(dec *jsontext.Decoder, into object) error {
	if dec.PeekKind() != '{' {
		if _, err := dec.ReadToken(); err != nil {
			return err
		}
		return badFrame("a JSON object is expected at byte %d", dec.InputOffset())
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != '}' {
		token, err := dec.ReadToken()
		if err != nil {
			return err
		}
		name := token.String()
		place := into.field(name)
		if place == nil {
			if lower := strings.ToLower(name); lower != name && into.field(lower) != nil {
				return badFrame("the member name at byte %d must be %q, in this case", dec.InputOffset(), lower)
			}
			if err := dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		if err := readMember(dec, name, place); err != nil {
			return err
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	if m, ok := into.(interface{ settle() }); ok {
		m.settle()
	}
	return nil
}

func readMember(dec *jsontext.Decoder, name string, place any) error {
	switch place := place.(type) {
	case object:
		return readObject(dec, place)
	case **Resume:
		if dec.PeekKind() == 'n' {
			return dec.SkipValue()
		}
		*place = new(Resume)
		return readObject(dec, *place)
	case *[]Cursor:
		return readCursors(dec, place)
	case func(string):
		if dec.PeekKind() == 'n' {
			return dec.SkipValue()
		}
		var s string
		if err := readValue(dec, name, &s); err != nil {
			return err
		}
		place(s)
		return nil
	}
	if err := readValue(dec, name, place); err != nil {
		return err
	}
	if id, ok := place.(*uint64); ok && *id > MaxID {
		return badFrame("the member %s is over %d", name, uint64(MaxID))
	}
	return nil
}

func readValue(dec *jsontext.Decoder, name string, place any) error {
	err := json.UnmarshalDecode(dec, place)
	var kind *json.SemanticError
	if errors.As(err, &kind) {
		return badFrame("the member %s has a value of the wrong type, at byte %d", name, kind.ByteOffset)
	}
	return err
}

func readCursors(dec *jsontext.Decoder, place *[]Cursor) error {
	if dec.PeekKind() == 'n' {
		return dec.SkipValue()
	}
	if dec.PeekKind() != '[' {
		return badFrame("the member channels has a value of the wrong type, at byte %d", dec.InputOffset())
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		var c Cursor
		if err := readObject(dec, &c); err != nil {
			return err
		}
		*place = append(*place, c)
	}
	_, err := dec.ReadToken()
	return err
}
