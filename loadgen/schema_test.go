package loadgen

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	parsed, err := jsonschema.UnmarshalJSON(bytes.NewReader(WorkloadJSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("urn:workload", parsed); err != nil {
		t.Fatal(err)
	}
	compiled, err := c.Compile("urn:workload")
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

// asJSON turns YAML into the values that a validator of JSON expects.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	asText, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	value, err = jsonschema.UnmarshalJSON(bytes.NewReader(asText))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// acceptedWorkloads are texts that ParseWorkload takes, with every executor among them.
func acceptedWorkloads(t *testing.T) map[string][]byte {
	texts := map[string][]byte{"full": []byte(fullWorkload), "replay": []byte(replayWorkload)}
	for _, s := range Shelf() {
		texts[s.Name] = s.Text
		w, err := s.Workload()
		if err != nil {
			t.Fatal(err)
		}
		if texts[s.Name+", as run"], err = w.YAML(); err != nil {
			t.Fatal(err)
		}
	}
	staged := Peer(100, 0, 4)
	staged.Traffic[0].Arrival, staged.Traffic[0].Burst = Burst, 4
	staged.Traffic[0].Stages = []Stage{{To: rate(300), Over: 2e9}, {Hold: 1e9}, {Step: rate(-50), Every: 1e9, Times: 2}}
	replay, err := ReadWorkload(replayFolder(t, replayWorkload, "0.5\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, w := range map[string]Workload{"closed": closedPeers(4, 2), "staged": staged, "replay, as run": replay,
		"joins": coming(OpJoin, 20, "5-8"), "logins": reserve(20), "pauses": coming(OpPause, 20, "5-8")} {
		if err := w.Check(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if texts[name], err = w.YAML(); err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

func TestWhatIsAcceptedSatisfiesTheSchema(t *testing.T) {
	schema := compiledSchema(t)
	for name, text := range acceptedWorkloads(t) {
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
		}
	}
}

func TestSchemaRefusesWhatIsMisspelt(t *testing.T) {
	schema := compiledSchema(t)
	for name, c := range map[string]struct{ old, new string }{
		"key":             {"seed: 7", "sede: 7"},
		"inner key":       {"type: raw", "kind: raw"},
		"rate":            {"rate: 200/s", "rate: 200"},
		"unit":            {"rate: 200/s", "rate: 200/day"},
		"negative rate":   {"rate: 200/s", "rate: -200/s"},
		"duration":        {"measure: 10s", "measure: 10"},
		"operation":       {"op: peer", "op: shout"},
		"arrival":         {"poisson", "bursts"},
		"executor":        {"poisson", "poisson\n    executor: opne"},
		"other schema":    {"load/v1", "load/v2"},
		"no sessions":     {"sessions:", "session:"},
		"stage of kinds":  {"poisson", "poisson\n    stages: [{hold: 9s, to: 3/s, over: 1s}]"},
		"empty stage":     {"poisson", "poisson\n    stages: [{}]"},
		"ramp to nowhere": {"poisson", "poisson\n    stages: [{over: 1s}]"},
	} {
		text := strings.Replace(fullWorkload, c.old, c.new, 1)
		if text == fullWorkload {
			t.Fatalf("%s: nothing was changed", name)
		}
		if schema.Validate(asJSON(t, []byte(text))) == nil {
			t.Errorf("%s: the schema takes it", name)
		}
	}
}

// node is the part of a JSON Schema that these tests read.
type node struct {
	Description string           `json:"description"`
	Type        any              `json:"type"`
	Ref         string           `json:"$ref"`
	Properties  map[string]*node `json:"properties"`
	Items       *node            `json:"items"`
	Closed      *bool            `json:"additionalProperties"`
	Defs        map[string]*node `json:"$defs"`
}

func TestSchemaHasEveryKeyOfAWorkloadAndNoOther(t *testing.T) {
	var root node
	if err := json.Unmarshal(WorkloadJSONSchema(), &root); err != nil {
		t.Fatal(err)
	}
	resolve := func(n *node) *node {
		if def, is := strings.CutPrefix(n.Ref, "#/$defs/"); is {
			return root.Defs[def]
		}
		return n
	}
	var walk func(path string, typ reflect.Type, n *node)
	walk = func(path string, typ reflect.Type, n *node) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			if typ.Kind() == reflect.Slice && n.Items != nil {
				n = resolve(n.Items)
			}
			typ = typ.Elem()
		}
		// A type that reads its own text has no keys.
		if _, own := reflect.New(typ).Interface().(yaml.Unmarshaler); own || typ.Kind() != reflect.Struct {
			return
		}
		if n.Closed == nil || *n.Closed {
			t.Errorf("%s: additionalProperties has to be false", path)
		}
		var keys []string
		for field := range typ.Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("yaml"), ",")
			if !field.IsExported() || key == "-" {
				continue
			}
			keys = append(keys, key)
			property := n.Properties[key]
			if property == nil {
				t.Errorf("%s.%s is a key of %v and missing in workload.schema.json", path, key, typ)
				continue
			}
			if property.Description == "" {
				t.Errorf("%s.%s has no description in workload.schema.json", path, key)
			}
			walk(path+"."+key, field.Type, resolve(property))
		}
		for key := range n.Properties {
			if !slices.Contains(keys, key) {
				t.Errorf("%s.%s stands in workload.schema.json and is no key of %v", path, key, typ)
			}
		}
	}
	walk("workload", reflect.TypeFor[Workload](), &root)
}
