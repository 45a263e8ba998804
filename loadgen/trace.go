package loadgen

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// The bounds of a trace file.
const (
	maxTraceBytes = 64 << 20
	maxTraceTimes = 4_000_000
)

// trace is a recorded list of due times: a file with one time in seconds a line, ascending from the start of the
// measured phase. Empty lines and what follows a # do not count.
type trace struct {
	text []byte
	due  listed
}

// TraceFile returns the name under which a run folder keeps the trace of the traffic entry with the id.
func TraceFile(id string) string { return "trace-" + id + ".txt" }

// readTrace reads the file. Errors name the line and what belongs there.
func readTrace(path string) (*trace, error) {
	// Anything but a plain file could block for ever or never end.
	if info, err := os.Stat(path); err != nil {
		return nil, plainly(err)
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("it is no plain file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, plainly(err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxTraceBytes+1))
	if err != nil {
		return nil, plainly(err)
	}
	return parseTrace(text)
}

// plainly strips an error of the path, which its sentence names already.
func plainly(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return errors.New("there is no such file")
	}
	var wrapped *os.PathError
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

func parseTrace(text []byte) (*trace, error) {
	if len(text) > maxTraceBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxTraceBytes)
	}
	t := &trace{text: text}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		word, _, _ := bytes.Cut(line, []byte("#"))
		if word = bytes.TrimSpace(word); len(word) == 0 {
			continue
		}
		at, err := strconv.ParseFloat(string(word), 64)
		if err != nil || math.IsNaN(at) || at < 0 || at > maxPhase.Seconds() {
			return nil, fmt.Errorf("line %d: %.40q is no time in seconds from 0 to %.0f", number, word, maxPhase.Seconds())
		}
		due := int64(math.Round(at * 1e9))
		if n := len(t.due); n > 0 && due < t.due[n-1] {
			return nil, fmt.Errorf("line %d: %s is earlier than the time before it; sort the file", number, word)
		}
		if len(t.due) == maxTraceTimes {
			return nil, fmt.Errorf("line %d: more than %d times", number, maxTraceTimes)
		}
		t.due = append(t.due, due)
	}
	if len(t.due) == 0 {
		return nil, errors.New("it holds no time")
	}
	return t, nil
}

// length returns the shortest whole number of seconds that holds the trace.
func (t *trace) length() time.Duration {
	return (time.Duration(t.due[len(t.due)-1])/time.Second + 1) * time.Second
}

// rate returns how many messages a second the trace has on average.
func (t *trace) rate() Rate { return Rate(float64(len(t.due)) / t.length().Seconds()) }

// most returns the largest number of messages within any stretch of the length.
func (t *trace) most(window time.Duration) (most int) {
	first := 0
	for i, due := range t.due {
		for due-t.due[first] >= int64(window) {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

func (t *trace) sha256() string {
	sum := sha256.Sum256(t.text)
	return hex.EncodeToString(sum[:])
}

// readTraces reads the traces that the workload names, relative to the folder of its file.
func (w *Workload) readTraces(dir string) error {
	for i := range w.Traffic {
		t := &w.Traffic[i]
		if t.Trace == "" {
			continue
		}
		path := t.Trace
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, path)
		}
		read, err := readTrace(path)
		if err != nil {
			return *bad(fmt.Sprintf("traffic[%d].trace", i), "%s: %v", t.Trace, err)
		}
		t.recorded = read
	}
	return nil
}

// checkTrace names the first thing wrong with the trace of a traffic entry.
func (t Traffic) checkTrace(path string, phases Phases) *problem {
	switch {
	case t.Trace == "":
		return bad(path+".trace", "a replay needs the file with its due times, such as trace: times.txt")
	case !plainName(t.ID):
		return bad(path+".id", "%q names a file of the run folder too; use letters, digits, - and _", t.ID)
	case t.recorded == nil:
		return bad(path+".trace", "%s was not read; take the workload from a file, which names it", t.Trace)
	case t.TraceSHA256 != "" && t.TraceSHA256 != t.recorded.sha256():
		return bad(path+".trace_sha256", "%s has another sum, %s, so that it is not the trace that was meant; remove the key to take it all the same", t.Trace, t.recorded.sha256())
	case t.recorded.due[len(t.recorded.due)-1] >= int64(phases.Measure):
		return bad("phases.measure", "%v, but the trace of %s goes on until %v; use %v or more, or leave the key out",
			phases.Measure, path, time.Duration(t.recorded.due[len(t.recorded.due)-1]), t.recorded.length())
	}
	return nil
}

// plainName reports whether an id can be part of a file's name everywhere.
func plainName(id string) bool {
	for _, r := range id {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
		default:
			return false
		}
	}
	return len(id) <= 64
}

// traceFiles are the traces of the workload as files of a run folder, from which the run can be planned again.
func (w Workload) traceFiles() (files []textFile) {
	for _, t := range w.Traffic {
		if t.recorded != nil {
			files = append(files, textFile{TraceFile(t.ID), func(out io.Writer) error {
				_, err := out.Write(t.recorded.text)
				return err
			}})
		}
	}
	return files
}
