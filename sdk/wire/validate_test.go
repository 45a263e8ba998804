package wire

import (
	"strings"
	"testing"
)

func TestIDsAreTheAlphabetOf89(t *testing.T) {
	allowed := 0
	for b := range 256 {
		id := string([]byte{byte(b)})
		if CheckID(id) == nil {
			allowed++
		}
		if (CheckID(id) == nil) != ValidID(id) || ValidID(id) != ValidID([]byte(id)) {
			t.Errorf("CheckID and ValidID disagree on byte %#x", b)
		}
	}
	if allowed != 89 {
		t.Errorf("%d bytes are allowed in an id, want 89", allowed)
	}
}

func TestIDRules(t *testing.T) {
	for id, ok := range map[string]bool{
		"":                      false,
		"null":                  false,
		"NULL":                  true,
		"Null":                  true,
		" null":                 true,
		"undefined":             true,
		".":                     true,
		"..":                    true,
		"#":                     true,
		" ":                     true,
		" two  spaces ":         true,
		strings.Repeat("a", 64): true,
		strings.Repeat("a", 65): false,
		"a\tb":                  false,
		"a\x00":                 false,
		"a\x7f":                 false,
		`a"b`:                   false,
		"a'b":                   false,
		"a*b":                   false,
		"a/b":                   false,
		`a\b`:                   false,
		"a`b":                   false,
		"é":                     false,
		"你好":                    false,
		"\u00a0":                false,
		"\ufeffa":               false,
	} {
		if got := CheckID(id) == nil; got != ok {
			t.Errorf("CheckID(%q) allows it: %v, want %v", id, got, ok)
		}
		if got := ValidID(id); got != ok {
			t.Errorf("ValidID(%q) = %v, want %v", id, got, ok)
		}
	}
}

func TestAppIDIs32LettersAndDigits(t *testing.T) {
	for id, ok := range map[string]bool{
		strings.Repeat("a", 32):            true,
		"0123456789ABCDEFabcdefGHIJKLmnop": true,
		strings.Repeat("a", 31):            false,
		strings.Repeat("a", 33):            false,
		"":                                 false,
		strings.Repeat("a", 31) + " ":      false,
		strings.Repeat("a", 31) + "-":      false,
		strings.Repeat("é", 16):            false,
	} {
		if got := CheckAppID(id) == nil; got != ok {
			t.Errorf("CheckAppID(%q) allows it: %v, want %v", id, got, ok)
		}
	}
}

func TestCodesAreUniqueAndFound(t *testing.T) {
	seen := map[Code]bool{}
	for _, c := range Codes {
		key := Code{Op: c.Op, Number: c.Number}
		if seen[key] {
			t.Errorf("%s %d stands twice", c.Op, c.Number)
		}
		seen[key] = true
		if got, ok := CodeOf(c.Op, c.Number); !ok || got != c {
			t.Errorf("CodeOf(%s, %d) = %v, %v", c.Op, c.Number, got, ok)
		}
	}
	for _, kind := range Kinds() {
		if _, ok := NotLoggedIn(kind); kind.Request() && kind != KindLogin && !ok {
			t.Errorf("%s has no code for a request outside a session", kind)
		}
	}
}

func TestCloseCodeRangesAreThePolicy(t *testing.T) {
	for code, want := range map[CloseCode]Policy{
		1000: PolicyRetry, 1001: PolicyRetry, 1006: PolicyRetry, 1011: PolicyRetry, 1012: PolicyRetry,
		1003: PolicyTerminal, 1007: PolicyTerminal, 1009: PolicyTerminal,
		4000: PolicyRetry, 4003: PolicyRetry, 4099: PolicyRetry,
		4100: PolicyRetryLater, 4199: PolicyRetryLater,
		4200: PolicyTerminal, 4299: PolicyTerminal, 4300: PolicyRetry,
	} {
		if got := code.Policy(); got != want {
			t.Errorf("policy of %d is %d, want %d", code, got, want)
		}
	}
}
