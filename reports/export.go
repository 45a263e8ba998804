package reports

import (
	"fmt"
	"math"
	"path/filepath"
	"strconv"
	"strings"
)

// ExportFormat is a form in which other tools read the numbers of load runs.
type ExportFormat string

// The export formats.
const (
	// ExportBenchstat is the text of Go benchmarks, which benchstat compares:
	// one line per run, one unit per number.
	ExportBenchstat ExportFormat = "benchstat"
	// ExportPrometheus is the text that the textfile collector of Prometheus'
	// node exporter reads. It holds one run of each workload.
	ExportPrometheus ExportFormat = "prometheus"
	// ExportBenchmarkAction is the JSON that benchmark actions of CI services
	// read as customSmallerIsBetter: only numbers of which less is better.
	ExportBenchmarkAction ExportFormat = "benchmark-action"
)

// Export returns the numbers of load runs in another tool's form. Percentiles
// beyond which fewer than ten samples lie are left out, because they are
// anecdotes. It refuses an unknown format, no runs at all, and, but for
// [ExportBenchstat], two runs of one name. An invalid run and one that was cut
// short are an [*UntrustedError]: their numbers must not go where their verdict
// does not.
func Export(format ExportFormat, loads []Load) ([]byte, error) {
	if len(loads) == 0 {
		return nil, fmt.Errorf("reports: export: there is no load run")
	}
	named := map[string]bool{}
	clean := make([]*Load, len(loads))
	for i := range loads {
		l, err := redactedCopy(&loads[i])
		if err == nil {
			err = l.validate()
		}
		if err != nil {
			return nil, fmt.Errorf("reports: export: %w", err)
		}
		if l.Summary.Validity.Verdict == Invalid {
			return nil, &UntrustedError{l.Manifest.Name, "it is invalid, so that its numbers describe the generator: " + strings.Join(l.Summary.Validity.Reasons, "; ")}
		}
		if l.Manifest.Interrupted || l.Manifest.Aborted != nil {
			return nil, &UntrustedError{l.Manifest.Name, "it was cut short"}
		}
		if named[l.Manifest.Name] && format != ExportBenchstat {
			return nil, fmt.Errorf("reports: export: two runs of %s; %s holds one run of each name", l.Manifest.Name, format)
		}
		named[l.Manifest.Name] = true
		clean[i] = l
	}
	switch format {
	case ExportBenchstat:
		return benchmarkText(clean), nil
	case ExportPrometheus:
		return prometheusText(clean), nil
	case ExportBenchmarkAction:
		return benchmarkActionText(clean)
	}
	return nil, fmt.Errorf("reports: export: the format %q is not known; use %s, %s or %s", format, ExportBenchstat, ExportPrometheus, ExportBenchmarkAction)
}

// UntrustedError says that the numbers of a run must not be used.
type UntrustedError struct {
	// Name is the name of the run's workload.
	Name string
	// Reason says why.
	Reason string
}

// Error names the run and the reason.
func (e *UntrustedError) Error() string {
	return fmt.Sprintf("the run of %s is not exported: %s", e.Name, e.Reason)
}

// WriteExport writes what [Export] returns to a file, whole or not at all.
func WriteExport(file string, format ExportFormat, loads []Load) error {
	text, err := Export(format, loads)
	if err != nil {
		return err
	}
	if err := writeWhole(filepath.Dir(file), textFile{filepath.Base(file), text}); err != nil {
		return fmt.Errorf("reports: write %s: %w", file, err)
	}
	return nil
}

// percentileValue is one percentile of a metric.
type percentileValue struct {
	percent float64
	ns      int64
}

// name is the percentile as it is spoken of, such as p99.9.
func (p percentileValue) name() string { return "p" + plainNumber(p.percent) }

// proven returns the percentiles beyond which ten samples lie.
func (m *Metric) proven() (list []percentileValue) {
	for _, p := range []percentileValue{{50, m.P50NS}, {90, m.P90NS}, {99, m.P99NS}, {99.9, m.P999NS}, {99.99, m.P9999NS}} {
		if math.Round(float64(m.Count)*(100-p.percent)) >= 1000 {
			list = append(list, p)
		}
	}
	return list
}

// anomalies are the deliveries gone wrong over all rows, by name.
func anomalies(rows []LedgerRow) []wrong {
	var total LedgerRow
	total.addDeliveries(rows)
	return total.anomalies()
}

// wrong is how often one kind of thing went wrong.
type wrong struct {
	name  string
	count int64
}

func (r LedgerRow) anomalies() []wrong {
	return []wrong{
		{"lost", r.Lost}, {"duplicated", r.Duplicated}, {"reordered", r.Reordered}, {"leaked", r.Leaked},
		{"foreign", r.Foreign}, {"corrupt", r.Corrupt}, {"false_receipts", r.FalseReceipts},
	}
}

// plainNumber writes a number without an exponent and without loss.
func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
