package loadgen

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Limit is what one number of a run may be, written as
//
//	METRIC[{LABEL=VALUE,…}][.STATISTIC] COMPARISON VALUE [per DURATION window[, PERCENT of windows]]
//
// such as
//
//	peer.ack.p99 < 50ms
//	peer.ack.p99.9 < 200ms per 10s window, 95% of windows
//	loss == 0
//	ack_error{traffic=peer} < 5
//	errors.rate{class!=rate_limited} < 0.1%
//	achieved/offered >= 99.5%
//	server.cpu_per_msg < 60us
//
// A latency has the statistics p0 to p100 (with decimals, such as p99.95), min, mean, max and count. Counts are over the
// whole run and all traffic, unless the label traffic selects one entry. The comparisons are < <= > >= == and !=; labels
// have = and !=. Values have the unit of their metric: ns, us, ms or s for latencies, % for shares, B, KiB, MiB, GiB, kB,
// MB or GB for memory, none for counts. With a window the limit is judged in each window of the measured phase, and has to
// hold in so many of them (in all, if nothing is said). The zero Limit limits nothing and is refused by [Workload.Check].
type Limit struct {
	metric string // as written
	labels [maxLabels]label
	stat   string // such as p99.9; empty where the metric is one number
	is     string // the comparison
	value  float64
	window time.Duration
	share  float64 // percent of windows
}

// maxLabels bounds what stands in braces, and keeps a Limit comparable.
const maxLabels = 4

// label is a condition on what is counted. The zero label is none.
type label struct {
	name  string
	not   bool
	value string
}

// unit is how the value of a limit is written.
type unit uint8

const (
	unitCount unit = iota
	unitDuration
	unitShare
	unitBytes
)

// scales are the units by their names, the largest first, so that the first which fits is the one to write.
var scales = map[unit][]scale{
	unitDuration: {{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}, {"us", 1e3}, {"ns", 1}},
	unitShare:    {{"%", 1}},
	unitBytes:    {{"GiB", 1 << 30}, {"GB", 1e9}, {"MiB", 1 << 20}, {"MB", 1e6}, {"KiB", 1 << 10}, {"kB", 1e3}, {"B", 1}},
	unitCount:    {{"", 1}},
}

type scale struct {
	name string
	size float64
}

// advice says how a value of the unit is written.
func (u unit) advice() string {
	switch u {
	case unitDuration:
		return "a duration in ns, us, ms or s, such as 50ms"
	case unitShare:
		return "a share in %, such as 99.5%"
	case unitBytes:
		return "a size in B, KiB, MiB, GiB, kB, MB or GB, such as 256MiB"
	}
	return "a whole number without a unit, such as 0"
}

// format writes a value so that it is read as the same.
func (u unit) format(value float64) string {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	for _, s := range scales[u] {
		if v := value / s.size; v >= 1 && (u != unitBytes || v == math.Trunc(v)) {
			return number(v) + s.name
		}
	}
	last := scales[u][len(scales[u])-1]
	return number(value/last.size) + last.name
}

// show writes a value for a reader: four digits, or all where four would seem to be on the other side of the limit.
func (e *Limit) show(value float64) string {
	u := e.unit()
	if value == 0 {
		return u.format(0)
	}
	size := math.Pow(10, math.Floor(math.Log10(math.Abs(value)))-3)
	rounded := math.Round(value/size) * size
	if u != unitShare {
		rounded = math.Round(rounded)
	} else {
		rounded = math.Round(rounded*1e9) / 1e9
	}
	if u == unitBytes {
		return fmt.Sprintf("%.4gMiB", value/(1<<20))
	}
	if u == unitCount || e.keeps(rounded) != e.keeps(value) {
		rounded = value
	}
	return u.format(rounded)
}

// unit returns the unit of the limit's value: that of its metric, but a number of samples is a count.
func (e *Limit) unit() unit {
	if e.stat == statCount {
		return unitCount
	}
	return e.quantity().unit
}

// quantity returns what is limited, or nil for the zero Limit.
func (e *Limit) quantity() *quantity { return quantities[e.metric] }

// The statistics of a latency beside percentiles.
const (
	statMin   = "min"
	statMean  = "mean"
	statMax   = "max"
	statCount = "count"
)

// percentile returns which one the statistic is; no for those that are none.
func (e *Limit) percentile() (p float64, is bool) {
	digits, is := strings.CutPrefix(e.stat, "p")
	if !is {
		return 0, false
	}
	p, err := strconv.ParseFloat(digits, 64)
	return p, err == nil && digits[0] >= '0' && digits[0] <= '9' && strings.Trim(digits, "0123456789.") == "" && p <= 100
}

// beyond is how many samples have to lie beyond a percentile for it to be more than an anecdote.
const beyond = 10

// need returns how many samples the limit needs to be judged.
func (e *Limit) need() int64 {
	p, is := e.percentile()
	switch {
	case e.stat == statCount || e.stat == "":
		return 0
	case !is || p == 100:
		return 1
	}
	// A little less, because 100-99.9 is a little more than 0.1.
	return int64(math.Ceil(beyond*100/(100-p) - 1e-6))
}

// keeps reports whether a value keeps the limit.
func (e *Limit) keeps(value float64) bool {
	switch e.is {
	case "<":
		return value < e.value
	case "<=":
		return value <= e.value
	case ">":
		return value > e.value
	case ">=":
		return value >= e.value
	case "==":
		return value == e.value
	}
	return value != e.value
}

// live reports whether the limit can be judged while the run is on its way.
func (e *Limit) live() bool {
	q := e.quantity()
	return q.latency && e.stat != statCount || q.errors
}

// String returns the text of the limit, which [ParseLimit] reads as the same limit.
func (e Limit) String() string {
	if e.metric == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString(e.metric)
	sign := byte('{')
	for _, l := range e.labels {
		if l.name == "" {
			break
		}
		b.WriteByte(sign)
		sign = ','
		b.WriteString(l.String())
	}
	if sign == ',' {
		b.WriteByte('}')
	}
	if e.stat != "" {
		b.WriteString("." + e.stat)
	}
	fmt.Fprintf(&b, " %s %s", e.is, e.unit().format(e.value))
	if e.window > 0 {
		fmt.Fprintf(&b, " per %s window", unitDuration.format(float64(e.window)))
		if e.share != 100 {
			fmt.Fprintf(&b, ", %s of windows", unitShare.format(e.share))
		}
	}
	return b.String()
}

func (l label) String() string {
	is, value := "=", l.value
	if l.not {
		is = "!="
	}
	if value == "" || strings.TrimFunc(value, isWordRune) != "" || strings.ContainsFunc(value, func(r rune) bool { return !isWordRune(r) }) {
		value = strconv.Quote(value)
	}
	return l.name + is + value
}

// MarshalText returns what String returns.
func (e Limit) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what [ParseLimit] reads.
func (e *Limit) UnmarshalText(text []byte) error {
	parsed, err := ParseLimit(string(text))
	if err == nil {
		*e = parsed
	}
	return err
}
