package model

import (
	"testing"

	"github.com/rtmkit/rtmkit/sdk/wire"

	refserver "github.com/rtmkit/rtmkit/reference-server"
)

func TestTheReferenceServerPlaysTheKeptScenariosWithThePublishedLimits(t *testing.T) {
	server := startReference(t, func(c *refserver.Config) { c.Limits = wire.DefaultLimits() })
	for _, scenario := range Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			divergence, err := Run(t.Context(), server, scenario.Program)
			if err != nil || divergence != nil {
				t.Errorf("%v %v", divergence, err)
			}
		})
	}
}
