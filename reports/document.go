package reports

import (
	"fmt"
	"path/filepath"
)

// document is a result that is kept as JSON, Markdown and a page side by side.
type document interface {
	validate() error
	page() ([]byte, error)
	Markdown() []byte
}

// documentFiles are the names of a document's files and the schema of its JSON.
type documentFiles struct{ schema, data, summary, page string }

// writeDocument puts a copy of the document without secrets into the folder, each
// file whole or not at all. It refuses what [readDocument] would refuse.
func writeDocument[T any, D interface {
	*T
	document
}](dir string, d D, files documentFiles) error {
	clean, err := redactedCopy((*T)(d))
	if err == nil {
		err = D(clean).validate()
	}
	var data, page []byte
	if err == nil {
		data, err = encode(clean)
	}
	if err == nil {
		page, err = D(clean).page()
	}
	if err != nil {
		return fmt.Errorf("reports: write %s: %w", dir, err)
	}
	return writeFiles(dir, []textFile{{files.data, data}, {files.summary, D(clean).Markdown()}, {files.page, page}})
}

// readDocument returns the document in the folder, as strict as [Read].
func readDocument[T any, D interface {
	*T
	document
}](dir string, files documentFiles) (D, error) {
	d := D(new(T))
	file := filepath.Join(dir, files.data)
	if err := readFile(file, files.schema, d); err != nil {
		return nil, err
	}
	if err := d.validate(); err != nil {
		return nil, fmt.Errorf("reports: read %s: %w", file, err)
	}
	return d, nil
}
