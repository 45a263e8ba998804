package loadgen

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rtmkit/rtmkit/reports"
)

const seriesHeader = "second,offered,sent,acked,delivered,errors"

func writeSeries(w io.Writer, series []reports.SeriesPoint) error {
	out := bufio.NewWriter(w)
	fmt.Fprintln(out, seriesHeader)
	for _, p := range series {
		fmt.Fprintf(out, "%d,%d,%d,%d,%d,%d\n", p.Second, p.Offered, p.Sent, p.Acked, p.Delivered, p.Errors)
	}
	return out.Flush()
}

// maxSeconds bounds how long a run can be that is read back: its longest phases and a day for what is around them.
const maxSeconds = 4 * 24 * 60 * 60

// readSeries reads the counters of each second, which follow each other from 0 on.
func readSeries(r io.Reader) (series []reports.SeriesPoint, err error) {
	lines := bufio.NewScanner(r)
	if !lines.Scan() || lines.Text() != seriesHeader {
		return nil, errors.New("line 1: the header is not " + seriesHeader)
	}
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ",")
		var numbers [6]int64
		for i := range numbers {
			if len(fields) != len(numbers) {
				return nil, fmt.Errorf("line %d: it has %d numbers, not %d", len(series)+2, len(fields), len(numbers))
			}
			if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
				return nil, fmt.Errorf("line %d: %q is no number", len(series)+2, fields[i])
			}
		}
		if numbers[0] != int64(len(series)) || len(series) >= maxSeconds {
			return nil, fmt.Errorf("line %d: the seconds do not follow each other", len(series)+2)
		}
		series = append(series, reports.SeriesPoint{
			Second: len(series), Offered: numbers[1], Sent: numbers[2], Acked: numbers[3], Delivered: numbers[4], Errors: numbers[5],
		})
	}
	return series, lines.Err()
}
