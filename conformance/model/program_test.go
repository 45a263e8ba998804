package model

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestAScenarioIsReadAndWrittenTheSame(t *testing.T) {
	text := `alice logs in
alice logs in elsewhere
alice joins lobby
alice at once sends lobby "a \"quoted\" text\nof two lines"
alice at once leaves lobby
alice rejoins lobby
alice lists lobby
alice counts hall
alice tells bob ""
alice is cut
alice resumes
alice resumes without lobby
alice resumes an ended session
alice logs out
`
	program, err := Parse("# A remark.\n\n\t" + strings.ReplaceAll(text, "\n", "\n    "))
	if err != nil {
		t.Fatal(err)
	}
	if got := program.String(); got != text {
		t.Errorf("it is written as\n%s", got)
	}
	if got, want := program.Users(), []string{"alice", "bob"}; !slices.Equal(got, want) {
		t.Errorf("the users are %v, want %v", got, want)
	}
	if got, want := program.Channels(), []string{"lobby", "hall"}; !slices.Equal(got, want) {
		t.Errorf("the channels are %v, want %v", got, want)
	}
}

func TestAWrongScenarioIsRefusedWithItsLineAndTheRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"":                                        "line 1: the scenario has no step",
		"# nothing\n":                             "the scenario has no step",
		"alice logs in\nalice jumps":              `line 2: "jumps" is nothing that a user does`,
		"alice":                                   `"" is nothing that a user does`,
		"Alice logs in":                           `"Alice" is no user`,
		"alice logs  in":                          `"logs  in" is nothing that a user does`,
		"alice logs in twice":                     `"logs in twice" is nothing that a user does`,
		"alice joins":                             `"" behind "joins" is no name; the line is USER joins CHANNEL`,
		"alice joins Lobby":                       `"Lobby" behind "joins" is no name`,
		"alice joins lobby hall":                  `"hall" is too much; the line is USER joins CHANNEL`,
		"alice sends lobby":                       `the line is USER sends CHANNEL "TEXT"`,
		"alice sends lobby hi":                    `hi is no text in double quotes`,
		"alice sends lobby 'hi'":                  `is no text in double quotes`,
		"alice sends lobby \"\\xff\"":             "not UTF-8",
		"alice tells alice \"hi\"":                "alice tells itself something",
		"alice at once joins lobby":               "nothing is under way",
		"alice joins a\nalice at once logs out":   `"logs out" cannot happen at once`,
		"alice leaves a\nalice at once rejoins a": `"rejoins" cannot happen at once`,
		"alice logs in\nalice at once joins a":    "the line before must be a request",
		"a joins " + strings.Repeat("x", 17):      "is no name",
		"alice tells bob \"" + strings.Repeat("x", 257) + "\"": "at most 256 bytes",
		strings.Repeat("alice logs in\n", 501):                 "line 501: the program has more than 500 steps",
		strings.Repeat("#", 2<<20):                             "2097152 bytes",
	} {
		_, err := Parse(text)
		parse := new(ParseError)
		if !errors.As(err, &parse) || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: the error is %v, want %q", text, err, want)
		}
	}
}

func TestAProgramThatWasNotParsedIsCheckedBeforeItRuns(t *testing.T) {
	for want, step := range map[string]Step{
		`no verb "sings"`:            {User: "alice", Verb: "sings"},
		"has more than USER logs in": {User: "alice", Verb: LogsIn, Channel: "lobby"},
		"holds a name that is not":   {User: "alice", Verb: Joins, Channel: "the lobby"},
	} {
		if _, err := Run(t.Context(), Server{}, Program{step}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, scenario := range Scenarios() {
		f.Add(scenario.Text)
	}
	for _, known := range verbs {
		f.Add(known.verb.form())
	}
	f.Fuzz(func(t *testing.T, text string) {
		program, err := Parse(text)
		if err != nil {
			return
		}
		written := program.String()
		again, err := Parse(written)
		if err != nil || !slices.Equal(program, again) {
			t.Errorf("%q is written as %q, which is read as %v, %v", text, written, again, err)
		}
		s := newState(Limits{})
		for i, step := range program {
			s.apply(i+1, step)
		}
	})
}
