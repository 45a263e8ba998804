package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// formatNS writes a duration with three significant digits, such as "812 µs"
// or "1.24 ms".
func formatNS(ns int64) string {
	if ns < 0 {
		return "-" + formatNS(-ns)
	}
	units := []struct {
		name string
		size float64
	}{{"ns", 1}, {"µs", 1e3}, {"ms", 1e6}, {"s", 1e9}}
	for i, u := range units {
		// 999.5 of a unit would be written as 1000 of it.
		if f := float64(ns) / u.size; f < 999.5 || i == len(units)-1 {
			return threeDigits(f, u.size == 1) + "\u00a0" + u.name
		}
	}
	return ""
}

func threeDigits(f float64, whole bool) string {
	switch {
	case whole || f >= 99.95:
		return formatCount(int64(math.Round(f)))
	case f >= 9.995:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 2, 64)
}

// formatCount writes a number with commas between thousands.
func formatCount(n int64) string {
	if n < 0 {
		return "-" + formatCount(-n)
	}
	s := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, digit := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(digit)
	}
	return b.String()
}

func formatRate(perSecond float64) string {
	if perSecond > 0 && perSecond < 10 {
		return strconv.FormatFloat(perSecond, 'f', 2, 64) + "/s"
	}
	return formatCount(int64(math.Round(perSecond))) + "/s"
}

func formatBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f\u00a0GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f\u00a0MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f\u00a0KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d\u00a0bytes", n)
}

func formatShare(f float64) string { return strconv.FormatFloat(f*100, 'f', 1, 64) + "\u00a0%" }

func formatTime(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }

// plural writes a count with the right form of its noun.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return formatCount(n) + " " + many
}
