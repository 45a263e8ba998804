package reports

import (
	"bytes"
	"fmt"
	"strings"
)

// writeLoads tells the load runs: a table of the latencies, and for each run
// its verdicts, what does not hold, and what it cannot tell.
func writeLoads(b *bytes.Buffer, loads []Load) {
	b.WriteString("\n## Load\n\n| Run | Validity | Offered | Achieved | Metric | p50 | p99 | p99.9 | max |\n|---|---|--:|--:|---|--:|--:|--:|--:|\n")
	for i := range loads {
		s := &loads[i].Summary
		name, validity := md(loads[i].Manifest.Name), s.Validity.Verdict.tone().sign()+" "+md(string(s.Validity.Verdict))
		offered, achieved := formatRate(s.OfferedPerS), formatRate(s.AchievedPerS)
		for j := range s.Metrics {
			m := &s.Metrics[j]
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s", name, validity, offered, achieved, md(m.Name))
			for _, q := range percentiles(m) {
				if q.name == "p90" || q.name == "p99.99" {
					continue
				}
				if q.thin {
					fmt.Fprintf(b, " | *%s*", formatNS(q.ns))
				} else {
					fmt.Fprintf(b, " | %s", formatNS(q.ns))
				}
			}
			fmt.Fprintf(b, " | %s |\n", formatNS(m.MaxNS))
			name, validity, offered, achieved = "", "", "", ""
		}
	}
	b.WriteString("\nIn italics: fewer than ten samples lie beyond.\n")
	for i := range loads {
		writeLoad(b, &loads[i])
	}
}

func writeLoad(b *bytes.Buffer, l *Load) {
	fmt.Fprintf(b, "\n### %s\n\n", md(l.Manifest.Name))
	for _, o := range loadBar(l) {
		fmt.Fprintf(b, "- %s %s: %s\n", o.Tone.sign(), md(o.Title), md(o.Sentence))
	}
	for _, e := range l.Summary.Equations {
		if !e.Holds {
			fmt.Fprintf(b, "- ✗ %s does not hold: %d is not %d\n", md(strings.TrimSpace(e.Traffic+" "+e.Text)), e.Left, e.Right)
		}
	}
	for _, g := range anomalyGroups(l) {
		if len(g.Named) > 0 {
			fmt.Fprintf(b, "- ✗ %s %s, such as %s\n", formatCount(g.Total), g.Kind, md(g.Named[0]))
		}
	}
	for _, e := range l.Summary.Errors {
		fmt.Fprintf(b, "- ! %s %s\n", formatCount(e.Count), md(strings.TrimSpace(e.Op+" "+e.Class)))
	}
	fmt.Fprintf(b, "- %s\n", md(attribution(&l.Summary)))
	fmt.Fprintf(b, "\nThis run cannot tell %s.\n", md(strings.Join(limitsOf(l), "; ")))
}
