package reports

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// OneRunPerSide is what every comparison of single runs has to say about
// itself. All writers print it.
const OneRunPerSide = "One run on each side: these are differences, not a statistical verdict. Repeat both sides, alternating, before believing a small one."

// Comparison is what changed from one result to another. Base is the older or
// trusted side, head the one in question.
type Comparison struct {
	// Base describes the base side.
	Base Side
	// Head describes the head side.
	Head Side
	// Warnings say in sentences why the sides may not be comparable, such as
	// different machines or workloads. Read them before the numbers.
	Warnings []string
	// Judged says that both sides hold conformance results.
	Judged bool
	// Verdicts are the requirements whose verdict differs, in the order of the
	// head's catalogue.
	Verdicts []VerdictChange
	// Runs are the load runs that both sides have, by name.
	Runs []RunChange
}

// Side describes one side of a comparison.
type Side struct {
	// Subject is the program that was judged or measured, with its version.
	Subject string
	// ToolVersion is the version of rtmkit that did it.
	ToolVersion string
	// StartedAt is when that began.
	StartedAt time.Time
}

// VerdictChange is one requirement whose verdict differs.
type VerdictChange struct {
	// ID is the requirement's id.
	ID string
	// Text is the requirement, one sentence.
	Text string
	// Base is the verdict of the base; empty when its catalogue lacks the id.
	Base Verdict
	// Head is the verdict of the head; empty when its catalogue lacks the id.
	Head Verdict
	// Provisional says that the requirement decides nothing in the head, so
	// that its change is shown and is never a regression.
	Provisional bool
}

// Worse reports whether the requirement held in the base and no longer holds in
// the head, because it fails, is flaky, is blocked or could not be judged. A
// failure that the vendor lists as known is a regression all the same: to list
// it excuses it, and does not undo it. A known failure that fails in another way
// than listed is worse too; one that is stale because it passes now is not told
// apart from that, because the list has to be corrected in both cases.
func (v VerdictChange) Worse() bool {
	if v.Provisional {
		return false
	}
	held := v.Base == Pass || v.Base == Info || v.Base == Warn
	switch v.Head {
	case Fail, Flaky, StaleKnownFail:
		return held || v.Base == "" || v.Base == KnownFail
	case KnownFail, Error, Blocked:
		return held || v.Base == ""
	case Warn:
		return v.Base == Pass || v.Base == Info
	}
	return false
}

// RunChange is what changed in one load run.
type RunChange struct {
	// Name is the workload's name.
	Name string
	// Metrics are the changes of latency and of rates.
	Metrics []MetricChange
	// Ledger are the counts that differ. Counts that follow from the rate
	// alone, such as sent, are not listed.
	Ledger []LedgerChange
}

// MetricChange is the change of one number.
type MetricChange struct {
	// Metric is the metric's name, such as "peer.ack" or "achieved".
	Metric string
	// Statistic is the number's name, such as "p99".
	Statistic string
	// Unit is "ns" or "per_s".
	Unit string
	// Base is the number in the base.
	Base float64
	// Head is the number in the head.
	Head float64
	// Thin says that fewer than ten samples lie beyond this percentile on one
	// of the sides, so that the number is an anecdote.
	Thin bool
}

// Delta is head minus base, in the unit of the change.
func (m MetricChange) Delta() float64 { return m.Head - m.Base }

// Percent is the change relative to the base, in percent. It is false when the
// base is zero.
func (m MetricChange) Percent() (float64, bool) {
	if m.Base == 0 {
		return 0, false
	}
	return 100 * (m.Head - m.Base) / m.Base, true
}

// LedgerChange is the change of one count of the ledger.
type LedgerChange struct {
	// Traffic is the traffic id of the workload.
	Traffic string
	// Count is the count's name, such as "lost".
	Count string
	// Base is the count in the base.
	Base int64
	// Head is the count in the head.
	Head int64
}

// Regressed reports whether a requirement got worse or more messages went
// wrong. It does not judge latency, see [OneRunPerSide].
func (c *Comparison) Regressed() bool {
	for _, v := range c.Verdicts {
		if v.Worse() {
			return true
		}
	}
	for _, r := range c.Runs {
		for _, l := range r.Ledger {
			if l.Head > l.Base {
				return true
			}
		}
	}
	return false
}

// Compare sets two reports side by side. It refuses a side with an invalid
// load run, because its numbers describe the generator, and two reports that
// have nothing in common.
func Compare(base, head *Report) (*Comparison, error) {
	if err := errors.Join(refuse("base", base.Loads), refuse("head", head.Loads)); err != nil {
		return nil, err
	}
	c := &Comparison{Base: side(base), Head: side(head)}
	c.warnAbout("environment", describe(base.Environment), describe(head.Environment))
	c.warnAbout("rtmkit version", base.ToolVersion, head.ToolVersion)
	if base.Interrupted || head.Interrupted {
		c.Warnings = append(c.Warnings, "At least one side was interrupted.")
	}
	if base.Conformance != nil && head.Conformance != nil {
		c.Judged = true
		c.warnAbout("requirement catalogue", base.Conformance.CatalogueSHA256, head.Conformance.CatalogueSHA256)
		c.Verdicts = verdictChanges(base.Conformance, head.Conformance)
	}
	heads := make(map[string]*Load)
	for i := range head.Loads {
		heads[head.Loads[i].Manifest.Name] = &head.Loads[i]
	}
	for i := range base.Loads {
		b := &base.Loads[i]
		h, ok := heads[b.Manifest.Name]
		if !ok {
			c.Warnings = append(c.Warnings, fmt.Sprintf("Only the base has the load run %q.", b.Manifest.Name))
			continue
		}
		delete(heads, b.Manifest.Name)
		c.addRun(b, h)
	}
	for i := range head.Loads {
		if name := head.Loads[i].Manifest.Name; heads[name] != nil {
			c.Warnings = append(c.Warnings, fmt.Sprintf("Only the head has the load run %q.", name))
		}
	}
	if !c.Judged && len(c.Runs) == 0 {
		return nil, errors.New("reports: compare: the two reports have neither conformance results nor a load run of the same name in common")
	}
	return c, nil
}

// CompareLoads sets two load runs side by side, whatever their names. It
// refuses an invalid one.
func CompareLoads(base, head *Load) (*Comparison, error) {
	if err := errors.Join(refuse("base", []Load{*base}), refuse("head", []Load{*head})); err != nil {
		return nil, err
	}
	b, h := Of(base), Of(head)
	c := &Comparison{Base: side(b), Head: side(h)}
	c.warnAbout("workload name", base.Manifest.Name, head.Manifest.Name)
	c.warnAbout("environment", describe(b.Environment), describe(h.Environment))
	c.warnAbout("rtmkit version", b.ToolVersion, h.ToolVersion)
	c.addRun(base, head)
	return c, nil
}

func refuse(side string, loads []Load) error {
	var errs []error
	for i := range loads {
		if v := loads[i].Summary.Validity; v.Verdict != Valid && v.Verdict != Degraded {
			errs = append(errs, fmt.Errorf("reports: compare: the %s's run %q is invalid (%s); repeat it on a quieter machine or at a lower rate",
				side, loads[i].Manifest.Name, strings.Join(v.Reasons, "; ")))
		}
	}
	return errors.Join(errs...)
}

func (c *Comparison) warnAbout(what, base, head string) {
	if base != head {
		c.Warnings = append(c.Warnings, fmt.Sprintf("The %s differs: %s against %s.", what, firstOf(base, "unknown"), firstOf(head, "unknown")))
	}
}

func (c *Comparison) addRun(base, head *Load) {
	name := head.Manifest.Name
	if base.Manifest.WorkloadSHA256 != head.Manifest.WorkloadSHA256 {
		c.Warnings = append(c.Warnings, fmt.Sprintf("The workloads of %q differ, so the numbers measure different things.", name))
	}
	for _, l := range []*Load{base, head} {
		if l.Manifest.Interrupted {
			c.Warnings = append(c.Warnings, fmt.Sprintf("A run of %q was interrupted.", name))
		}
		if l.Summary.Validity.Verdict == Degraded {
			c.Warnings = append(c.Warnings, fmt.Sprintf("A run of %q is degraded: %s.", name, strings.Join(l.Summary.Validity.Reasons, "; ")))
		}
	}
	run := RunChange{Name: name}
	b, h := &base.Summary, &head.Summary
	run.Metrics = append(run.Metrics, MetricChange{Metric: "achieved", Statistic: "rate", Unit: "per_s", Base: b.AchievedPerS, Head: h.AchievedPerS})
	if b.Health.ServerCPUPerMessageNS > 0 && h.Health.ServerCPUPerMessageNS > 0 {
		run.Metrics = append(run.Metrics, MetricChange{Metric: "server.cpu", Statistic: "per message", Unit: "ns", Base: b.Health.ServerCPUPerMessageNS, Head: h.Health.ServerCPUPerMessageNS})
	}
	for i := range b.Metrics {
		for j := range h.Metrics {
			if b.Metrics[i].Name == h.Metrics[j].Name {
				run.Metrics = append(run.Metrics, metricChanges(&b.Metrics[i], &h.Metrics[j])...)
			}
		}
	}
	run.Ledger = ledgerChanges(b.Ledger, h.Ledger)
	c.Runs = append(c.Runs, run)
}

func metricChanges(base, head *Metric) []MetricChange {
	var changes []MetricChange
	for _, s := range []struct {
		name   string
		beyond float64
		value  func(*Metric) int64
	}{
		{"p50", 0.5, func(m *Metric) int64 { return m.P50NS }},
		{"p90", 0.1, func(m *Metric) int64 { return m.P90NS }},
		{"p99", 0.01, func(m *Metric) int64 { return m.P99NS }},
		{"p99.9", 0.001, func(m *Metric) int64 { return m.P999NS }},
		{"max", 0, func(m *Metric) int64 { return m.MaxNS }},
	} {
		changes = append(changes, MetricChange{Metric: base.Name, Statistic: s.name, Unit: "ns",
			Base: float64(s.value(base)), Head: float64(s.value(head)), Thin: float64(min(base.Count, head.Count))*s.beyond < 10})
	}
	return changes
}

func ledgerChanges(base, head []LedgerRow) []LedgerChange {
	var changes []LedgerChange
	rows := make(map[string][2]LedgerRow)
	var order []string
	for side, list := range [][]LedgerRow{base, head} {
		for _, r := range list {
			pair, ok := rows[r.Traffic]
			if !ok {
				order = append(order, r.Traffic)
			}
			pair[side] = r
			rows[r.Traffic] = pair
		}
	}
	for _, traffic := range order {
		pair := rows[traffic]
		for _, group := range ledgerGroups(pair[:]) {
			for _, l := range group.Lines {
				if l.Wrong && l.Cells[0] != l.Cells[1] {
					changes = append(changes, LedgerChange{Traffic: traffic, Count: l.Name, Base: l.Cells[0], Head: l.Cells[1]})
				}
			}
		}
	}
	return changes
}

func verdictChanges(base, head *Conformance) []VerdictChange {
	var changes []VerdictChange
	before := make(map[string]*RequirementResult)
	for i := range base.Requirements {
		before[base.Requirements[i].ID] = &base.Requirements[i]
	}
	for i := range head.Requirements {
		h := &head.Requirements[i]
		change := VerdictChange{ID: h.ID, Text: h.Text, Head: h.Verdict, Provisional: h.Provisional}
		if b := before[h.ID]; b != nil {
			change.Base = b.Verdict
		}
		delete(before, h.ID)
		if change.Base != change.Head {
			changes = append(changes, change)
		}
	}
	for i := range base.Requirements {
		if b := &base.Requirements[i]; before[b.ID] != nil {
			changes = append(changes, VerdictChange{ID: b.ID, Text: b.Text, Base: b.Verdict})
		}
	}
	return changes
}

func side(r *Report) Side {
	s := Side{ToolVersion: r.ToolVersion, StartedAt: r.StartedAt}
	var id Identity
	switch {
	case r.Conformance != nil:
		id = r.Conformance.Subject
	case len(r.Loads) > 0:
		id = r.Loads[0].Manifest.Server
	}
	s.Subject = strings.TrimSpace(id.Name + " " + id.Version)
	return s
}

func describe(e Environment) string {
	return fmt.Sprintf("%s/%s, %s, %s, %s, kernel %s, %s", e.OS, e.Arch, firstOf(e.CPU, "unknown processor"), plural(int64(e.Cores), "core", "cores"), formatBytes(e.MemoryBytes), firstOf(e.Kernel, "unknown"), e.GoVersion)
}
