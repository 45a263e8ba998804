package probe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestDecodeKeepsMembersAndTheirOrder(t *testing.T) {
	object := must[Object](t)(Decode([]byte(`{"kind":"login.ok","id":7,"resumed":false,"limits":{"channels":20,"x":1.5},"missing":["a","b"],"n":null}`)))
	for path, want := range map[string]any{
		"resumed": false, "limits.channels": int64(20), "limits.x": 1.5, "n": Null{}, "nothing": nil, "resumed.x": nil,
	} {
		if got := object.Value(path); got != want {
			t.Errorf("%s: got %#v, want %#v", path, got, want)
		}
	}
	if texts, ok := object.Texts("missing"); !ok || fmt.Sprint(texts) != "[a b]" {
		t.Errorf("missing: got %v %v", texts, ok)
	}
	if fmt.Sprint(object.Names) != "[kind id resumed limits missing n]" || object.ID != 7 {
		t.Errorf("got names %v, id %d", object.Names, object.ID)
	}
}

func TestDecodeRefusesWhatNoServerMaySend(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 1001) + "1" + strings.Repeat("}", 1001)
	for _, text := range []string{
		"", "x", "null", `"kind"`, `[{"kind":"a"}]`, `{"kind":"a"`, `{"kind":"a"}{}`, `{"kind":"a"} 1`, `{"kind":1}`, `{"kind":""}`, `{}`,
		`{"Kind":"a"}`, `{"kind":"a","kind":"a"}`, `{"kind":"a","x":{"y":1,"y":2}}`, `{"kind":"a","x":[{"y":1,"y":2}]}`,
		`{"kind":"a","id":0}`, `{"kind":"a","id":-1}`, `{"kind":"a","id":1.5}`, `{"kind":"a","id":"1"}`, `{"kind":"a","id":9007199254740992}`,
		`{"kind":"a",}`, `{"kind":"a","x":01}`, "{\"kind\":\"\xc3\x28\"}",
		`{"kind":"a","x":` + deep + `}`, `{"kind":"a","x":` + strings.Repeat("[", 1001) + strings.Repeat("]", 1001) + `}`,
	} {
		if object, err := Decode([]byte(text)); err == nil {
			t.Errorf("%q was decoded as %v", text, object.members)
		}
	}
}

func TestDecodeReadsWhatIsOddAndLegal(t *testing.T) {
	for _, text := range []string{
		`{"kind":"a","id":null}`, `{"kind":"a","x":1e999}`, `{"kind":"a","":0}`, " {\r\n\t\"\\u006bind\" : \"a\" } ",
		`{"kind":"a","x":` + strings.Repeat(`[{"a":`, 100) + "1" + strings.Repeat("}]", 100) + `}`,
	} {
		if object, err := Decode([]byte(text)); err != nil || object.Kind != "a" || object.ID != 0 {
			t.Errorf("%q was decoded as %v: %v", text, object.members, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"kind":"a","id":1}`, `{"kind":"a","x":[1,{"y":null}],"z":1e3}`, `{"kind":"a","kind":"b"}`, "\xff", `{"kind":"\u00e9\ud800"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		object, err := Decode(raw)
		if err != nil {
			return
		}
		var lenient map[string]any
		decoder := json.NewDecoder(bytes.NewReader(raw))
		decoder.UseNumber()
		if err := decoder.Decode(&lenient); err != nil {
			t.Fatalf("%q is not JSON for encoding/json: %v", raw, err)
		}
		if len(lenient) != len(object.Names) || lenient["kind"] != object.Kind {
			t.Fatalf("%q: got %v, encoding/json has %v", raw, object.members, lenient)
		}
	})
}

func TestMatcherComparesValuesWithTheirType(t *testing.T) {
	object := must[Object](t)(Decode([]byte(`{"kind":"a","n":1,"s":"1","b":true,"l":[1]}`)))
	for want, matcher := range map[bool][]Matcher{
		true:  {Kind("a"), Kind("a").With("n", 1), Kind("a").With("n", int64(1)), Kind("a").With("s", "1").With("b", true)},
		false: {Kind("b"), Kind("a").With("n", "1"), Kind("a").With("s", 1), Kind("a").With("none", ""), Kind("a").With("l", 1), Kind("b").With("n", 1)},
	} {
		for _, m := range matcher {
			if m.Match(object) != want {
				t.Errorf("%s: got %v", m, !want)
			}
		}
	}
}

func TestTraceHidesTokens(t *testing.T) {
	trace := new(Trace)
	for _, payload := range []string{`{"kind":"login","token":"se\"same","uid":"a"}`, `{"token" : "sesame"}`, `{"token":"sesame`, `{"token":"sesame\`} {
		trace.Record("alice", ToServer, payload)
	}
	if text := trace.String(); strings.Contains(text, "same") || !strings.Contains(text, "bytes hidden") || !strings.Contains(text, `"uid":"a"`) {
		t.Error(text)
	}
}

func TestTraceIsBounded(t *testing.T) {
	trace := new(Trace)
	for range traceFrames + 5 {
		trace.Record("alice", ToServer, strings.Repeat("é", 5000))
	}
	if kept := trace.Frames(); len(kept) != traceFrames || len(kept[0].Payload) > tracePayloadBytes+32 || trace.Dropped() != 5 {
		t.Errorf("kept %d frames of %d bytes, dropped %d", len(kept), len(kept[0].Payload), trace.Dropped())
	}
}
