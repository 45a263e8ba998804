package specs

import (
	"fmt"
	"strings"

	"github.com/onsi/ginkgo/v2"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
)

// Verifies says which requirements a spec judges, and gives it everything that follows from that: the labels, and a
// priority by which prerequisites run first. A spec, or the table whose entries share it, has exactly one Verifies. A
// spec that finds a violation counts against all its ids, so most specs have one.
//
// Misuse panics while the tree is built: an id that the catalogue does not have, or a requirement that is undecided.
func Verifies(ids ...string) []any {
	verifying.Lock()
	verifying.ids = append(verifying.ids, ids...)
	verifying.Unlock()
	requirements := catalogue.Embedded()
	labels := make(ginkgo.Labels, 0, len(ids)+4)
	depth := len(requirements.Requirements)
	for _, id := range ids {
		r := requirements.Get(id)
		if r == nil {
			panic(fmt.Sprintf("specs: Verifies(%q): the catalogue has no such requirement; the nearest is %s", id, catalogue.Nearest(id, requirements.IDs())))
		}
		if !r.Judged() {
			panic(fmt.Sprintf("specs: Verifies(%q): the requirement is undecided and never judged", id))
		}
		labels = append(labels, id, "level:"+string(r.Level), "subject:"+string(r.Subject), "profile:"+r.Profile)
		if r.Slow {
			labels = append(labels, "slow")
		}
		depth = min(depth, requirements.Depth(id))
	}
	if len(ids) == 0 {
		panic("specs: Verifies() without an id: every spec judges something")
	}
	return []any{labels, ginkgo.SpecPriority(len(requirements.Requirements) - depth)}
}

// IDs returns the requirement ids among the labels of a spec.
func IDs(labels []string) []string {
	var ids []string
	for _, label := range labels {
		if strings.HasPrefix(label, "RTM-") {
			ids = append(ids, label)
		}
	}
	return ids
}
