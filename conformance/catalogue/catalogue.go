// Package catalogue holds the requirements that the suite judges by, as data to be reviewed.
//
// Each area has one YAML file, embedded in the binary: one entry per observable behaviour, written by hand, with its
// level, the subject it binds, the profile it counts for and the sources it comes from. A rule number in a source refers
// to the numbered rules that the project collected from the vendor's public documentation and from observation of its
// Web SDK; an anchor such as "#peer-receipt" is a clause of the protocol document, sdk/wire/PROTOCOL.md.
//
// Ids are never reused and never change their meaning: a row may be reworded, a new behaviour gets a new number at the
// end of its area.
package catalogue

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"
)

// Level is the force of a requirement, in the words of RFC 2119.
type Level string

// The levels of a requirement.
const (
	// Must is a requirement whose violation is a failure.
	Must Level = "must"
	// Should is a requirement whose violation is a warning.
	Should Level = "should"
	// May is a freedom: what the subject does is noted and never gates.
	May Level = "may"
)

// Subject says whom a requirement binds.
type Subject string

// The subjects under test.
const (
	// Server is judged with raw connections.
	Server Subject = "server"
	// Client is judged by what its API reports and by what it puts on the wire.
	Client Subject = "client"
)

// Requirement is one observable behaviour that the suite looks for.
type Requirement struct {
	// ID is the stable name, such as "RTM-PEER-002".
	ID string `yaml:"id"`
	// Level is the force of the requirement.
	Level Level `yaml:"level"`
	// Subject is whom it binds.
	Subject Subject `yaml:"subject"`
	// Profile is the name of the profile it counts for.
	Profile string `yaml:"profile"`
	// Area is the area word of the file it stands in.
	Area string `yaml:"-"`
	// Text is the requirement in one sentence.
	Text string `yaml:"text"`
	// Sources are rule numbers ("rule 94") and clauses of the protocol document ("#peer-receipt"), at least one.
	Sources []string `yaml:"sources"`
	// Needs are the ids of requirements without which this one cannot be judged: when one of them fails, this one is
	// blocked instead of failing for the same cause.
	Needs []string `yaml:"needs,omitempty"`
	// Since is the protocol version from which the requirement counts; empty means the first.
	Since string `yaml:"since,omitempty"`
	// Unless names a profile; the requirement then says how a subject that does not claim that profile refuses it, and is
	// judged only for such a subject.
	Unless string `yaml:"unless,omitempty"`
	// Budget names the announced limit that bounds the longest wait of its specs, such as "ack_timeout_ms". The words
	// "login" and "send" stand for the client's own timeouts and the server's login timeout, which are not announced,
	// and "members" for a cost in connections instead of time. Empty means that no wait is longer than an answer.
	Budget string `yaml:"budget,omitempty"`
	// Waits is how long its specs take at least whatever the server announces, because tokens end at whole seconds. It only
	// helps to plan a run.
	Waits time.Duration `yaml:"waits,omitempty"`
	// Slow marks a requirement that takes more than a few seconds whatever the server announces.
	Slow bool `yaml:"slow,omitempty"`
	// Undecided says why the sources leave the requirement open. The suite shows such a row and never judges it.
	Undecided string `yaml:"undecided,omitempty"`
}

// Judged tells whether the suite judges the requirement, as opposed to only listing it.
func (r *Requirement) Judged() bool { return r.Undecided == "" }

// Clause returns the first clause of the protocol document among the sources, as "PROTOCOL.md#anchor", or the first
// source when there is none.
func (r *Requirement) Clause() string {
	for _, source := range r.Sources {
		if strings.HasPrefix(source, "#") {
			return "PROTOCOL.md" + source
		}
	}
	if len(r.Sources) == 0 {
		return ""
	}
	return r.Sources[0]
}

// Source returns all sources in one line.
func (r *Requirement) Source() string {
	sources := make([]string, len(r.Sources))
	for i, source := range r.Sources {
		if strings.HasPrefix(source, "#") {
			source = "PROTOCOL.md" + source
		}
		sources[i] = source
	}
	return strings.Join(sources, ", ")
}

// Profile is a named set of requirements that a vendor claims as a whole.
type Profile struct {
	// Name is the word used in requirements, flags and reports.
	Name string `yaml:"name"`
	// Text says in one sentence what the profile covers.
	Text string `yaml:"text"`
}

// Catalogue is the set of all requirements. It is read-only.
type Catalogue struct {
	// Requirements are all rows, in the order of the areas and, within an area, of the file.
	Requirements []*Requirement
	// Profiles are the profiles in the order in which reports show them.
	Profiles []Profile

	byID   map[string]*Requirement
	digest string
}

// Areas are the area words in the order of the catalogue. An area without requirements yet has no file.
var Areas = []string{"login", "peer", "channel", "presence", "attributes", "invitation", "transport"}

//go:embed *.yaml
var files embed.FS

// Load reads the embedded catalogue. The error names the file and line of the first entry that does not parse; see
// [Catalogue.Lint] for entries that parse and are still wrong.
var Load = sync.OnceValues(load)

// Embedded returns the embedded catalogue. It panics when that does not parse, which the tests of this package rule out.
func Embedded() *Catalogue {
	c, err := Load()
	if err != nil {
		panic(err)
	}
	return c
}

func load() (*Catalogue, error) {
	c := &Catalogue{byID: make(map[string]*Requirement)}
	digest := sha256.New()
	var profiles struct {
		Profiles []Profile `yaml:"profiles"`
	}
	if err := decode("profiles.yaml", &profiles, digest); err != nil {
		return nil, err
	}
	c.Profiles = profiles.Profiles
	for _, area := range Areas {
		name := area + ".yaml"
		if _, err := files.ReadFile(name); err != nil {
			continue
		}
		var file struct {
			Area         string         `yaml:"area"`
			Requirements []*Requirement `yaml:"requirements"`
		}
		if err := decode(name, &file, digest); err != nil {
			return nil, err
		}
		if file.Area != area {
			return nil, fmt.Errorf("catalogue: %s: the area is %q, not that of the file name", name, file.Area)
		}
		for _, r := range file.Requirements {
			r.Area = area
			c.Requirements = append(c.Requirements, r)
			if c.byID[r.ID] == nil {
				c.byID[r.ID] = r
			}
		}
	}
	c.digest = hex.EncodeToString(digest.Sum(nil))
	return c, nil
}

func decode(name string, into any, digest io.Writer) error {
	text, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("catalogue: %w", err)
	}
	_, _ = digest.Write(text)
	return decodeStrict(name, text, into)
}

func decodeStrict(name string, text []byte, into any) error {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("catalogue: %s: %w", name, err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("catalogue: %s: something stands after the list", name)
	}
	return nil
}

// Get returns the requirement with this id, or nil.
func (c *Catalogue) Get(id string) *Requirement { return c.byID[id] }

// SHA256 returns the digest of the catalogue's text in hex, by which two reports can be seen to have judged by the same
// requirements.
func (c *Catalogue) SHA256() string { return c.digest }

// HasProfile tells whether a profile of this name exists.
func (c *Catalogue) HasProfile(name string) bool {
	for _, profile := range c.Profiles {
		if profile.Name == name {
			return true
		}
	}
	return false
}

// Depth returns how long the longest chain of needs under the requirement is: 0 for one that needs nothing. It is
// meaningless for an unknown id and for a chain that runs in a circle, which [Catalogue.Lint] reports.
func (c *Catalogue) Depth(id string) int { return c.depth(id, len(c.Requirements)) }

func (c *Catalogue) depth(id string, bound int) int {
	r := c.byID[id]
	if r == nil || bound == 0 {
		return 0
	}
	deepest := 0
	for _, need := range r.Needs {
		deepest = max(deepest, 1+c.depth(need, bound-1))
	}
	return deepest
}
