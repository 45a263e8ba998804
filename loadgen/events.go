package loadgen

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/rtmkit/rtmkit/reports"
)

// eventLine is one line of the events file. It has one of its parts.
type eventLine struct {
	Phase     *phaseEvent         `json:"phase,omitempty"`
	Histogram *histogramEvent     `json:"histogram,omitempty"`
	Error     *reports.ErrorCount `json:"error,omitempty"`
	Facts     *facts              `json:"facts,omitempty"`
}

// phaseEvent is a phase in run time.
type phaseEvent struct {
	Name    string `json:"name"`
	StartNS int64  `json:"start_ns"`
	EndNS   int64  `json:"end_ns"`
}

// histogramEvent says what the histogram log has to hold of a metric, and how many samples were beyond its range.
type histogramEvent struct {
	Metric    string `json:"metric"`
	Intervals int    `json:"intervals"`
	Samples   int64  `json:"samples"`
	Overflow  int64  `json:"overflow,omitempty"`
}

func writeEvents(w io.Writer, r *raw) error {
	var lines []eventLine
	for _, p := range r.windows {
		lines = append(lines, eventLine{Phase: &phaseEvent{p.name, p.start, p.end}})
	}
	for m := range metrics {
		if n := r.latencies.count(m); n > 0 {
			lines = append(lines, eventLine{Histogram: &histogramEvent{m.String(), r.latencies.seconds[m], n, r.latencies.over[m]}})
		}
	}
	for i := range r.errors {
		lines = append(lines, eventLine{Error: &r.errors[i]})
	}
	lines = append(lines, eventLine{Facts: &r.facts})
	encoder := json.NewEncoder(w)
	for _, line := range lines {
		if err := encoder.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// maxEventBytes bounds what an events file may hold.
const maxEventBytes = 16 << 20

// readEvents reads an events file into the raw data, and returns what the histogram log has to hold.
func readEvents(r io.Reader, into *raw) ([]histogramEvent, error) {
	bounded := &io.LimitedReader{R: r, N: maxEventBytes}
	decoder := json.NewDecoder(bounded)
	decoder.DisallowUnknownFields()
	var histograms []histogramEvent
	for number := 1; ; number++ {
		var line eventLine
		err := decoder.Decode(&line)
		switch {
		case bounded.N <= 0:
			return nil, fmt.Errorf("it is larger than %d MiB", maxEventBytes>>20)
		case errors.Is(err, io.EOF):
			return histograms, nil
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		switch {
		case line.Phase != nil:
			into.windows = append(into.windows, window{line.Phase.Name, line.Phase.StartNS, line.Phase.EndNS})
		case line.Histogram != nil:
			histograms = append(histograms, *line.Histogram)
		case line.Error != nil:
			into.errors = append(into.errors, *line.Error)
		case line.Facts != nil:
			into.facts = *line.Facts
		default:
			return nil, fmt.Errorf("line %d: it says nothing", number)
		}
	}
}
