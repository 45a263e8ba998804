package reports

import (
	"encoding/json"
	"testing"
)

func TestTheBadgeSaysNoMoreThanTheRows(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(*Conformance)
		want  string
		color string
	}{
		"all held":             {func(*Conformance) {}, "core, token, order conformant", "brightgreen"},
		"many held":            {func(c *Conformance) { c.Profiles[3].Verdict, c.Profiles[4].Verdict = Conformant, Conformant }, "5 profiles conformant", "brightgreen"},
		"a failure":            {func(c *Conformance) { c.Requirements[0].Verdict = Fail }, "not conformant", "red"},
		"flaky":                {func(c *Conformance) { c.Requirements[0].Verdict = Flaky }, "not conformant", "red"},
		"blocked":              {func(c *Conformance) { c.Profiles[0].Verdict = NotConformant }, "not conformant", "red"},
		"an error":             {func(c *Conformance) { c.Requirements[0].Verdict = Error }, "not judged", "lightgrey"},
		"an interruption":      {func(c *Conformance) { c.Interrupted = true }, "interrupted", "lightgrey"},
		"a partial profile":    {func(c *Conformance) { c.Profiles[1].Verdict = Partial }, "core, order conformant, token partial", "yellow"},
		"all partial":          {func(c *Conformance) { c.Profiles = c.Profiles[:1]; c.Profiles[0].Verdict = Partial }, "partial", "yellow"},
		"a claim":              {func(c *Conformance) { c.Claims = []string{"core"} }, "core conformant", "brightgreen"},
		"an unproven claim":    {func(c *Conformance) { c.Claims = []string{"core", "limits"} }, "core conformant, limits partial", "yellow"},
		"only unproven claims": {func(c *Conformance) { c.Claims = []string{"limits"} }, "partial", "yellow"},
		"nothing judged":       {func(c *Conformance) { c.Requirements = nil }, "no evidence", "lightgrey"},
		"no profile":           {func(c *Conformance) { c.Profiles = nil }, "no evidence", "lightgrey"},
	} {
		c := passingConformance()
		tt.spoil(c)
		text, err := c.badge()
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			SchemaVersion         int
			Label, Message, Color string
		}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		if got.SchemaVersion != 1 || got.Label != "RTM" || got.Message != tt.want || got.Color != tt.color {
			t.Errorf("%s: %+v, want %q in %s", name, got, tt.want, tt.color)
		}
	}
}
