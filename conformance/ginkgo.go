package conformance

import (
	"context"
	"flag"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/extensions/globals"
	"github.com/onsi/ginkgo/v2/formatter"
	"github.com/onsi/ginkgo/v2/types"
)

// ginkgoTree guards Ginkgo's tree of specs and its configuration, of which a process has one.
var ginkgoTree sync.Mutex

// ownTree makes Ginkgo's tree empty and its console silent, and returns what undoes that. Ginkgo ends the process when
// it sees test flags that it does not support, so those are dealt with before it looks.
func ownTree() (reset func(), err error) {
	if set := flag.Lookup("test.parallel"); set != nil && wasSet(set.Name) {
		return nil, &UsageError{"Ginkgo refuses the test flag -parallel, which has no effect on specs; run without it"}
	}
	count := ""
	if set := flag.Lookup("test.count"); set != nil && set.Value.String() != "1" {
		// The repeats are those of the test that runs the suite, and none of Ginkgo's business.
		count = set.Value.String()
		_ = flag.Set("test.count", "1")
	}
	console, errors := formatter.ColorableStdOut, formatter.ColorableStdErr
	formatter.ColorableStdOut, formatter.ColorableStdErr = io.Discard, io.Discard
	globals.Reset()
	return func() {
		globals.Reset()
		formatter.ColorableStdOut, formatter.ColorableStdErr = console, errors
		if count != "" {
			_ = flag.Set("test.count", count)
		}
	}, nil
}

func wasSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// failed is all that Ginkgo wants of a test.
type failed struct{}

// Fail is called when a spec has failed, which the reports tell in more detail.
func (failed) Fail() {}

// configuration makes Ginkgo order the specs by the seed and, when ids are given, look at no others.
func configuration(seed int64, ids []string) (types.SuiteConfig, types.ReporterConfig) {
	suite, _ := ginkgo.GinkgoConfiguration()
	plain := types.NewDefaultSuiteConfig()
	plain.RandomSeed, plain.RandomizeAllSpecs = seed, true
	plain.FailOnEmpty = true
	plain.LabelFilter = strings.Join(ids, " || ")
	plain.GracePeriod = 2 * time.Second
	plain.Timeout = 24 * time.Hour
	plain.OutputInterceptorMode = "none"
	plain.ParallelProcess, plain.ParallelTotal = suite.ParallelProcess, suite.ParallelTotal
	reporter := types.NewDefaultReporterConfig()
	reporter.NoColor, reporter.Succinct = true, true
	return plain, reporter
}

// joined returns the context of a node that also ends when the run ends.
func joined(node, run context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(node)
	stop := context.AfterFunc(run, func() { cancel(context.Cause(run)) })
	context.AfterFunc(node, func() { stop() })
	return ctx
}
