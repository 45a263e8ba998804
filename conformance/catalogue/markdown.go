package catalogue

import (
	"fmt"
	"strings"
)

// Markdown returns the catalogue as a page: the profiles, and one table per area.
func (c *Catalogue) Markdown() string {
	var page strings.Builder
	page.WriteString("# Requirements\n\nGenerated from `conformance/catalogue/*.yaml`; edit those and run\n`go test ./conformance/catalogue -update`.\n\n")
	fmt.Fprintf(&page, "%d requirements, %d of them judged. A rule is a numbered rule of the service as the project collected it;\na clause is a section of [PROTOCOL.md](../sdk/wire/PROTOCOL.md).\n\n", len(c.Requirements), c.judged())
	page.WriteString("| profile | covers | requirements |\n| --- | --- | --- |\n")
	for _, profile := range c.Profiles {
		count := 0
		for _, r := range c.Requirements {
			if r.Profile == profile.Name {
				count++
			}
		}
		fmt.Fprintf(&page, "| %s | %s | %d |\n", profile.Name, profile.Text, count)
	}
	area := ""
	for _, r := range c.Requirements {
		if r.Area != area {
			area = r.Area
			fmt.Fprintf(&page, "\n## %s\n\n| id | level | subject | profile | requirement | sources |\n| --- | --- | --- | --- | --- | --- |\n", strings.ToUpper(area[:1])+area[1:])
		}
		text := cell(r.Text)
		if r.Unless != "" {
			text += "<br>*Only where the profile " + r.Unless + " is not claimed.*"
		}
		if r.Undecided != "" {
			text += "<br>*Not judged.* " + cell(r.Undecided)
		}
		fmt.Fprintf(&page, "| %s | %s | %s | %s | %s | %s |\n", r.ID, strings.ToUpper(string(r.Level)), r.Subject, r.Profile, text, sourceLinks(r))
	}
	return page.String()
}

func (c *Catalogue) judged() int {
	judged := 0
	for _, r := range c.Requirements {
		if r.Judged() {
			judged++
		}
	}
	return judged
}

func sourceLinks(r *Requirement) string {
	links := make([]string, len(r.Sources))
	for i, source := range r.Sources {
		if strings.HasPrefix(source, "#") {
			source = fmt.Sprintf("[%s](../sdk/wire/PROTOCOL.md%s)", source[1:], source)
		}
		links[i] = source
	}
	return strings.Join(links, ", ")
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
