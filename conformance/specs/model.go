package specs

import (
	"context"
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/model"
)

// ScenarioEntry holds the shortest program that a server fails, as the text of a scenario file.
const ScenarioEntry = "rtm.scenario"

// modelPrograms is how many programs of a kind a run makes.
const modelPrograms = 20

// programs are the kinds of programs, and the requirements that they verify. A profile that is claimed alone is judged by
// what belongs to it.
var programs = []struct {
	profile, id string
	shape       model.Shape
}{
	{"core", "RTM-LOGIN-069", model.Shape{Kicks: true}},
	{"channels", "RTM-CHANNEL-078", model.Shape{Channels: 2, Kicks: true}},
	{"reconnect", "RTM-TRANSPORT-075", model.Shape{Channels: 2, Kicks: true, Cuts: true, Steps: 30}},
}

// RegisterModel registers the specs that judge a server by programs of several users, random ones and those that are kept.
func RegisterModel(env *Env) {
	for _, kind := range programs {
		Describe("program of the profile "+kind.profile, func() {
			It("goes as the model says, whatever its steps are", Verifies(kind.id), func(ctx SpecContext) {
				shape := kind.shape
				shape.Limits = env.modelLimits()
				failure, err := model.Judge(ctx, env.model(), shape, env.seed(), modelPrograms)
				env.programmed(ctx, failure, err)
			})

			for _, scenario := range model.Scenarios() {
				if !strings.HasPrefix(scenario.Name, kind.profile+"-") {
					continue
				}
				It("goes as the model says: "+scenario.Name, Verifies(kind.id), func(ctx SpecContext) {
					failure, err := model.Replay(ctx, env.model(), scenario.Program)
					env.programmed(ctx, failure, err)
				})
			}
		})
	}
}

// programmed ends the spec by what became of a program.
func (e *Env) programmed(ctx context.Context, failure *model.Failure, err error) {
	GinkgoHelper()
	limit := new(model.LimitError)
	switch {
	case err != nil && ctx.Err() != nil:
		missing(ctx, "", err)
	case errors.Is(err, model.ErrTooSlow), errors.As(err, &limit):
		e.cannotJudge(strings.TrimPrefix(err.Error(), "model: "))
	case err != nil:
		Violated("the users of a program can log in", strings.TrimPrefix(err.Error(), "model: "))
	case failure != nil:
		scenario := failure.Scenario()
		AddReportEntry(ScenarioEntry, scenario, ReportEntryVisibilityFailureOrVerbose)
		Violated(failure.Divergence.Expected, failure.Divergence.Observed+"; it happens with this scenario, which can be kept in a file:\n"+scenario)
	}
}

// model is the server under test as programs see it.
func (e *Env) model() model.Server {
	return model.Server{URL: e.Server, TLS: e.TLS, AppID: e.AppID, Token: e.Token, Budget: e.Answer(), Trace: e.Trace()}
}

// modelLimits are the announced limits as programs see them.
func (e *Env) modelLimits() model.Limits {
	limits := model.Limits{
		Members: e.Limits.Number("members"), Channels: e.Limits.Number("channels"), ReplayMessages: e.Limits.Number("replay_messages"),
		Replay: e.Limits.Duration("replay_ms"), Grace: e.Limits.Duration("session_grace_ms"), Silence: e.Limits.Duration("silence_ms"),
		AckTimeout: e.Limits.Duration("ack_timeout_ms"), PingInterval: e.Limits.Duration("ping_interval_ms"), Calls: make(map[string]int),
	}
	for _, call := range e.Limits.Calls {
		limits.Calls[call.Call] = call.Count
	}
	return limits
}

func (e *Env) seed() uint64 {
	if e.Seed != 0 {
		return uint64(e.Seed)
	}
	return uint64(GinkgoRandomSeed())
}
