package wire

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
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
			if lower := folded(name); lower != name && into.field(lower) != nil {
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

// folded returns name with its letters as they stand in the names of this protocol: in
// lower case. Besides the capitals, Unicode folds two characters to a letter of ASCII.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		case r == 'ſ':
			return 's'
		case r == '\u212a': // the Kelvin sign
			return 'k'
		}
		return r
	}, name)
}

func readMember(dec *jsontext.Decoder, name string, place any) error {
	if dec.PeekKind() == 'n' {
		return dec.SkipValue() // an absent member
	}
	switch place := place.(type) {
	case object:
		return readObject(dec, place)
	case **Resume:
		*place = new(Resume)
		return readObject(dec, *place)
	case *[]Cursor:
		return readList(dec, name, place, func(c *Cursor) error { return readObject(dec, c) })
	case *[]Rate:
		return readList(dec, name, place, func(r *Rate) error { return readObject(dec, r) })
	case *[]string:
		return readList(dec, name, place, func(s *string) error { return readValue(dec, name, '"', s) })
	case *[]int:
		return readList(dec, name, place, func(n *int) error { return readInteger(dec, name, n) })
	case *string:
		return readValue(dec, name, '"', place)
	case func(string):
		var s string
		if err := readValue(dec, name, '"', &s); err != nil {
			return err
		}
		place(s)
		return nil
	case *uint64:
		if err := readInteger(dec, name, place); err != nil {
			return err
		}
		if name == "id" && *place == 0 {
			return badFrame("the member id is 0; it is from 1 to %d", uint64(MaxID))
		}
		return nil
	case *int64:
		return readInteger(dec, name, place)
	case *int:
		return readInteger(dec, name, place)
	}
	return readValue(dec, name, 0, place)
}

// readValue reads a value, which must begin with kind unless that is 0. What is null
// here stands in a list, where nothing is absent.
func readValue(dec *jsontext.Decoder, name string, kind jsontext.Kind, place any) error {
	if got := dec.PeekKind(); kind != 0 && got != kind && got != 0 {
		return badFrame("the member %s has a value of the wrong type, at byte %d", name, dec.InputOffset())
	}
	err := json.UnmarshalDecode(dec, place)
	var wrong *json.SemanticError
	if errors.As(err, &wrong) {
		return badFrame("the member %s has a value of the wrong type, at byte %d", name, wrong.ByteOffset)
	}
	return err
}

// readInteger reads an integer in digits only, up to [MaxID].
func readInteger[T int | int64 | uint64](dec *jsontext.Decoder, name string, place *T) error {
	var digits jsontext.Value
	if err := readValue(dec, name, '0', &digits); err != nil {
		return err
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil || n > MaxID || uint64(T(n)) != n || T(n) < 0 {
		return badFrame("the member %s is not an integer of digits only, up to %d", name, uint64(MaxID))
	}
	*place = T(n)
	return nil
}

func readList[T any](dec *jsontext.Decoder, name string, place *[]T, read func(*T) error) error {
	if kind := dec.PeekKind(); kind != '[' && kind != 0 {
		return badFrame("the member %s has a value of the wrong type, at byte %d", name, dec.InputOffset())
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for dec.PeekKind() != ']' {
		var element T
		if err := read(&element); err != nil {
			return err
		}
		*place = append(*place, element)
	}
	_, err := dec.ReadToken()
	return err
}
