package loadgen

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/rtmkit/rtmkit/reports"
)

// mostDifferences bounds how many differences of summary.json are listed one by one.
const mostDifferences = 50

// summary compares summary.json with what was derived, number by number.
func (c *folderCheck) summary(derived reports.Summary) {
	c.read(reports.RunSummaryFile, func(in io.Reader) error {
		stored, err := tree(in)
		if err != nil {
			return err
		}
		want, err := treeOf(derived)
		if err != nil {
			return err
		}
		before := len(c.Differences)
		c.compare(reports.RunSummaryFile, "", stored, want)
		if more := len(c.Differences) - before - mostDifferences; more > 0 {
			c.Differences = c.Differences[:before+mostDifferences]
			c.differ(reports.RunSummaryFile, "", fmt.Sprintf("and %d more that differ", more), "not listed")
		}
		return nil
	})
}

// tree reads any JSON, with its numbers as they are written.
func tree(in io.Reader) (value any, err error) {
	decoder := json.NewDecoder(in)
	decoder.UseNumber()
	err = decoder.Decode(&value)
	return value, err
}

func treeOf(value any) (any, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return tree(bytes.NewReader(text))
}

// compare notes where two values of JSON differ.
func (c *folderCheck) compare(file, path string, stored, derived any) {
	switch d := derived.(type) {
	case map[string]any:
		if s, same := stored.(map[string]any); same {
			keys := maps.Clone(s)
			maps.Copy(keys, d)
			for _, key := range slices.Sorted(maps.Keys(keys)) {
				at := key
				if path != "" {
					at = path + "." + key
				}
				c.compare(file, at, s[key], d[key])
			}
			return
		}
	case []any:
		if s, same := stored.([]any); same {
			if len(s) != len(d) {
				c.differ(file, path, fmt.Sprintf("%d entries", len(s)), fmt.Sprintf("%d entries", len(d)))
			}
			for i := range min(len(s), len(d)) {
				c.compare(file, fmt.Sprintf("%s[%d]", path, i), s[i], d[i])
			}
			return
		}
	case string:
		// What was stored went without secrets.
		if stored == reports.Redact(d) {
			return
		}
	default:
		if stored == derived {
			return
		}
	}
	c.differ(file, path, shown(stored), shown(derived))
}

func shown(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case map[string]any, []any:
		return "a table"
	}
	return fmt.Sprint(v)
}

// maxLedgerBytes bounds what a ledger file may hold: its rows and the anomalies it lists are some hundred bytes each.
const maxLedgerBytes = 64 << 20

// readLedger calls take for each line of a ledger file.
func readLedger(in io.Reader, take func(number int, line ledgerLine)) error {
	bounded := &io.LimitedReader{R: in, N: maxLedgerBytes}
	decoder := json.NewDecoder(bounded)
	decoder.DisallowUnknownFields()
	for number := 1; ; number++ {
		var line ledgerLine
		err := decoder.Decode(&line)
		if errors.Is(err, io.EOF) && bounded.N > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		take(number, line)
	}
}

// ledger holds the ledger for people against the rows, and counts its anomalies.
func (c *folderCheck) ledger(in io.Reader, rows []reports.LedgerRow) error {
	listed, row := map[anomalyKind]int64{}, 0
	err := readLedger(in, func(number int, line ledgerLine) {
		switch {
		case line.Anomaly != nil:
			listed[line.Anomaly.Kind]++
		case line.Row == nil || row >= len(rows):
			c.differ(LedgerFile, fmt.Sprintf("line %d", number), "a row", "no row")
		default:
			if *line.Row != rows[row] {
				c.differ(LedgerFile, fmt.Sprintf("line %d", number), fmt.Sprintf("%+v", *line.Row), fmt.Sprintf("%+v", rows[row]))
			}
			row++
		}
	})
	if err != nil {
		return err
	}
	if row != len(rows) {
		c.differ(LedgerFile, "rows", row, len(rows))
	}
	total := map[anomalyKind]int64{}
	for _, r := range rows {
		for kind, n := range map[anomalyKind]int64{
			anomalyLost: r.Lost, anomalyDuplicated: r.Duplicated, anomalyReordered: r.Reordered, anomalyLeaked: r.Leaked,
			anomalyForeign: r.Foreign, anomalyCorrupt: r.Corrupt, anomalyFalseReceipt: r.FalseReceipts,
		} {
			total[kind] += n
		}
	}
	sum, all := int64(0), int64(0)
	for _, kind := range slices.Sorted(maps.Keys(total)) {
		sum, all = sum+listed[kind], all+total[kind]
	}
	for _, kind := range slices.Sorted(maps.Keys(total)) {
		if all <= maxAnomalies && listed[kind] != total[kind] {
			c.differ(LedgerFile, "anomalies: "+string(kind), listed[kind], total[kind])
		}
	}
	if all > maxAnomalies && sum != maxAnomalies {
		c.differ(LedgerFile, "anomalies", sum, maxAnomalies)
	}
	return nil
}
