package conformance

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// impatience is how much shorter the budgets are for a subject with a fault: most faults are wrong words, and for those
// that are silence there is no use in waiting as long as for a slow one.
const impatience = 0.2

// heavy are the requirements whose specs flood a connection or play many random programs. They take as much time as all
// others together, so of the tolerances only the plain one is judged by them.
var heavy = []string{"RTM-LOGIN-069", "RTM-CHANNEL-078", "RTM-TRANSPORT-073", "RTM-TRANSPORT-074", "RTM-TRANSPORT-075"}

// heavyCost is about what a heavy one takes under a fault, most of it to shrink a program.
const heavyCost = 10 * time.Second

// plainTolerance is the name of the tolerance that changes nothing.
const plainTolerance = "relay"

// Selftest judges the suite: it plants every fault in front of the subject, one at a time, and looks whether a spec of each
// requirement that the fault breaks fails; and every tolerance, under which nothing may fail. Config.Only and Config.Skip
// choose requirements, and with them the faults that break them; a choice leaves the tolerances out.
//
// The subject is judged as it is first. A fault whose requirement is not met without it proves nothing, and neither does
// one of a profile that the subject does not claim; the notes of the result name both. Errors are those of [Run].
func Selftest(ctx context.Context, cfg Config) (*reports.Selftest, error) {
	ginkgoTree.Lock()
	defer ginkgoTree.Unlock()
	cfg.Slow = true
	if cfg.Seed == 0 {
		cfg.Seed = NewSeed()
	}
	env := new(specs.Env)
	judge, server, err := cfg.open(ctx, env)
	if err != nil {
		return nil, err
	}
	t := &selftest{config: &cfg, env: env, judge: judge, factor: cmp.Or(cfg.SlowFactor, 1) * impatience}
	t.result = &reports.Selftest{
		Schema: reports.SelftestSchema, SuiteVersion: cfg.SuiteVersion, CatalogueSHA256: judge.catalogue.SHA256(),
		Seed: cfg.Seed, Workers: max(cfg.Workers, 1), StartedAt: time.Now().UTC(), Subject: cfg.identity(server), Command: reports.Redact(cfg.Command), Notes: slices.Clone(cfg.Notes),
	}
	if err := t.run(ctx); err != nil {
		return nil, err
	}
	t.result.EndedAt = time.Now().UTC()
	t.result.Interrupted = ctx.Err() != nil
	return t.result, nil
}

// selftest is the state of one selftest.
type selftest struct {
	config *Config
	env    *specs.Env
	judge  *judge
	factor float64
	result *reports.Selftest

	// sound are the requirements that the subject meets as it is.
	sound map[string]bool
	done  int
	total int
}

func (t *selftest) run(ctx context.Context) error {
	if err := t.baseline(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	planted := t.faults()
	t.uncovered()
	var odd []faults.Tolerance
	if len(t.config.Only)+len(t.config.Skip) == 0 {
		odd = t.tolerances()
		t.note("Of the tolerances, only %s was judged by %s as well.", plainTolerance, strings.Join(heavy, ", "))
	} else {
		t.note("Only the faults of chosen requirements were planted, and no tolerance.")
	}
	batches, err := t.batches(planted, odd)
	if err != nil {
		return err
	}
	t.total = len(batches)
	found, ended, err := t.judgeAll(ctx, batches)
	if err != nil || ctx.Err() != nil {
		return err
	}
	second := t.settle(planted, found, ended)
	if err := t.lookElsewhere(ctx, second); err != nil {
		return err
	}
	t.settleTolerances(odd, found, ended)
	return nil
}

func (t *selftest) note(format string, args ...any) {
	t.result.Notes = append(t.result.Notes, fmt.Sprintf(format, args...))
}

// baseline judges the subject without a fault.
func (t *selftest) baseline(ctx context.Context) error {
	if err := t.judge.runPool(ctx, t.config, t.env); err != nil {
		return err
	}
	t.sound = make(map[string]bool)
	var unsound []string
	for _, id := range t.judge.wanted() {
		switch verdict := t.judge.verdict(id); verdict {
		case reports.Pass:
			t.sound[id] = true
		case reports.NotDeclared, reports.NotSelected:
		default:
			unsound = append(unsound, fmt.Sprintf("%s (%s)", id, t.judge.words(id)))
		}
	}
	if len(unsound) > 0 {
		t.note("The subject does not meet %s as it is, so no fault can show anything about it.", strings.Join(unsound, ", "))
	}
	if len(t.sound) == 0 && ctx.Err() == nil {
		return &UsageError{"the subject meets none of the requirements as it is, so that no fault can show anything"}
	}
	return nil
}

// faults are those whose requirements the subject meets.
func (t *selftest) faults() []faults.Fault {
	var planted []faults.Fault
	var left []string
	for _, fault := range t.config.allFaults() {
		switch {
		case !slices.ContainsFunc(fault.Breaks, func(id string) bool { return t.wants(id) || fault.Claims != nil && t.wanted(id, fault.Claims) }):
		case slices.ContainsFunc(fault.Breaks, func(id string) bool { return !t.sound[id] && fault.Claims == nil }):
			left = append(left, fault.Name)
		default:
			planted = append(planted, fault)
		}
	}
	if len(left) > 0 {
		t.note("Not planted, since the subject does not claim or not meet what they break: %s.", strings.Join(left, ", "))
	}
	return planted
}

func (t *selftest) wants(id string) bool {
	_, left := t.judge.left[id]
	return !left
}

// wanted tells whether a requirement is judged for a subject that makes these claims.
func (t *selftest) wanted(id string, claims []string) bool {
	return slices.Contains(t.claiming(claims), id)
}

// claiming returns the requirements that are judged for a subject that makes these claims.
func (t *selftest) claiming(claims []string) []string {
	cfg := *t.config
	cfg.Claims, cfg.clientClaims = claims, claims
	var ids []string
	for _, r := range t.judge.catalogue.Requirements {
		if verdict, _ := cfg.leaveOut(r, t.env); verdict == "" {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// uncovered lists the judged MUSTs that no fault breaks.
func (t *selftest) uncovered() {
	for _, r := range t.judge.catalogue.Requirements {
		breaks := func(fault faults.Fault) bool { return slices.Contains(fault.Breaks, r.ID) }
		if r.Level == catalogue.Must && t.wants(r.ID) && !slices.ContainsFunc(t.config.allFaults(), breaks) {
			t.result.Uncovered = append(t.result.Uncovered, r.ID)
		}
	}
}

func (t *selftest) tolerances() []faults.Tolerance {
	return slices.DeleteFunc(slices.Clone(t.config.allTolerances()), func(odd faults.Tolerance) bool {
		return !slices.Contains(t.config.subjects(), odd.Subject)
	})
}

// batches are a job for each fault, and several for each tolerance, under which everything is judged.
func (t *selftest) batches(planted []faults.Fault, odd []faults.Tolerance) ([]*batch, error) {
	var batches []*batch
	for _, fault := range planted {
		b := &batch{job: job{IDs: fault.Breaks, Fault: fault.Name, ClientClaims: fault.Claims, SlowFactor: t.factor}}
		for _, id := range fault.Breaks {
			b.cost = max(b.cost, t.env.Cost(t.judge.catalogue.Get(id)))
			if slices.Contains(heavy, id) {
				b.cost = max(b.cost, heavyCost)
			}
		}
		batches = append(batches, b)
	}
	for _, tolerance := range odd {
		ids := t.soundOf(tolerance.Subject)
		if tolerance.Claims != nil {
			ids = slices.DeleteFunc(t.claiming(tolerance.Claims), func(id string) bool {
				return string(t.judge.catalogue.Get(id).Subject) != tolerance.Subject
			})
		}
		if tolerance.Name != plainTolerance {
			ids = slices.DeleteFunc(ids, func(id string) bool { return slices.Contains(heavy, id) })
		}
		all, err := t.judge.specsOf(ids)
		if err != nil {
			return nil, err
		}
		for _, b := range plan(t.judge.catalogue, ids, t.env, all, 1, t.config.Seed) {
			b.Tolerance, b.ClientClaims, b.after = tolerance.Name, tolerance.Claims, nil
			// Many quick ones are long together, and should not begin last.
			b.cost = max(b.cost, time.Duration(len(b.IDs))*quickCost)
			batches = append(batches, b)
		}
	}
	slices.SortStableFunc(batches, func(a, b *batch) int { return cmp.Compare(b.cost, a.cost) })
	return batches, nil
}

// soundOf are the requirements of one subject that it meets as it is.
func (t *selftest) soundOf(subject string) []string {
	var ids []string
	for _, r := range t.judge.catalogue.Requirements {
		if t.sound[r.ID] && string(r.Subject) == subject {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// judgeAll does the batches and returns, for each fault or tolerance, what was found and how its jobs ended.
func (t *selftest) judgeAll(ctx context.Context, batches []*batch) (found map[string][]finding, ended map[string]*jobDone, err error) {
	found, ended = make(map[string][]finding), make(map[string]*jobDone)
	name := func(b *batch) string { return cmp.Or(b.Fault, b.Tolerance) }
	err = t.config.pool().run(ctx, batches,
		func(b *batch) {
			b.Limits, b.Timeouts, b.Seed = t.env.Limits, t.env.ClientTimeouts, t.config.Seed
			if b.ClientClaims == nil {
				b.ClientClaims = t.env.ClientClaims
			}
		},
		func(b *batch, _ string, more []finding) { found[name(b)] = append(found[name(b)], more...) },
		func(b *batch, done *jobDone) {
			if before := ended[name(b)]; before != nil {
				done.Activations += before.Activations
				done.Suite = cmp.Or(before.Suite, done.Suite)
				done.Unreachable = cmp.Or(before.Unreachable, done.Unreachable)
			}
			ended[name(b)] = done
			t.done++
			if t.config.Progress != nil {
				t.config.Progress(Progress{Done: t.done, Total: max(t.total, t.done), IDs: []string{name(b)}})
			}
		})
	return found, ended, err
}

// settle gives each fault its outcomes and returns those that no owner has killed.
func (t *selftest) settle(planted []faults.Fault, found map[string][]finding, ended map[string]*jobDone) (open []faults.Fault) {
	for _, fault := range planted {
		area := t.judge.catalogue.Get(fault.Breaks[0]).Area
		result := reports.FaultResult{
			Name: fault.Name, Text: fault.Text, Subject: fault.Subject, Area: area, Kind: reports.FrameFault, Breaks: fault.Breaks,
			Activations: ended[fault.Name].Activations,
		}
		if fault.Plant == nil {
			result.Kind = reports.LineFault
		}
		for _, f := range found[fault.Name] {
			result.DurationNS += f.Spec.DurationNS
		}
		for _, id := range fault.Breaks {
			result.Results = append(result.Results, outcome(id, found[fault.Name], ended[fault.Name]))
		}
		t.result.Faults = append(t.result.Faults, result)
		if !result.Killed() {
			open = append(open, fault)
		}
	}
	return open
}

// outcome says whether a spec of the requirement itself has failed.
func outcome(id string, found []finding, ended *jobDone) reports.BreakResult {
	result := reports.BreakResult{ID: id, Outcome: reports.Survived}
	for _, f := range found {
		if f.ID != id {
			continue
		}
		switch f.Spec.State {
		case reports.Fail, reports.Warn, reports.Info:
			return reports.BreakResult{ID: id, Outcome: reports.KilledByOwner, Killers: []string{id}, Expected: f.Expected, Observed: f.Observed}
		case reports.Pass:
		default:
			result.Outcome, result.Observed = reports.FaultError, "its spec is "+string(f.Spec.State)+": "+f.Reason
		}
	}
	switch problem := cmp.Or(ended.Suite, ended.Unreachable); {
	case problem != "":
		result.Outcome, result.Observed = reports.FaultError, problem
	case ended.Activations == 0 && result.Outcome == reports.Survived:
		result.Outcome = reports.NeverExercised
	}
	return result
}

// lookElsewhere lets the specs of all other requirements look at the faults that their owners have let pass.
func (t *selftest) lookElsewhere(ctx context.Context, open []faults.Fault) error {
	var batches []*batch
	for _, fault := range open {
		var ids []string
		for _, id := range t.soundOf(fault.Subject) {
			if !slices.Contains(fault.Breaks, id) && t.env.Cost(t.judge.catalogue.Get(id)) == 0 {
				ids = append(ids, id)
			}
		}
		if len(ids) > 0 {
			batches = append(batches, &batch{job: job{IDs: ids, Fault: fault.Name, SlowFactor: t.factor}})
		}
	}
	t.total += len(batches)
	found, ended, err := t.judgeAll(ctx, batches)
	if err != nil || ctx.Err() != nil {
		return err
	}
	for i := range t.result.Faults {
		fault := &t.result.Faults[i]
		killers := make(map[string]bool)
		for _, f := range found[fault.Name] {
			if f.Spec.State == reports.Fail || f.Spec.State == reports.Warn {
				killers[f.ID] = true
			}
		}
		if done := ended[fault.Name]; done != nil {
			fault.Activations += done.Activations
		}
		for k := range fault.Results {
			result := &fault.Results[k]
			if len(killers) > 0 && (result.Outcome == reports.Survived || result.Outcome == reports.NeverExercised) {
				result.Outcome = reports.KilledByOther
				for _, id := range t.judge.catalogue.IDs() {
					if killers[id] {
						result.Killers = append(result.Killers, id)
					}
				}
			}
			if result.Outcome == reports.NeverExercised && fault.Activations > 0 {
				result.Outcome = reports.Survived
			}
		}
	}
	return nil
}

func (t *selftest) settleTolerances(odd []faults.Tolerance, found map[string][]finding, ended map[string]*jobDone) {
	for _, tolerance := range odd {
		done := cmp.Or(ended[tolerance.Name], new(jobDone))
		result := reports.ToleranceResult{Name: tolerance.Name, Text: tolerance.Text, Subject: tolerance.Subject, Activations: done.Activations}
		worst := make(map[string]finding)
		for _, f := range found[tolerance.Name] {
			if f.Spec.State != reports.Pass && f.Spec.State != reports.NotDeclared {
				worst[f.ID] = f
			}
		}
		for _, id := range t.judge.catalogue.IDs() {
			if f, bad := worst[id]; bad {
				result.Violated = append(result.Violated, id)
				if result.Reason == "" {
					result.Reason = strings.TrimSpace(fmt.Sprintf("%s is %s: %s %s", id, f.Spec.State, f.Reason, f.Spec.Message))
				}
			}
		}
		switch problem := cmp.Or(done.Suite, done.Unreachable); {
		case problem != "":
			result.Reason = problem
		case done.Activations == 0:
			result.Reason = "it was never exercised"
		}
		result.Green = result.Reason == ""
		t.result.Tolerances = append(t.result.Tolerances, result)
	}
}
