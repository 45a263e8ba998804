package conformance

import (
	"slices"
	"strings"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"

	"github.com/rtmkit/rtmkit/conformance/specs"
)

// Spec tells about a spec without running it.
type Spec struct {
	// Name is the spec's full name.
	Name string
	// IDs are the requirements that it verifies.
	IDs []string
	// Location is where it is written, as file:line.
	Location string
}

// Specs lists all specs, sorted by where they are written. Like [Run] it must not be called from inside a Ginkgo suite,
// and the error is a [*UsageError] for test flags that Ginkgo refuses.
func Specs() ([]Spec, error) {
	ginkgoTree.Lock()
	defer ginkgoTree.Unlock()
	return listSpecs()
}

// listSpecs is [Specs] for a caller that holds the tree.
func listSpecs() ([]Spec, error) {
	reset, err := ownTree()
	if err != nil {
		return nil, err
	}
	defer reset()
	specs.Register(new(specs.Env))
	suite, reporter := configuration(1, nil)
	var list []Spec
	for _, report := range ginkgo.PreviewSpecs("RTM conformance", suite, reporter).SpecReports {
		if report.LeafNodeType == types.NodeTypeIt {
			list = append(list, Spec{specName(report), specs.IDs(report.Labels()), location(report.LeafNodeLocation)})
		}
	}
	slices.SortStableFunc(list, func(a, b Spec) int { return strings.Compare(a.Location, b.Location) })
	return list, nil
}

// specName is the full text of a spec without the container that all specs are in.
func specName(report types.SpecReport) string { return strings.TrimPrefix(report.FullText(), "RTM ") }
