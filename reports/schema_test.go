package reports

import (
	"bytes"
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the golden files and the schemas anew")

// published are the schema files with the type each describes.
var published = []struct {
	file, schema string
	root         reflect.Type
}{
	{"report.schema.json", ReportSchema, reflect.TypeFor[Report]()},
	{"conformance.schema.json", ConformanceSchema, reflect.TypeFor[Conformance]()},
	{"run.schema.json", LoadSchema, reflect.TypeFor[Load]()},
	{"selftest.schema.json", SelftestSchema, reflect.TypeFor[Selftest]()},
	{"grid.schema.json", GridSchema, reflect.TypeFor[Grid]()},
	{"table.schema.json", TableSchema, reflect.TypeFor[Table]()},
	{"floor.schema.json", FloorSchema, reflect.TypeFor[Floor]()},
	{"ab.schema.json", GateSchema, reflect.TypeFor[Gate]()},
	{"search.schema.json", SearchSchema, reflect.TypeFor[Search]()},
	{"noise.schema.json", NoiseSchema, reflect.TypeFor[Noise]()},
}

func TestSchemasFollowTheTypes(t *testing.T) {
	for _, p := range published {
		g := schemaMaker{defs: map[string]any{}, docs: fieldComments(t)}
		g.define(p.root)
		want, err := json.MarshalIndent(map[string]any{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"$id":     "urn:rtmkit:" + strings.ReplaceAll(strings.TrimPrefix(p.schema, "rtmkit-"), "/", ":"),
			"title":   p.schema,
			"$ref":    "#/$defs/" + p.root.Name(),
			"$defs":   g.defs,
		}, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, filepath.Join("schema", p.file), append(want, '\n'))
	}
}

func TestWrittenFilesSatisfyTheSchemas(t *testing.T) {
	for name, r := range map[string]*Report{"passing": passingReport(), "failing": failingReport(), "small": smallReport(), "hostile": hostileReport(), "empty": {Schema: ReportSchema}} {
		dir := t.TempDir()
		if err := Write(dir, r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name == "hostile" {
			// Free text in the place of a check sum is what the schema is for.
			if err := satisfies(t, "report.schema.json", "", filepath.Join(dir, ReportFile)); err == nil {
				t.Error("a check sum that is none satisfies the schema")
			}
			continue
		}
		if err := satisfies(t, "report.schema.json", "", filepath.Join(dir, ReportFile)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Conformance != nil {
			text, _ := json.Marshal(r.Conformance)
			file := filepath.Join(dir, "conformance.json")
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := satisfies(t, "conformance.schema.json", "", file); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for i := range r.Loads {
			if err := WriteLoad(dir, &r.Loads[i]); err != nil {
				t.Fatal(err)
			}
			for file, part := range map[string]string{RunManifestFile: "Manifest", RunSummaryFile: "Summary"} {
				if err := satisfies(t, "run.schema.json", "#/$defs/"+part, filepath.Join(dir, file)); err != nil {
					t.Errorf("%s: %s: %v", name, file, err)
				}
			}
		}
	}
}

func TestSchemasRefuseWhatTheTypesLack(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, smallReport()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, ReportFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string][2]string{
		"an unknown key":            {`"tool_version"`, `"tool_vrsion"`},
		"an unknown verdict":        {`"verdict": "fail"`, `"verdict": "failed"`},
		"another schema version":    {`"rtmkit-report/v1"`, `"rtmkit-report/v2"`},
		"a negative duration":       {`"p50_ns": `, `"p50_ns": -`},
		"a missing requirement id":  {`"id": "RTM-PEER-002",`, ``},
		"a rate that is not number": {`"offered_per_s": 1000`, `"offered_per_s": "1000"`},
	} {
		changed := bytes.Replace(text, []byte(edit[0]), []byte(edit[1]), 1)
		if bytes.Equal(changed, text) {
			t.Fatalf("%s: the edit changes nothing", name)
		}
		if err := os.WriteFile(file, changed, 0o644); err != nil {
			t.Fatal(err)
		}
		if satisfies(t, "report.schema.json", "", file) == nil {
			t.Errorf("the schema accepts %s", name)
		}
	}
}

func satisfies(t *testing.T, schema, part, file string) error {
	t.Helper()
	text, err := fs.ReadFile(Schemas(), schema)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("urn:test", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("urn:test" + part)
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Validate(value)
}

// schemaMaker turns Go types into JSON Schema definitions.
type schemaMaker struct {
	defs map[string]any
	docs map[string]string
}

// closedSets are the string types with all their words.
var closedSets = map[reflect.Type][]any{
	reflect.TypeFor[Verdict]():         words(Verdicts()),
	reflect.TypeFor[Level]():           words([]Level{Must, Should, May}),
	reflect.TypeFor[ProfileVerdict]():  words([]ProfileVerdict{Conformant, NotConformant, Partial, NoEvidence, ProfileNotDeclared}),
	reflect.TypeFor[ValidityVerdict](): words([]ValidityVerdict{Valid, Degraded, Invalid}),
	reflect.TypeFor[Direction]():       words([]Direction{Sent, Received}),
	reflect.TypeFor[FaultKind]():       words([]FaultKind{FrameFault, LineFault}),
	reflect.TypeFor[FaultOutcome]():    words(FaultOutcomes()),
	reflect.TypeFor[CellVerdict]():     words(CellVerdicts()),
	reflect.TypeFor[GateVerdict]():     words(GateVerdicts()),
	reflect.TypeFor[GateOrder]():       words([]GateOrder{ABBA, BAAB}),
	reflect.TypeFor[GateSide]():        words([]GateSide{BaseSide, HeadSide}),
	reflect.TypeFor[SearchBound]():     words(SearchBounds()),
	reflect.TypeFor[SearchStep]():      words(SearchSteps()),
	reflect.TypeFor[TrialVerdict]():    words(TrialVerdicts()),
}

func words[T ~string](list []T) []any {
	var all []any
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}

func (g *schemaMaker) define(t reflect.Type) {
	if _, ok := g.defs[t.Name()]; ok {
		return
	}
	properties, required := map[string]any{}, []string{}
	g.defs[t.Name()] = nil
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		key, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		value := g.value(f.Type, key)
		if doc := g.docs[t.Name()+"."+f.Name]; doc != "" {
			value["description"] = doc
		}
		if key == "schema" {
			value["const"] = LoadSchema // of its two parts, which are no roots
			for _, p := range published {
				if p.root == t {
					value["const"] = p.schema
				}
			}
		}
		properties[key] = value
		if !strings.HasPrefix(options, "omit") {
			required = append(required, key)
		}
	}
	g.defs[t.Name()] = map[string]any{"type": "object", "description": g.docs[t.Name()], "properties": properties, "required": required, "additionalProperties": false}
}

func (g *schemaMaker) value(t reflect.Type, key string) map[string]any {
	if set, ok := closedSets[t]; ok {
		return map[string]any{"enum": set}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return g.value(t.Elem(), key)
	case t.Kind() == reflect.Struct:
		g.define(t)
		return map[string]any{"$ref": "#/$defs/" + t.Name()}
	case t.Kind() == reflect.Slice:
		return map[string]any{"type": "array", "items": g.value(t.Elem(), "")}
	case t.Kind() == reflect.Map:
		m := map[string]any{"type": "object", "additionalProperties": g.value(t.Elem(), "")}
		if set, ok := closedSets[t.Key()]; ok {
			m["propertyNames"] = map[string]any{"enum": set}
		}
		return m
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.String && strings.HasSuffix(key, "sha256"):
		return map[string]any{"type": "string", "pattern": "^([0-9a-f]{64})?$"}
	case t.Kind() == reflect.String:
		return map[string]any{"type": "string"}
	}
	kind := "integer"
	if t.Kind() == reflect.Float64 {
		kind = "number"
	}
	if slices.Contains([]string{"seed", "exit_code", "want_exit", "got_exit", "left", "right", "in_flight_per_s"}, key) {
		return map[string]any{"type": kind}
	}
	return map[string]any{"type": kind, "minimum": 0}
}

// fieldComments returns the doc comments of the package's types and fields.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			decl, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range decl.Specs {
				spec, ok := s.(*ast.TypeSpec)
				if !ok {
					continue
				}
				docs[spec.Name.Name] = plain(decl.Doc)
				fields, ok := spec.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range fields.Fields.List {
					for _, n := range field.Names {
						docs[spec.Name.Name+"."+n.Name] = plain(field.Doc)
					}
				}
			}
		}
	}
	return docs
}

func plain(doc *ast.CommentGroup) string {
	return strings.NewReplacer("[", "", "]", "", "\n", " ").Replace(strings.TrimSpace(doc.Text()))
}

// golden compares a text with the file that holds what it should be.
func golden(t *testing.T, file string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				t.Fatalf("%s differs in line %d:\n got %s\nwant %s\nrun go test -update after a wanted change", file, i+1, a[i], b[i])
			}
		}
		t.Fatalf("%s has %d lines, got %d", file, len(b), len(a))
	}
}
