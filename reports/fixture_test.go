package reports

import (
	_ "embed"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

//go:embed testdata/requirements.tsv
var fixtureRequirements string

var fixtureStart = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func fixtureEnvironment() Environment {
	return Environment{OS: "linux", Arch: "amd64", CPU: "AMD EPYC 7B13", Cores: 2, MemoryBytes: 8 << 30, Kernel: "6.1.0-26-amd64", GoVersion: "go1.26.8", GOMAXPROCS: 2}
}

// passingReport is what a good run of check looks like.
func passingReport() *Report {
	r := &Report{
		Schema:      ReportSchema,
		ToolVersion: "0.2.0",
		StartedAt:   fixtureStart,
		EndedAt:     fixtureStart.Add(31400 * time.Millisecond),
		Environment: fixtureEnvironment(),
		Command:     "rtmkit check --out reports/out/2026-11-23T09-30-00",
		Verdict:     "The reference pair is conformant and both load runs are valid.",
		Notes:       []string{"Server and load generator share two cores."},
		Conformance: passingConformance(),
		Loads:       []Load{*fixtureLoad("peer", 1), *fixtureLoad("channel", 50)},
	}
	r.Loads[0].Dir, r.Loads[1].Dir = "load-peer", "load-channel"
	return r
}

// failingReport is a run with each verdict in it, an unclean ledger and an
// invalid load run.
func failingReport() *Report {
	r := passingReport()
	r.ExitCode = 1
	r.Verdict = "Three requirements are violated, one is flaky and one is wrongly listed as known."
	r.Conformance = failingConformance()
	row := &r.Loads[0].Summary.Ledger[0]
	row.DeliveredOnce, row.Lost, row.FalseReceipts, row.Duplicated = row.DeliveredOnce-3, 3, 2, 1
	r.Loads[0].Summary.Equations[1].Left += 2
	r.Loads[0].Summary.Equations[1].Holds = false
	r.Loads[0].Summary.Errors = []ErrorCount{{Op: "peer.send", Class: "ack_timeout", Code: 2, Count: 14}}
	r.Loads[1].Summary.Validity = Validity{Verdict: Invalid, Reasons: []string{"schedule lag p99 is 14.2 ms, the limit is 2 ms", "achieved 94.1 % of the offered rate"}, Attribution: "host noise"}
	r.Loads[1].Summary.Thresholds = []Threshold{{Expr: "channel.last.p99 < 20ms", Observed: "31.8ms"}, {Expr: "loss == 0", Observed: "0", Holds: true}}
	return r
}

func passingConformance() *Conformance {
	c := &Conformance{
		Schema:          ConformanceSchema,
		SuiteVersion:    "0.2.0",
		CatalogueSHA256: strings.Repeat("9f86d081884c7d65", 4),
		ProtocolVersion: "rtm.v1.json",
		Seed:            41,
		StartedAt:       fixtureStart,
		EndedAt:         fixtureStart.Add(9 * time.Second),
		Subject:         Identity{Kind: "pair", Name: "rtmkit reference", Version: "0.2.0", URL: "ws://127.0.0.1:41233/rtm/v1"},
		Limits: map[string]int64{"channels": 20, "message_bytes": 32768, "id_bytes": 64, "members": 512, "count_channels": 32,
			"session_grace_ms": 1500, "reconnect_threshold_ms": 300, "ack_timeout_ms": 600},
		Notes:   []string{"Call limits are off, so the profile limits is not judged.", "Session grace, reconnect threshold and ack timeout are shortened."},
		Command: "rtmkit conform run --seed 41",
	}
	number := make(map[string]int)
	for i, line := range strings.Split(strings.TrimSpace(fixtureRequirements), "\n") {
		f := strings.Split(line, "\t")
		q := RequirementResult{
			ID: fixtureID(f, number), Area: f[0], Level: Level(f[1]), Subject: f[2], Profile: f[3], Text: f[4], Source: f[5],
			Verdict: Pass, DurationNS: int64(700_000 + i*91_000), BudgetNS: int64(2 * time.Second),
		}
		q.Repeat = "rtmkit conform run --seed 41 --only " + q.ID
		q.Specs = []SpecResult{{Name: f[0] + ": " + strings.TrimSuffix(f[4], "."), Location: fmt.Sprintf("conformance/specs/%s.go:%d", f[0], 30+i*14), State: Pass, DurationNS: q.DurationNS}}
		switch {
		case q.Profile == "limits":
			q.set(NotSelected, "the server announced no call limits")
		case q.Profile == "attributes", q.Profile == "invitation", q.Profile == "large":
			q.set(NotDeclared, "the subject does not claim the profile "+q.Profile)
		case q.Level == May:
			q.set(Undecided, "the sources leave this open")
		case q.Level == Must:
			q.Faults = []string{fmt.Sprintf("%s-fault-%d", f[0], i)}
		}
		c.Requirements = append(c.Requirements, q)
	}
	c.judgeProfiles()
	return c
}

// fixtureID numbers the rows of an area; tokens have numbers of their own, as
// an area may hold more than one kind of id.
func fixtureID(fields []string, number map[string]int) string {
	name := fields[0]
	if fields[3] == "token" {
		name = "token"
	}
	number[name]++
	return fmt.Sprintf("RTM-%s-%03d", strings.ToUpper(name), number[name])
}

func (q *RequirementResult) set(v Verdict, reason string) {
	q.Verdict, q.Reason = v, reason
	q.Specs[0].State = v
	if !v.Judged() {
		q.Specs, q.DurationNS, q.BudgetNS = nil, 0, 0
	}
}

func (c *Conformance) judgeProfiles() {
	c.Profiles = nil
	for _, name := range []string{"core", "token", "order", "limits", "large", "attributes", "invitation"} {
		c.Profiles = append(c.Profiles, NewProfile(name, c.Subject.Kind, c.Requirements))
	}
}

func failingConformance() *Conformance {
	c := passingConformance()
	at := func(id string) *RequirementResult {
		i := slices.IndexFunc(c.Requirements, func(q RequirementResult) bool { return q.ID == id })
		return &c.Requirements[i]
	}
	frames := func(lines ...string) []Frame {
		var list []Frame
		for i, l := range lines {
			f := strings.SplitN(l, " ", 3)
			list = append(list, NewFrame(time.Duration(987+i*i*40)*time.Microsecond, f[0], Direction(f[1]), f[2]))
		}
		return list
	}
	q := at("RTM-PEER-002")
	q.set(Fail, "")
	q.Expected, q.Observed = `hasPeerReceived is false for "nobody-7f3", who never logged in`, "hasPeerReceived is true"
	q.Specs[0].Frames = frames(
		`alice -> {"kind":"login","id":1,"app_id":"0f1e2d3c4b5a69788796a5b4c3d2e1f0","uid":"alice-7f3","token":"007eJxTYBBbsMMnKq7p9Hf"}`,
		`alice <- {"kind":"login.ok","id":1,"session":"s-51","resumed":false}`,
		`alice -> {"kind":"peer.send","id":2,"to":"nobody-7f3","text":"hi"}`,
		`alice <- {"kind":"peer.send.ok","id":2,"received":true}`)
	q = at("RTM-CHANNEL-009")
	q.set(Fail, "")
	q.Expected, q.Observed = "error JOIN_CHANNEL_ERR_EXCEED_LIMIT (5) for the 21st channel", "channel.join.ok: the server let the client join 21 channels"
	q.Specs[0].Frames = frames(
		`bob -> {"kind":"channel.join","id":22,"channel":"room-21"}`,
		`bob <- {"kind":"channel.join.ok","id":22,"seq":0,"count":1}`)
	q = at("RTM-PEER-008")
	q.set(Fail, "")
	q.Expected, q.Observed = "PEER_MESSAGE_ERR_INVALID_MESSAGE and no frame on the wire", "the client sent the received message on"
	at("RTM-CHANNEL-010").set(Blocked, "needs RTM-CHANNEL-009, which failed")
	at("RTM-CHANNEL-011").set(Blocked, "needs RTM-CHANNEL-009, which failed")
	w := at("RTM-LOGIN-013")
	w.set(Warn, "")
	w.Expected, w.Observed = "the uid with U+2003 in it is refused", "it was accepted"
	e := at("RTM-TRANSPORT-007")
	e.set(Error, "the proxy between client and server could not listen: address already in use")
	at("RTM-TRANSPORT-013").set(NoSpec, "no spec verifies it yet")
	k := at("RTM-CHANNEL-012")
	k.set(KnownFail, "known: The echo is filtered in the next major version")
	k.Specs[0].State = Fail
	k.Expected, k.Observed = "the sender does not get its own message", "it got it"
	k.KnownFailure = &KnownFailure{Reason: "The echo is filtered in the next major version", Issue: "https://tracker.example/123", Until: "2026-12-31", Observed: "it got it"}
	k.Specs[0].Frames = frames(`carol <- {"kind":"channel.message","channel":"room","from":"carol"}`)
	st := at("RTM-PEER-005")
	st.set(StaleKnownFail, "listed as a known failure, but it passes now; remove the entry")
	st.KnownFailure = &KnownFailure{Reason: "Receipts were lost on reconnect", Issue: "ACME-77"}
	fl := at("RTM-PRESENCE-002")
	fl.set(Flaky, "passed 4 of 5 repeats")
	fl.Expected, fl.Observed = "member.left within 2 s", "nothing within 2 s in repeat 3"
	at("RTM-PEER-016").Provisional = true
	pr := at("RTM-PEER-014")
	pr.set(Fail, "")
	pr.Provisional, pr.Expected, pr.Observed = true, "the text may hold U+0000", "the message was refused"
	at("RTM-LOGIN-003").Faults, at("RTM-CHANNEL-002").Faults = nil, nil
	c.Claims, c.Set, c.Strict, c.Repeats = []string{"core", "order"}, "1.0", true, 5
	c.Client, c.Server = &Identity{Kind: "client", Name: "example-sdk", Version: "2.3.1", Language: "kotlin"}, &Identity{Kind: "server", Name: "rtmkit reference", Version: "0.2.0", URL: "ws://127.0.0.1:41233/rtm/v1"}
	i := at("RTM-PEER-017")
	i.Specs = []SpecResult{{Name: "peer: an empty text is delivered", State: Info}}
	i.Verdict, i.Reason = Info, "the server refuses an empty text, which it may"
	c.judgeProfiles()
	return c
}

// fixtureLoad draws samples from a plausible distribution with a fixed seed.
func fixtureLoad(name string, fanOut int64) *Load {
	const seconds, perSecond = 12, 1000
	rnd := rand.New(rand.NewPCG(7, uint64(fanOut)))
	metrics := []string{"peer.ack", "peer.ack.service", "peer.deliver", "login", "lag"}
	if fanOut > 1 {
		metrics = []string{"channel.deliver", "channel.first", "channel.last", "channel.ack", "login", "join", "lag"}
	}
	l := &Load{
		Manifest: Manifest{
			Schema: LoadSchema, Name: name, ToolVersion: "0.2.0",
			Workload:       fmt.Sprintf("name: %s\nrate: %d/s\nduration: 10s\nclients: 100\nsize: 64\n", name, perSecond),
			WorkloadSHA256: strings.Repeat("a1b2c3d4e5f60718", 4), Seed: 41, Target: "ws://127.0.0.1:41233/rtm/v1",
			Server: Identity{Kind: "server", Name: "rtmkit reference", Version: "0.2.0"}, ProtocolVersion: "rtm.v1.json",
			Environment: fixtureEnvironment(), Pacer: Pacer{Kind: "locked-thread", GridNS: 100_000, Clock: "CLOCK_MONOTONIC"},
			StartedAt: fixtureStart.Add(10 * time.Second), EndedAt: fixtureStart.Add(22 * time.Second),
			Command: fmt.Sprintf("rtmkit load run %s --rate %d/s --duration 10s", name, perSecond),
			Notes:   []string{"The server ran on the same machine with call limits off."},
			Files:   []File{{Name: "latency.hlog", Bytes: 48211, SHA256: strings.Repeat("0123456789abcdef", 4)}, {Name: "series.csv", Bytes: 911, SHA256: strings.Repeat("fedcba9876543210", 4)}},
		},
		Summary: Summary{
			Schema: LoadSchema, Validity: Validity{Verdict: Valid},
			Phases:      []Phase{{Name: "warmup", DurationNS: 2e9, Scheduled: 2 * perSecond}, {Name: "measure", StartNS: 2e9, DurationNS: 10e9, Scheduled: 10 * perSecond}},
			OfferedPerS: perSecond, AchievedPerS: perSecond - 0.4, ExpectedDeliveriesPerS: float64(perSecond * fanOut), DeliveredPerS: float64(perSecond*fanOut) - 0.4,
			Health: Health{LagP50NS: 31_000, LagP99NS: 212_000, LagMaxNS: 1_400_000, GeneratorCPUShare: 0.213, ServerCPUNS: 2_910_000_000, ServerCPUPerMessageNS: 5210, ServerRSSBytes: 41 << 20, GeneratorGCPauseMaxNS: 310_000},
		},
	}
	for i, m := range metrics {
		center := 0.25 + 0.2*float64(i)
		if m == lagMetric {
			center = 0.06
		}
		l.Summary.Metrics = append(l.Summary.Metrics, fixtureMetric(rnd, m, seconds, perSecond, center, i == 0))
	}
	for s := range seconds {
		l.Summary.Series = append(l.Summary.Series, SeriesPoint{Second: s, Offered: perSecond, Sent: perSecond - int64(s%3), Acked: perSecond - int64(s%5), Delivered: (perSecond - int64(s%4)*6) * fanOut})
	}
	for s := range seconds {
		l.Summary.Health.Series = append(l.Summary.Health.Series, HealthPoint{
			Second: s, InFlight: 40 + int64(s%5)*7, GeneratorCPUShare: 0.2 + 0.01*float64(s%4), BusiestCoreShare: 0.55, CPUPressureShare: 0.02 * float64(s%3),
			ServerCPUCores: 0.31 + 0.02*float64(s%2), ServerRSSBytes: int64(33+s) << 20,
		})
	}
	all := int64(seconds * perSecond)
	l.Summary.Ledger = []LedgerRow{{Traffic: name, Scheduled: all, Sent: all, AckedReceived: all, Expected: all * fanOut, DeliveredOnce: all * fanOut, Received: all * fanOut}}
	l.Summary.Equations = []Equation{
		{Traffic: name, Text: "scheduled = sent + shed + send_failed", Left: all, Right: all, Holds: true},
		{Traffic: name, Text: "expected = delivered_once + lost", Left: all * fanOut, Right: all * fanOut, Holds: true},
		{Traffic: name, Text: "received = delivered_once + duplicated + may_delivered + leaked + foreign + corrupt", Left: all * fanOut, Right: all * fanOut, Holds: true},
		{Traffic: name, Text: "samples(peer.ack) = acked_received + acked_not_received + ack_timeout", Left: all, Right: all, Holds: true},
	}
	return l
}

func fixtureMetric(rnd *rand.Rand, name string, seconds, perSecond int, center float64, heat bool) Metric {
	m := Metric{Name: name}
	var all []int64
	if heat {
		m.Heat = &Heat{}
		for b := 100_000.0; b < 60e6; b *= 1.5 {
			m.Heat.BoundsNS = append(m.Heat.BoundsNS, int64(b))
		}
	}
	for s := range seconds {
		var second []int64
		for range perSecond {
			v := center * math.Exp(0.35*rnd.NormFloat64())
			if rnd.Float64() < 0.012 {
				v += 2 + rnd.ExpFloat64()*3
			}
			if s == 7 && rnd.Float64() < 0.08 {
				v += 6
			}
			second = append(second, int64(v*1e6))
		}
		slices.Sort(second)
		at := func(q float64) int64 { return second[int(q*float64(len(second)-1))] }
		m.Series = append(m.Series, LatencyPoint{Second: s, Count: int64(perSecond), P50NS: at(.5), P99NS: at(.99), MaxNS: at(1)})
		if heat {
			counts := make([]int64, len(m.Heat.BoundsNS))
			for _, v := range second {
				i, _ := slices.BinarySearch(m.Heat.BoundsNS, v)
				counts[min(i, len(counts)-1)]++
			}
			m.Heat.Columns = append(m.Heat.Columns, HeatColumn{Second: s, Counts: counts})
		}
		all = append(all, second...)
	}
	slices.Sort(all)
	n := len(all)
	at := func(p float64) int64 { return all[min(n-1, max(0, int(math.Ceil(p/100*float64(n)))-1))] }
	m.Count, m.MinNS, m.MaxNS = int64(n), all[0], all[n-1]
	m.P50NS, m.P90NS, m.P99NS, m.P999NS, m.P9999NS = at(50), at(90), at(99), at(99.9), at(99.99)
	var sum int64
	for _, v := range all {
		sum += v
	}
	m.MeanNS = sum / int64(n)
	for x := 0.0; x < math.Log10(float64(n)); x += 0.05 {
		p := 100 * (1 - math.Pow(10, -x))
		m.Curve = append(m.Curve, CurvePoint{Percentile: p, ValueNS: at(p), Count: int64(p / 100 * float64(n))})
	}
	m.Curve = append(m.Curve, CurvePoint{Percentile: 100, ValueNS: m.MaxNS, Count: int64(n)})
	return m
}

// smallReport is short enough to be read as a golden file.
func smallReport() *Report {
	r := failingReport()
	var rows []RequirementResult
	for _, q := range r.Conformance.Requirements {
		switch q.ID {
		case "RTM-LOGIN-001", "RTM-LOGIN-013", "RTM-LOGIN-019", "RTM-TOKEN-001", "RTM-PEER-002", "RTM-PEER-005", "RTM-PEER-016", "RTM-PEER-017", "RTM-CHANNEL-010", "RTM-CHANNEL-012", "RTM-PRESENCE-002", "RTM-TRANSPORT-007":
			rows = append(rows, q)
		}
	}
	r.Conformance.Requirements = rows
	r.Conformance.judgeProfiles()
	r.Conformance.Profiles = r.Conformance.Profiles[:4]
	for i := range r.Loads {
		for j := range r.Loads[i].Summary.Metrics {
			m := &r.Loads[i].Summary.Metrics[j]
			m.Curve, m.Series, m.Heat = m.Curve[:2], m.Series[:2], nil
		}
		r.Loads[i].Summary.Series = r.Loads[i].Summary.Series[:2]
		r.Loads[i].Summary.Health.Series = r.Loads[i].Summary.Health.Series[:2]
	}
	return r
}
