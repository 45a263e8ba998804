package reports

import "time"

// GridSchema is the schema version of [Grid].
const GridSchema = "rtmkit-grid/v1"

// Grid is how a number of clients and servers get on with each other: one
// conformance run for each pair. It is written as grid.json.
type Grid struct {
	// Schema is always [GridSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// SuiteVersion is the version of the suite that judged.
	SuiteVersion string `json:"suite_version"`
	// CatalogueSHA256 is the hex SHA-256 of the requirement catalogue.
	CatalogueSHA256 string `json:"catalogue_sha256"`
	// Seed orders the specs and names the users; the same seed repeats both.
	Seed int64 `json:"seed"`
	// StartedAt is when the first run began.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when the last run ended.
	EndedAt time.Time `json:"ended_at"`
	// Command repeats all runs. [WriteGrid] redacts tokens in it.
	Command string `json:"command,omitempty"`
	// Notes say in sentences how these runs differed from plain ones.
	Notes []string `json:"notes,omitempty"`
	// Interrupted says that the runs were cut short. Cells that were not
	// reached are not judged.
	Interrupted bool `json:"interrupted,omitempty"`
	// Clients are the rows.
	Clients []Identity `json:"clients,omitempty"`
	// Servers are the columns.
	Servers []Identity `json:"servers,omitempty"`
	// Cells are the results, one list for each client with one cell for each
	// server.
	Cells [][]Cell `json:"cells,omitempty"`
	// ServersAlone are the servers judged without any of the clients, one cell
	// for each server; none when that was not asked for.
	ServersAlone []Cell `json:"servers_alone,omitempty"`
	// ClientsAlone are the clients judged against the reference server, one
	// cell for each client; none when that was not asked for.
	ClientsAlone []Cell `json:"clients_alone,omitempty"`
}

// CellVerdict is the outcome of one run of a [Grid].
type CellVerdict string

// The verdicts of a cell.
const (
	// CellConformant says that every profile that was judged is conformant.
	CellConformant CellVerdict = "conformant"
	// CellNotConformant says that the run failed.
	CellNotConformant CellVerdict = "not conformant"
	// CellPartial says that nothing failed, but that a profile is partial or
	// was not judged whole.
	CellPartial CellVerdict = "partial"
	// CellNotJudged says that nothing was learned, for the reason in the cell.
	CellNotJudged CellVerdict = "not judged"
)

// CellVerdicts returns every verdict of a cell.
func CellVerdicts() []CellVerdict {
	return []CellVerdict{CellConformant, CellNotConformant, CellPartial, CellNotJudged}
}

// Cell is one run of a [Grid].
type Cell struct {
	// Verdict is the outcome in one word.
	Verdict CellVerdict `json:"verdict"`
	// Counts say how many requirements ended with each verdict.
	Counts map[Verdict]int `json:"counts,omitempty"`
	// Failed are the ids of the requirements that failed, in catalogue order.
	Failed []string `json:"failed,omitempty"`
	// ExitCode is the exit code of the run.
	ExitCode int `json:"exit_code"`
	// Reason explains in one sentence why the pair was not judged.
	Reason string `json:"reason,omitempty"`
	// Report is the folder of the run's report, relative to the folder of the
	// grid, with forward slashes; empty when there is none.
	Report string `json:"report,omitempty"`
}

// NewCell returns the cell of a run with this result and exit code. Report is the
// folder of the run's report relative to the folder of the grid. A run without a
// result is not judged; the caller gives the reason.
func NewCell(c *Conformance, exitCode int, report string) Cell {
	cell := Cell{Verdict: CellNotJudged, ExitCode: exitCode, Report: report}
	if c == nil {
		return cell
	}
	cell.Counts = c.Counts()
	judged := false
	for i := range c.Requirements {
		q := &c.Requirements[i]
		judged = judged || q.Verdict.Judged() && !q.Provisional
		if q.Verdict.fails() && !q.Provisional {
			cell.Failed = append(cell.Failed, q.ID)
		}
	}
	profiles := make(map[ProfileVerdict]int)
	for _, p := range c.Profiles {
		profiles[p.Verdict]++
	}
	switch {
	case !judged:
		cell.Reason = "No requirement was judged."
	case len(cell.Failed) == 0 && cell.Counts[Error] > 0:
		cell.Reason = plural(int64(cell.Counts[Error]), "requirement", "requirements") + " could not be judged because the suite or its surroundings broke."
	case len(cell.Failed) > 0 || profiles[NotConformant] > 0 || exitCode != 0 && !c.Interrupted:
		cell.Verdict = CellNotConformant
	case c.Interrupted || profiles[Partial] > 0 || profiles[Conformant] == 0:
		cell.Verdict = CellPartial
	default:
		cell.Verdict = CellConformant
	}
	return cell
}
