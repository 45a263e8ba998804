package reports

import (
	"fmt"
	"slices"
	"strings"
)

// tone says how a part of a report is to be felt; it chooses colours and signs.
type tone string

// The tones in the order of gravity.
const (
	toneNone tone = "none"
	toneGood tone = "good"
	toneWarn tone = "warn"
	toneBad  tone = "bad"
)

func (t tone) rank() int { return slices.Index([]tone{toneNone, toneGood, toneWarn, toneBad}, t) }

// sign is what stands for the tone where colour alone would not do.
func (t tone) sign() string {
	switch t {
	case toneGood:
		return "✓"
	case toneWarn:
		return "!"
	case toneBad:
		return "✗"
	}
	return "–"
}

// tone returns how the verdict is to be felt.
func (v Verdict) tone() tone {
	switch v {
	case Pass:
		return toneGood
	case Warn, KnownFail, Blocked:
		return toneWarn
	case StaleKnownFail, Flaky, Fail, Error:
		return toneBad
	}
	return toneNone
}

func (v ProfileVerdict) tone() tone {
	switch v {
	case Conformant:
		return toneGood
	case NotConformant:
		return toneBad
	case Partial, NoEvidence:
		return toneWarn
	}
	return toneNone
}

func (v ValidityVerdict) tone() tone {
	switch v {
	case Valid:
		return toneGood
	case Degraded:
		return toneWarn
	}
	return toneBad
}

// outcome is a headline with the sentence below it.
type outcome struct {
	Tone     tone
	Title    string
	Sentence string
}

// outcome says in one line what the whole report found: the gravest of its
// parts, conformance first.
func (r *Report) outcome() outcome {
	parts := r.outcomes()
	if len(parts) == 0 {
		return outcome{toneWarn, "Nothing judged", "The report holds neither conformance results nor load runs."}
	}
	worst := parts[0]
	for _, p := range parts[1:] {
		if p.Tone.rank() > worst.Tone.rank() {
			worst = p
		}
	}
	if r.Interrupted && worst.Tone != toneBad {
		return outcome{toneWarn, "Interrupted", "The run was cut short. What it reached is below; what it did not reach is not judged."}
	}
	if len(r.Loads) > 0 && r.Conformance != nil && worst.Tone == toneGood {
		worst.Sentence = parts[0].Sentence + " " + parts[1].Sentence
	}
	return worst
}

// outcomes are the parts of the verdict: conformance, delivery, validity.
func (r *Report) outcomes() []outcome {
	var parts []outcome
	if r.Conformance != nil {
		parts = append(parts, r.Conformance.outcome())
	}
	if len(r.Loads) > 0 {
		parts = append(parts, deliveryOutcome(r.Loads), validityOutcome(r.Loads))
		for i := range r.Loads {
			if len(r.Loads[i].Summary.Thresholds) > 0 {
				parts = append(parts, thresholdOutcome(r.Loads))
				break
			}
		}
	}
	return parts
}

func (c *Conformance) outcome() outcome {
	t := c.tally()
	anyProfile := func(v ProfileVerdict) bool {
		return slices.ContainsFunc(c.Profiles, func(p ProfileResult) bool { return p.Verdict == v })
	}
	switch {
	case len(t.failed) > 0:
		return outcome{toneBad, "Not conformant", t.failures()}
	case t.counts[Error] > 0:
		return outcome{toneBad, "Not judged", fmt.Sprintf("%d %s could not be judged because the suite or its surroundings broke.", t.counts[Error], t.of)}
	case anyProfile(NotConformant):
		return outcome{toneBad, "Not conformant", fmt.Sprintf("Nothing failed, but %d %s could not be judged.", t.counts[Blocked], t.of)}
	case c.Interrupted:
		return outcome{toneWarn, "Interrupted", fmt.Sprintf("%d %s judged before the end, none violated%s.", t.judged, t.of, t.known())}
	case t.judged == 0 || len(c.Profiles) > 0 && !anyProfile(Conformant) && !anyProfile(Partial):
		return outcome{toneWarn, "No evidence", fmt.Sprintf("%d %s judged.", t.judged, t.of)}
	case anyProfile(Partial) && t.counts[KnownFail] > 0:
		return outcome{toneWarn, "Partial", fmt.Sprintf("%d %s judged, none violated%s.", t.judged, t.of, t.known())}
	case anyProfile(Partial):
		return outcome{toneWarn, "Partial", fmt.Sprintf("%d %s judged and none violated, but a profile was not judged whole.", t.judged, t.of)}
	}
	sentence := fmt.Sprintf("%d %s judged, none violated%s.", t.judged, t.of, t.known())
	if t.counts[Warn] > 0 {
		sentence = fmt.Sprintf("%d %s judged, no MUST violated%s, %s.", t.judged, t.of, t.known(), plural(int64(t.counts[Warn]), "warning", "warnings"))
	}
	return outcome{toneGood, "Conformant", sentence}
}

// tally is what a verdict in words is made of. Provisional requirements are not
// counted, because they decide nothing.
type tally struct {
	counts map[Verdict]int
	judged int
	failed []*RequirementResult
	of     string
}

func (c *Conformance) tally() tally {
	t := tally{counts: make(map[Verdict]int)}
	total := 0
	for i := range c.Requirements {
		q := &c.Requirements[i]
		if q.Provisional {
			continue
		}
		total++
		t.counts[q.Verdict]++
		if q.Verdict.Judged() {
			t.judged++
		}
		if q.Verdict.fails() {
			t.failed = append(t.failed, q)
		}
	}
	t.of = "of " + plural(int64(total), "requirement", "requirements")
	return t
}

// failures says what failed and how, and names the first few.
func (t *tally) failures() string {
	var kinds, names []string
	for _, kind := range []struct {
		verdict Verdict
		words   string
	}{{Fail, "violated"}, {Flaky, "flaky"}, {StaleKnownFail, "wrongly listed as known failures"}} {
		if n := t.counts[kind.verdict]; n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, kind.words))
		}
	}
	for _, q := range t.failed {
		if len(names) == 3 {
			names = append(names, fmt.Sprintf("%d more", len(t.failed)-3))
			break
		}
		names = append(names, q.ID)
	}
	first, rest, _ := strings.Cut(strings.Join(kinds, ", "), " ")
	return fmt.Sprintf("%s %s %s: %s.", first, t.of, rest, strings.Join(names, ", "))
}

// known says how many failures are known, as the end of a sentence.
func (t *tally) known() string {
	if n := t.counts[KnownFail]; n > 0 {
		return " but " + plural(int64(n), "known failure", "known failures")
	}
	return ""
}

func deliveryOutcome(loads []Load) outcome {
	var total LedgerRow
	var broken int64
	for i := range loads {
		total.addDeliveries(loads[i].Summary.Ledger)
		for _, e := range loads[i].Summary.Equations {
			if !e.Holds {
				broken++
			}
		}
	}
	if wrong := total.wrongs(); len(wrong) > 0 {
		return outcome{toneBad, "Messages went wrong", fmt.Sprintf("Of %s expected deliveries: %s.", formatCount(total.Expected), strings.Join(wrong, ", "))}
	}
	if broken > 0 {
		return outcome{toneBad, "The ledger does not balance", plural(broken, "equation does", "equations do") + " not hold, so the counts cannot be trusted."}
	}
	if total.Expected == 0 {
		return outcome{toneNone, "Nothing to deliver", "The load runs expected no delivery."}
	}
	return outcome{toneGood, "Every message accounted for", fmt.Sprintf("%s of %s expected deliveries, each exactly once and in order.", formatCount(total.DeliveredOnce), formatCount(total.Expected))}
}

// addDeliveries adds to the row what had to arrive in others, what did, and what went wrong.
func (r *LedgerRow) addDeliveries(rows []LedgerRow) {
	for _, row := range rows {
		r.Expected += row.Expected
		r.DeliveredOnce += row.DeliveredOnce
		r.Lost += row.Lost
		r.Duplicated += row.Duplicated
		r.Reordered += row.Reordered
		r.Leaked += row.Leaked
		r.Foreign += row.Foreign
		r.Corrupt += row.Corrupt
		r.FalseReceipts += row.FalseReceipts
	}
}

// wrongs names what went wrong in the row, each with its count.
func (r LedgerRow) wrongs() []string {
	var names []string
	for _, w := range []struct {
		count     int64
		one, many string
	}{
		{r.Lost, "lost", "lost"},
		{r.Duplicated, "duplicated", "duplicated"},
		{r.Reordered, "out of order", "out of order"},
		{r.Leaked, "leaked to others", "leaked to others"},
		{r.Foreign, "from another run", "from another run"},
		{r.Corrupt, "altered", "altered"},
		{r.FalseReceipts, "false receipt", "false receipts"},
	} {
		if w.count != 0 {
			names = append(names, plural(w.count, w.one, w.many))
		}
	}
	return names
}

func validityOutcome(loads []Load) outcome {
	worst := toneGood
	var words []string
	for i := range loads {
		v := loads[i].Summary.Validity
		if t := v.Verdict.tone(); t.rank() > worst.rank() {
			worst = t
		}
		if v.Verdict != Valid {
			words = append(words, fmt.Sprintf("%s: %s", loads[i].Manifest.Name, strings.Join(v.Reasons, "; ")))
		}
	}
	switch worst {
	case toneBad:
		return outcome{toneBad, "Invalid run", sentence(strings.Join(words, " · "))}
	case toneWarn:
		return outcome{toneWarn, "Degraded run", sentence(strings.Join(words, " · "))}
	}
	return outcome{toneGood, "Valid measurement", "The generator kept its schedule, so the latencies are the server's."}
}

func thresholdOutcome(loads []Load) outcome {
	var all int64
	var broken []string
	for i := range loads {
		for _, t := range loads[i].Summary.Thresholds {
			all++
			if !t.Holds {
				broken = append(broken, t.Expr+" ("+t.Told()+")")
			}
		}
	}
	if len(broken) > 0 {
		return outcome{toneBad, "Threshold exceeded", sentence(strings.Join(broken, "; ") + " not kept")}
	}
	for i := range loads {
		for _, t := range loads[i].Summary.Thresholds {
			if t.Insufficient {
				return outcome{toneWarn, "Thresholds kept", sentence(t.Expr + " could not be judged: " + t.Reason)}
			}
		}
	}
	return outcome{toneGood, "Thresholds kept", plural(all, "threshold", "thresholds") + " checked."}
}

func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.ContainsAny(s[len(s)-1:], ".!?") {
		return s
	}
	return s + "."
}
