package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Verification is what [Verify] found in a report folder.
type Verification struct {
	// Findings are what does not hold, one sentence each; none when the folder
	// is as [Write] made it.
	Findings []string
	// Notes say what could not be looked at, one sentence each.
	Notes []string
}

// ErrNoReport is what [Verify] returns for a folder that holds no report.
var ErrNoReport = errors.New("the folder holds no " + ReportFile)

// Verify holds a report folder against itself: that the checksums are right and
// that no file is missing or too much, that report.json satisfies its schema, that
// the wire traces hold the frames of the report, that counts, verdicts of profiles
// and the exit code follow from the rows, and that junit.xml, summary.md,
// index.html and badge.json are what report.json renders to.
//
// The last can be said only by the version of rtmkit that wrote the report; where
// version is another one, a note says so instead.
//
// Verify proves that a report was not changed by accident or by half. It cannot
// prove who made it. The error is for a folder that cannot be read, or holds no
// report ([ErrNoReport]).
func Verify(dir, version string) (*Verification, error) {
	if _, err := os.Stat(filepath.Join(dir, ReportFile)); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reports: verify %s: %w", dir, ErrNoReport)
		}
		return nil, fmt.Errorf("reports: verify %w", err)
	}
	present, err := regularFiles(dir)
	if err != nil {
		return nil, fmt.Errorf("reports: verify %w", err)
	}
	v := &verifier{dir: dir, present: present}
	v.checksums()
	v.schema()
	r, err := Read(dir)
	if err != nil {
		v.find("report.json cannot be read: %s.", strings.TrimPrefix(err.Error(), "reports: read "))
		return &v.Verification, nil
	}
	v.wires(r)
	v.rows(r)
	v.exitCode(r)
	v.renders(r, version)
	return &v.Verification, nil
}

type verifier struct {
	Verification
	dir     string
	present []string
}

func (v *verifier) find(format string, args ...any) {
	v.Findings = append(v.Findings, fmt.Sprintf(format, args...))
}

func (v *verifier) file(name string) string { return filepath.Join(v.dir, filepath.FromSlash(name)) }

func (v *verifier) checksums() {
	if !slices.Contains(v.present, ChecksumsFile) {
		v.find("%s is missing.", ChecksumsFile)
		return
	}
	sums, err := readChecksums(v.file(ChecksumsFile))
	if err != nil {
		v.find("%s cannot be read: %v.", ChecksumsFile, err)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		if !slices.Contains(v.present, name) {
			v.find("%s is missing, and %s names it.", name, ChecksumsFile)
			continue
		}
		if info, err := os.Lstat(v.file(name)); err != nil || !info.Mode().IsRegular() {
			v.find("%s is no file.", name)
			continue
		}
		sum, err := fileSum(v.file(name))
		if err != nil {
			v.find("%s cannot be read: %v.", name, err)
		} else if sum != sums[name] {
			v.find("%s was changed: its checksum is not the one in %s.", name, ChecksumsFile)
		}
	}
	for _, name := range v.present {
		if sums[name] == "" && name != ChecksumsFile {
			v.find("%s is not in %s; nothing else may lie in the folder.", name, ChecksumsFile)
		}
	}
}

func (v *verifier) schema() {
	text, err := readBounded(v.file(ReportFile), maxFileBytes)
	if err != nil {
		v.find("%s cannot be read: %v.", ReportFile, err)
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		v.find("%s is no JSON: %v.", ReportFile, err)
		return
	}
	schema, err := reportSchema()
	if err == nil {
		err = schema.Validate(value)
	}
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		for len(invalid.Causes) > 0 {
			invalid = invalid.Causes[0]
		}
		v.find("%s does not satisfy report.schema.json at /%s.", ReportFile, strings.Join(invalid.InstanceLocation, "/"))
	} else if err != nil {
		v.find("%s cannot be held against report.schema.json: %v.", ReportFile, err)
	}
}

func reportSchema() (*jsonschema.Schema, error) {
	text, err := fs.ReadFile(Schemas(), "report.schema.json")
	if err != nil {
		return nil, err
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:report", parsed); err != nil {
		return nil, err
	}
	return c.Compile("urn:report")
}

// wires holds the traces against the hashes and the frames of the report.
func (v *verifier) wires(r *Report) {
	if r.Conformance == nil {
		return
	}
	for i := range r.Conformance.Requirements {
		q := &r.Conformance.Requirements[i]
		want, err := q.wireText()
		if err != nil {
			v.find("The frames of %s cannot be written: %v.", q.ID, err)
			continue
		}
		if q.Verdict == Pass {
			want = nil
		}
		if q.Wire == "" {
			if len(want) > 0 {
				v.find("%s has frames, but names no wire trace.", q.ID)
			}
			continue
		}
		got, err := readBounded(v.file(q.Wire), maxWireBytes)
		switch {
		case err != nil:
			v.find("The wire trace of %s cannot be read: %v.", q.ID, err)
		case sha256Of(got) != q.WireSHA256:
			v.find("%s was changed: its SHA-256 is not the one in %s.", q.Wire, ReportFile)
		case !bytes.Equal(got, want):
			v.find("%s does not hold the frames of %s.", q.Wire, ReportFile)
		}
	}
}

// rows holds verdicts against what they follow from.
func (v *verifier) rows(r *Report) {
	if r.EndedAt.Before(r.StartedAt) {
		v.find("The run ended before it began.")
	}
	c := r.Conformance
	if c == nil {
		return
	}
	var names []string
	for _, p := range c.Profiles {
		names = append(names, p.Name)
		want := NewProfile(p.Name, c.Subject.Kind, c.Requirements)
		if !maps.Equal(p.Counts, want.Counts) {
			v.find("The counts of the profile %s do not follow from its rows.", p.Name)
		}
		if p.Verdict != want.Verdict {
			v.find("The profile %s is called %s, but its rows make it %s.", p.Name, p.Verdict, want.Verdict)
		}
	}
	for _, claim := range c.Claims {
		if !slices.ContainsFunc(c.Requirements, func(q RequirementResult) bool { return q.Profile == claim }) {
			v.find("The profile %s is claimed, but no requirement belongs to it.", claim)
		}
	}
	for i := range c.Requirements {
		q := &c.Requirements[i]
		if binds(q.Subject, c.Subject.Kind) && !slices.Contains(names, q.Profile) {
			v.find("%s belongs to the profile %s, which has no verdict.", q.ID, q.Profile)
		}
		var states []Verdict
		for _, s := range q.Specs {
			states = append(states, s.State)
		}
		if worst := Worst(states...); !follows(q.Verdict, worst) {
			v.find("%s is called %s, but its specs say %s.", q.ID, q.Verdict, worst)
		}
	}
}

// follows reports whether a requirement may have this verdict when the worst of
// its specs is that one. The list of known failures and repeats change a verdict
// after the specs spoke.
func follows(v, worst Verdict) bool {
	switch v {
	case KnownFail:
		return slices.Contains([]Verdict{Fail, Warn, Blocked, KnownFail}, worst)
	case StaleKnownFail, Flaky:
		return worst != NoSpec
	case Pass, Info, Warn, Fail:
		return v == worst
	}
	return true // not judged, with or without a spec that says so
}

func (v *verifier) exitCode(r *Report) {
	want := 0
	if r.Conformance != nil {
		want = r.Conformance.ExitCode()
	}
	if r.Interrupted {
		want = 130
	}
	if len(r.Loads) == 0 {
		if r.ExitCode != want {
			v.find("The exit code is %d, but the rows make it %d.", r.ExitCode, want)
		}
		return
	}
	// Of several codes the gravest wins, which is the command's to say. What can
	// be said here is whether there was anything to fail for.
	clean := deliveryOutcome(r.Loads).Tone != toneBad && validityOutcome(r.Loads).Tone != toneBad && thresholdOutcome(r.Loads).Tone != toneBad
	if r.ExitCode == 0 && (want != 0 || !clean) {
		v.find("The exit code is 0, but something did not hold.")
	}
	if r.ExitCode == 1 && want != 1 && thresholdOutcome(r.Loads).Tone != toneBad {
		v.find("The exit code is 1, but no requirement and no threshold failed.")
	}
}

// renders holds every other file against what report.json renders to.
func (v *verifier) renders(r *Report, version string) {
	if r.ToolVersion != version {
		v.Notes = append(v.Notes, fmt.Sprintf("The report was written by rtmkit %s, and this is %s: whether the pages are what %s renders to is for that version to say.", firstOf(r.ToolVersion, "of an unknown version"), version, ReportFile))
		return
	}
	files, _, err := reportFiles(v.dir, r)
	if err != nil {
		v.find("%s cannot be rendered: %v.", ReportFile, err)
		return
	}
	for _, f := range files {
		if strings.HasPrefix(f.name, WireFolder+"/") {
			continue // held against the frames already
		}
		if !slices.Contains(v.present, f.name) {
			v.find("%s is missing.", f.name)
			continue
		}
		got, err := readBounded(v.file(f.name), maxFileBytes)
		switch {
		case err != nil:
			v.find("%s cannot be read: %v.", f.name, err)
		case bytes.Equal(got, f.text):
		case f.name == ReportFile:
			v.find("%s is not in the form that rtmkit writes.", f.name)
		default:
			v.find("%s is not what %s renders to.", f.name, ReportFile)
		}
	}
}
