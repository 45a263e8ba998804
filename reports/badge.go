package reports

import (
	"fmt"
	"slices"
	"strings"
)

// badgeEndpoint is the form that shields.io asks of an endpoint.
type badgeEndpoint struct {
	SchemaVersion int    `json:"schemaVersion"`
	Label         string `json:"label"`
	Message       string `json:"message"`
	Color         string `json:"color"`
}

// maxBadgeNames is how many profiles a badge names before it counts them.
const maxBadgeNames = 4

// badge returns badge.json. It says no more than the rows do: a profile that was
// not judged whole is called partial, and a claim without evidence is not called
// conformant.
func (c *Conformance) badge() ([]byte, error) {
	b := badgeEndpoint{SchemaVersion: 1, Label: strings.TrimSpace("RTM " + c.Set)}
	b.Message, b.Color = c.badgeWords()
	return encode(b)
}

func (c *Conformance) badgeWords() (message, color string) {
	t := c.tally()
	var held, partial []string
	broken := false
	for _, p := range c.Profiles {
		if len(c.Claims) > 0 && !slices.Contains(c.Claims, p.Name) {
			continue
		}
		switch p.Verdict {
		case Conformant:
			held = append(held, p.Name)
		case NotConformant:
			broken = true
		case Partial:
			partial = append(partial, p.Name)
		default:
			if len(c.Claims) > 0 {
				partial = append(partial, p.Name) // a claim that nothing proves
			}
		}
	}
	switch {
	case len(t.failed) > 0:
		return "not conformant", "red"
	case t.counts[Error] > 0:
		return "not judged", "lightgrey"
	case broken:
		return "not conformant", "red"
	case c.Interrupted:
		return "interrupted", "lightgrey"
	case t.judged == 0 || len(held)+len(partial) == 0:
		return "no evidence", "lightgrey"
	case len(held) == 0:
		return "partial", "yellow"
	case len(partial) > 0:
		return badgeNames(held) + " conformant, " + badgeNames(partial) + " partial", "yellow"
	}
	return badgeNames(held) + " conformant", "brightgreen"
}

func badgeNames(profiles []string) string {
	if len(profiles) > maxBadgeNames {
		return fmt.Sprintf("%d profiles", len(profiles))
	}
	return strings.Join(profiles, ", ")
}
