package reports

import "time"

// ConformanceSchema is the schema version of [Conformance].
const ConformanceSchema = "rtmkit-conformance/v1"

// Conformance is the result of one run of the conformance suite.
type Conformance struct {
	// Schema is always [ConformanceSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// SuiteVersion is the version of the suite that judged.
	SuiteVersion string `json:"suite_version"`
	// CatalogueSHA256 is the hex SHA-256 of the requirement catalogue, so that
	// two reports can be seen to have judged by the same text.
	CatalogueSHA256 string `json:"catalogue_sha256"`
	// ProtocolVersion is the wire protocol spoken, such as "rtm.v1.json".
	ProtocolVersion string `json:"protocol_version"`
	// Seed orders the specs and names the users; the same seed repeats both.
	Seed int64 `json:"seed"`
	// StartedAt is when the first spec began.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when the last spec ended.
	EndedAt time.Time `json:"ended_at"`
	// Set is the name of the frozen set of requirements that decides, such as
	// "1.0"; empty when every requirement does. Requirements outside it are
	// provisional.
	Set string `json:"set,omitempty"`
	// Subject is who was judged, as it named itself.
	Subject Identity `json:"subject"`
	// Client is the client's side where a client was judged against a server;
	// nil otherwise.
	Client *Identity `json:"client,omitempty"`
	// Server is the server's side where a client was judged against a server;
	// nil otherwise.
	Server *Identity `json:"server,omitempty"`
	// Claims are the profiles that the subject claims. None means that it made
	// no claim and that everything was judged that could be.
	Claims []string `json:"claims,omitempty"`
	// Strict says that the violation of a SHOULD was a failure, and that a
	// partial profile fails the run.
	Strict bool `json:"strict,omitempty"`
	// Repeats is how often every spec ran; zero and one both mean once.
	Repeats int `json:"repeats,omitempty"`
	// Limits are the numbers the server announced at login, by their wire
	// names, such as "channels": 20 or "session_grace_ms": 1500.
	Limits map[string]int64 `json:"limits,omitempty"`
	// CallLimits are the rate limits the server announced; none means off.
	CallLimits []CallLimit `json:"call_limits,omitempty"`
	// Notes say in sentences how this run differed from a plain one, such as
	// "call limits off" or "session grace shortened to 1.5 s".
	Notes []string `json:"notes,omitempty"`
	// Command repeats the run. [Write] redacts tokens in it.
	Command string `json:"command,omitempty"`
	// Interrupted says that the run was cut short. Requirements that were not
	// reached are not-selected.
	Interrupted bool `json:"interrupted,omitempty"`
	// Profiles are the verdicts per profile, in catalogue order.
	Profiles []ProfileResult `json:"profiles,omitempty"`
	// Requirements are the verdicts per requirement, in catalogue order. Every
	// requirement of the catalogue has a row, judged or not.
	Requirements []RequirementResult `json:"requirements,omitempty"`
}

// Counts returns how many requirements ended with each verdict.
func (c *Conformance) Counts() map[Verdict]int {
	counts := make(map[Verdict]int)
	for i := range c.Requirements {
		counts[c.Requirements[i].Verdict]++
	}
	return counts
}

// Identity names a program that was judged or measured.
type Identity struct {
	// Kind is server, client or pair (a client and a server judged together).
	Kind string `json:"kind"`
	// Name is the program's own name.
	Name string `json:"name"`
	// Version is the program's own version.
	Version string `json:"version,omitempty"`
	// Language is the programming language of a client, in its own words.
	Language string `json:"language,omitempty"`
	// URL is where it was reached; empty for a client.
	URL string `json:"url,omitempty"`
}

// CallLimit is one announced rate limit.
type CallLimit struct {
	// Call is the limited call: login, renew, send, join, join_same, members
	// or count.
	Call string `json:"call"`
	// Count is how many calls are allowed in one window.
	Count int `json:"count"`
	// WindowMS is the length of the window in milliseconds.
	WindowMS int64 `json:"window_ms"`
}

// ProfileResult is the verdict of one profile.
type ProfileResult struct {
	// Name is the profile's name in the catalogue.
	Name string `json:"name"`
	// Verdict is the outcome.
	Verdict ProfileVerdict `json:"verdict"`
	// Counts say how many requirements of the profile ended with each verdict.
	Counts map[Verdict]int `json:"counts,omitempty"`
}

// RequirementResult is the verdict of one requirement.
type RequirementResult struct {
	// ID is the requirement's id, such as "RTM-PEER-002".
	ID string `json:"id"`
	// Area is login, peer, channel, presence, attributes, invitation or
	// transport.
	Area string `json:"area"`
	// Level is the force of the requirement.
	Level Level `json:"level"`
	// Subject says whom the requirement binds: server, client or pair.
	Subject string `json:"subject"`
	// Profile is the profile the requirement counts for.
	Profile string `json:"profile"`
	// Text is the requirement, one sentence.
	Text string `json:"text"`
	// Source is where the sentence comes from: a clause, rule or page.
	Source string `json:"source,omitempty"`
	// Provisional says that the requirement is newer than the frozen set of the
	// protocol version: it runs and is reported, but decides nothing.
	Provisional bool `json:"provisional,omitempty"`
	// Verdict is the worst verdict of the specs.
	Verdict Verdict `json:"verdict"`
	// Reason explains a verdict other than pass in one sentence, such as
	// "needs RTM-LOGIN-001, which failed".
	Reason string `json:"reason,omitempty"`
	// Expected is what the requirement asks for in this case, in plain words.
	Expected string `json:"expected,omitempty"`
	// Observed is what the subject did instead, in plain words.
	Observed string `json:"observed,omitempty"`
	// KnownFailure is the vendor's entry in the list of known failures; nil when
	// there is none. The verdicts known-fail and stale-known-fail need one.
	KnownFailure *KnownFailure `json:"known_failure,omitempty"`
	// Faults are the names of the planted faults by which the suite proves that
	// it catches a violation. A MUST that is judged and has none is a gap.
	Faults []string `json:"faults,omitempty"`
	// Specs are the specs that verify the requirement.
	Specs []SpecResult `json:"specs,omitempty"`
	// Wire is the file with the frames of the specs, relative to the report
	// folder, such as "wire/RTM-PEER-002.jsonl"; empty when none were kept.
	// [Write] makes the file and sets this field.
	Wire string `json:"wire,omitempty"`
	// WireSHA256 is the hex SHA-256 of that file.
	WireSHA256 string `json:"wire_sha256,omitempty"`
	// DurationNS is the time all specs took together, in nanoseconds.
	DurationNS int64 `json:"duration_ns,omitempty"`
	// BudgetNS is the longest a spec was allowed to wait for the subject, in
	// nanoseconds; zero when no wait was involved.
	BudgetNS int64 `json:"budget_ns,omitempty"`
	// Repeat is the command that judges this requirement alone.
	Repeat string `json:"repeat,omitempty"`
}

// KnownFailure is a failure that the vendor knows of and has listed.
type KnownFailure struct {
	// Reason says why the requirement is not met, in the vendor's words.
	Reason string `json:"reason"`
	// Issue is where the failure is tracked, as a URL or an id; empty when it
	// is tracked nowhere.
	Issue string `json:"issue,omitempty"`
	// Until is the day from which the entry no longer counts, as 2006-01-02;
	// empty when it has no end.
	Until string `json:"until,omitempty"`
	// Observed is what the entry says is observed; empty when the entry takes
	// every failure of the requirement.
	Observed string `json:"observed,omitempty"`
}

// SpecResult is the outcome of one spec.
type SpecResult struct {
	// Name is the spec's full name.
	Name string `json:"name"`
	// Location is where the spec is written, as file:line with a path relative
	// to the module.
	Location string `json:"location,omitempty"`
	// State is what the spec found, in the words of a requirement's verdict.
	State Verdict `json:"state"`
	// Message is what the spec said when it did not pass, one or few lines.
	Message string `json:"message,omitempty"`
	// DurationNS is how long the spec took, in nanoseconds.
	DurationNS int64 `json:"duration_ns,omitempty"`
	// Frames are the wire traffic of the spec in order of time. They are kept
	// for specs that did not pass.
	Frames []Frame `json:"frames,omitempty"`
}
