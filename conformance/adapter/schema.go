package adapter

import (
	"bytes"
	_ "embed"
)

//go:embed adapter.schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of one line of the adapter protocol. It holds for both directions; its
// parts "#/$defs/command" and "#/$defs/answer" are for what the suite and what an adapter writes. A command of a name that
// the protocol does not know, which an adapter must answer with unsupported, keeps the schema only in the form of the
// suite's own probe.
func Schema() []byte { return bytes.Clone(schema) }
