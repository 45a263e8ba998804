package reports

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// maxSummaryFailures is how many failures the Markdown summary explains; CI
// services cut long summaries off.
const maxSummaryFailures = 20

// markdownText returns the report as a short summary in GitHub's Markdown: the
// verdict, a table of profiles, the failures with what was expected and
// observed, and a table of the load runs.
func markdownText(r *Report) []byte {
	var b bytes.Buffer
	o := r.outcome()
	fmt.Fprintf(&b, "# %s %s\n\n%s\n", o.Tone.sign(), md(o.Title), md(o.Sentence))
	if r.Verdict != "" {
		fmt.Fprintf(&b, "\n%s\n", md(sentence(r.Verdict)))
	}
	if r.Conformance != nil {
		writeConformance(&b, r.Conformance)
	}
	if len(r.Loads) > 0 {
		writeLoads(&b, r.Loads)
	}
	e := r.Environment
	fmt.Fprintf(&b, "\n---\n\nrtmkit %s · %s · %s/%s · %s · %s\n", md(r.ToolVersion), formatTime(r.StartedAt), md(e.OS), md(e.Arch), plural(int64(e.Cores), "core", "cores"), md(e.GoVersion))
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "\n- %s", md(n))
	}
	if len(r.Notes) > 0 {
		b.WriteByte('\n')
	}
	if r.Command != "" {
		fmt.Fprintf(&b, "\nTo repeat:\n\n%s", mdBlock(r.Command))
	}
	return b.Bytes()
}

func writeConformance(b *bytes.Buffer, c *Conformance) {
	fmt.Fprintf(b, "\n## Conformance of %s\n", md(c.Subject.title()))
	if against := c.against(); against != "" {
		fmt.Fprintf(b, "\n%s\n", md(against))
	}
	if len(c.Profiles) > 0 {
		b.WriteString("\n| Profile | Verdict | Pass | Fail | Known | Warn | Error | Not judged |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	}
	for _, p := range c.Profiles {
		other := 0
		for v, n := range p.Counts {
			if !v.Judged() && v != Error {
				other += n
			}
		}
		name := md(p.Name)
		if slices.Contains(c.Claims, p.Name) {
			name += " (claimed)"
		}
		fmt.Fprintf(b, "| %s | %s %s | %d | %d | %d | %d | %d | %d |\n", name, p.Verdict.tone().sign(), md(string(p.Verdict)),
			p.Counts[Pass]+p.Counts[Info], p.Counts[Fail]+p.Counts[Flaky]+p.Counts[StaleKnownFail], p.Counts[KnownFail], p.Counts[Warn], p.Counts[Error], other)
	}
	writeCoverage(b, c)
	told := 0
	for i := range c.Requirements {
		q := &c.Requirements[i]
		if !q.Verdict.fails() && q.Verdict != Error {
			continue
		}
		if told++; told > maxSummaryFailures {
			continue
		}
		note := ""
		if q.Verdict != Fail && q.Verdict != Error {
			note = " " + string(q.Verdict)
		}
		if q.Provisional {
			note += " (provisional, decides nothing)"
		}
		fmt.Fprintf(b, "\n### %s %s%s\n\n**%s** %s", q.Verdict.tone().sign(), md(q.ID), note, q.Level, md(q.Text))
		if q.Source != "" {
			fmt.Fprintf(b, " (%s)", md(q.Source))
		}
		b.WriteString("\n\n")
		for _, line := range []struct{ name, text string }{{"reason", q.Reason}, {"expected", q.Expected}, {"observed", q.Observed}} {
			if line.text != "" {
				fmt.Fprintf(b, "- %s: %s\n", line.name, md(line.text))
			}
		}
		if q.Repeat != "" {
			fmt.Fprintf(b, "\n%s", mdBlock(q.Repeat))
		}
	}
	if told > maxSummaryFailures {
		fmt.Fprintf(b, "\n%d more are in %s.\n", told-maxSummaryFailures, PageFile)
	}
	writeKnownFailures(b, c)
}

// writeCoverage says in one line what the rows do not prove.
func writeCoverage(b *bytes.Buffer, c *Conformance) {
	gaps := newCoverage(c).gaps()
	if len(gaps) > 0 {
		fmt.Fprintf(b, "\nNot proven: %s.\n", strings.Join(gaps, ", "))
	}
}

func writeKnownFailures(b *bytes.Buffer, c *Conformance) {
	begun := false
	for i := range c.Requirements {
		q := &c.Requirements[i]
		k := q.KnownFailure
		if k == nil {
			continue
		}
		if !begun {
			b.WriteString("\n### Known failures\n\n| Requirement | Verdict | Reason | Issue | Until |\n|---|---|---|---|---|\n")
			begun = true
		}
		issue := md(k.Issue)
		if plainURL.MatchString(k.Issue) {
			issue = "<" + k.Issue + ">"
		}
		fmt.Fprintf(b, "| %s | %s %s | %s | %s | %s |\n", md(q.ID), q.Verdict.tone().sign(), q.Verdict, md(k.Reason), issue, md(k.Until))
	}
}

// plainURL is an address that may become a link: of the web, and of no sign that
// could end the link.
var plainURL = regexp.MustCompile(`^https?://[A-Za-z0-9][A-Za-z0-9./_#?=&%~:+-]*$`)

// mdEscaper takes the meaning from what Markdown, its tables and HTML would
// read as a sign.
var mdEscaper = strings.NewReplacer(
	"\\", "\\\\", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]",
	"|", "\\|", "#", "\\#", "~", "\\~", "&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", " ", "\n", " ", "\t", " ",
	"://", ":\u200b//", "@", "@\u200b",
)

// md writes a foreign text as one line that Markdown shows as it is. It breaks
// links and mentions, which a service would otherwise follow.
func md(s string) string { return mdEscaper.Replace(s) }

// mdBlock writes a foreign text as a block of code that it cannot end.
func mdBlock(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "\n" + strings.TrimRight(s, "\n") + "\n" + fence + "\n"
}
