package probe

import "fmt"

// Matcher picks objects out of an inbox. Make one with [Kind] or [Matching].
type Matcher struct {
	what  string
	match func(Object) bool
}

// Matching returns a matcher for what the function accepts; what describes it in errors.
func Matching(what string, match func(Object) bool) Matcher { return Matcher{what, match} }

// Kind returns a matcher for objects of this kind.
func Kind(kind string) Matcher {
	return Matching(kind, func(o Object) bool { return o.Kind == kind })
}

// With returns a matcher that also asks for the value of a member, as [Object.Value] returns it; an int may stand for an
// int64.
func (m Matcher) With(path string, value any) Matcher {
	want := value
	if number, ok := value.(int); ok {
		want = int64(number)
	}
	return Matching(fmt.Sprintf("%s with %s %v", m.what, path, value), func(o Object) bool {
		got := o.Value(path)
		switch got.(type) {
		case []any, map[string]any:
			return false
		}
		return m.match(o) && got == want
	})
}

// Match tells whether the matcher accepts the object.
func (m Matcher) Match(o Object) bool { return m.match(o) }

// String describes what the matcher accepts.
func (m Matcher) String() string { return m.what }
