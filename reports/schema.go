package reports

import (
	"embed"
	"io/fs"
)

//go:embed schema/*.schema.json
var schemas embed.FS

// Schemas returns the JSON Schemas (draft 2020-12) of the results as files:
// report.schema.json for [Report], conformance.schema.json for [Conformance],
// selftest.schema.json for [Selftest], grid.schema.json for [Grid],
// table.schema.json for [Table], ab.schema.json for [Gate], floor.schema.json for [Floor],
// noise.schema.json for [Noise], search.schema.json for [Search], and run.schema.json for [Load], whose parts "#/$defs/Manifest" and
// "#/$defs/Summary" describe manifest.json and summary.json. They are made from
// the Go types and their comments, and a test keeps them equal.
func Schemas() fs.FS {
	sub, err := fs.Sub(schemas, "schema")
	if err != nil {
		panic(err) // The folder is compiled in under this name.
	}
	return sub
}
