package model

import (
	"fmt"
	"slices"
	"strings"
)

// Program is a list of steps.
type Program []Step

// The bounds of a program.
const (
	programSteps    = 500
	programUsers    = 16
	programChannels = 16
	programBytes    = 1 << 20
)

// ParseError tells which line of a scenario is wrong.
type ParseError struct {
	// Line counts from 1.
	Line int
	// Problem is what is wrong with it.
	Problem error
}

// Error tells the line and what is wrong with it.
func (e *ParseError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Problem) }

// Unwrap returns the problem.
func (e *ParseError) Unwrap() error { return e.Problem }

// Parse reads a scenario: one step per line, as [Step.String] writes it. Lines may be indented; empty ones and those that
// begin with # are passed over. The error is a [*ParseError]. A program has at most 500 steps, 16 users and 16 channels.
func Parse(text string) (Program, error) {
	if len(text) > programBytes {
		return nil, &ParseError{1, fmt.Errorf("the scenario has %d bytes; %d is the most", len(text), programBytes)}
	}
	var program Program
	var lines []int
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		step, err := parseStep(line)
		if err == nil {
			err = append(program, step).checkLast()
		}
		if err != nil {
			return nil, &ParseError{number, err}
		}
		program, lines = append(program, step), append(lines, number)
	}
	if i, err := program.checkOrder(); err != nil {
		return nil, &ParseError{lines[i], err}
	}
	if len(program) == 0 {
		return nil, &ParseError{number, fmt.Errorf("the scenario has no step; write lines such as %q", Step{User: "alice", Verb: LogsIn})}
	}
	return program, nil
}

// String returns the program as a scenario, one step per line, which [Parse] reads back.
func (p Program) String() string {
	var text strings.Builder
	for _, step := range p {
		text.WriteString(step.String())
		text.WriteByte('\n')
	}
	return text.String()
}

// Users returns the users of the program in the order in which they are first named.
func (p Program) Users() []string {
	var users []string
	for _, step := range p {
		for _, name := range []string{step.User, step.To} {
			if name != "" && !slices.Contains(users, name) {
				users = append(users, name)
			}
		}
	}
	return users
}

// Channels returns the channels of the program in the order in which they are first named.
func (p Program) Channels() []string {
	var channels []string
	for _, step := range p {
		if step.Channel != "" && !slices.Contains(channels, step.Channel) {
			channels = append(channels, step.Channel)
		}
	}
	return channels
}

// check returns what is wrong with a program that was not parsed.
func (p Program) check() error {
	for i := range p {
		if err := p[:i+1].checkLast(); err != nil {
			return fmt.Errorf("model: step %d: %w", i+1, err)
		}
	}
	if i, err := p.checkOrder(); err != nil {
		return fmt.Errorf("model: step %d: %w", i+1, err)
	}
	return nil
}

// checkOrder returns the first step that what happens at once with it leaves in doubt.
func (p Program) checkOrder() (int, error) {
	s := newState(Limits{})
	for i := 0; i < len(p); {
		size := p.group(i)
		if _, ok := s.together(i+1, p[i:i+size]); !ok {
			return i + size - 1, fmt.Errorf("what is left behind depends on which of the steps at once comes first, or there are more "+
				"than %d of them; let users do at once what does not meet in this way", wovenSteps)
		}
		i += size
	}
	return 0, nil
}

func (p Program) checkLast() error {
	last := len(p) - 1
	var before *Step
	if last > 0 {
		before = &p[last-1]
	}
	switch {
	case len(p) > programSteps:
		return fmt.Errorf("the program has more than %d steps", programSteps)
	case len(p.Users()) > programUsers:
		return fmt.Errorf("the program has more than %d users", programUsers)
	case len(p.Channels()) > programChannels:
		return fmt.Errorf("the program has more than %d channels", programChannels)
	}
	return p[last].check(before)
}

// group returns how many steps from i on are one group: a step and those that happen at once with it.
func (p Program) group(i int) int {
	size := 1
	for i+size < len(p) && p[i+size].AtOnce {
		size++
	}
	return size
}
