package loadgen

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rtmkit/rtmkit/reports"
)

// anyBooks draws a plan and books of it in which anything may have happened to each message.
func anyBooks(t *rapid.T) (*plan, *books) {
	w := Fanout(Rate(rapid.IntRange(1, 120).Draw(t, "channel rate")), time.Second, rapid.IntRange(1, 3).Draw(t, "channels"), rapid.IntRange(2, 9).Draw(t, "members"))
	w.Sessions.Count = rapid.IntRange(w.Channels[0].Members, 40).Draw(t, "sessions")
	w.Traffic = append(w.Traffic, Traffic{ID: "peer", Op: OpPeer, Rate: Rate(rapid.IntRange(1, 100).Draw(t, "peer rate"))})
	w.Phases.Warmup = 100 * time.Millisecond
	p, err := newPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	random := rapid.Uint64().Draw(t, "seed")
	next := func() uint64 { // xorshift
		random ^= random<<13 | 1
		random ^= random >> 7
		random ^= random << 17
		return random
	}
	order := rapid.IntRange(1, 64).Draw(t, "order") // long runs to short ones
	value := func(values int) func() uint8 {
		last := uint8(0)
		return func() uint8 {
			if next()%uint64(order) == 0 {
				last = uint8(next() % uint64(values))
			}
			return last
		}
	}
	b := &books{plan: p, sessions: make([]sessionBook, len(p.uids))}
	for _, entry := range p.traffic {
		e := entryBook{make([]uint8, entry.count()), make([]uint8, entry.count())}
		fate, answer := value(len(fateLetters)), value(len(answerLetters))
		for n := range e.fate {
			e.fate[n], e.answer[n] = fate(), answer()
		}
		b.entries = append(b.entries, e)
	}
	for session, groups := range p.seats() {
		s := &b.sessions[session]
		s.foreign, s.corrupt = int64(next()%3), int64(next()%3)
		s.counts = make([]arrivals, len(p.traffic))
		for i := range s.counts {
			s.counts[i] = arrivals{int64(next() % 1000), int64(next() % 3), int64(next() % 3), int64(next() % 3)}
		}
		for _, g := range groups {
			bits := p.groups[g].bits()
			seat := seat{group: g, seqs: p.groups[g].seqs, seen: newBitmap(bits)}
			if next()%4 == 0 {
				seat.excused, seat.forbidden = newBitmap(bits), newBitmap(bits)
			}
			for _, table := range []bitmap{seat.seen, seat.excused, seat.forbidden} {
				bit := value(2)
				for i := 0; table != nil && i < bits; i++ {
					if bit() == 1 {
						table.set(i)
					}
				}
			}
			s.seats = append(s.seats, seat)
		}
	}
	return p, b
}

func TestBooksAreSplitWrittenReadAndJoinedWithoutLoss(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, whole := anyBooks(t)
		count := rapid.IntRange(1, min(5, len(p.uids))).Draw(t, "shards")
		var all parts
		for i := range count {
			mine, err := newPlan(p.Workload)
			if err != nil {
				t.Fatal(err)
			}
			mine.take(i, count)
			part := &books{plan: mine, sessions: make([]sessionBook, len(p.uids))}
			for _, entry := range mine.traffic {
				e := entryBook{make([]uint8, entry.count()), make([]uint8, entry.count())}
				for n := range e.fate {
					if s, _ := entry.streamOf(n); mine.mine.has(s.sender) {
						e.fate[n], e.answer[n] = whole.entries[entry.index].fate[n], whole.entries[entry.index].answer[n]
					}
				}
				part.entries = append(part.entries, e)
			}
			copy(part.sessions[mine.mine.first:mine.mine.last], whole.sessions[mine.mine.first:])
			var file bytes.Buffer
			if err := writeBooks(&file, part); err != nil {
				t.Fatal(err)
			}
			read, err := readBooks(&file, mine)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, &folderCheck{raw: raw{plan: mine, books: read}})
		}
		joined := all.books(p, all[0].raw.plan.shards)
		if !reflect.DeepEqual(joined.entries, whole.entries) || !reflect.DeepEqual(joined.sessions, whole.sessions) {
			t.Fatal("the joined books are not those that were split")
		}
		if !reflect.DeepEqual(joined.rows(), whole.rows()) || joined.delivered() != whole.delivered() {
			t.Fatal("the joined books are judged differently")
		}
		if got, want := joined.delivered(), measuredBits(whole); got != want {
			t.Fatalf("%d deliveries of the measured phase, counted one by one %d", got, want)
		}
	})
}

// measuredBits counts what books.delivered counts, the slow way.
func measuredBits(b *books) (n int64) {
	for _, t := range b.plan.traffic {
		for message := t.warm.count(); message < t.count(); message++ {
			s, seq := t.streamOf(message)
			for _, receiver := range b.plan.groups[s.group].receivers {
				if seat := seatIn(b.sessions[receiver].seats, s.group); receiver != s.sender && seat.has(seat.bit(s.slot, seq)) {
					n++
				}
			}
		}
	}
	return n
}

func TestMergedHistogramsHoldEverySampleOfEveryPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "merge")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		const zero = 1_700_000_000_000
		count := rapid.IntRange(1, 3).Draw(t, "parts")
		var all parts
		var want latencies
		sums := map[[2]int]*interval{}
		for i := range count {
			folder, err := openFolder(filepath.Join(dir, string(rune('a'+i))), createFile)
			if err != nil {
				t.Fatal(err)
			}
			log, err := newHDRLog(folder.hlog(), zero)
			if err != nil {
				t.Fatal(err)
			}
			for second := range 2 {
				for _, m := range []metric{metricPeerAck, metricLag} {
					samples := rapid.SliceOfN(rapid.Int64Range(1, highestNS), 0, 5).Draw(t, "samples")
					if len(samples) == 0 {
						continue
					}
					key := [2]int{second, int(m)}
					if sums[key] == nil {
						sums[key] = &interval{histogram: newHistogram()}
					}
					h := newHistogram()
					for _, ns := range samples {
						_ = h.RecordValue(ns)
						_ = sums[key].histogram.RecordValue(ns)
					}
					start := int64(zero + second*1000)
					end := start + 1000 - int64(i) // as where a part ends a little earlier
					sums[key].startMS, sums[key].endMS = start, max(sums[key].endMS, end)
					if err := log.write(m, start, end, h); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := folder.buffer.Flush(); err != nil {
				t.Fatal(err)
			}
			folder.log.Close()
			all = append(all, &folderCheck{dir: folder.dir, raw: raw{facts: facts{ZeroMS: zero}}})
		}
		for second := range 2 {
			for m := range metrics {
				if sum := sums[[2]int{second, int(m)}]; sum != nil {
					want.add(m, second, sum.histogram)
				}
			}
		}
		out, err := openFolder(filepath.Join(dir, "out"), createFile)
		if err != nil {
			t.Fatal(err)
		}
		var got latencies
		if err := all.histograms(out, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.summaries(), want.summaries()) {
			t.Fatalf("merged %+v, want %+v", got.summaries(), want.summaries())
		}
		if err := errors.Join(out.buffer.Flush(), out.log.Close()); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(out.dir, HistogramFile))
		if err != nil {
			t.Fatal(err)
		}
		read := 0
		if err := readHDRLog(bytes.NewReader(text), func(i interval) error {
			read++
			sum := sums[[2]int{int(i.startMS-zero) / 1000, int(i.metric)}]
			if sum == nil || sum.startMS != i.startMS || sum.endMS != i.endMS || !sum.histogram.Equals(i.histogram) {
				t.Fatalf("merged interval of %s from %d to %d", i.metric, i.startMS, i.endMS)
			}
			return nil
		}); err != nil || read != len(sums) {
			t.Fatalf("%d intervals read, %d merged, %v", read, len(sums), err)
		}
	})
}

func TestASeatExcusesAndForbidsDeliveries(t *testing.T) {
	const n = 0
	for name, c := range map[string]struct {
		op                       Op
		answer                   uint8
		seen, excused, forbidden bool
		want                     reports.LedgerRow
	}{
		"must and came":                {OpPeer, answerReceived, true, false, false, reports.LedgerRow{Expected: 1, DeliveredOnce: 1}},
		"must and did not":             {OpPeer, answerReceived, false, false, false, reports.LedgerRow{Expected: 1, Lost: 1, FalseReceipts: 1}},
		"must and did not, in channel": {OpChannel, answerReceived, false, false, false, reports.LedgerRow{Expected: 1, Lost: 1}},
		"refused and came":             {OpPeer, answerError, true, false, false, reports.LedgerRow{MayDelivered: 1}},
		"refused and did not":          {OpPeer, answerError, false, false, false, reports.LedgerRow{}},
		"excused and came":             {OpChannel, answerReceived, true, true, false, reports.LedgerRow{MayDelivered: 1}},
		"excused and did not":          {OpChannel, answerReceived, false, true, false, reports.LedgerRow{}},
		"excused, and yet confirmed":   {OpPeer, answerReceived, false, true, false, reports.LedgerRow{Expected: 1, Lost: 1, FalseReceipts: 1}},
		"forbidden and came":           {OpChannel, answerReceived, true, false, true, reports.LedgerRow{Leaked: 1}},
		"forbidden, excused and came":  {OpChannel, answerReceived, true, true, true, reports.LedgerRow{Leaked: 1}},
		"forbidden and did not":        {OpChannel, answerReceived, false, true, true, reports.LedgerRow{}},
	} {
		p := smallPlan(t, c.op)
		entry := p.traffic[0]
		b := &books{plan: p, sessions: make([]sessionBook, 2), entries: []entryBook{{make([]uint8, entry.count()), make([]uint8, entry.count())}}}
		b.entries[0].fate[n], b.entries[0].answer[n] = fateSent, c.answer
		for session, groups := range p.seats() {
			s := seat{group: groups[0], seqs: p.groups[groups[0]].seqs, seen: newBitmap(4), excused: newBitmap(4), forbidden: newBitmap(4)}
			if stream, seq := entry.streamOf(n); stream.group == s.group && stream.sender != int32(session) {
				for _, table := range []struct {
					set  bool
					into bitmap
				}{{c.seen, s.seen}, {c.excused, s.excused}, {c.forbidden, s.forbidden}} {
					if table.set {
						table.into.set(s.bit(stream.slot, seq))
					}
				}
			}
			b.sessions[session] = sessionBook{seats: []seat{s}, counts: make([]arrivals, 1)}
		}
		row := b.row(entry)
		got := reports.LedgerRow{
			Expected: row.Expected, DeliveredOnce: row.DeliveredOnce, MayDelivered: row.MayDelivered,
			Lost: row.Lost, Leaked: row.Leaked, FalseReceipts: row.FalseReceipts,
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		if found := b.anomalies(10); int64(len(found)) != row.Lost+row.Leaked+row.FalseReceipts {
			t.Errorf("%s: anomalies %v for %+v", name, found, row)
		}
	}
}

func TestRunsOfATableAreNeverLongerThanTheTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := rapid.SliceOf(rapid.Uint8Range(0, uint8(len(answerLetters)-1))).Draw(t, "table")
		text := packValues(table, answerLetters)
		read, err := unpackValues(text, answerLetters, len(table))
		if err != nil || len(text) > len(table) || !bytes.Equal(read, table) {
			t.Fatalf("%v became %q and then %v, %v", table, text, read, err)
		}
	})
	for text, words := range map[string]string{
		"4s": "4 of the 5 places", "6s": "more than the 5 places", "5s3": "is none", "0s5s": "is none", "5q": "not one of",
		"99999999999999999999s": "is none", "5s-": "more than the 5 places", "": "0 of the 5 places",
	} {
		if _, err := unpackValues(text, fateLetters, 5); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// smallPlan is a plan of two sessions and four messages.
func smallPlan(t testing.TB, op Op) *plan {
	w := Workload{
		Sessions: Sessions{Count: 2}, Phases: Phases{Measure: time.Second},
		Traffic: []Traffic{{ID: string(op), Op: op, Rate: 4}},
	}
	if op == OpChannel {
		w.Channels = []Channels{{Name: "room-%d", Count: 1, Members: 2}}
	}
	p, err := newPlan(w)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// FuzzBooksFile looks for a books file that makes its reader panic, or that it takes although it does not fit the plan.
func FuzzBooksFile(f *testing.F) {
	p := smallPlan(f, OpPeer)
	head := `{"head":{"schema":"` + reports.LoadSchema + `","messages":4,"sessions":2}}` + "\n"
	entry := `{"entry":{"traffic":"peer","fates":"4s","answers":"3rl"}}` + "\n"
	session := func(n string) string {
		return `{"session":{"session":` + n + `,"counts":[[2,0,0,0]],"seats":[{"group":1,"seen":"##"}]}}` + "\n"
	}
	f.Add(head + entry + session("0") + strings.Replace(session("1"), `"group":1`, `"group":0`, 1))
	f.Add(head + entry + session("0") + session("0"))
	f.Add(entry + head)
	f.Add(head + session("0"))
	f.Add(head + `{"entry":{"traffic":"peer","fates":"1-3s","answers":"4-"},"session":{"session":1}}`)
	f.Fuzz(func(t *testing.T, text string) {
		var file bytes.Buffer
		w := gzip.NewWriter(&file)
		_, _ = io.WriteString(w, text)
		w.Close()
		b, err := readBooks(&file, p)
		if err != nil {
			return
		}
		// What was taken fits the plan, so that it can be judged and written again.
		if err := writeBooks(io.Discard, b); err != nil || len(b.rows()) == 0 {
			t.Errorf("%v, %d rows", err, len(b.rows()))
		}
	})
}

func TestABooksFileThatGrowsWithoutEndIsRefused(t *testing.T) {
	p := smallPlan(t, OpPeer)
	var file bytes.Buffer
	w := gzip.NewWriter(&file)
	// 64 MiB in a small file.
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	for range 64 {
		_, _ = w.Write(spaces)
	}
	w.Close()
	if _, err := readBooks(&file, p); err == nil || !strings.Contains(err.Error(), "larger than the plan's books can be") {
		t.Errorf("%d bytes: %v", file.Len(), err)
	}
	if _, err := readBooks(strings.NewReader("no gzip at all"), p); err == nil || !strings.Contains(err.Error(), "not compressed by gzip") {
		t.Errorf("plain text: %v", err)
	}
}
