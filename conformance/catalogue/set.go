package catalogue

import (
	"bufio"
	"embed"
	"fmt"
	"slices"
	"strings"
)

// CurrentSet is the frozen set of this version of the protocol.
const CurrentSet = "1.0"

// Set is a frozen set of requirements: those that decide whether a subject conforms to one version of the protocol, with
// the levels that they had. A requirement that is added later is provisional for that version: it is judged and reported,
// and decides nothing, so that a new version of the suite never turns a green subject red.
type Set struct {
	// Name is the version of the protocol, such as "1.0".
	Name string

	levels map[string]Level
}

//go:embed sets/*.txt
var setFiles embed.FS

// LoadSet returns a frozen set. The error lists the sets that exist, or names the line that does not parse.
func LoadSet(name string) (*Set, error) {
	text, err := setFiles.ReadFile("sets/" + name + ".txt")
	if err != nil {
		return nil, fmt.Errorf("catalogue: there is no set %q; there are %s", name, strings.Join(SetNames(), ", "))
	}
	return ParseSet(name, string(text))
}

// ParseSet returns the set of a text: an id and its level in each line, and comments after # alone. The error names the
// line that does not parse.
func ParseSet(name, text string) (*Set, error) {
	set := &Set{Name: name, levels: make(map[string]Level)}
	lines := bufio.NewScanner(strings.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		words := strings.Fields(lines.Text())
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if len(words) != 2 || !idPattern.MatchString(words[0]) {
			return nil, fmt.Errorf("catalogue: sets/%s.txt: line %d is not an id and a level", name, number)
		}
		set.levels[words[0]] = Level(words[1])
	}
	return set, nil
}

// SetNames returns the names of the frozen sets, the oldest first.
func SetNames() []string {
	var names []string
	entries, _ := setFiles.ReadDir("sets")
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), ".txt"))
	}
	slices.Sort(names)
	return names
}

// Decides tells whether a requirement belongs to the set.
func (s *Set) Decides(id string) bool { return s.levels[id] != "" }

// LintSet returns how a frozen set and the catalogue have come apart: an id that is gone or no longer judged, or a level
// that was changed. A set is never changed to agree; the catalogue is.
func (c *Catalogue) LintSet(s *Set) []error {
	var findings []error
	for id, level := range s.levels {
		switch r := c.byID[id]; {
		case r == nil:
			findings = append(findings, fmt.Errorf("%s: it is gone, but the set %s holds it", id, s.Name))
		case !r.Judged():
			findings = append(findings, fmt.Errorf("%s: it is no longer judged, but the set %s holds it", id, s.Name))
		case r.Level != level:
			findings = append(findings, fmt.Errorf("%s: its level is %s, but the set %s holds it as %s", id, r.Level, s.Name, level))
		}
	}
	return findings
}
