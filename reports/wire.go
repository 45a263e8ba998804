package reports

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// WireSchema is the schema version of a wire trace.
const WireSchema = "rtmkit-wire/v1"

// WireFolder is the folder of wire traces inside a report folder.
const WireFolder = "wire"

// maxWireBytes bounds what [ReadWire] takes into memory.
const maxWireBytes = 64 << 20

// Trace is what crossed the wire during one spec. A file of traces holds one or
// more: for each a line with the header, then one line for each frame, all JSON.
// No trace names the server that was judged, so that it can be played to another.
type Trace struct {
	// Schema is always [WireSchema]; readers refuse anything else.
	Schema string `json:"schema"`
	// ID is the id of the requirement that the spec verifies.
	ID string `json:"id"`
	// Spec is the spec's full name.
	Spec string `json:"spec"`
	// Frames are the frames in order of time. They stand on lines of their own.
	Frames []Frame `json:"-"`
}

// altered finds what a recorder puts in the place of a cut or hidden part, and
// words that stand for a frame that is no text.
var altered = regexp.MustCompile(`\[redacted\]|<\d+ bytes hidden>|… \(\d+ bytes(?: in all)?\)$|^<|\x{FFFD}`)

// Whole reports whether the payload is the frame as it was on the wire: nothing
// cut off, nothing hidden, and no description of a frame that is no text. Only
// such a frame can be sent again as it is. It goes by the look of the payload; a
// frame that happens to look like one that was altered is held not whole.
func (f Frame) Whole() bool { return !altered.MatchString(f.Payload) }

// wireFile is the place of a requirement's traces inside the report folder.
func wireFile(id string) string { return WireFolder + "/" + id + ".jsonl" }

// wireText returns the file of the requirement's traces; nil when it has none.
func (q *RequirementResult) wireText() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	for _, s := range q.Specs {
		if len(s.Frames) == 0 {
			continue
		}
		if err := e.Encode(Trace{Schema: WireSchema, ID: q.ID, Spec: s.Name}); err != nil {
			return nil, err
		}
		for _, f := range s.Frames {
			if err := e.Encode(f); err != nil {
				return nil, err
			}
		}
	}
	return b.Bytes(), nil
}

// extractWire returns the files of wire traces of the report, and notes in each
// requirement where its own is. A requirement that passed has none.
func extractWire(r *Report) ([]textFile, error) {
	if r.Conformance == nil {
		return nil, nil
	}
	var files []textFile
	for i := range r.Conformance.Requirements {
		q := &r.Conformance.Requirements[i]
		q.Wire, q.WireSHA256 = "", ""
		if q.Verdict == Pass {
			continue
		}
		text, err := q.wireText()
		if err != nil {
			return nil, fmt.Errorf("wire trace of %s: %w", q.ID, err)
		}
		if len(text) == 0 {
			continue
		}
		q.Wire, q.WireSHA256 = wireFile(q.ID), sha256Of(text)
		files = append(files, textFile{q.Wire, text})
	}
	return files, nil
}

// removeStale removes from the folder what an earlier report left there and this
// one has not: wire traces, and the badge.
func removeStale(dir string, r *Report) error {
	wanted := make(map[string]bool)
	if r.Conformance == nil {
		if err := os.Remove(filepath.Join(dir, BadgeFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else {
		for i := range r.Conformance.Requirements {
			wanted[r.Conformance.Requirements[i].Wire] = true
		}
	}
	old, err := filepath.Glob(filepath.Join(escapeGlob(dir), WireFolder, "*.jsonl"))
	if err != nil {
		return err
	}
	for _, file := range old {
		name := WireFolder + "/" + filepath.Base(file)
		if id := strings.TrimSuffix(filepath.Base(file), ".jsonl"); wanted[name] || !requirementID.MatchString(id) {
			continue
		}
		if err := os.Remove(file); err != nil {
			return err
		}
	}
	return nil
}

// ReadWire returns the traces in a file that [Write] made. It refuses a schema
// version or a key it does not know, a frame before the first header, traces of
// different requirements, an unknown direction, and a file of more than 64 MiB.
func ReadWire(file string) ([]Trace, error) {
	text, err := readBounded(file, maxWireBytes)
	if err != nil {
		return nil, fmt.Errorf("reports: read %w", err)
	}
	var traces []Trace
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if err := readWireLine(line, &traces); err != nil {
			return nil, fmt.Errorf("reports: read %s: line %d: %w", file, number, err)
		}
	}
	if len(traces) == 0 {
		return nil, fmt.Errorf("reports: read %s: it holds no trace", file)
	}
	return traces, nil
}

func readWireLine(line string, traces *[]Trace) error {
	var head struct {
		Schema *string `json:"schema"`
	}
	if err := json.Unmarshal([]byte(line), &head); err != nil {
		return fmt.Errorf("not the JSON of a wire trace: %w", err)
	}
	if head.Schema != nil {
		var t Trace
		if *head.Schema != WireSchema {
			return fmt.Errorf("schema is %q, this version of rtmkit reads %q only", *head.Schema, WireSchema)
		}
		if err := decodeStrict(line, &t); err != nil {
			return err
		}
		if !requirementID.MatchString(t.ID) {
			return fmt.Errorf("%q is no id of a requirement", t.ID)
		}
		if len(*traces) > 0 && (*traces)[0].ID != t.ID {
			return fmt.Errorf("the trace of %s follows one of %s", t.ID, (*traces)[0].ID)
		}
		*traces = append(*traces, t)
		return nil
	}
	if len(*traces) == 0 {
		return errors.New("a frame stands before the first header")
	}
	var f Frame
	if err := decodeStrict(line, &f); err != nil {
		return err
	}
	if f.Direction != Sent && f.Direction != Received {
		return fmt.Errorf("unknown direction %q", f.Direction)
	}
	if f.AtNS < 0 || f.Actor == "" {
		return errors.New("a frame needs an actor and a time that is not negative")
	}
	last := &(*traces)[len(*traces)-1]
	last.Frames = append(last.Frames, f)
	return nil
}

func decodeStrict(line string, into any) error {
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one value on the line")
	}
	return nil
}

func sha256Of(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// escapeGlob takes the meaning from what a pattern would read as a sign.
func escapeGlob(dir string) string {
	return strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]").Replace(dir)
}
