package model

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// Shape says what kind of programs are made.
type Shape struct {
	// Steps is how many steps a program has; 0 means 24.
	Steps int
	// Users is how many users it has, at most 8; 0 means 3.
	Users int
	// Channels is how many channels it has, at most 4; without one, users only log in and out and send peer messages.
	Channels int
	// Kicks lets users log in elsewhere and ask for sessions that have ended.
	Kicks bool
	// Cuts cuts links, resumes sessions and joins channels behind what was seen of them.
	Cuts bool
	// Limits are those of the server: the call limits are kept, and there are no more users than Members.
	Limits Limits
}

var (
	userNames    = []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi"}
	channelNames = []string{"lobby", "hall", "attic", "cellar"}
)

func (s Shape) withDefaults() Shape {
	for value, usual := range map[*int]int{&s.Steps: 24, &s.Users: 3} {
		if *value <= 0 {
			*value = usual
		}
	}
	s.Limits = s.Limits.withDefaults()
	s.Steps = min(s.Steps, programSteps)
	s.Users = min(s.Users, len(userNames), s.Limits.Members)
	s.Channels = max(0, min(s.Channels, len(channelNames)))
	return s
}

// Generate makes a program at random. The same source and shape make the same program. It begins with the logins of all
// users and the joins of most, and prefers steps that mean something where the user is to ones that are refused.
func Generate(random *rand.Rand, shape Shape) Program {
	shape = shape.withDefaults()
	g := &generator{random: random, shape: shape, state: newState(shape.Limits)}
	for _, user := range userNames[:shape.Users] {
		g.add(Step{User: user, Verb: LogsIn})
	}
	for _, user := range userNames[:shape.Users] {
		if shape.Channels > 0 && random.IntN(4) > 0 {
			g.add(Step{User: user, Verb: Joins, Channel: channelNames[0]})
		}
	}
	for tries := 0; len(g.program) < shape.Steps && tries < 20*shape.Steps; tries++ {
		g.add(g.step())
	}
	return g.program
}

type generator struct {
	random  *rand.Rand
	shape   Shape
	state   *state
	program Program
	texts   int
	// before is the state before the steps that happen at once, the first of which is first.
	before *state
	first  int
}

// add appends a step that is valid, that no call limit can refuse and that leaves no doubt.
func (g *generator) add(step Step) {
	longer := append(g.program, step)
	if g.state.over(step) != "" || longer.checkLast() != nil {
		return
	}
	if !step.AtOnce {
		g.before, g.first = g.state.clone(), len(g.program)
	}
	next := g.before.clone()
	if _, ok := next.together(g.first+1, longer[g.first:]); ok {
		g.program, g.state = longer, next
	}
}

// choice is a verb and how often it is chosen compared to others.
type choice struct {
	verb   Verb
	weight int
}

func (g *generator) step() Step {
	user := userNames[g.random.IntN(g.shape.Users)]
	step := Step{User: user, Verb: g.verb(user)}
	switch step.Verb {
	case Tells:
		step.To = userNames[g.random.IntN(g.shape.Users)]
	case Joins, Rejoins:
		step.Channel = g.channel(user, false)
	case Leaves, Sends, Lists, ResumesWithout:
		step.Channel = g.channel(user, true)
	case Counts:
		step.Channel = channelNames[g.random.IntN(g.shape.Channels)]
	}
	if step.Verb == Sends || step.Verb == Tells {
		g.texts++
		step.Text = fmt.Sprintf("m%d", g.texts)
	}
	if last := g.program[len(g.program)-1]; last.Verb.request() && step.Verb.request() {
		step.AtOnce = step.Verb != Rejoins && g.random.IntN(3) == 0
	}
	return step
}

// verb chooses what a user does next.
func (g *generator) verb(user string) Verb {
	var choices []choice
	switch g.state.user(user).presence {
	case offline:
		choices = []choice{{LogsIn, 10}, {Sends, 1}, {Joins, 1}}
		if g.shape.Kicks {
			choices = append(choices, choice{ResumesEnded, 2})
		}
	case lost:
		choices = []choice{{Resumes, 8}, {ResumesWithout, 2}, {LogsIn, 1}}
		if g.shape.Kicks {
			choices = append(choices, choice{ResumesEnded, 1})
		}
	default:
		choices = []choice{{Tells, 5}, {Counts, 1}, {LogsOut, 1}, {LogsIn, 1}}
		if len(g.state.user(user).channels) > 0 {
			choices = append(choices, choice{Sends, 6}, choice{Leaves, 3}, choice{Lists, 2}, choice{Joins, 4})
		} else {
			choices = append(choices, choice{Joins, 7}, choice{Sends, 1}, choice{Leaves, 1}, choice{Lists, 1})
		}
		if g.shape.Kicks {
			choices = append(choices, choice{LogsInElsewhere, 2}, choice{ResumesEnded, 1})
		}
		if g.shape.Cuts {
			choices = append(choices, choice{IsCut, 4}, choice{Resumes, 1}, choice{ResumesWithout, 1}, choice{Rejoins, 4})
		}
	}
	if g.shape.Channels == 0 {
		choices = slices.DeleteFunc(choices, func(c choice) bool {
			object, _ := c.verb.object()
			return strings.HasPrefix(object, "CHANNEL")
		})
	}
	sum := 0
	for _, choice := range choices {
		sum += choice.weight
	}
	drawn := g.random.IntN(sum)
	for _, choice := range choices {
		if drawn -= choice.weight; drawn < 0 {
			return choice.verb
		}
	}
	return LogsIn
}

// channel chooses a channel, mostly one that the user is in, or mostly one that it is not in.
func (g *generator) channel(user string, inside bool) string {
	joined := g.state.user(user).channels
	fitting := slices.DeleteFunc(slices.Clone(channelNames[:g.shape.Channels]), func(name string) bool { return joined[name] != inside })
	if len(fitting) == 0 || g.random.IntN(8) == 0 {
		fitting = channelNames[:g.shape.Channels]
	}
	return fitting[g.random.IntN(len(fitting))]
}
