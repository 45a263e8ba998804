package probe

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// The golden vectors of the protocol are read by every implementation's tests. The probe knows no kinds and no types of
// members, so it is held to two things: it reads every frame that is one, and a frame means the same as its canonical form.
func TestDecodeReadsTheGoldenVectors(t *testing.T) {
	paths, _ := filepath.Glob("../../sdk/wire/testdata/vectors/*.json")
	if len(paths) == 0 {
		t.Fatal("there are no golden vectors")
	}
	for _, path := range paths {
		var vectors []struct{ Name, Frame, Hex, Outcome, Canonical string }
		if err := json.Unmarshal(must[[]byte](t)(os.ReadFile(path)), &vectors); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, vector := range vectors {
			if vector.Outcome == "close" {
				continue
			}
			t.Run(filepath.Base(path)+"/"+vector.Name, func(t *testing.T) {
				raw := []byte(vector.Frame)
				if vector.Hex != "" {
					raw = must[[]byte](t)(hex.DecodeString(vector.Hex))
				}
				object := must[Object](t)(Decode(raw))
				if vector.Canonical == "" || vector.Outcome != "frame" {
					return
				}
				canonical := must[Object](t)(Decode([]byte(vector.Canonical)))
				for _, name := range canonical.Names {
					value := object.Value(name)
					if _, nested := value.(map[string]any); nested || value == nil || value == (Null{}) {
						continue // the canonical form may write out what the frame leaves to a default
					}
					if !reflect.DeepEqual(value, canonical.Value(name)) {
						t.Errorf("%s is %v, and %v in the canonical form", name, value, canonical.Value(name))
					}
				}
			})
		}
	}
}
