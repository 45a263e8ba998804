package reports

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// validate reports everything in the report that a reader of this version
// could misunderstand.
func (r *Report) validate() error {
	var errs []error
	if r.Schema != ReportSchema {
		errs = append(errs, fmt.Errorf("schema is %q, not %q", r.Schema, ReportSchema))
	}
	if r.Conformance != nil {
		errs = append(errs, r.Conformance.validate())
	}
	for i := range r.Loads {
		if err := r.Loads[i].validate(); err != nil {
			errs = append(errs, fmt.Errorf("loads[%d]: %w", i, err))
		}
	}
	return errors.Join(errs...)
}

func (c *Conformance) validate() error {
	var errs []error
	if c.Schema != ConformanceSchema {
		errs = append(errs, fmt.Errorf("conformance: schema is %q, not %q", c.Schema, ConformanceSchema))
	}
	for _, p := range c.Profiles {
		if !p.Verdict.known() {
			errs = append(errs, fmt.Errorf("profile %s: unknown verdict %q", p.Name, p.Verdict))
		}
	}
	if c.Repeats < 0 {
		errs = append(errs, fmt.Errorf("conformance: repeats is %d", c.Repeats))
	}
	seen := make(map[string]bool)
	for i := range c.Requirements {
		q := &c.Requirements[i]
		if seen[q.ID] {
			errs = append(errs, fmt.Errorf("requirement %s: appears twice", q.ID))
		}
		seen[q.ID] = true
		if !q.Verdict.known() {
			errs = append(errs, fmt.Errorf("requirement %s: unknown verdict %q", q.ID, q.Verdict))
		}
		switch q.Level {
		case Must, Should, May:
		default:
			errs = append(errs, fmt.Errorf("requirement %s: unknown level %q", q.ID, q.Level))
		}
		errs = append(errs, q.validate()...)
		for _, s := range q.Specs {
			if !s.State.known() {
				errs = append(errs, fmt.Errorf("requirement %s: spec %q: unknown state %q", q.ID, s.Name, s.State))
			}
			for _, f := range s.Frames {
				if f.Direction != Sent && f.Direction != Received {
					errs = append(errs, fmt.Errorf("requirement %s: spec %q: unknown direction %q", q.ID, s.Name, f.Direction))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// requirementID is the form of an id. It may name a file, so it holds neither
// dots nor separators.
var requirementID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

// validate reports what of the requirement's own fields contradicts another.
func (q *RequirementResult) validate() []error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("requirement %s: "+format, append([]any{q.ID}, args...)...))
	}
	if !requirementID.MatchString(q.ID) {
		errs = append(errs, fmt.Errorf("requirement %q: an id is made of up to 64 letters, digits and hyphens", q.ID))
	}
	if known := q.KnownFailure; known != nil {
		if strings.TrimSpace(known.Reason) == "" {
			wrong("the known failure has no reason")
		}
		if _, err := time.Parse(time.DateOnly, known.Until); known.Until != "" && err != nil {
			wrong("the known failure ends at %q, which is no day like 2006-01-02", known.Until)
		}
	} else if q.Verdict == KnownFail || q.Verdict == StaleKnownFail {
		wrong("the verdict is %s, but there is no entry of a known failure", q.Verdict)
	}
	if q.Wire != "" && q.Wire != wireFile(q.ID) {
		wrong("the wire trace is %q, not %q", q.Wire, wireFile(q.ID))
	}
	if (q.Wire == "") != (q.WireSHA256 == "") || q.WireSHA256 != "" && !sha256Hex.MatchString(q.WireSHA256) {
		wrong("the wire trace and its SHA-256 go together")
	}
	return errs
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (v Verdict) known() bool { return slices.Contains(Verdicts(), v) }

func (v ProfileVerdict) known() bool {
	return slices.Contains([]ProfileVerdict{Conformant, NotConformant, Partial, NoEvidence, ProfileNotDeclared}, v)
}

func (l *Load) validate() error {
	var errs []error
	if l.Manifest.Schema != LoadSchema {
		errs = append(errs, fmt.Errorf("manifest: schema is %q, not %q", l.Manifest.Schema, LoadSchema))
	}
	if l.Summary.Schema != LoadSchema {
		errs = append(errs, fmt.Errorf("summary: schema is %q, not %q", l.Summary.Schema, LoadSchema))
	}
	switch l.Summary.Validity.Verdict {
	case Valid, Degraded, Invalid:
	default:
		errs = append(errs, fmt.Errorf("summary: unknown validity %q", l.Summary.Validity.Verdict))
	}
	if l.Floor != nil {
		errs = append(errs, l.Floor.validate())
	}
	for _, m := range l.Summary.Metrics {
		if m.Heat == nil {
			continue
		}
		for _, c := range m.Heat.Columns {
			if len(c.Counts) != len(m.Heat.BoundsNS) {
				errs = append(errs, fmt.Errorf("metric %s: heat of second %d has %d counts for %d bounds", m.Name, c.Second, len(c.Counts), len(m.Heat.BoundsNS)))
			}
		}
	}
	return errors.Join(errs...)
}

// validate reports everything in the selftest that a reader of this version
// could misunderstand.
func (s *Selftest) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.Schema != SelftestSchema {
		wrong("schema is %q, not %q", s.Schema, SelftestSchema)
	}
	ids := func(what string, list []string) {
		for _, id := range list {
			if !requirementID.MatchString(id) {
				wrong("%s: %q is no id of a requirement", what, id)
			}
		}
	}
	seen := make(map[string]bool)
	once := func(what, name string) {
		if seen[what+name] {
			wrong("%s %s: appears twice", what, name)
		}
		seen[what+name] = true
	}
	for i := range s.Faults {
		f := &s.Faults[i]
		once("fault", f.Name)
		if f.Kind != FrameFault && f.Kind != LineFault {
			wrong("fault %s: unknown kind %q", f.Name, f.Kind)
		}
		ids("fault "+f.Name, f.Breaks)
		for _, r := range f.Results {
			once("fault "+f.Name+": result", r.ID)
			if !slices.Contains(f.Breaks, r.ID) {
				wrong("fault %s: has a result for %s, which it does not break", f.Name, r.ID)
			}
			if !slices.Contains(FaultOutcomes(), r.Outcome) {
				wrong("fault %s: %s: unknown outcome %q", f.Name, r.ID, r.Outcome)
			}
			if owned := slices.Contains(r.Killers, r.ID); owned != (r.Outcome == KilledByOwner) && r.Outcome != FaultError {
				wrong("fault %s: %s: the outcome %s contradicts its killers %v", f.Name, r.ID, r.Outcome, r.Killers)
			}
			ids("fault "+f.Name, r.Killers)
		}
	}
	for _, t := range s.Tolerances {
		once("tolerance", t.Name)
		ids("tolerance "+t.Name, t.Violated)
		if t.Green && len(t.Violated) > 0 {
			wrong("tolerance %s: is green and violates %v", t.Name, t.Violated)
		}
	}
	for _, h := range s.Harness {
		once("case", h.Name)
	}
	ids("uncovered", s.Uncovered)
	return errors.Join(errs...)
}

// validate reports everything in the grid that a reader of this version could
// misunderstand.
func (g *Grid) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if g.Schema != GridSchema {
		wrong("schema is %q, not %q", g.Schema, GridSchema)
	}
	cells := func(what string, list []Cell, want int) {
		if len(list) != want {
			wrong("%s: there are %d cells, not %d", what, len(list), want)
		}
		for i := range list {
			if v := list[i].Verdict; !slices.Contains(CellVerdicts(), v) {
				wrong("%s: unknown verdict %q", what, v)
			}
			for v := range list[i].Counts {
				if !v.known() {
					wrong("%s: counts the unknown verdict %q", what, v)
				}
			}
			if place := list[i].Report; place != "" && !filepath.IsLocal(filepath.FromSlash(place)) {
				wrong("%s: the report %q lies outside the folder", what, place)
			}
		}
	}
	if len(g.Cells) != len(g.Clients) {
		wrong("there are %d rows of cells for %d clients", len(g.Cells), len(g.Clients))
	}
	for i := range g.Cells {
		cells(fmt.Sprintf("cells[%d]", i), g.Cells[i], len(g.Servers))
	}
	if len(g.ServersAlone) > 0 {
		cells("servers_alone", g.ServersAlone, len(g.Servers))
	}
	if len(g.ClientsAlone) > 0 {
		cells("clients_alone", g.ClientsAlone, len(g.Clients))
	}
	return errors.Join(errs...)
}

// validate reports everything in the table that a reader of this version could
// misunderstand.
func (t *Table) validate() error {
	var errs []error
	wrong := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if t.Schema != TableSchema {
		wrong("schema is %q, not %q", t.Schema, TableSchema)
	}
	keys := make(map[string]bool)
	for _, c := range t.Columns {
		if c.Key == "" || keys[c.Key] {
			wrong("column %q: every column needs a key of its own", c.Key)
		}
		keys[c.Key] = true
	}
	if len(t.Columns) < 2 {
		wrong("there are %d columns, and a table needs two", len(t.Columns))
	}
	for _, p := range t.Profiles {
		for key, v := range p.Verdicts {
			if !keys[key] {
				wrong("profile %s: there is no column %q", p.Name, key)
			}
			if !v.known() {
				wrong("profile %s: unknown verdict %q", p.Name, v)
			}
		}
	}
	seen := make(map[string]bool)
	for i := range t.Rows {
		r := &t.Rows[i]
		if seen[r.ID] {
			wrong("requirement %s: appears twice", r.ID)
		}
		seen[r.ID] = true
		if !requirementID.MatchString(r.ID) {
			wrong("requirement %q: an id is made of up to 64 letters, digits and hyphens", r.ID)
		}
		for key, v := range r.Verdicts {
			if !keys[key] {
				wrong("requirement %s: there is no column %q", r.ID, key)
			}
			if !v.known() {
				wrong("requirement %s: unknown verdict %q", r.ID, v)
			}
		}
		for _, key := range r.Provisional {
			if !keys[key] {
				wrong("requirement %s: there is no column %q", r.ID, key)
			}
		}
	}
	return errors.Join(errs...)
}
