package conformance

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/specs"
)

// plan cuts a run into batches.
func plan(requirements *catalogue.Catalogue, ids []string, env *specs.Env, all []Spec, workers int, seed int64) []*batch {
	units := together(ids, all)
	needed := make(map[string]bool)
	for _, id := range ids {
		for _, need := range requirements.Get(id).Needs {
			needed[need] = true
		}
	}
	cost := func(unit []string) (longest time.Duration) {
		for _, id := range unit {
			r := requirements.Get(id)
			longest = max(longest, env.Cost(r))
			if r.Slow {
				longest = max(longest, time.Second)
			}
		}
		return longest
	}
	first := new(batch)
	var waiting []*batch
	quick := make([]*batch, max(1, workers))
	for i := range quick {
		quick[i] = &batch{after: []*batch{first}}
	}
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	random.Shuffle(len(units), func(a, b int) { units[a], units[b] = units[b], units[a] })
	for i, unit := range units {
		waits := cost(unit)
		switch {
		case waits > 0 || slices.ContainsFunc(unit, func(id string) bool { return needsWaiting(requirements, id, cost, len(ids)) }):
			waiting = append(waiting, &batch{job: job{IDs: unit}, after: []*batch{first}, cost: waits})
		case slices.ContainsFunc(unit, func(id string) bool { return needed[id] }):
			first.IDs = append(first.IDs, unit...)
		default:
			quick[i%len(quick)].IDs = append(quick[i%len(quick)].IDs, unit...)
		}
	}
	slices.SortStableFunc(waiting, func(a, b *batch) int { return cmp.Compare(b.cost, a.cost) })
	order := slices.Concat([]*batch{first}, waiting, quick)
	order = slices.DeleteFunc(order, func(b *batch) bool { return len(b.IDs) == 0 })
	if len(first.IDs) == 0 {
		for _, b := range order {
			b.after = nil
		}
	}
	for _, b := range order {
		b.waitFor(requirements, order)
	}
	return order
}

// needsWaiting tells whether a requirement needs, directly or not, one that waits for a limit.
func needsWaiting(requirements *catalogue.Catalogue, id string, cost func([]string) time.Duration, bound int) bool {
	return bound > 0 && slices.ContainsFunc(requirements.Get(id).Needs, func(need string) bool {
		return cost([]string{need}) > 0 || needsWaiting(requirements, need, cost, bound-1)
	})
}

// waitFor lets a batch wait for those that hold what it needs, as far as they do not wait for it.
func (b *batch) waitFor(requirements *catalogue.Catalogue, all []*batch) {
	for _, id := range b.IDs {
		for _, need := range requirements.Get(id).Needs {
			i := slices.IndexFunc(all, func(other *batch) bool { return slices.Contains(other.IDs, need) })
			if i >= 0 && all[i] != b && !slices.Contains(b.after, all[i]) && !all[i].waitsFor(b) {
				b.after = append(b.after, all[i])
			}
		}
	}
}

func (b *batch) waitsFor(other *batch) bool {
	return slices.ContainsFunc(b.after, func(earlier *batch) bool { return earlier == other || earlier.waitsFor(other) })
}

// together groups the ids so that those that share a spec stay in one group, in the order of the catalogue.
func together(ids []string, all []Spec) [][]string {
	group := make(map[string]int)
	for i, id := range ids {
		group[id] = i
	}
	for changed := true; changed; {
		changed = false
		for _, spec := range all {
			lowest := len(ids)
			for _, id := range spec.IDs {
				if g, in := group[id]; in {
					lowest = min(lowest, g)
				}
			}
			for _, id := range spec.IDs {
				if g, in := group[id]; in && g != lowest {
					group[id], changed = lowest, true
				}
			}
		}
	}
	byGroup := make(map[int][]string)
	for _, id := range ids {
		byGroup[group[id]] = append(byGroup[group[id]], id)
	}
	var groups [][]string
	for i := range ids {
		if members := byGroup[i]; members != nil {
			groups = append(groups, members)
		}
	}
	return groups
}
