// Package reports holds the results of the toolkit as data, and the writers
// that turn them into something to read.
//
// # Types
//
// A [Report] is what one "rtmkit check" found: a [Conformance] (the verdict of
// every requirement) and any number of [Load] runs (what was measured, and the
// ledger of every message). Three more stand beside it: a [Selftest] says whether
// the suite may be believed, a [Grid] how clients and servers get on with each
// other, and a [Table] sets several reports side by side. A [Gate] is the verdict on two
// builds by repeated load runs. Each tree names its schema version in the key
// "schema"; the JSON Schemas lie in the folder schema and are available from
// [Schemas]. Units are part of the key names (_ns, _ms, _bytes, _per_s).
// Durations are whole nanoseconds. Lists and maps that are empty are left out,
// so null never appears.
//
// # Files
//
// [Write] fills a report folder: report.json, junit.xml, summary.md, index.html (a
// single page that needs no network and no JavaScript), badge.json, the wire traces
// of what did not pass, and checksums.txt over all of it. [Verify] holds such a
// folder against itself, and [ReadWire] takes a trace back. [WriteLoad] fills a run
// folder with manifest.json and summary.json. [WriteSelftest], [WriteGrid] and
// [WriteTable] write the other trees, [WriteGate] writes a gate. [Read], [ReadLoad], [ReadSelftest], [ReadGrid],
// [ReadTable] and [ReadGate] take them back and refuse what they do not know. [Compare] says
// what changed between two reports, [Merge] makes a table of several.
//
// # What is not promised
//
// The text of the page, of the Markdown summary and of error messages may
// change between releases. The JSON keys change only with the schema version.
package reports
