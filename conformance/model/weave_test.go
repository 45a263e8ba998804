package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// after does a program and returns what its last group owes, as lines such as "alice gets ... perhaps".
func after(t *testing.T, text string) []string {
	t.Helper()
	program, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s := newState(Limits{})
	var owed []string
	for i := 0; i < len(program); {
		size := program.group(i)
		outcomes, ok := s.together(i+1, program[i:i+size])
		if !ok {
			t.Fatalf("step %d leaves a doubt", i+1)
		}
		owed = nil
		for at, done := range outcomes {
			owed = append(owed, fmt.Sprintf("%s is answered %s", program[i+at].User, strings.Join(done.answers(), " or ")))
			for _, debt := range done.owed {
				line := debt.user + " gets " + debt.text
				if debt.optional {
					line += " perhaps"
				}
				owed = append(owed, line)
			}
		}
		i += size
	}
	slices.Sort(owed)
	return owed
}

const threeInTheLobby = "alice logs in\nbob logs in\ncarol logs in\nalice joins lobby\nbob joins lobby\ncarol joins lobby\n"

func TestWhatDependsOnTheOrderOfUsersMayHappenAndNeedNot(t *testing.T) {
	for name, test := range map[string]struct {
		program string
		want    []string
	}{
		"a leave and a message": {
			threeInTheLobby + "alice leaves lobby\nbob at once sends lobby \"hi\"\n",
			[]string{"alice gets lobby \"hi\" from bob perhaps", "alice is answered ok", "bob gets alice leaves lobby", "bob is answered ok",
				"carol gets alice leaves lobby", "carol gets lobby \"hi\" from bob"},
		},
		"a rejoin after that": {
			threeInTheLobby + "alice leaves lobby\nbob at once sends lobby \"hi\"\nbob sends lobby \"there\"\nalice rejoins lobby\n",
			[]string{"alice gets lobby \"hi\" from bob perhaps", "alice gets lobby \"there\" from bob", "alice is answered 3 members",
				"bob gets alice joins lobby", "carol gets alice joins lobby"},
		},
		"two joins": {
			"alice logs in\nbob logs in\nalice joins lobby\nbob at once joins lobby\n",
			[]string{"alice gets bob joins lobby perhaps", "alice is answered 1 members or 2 members", "bob gets alice joins lobby perhaps",
				"bob is answered 2 members or 1 members"},
		},
		"two messages and a list": {
			threeInTheLobby + "alice sends lobby \"one\"\nalice at once sends lobby \"two\"\nbob at once lists lobby\n",
			[]string{"alice is answered ok", "alice is answered ok", "bob gets lobby \"one\" from alice", "bob gets lobby \"two\" from alice",
				"bob is answered alice bob carol", "carol gets lobby \"one\" from alice", "carol gets lobby \"two\" from alice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := after(t, test.program); !slices.Equal(got, test.want) {
				t.Errorf("it owes\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

func TestStepsAtOnceThatLeaveADoubtAreRefusedWithTheirLine(t *testing.T) {
	for text, want := range map[string]string{
		"alice logs in\nbob logs in\nalice joins a\nalice leaves a\nbob at once joins a\n": "line 5: what is left behind depends on",
		"alice counts a\nbob at once counts a\nalice at once counts a\nbob at once counts a\nalice at once counts a\n": "line 5: what is left behind depends on which " +
			"of the steps at once comes first, or there are more than 4",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %q", err, want)
		}
	}
}

func TestWhatCameIsComparedWithWhatIsOwed(t *testing.T) {
	owe := func(text string, optional bool) debt { return debt{line: line{"", text}, optional: optional} }
	due := []debt{owe("a", true), owe("b", false), owe("a", false)}
	for came, want := range map[string]bool{"a b a": true, "b a": true, "a b": false, "b a a": false, "": false, "a b a b": false} {
		if got := settles(slices.Clone(due), strings.Fields(came), false); got != want {
			t.Errorf("%q settles: %v", came, got)
		}
	}
	for came, want := range map[string]bool{"a b a": true, "a b": true, "b a": true, "b": false, "a a": false, "a a b b": false} {
		if got := settles(slices.Clone(due), strings.Fields(came), true); got != want {
			t.Errorf("%q settles in any order: %v", came, got)
		}
	}
}
