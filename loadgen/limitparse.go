package loadgen

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ExpressionError says what is wrong with the text of a [Limit], and where.
type ExpressionError struct {
	// Text is the whole text.
	Text string
	// Column is where the fault begins, in characters from 1.
	Column int
	// Fault says what is wrong and what to write instead.
	Fault string
}

// Error returns text, column and fault in one sentence.
func (e *ExpressionError) Error() string {
	return fmt.Sprintf("threshold %q, column %d: %s", e.Text, e.Column, e.Fault)
}

// maxLimitBytes bounds the text of a limit.
const maxLimitBytes = 1000

// ParseLimit reads the text of a limit. Its error is an [*ExpressionError].
func ParseLimit(text string) (Limit, error) {
	s := limitScanner{text: text}
	var e Limit
	err := s.check()
	for _, part := range []func(*Limit) error{s.readMetric, s.readLabels, s.readStat, s.readValue, s.readWindow} {
		if err == nil {
			err = part(&e)
		}
	}
	if err != nil {
		return Limit{}, err
	}
	return e, nil
}

// limitScanner reads a limit from left to right.
type limitScanner struct {
	text string
	at   int // byte
}

func (s *limitScanner) fault(at int, format string, args ...any) error {
	return &ExpressionError{Text: s.text, Column: utf8.RuneCountInString(s.text[:at]) + 1, Fault: fmt.Sprintf(format, args...)}
}

func (s *limitScanner) check() error {
	if len(s.text) > maxLimitBytes {
		long := s.text
		s.text = strings.ToValidUTF8(long[:80], "") + "…"
		return s.fault(0, "it is %d bytes long; at most %d are read", len(long), maxLimitBytes)
	}
	if !utf8.ValidString(s.text) {
		return s.fault(0, "it is not UTF-8")
	}
	return nil
}

// space goes to the next thing that is written and returns its place.
func (s *limitScanner) space() int {
	for s.at < len(s.text) && strings.IndexByte(" \t\n", s.text[s.at]) >= 0 {
		s.at++
	}
	return s.at
}

// take reads one of the texts, the first that fits.
func (s *limitScanner) take(texts ...string) (string, bool) {
	s.space()
	for _, t := range texts {
		if strings.HasPrefix(s.text[s.at:], t) {
			s.at += len(t)
			return t, true
		}
	}
	return "", false
}

// run reads as many characters as fit.
func (s *limitScanner) run(fits func(rune) bool) string {
	begin := s.at
	for s.at < len(s.text) {
		r, size := utf8.DecodeRuneInString(s.text[s.at:])
		if !fits(r) {
			break
		}
		s.at += size
	}
	return s.text[begin:s.at]
}

// next tells what stands at a place, for an error about it.
func (s *limitScanner) next(at int) string {
	if at >= len(s.text) {
		return "the text ends"
	}
	word, _, _ := strings.Cut(s.text[at:], " ")
	return fmt.Sprintf("there is %q", word)
}

func isWordRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.:/", r)
}

// readMetric reads the metric, and of what follows it behind a point no more than belongs to its name.
func (s *limitScanner) readMetric(e *Limit) error {
	begin := s.space()
	word := s.run(isWordRune)
	if word == "" {
		return s.fault(begin, "%s where a metric is expected, such as peer.ack; known: %s", s.next(begin), strings.Join(quantityNames(), ", "))
	}
	for name := word; name != ""; name, _ = cutLast(name) {
		if quantities[name] != nil {
			e.metric = name
			s.at = begin + len(name)
			return nil
		}
	}
	return s.fault(begin, "there is no metric %q;%s known: %s", word, didYouMean(word, metricSpellings()), strings.Join(quantityNames(), ", "))
}

// cutLast splits a name at its last point.
func cutLast(name string) (head, tail string) {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return name[:i], name[i+1:]
	}
	return "", name
}

// metricSpellings are the metrics without and with a common statistic, to find the nearest of what somebody may have
// meant.
func metricSpellings() (words []string) {
	for _, name := range quantityNames() {
		words = append(words, name)
		if quantities[name].latency {
			words = append(words, name+".p50", name+".p99", name+".p99.9")
		}
	}
	return words
}

func (s *limitScanner) readLabels(e *Limit) error {
	open := s.space()
	if _, is := s.take("{"); !is {
		return nil
	}
	known := e.quantity().labels
	if len(known) == 0 {
		return s.fault(open, "%s has no labels; errors have op, class and code, counts of the ledger have traffic", e.metric)
	}
	for i := 0; ; i++ {
		begin := s.space()
		if i == maxLabels {
			return s.fault(begin, "more than %d labels", maxLabels)
		}
		l := label{name: s.run(isWordRune)}
		if !slices.Contains(known, l.name) {
			return s.fault(begin, "%s has no label %q; known: %s", e.metric, l.name, strings.Join(known, ", "))
		}
		at := s.space()
		is, found := s.take("!=", "==", "=")
		if !found || is == "==" {
			return s.fault(at, "%s where = or != is expected behind the label %s", s.next(at), l.name)
		}
		l.not = is == "!="
		var err error
		if l.value, err = s.readLabelValue(l.name); err != nil {
			return err
		}
		e.labels[i] = l
		at = s.space()
		switch sign, _ := s.take(",", "}"); sign {
		case "}":
			return nil
		case "":
			return s.fault(at, "%s where a comma or } is expected behind a label", s.next(at))
		}
	}
}

// readLabelValue reads a word or a quoted text.
func (s *limitScanner) readLabelValue(name string) (value string, err error) {
	begin := s.space()
	if strings.HasPrefix(s.text[s.at:], `"`) {
		quoted, err := strconv.QuotedPrefix(s.text[s.at:])
		if err != nil {
			return "", s.fault(begin, "the quotation does not end")
		}
		s.at += len(quoted)
		value, _ = strconv.Unquote(quoted)
	} else if value = s.run(isWordRune); value == "" {
		return "", s.fault(begin, "%s where the value of the label %s is expected", s.next(begin), name)
	}
	if !utf8.ValidString(value) {
		return "", s.fault(begin, "the value of the label is not UTF-8")
	}
	words := map[string][]string{"op": failureOps, "class": failureClasses}[name]
	if words != nil && !slices.Contains(words, value) {
		return "", s.fault(begin, "there is no %s %q;%s known: %s", name, value, didYouMean(value, words), strings.Join(words, ", "))
	}
	if code, err := strconv.Atoi(value); name == "code" && (err != nil || strconv.Itoa(code) != value) {
		return "", s.fault(begin, "the code %q is not a number; codes are those of the protocol, such as 102", value)
	}
	return value, nil
}

func (s *limitScanner) readStat(e *Limit) error {
	begin := s.at
	_, is := s.take(".")
	latency := e.quantity().latency
	switch {
	case !latency && !is:
		return nil
	case !latency:
		return s.fault(begin, "%s is one number and has no %q", e.metric, "."+s.run(isWordRune))
	case !is:
		return s.fault(begin, "%s needs a statistic: p0 to p100, min, mean, max or count, such as %s.p99", e.metric, e.metric)
	}
	e.stat = s.run(isWordRune)
	if _, is := e.percentile(); is || slices.Contains([]string{statMin, statMean, statMax, statCount}, e.stat) {
		return nil
	}
	return s.fault(begin, "%s has no statistic %q; it has p0 to p100 (with decimals, such as p99.95), min, mean, max and count", e.metric, e.stat)
}

func (s *limitScanner) readValue(e *Limit) (err error) {
	at := s.space()
	var is bool
	if e.is, is = s.take("<=", ">=", "==", "!=", "<", ">"); !is {
		return s.fault(at, "%s where a comparison is expected: < <= > >= == or !=", s.next(at))
	}
	e.value, err = s.readNumber(e.metric, e.unit())
	return err
}

// most bounds every value, so that none is rounded.
const most = 1e15

// readNumber reads a number with the unit that what has.
func (s *limitScanner) readNumber(what string, u unit) (float64, error) {
	begin := s.space()
	digits := s.run(func(r rune) bool { return r >= '0' && r <= '9' || r == '.' })
	name := strings.Replace(s.run(func(r rune) bool {
		return r == '%' || r == 'µ' || r == 'μ' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}), "μ", "µ", 1)
	number, err := strconv.ParseFloat(digits, 64)
	if err != nil || number > most {
		return 0, s.fault(begin, "%s where a value is expected; %s takes %s", s.next(begin), what, u.advice())
	}
	for _, c := range scales[u] {
		if c.name != name {
			continue
		}
		value := number * c.size
		if u == unitCount && value != math.Trunc(value) {
			return 0, s.fault(begin, "%s is not whole; %s takes %s", digits, what, u.advice())
		}
		if u == unitDuration || u == unitBytes {
			value = math.Round(value)
		}
		if value > most {
			return 0, s.fault(begin, "%s%s is more than any run can have", digits, name)
		}
		return value, nil
	}
	if name == "" {
		return 0, s.fault(begin, "%s has no unit; %s takes %s", digits, what, u.advice())
	}
	return 0, s.fault(begin, "the unit %q does not fit; %s takes %s", name, what, u.advice())
}

func (s *limitScanner) readWindow(e *Limit) error {
	e.share = 0
	begin := s.space()
	if begin == len(s.text) {
		return nil
	}
	if _, is := s.take("per "); !is {
		return s.fault(begin, "%s where the text could end; a window is written: per 10s window, 95%% of windows", s.next(begin))
	}
	if !e.quantity().latency {
		return s.fault(begin, "%s has no windows; only latencies are kept second by second", e.metric)
	}
	at := s.space()
	span, err := s.readNumber("a window", unitDuration)
	if err != nil {
		return err
	}
	e.window, e.share = time.Duration(span), 100
	if e.window < time.Second || e.window%time.Second != 0 || e.window > maxPhase {
		return s.fault(at, "a window of %v; use whole seconds, at least 1s and at most %s", e.window, unitDuration.format(float64(maxPhase)))
	}
	at = s.space()
	if _, is := s.take("windows", "window"); !is {
		return s.fault(at, "%s where the word window is expected", s.next(at))
	}
	if at = s.space(); at == len(s.text) {
		return nil
	}
	if _, is := s.take(","); !is {
		return s.fault(at, "%s where the text could end; the share is written: , 95%% of windows", s.next(at))
	}
	at = s.space()
	if e.share, err = s.readNumber("the share of windows", unitShare); err != nil {
		return err
	}
	if e.share <= 0 || e.share > 100 {
		return s.fault(at, "a share of %s; use more than 0%% and at most 100%%", unitShare.format(e.share))
	}
	for _, word := range []string{"of", "windows"} {
		at = s.space()
		if _, is := s.take(word); !is {
			return s.fault(at, "%s where %q is expected: 95%% of windows", s.next(at), word)
		}
	}
	if at = s.space(); at != len(s.text) {
		return s.fault(at, "%s behind the end of the threshold", s.next(at))
	}
	return nil
}
