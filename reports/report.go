package reports

import "time"

// ReportSchema is the schema version of [Report].
const ReportSchema = "rtmkit-report/v1"

// Report is what one run of the toolkit found. It is written as report.json.
type Report struct {
	// Schema is always [ReportSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// ToolVersion is the version of rtmkit.
	ToolVersion string `json:"tool_version"`
	// StartedAt is when the run began.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when it ended.
	EndedAt time.Time `json:"ended_at"`
	// Environment is the machine it ran on.
	Environment Environment `json:"environment"`
	// Command repeats the run. [Write] redacts tokens in it.
	Command string `json:"command,omitempty"`
	// ExitCode is the exit code of the process: 0 for a good outcome, see the
	// command's documentation for the others.
	ExitCode int `json:"exit_code"`
	// Verdict says the outcome in one sentence.
	Verdict string `json:"verdict,omitempty"`
	// Notes say in sentences how this run differed from a plain one.
	Notes []string `json:"notes,omitempty"`
	// Interrupted says that the run was cut short.
	Interrupted bool `json:"interrupted,omitempty"`
	// Conformance is the result of the suite, or nil when it did not run.
	Conformance *Conformance `json:"conformance,omitempty"`
	// Loads are the load runs in the order they ran.
	Loads []Load `json:"loads,omitempty"`
}

// Of returns a report about a single load run, so that a run folder can have
// the same pages as a whole check.
func Of(load *Load) *Report {
	return &Report{
		Schema:      ReportSchema,
		ToolVersion: load.Manifest.ToolVersion,
		StartedAt:   load.Manifest.StartedAt,
		EndedAt:     load.Manifest.EndedAt,
		Environment: load.Manifest.Environment,
		Command:     load.Manifest.Command,
		Interrupted: load.Manifest.Interrupted,
		Loads:       []Load{*load},
	}
}
