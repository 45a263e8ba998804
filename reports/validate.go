package reports

import (
	"errors"
	"fmt"
	"slices"
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
		switch p.Verdict {
		case Conformant, NotConformant, Partial, NoEvidence, ProfileNotDeclared:
		default:
			errs = append(errs, fmt.Errorf("profile %s: unknown verdict %q", p.Name, p.Verdict))
		}
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
		for _, s := range q.Specs {
			if !s.State.known() {
				errs = append(errs, fmt.Errorf("requirement %s: spec %q: unknown state %q", q.ID, s.Name, s.State))
			}
		}
	}
	return errors.Join(errs...)
}

func (v Verdict) known() bool { return slices.Contains(Verdicts(), v) }

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
