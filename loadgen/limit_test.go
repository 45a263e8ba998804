package loadgen

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLimitIsReadAsWritten(t *testing.T) {
	for text, want := range map[string]string{
		"peer.ack.p99 < 50ms": "",
		"peer.ack.p99.9 < 200ms per 10s window, 95% of windows":   "",
		"channel.last.max <= 1.5s":                                "",
		"login.count >= 100":                                      "",
		"loss == 0":                                               "",
		"duplicates != 3":                                         "",
		"ack_error{traffic=peer} < 5":                             "",
		`ack_error{traffic!="two words"} < 5`:                     "",
		"errors.rate{class!=rate_limited,op=peer.send} < 0.1%":    "",
		"errors.count{code=102} == 0":                             "",
		"achieved/offered >= 99.5%":                               "",
		"server.cpu_per_msg < 60us":                               "server.cpu_per_msg < 60µs",
		"server.cpu_per_msg < 60μs":                               "server.cpu_per_msg < 60µs",
		"server.rss < 0.5GiB":                                     "server.rss < 512MiB",
		"generator.cpu_share<50%":                                 "generator.cpu_share < 50%",
		"  lag . p99":                                             "error",
		"peer.ack.p50<0.1ms per 60s windows,100% of windows":      "peer.ack.p50 < 100µs per 60s window",
		"errors.rate { class = dial , class != tls }   == 0.000%": "errors.rate{class=dial,class!=tls} == 0%",
	} {
		e, err := ParseLimit(text)
		if want == "error" {
			if err == nil {
				t.Errorf("%q is read as %v", text, e)
			}
			continue
		}
		if want == "" {
			want = text
		}
		if err != nil || e.String() != want {
			t.Errorf("%q: %v, %v; want %q", text, e, err, want)
		}
	}
}

func TestWrongLimitIsNamedWithItsColumnAndTheRemedy(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "column 1: the text ends where a metric is expected, such as peer.ack; known: achieved/offered, ack_error,",
		"peer.akc.p99 < 5ms":                  `column 1: there is no metric "peer.akc.p99"; did you mean peer.ack.p99? known: `,
		"los == 0":                            `column 1: there is no metric "los"; did you mean loss? known: `,
		"peer.ack < 5ms":                      "column 10: peer.ack needs a statistic: p0 to p100, min, mean, max or count, such as peer.ack.p99",
		"peer.ack.p101 < 5ms":                 `column 9: peer.ack has no statistic "p101"`,
		"peer.ack.pNaN < 5ms":                 `column 9: peer.ack has no statistic "pNaN"`,
		"peer.ack.p. < 5ms":                   `column 9: peer.ack has no statistic "p."`,
		"peer.ack.p1e1 < 5ms":                 `column 9: peer.ack has no statistic "p1e1"`,
		"loss.p99 == 0":                       `column 5: loss is one number and has no ".p99"`,
		"peer.ack.p99 5ms":                    `column 14: there is "5ms" where a comparison is expected: < <= > >= == or !=`,
		"peer.ack.p99 < 5":                    "column 16: 5 has no unit; peer.ack takes a duration in ns, us, ms or s, such as 50ms",
		"peer.ack.p99 < 5%":                   `column 16: the unit "%" does not fit; peer.ack takes a duration`,
		"peer.ack.p99 < ms":                   `column 16: there is "ms" where a value is expected`,
		"peer.ack.p99 < -5ms":                 `column 16: there is "-5ms" where a value is expected`,
		"peer.ack.p99 < 1.2.3ms":              `column 16: there is "1.2.3ms" where a value is expected`,
		"peer.ack.p99 < 99999999999s":         "column 16: 99999999999s is more than any run can have",
		"peer.ack.count > 5ms":                `column 18: the unit "ms" does not fit; peer.ack takes a whole number without a unit`,
		"loss == 0.5":                         "column 9: 0.5 is not whole",
		"loss == 0%":                          `column 9: the unit "%" does not fit; loss takes a whole number without a unit, such as 0`,
		"achieved/offered >= 0.995":           "column 21: 0.995 has no unit; achieved/offered takes a share in %, such as 99.5%",
		"server.rss < 5s":                     `column 14: the unit "s" does not fit; server.rss takes a size in B, KiB`,
		"loss{op=peer} == 0":                  `column 6: loss has no label "op"; known: traffic`,
		"lag{op=x}.p99 < 1ms":                 "column 4: lag has no labels",
		"loss{} == 0":                         `column 6: loss has no label ""`,
		"loss{traffic>peer} == 0":             `column 13: there is ">peer}" where = or != is expected behind the label traffic`,
		"loss{traffic=} == 0":                 `column 14: there is "}" where the value of the label traffic is expected`,
		`loss{traffic="a} == 0`:               "column 14: the quotation does not end",
		"loss{traffic=a == 0":                 `column 16: there is "==" where a comma or } is expected`,
		"errors.rate{class!=rate_limitd} < 1": `column 20: there is no class "rate_limitd"; did you mean rate_limited? known: dial,`,
		"errors.rate{op=peer} < 1%":           `column 16: there is no op "peer"`,
		"errors.count{code=x} == 0":           `column 19: the code "x" is not a number`,
		"loss == 0 always":                    `column 11: there is "always" where the text could end`,
		"loss == 0 per 10s window":            "column 11: loss has no windows",
		"peer.ack.p99 < 5ms per 10 window":    "column 24: 10 has no unit; a window takes a duration",
		"peer.ack.p99 < 5ms per 500ms window": "column 24: a window of 500ms; use whole seconds",
		"peer.ack.p99 < 5ms per 10s":          "column 27: the text ends where the word window is expected",
		"peer.ack.p99 < 5ms per 10s window, 0% of windows":   "column 36: a share of 0%; use more than 0% and at most 100%",
		"peer.ack.p99 < 5ms per 10s window, 95% of minutes":  `column 43: there is "minutes" where "windows" is expected`,
		"peer.ack.p99 < 5ms per 10s window, 95% of windows!": `column 50: there is "!" behind the end`,
		"µµ\xff":                        "it is not UTF-8",
		strings.Repeat("peer.ack", 200): "it is 1600 bytes long; at most 1000 are read",
	} {
		e, err := ParseLimit(text)
		var fault *ExpressionError
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want an error with %q", text, e, err, want)
		}
	}
}

// drawLimit draws a limit from all that can be written.
func drawLimit(t *rapid.T) Limit {
	name := rapid.SampledFrom(quantityNames()).Draw(t, "metric")
	e := Limit{metric: name, is: rapid.SampledFrom([]string{"<", "<=", ">", ">=", "==", "!="}).Draw(t, "comparison")}
	q := quantities[name]
	if len(q.labels) > 0 {
		for i := range rapid.IntRange(0, maxLabels).Draw(t, "labels") {
			l := label{name: rapid.SampledFrom(q.labels).Draw(t, "label"), not: rapid.Bool().Draw(t, "not")}
			switch l.name {
			case "op":
				l.value = rapid.SampledFrom(failureOps).Draw(t, "op")
			case "class":
				l.value = rapid.SampledFrom(failureClasses).Draw(t, "class")
			case "code":
				l.value = rapid.StringMatching(`0|[1-9][0-9]{0,3}`).Draw(t, "code")
			default:
				l.value = rapid.String().Draw(t, "traffic")
			}
			e.labels[i] = l
		}
	}
	if q.latency {
		e.stat = rapid.OneOf(
			rapid.SampledFrom([]string{statMin, statMean, statMax, statCount, "p0", "p100", "p99.9"}),
			rapid.StringMatching(`p[1-9]?[0-9](\.[0-9]{1,4})?`),
		).Draw(t, "stat")
		if rapid.Bool().Draw(t, "windowed") {
			span := int64(rapid.IntRange(1, 86400).Draw(t, "window"))
			e.window = time.Duration(span) * time.Second
			e.share = float64(rapid.IntRange(1, 10000).Draw(t, "share")) / 100
		}
	}
	if e.unit() == unitShare {
		e.value = float64(rapid.Int64Range(0, 1e9).Draw(t, "value")) / 1e4
	} else {
		e.value = float64(rapid.Int64Range(0, most).Draw(t, "value"))
	}
	return e
}

func TestEveryLimitIsReadFromItsOwnText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawLimit(t)
		again, err := ParseLimit(e.String())
		if err != nil || again != e {
			t.Fatalf("%q is read as %q: %v", e, again, err)
		}
	})
}

func FuzzParseLimit(f *testing.F) {
	for _, text := range []string{
		"peer.ack.p99.9 < 200ms per 10s window, 95% of windows", `errors.rate{class!=rate_limited,code=1} < 0.1%`,
		`loss{traffic="x\u0041"} == 0`, "server.rss < 1.5GiB", "achieved/offered >= 99.5%", "p.{", "lag.p1.5 == 3µs",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := ParseLimit(text)
		if err != nil {
			if strings.Contains(err.Error(), "%!") && !strings.Contains(text, "%!") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		again, err := ParseLimit(e.String())
		if err != nil || again != e {
			t.Fatalf("%q is read as %q, and that as %q: %v", text, e, again, err)
		}
		if e.need() < 0 || e.show(e.value) == "" {
			t.Fatalf("%q needs %d samples", text, e.need())
		}
	})
}

func TestLabelsKnowEveryClassOfFailure(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "driver.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, is := n.(*ast.ValueSpec); is && strings.HasPrefix(v.Names[0].Name, "Class") {
			found++
			if class := strings.Trim(v.Values[0].(*ast.BasicLit).Value, `"`); !slices.Contains(failureClasses, class) {
				t.Errorf("%s is unknown to thresholds", v.Names[0].Name)
			}
		}
		return true
	})
	if found < 10 {
		t.Fatalf("%d classes found", found)
	}
}

func TestSamplesThatAPercentileNeedsGrowWithItsNines(t *testing.T) {
	for text, want := range map[string]int64{
		"lag.p50 < 1s": 20, "lag.p90 < 1s": 100, "lag.p99 < 1s": 1000, "lag.p99.9 < 1s": 10_000, "lag.p99.95 < 1s": 20_000,
		"lag.p99.99 < 1s": 100_000, "lag.p0 < 1s": 10, "lag.p100 < 1s": 1, "lag.max < 1s": 1, "lag.mean < 1s": 1, "lag.count > 1": 0,
		"loss == 0": 0,
	} {
		e, err := ParseLimit(text)
		if err != nil || e.need() != want {
			t.Errorf("%s needs %d samples, want %d (%v)", text, e.need(), want, err)
		}
	}
}

func TestObservedValueNeverSeemsToBeOnTheOtherSide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawLimit(t)
		u := e.unit()
		value := e.value + float64(rapid.IntRange(-20, 20).Draw(t, "off"))
		if value < 0 || value > most || u == unitBytes || u == unitShare {
			return
		}
		s := limitScanner{text: e.show(value)}
		shown, err := s.readNumber(e.metric, u)
		if err != nil || e.keeps(shown) != e.keeps(value) {
			t.Fatalf("%v: %v is shown as %s (%v)", e, value, e.show(value), err)
		}
	})
}
