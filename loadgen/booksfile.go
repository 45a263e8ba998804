package loadgen

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rtmkit/rtmkit/reports"
)

// booksLine is one line of the books file: a head, then the traffic entries, then what became of the operations of those that send nothing, then the sessions, all in the plan's order.
type booksLine struct {
	Head    *headLine    `json:"head,omitempty"`
	Entry   *entryLine   `json:"entry,omitempty"`
	Churn   *churnLine   `json:"churn,omitempty"`
	Session *sessionLine `json:"session,omitempty"`
}

type headLine struct {
	Schema   string `json:"schema"`
	Messages int    `json:"messages"`
	Sessions int    `json:"sessions"`
}

// entryLine has fates and answers as runs of letters.
type entryLine struct {
	Traffic string `json:"traffic"`
	Fates   string `json:"fates"`
	Answers string `json:"answers"`
}

// sessionLine has what one session received. A session that another process played has no line.
type sessionLine struct {
	Session int `json:"session"`
	// Counts are, for each traffic entry: received, duplicated, reordered, leaked.
	Counts  [][4]int64 `json:"counts"`
	Foreign int64      `json:"foreign,omitempty"`
	Corrupt int64      `json:"corrupt,omitempty"`
	Seats   []seatLine `json:"seats,omitempty"`
}

// seatLine has the bits of a seat as runs; without excused or forbidden there are none of these.
type seatLine struct {
	Group     int32  `json:"group"`
	Seen      string `json:"seen"`
	Excused   string `json:"excused,omitempty"`
	Forbidden string `json:"forbidden,omitempty"`
}

// writeBooks writes the books as compressed lines of JSON. In a good run they are a few bytes for each session.
func writeBooks(w io.Writer, b *books) error {
	packed := gzip.NewWriter(w)
	encoder := json.NewEncoder(packed)
	lines := []booksLine{{Head: &headLine{reports.LoadSchema, b.plan.messages, len(b.sessions)}}}
	for i, e := range b.entries {
		lines = append(lines, booksLine{Entry: &entryLine{
			b.plan.traffic[i].ID, packValues(e.fate, fateLetters), packValues(e.answer, answerLetters),
		}})
	}
	lines = append(lines, b.churnLines()...)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	for i := range b.sessions {
		if b.sessions[i].counts == nil {
			continue
		}
		if err := encoder.Encode(booksLine{Session: b.sessions[i].line(b.plan, i)}); err != nil {
			return err
		}
	}
	return packed.Close()
}

func (s *sessionBook) line(p *plan, session int) *sessionLine {
	line := &sessionLine{Session: session, Foreign: s.foreign, Corrupt: s.corrupt, Counts: [][4]int64{}}
	for _, c := range s.counts {
		line.Counts = append(line.Counts, [4]int64{c.received, c.duplicated, c.reordered, c.leaked})
	}
	for i := range s.seats {
		seat, bits := &s.seats[i], p.groups[s.seats[i].group].bits()
		packed := seatLine{Group: seat.group, Seen: packBits(seat.seen, bits)}
		if seat.excused != nil {
			packed.Excused = packBits(seat.excused, bits)
		}
		if seat.forbidden != nil {
			packed.Forbidden = packBits(seat.forbidden, bits)
		}
		line.Seats = append(line.Seats, packed)
	}
	return line
}

// readBooks reads the books of a run of the plan. What does not fit the plan is an error; nothing larger than the plan
// asks for is taken into memory.
func readBooks(r io.Reader, p *plan) (*books, error) {
	unpacked, err := gzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return nil, fmt.Errorf("it is not compressed by gzip: %w", err)
	}
	b := &books{plan: p, sessions: make([]sessionBook, len(p.uids))}
	seats := p.seats()
	limit := 1<<20 + 8*p.messages
	for _, groups := range seats {
		limit += 256 + 100*len(p.traffic)
		for _, g := range groups {
			limit += 128 + 3*p.groups[g].bits()
		}
	}
	for _, entry := range p.churn {
		limit += 1024 + 2*entry.count()
	}
	bounded := &io.LimitedReader{R: unpacked, N: int64(limit)}
	decoder := json.NewDecoder(bounded)
	decoder.DisallowUnknownFields()
	for number := 1; ; number++ {
		var line booksLine
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) && bounded.N > 0 {
			break
		}
		switch {
		case bounded.N <= 0:
			err = errors.New("it is larger than the plan's books can be")
		case errors.Is(err, io.ErrUnexpectedEOF):
			err = errors.New("it is cut short")
		case err == nil:
			err = b.take(line, number, seats)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if len(b.entries) < len(p.traffic) {
		return nil, fmt.Errorf("it ends after %d of %d traffic entries", len(b.entries), len(p.traffic))
	}
	if err := b.churnComplete(); err != nil {
		return nil, err
	}
	for i := range b.sessions {
		if there := b.sessions[i].counts != nil; there != p.mine.has(int32(i)) {
			return nil, fmt.Errorf("session %d is missing, or belongs to another shard", i)
		}
	}
	return b, nil
}

// take adds a line to the books.
func (b *books) take(line booksLine, number int, seats [][]int32) error {
	switch {
	case number == 1:
		return b.takeHead(line.Head)
	case line.Entry != nil && line.Head == nil && line.Churn == nil && line.Session == nil:
		return b.takeEntry(line.Entry)
	case line.Churn != nil && line.Head == nil && line.Entry == nil && line.Session == nil:
		return b.takeChurn(line.Churn)
	case line.Session != nil && line.Head == nil && line.Entry == nil && line.Churn == nil:
		if len(b.entries) < len(b.plan.traffic) {
			return errors.New("a session stands before the last traffic entry")
		}
		return b.takeSession(line.Session, seats)
	}
	return errors.New("it is neither a traffic entry nor operations nor a session")
}

func (b *books) takeHead(head *headLine) error {
	switch {
	case head == nil:
		return errors.New("the head is missing")
	case head.Schema != reports.LoadSchema:
		return fmt.Errorf("schema is %q, this version of rtmkit reads %q only", head.Schema, reports.LoadSchema)
	case head.Messages != b.plan.messages || head.Sessions != len(b.sessions):
		return fmt.Errorf("it is about %d messages and %d sessions, and the workload has %d and %d",
			head.Messages, head.Sessions, b.plan.messages, len(b.sessions))
	}
	return nil
}

func (b *books) takeEntry(line *entryLine) (err error) {
	i := len(b.entries)
	if i >= len(b.plan.traffic) || b.plan.traffic[i].ID != line.Traffic {
		return fmt.Errorf("the traffic entry %q is not the next of the workload", line.Traffic)
	}
	t := b.plan.traffic[i]
	var e entryBook
	if e.fate, err = unpackValues(line.Fates, fateLetters, t.count()); err != nil {
		return fmt.Errorf("fates of %s: %w", t.ID, err)
	}
	if e.answer, err = unpackValues(line.Answers, answerLetters, t.count()); err != nil {
		return fmt.Errorf("answers of %s: %w", t.ID, err)
	}
	b.entries = append(b.entries, e)
	return nil
}

func (b *books) takeSession(line *sessionLine, seats [][]int32) (err error) {
	i := line.Session
	if i < 0 || i >= len(b.sessions) {
		return fmt.Errorf("session %d is not one of the plan's %d", i, len(b.sessions))
	}
	s := &b.sessions[i]
	switch {
	case s.counts != nil:
		return fmt.Errorf("session %d stands there twice", i)
	case len(line.Counts) != len(b.entries) || len(line.Seats) != len(seats[i]):
		return fmt.Errorf("session %d has counts of %d traffic entries and %d seats, and the plan %d and %d",
			i, len(line.Counts), len(line.Seats), len(b.entries), len(seats[i]))
	}
	s.foreign, s.corrupt, s.counts = line.Foreign, line.Corrupt, make([]arrivals, 0, len(line.Counts))
	for _, c := range line.Counts {
		s.counts = append(s.counts, arrivals{c[0], c[1], c[2], c[3]})
	}
	for k, packed := range line.Seats {
		g := seats[i][k]
		if packed.Group != g {
			return fmt.Errorf("session %d: seat %d is in group %d, and by the plan in %d", i, k, packed.Group, g)
		}
		seat := seat{group: g, seqs: b.plan.groups[g].seqs}
		for _, table := range []struct {
			name, text string
			into       *bitmap
		}{{"seen", packed.Seen, &seat.seen}, {"excused", packed.Excused, &seat.excused}, {"forbidden", packed.Forbidden, &seat.forbidden}} {
			if table.text == "" && table.name != "seen" {
				continue
			}
			if *table.into, err = unpackBits(table.text, b.plan.groups[g].bits()); err != nil {
				return fmt.Errorf("session %d, group %d, %s: %w", i, g, table.name, err)
			}
		}
		s.seats = append(s.seats, seat)
	}
	return nil
}
