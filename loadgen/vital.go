package loadgen

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// column is one thing that is observed of a run's health: a column of health.csv, under its name there.
type column string

// The columns. Counters only grow, since the process or the machine was started, and two rows of them give what happened
// in between. Gauges are of the row's moment. Intervals are of the time since the row before that has no mark, and in the
// row that is marked end of the whole measured phase; the lag is in rows without a mark only.
const (
	colLagP50         column = "lag_p50_ns"           // interval
	colLagP99         column = "lag_p99_ns"           // interval
	colLagMax         column = "lag_max_ns"           // interval
	colOverruns       column = "grid_overruns"        // counter: grid steps missed altogether
	colInFlight       column = "in_flight"            // gauge: messages without an answer
	colShed           column = "shed"                 // counter: messages not sent because too many were in flight
	colGeneratorCPU   column = "generator_cpu_ns"     // counter: CPU time of this process
	colGeneratorWait  column = "generator_wait_ns"    // counter: time in which threads of this process waited for a core
	colGeneratorRuns  column = "generator_runs"       // counter: how often one of them got a core
	colGeneratorCores column = "generator_cores"      // gauge: the cores that this process may use at once
	colGoroutines     column = "goroutines"           // gauge
	colGCCPU          column = "gc_cpu_ns"            // counter: CPU time of this process's garbage collector
	colGCPauseP99     column = "gc_pause_p99_ns"      // interval
	colGCPauseMax     column = "gc_pause_max_ns"      // interval
	colSchedP99       column = "sched_latency_p99_ns" // interval: wait of goroutines that were ready to run
	colOpenFiles      column = "open_files"           // gauge: of this process
	colOpenFilesLimit column = "open_files_limit"     // gauge: soft limit
	colCores          column = "cores"                // gauge: of the machine
	colMachineCPU     column = "machine_cpu_ns"       // counter: CPU time of everything on the machine
	colBusiestCore    column = "busiest_core_share"   // interval: how busy the busiest core was, 0 to 1
	colSteal          column = "steal_ns"             // counter: time that the hypervisor gave to other machines
	colThrottled      column = "throttled_ns"         // counter: time in which a CPU quota held this process's group back
	colPressureSome   column = "cpu_pressure_some_ns" // counter: time in which some task waited for a core
	colPressureFull   column = "cpu_pressure_full_ns" // counter: time in which all tasks did
	colRunQueue       column = "run_queue"            // gauge: tasks that run or wait for a core
	colRetransmits    column = "tcp_retransmits"      // counter: segments that the machine sent again
	colServerCPU      column = "server_cpu_ns"        // counter: CPU time of the server's processes
	colServerRSS      column = "server_rss_bytes"     // gauge: their resident memory
)

// columns are all columns in the order of health.csv.
var columns = []column{
	colLagP50, colLagP99, colLagMax, colOverruns, colInFlight, colShed,
	colGeneratorCPU, colGeneratorWait, colGeneratorRuns, colGeneratorCores, colGoroutines, colGCCPU, colGCPauseP99, colGCPauseMax, colSchedP99,
	colOpenFiles, colOpenFilesLimit,
	colCores, colMachineCPU, colBusiestCore, colSteal, colThrottled, colPressureSome, colPressureFull, colRunQueue, colRetransmits,
	colServerCPU, colServerRSS,
}

// readings are observed values by column. What was not observed is missing.
type readings map[column]float64

// vital is one row of health.csv: what was seen at one moment of a run. There is one for each second, and one at each
// edge of the measured phase.
type vital struct {
	second   int    // of the run, from its time zero
	mark     string // markBegin, markEnd or nothing
	at       int64  // run time
	phase    string
	serverBy string // how the server's CPU time was observed: byClock, byTicks, byMetrics or nothing
	readings
}

// The marks of the rows at the edges of the measured phase: right before its first message is due, and after its drain.
const (
	markBegin = "begin"
	markEnd   = "end"
)

// The ways to observe a server's CPU time.
const (
	byClock   = "clock"         // the CPU clocks of its processes, to the nanosecond
	byTicks   = "ticks"         // the process table, to 10 ms
	byMetrics = "metrics"       // its own Prometheus metrics
	byLocal   = "local metrics" // the same, of a server on this machine
)

// vitalFields are the columns of health.csv before the readings.
var vitalFields = []string{"second", "mark", "at_ns", "phase", "server_by"}

func writeVitals(w io.Writer, rows []vital) error {
	out := bufio.NewWriter(w)
	names := slices.Clone(vitalFields)
	for _, c := range columns {
		names = append(names, string(c))
	}
	fmt.Fprintln(out, strings.Join(names, ","))
	for _, v := range rows {
		fmt.Fprintf(out, "%d,%s,%d,%s,%s", v.second, v.mark, v.at, v.phase, v.serverBy)
		for _, c := range columns {
			out.WriteByte(',')
			if value, seen := v.readings[c]; seen {
				// The shortest text that reads back as the same number.
				out.WriteString(strconv.FormatFloat(value, 'f', -1, 64))
			}
		}
		out.WriteByte('\n')
	}
	return out.Flush()
}

// maxVitals bounds how many rows are read: those of the longest run and a lot more.
const maxVitals = 1_000_000

// readVitals reads what writeVitals wrote. Anything else is an error that names the line.
func readVitals(r io.Reader) ([]vital, error) {
	var rows []vital
	var names []string
	lines := bufio.NewScanner(r)
	number := 0
	for lines.Scan() {
		number++
		fields := strings.Split(lines.Text(), ",")
		if number == 1 {
			names = fields
			if err := checkVitalNames(names); err != nil {
				return nil, fmt.Errorf("line 1: %w", err)
			}
			continue
		}
		v, err := parseVital(names, fields)
		if err == nil && len(rows) == maxVitals {
			err = fmt.Errorf("more than %d rows", maxVitals)
		}
		if err == nil {
			err = v.follows(rows)
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		rows = append(rows, v)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("line %d: %w", number+1, err)
	}
	if number == 0 {
		return nil, fmt.Errorf("line 1: the column names are missing")
	}
	return rows, nil
}

func checkVitalNames(names []string) error {
	if len(names) < len(vitalFields) || !slices.Equal(names[:len(vitalFields)], vitalFields) {
		return fmt.Errorf("the columns have to begin with %s", strings.Join(vitalFields, ","))
	}
	for i, name := range names[len(vitalFields):] {
		if !slices.Contains(columns, column(name)) {
			return fmt.Errorf("column %q is not known", name)
		}
		if slices.Contains(names[:len(vitalFields)+i], name) {
			return fmt.Errorf("column %q stands there twice", name)
		}
	}
	return nil
}

func parseVital(names, fields []string) (v vital, err error) {
	if len(fields) != len(names) {
		return v, fmt.Errorf("%d fields under %d columns", len(fields), len(names))
	}
	if v.second, err = strconv.Atoi(fields[0]); err != nil || v.second < 0 {
		return v, fmt.Errorf("second: %q is no number of a second", fields[0])
	}
	if v.mark = fields[1]; v.mark != "" && v.mark != markBegin && v.mark != markEnd {
		return v, fmt.Errorf("mark: %q is neither %s nor %s", v.mark, markBegin, markEnd)
	}
	if v.at, err = strconv.ParseInt(fields[2], 10, 64); err != nil || v.at < 0 {
		return v, fmt.Errorf("at_ns: %q is no time of a run", fields[2])
	}
	if v.phase = fields[3]; !slices.Contains([]string{phaseConnect, phaseWarmup, phaseMeasure, phaseDrain, phaseClose}, v.phase) {
		return v, fmt.Errorf("phase: %q is no phase of a run", v.phase)
	}
	if v.serverBy = fields[4]; !slices.Contains([]string{"", byClock, byTicks, byMetrics, byLocal}, v.serverBy) {
		return v, fmt.Errorf("server_by: %q is not known", v.serverBy)
	}
	v.readings = readings{}
	for i := len(vitalFields); i < len(fields); i++ {
		if fields[i] == "" {
			continue
		}
		value, err := strconv.ParseFloat(fields[i], 64)
		if err != nil || value < 0 || math.IsInf(value, 0) || math.IsNaN(value) {
			return v, fmt.Errorf("%s: %q is no amount", names[i], fields[i])
		}
		v.readings[column(names[i])] = value
	}
	return v, nil
}

// follows returns why the row cannot come behind the others, if it cannot.
func (v vital) follows(rows []vital) error {
	if len(rows) > 0 && v.at < rows[len(rows)-1].at {
		return fmt.Errorf("at_ns: %d is before the %d of the line above", v.at, rows[len(rows)-1].at)
	}
	if v.mark == "" {
		return nil
	}
	if edge(rows, v.mark) != nil {
		return fmt.Errorf("mark: a second %s", v.mark)
	}
	if v.mark == markEnd && edge(rows, markBegin) == nil {
		return fmt.Errorf("mark: an end without a begin")
	}
	return nil
}

// edge returns the row with the mark, or nil.
func edge(rows []vital, mark string) *vital {
	for i := range rows {
		if rows[i].mark == mark {
			return &rows[i]
		}
	}
	return nil
}

// grown returns how much a counter grew from one row to a later one, and whether both saw it. A counter that went back
// began anew in between, so that its growth is not known.
func grown(from, to *vital, c column) (n float64, seen bool) {
	before, early := from.readings[c]
	after, late := to.readings[c]
	if !early || !late || after < before {
		return 0, false
	}
	return after - before, true
}
