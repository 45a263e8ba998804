package loadgen

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Threshold is a limit that a run has to keep. In a workload file it is the text of its limit, or a mapping with the
// keys below.
type Threshold struct {
	// Expr is the limit.
	Expr Limit `yaml:"expr"`

	// Abort ends the run as soon as the limit is broken, judged once a second by all that was measured until then. The
	// run drains, closes and is written like any other. Limits of latencies and errors can do that; what became of each
	// message is known in the end only.
	Abort bool `yaml:"abort,omitempty"`

	// After is how long the measured phase lasts before Abort begins to look.
	After time.Duration `yaml:"after,omitempty"`

	// AllowInsufficient lets a limit pass that has too few samples to be judged, or a server that cannot be watched.
	// Without it such a limit fails, because nobody knows whether it was kept.
	AllowInsufficient bool `yaml:"allow_insufficient,omitempty"`
}

// ParseThreshold reads a threshold without options: what [ParseLimit] reads.
func ParseThreshold(text string) (Threshold, error) {
	limit, err := ParseLimit(text)
	return Threshold{Expr: limit}, err
}

// String returns the text of the limit; it does not tell of the options.
func (t Threshold) String() string { return t.Expr.String() }

// UnmarshalText reads what [ParseThreshold] reads, so that a Threshold can be a command-line flag.
func (t *Threshold) UnmarshalText(text []byte) error {
	parsed, err := ParseThreshold(string(text))
	if err == nil {
		*t = parsed
	}
	return err
}

// MarshalYAML writes the text of the limit, or a mapping where options are set.
func (t Threshold) MarshalYAML() (any, error) {
	if (t == Threshold{Expr: t.Expr}) {
		return t.Expr.String(), nil
	}
	type plain Threshold
	return plain(t), nil
}

// UnmarshalYAML reads a text or a mapping. It knows no other keys than those of the fields, and its errors name the
// line.
func (t *Threshold) UnmarshalYAML(node *yaml.Node) error {
	refuse := func(at *yaml.Node, format string, args ...any) error {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s", at.Line, fmt.Sprintf(format, args...))}}
	}
	read := func(at *yaml.Node, into any) error {
		err := at.Decode(into)
		var refused *ExpressionError
		if errors.As(err, &refused) {
			return refuse(at, "%v", err)
		}
		return err
	}
	if node.Kind == yaml.ScalarNode {
		return read(node, &t.Expr)
	}
	if node.Kind != yaml.MappingNode {
		return refuse(node, "a threshold is a text, such as peer.ack.p99 < 50ms, or a mapping with the key expr")
	}
	fields := map[string]any{"expr": &t.Expr, "abort": &t.Abort, "after": &t.After, "allow_insufficient": &t.AllowInsufficient}
	given := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		into, known := fields[key.Value]
		if !known {
			known := keysOf(reflect.TypeFor[Threshold]().Name())
			return refuse(key, "unknown key %q;%s known here: %s", key.Value, didYouMean(key.Value, known), strings.Join(known, ", "))
		}
		if given[key.Value] {
			return refuse(key, "the key %q stands here twice", key.Value)
		}
		given[key.Value] = true
		if err := read(value, into); err != nil {
			return err
		}
	}
	if !given["expr"] {
		return refuse(node, "a threshold needs the key expr, such as expr: peer.ack.p99 < 50ms")
	}
	return nil
}

// checkThresholds says what is in the way of the first threshold that the workload cannot answer.
func (w Workload) checkThresholds() *problem {
	planned := w.planned()
	for i := range w.Thresholds {
		if text := w.refusal(&w.Thresholds[i], planned); text != "" {
			return bad(fmt.Sprintf("thresholds[%d]", i), "%s", text)
		}
	}
	return nil
}

// refusal says why a threshold makes no sense in this workload; empty when it does.
func (w *Workload) refusal(t *Threshold, planned map[metric]float64) string {
	e := &t.Expr
	q := e.quantity()
	switch {
	case q == nil:
		return "it has no expression; write one such as peer.ack.p99 < 50ms"
	case t.After != 0 && !t.Abort:
		return fmt.Sprintf("%v: after belongs to abort: true", e)
	case t.After < 0 || t.After >= w.Phases.Measure && t.After > 0:
		return fmt.Sprintf("%v: after %v never comes in a measured phase of %v", e, t.After, w.Phases.Measure)
	case t.Abort && !e.live():
		return fmt.Sprintf("%v: only limits of latencies and errors can abort a run; the rest is known at its end", e)
	case t.Abort && e.window > 0:
		return fmt.Sprintf("%v: a limit per window cannot abort a run, because the share of windows is known at its end", e)
	case e.window > w.Phases.Measure:
		return fmt.Sprintf("%v: a window of %v does not fit into a measured phase of %v", e, e.window, w.Phases.Measure)
	}
	for _, l := range e.labels {
		if l.name == "traffic" && !slices.ContainsFunc(w.Traffic, func(t Traffic) bool { return t.ID == l.value }) {
			return fmt.Sprintf("%v: no traffic has the id %q; known: %s", e, l.value, strings.Join(w.trafficIDs(), ", "))
		}
	}
	if !q.latency {
		return ""
	}
	n, has := planned[q.metric]
	if !has {
		var names []string
		for m := range metrics {
			if _, has := planned[m]; has {
				names = append(names, m.String())
			}
		}
		return fmt.Sprintf("%v: this workload measures no %s; it measures %s", e, e.metric, strings.Join(names, ", "))
	}
	if n < 1 && !t.AllowInsufficient {
		return fmt.Sprintf("%v: no sample is to be expected; measure longer or raise the rate", e)
	}
	return ""
}

func (w *Workload) trafficIDs() (ids []string) {
	for _, t := range w.Traffic {
		ids = append(ids, t.ID)
	}
	return ids
}

// lintThresholds warns of thresholds that will have too few samples if the run goes as planned.
func lintThresholds(p *plan) (list []*problem) {
	planned := p.planned()
	for i, t := range p.Thresholds {
		q := t.Expr.quantity()
		if !q.latency || t.AllowInsufficient {
			continue
		}
		n, per, windows := planned[q.metric], "", 1
		if t.Expr.window > 0 {
			windows = windowsIn(p.Phases.Measure, t.Expr.window)
			per = " in each window"
		}
		n /= float64(windows)
		if need := t.Expr.need(); n < float64(need) {
			list = append(list, bad(fmt.Sprintf("thresholds[%d]", i), "%v: about %.0f samples%s are to be expected, and %s needs %d%s; it will fail unless it has allow_insufficient: true",
				t.Expr, n, per, t.Expr.stat, need, atThisRate(need, n, p.Phases.Measure/time.Duration(windows))))
		}
	}
	return list
}

// atThisRate tells how long it takes to get as many samples as are needed, from the number that came in span.
func atThisRate(need int64, n float64, span time.Duration) string {
	long := time.Duration(float64(need) / n * float64(span))
	if n <= 0 || long < 0 || long > maxPhase {
		return ""
	}
	if long > 10*time.Second {
		long = long.Round(time.Second)
	}
	return fmt.Sprintf(", which take %v at this rate", long.Round(time.Millisecond))
}

// watchable says which threshold needs a server that the run cannot watch.
func (w *Workload) watchable() *problem {
	for i := range w.Thresholds {
		t := &w.Thresholds[i]
		if t.Expr.quantity().server && !t.AllowInsufficient {
			return bad(fmt.Sprintf("thresholds[%d]", i), "%v: the server cannot be watched; give --server-pid or --server-metrics, or allow_insufficient: true to the threshold", t.Expr)
		}
	}
	return nil
}

// lagLimit returns the lag beyond which a run of the workload is invalid: 2 ms, or a tenth of the tightest limit of a
// latency where that is more, because such a lag cannot decide whether it was kept.
func lagLimit(w Workload) time.Duration {
	tightest := time.Duration(math.MaxInt64)
	for _, t := range w.Thresholds {
		q := t.Expr.quantity()
		if q.latency && q.metric != metricLag && t.Expr.unit() == unitDuration && t.Expr.is[0] == '<' {
			tightest = min(tightest, time.Duration(t.Expr.value))
		}
	}
	if tightest == math.MaxInt64 {
		return maxLagP99
	}
	return max(maxLagP99, tightest/10)
}

// sum tells workloads apart by what they do: the hex SHA-256 of the text without its thresholds, so that runs stay
// comparable when more is asked of them.
func (w Workload) sum() string {
	w.Thresholds = nil
	text, _ := w.YAML()
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
