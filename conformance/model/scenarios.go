package model

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"sync"
)

// Scenario is a program that is kept.
type Scenario struct {
	// Name is the file's name without its ending. It begins with the profile that it belongs to: core, channels
	// or reconnect.
	Name string
	// Text is the scenario, remarks included.
	Text string
	// Program is what the text says.
	Program Program
}

//go:embed scenarios/*.txt
var kept embed.FS

// Scenarios returns the scenarios that are kept with this package, in the order of their names. Each stays within the
// published limits. The slice is shared and must not be changed.
var Scenarios = sync.OnceValue(func() []Scenario {
	names, err := fs.Glob(kept, "scenarios/*.txt")
	if err != nil {
		panic(err)
	}
	scenarios := make([]Scenario, len(names))
	for i, name := range names {
		text, err := fs.ReadFile(kept, name)
		if err != nil {
			panic(err)
		}
		program, err := Parse(string(text))
		if err != nil {
			panic(fmt.Sprintf("model: %s: %v", name, err))
		}
		name = strings.TrimSuffix(strings.TrimPrefix(name, "scenarios/"), ".txt")
		scenarios[i] = Scenario{name, string(text), program}
	}
	return scenarios
})
