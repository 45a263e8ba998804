package reports

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestEveryRequirementThatDidNotPassHasItsWireTrace(t *testing.T) {
	dir, r := t.TempDir(), failingReport()
	passed := &r.Conformance.Requirements[0]
	passed.Specs[0].Frames = []Frame{NewFrame(0, "alice", Sent, "{}")}
	if err := Write(dir, r); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	traced := 0
	for i := range got.Conformance.Requirements {
		q := &got.Conformance.Requirements[i]
		frames := 0
		for _, s := range q.Specs {
			frames += len(s.Frames)
		}
		if (q.Wire != "") != (frames > 0 && q.Verdict != Pass) {
			t.Errorf("%s has %d frames and the trace %q", q.ID, frames, q.Wire)
		}
		if q.Wire == "" {
			continue
		}
		traced++
		traces, err := ReadWire(filepath.Join(dir, filepath.FromSlash(q.Wire)))
		if err != nil {
			t.Fatal(err)
		}
		if len(traces) != 1 || traces[0].ID != q.ID || traces[0].Spec != q.Specs[0].Name || !reflect.DeepEqual(traces[0].Frames, q.Specs[0].Frames) {
			t.Errorf("%s: read something else than was written: %+v", q.ID, traces)
		}
		if text, _ := os.ReadFile(filepath.Join(dir, filepath.FromSlash(q.Wire))); strings.Contains(string(text), r.Conformance.Subject.URL) {
			t.Errorf("%s names the server", q.Wire)
		}
	}
	if traced < 3 {
		t.Fatalf("only %d traces were written, so the test proves nothing", traced)
	}
	if r.Conformance.Requirements[26].Wire != "" {
		t.Error("Write changed the caller's report")
	}
	// What passes now has no trace any more.
	if err := Write(dir, passingReport()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, WireFolder, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestReadWireRefusesWhatItDoesNotKnow(t *testing.T) {
	head := `{"schema":"rtmkit-wire/v1","id":"RTM-PEER-002","spec":"peer"}` + "\n"
	frame := `{"at_ns":5,"actor":"alice","direction":"->","payload":"{}"}` + "\n"
	for want, text := range map[string]string{
		"it holds no trace":         "",
		"before the first header":   frame,
		`schema is "rtmkit-wire/v2`: strings.Replace(head, "v1", "v2", 1),
		"line 2: not the JSON":      head + "\n",
		"unknown field":             head + strings.Replace(frame, "actor", "actr", 1),
		`unknown field "server"`:    strings.Replace(head, `"spec"`, `"server":"x","spec"`, 1),
		"unknown direction":         head + strings.Replace(frame, "->", "--", 1),
		"not negative":              head + strings.Replace(frame, "5", "-5", 1),
		"follows one of":            head + strings.Replace(head, "002", "003", 1),
		"is no id":                  strings.Replace(head, "RTM-PEER-002", "../x", 1),
		"line 2: not the JSON of":   head + `{"at_ns":5} {}`,
	} {
		file := filepath.Join(t.TempDir(), "x.jsonl")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadWire(file); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
	if _, err := ReadWire(filepath.Join(t.TempDir(), "none.jsonl")); err == nil {
		t.Error("a missing file is read")
	}
}

func TestAFrameKnowsWhetherItIsWhole(t *testing.T) {
	for payload, whole := range map[string]bool{
		`{"kind":"peer.send","id":2,"to":"a","text":"hi"}`: true,
		`{"kind":`:                             true,
		`{"kind":"login","token":"secret"}`:    false,
		strings.Repeat("x", MaxFramePayload+1): false,
		`{"token":"<12 bytes hidden>"}`:        false,
		`xyz… (4104 bytes)`:                    false,
		"<binary, 3 bytes: 01 02 03>":          false,
		"a\xffb":                               false,
	} {
		if got := NewFrame(time.Second, "alice", Sent, payload).Whole(); got != whole {
			t.Errorf("%.40q: whole is %v", payload, got)
		}
	}
	if f := NewFrame(-time.Second, "alice", Sent, "x"); f.AtNS != 0 {
		t.Errorf("a frame before the spec is at %d ns", f.AtNS)
	}
}
