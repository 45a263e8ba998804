package loadgen

import (
	_ "embed"
	"slices"
)

//go:embed workload.schema.json
var workloadSchema []byte

// WorkloadJSONSchema returns the JSON Schema of a workload file, for editors that complete and check YAML as one types.
// It knows the keys and the form of their values; what they mean together only [ParseWorkload] checks.
func WorkloadJSONSchema() []byte { return slices.Clone(workloadSchema) }
