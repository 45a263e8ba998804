package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/rtmkit/rtmkit/conformance"
	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/faults"
)

type conformListCommand struct {
	Profile string `placeholder:"NAME" help:"Only the requirements of this profile."`
	Subject string `enum:"server,client," default:"" placeholder:"WHO" help:"Only the requirements that bind a server or a client."`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// explained is a requirement with all that the suite knows about it.
type explained struct {
	ID        string   `json:"id"`
	Level     string   `json:"level"`
	Subject   string   `json:"subject"`
	Profile   string   `json:"profile"`
	Unless    string   `json:"unless,omitempty"`
	Text      string   `json:"text"`
	Sources   []string `json:"sources"`
	Needs     []string `json:"needs,omitempty"`
	Budget    string   `json:"budget,omitempty"`
	Undecided string   `json:"undecided,omitempty"`
	Decides   bool     `json:"decides"` // whether it belongs to the frozen set
	Specs     []string `json:"specs,omitempty"`
	Faults    []string `json:"faults,omitempty"`
}

// explanations returns what the suite knows about every requirement.
func explanations() ([]explained, error) {
	all, err := catalogue.Load()
	if err != nil {
		return nil, fail(exitBroken, "%w", err)
	}
	set, err := catalogue.LoadSet(catalogue.CurrentSet)
	if err != nil {
		return nil, fail(exitBroken, "%w", err)
	}
	specs, err := conformance.Specs()
	if err != nil {
		return nil, fail(exitBroken, "%w", err)
	}
	places := make(map[string][]string)
	for _, spec := range specs {
		for _, id := range spec.IDs {
			places[id] = append(places[id], spec.Name+" ("+spec.Location+")")
		}
	}
	rows := make([]explained, len(all.Requirements))
	for i, r := range all.Requirements {
		rows[i] = explained{
			ID: r.ID, Level: strings.ToUpper(string(r.Level)), Subject: string(r.Subject), Profile: r.Profile, Unless: r.Unless, Text: r.Text,
			Sources: r.Sources, Needs: r.Needs, Budget: r.Budget, Undecided: r.Undecided, Decides: set.Decides(r.ID),
			Specs: places[r.ID], Faults: faults.Breaking(r.ID),
		}
	}
	return rows, nil
}

// Run prints one line for each requirement.
func (c *conformListCommand) Run(a *app) error {
	if profiles := catalogue.Embedded().ProfileNames(); c.Profile != "" && !catalogue.Embedded().HasProfile(c.Profile) {
		return fail(exitUsage, "--profile %s: there is no such profile; the nearest is %s", c.Profile, catalogue.Nearest(c.Profile, profiles))
	}
	rows, err := explanations()
	if err != nil {
		return err
	}
	var shown []explained
	for _, r := range rows {
		if (c.Profile == "" || r.Profile == c.Profile) && (c.Subject == "" || r.Subject == c.Subject) {
			shown = append(shown, r)
		}
	}
	if c.JSON {
		return printJSON(a.stdout, shown)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 8, 2, ' ', 0)
	for _, r := range shown {
		text := r.Text
		if r.Undecided != "" {
			text += " [undecided]"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Level, r.Subject, r.Profile, text)
	}
	return w.Flush()
}

type conformExplainCommand struct {
	ID   []string `arg:"" help:"Requirement, such as RTM-PEER-002."`
	JSON bool     `name:"json" help:"Print JSON."`
}

// Run prints what a requirement asks for, where that comes from, and how it is judged.
func (c *conformExplainCommand) Run(a *app) error {
	rows, err := explanations()
	if err != nil {
		return err
	}
	var wanted []explained
	for _, id := range c.ID {
		found := false
		for _, r := range rows {
			if strings.EqualFold(r.ID, id) {
				wanted, found = append(wanted, r), true
			}
		}
		if !found {
			return fail(exitUsage, "no requirement is called %s; the nearest is %s", id, catalogue.Nearest(id, catalogue.Embedded().IDs()))
		}
	}
	if c.JSON {
		return printJSON(a.stdout, wanted)
	}
	for i, r := range wanted {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		r.print(a.stdout)
	}
	return nil
}

func (r explained) print(w io.Writer) {
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "  %-9s %s\n", name, text)
		}
	}
	fmt.Fprintf(w, "%s  %s  %s  profile %s\n  %s\n", r.ID, r.Level, r.Subject, r.Profile, r.Text)
	line("not judged", r.Undecided)
	if r.Unless != "" {
		line("only for", "a "+r.Subject+" that does not claim the profile "+r.Unless)
	}
	for i, source := range r.Sources {
		if strings.HasPrefix(source, "#") {
			source = "sdk/wire/PROTOCOL.md" + source
		}
		line(map[bool]string{true: "source"}[i == 0], source)
	}
	line("needs", strings.Join(r.Needs, ", "))
	line("budget", r.budget())
	for i, spec := range r.Specs {
		line(map[bool]string{true: "spec"}[i == 0], spec)
	}
	for i, name := range r.Faults {
		text := name
		if fault, err := faults.Get(name); err == nil {
			text += ": " + fault.Text
		}
		line(map[bool]string{true: "fault"}[i == 0], text)
	}
	if !r.Decides && r.Undecided == "" {
		line("set", "provisional: newer than the frozen set "+catalogue.CurrentSet+", so it decides nothing yet")
	}
	if r.Undecided == "" {
		line("judge", "rtmkit conform run --only "+r.ID)
		line("prove", "rtmkit conform selftest --only "+r.ID)
	}
}

func (r explained) budget() string {
	switch {
	case r.Undecided != "":
		return ""
	case r.Budget == "":
		return "5 s for each answer and delivery"
	case r.Budget == "members":
		return "one connection for each of the announced members, and 5 s for each answer"
	case r.Budget == "login", r.Budget == "send":
		return "the client's own timeout for a " + r.Budget + ", and 5 s on top"
	}
	return "the announced " + r.Budget + ", and 5 s on top"
}

func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
