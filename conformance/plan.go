package conformance

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/specs"
)

// quickCost is about what a requirement takes that waits for nothing.
const quickCost = 10 * time.Millisecond

// chunkSize is how many quick requirements make a batch worth a tree of its own.
const chunkSize = 12

// plan cuts a run into batches. A requirement that waits for an announced limit is a batch of its own; quick ones of the
// same depth share a few. A batch waits for those that hold what it needs, which are of lower depth, and those begin first
// behind which the longest chain of waits stands.
func plan(requirements *catalogue.Catalogue, ids []string, env *specs.Env, all []Spec, workers int, seed int64) []*batch {
	units := together(ids, all)
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	random.Shuffle(len(units), func(a, b int) { units[a], units[b] = units[b], units[a] })
	var batches []*batch
	levels := make(map[int][][]string)
	for _, unit := range units {
		if waits := waitOf(requirements, env, unit); waits > 0 {
			batches = append(batches, &batch{job: job{IDs: unit}, cost: waits})
			continue
		}
		depth := depthOf(requirements, unit)
		levels[depth] = append(levels[depth], unit)
	}
	for _, depth := range slices.Sorted(maps.Keys(levels)) {
		chunks := make([]*batch, min(max(1, workers), (len(levels[depth])+chunkSize-1)/chunkSize))
		for i := range chunks {
			chunks[i] = new(batch)
		}
		for i, unit := range levels[depth] {
			chunk := chunks[i%len(chunks)]
			chunk.IDs = append(chunk.IDs, unit...)
			chunk.cost += quickCost * time.Duration(len(unit))
		}
		batches = append(batches, chunks...)
	}
	holder := make(map[string]*batch)
	for _, b := range batches {
		for _, id := range b.IDs {
			holder[id] = b
		}
	}
	for _, b := range batches {
		for _, id := range b.IDs {
			for _, need := range requirements.Get(id).Needs {
				if held := holder[need]; held != nil && held != b && !slices.Contains(b.after, held) {
					b.after = append(b.after, held)
				}
			}
		}
	}
	chain := chains(batches)
	slices.SortStableFunc(batches, func(a, b *batch) int { return cmp.Compare(chain[b], chain[a]) })
	return batches
}

// waitOf is how long a unit waits for announced limits, 0 for a quick one.
func waitOf(requirements *catalogue.Catalogue, env *specs.Env, unit []string) (longest time.Duration) {
	for _, id := range unit {
		r := requirements.Get(id)
		longest = max(longest, env.Cost(r), r.Waits)
		if r.Slow {
			longest = max(longest, time.Second)
		}
	}
	return longest
}

func depthOf(requirements *catalogue.Catalogue, unit []string) (deepest int) {
	for _, id := range unit {
		deepest = max(deepest, requirements.Depth(id))
	}
	return deepest
}

// chains returns, for each batch, the cost of the longest chain that begins with it.
func chains(batches []*batch) map[*batch]time.Duration {
	behind := make(map[*batch][]*batch)
	for _, b := range batches {
		for _, earlier := range b.after {
			behind[earlier] = append(behind[earlier], b)
		}
	}
	chain := make(map[*batch]time.Duration)
	var of func(b *batch) time.Duration
	of = func(b *batch) time.Duration {
		if known, done := chain[b]; done {
			return known
		}
		// A circle, which units that share a spec could make, ends here.
		chain[b] = b.cost
		longest := time.Duration(0)
		for _, next := range behind[b] {
			longest = max(longest, of(next))
		}
		chain[b] = b.cost + longest
		return chain[b]
	}
	for _, b := range batches {
		of(b)
	}
	return chain
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
