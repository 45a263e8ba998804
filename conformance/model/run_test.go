package model

import (
	"math/rand/v2"
	"testing"

	"github.com/rtmkit/rtmkit/sdk/wire"

	refserver "github.com/rtmkit/rtmkit/reference-server"
)

// shapes are the kinds of programs that the suite makes.
var shapes = map[string]Shape{
	"core":      {Kicks: true},
	"channels":  {Channels: 2, Kicks: true},
	"reconnect": {Channels: 2, Kicks: true, Cuts: true, Steps: 30},
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

func TestTheReferenceServerKeepsToTheModel(t *testing.T) {
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			server := startReference(t)
			shape.Limits.Calls = map[string]int{}
			for seed := range uint64(200) {
				program := Generate(seeded(seed), shape)
				divergence, err := Run(t.Context(), server, program)
				if err != nil || divergence != nil {
					t.Fatalf("seed %d: %v %v\n%s", seed, divergence, err, program)
				}
			}
		})
	}
}

func TestTheReferenceServerKeepsToTheModelWithItsCallLimits(t *testing.T) {
	server := startReference(t, func(c *refserver.Config) { c.Limits.Calls = wire.DefaultCalls() })
	for seed := range uint64(20) {
		program := Generate(seeded(seed), shapes["reconnect"])
		divergence, err := Run(t.Context(), server, program)
		if err != nil || divergence != nil {
			t.Fatalf("seed %d: %v %v\n%s", seed, divergence, err, program)
		}
	}
}
