package reports

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// loadBar is the verdict on one run in four parts: whether it measured the
// server, whether every message is accounted for, whether the limits were kept,
// and whether it is known what the machine itself takes.
func loadBar(l *Load) []outcome {
	loads := []Load{*l}
	validity := validityOutcome(loads)
	if validity.Tone != toneGood {
		validity.Sentence = capital(sentence(strings.Join(l.Summary.Validity.Reasons, "; ")))
	}
	thresholds := outcome{toneNone, "No thresholds", "The workload set no limit."}
	if len(l.Summary.Thresholds) > 0 {
		thresholds = thresholdOutcome(loads)
	}
	return []outcome{validity, deliveryOutcome(loads), thresholds, floorOutcome(l)}
}

// plainlyAbove is how many times its floor a latency has to be to say more about
// the server than about the machine.
const plainlyAbove = 3

// floorOutcome says whether it is known what generator and machine take by
// themselves, and whether this run stands out from it.
func floorOutcome(l *Load) outcome {
	if l.Floor == nil {
		return outcome{toneNone, "Floor not measured", "What generator and machine take by themselves is not known; rtmkit load calibrate measures it."}
	}
	m := primary(l)
	if m == nil || l.FloorMetric(m.Name) == nil {
		return outcome{toneWarn, "Floor not comparable", "The floor of this host has no level that a run like this can be set beside."}
	}
	floor := l.FloorMetric(m.Name)
	told := fmt.Sprintf("A null server on this host gives %s a p50 of %s and a p99 of %s.", m.Name, formatNS(floor.P50NS), formatNS(floor.P99NS))
	switch {
	case l.Floor.Bounded && l.Summary.OfferedPerS > l.Floor.ValidPerS:
		return outcome{toneWarn, "Beyond the generator", fmt.Sprintf("The generator kept its schedule up to %s on this host, even against a null server.", formatRate(l.Floor.ValidPerS))}
	case m.P50NS < plainlyAbove*floor.P50NS:
		return outcome{toneWarn, "Near the floor", fmt.Sprintf("%s The median here is %.1f times that: much of it is the machine.", told, float64(m.P50NS)/float64(max(floor.P50NS, 1)))}
	}
	return outcome{toneGood, "Floor known", told}
}

// closedLoop is the pacer of a run that waits for answers.
const closedLoop = "closed loop"

// limitsOf says what a reader might ask and this run cannot answer, each in half
// a sentence.
func limitsOf(l *Load) []string {
	s := &l.Summary
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if s.Validity.Verdict == Invalid {
		add("how fast the server is: the run is invalid, and its latencies are the generator's")
	}
	switch a := l.Manifest.Aborted; {
	case l.Manifest.LostNS > 0:
		add("how it would have gone on: the target was lost after %s", formatNS(l.Manifest.LostNS))
	case a != nil:
		add("how it would have gone on: the threshold %s ended it", a.Expr)
	case l.Manifest.Interrupted:
		add("how it would have gone on: the run was cut short")
	}
	if part := l.Manifest.Shard; part != nil {
		add("the whole: this is part %d of %d, and only their merge accounts for every message", part.Index+1, part.Count)
	}
	if l.Manifest.Pacer.Kind == closedLoop {
		add("the latency at a rate: the loop is closed, and a slow server is simply asked less")
	}
	if l.Manifest.Client != nil {
		add("the server alone: every latency has the client library and its adapter in it")
	}
	if thin := thinTails(s.Metrics); thin != "" {
		add("%s", thin)
	}
	for _, m := range s.Metrics {
		if m.Overflow > 0 {
			add("how slow the slowest were: %s of %s took 60 s or more and are counted as 60 s", plural(m.Overflow, "sample", "samples"), m.Name)
		}
	}
	if warm := phaseOf(s, "warmup"); len(s.Phases) > 0 && (warm == nil || warm.DurationNS == 0) {
		add("a warm server alone: there was no warm-up")
	}
	if m := phaseOf(s, "measure"); m != nil && m.DurationNS > 0 && m.DurationNS < 30e9 {
		add("behaviour over minutes: %s were measured", strings.ReplaceAll(formatNS(m.DurationNS), "\u00a0", " "))
	}
	if l.Floor == nil {
		add("how much of a latency is the machine's own: no floor was measured here")
	}
	if s.Health.ServerCPUNS == 0 {
		add("what it cost the server: its CPU was not observed")
	}
	if onThisMachine(l.Manifest.Target) {
		add("a network between client and server: the target is on the generator's machine")
	}
	if strings.HasPrefix(l.Manifest.Pacer.Kind, "sleep") {
		add("latency below about a millisecond: the pacer of this system is coarse")
	}
	add("whether a change made it slower: one run is one sample")
	return list
}

// thinTails names the percentiles beyond which the tails of the metrics that a
// reader looks at are anecdotes.
func thinTails(metrics []Metric) string {
	var words []string
	last := ""
	for i := range metrics {
		m := &metrics[i]
		if m.Count == 0 || groupOf(m.Name) != "Peer messages" && groupOf(m.Name) != "Channel messages" || strings.HasSuffix(m.Name, ".service") {
			continue
		}
		known := ""
		for _, q := range percentiles(m) {
			if q.thin {
				if known == last && len(words) > 0 {
					words[len(words)-1] += ", " + m.Name
				} else {
					words = append(words, firstOf(known, "any percentile")+" of "+m.Name)
				}
				last = known
				break
			}
			known = q.name
		}
	}
	if len(words) == 0 {
		return ""
	}
	return "what lies beyond " + strings.Join(words, " and beyond ") + ": fewer than ten samples"
}

// capital begins a sentence with a capital letter.
func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

func phaseOf(s *Summary, name string) *Phase {
	for i := range s.Phases {
		if s.Phases[i].Name == name {
			return &s.Phases[i]
		}
	}
	return nil
}

// onThisMachine reports whether an address is one of this machine's own.
func onThisMachine(target string) bool {
	u, err := url.Parse(target)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
