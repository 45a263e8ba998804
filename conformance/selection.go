package conformance

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/rtmkit/rtmkit/conformance/catalogue"
	"github.com/rtmkit/rtmkit/conformance/specs"
	"github.com/rtmkit/rtmkit/reports"
)

// selection decides, before any spec runs, which requirements are judged and why the others are not.
type selection struct {
	catalogue *catalogue.Catalogue
	// left holds the verdict and reason of each requirement that is not judged.
	left map[string]specs.Skipped
}

// check finds what makes no sense in a configuration without looking at the server.
func (c *Config) check() error {
	server, err := url.Parse(c.Server)
	if err != nil || (server.Scheme != "ws" && server.Scheme != "wss") || server.Host == "" {
		return &UsageError{fmt.Sprintf("the server URL %q must look like ws://host:port/rtm/v1 or wss://…", reports.Redact(c.Server))}
	}
	if server.User != nil {
		return &UsageError{fmt.Sprintf("the server URL %q names a user, which no WebSocket takes; leave it out", reports.Redact(c.Server))}
	}
	if len(c.AppID) != 32 {
		return &UsageError{fmt.Sprintf("the app id has %d characters and must have 32", len(c.AppID))}
	}
	for _, subject := range c.Subjects {
		if subject != string(catalogue.Server) && subject != string(catalogue.Client) {
			return &UsageError{fmt.Sprintf("the subject %q must be server or client", subject)}
		}
	}
	requirements, err := catalogue.Load()
	if err != nil {
		return &SuiteError{err.Error()}
	}
	for _, profile := range slices.Concat(c.Claims, c.Profiles) {
		if !requirements.HasProfile(profile) {
			return &UsageError{fmt.Sprintf("there is no profile %q; the nearest is %s", profile, catalogue.Nearest(profile, requirements.ProfileNames()))}
		}
		if reason := c.unjudgeable(profile); reason != "" {
			return &UsageError{fmt.Sprintf("the profile %s cannot be judged: %s", profile, reason)}
		}
	}
	for _, patterns := range [][]string{c.Only, c.Skip} {
		for _, pattern := range patterns {
			if err := checkPattern(requirements, pattern); err != nil {
				return err
			}
		}
	}
	for _, known := range c.KnownFailures {
		if problem := known.problem(); problem != "" {
			return &UsageError{"the known failures: " + problem}
		}
	}
	if c.frozen == nil {
		if c.frozen, err = catalogue.LoadSet(c.set()); err != nil {
			return &UsageError{strings.TrimPrefix(err.Error(), "catalogue: ")}
		}
	}
	if c.TokenApp.Certificate != "" {
		if err := c.TokenApp.Check(); err != nil {
			return &UsageError{err.Error()}
		}
	}
	return nil
}

func checkPattern(requirements *catalogue.Catalogue, pattern string) error {
	if _, err := path.Match(pattern, ""); err != nil {
		return &UsageError{fmt.Sprintf("the requirement pattern %q is malformed", pattern)}
	}
	if !slices.ContainsFunc(requirements.IDs(), func(id string) bool { return matches(pattern, id) }) {
		return &UsageError{fmt.Sprintf("no requirement is called %s; the nearest is %s", pattern, catalogue.Nearest(pattern, requirements.IDs()))}
	}
	return nil
}

func matches(pattern, id string) bool {
	matched, err := path.Match(pattern, id)
	return err == nil && matched
}

// unjudgeable tells what a profile needs that the configuration does not have, or "".
func (c *Config) unjudgeable(profile string) string {
	switch {
	case profile == "tokens" && c.TokenApp.Certificate == "":
		return "it needs an app with its certificate"
	case profile == "apps" && c.OtherAppID == "":
		return "it needs a second app id"
	}
	return ""
}

// choose decides about every requirement. It fails when nothing is left to judge.
func (c *Config) choose(env *specs.Env) (*selection, error) {
	chosen := &selection{catalogue: catalogue.Embedded(), left: make(map[string]specs.Skipped)}
	for _, r := range chosen.catalogue.Requirements {
		if verdict, reason := c.leaveOut(r, env); verdict != "" {
			chosen.left[r.ID] = specs.Skipped{Verdict: string(verdict), Reason: reason}
		}
	}
	if len(chosen.left) == len(chosen.catalogue.Requirements) {
		return nil, &UsageError{"the selection of subjects, profiles and requirements leaves nothing to judge" + chosen.why(c)}
	}
	return chosen, nil
}

// why tells why the requirements asked for are not judged, so that an empty selection explains itself.
func (s *selection) why(c *Config) string {
	reason := ""
	for _, r := range s.catalogue.Requirements {
		left := s.left[r.ID]
		for _, pattern := range c.Only {
			if matches(pattern, r.ID) {
				return fmt.Sprintf("; %s: %s", r.ID, left.Reason)
			}
		}
		switch {
		case len(c.Only) > 0 || len(c.Profiles) > 0 && !slices.Contains(c.Profiles, r.Profile):
		case left.Verdict == string(reports.NotDeclared):
			return "; " + left.Reason
		case reason == "" && r.Judged():
			reason = "; " + left.Reason
		}
	}
	return reason
}

func (c *Config) leaveOut(r *catalogue.Requirement, env *specs.Env) (reports.Verdict, string) {
	named := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(pattern string) bool { return matches(pattern, r.ID) })
	}
	switch {
	case !r.Judged():
		return reports.Undecided, r.Undecided
	case !slices.Contains(c.subjects(), string(r.Subject)):
		return reports.NotSelected, fmt.Sprintf("no %s is judged in this run", r.Subject)
	case !c.claims(r.Subject, r.Profile):
		return reports.NotDeclared, fmt.Sprintf("the %s does not claim the profile %s", r.Subject, r.Profile)
	case r.Unless != "" && c.claims(r.Subject, r.Unless):
		return reports.NotDeclared, fmt.Sprintf("it is about a %s that does not claim the profile %s", r.Subject, r.Unless)
	case len(c.Profiles) > 0 && !slices.Contains(c.Profiles, r.Profile):
		return reports.NotSelected, "the run was told to judge other profiles only"
	case c.unjudgeable(r.Profile) != "":
		return reports.NotDeclared, fmt.Sprintf("the profile %s is not declared: %s", r.Profile, c.unjudgeable(r.Profile))
	case r.Profile == "call-limits" && len(env.Limits.Calls) == 0 && !slices.Contains(c.Claims, r.Profile):
		return reports.NotDeclared, "the server announces no call limits"
	case len(c.Only) > 0 && !named(c.Only):
		return reports.NotSelected, "the run was told to judge other requirements only"
	case named(c.Skip):
		return reports.NotSelected, "the run was told to leave it out"
	case !c.Slow && (r.Slow || env.Cost(r) > c.slowAfter()):
		return reports.NotSelected, fmt.Sprintf("it is slow: the server announces %s of %v", budgetWords(r), env.Cost(r))
	}
	return "", ""
}

// claims tells whether a subject claims a profile; one that makes no claims is taken to claim all.
func (c *Config) claims(subject catalogue.Subject, profile string) bool {
	claims := c.claimsOf(subject)
	return claims == nil || slices.Contains(claims, profile)
}

// claimsOf returns the claims of a subject, nil when it makes none.
func (c *Config) claimsOf(subject catalogue.Subject) []string {
	if subject == catalogue.Client {
		return c.clientClaims
	}
	return c.Claims
}

func budgetWords(r *catalogue.Requirement) string {
	if r.Budget == "" {
		return "a wait"
	}
	return r.Budget
}
