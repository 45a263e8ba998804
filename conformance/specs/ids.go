package specs

import "strings"

// idAlphabet are the 89 characters that a uid or channel id may hold, cut in two because an id has at most 64.
var idAlphabet = []string{
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	"0123456789 !#$%&()+-:;<=.>?@[]^_{}|~,",
}

// id64 and id65 return ids of exactly 64 and 65 bytes that begin with a unique one.
func id64(unique string) string { return unique + strings.Repeat("x", 64-len(unique)) }

func id65(unique string) string { return id64(unique) + "x" }

// Ids that break a rule, by the rule they break. Each is put behind a unique id where that does not hide the mistake.
var (
	// badMarks are the six printable ASCII marks outside the id alphabet (rule 14).
	badMarks = []string{`"`, "'", "*", "/", `\`, "`"}
	// badForeign are characters outside ASCII (rule 15).
	badForeign = map[string]string{
		"a Latin letter with an accent": "é", "a CJK character": "中", "an Arabic letter": "ع", "an emoji": "😀",
		"a combining mark": "e\u0301", "a zero-width space": "\u200b",
	}
	// badControls are control characters that nobody allows (rule 16).
	badControls = map[string]string{
		"NUL": "\x00", "BEL": "\a", "ESC": "\x1b", "DEL": "\x7f", "NEL, a C1 control": "\u0085",
	}
	// badSpaces are the white space characters that the original's local check lets pass (rule 17).
	badSpaces = map[string]string{
		"a tab": "\t", "a line feed": "\n", "a vertical tab": "\v", "a form feed": "\f", "a carriage return": "\r",
		"a no-break space": "\u00a0", "U+1680": "\u1680", "U+2003": "\u2003", "U+2028": "\u2028", "U+2029": "\u2029",
		"U+202F": "\u202f", "U+205F": "\u205f", "an ideographic space": "\u3000", "U+FEFF": "\ufeff",
	}
)
