package reports

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// junitCount reads JUnit XML with nothing but an XML tokenizer and returns how
// often each element occurs, and the result of each test case by its name.
func junitCount(t *testing.T, text []byte) (elements map[string]int, results map[string]string) {
	t.Helper()
	elements, results = map[string]int{}, map[string]string{}
	d := xml.NewDecoder(strings.NewReader(string(text)))
	var name string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return elements, results
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		elements[start.Name.Local]++
		switch start.Name.Local {
		case "testcase":
			for _, a := range start.Attr {
				if a.Name.Local == "name" {
					name = a.Value
				}
			}
			results[name] = "pass"
		case "failure", "error", "skipped":
			results[name] = start.Name.Local
		}
	}
}

func TestJUnitHasOneCaseForEachRequirement(t *testing.T) {
	r := failingReport()
	text, err := junitText(r)
	if err != nil {
		t.Fatal(err)
	}
	elements, results := junitCount(t, text)
	wanted := map[Verdict]string{Pass: "pass", Info: "pass", Warn: "pass", Fail: "failure", Flaky: "failure", StaleKnownFail: "failure", Error: "error"}
	for _, q := range r.Conformance.Requirements {
		want := wanted[q.Verdict]
		if want == "" {
			want = "skipped"
		}
		name := q.ID + " " + string(q.Level) + " " + q.Text
		if q.Provisional {
			name += " (provisional)"
			if want == "failure" {
				want = "skipped" // it decides nothing
			}
		}
		if got := results[name]; got != want {
			t.Errorf("%s is %s, its case is %q, want %s", q.ID, q.Verdict, got, want)
		}
	}
	loadCases := 0
	for _, l := range r.Loads {
		loadCases += 1 + len(l.Summary.Ledger) + len(l.Summary.Equations) + len(l.Summary.Thresholds)
	}
	if want := len(r.Conformance.Requirements) + loadCases; elements["testcase"] != want {
		t.Errorf("%d cases, want %d", elements["testcase"], want)
	}
	for name, want := range map[string]string{
		"peer: every message takes its one right way":    "failure",
		"channel: every message takes its one right way": "pass",
		"peer: expected = delivered_once + lost":         "failure",
		"channel.last.p99 < 20ms":                        "failure",
		"loss == 0":                                      "pass",
	} {
		if results[name] != want {
			t.Errorf("case %q is %q, want %s", name, results[name], want)
		}
	}
	if results["the run is valid"] != "error" {
		t.Error("the invalid run is no error")
	}
}

func TestJUnitTotalsAgreeWithItsCases(t *testing.T) {
	text, err := junitText(failingReport())
	if err != nil {
		t.Fatal(err)
	}
	elements, _ := junitCount(t, text)
	var doc struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
		Errors   int `xml:"errors,attr"`
		Skipped  int `xml:"skipped,attr"`
	}
	if err := xml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Tests != elements["testcase"] || doc.Failures != elements["failure"] || doc.Errors != elements["error"] || doc.Skipped != elements["skipped"] {
		t.Errorf("totals %+v, elements %v", doc, elements)
	}
}

func TestHostileTextsLeaveJUnitAndMarkdownWhole(t *testing.T) {
	r := hostileReport()
	text, err := junitText(r)
	if err != nil {
		t.Fatal(err)
	}
	elements, _ := junitCount(t, text)
	for _, foreign := range []string{"script", "img", "b"} {
		if elements[foreign] > 0 {
			t.Errorf("an element <%s> came out of the report's texts", foreign)
		}
	}
	fenced := false
	for _, line := range strings.Split(string(markdownText(r)), "\n") {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		if fenced {
			continue
		}
		if strings.Contains(line, "<") || strings.Contains(strings.ReplaceAll(line, `\]`, ""), "](") || strings.Contains(line, "http://") {
			t.Errorf("foreign markup: %s", line)
		}
		if cells := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); strings.HasPrefix(line, "| ") && !slices.Contains([]int{6, 9, 10}, cells) {
			t.Errorf("a row with %d bars: %s", cells, line)
		}
	}
	if fenced {
		t.Error("a block of code is left open")
	}
}
