package catalogue

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	idPattern     = regexp.MustCompile(`^RTM-[A-Z]+-[0-9]{3}$`)
	rulePattern   = regexp.MustCompile(`^rule ([0-9]{1,3})$`)
	anchorPattern = regexp.MustCompile(`^#[a-z0-9]+(-[a-z0-9]+)*$`)
)

// budgets are the words that the field Budget may hold.
var budgets = []string{
	"ack_timeout_ms", "session_grace_ms", "reconnect_threshold_ms", "silence_ms", "ping_interval_ms", "login_timeout_ms",
	"replay_ms", "token_notice_ms", "count_interval_ms", "count_interval_large_ms", "members", "login", "send",
}

// lastRule is the number of the last rule that a source may cite.
const lastRule = 232

// Lint returns what is wrong with the catalogue, one sentence per finding that names the id: ids that are malformed,
// doubled or leave gaps, unknown words, texts that are not one sentence, sources of no known form, needs that do not
// exist, bind another subject or run in a circle, and profiles without a row. Whether specs exist is for the suite's own
// tests, since specs are code.
func (c *Catalogue) Lint() []error {
	var findings []error
	report := func(id, format string, args ...any) {
		findings = append(findings, fmt.Errorf("%s: "+format, append([]any{id}, args...)...))
	}
	seen := make(map[string]bool)
	last := make(map[string]int)
	for _, r := range c.Requirements {
		if seen[r.ID] {
			report(r.ID, "the id is used twice")
		}
		seen[r.ID] = true
		c.lintID(r, last, report)
		c.lintRow(r, report)
		c.lintNeeds(r, report)
	}
	for _, profile := range c.Profiles {
		if !slices.ContainsFunc(c.Requirements, func(r *Requirement) bool { return r.Profile == profile.Name }) {
			report("profile "+profile.Name, "no requirement counts for it")
		}
		if !oneSentence(profile.Text) {
			report("profile "+profile.Name, "the text is not one sentence")
		}
	}
	return findings
}

type reporter func(id, format string, args ...any)

func (c *Catalogue) lintID(r *Requirement, last map[string]int, report reporter) {
	if !idPattern.MatchString(r.ID) {
		report(r.ID, "the id does not have the form RTM-AREA-001")
		return
	}
	prefix, number := r.ID[:len(r.ID)-4], 0
	_, _ = fmt.Sscanf(r.ID[len(r.ID)-3:], "%d", &number)
	if number != last[prefix]+1 {
		report(r.ID, "the number does not follow %d", last[prefix])
	}
	last[prefix] = number
	word := strings.ToLower(strings.TrimPrefix(prefix, "RTM-"))
	if word != r.Area && (word != "token" || r.Area != "login") {
		report(r.ID, "the id does not belong in the area %s", r.Area)
	}
}

func (c *Catalogue) lintRow(r *Requirement, report reporter) {
	if r.Level != Must && r.Level != Should && r.Level != May {
		report(r.ID, "the level %q is not must, should or may", r.Level)
	}
	if r.Subject != Server && r.Subject != Client {
		report(r.ID, "the subject %q is not server or client", r.Subject)
	}
	if !c.HasProfile(r.Profile) {
		report(r.ID, "the profile %q does not exist", r.Profile)
	}
	if r.Unless != "" && (!c.HasProfile(r.Unless) || r.Unless == r.Profile) {
		report(r.ID, "the profile %q of unless does not exist, or is its own", r.Unless)
	}
	if !oneSentence(r.Text) {
		report(r.ID, "the text is not one sentence")
	}
	if r.Undecided != "" && !oneSentence(r.Undecided) {
		report(r.ID, "the reason for undecided is not one sentence")
	}
	if r.Budget != "" && !slices.Contains(budgets, r.Budget) {
		report(r.ID, "the budget %q is not an announced limit", r.Budget)
	}
	if len(r.Sources) == 0 {
		report(r.ID, "there is no source")
	}
	for _, source := range r.Sources {
		number := 0
		if rule := rulePattern.FindStringSubmatch(source); rule != nil {
			_, _ = fmt.Sscanf(rule[1], "%d", &number)
		}
		if (number < 1 || number > lastRule) && !anchorPattern.MatchString(source) {
			report(r.ID, "the source %q is neither a rule from 1 to %d nor a clause", source, lastRule)
		}
	}
}

func (c *Catalogue) lintNeeds(r *Requirement, report reporter) {
	for _, need := range r.Needs {
		switch needed := c.byID[need]; {
		case needed == nil:
			report(r.ID, "it needs %s, which does not exist", need)
		case needed.Subject != r.Subject:
			report(r.ID, "it needs %s, which binds another subject", need)
		case !needed.Judged():
			report(r.ID, "it needs %s, which is never judged", need)
		}
	}
	if c.needs(r.ID, r.ID, len(c.Requirements)) {
		report(r.ID, "its needs run in a circle")
	}
}

// needs tells whether a chain of needs leads from one id to another.
func (c *Catalogue) needs(from, to string, bound int) bool {
	r := c.byID[from]
	if r == nil || bound == 0 {
		return false
	}
	for _, need := range r.Needs {
		if need == to || c.needs(need, to, bound-1) {
			return true
		}
	}
	return false
}

// oneSentence tells whether the text starts like a sentence, ends with its only full stop and holds no line break.
func oneSentence(text string) bool {
	body, ended := strings.CutSuffix(text, ".")
	if !ended || body == "" || strings.ContainsAny(text, "\n\t") {
		return false
	}
	return body[0] >= 'A' && body[0] <= 'Z' && !strings.Contains(body, ". ")
}
