package model

import (
	"testing"
	"time"

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

func TestEachKeptScenarioShowsADefect(t *testing.T) {
	shows := map[string]string{
		"channels-at-once":                "a peer message comes twice",
		"channels-come-and-go":            "a member that leaves is not told",
		"channels-leave-and-join-at-once": "a message comes back to its sender",
		"channels-resume-after-kick":      "a kick leaves the memberships",
		"core-one-session":                "a kick is not told",
		"reconnect-grace":                 "a lost link leaves the channels at once",
		"reconnect-late-cleanup":          "the cleanup of an evicted session ends what its successor joined",
		"reconnect-replay":                "a resume brings the last message again",
	}
	for _, scenario := range Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			test, ok := defects[shows[scenario.Name]]
			if !ok {
				t.Fatal("no defect is named that the scenario shows")
			}
			server := startFaulty(t, test.defect)
			server.Budget = time.Second
			if divergence, err := Run(t.Context(), server, scenario.Program); divergence == nil || err != nil {
				t.Errorf("a server where %s plays it: %v", shows[scenario.Name], err)
			}
		})
	}
}
