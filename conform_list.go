package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
)

type conformListCommand struct {
	Profile string `placeholder:"NAME" help:"Only the requirements of this profile."`
}

// Run prints one line for each requirement.
func (c *conformListCommand) Run(a *app) error {
	all, err := catalogue.Load()
	if err != nil {
		return fail(exitBroken, "%w", err)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	shown := 0
	for _, r := range all.Requirements {
		if c.Profile != "" && r.Profile != c.Profile {
			continue
		}
		shown++
		text := r.Text
		if r.Undecided != "" {
			text += " [undecided]"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, strings.ToUpper(string(r.Level)), r.Subject, r.Profile, text)
	}
	if shown == 0 {
		return fail(exitUsage, "--profile %s: no such profile", c.Profile)
	}
	return w.Flush()
}
