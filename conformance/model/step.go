package model

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Verb is what a user does in a step.
type Verb string

// The verbs. Behind each stands what follows it in a line.
const (
	// LogsIn is a login on the connection that the user has; a new one when there is none.
	LogsIn Verb = "logs in"
	// LogsInElsewhere is a login on a new connection, which ends the session that the user has.
	LogsInElsewhere Verb = "logs in elsewhere"
	// LogsOut ends the session.
	LogsOut Verb = "logs out"
	// IsCut resets the user's connection and waits until the server knows.
	IsCut Verb = "is cut"
	// Resumes asks for the user's session on a new connection, whether or not the old one is still open.
	Resumes Verb = "resumes"
	// ResumesWithout is a resume that does not name CHANNEL, and so leaves it.
	ResumesWithout Verb = "resumes without"
	// ResumesEnded asks for the last session of the user that has ended, which begins a new one.
	ResumesEnded Verb = "resumes an ended session"
	// Joins joins CHANNEL.
	Joins Verb = "joins"
	// Rejoins joins CHANNEL behind the last message that the user saw there.
	Rejoins Verb = "rejoins"
	// Leaves leaves CHANNEL.
	Leaves Verb = "leaves"
	// Sends sends CHANNEL "TEXT".
	Sends Verb = "sends"
	// Tells tells USER "TEXT": a peer message.
	Tells Verb = "tells"
	// Lists asks for the members of CHANNEL.
	Lists Verb = "lists"
	// Counts asks for the number of members of CHANNEL.
	Counts Verb = "counts"
)

// verbs are all verbs with what follows them.
var verbs = []struct {
	verb   Verb
	object string
}{
	{LogsIn, ""}, {LogsInElsewhere, ""}, {LogsOut, ""}, {IsCut, ""}, {Resumes, ""}, {ResumesWithout, "CHANNEL"}, {ResumesEnded, ""},
	{Joins, "CHANNEL"}, {Rejoins, "CHANNEL"}, {Leaves, "CHANNEL"}, {Sends, `CHANNEL "TEXT"`}, {Tells, `USER "TEXT"`},
	{Lists, "CHANNEL"}, {Counts, "CHANNEL"},
}

// object returns what follows the verb, and whether there is such a verb.
func (v Verb) object() (string, bool) {
	for _, known := range verbs {
		if known.verb == v {
			return known.object, true
		}
	}
	return "", false
}

// request tells whether the verb is one request on the connection that the user has, so that it can be sent at once
// behind another.
func (v Verb) request() bool {
	switch v {
	case Joins, Rejoins, Leaves, Sends, Tells, Lists, Counts:
		return true
	}
	return false
}

// Step is one line of a program. Users and channels are names of up to 16 small letters and digits; a run makes ids of them
// that are its own.
type Step struct {
	// User is who acts.
	User string
	// AtOnce sends the request without waiting for the answer to the step before, which must be a request too.
	AtOnce bool
	// Verb is what the user does.
	Verb Verb
	// Channel is the channel of the step, where the verb takes one.
	Channel string
	// To is the receiver of a peer message.
	To string
	// Text is the text of a message, at most 256 bytes.
	Text string
}

// String returns the step as a line, which [Parse] reads back.
func (s Step) String() string {
	words := []string{s.User}
	if s.AtOnce {
		words = append(words, "at once")
	}
	words = append(words, string(s.Verb))
	for _, word := range []string{s.Channel, s.To} {
		if word != "" {
			words = append(words, word)
		}
	}
	if s.Verb == Sends || s.Verb == Tells {
		words = append(words, strconv.Quote(s.Text))
	}
	return strings.Join(words, " ")
}

// textBytes bounds the text of a message.
const textBytes = 256

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9]{0,15}$`)

// parseStep reads one line without its indentation.
func parseStep(line string) (Step, error) {
	user, rest, _ := strings.Cut(line, " ")
	step := Step{User: user}
	if !namePattern.MatchString(user) {
		return step, fmt.Errorf("%q is no user: a name is a small letter and up to 15 small letters and digits", user)
	}
	rest, step.AtOnce = strings.CutPrefix(rest, "at once ")
	for _, known := range verbs {
		if after, ok := strings.CutPrefix(rest+" ", string(known.verb)+" "); ok && len(known.verb) > len(step.Verb) {
			if known.object == "" && after != "" {
				continue
			}
			step.Verb = known.verb
		}
	}
	if step.Verb == "" {
		return step, fmt.Errorf("%q is nothing that a user does; the lines are %s", rest, forms())
	}
	return step, step.parseObject(strings.TrimPrefix(strings.TrimPrefix(rest, string(step.Verb)), " "))
}

// parseObject reads what follows the verb.
func (s *Step) parseObject(text string) error {
	object, _ := s.Verb.object()
	if object == "" {
		return nil
	}
	name, quoted, _ := strings.Cut(text, " ")
	if !namePattern.MatchString(name) {
		return fmt.Errorf("%q behind %q is no name; the line is %s", name, s.Verb, s.Verb.form())
	}
	if s.Verb == Tells {
		s.To = name
	} else {
		s.Channel = name
	}
	if !strings.Contains(object, "TEXT") {
		if quoted != "" {
			return fmt.Errorf("%q is too much; the line is %s", quoted, s.Verb.form())
		}
		return nil
	}
	unquoted, err := strconv.Unquote(quoted)
	if err != nil || !strings.HasPrefix(quoted, `"`) {
		return fmt.Errorf("%s is no text in double quotes; the line is %s", quoted, s.Verb.form())
	}
	s.Text = unquoted
	return nil
}

// check returns what is wrong with a step that follows before.
func (s Step) check(before *Step) error {
	object, known := s.Verb.object()
	channel, to := strings.HasPrefix(object, "CHANNEL"), strings.HasPrefix(object, "USER")
	switch {
	case !known:
		return fmt.Errorf("there is no verb %q", s.Verb)
	case !namePattern.MatchString(s.User), channel && !namePattern.MatchString(s.Channel), to && !namePattern.MatchString(s.To):
		return fmt.Errorf("%q holds a name that is not a small letter and up to 15 small letters and digits", s)
	case !channel && s.Channel != "", !to && s.To != "", !strings.Contains(object, "TEXT") && s.Text != "":
		return fmt.Errorf("%q has more than %s", s, s.Verb.form())
	case s.To == s.User:
		return fmt.Errorf("%s tells itself something, and no source says what that does; tell somebody else", s.User)
	case !utf8.ValidString(s.Text) || len(s.Text) > textBytes:
		return fmt.Errorf("the text is not UTF-8 of at most %d bytes", textBytes)
	case s.AtOnce && (!s.Verb.request() || s.Verb == Rejoins):
		return fmt.Errorf("%q cannot happen at once; only a request that needs nothing of the answer before can be sent behind another", s.Verb)
	case s.AtOnce && (before == nil || !before.Verb.request()):
		return fmt.Errorf("nothing is under way that %s could do this at once with; the line before must be a request", s.User)
	}
	return nil
}

// form returns the line of a verb, for errors.
func (v Verb) form() string {
	object, _ := v.object()
	return strings.TrimSpace("USER " + string(v) + " " + object)
}

func forms() string {
	lines := make([]string, len(verbs))
	for i, known := range verbs {
		lines[i] = known.verb.form()
	}
	return strings.Join(lines, ", ")
}
