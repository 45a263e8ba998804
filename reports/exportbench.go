package reports

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// benchmarkText returns the runs in the format of Go benchmarks. What follows a
// key decides which lines are compared with each other, so only what makes runs
// comparable is a key: the machine and the workload, not the server's version.
func benchmarkText(loads []*Load) []byte {
	var b bytes.Buffer
	better := map[string]string{}
	said := map[string]string{}
	for _, l := range loads {
		for _, key := range [][2]string{
			{"goos", l.Manifest.Environment.OS}, {"goarch", l.Manifest.Environment.Arch}, {"cpu", l.Manifest.Environment.CPU},
			{"workload", l.Manifest.WorkloadSHA256},
		} {
			if text := strings.Join(strings.Fields(key[1]), " "); said[key[0]] != text {
				fmt.Fprintf(&b, "%s: %s\n", key[0], text)
				said[key[0]] = text
			}
		}
		benchmarkLine(&b, l, better)
	}
	var head bytes.Buffer
	for _, unit := range slices.Sorted(maps.Keys(better)) {
		fmt.Fprintf(&head, "Unit %s better=%s\n", unit, better[unit])
	}
	return append(head.Bytes(), b.Bytes()...)
}

// benchmarkLine writes one run. Its number of iterations is that of its messages.
func benchmarkLine(b *bytes.Buffer, l *Load, better map[string]string) {
	s := &l.Summary
	var sent int64
	for _, r := range s.Ledger {
		sent += r.Sent
	}
	fmt.Fprintf(b, "BenchmarkLoad/%s %d", oneWord(l.Manifest.Name), max(sent, 1))
	value := func(number, unit, is string) {
		fmt.Fprintf(b, " %s %s", number, unit)
		better[unit] = is
	}
	for i := range s.Metrics {
		m := &s.Metrics[i]
		for _, p := range m.proven() {
			value(fmt.Sprint(p.ns), oneWord(m.Name)+"-"+p.name()+"-ns", "lower")
		}
		value(fmt.Sprint(m.MeanNS), oneWord(m.Name)+"-mean-ns", "lower")
	}
	if s.Health.ServerCPUPerMessageNS > 0 {
		value(plainNumber(s.Health.ServerCPUPerMessageNS), "server-cpu-ns/msg", "lower")
	}
	if s.Health.ServerRSSBytes > 0 {
		value(fmt.Sprint(s.Health.ServerRSSBytes), "server-rss-B", "lower")
	}
	value(plainNumber(s.AchievedPerS), "sent/s", "higher")
	for _, a := range anomalies(s.Ledger) {
		value(fmt.Sprint(a.count), a.name, "lower")
	}
	b.WriteByte('\n')
}

// oneWord makes a foreign text one word that ends no line and no field.
func oneWord(text string) string {
	word := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return '_'
		}
		return r
	}, strings.ToValidUTF8(text, "_"))
	if word == "" {
		return "_"
	}
	return word
}
