package loadgen

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Rate is how often something happens, in events per second. Its text form names the unit: "5000/s", "0.5/s", "30/m"
// (per minute) or "100/h" (per hour).
type Rate float64

var rateUnits = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}

// ParseRate reads the text form of a rate. A number without a unit is refused, because nobody can know which was meant.
func ParseRate(text string) (Rate, error) {
	number, unit, ok := strings.Cut(text, "/")
	if !ok {
		return 0, fmt.Errorf("rate %q has no unit; write it like 5000/s", text)
	}
	per, known := rateUnits[unit]
	if !known {
		return 0, fmt.Errorf("rate %q has the unknown unit %q; use /s, /m or /h", text, unit)
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n != n || n > 1e12 || n < -1e12 {
		return 0, fmt.Errorf("rate %q does not start with a number; write it like 5000/s", text)
	}
	return Rate(n / per.Seconds()), nil
}

// String returns the rate per second, such as "5000/s".
func (r Rate) String() string { return strconv.FormatFloat(float64(r), 'f', -1, 64) + "/s" }

// MarshalText returns what String returns.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what [ParseRate] reads, so that a Rate can be a command-line flag.
func (r *Rate) UnmarshalText(text []byte) error {
	parsed, err := ParseRate(string(text))
	if err == nil {
		*r = parsed
	}
	return err
}

// UnmarshalYAML reads what [ParseRate] reads and adds the line to its error.
func (r *Rate) UnmarshalYAML(node *yaml.Node) error {
	parsed, err := ParseRate(node.Value)
	if err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", node.Line, err)}}
	}
	*r = parsed
	return nil
}
