package loadgen

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// The letters of the tables in the books file. The place of a letter is the value that it stands for.
const (
	fateLetters   = "-sxf"   // none, sent, shed, failed
	answerLetters = "-rnetl" // none, received, not received, error, timeout, lost
	bitLetters    = ".#"
)

// packValues writes a table as runs: a letter for each value, with a count before it where it repeats: 400s3x is 400
// times s and three times x. The text is never longer than the table.
func packValues(table []uint8, letters string) string {
	var text strings.Builder
	for i := 0; i < len(table); {
		from := i
		for i++; i < len(table) && table[i] == table[from]; i++ {
		}
		writeRun(&text, i-from, letters[table[from]])
	}
	return text.String()
}

// packBits writes the first n bits as runs.
func packBits(b bitmap, n int) string {
	var text strings.Builder
	for i := 0; i < n; {
		from, value := i, b.has(i)
		i = min(b.runEnd(i, value), n)
		letter := bitLetters[0]
		if value {
			letter = bitLetters[1]
		}
		writeRun(&text, i-from, letter)
	}
	return text.String()
}

// runEnd returns where the run of equal bits ends that bit i belongs to, which may be behind the last bit.
func (b bitmap) runEnd(i int, value bool) int {
	for {
		if i>>6 >= len(b) {
			return i
		}
		word := b[i>>6] >> (i & 63)
		if value {
			word = ^word
		}
		// What was shifted in counts as the end of the run only when it is inside the word.
		if run := bits.TrailingZeros64(word); run < 64-i&63 {
			return i + run
		}
		i += 64 - i&63
	}
}

func writeRun(text *strings.Builder, count int, letter byte) {
	switch {
	case count == 2:
		text.WriteByte(letter)
	case count > 2:
		text.WriteString(strconv.Itoa(count))
	}
	text.WriteByte(letter)
}

// unpack reads runs of exactly n values and calls put for each.
func unpack(text, letters string, n int, put func(value uint8, from, to int)) error {
	at := 0
	for i := 0; i < len(text); i++ {
		count := 1
		if start := i; text[i] >= '0' && text[i] <= '9' {
			for i < len(text) && text[i] >= '0' && text[i] <= '9' {
				i++
			}
			var err error
			if count, err = strconv.Atoi(text[start:i]); err != nil || count < 1 || i == len(text) {
				return fmt.Errorf("the run %q is none", text[start:i])
			}
		}
		value := strings.IndexByte(letters, text[i])
		if value < 0 {
			return fmt.Errorf("the letter %q is not one of %s", text[i], letters)
		}
		if count > n-at {
			return fmt.Errorf("it holds more than the %d places of the plan", n)
		}
		put(uint8(value), at, at+count)
		at += count
	}
	if at < n {
		return fmt.Errorf("it holds %d of the %d places of the plan", at, n)
	}
	return nil
}

func unpackValues(text, letters string, n int) ([]uint8, error) {
	table := make([]uint8, n)
	err := unpack(text, letters, n, func(value uint8, from, to int) {
		for i := from; i < to; i++ {
			table[i] = value
		}
	})
	return table, err
}

func unpackBits(text string, n int) (bitmap, error) {
	b := newBitmap(n)
	err := unpack(text, bitLetters, n, func(value uint8, from, to int) {
		for i := from; value == 1 && i < to; {
			if i&63 == 0 && to-i >= 64 {
				b[i>>6] = ^uint64(0)
				i += 64
				continue
			}
			b.set(i)
			i++
		}
	})
	return b, err
}
