package model

import (
	"fmt"
	"slices"
)

// Shrink returns a shorter program that still fails: it drops steps, users and channels and simplifies what is left, for as
// long as something still fails, and calls fails at most runs times. The program given must fail. When fails depends on
// nothing but the program, so does the result.
func Shrink(program Program, runs int, fails func(Program) bool) Program {
	s := &shrinker{best: program, runs: runs, fails: fails, tried: make(map[string]bool)}
	for {
		before := s.best.String()
		s.names(Program.Users, func(p Program, user string) Program {
			return without(p, func(step Step) bool { return step.User == user || step.To == user })
		})
		s.names(Program.Channels, func(p Program, channel string) Program {
			return without(p, func(step Step) bool { return step.Channel == channel })
		})
		s.steps()
		s.simplify()
		if s.best.String() == before || s.runs <= 0 {
			return s.best
		}
	}
}

type shrinker struct {
	best  Program
	runs  int
	fails func(Program) bool
	// tried are the programs that did not fail.
	tried map[string]bool
}

// try takes a candidate that fails.
func (s *shrinker) try(candidate Program) bool {
	candidate = tidy(candidate)
	text := candidate.String()
	if len(candidate) == 0 || text == s.best.String() || s.tried[text] || s.runs <= 0 {
		return false
	}
	s.runs--
	if !s.fails(candidate) {
		s.tried[text] = true
		return false
	}
	s.best = candidate
	return true
}

// names drops everything of one name after the other.
func (s *shrinker) names(of func(Program) []string, drop func(Program, string) Program) {
	for _, name := range of(s.best) {
		s.try(drop(s.best, name))
	}
}

// steps drops runs of steps, long ones first, the last of the program first: what is set up early is needed longest.
func (s *shrinker) steps() {
	for size := len(s.best) / 2; size > 0; size /= 2 {
		for end := len(s.best); end > 0; end -= size {
			if end = min(end, len(s.best)); end > 0 {
				s.try(slices.Concat(s.best[:max(0, end-size)], s.best[end:]))
			}
		}
	}
}

// simpler are verbs that do less, or that are easier to follow.
var simpler = map[Verb]Verb{
	LogsInElsewhere: LogsIn, ResumesEnded: LogsInElsewhere, ResumesWithout: Resumes, Resumes: LogsIn, Rejoins: Joins, IsCut: LogsOut,
}

// simplify takes simpler steps, one channel for two, and short texts.
func (s *shrinker) simplify() {
	for i := 0; i < len(s.best); i++ {
		s.change(i, func(step *Step) { step.AtOnce = false })
		s.change(i, func(step *Step) {
			if verb, ok := simpler[step.Verb]; ok {
				step.Verb = verb
				if object, _ := verb.object(); object == "" {
					step.Channel = ""
				}
			}
		})
	}
	if channels := s.best.Channels(); len(channels) > 1 {
		for _, channel := range channels[1:] {
			merged := slices.Clone(s.best)
			for i := range merged {
				if merged[i].Channel == channel {
					merged[i].Channel = channels[0]
				}
			}
			s.try(merged)
		}
	}
	numbered, texts := slices.Clone(s.best), 0
	for i := range numbered {
		if numbered[i].Text != "" {
			texts++
			numbered[i].Text = fmt.Sprintf("m%d", texts)
		}
	}
	s.try(numbered)
}

func (s *shrinker) change(i int, change func(*Step)) {
	changed := slices.Clone(s.best)
	change(&changed[i])
	s.try(changed)
}

func without(p Program, drop func(Step) bool) Program {
	return slices.DeleteFunc(slices.Clone(p), drop)
}

// tidy makes a program valid whose steps were dropped: what happened at once with a step that is gone happens alone.
func tidy(p Program) Program {
	p = slices.Clone(p)
	for i := range p {
		if p[i].AtOnce && p[:i+1].checkLast() != nil {
			p[i].AtOnce = false
		}
	}
	return p
}
