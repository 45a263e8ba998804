package specs

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"

	"github.com/rtmkit/rtmkit/conformance/probe"
)

// Failure is what a spec found wrong, in words for someone who reads no Go. It travels in the spec's report under
// [FailureEntry].
type Failure struct {
	// Expected is what the requirement asks for in this case.
	Expected string
	// Observed is what the subject did instead.
	Observed string
}

// The names of the report entries that a spec leaves behind.
const (
	// FailureEntry holds a [Failure].
	FailureEntry = "rtm.failure"
	// TraceEntry holds the frames of a spec that did not pass, as []probe.Frame.
	TraceEntry = "rtm.trace"
	// SkipEntry holds a [Skipped].
	SkipEntry = "rtm.skip"
)

// Observation is a named value that a spec saw, about to be compared.
type Observation struct {
	what string
	got  any
}

// Observe names a value that the subject showed: Observe("hasPeerReceived", got).Is(false).
func Observe(what string, got any) Observation { return Observation{what, got} }

// Is asks for exactly this value.
func (o Observation) Is(want any) { o.should(gomega.Equal(want), "is "+show(want)) }

// IsNot asks for any other value.
func (o Observation) IsNot(unwanted any) {
	o.should(gomega.Not(gomega.Equal(unwanted)), "is not "+show(unwanted))
}

// IsOneOf asks for one of these values.
func (o Observation) IsOneOf(wanted ...any) {
	words := make([]string, len(wanted))
	for i, want := range wanted {
		words[i] = show(want)
	}
	if !slices.ContainsFunc(wanted, func(want any) bool { return reflect.DeepEqual(o.got, want) }) {
		fail(2, o.what+" is one of "+strings.Join(words, ", "), o.what+" is "+show(o.got))
	}
}

// IsEmpty asks for a list, map or text without content.
func (o Observation) IsEmpty() { o.should(gomega.BeEmpty(), "is empty") }

// HasLength asks for a list, map or text of this length.
func (o Observation) HasLength(want int) {
	o.should(gomega.HaveLen(want), fmt.Sprintf("has the length %d", want))
}

// Holds asks for a list that holds this element.
func (o Observation) Holds(element any) {
	o.should(gomega.ContainElement(element), "holds "+show(element))
}

// HoldsNo asks for a list that does not hold this element.
func (o Observation) HoldsNo(element any) {
	o.should(gomega.Not(gomega.ContainElement(element)), "does not hold "+show(element))
}

// HoldsExactly asks for a list with these elements, in any order and none else. The wanted elements are a list too.
func (o Observation) HoldsExactly(wanted any) {
	o.should(gomega.ConsistOf(wanted), "holds exactly "+show(wanted))
}

// IsAtLeast asks for a number or duration of at least this size.
func (o Observation) IsAtLeast(want any) {
	o.should(gomega.BeNumerically(">=", want), "is at least "+show(want))
}

// IsAtMost asks for a number or duration of at most this size.
func (o Observation) IsAtMost(want any) {
	o.should(gomega.BeNumerically("<=", want), "is at most "+show(want))
}

// IsAbout asks for what only a sentence can say; it completes "expected the thing ...".
func (o Observation) IsAbout(sentence string, holds bool) {
	if !holds {
		fail(2, o.what+" "+sentence, o.what+" is "+show(o.got))
	}
}

func (o Observation) should(matcher gomegatypes.GomegaMatcher, words string) {
	matches, err := matcher.Match(o.got)
	if err != nil || !matches {
		fail(3, o.what+" "+words, o.what+" is "+show(o.got))
	}
}

// Violated ends the spec with a finding that no comparison expresses.
func Violated(expected, observed string) { fail(2, expected, observed) }

// fail records the finding and ends the spec. The location that counts is that of the caller at depth.
func fail(depth int, expected, observed string) {
	ginkgo.AddReportEntry(FailureEntry, Failure{expected, observed}, ginkgo.ReportEntryVisibilityNever)
	ginkgo.Fail(explain(expected, observed), depth)
}

// show writes a value for a reader who knows JSON and no Go.
func show(value any) string {
	switch value := value.(type) {
	case nil:
		return "nothing"
	case string:
		return clip(fmt.Sprintf("%q", value))
	case []string:
		words := make([]string, len(value))
		for i, word := range value {
			words[i] = fmt.Sprintf("%q", word)
		}
		return clip("[" + strings.Join(words, " ") + "]")
	case []byte:
		return clip(fmt.Sprintf("%d bytes % x", len(value), value[:min(len(value), 64)]))
	case probe.Object:
		return clip(value.String())
	case []probe.Object:
		return clip(showFrames(value))
	case time.Duration:
		return value.Round(time.Microsecond).String()
	case time.Time:
		return value.UTC().Format(time.RFC3339Nano)
	case error:
		return value.Error()
	}
	if reflect.TypeOf(value).Kind() == reflect.Map {
		return clip(strings.TrimPrefix(fmt.Sprintf("%+v", value), "map"))
	}
	return clip(fmt.Sprintf("%+v", value))
}

func showFrames(frames []probe.Object) string {
	if len(frames) == 0 {
		return "no frame"
	}
	lines := make([]string, len(frames))
	for i, frame := range frames {
		lines[i] = frame.String()
	}
	return strings.Join(lines, " then ")
}

const shownBytes = 600

func clip(text string) string {
	if len(text) <= shownBytes {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes)", strings.ToValidUTF8(text[:shownBytes], ""), len(text))
}

// defined are the kinds of frames without id that a server may send.
var defined = []string{
	"login.kicked", "token.will_expire", "peer.message", "channel.message", "channel.member_joined", "channel.member_left",
	"channel.member_count", "error",
}

// Known returns the frames without those that every reader must ignore: of an unknown kind and without id.
func Known(frames []probe.Object) []probe.Object {
	return slices.DeleteFunc(slices.Clone(frames), func(frame probe.Object) bool {
		return frame.ID == 0 && !slices.Contains(defined, frame.Kind)
	})
}

// Kinds returns the kinds of the frames that are [Known], for observing what came and in which order.
func Kinds(frames []probe.Object) []string {
	kinds := []string{}
	for _, frame := range Known(frames) {
		kinds = append(kinds, frame.Kind)
	}
	return kinds
}

// Texts returns the member "text" of those [Known] frames that have one, in order.
func Texts(frames []probe.Object) []string {
	texts := []string{}
	for _, frame := range Known(frames) {
		if text, ok := frame.Text("text"); ok {
			texts = append(texts, text)
		}
	}
	return texts
}

// Of returns the frames of one kind.
func Of(kind string, frames []probe.Object) []probe.Object {
	return slices.DeleteFunc(slices.Clone(frames), func(frame probe.Object) bool { return frame.Kind != kind })
}
