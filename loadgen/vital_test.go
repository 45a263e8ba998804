package loadgen

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rowsOf makes rows as a monitor does, one for each second and one at each edge.
func rowsOf(begin, end readings) []vital {
	row := func(second int, mark string, r readings) vital {
		return vital{second: second, mark: mark, at: int64(second) * int64(time.Second), phase: phaseMeasure, serverBy: byClock, readings: r}
	}
	return []vital{row(1, "", readings{colInFlight: 3}), row(2, markBegin, begin), row(4, "", readings{colInFlight: 9, colServerRSS: 500}), row(12, markEnd, end)}
}

func TestHealthIsTheGrowthOfTheCountersBetweenTheEdges(t *testing.T) {
	h := healthOf(rowsOf(
		readings{colCores: 2, colGeneratorCores: 2, colGeneratorCPU: 1e9, colGeneratorWait: 0, colGeneratorRuns: 0, colGCCPU: 0, colMachineCPU: 10e9, colSteal: 1e9, colPressureSome: 0, colServerCPU: 7e9, colShed: 1, colOverruns: 1},
		readings{colCores: 2, colGeneratorCores: 2, colGeneratorCPU: 6e9, colGeneratorWait: 5e9, colGeneratorRuns: 1e6, colGCCPU: 1e9, colMachineCPU: 26e9, colSteal: 2e9, colPressureSome: 4e9, colServerCPU: 13e9, colShed: 1, colOverruns: 4,
			colBusiestCore: 0.9, colSchedP99: 1234, colGCPauseMax: 77},
	))
	for name, c := range map[string][2]float64{
		"generator CPU":  {float64(h.GeneratorCPUNS), 5e9},
		"of all cores":   {h.GeneratorCPUShare, 0.25},
		"wait":           {float64(h.GeneratorWaitMeanNS), 5000},
		"GC":             {h.GeneratorGCCPUShare, 0.2},
		"machine":        {h.MachineCPUShare, 0.8},
		"server":         {float64(h.ServerCPUNS), 6e9},
		"server's share": {h.ServerCPUShare, 0.3},
		"others":         {h.OthersCPUShare, 0.25},
		"steal":          {h.StealShare, 0.05},
		"pressure":       {h.CPUPressureShare, 0.4},
		"overruns":       {float64(h.GridOverruns), 3},
		"busiest core":   {h.BusiestCoreShare, 0.9},
		"scheduler":      {float64(h.GeneratorSchedLatencyP99NS), 1234},
		"pause":          {float64(h.GeneratorGCPauseMaxNS), 77},
		"in flight":      {float64(h.InFlightMax), 9},
		"memory":         {float64(h.ServerRSSBytes), 500},
	} {
		if diff := c[0] - c[1]; diff > 1e-9 || diff < -1e-9 {
			t.Errorf("%s: %v, want %v", name, c[0], c[1])
		}
	}
}

func TestShareOfAWholeIsNeverMoreThanOne(t *testing.T) {
	h := healthOf(rowsOf(readings{colCores: 2, colMachineCPU: 0, colPressureSome: 0}, readings{colCores: 2, colMachineCPU: 20.1e9, colPressureSome: 10.1e9}))
	if h.MachineCPUShare != 1 || h.CPUPressureShare != 1 || h.OthersCPUShare != 1 {
		t.Errorf("health %+v", h)
	}
}

func TestHealthOfACounterThatBeganAnewIsNotObserved(t *testing.T) {
	h := healthOf(rowsOf(readings{colCores: 2, colServerCPU: 7e9}, readings{colCores: 2, colServerCPU: 1e9}))
	if h.ServerCPUNS < 0 {
		t.Errorf("the server used %d ns", h.ServerCPUNS)
	}
	if h := healthOf(nil); h.GeneratorCPUNS != 0 {
		t.Errorf("health of nothing: %+v", h)
	}
}

func TestVitalsReadBackAsTheyWereWritten(t *testing.T) {
	rows := rowsOf(readings{colServerCPU: 123456789012345, colBusiestCore: 0.12345678901234567}, readings{colCores: 2})
	var text bytes.Buffer
	if err := writeVitals(&text, rows); err != nil {
		t.Fatal(err)
	}
	if first, _, _ := strings.Cut(text.String(), "\n"); !strings.HasPrefix(first, "second,mark,at_ns,phase,server_by,lag_p50_ns,") {
		t.Errorf("header %s", first)
	}
	read, err := readVitals(bytes.NewReader(text.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := writeVitals(&again, read); err != nil {
		t.Fatal(err)
	}
	if again.String() != text.String() || len(read) != len(rows) || read[1].readings[colServerCPU] != 123456789012345 {
		t.Errorf("read back as\n%s\nand not\n%s", again.String(), text.String())
	}
	if _, seen := read[3].readings[colServerCPU]; seen {
		t.Error("what was not observed reads back as observed")
	}
}

func TestVitalsThatNobodyWroteAreRefusedWithTheirLine(t *testing.T) {
	const head = "second,mark,at_ns,phase,server_by,in_flight,shed\n"
	for text, want := range map[string]string{
		"":                                      "line 1: the column names are missing",
		"second,mark\n":                         "line 1: the columns have to begin with",
		"second,mark,at_ns,phase,server_by,x\n": `line 1: column "x" is not known`,
		"second,mark,at_ns,phase,server_by,shed,shed\n":           `line 1: column "shed" stands there twice`,
		head + "0,,1,measure,,1\n":                                "line 2: 6 fields under 7 columns",
		head + "0,,1,measure,,1,1\n-1,,2,measure,,1,1\n":          `line 3: second: "-1"`,
		head + "0,middle,1,measure,,1,1\n":                        `line 2: mark: "middle"`,
		head + "0,,1.5,measure,,1,1\n":                            `line 2: at_ns: "1.5"`,
		head + "0,,1,lunch,,1,1\n":                                `line 2: phase: "lunch"`,
		head + "0,,1,measure,guess,1,1\n":                         `line 2: server_by: "guess"`,
		head + "0,,1,measure,,one,1\n":                            `line 2: in_flight: "one"`,
		head + "0,,1,measure,,1,-1\n":                             `line 2: shed: "-1"`,
		head + "0,,1,measure,,1,NaN\n":                            `line 2: shed: "NaN"`,
		head + "0,,5,measure,,1,1\n0,,4,measure,,1,1\n":           "line 3: at_ns: 4 is before the 5",
		head + "0,end,5,measure,,1,1\n":                           "line 2: mark: an end without a begin",
		head + "0,begin,5,measure,,1,1\n0,begin,6,measure,,1,1\n": "line 3: mark: a second begin",
	} {
		if _, err := readVitals(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func TestRunWritesARowForEverySecondAndEachEdge(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "run")
		w := small(4000)
		w.Phases.Warmup = time.Second
		load := newRig().play(t, t.Context(), w, Options{Dir: dir})
		file, err := os.Open(filepath.Join(dir, HealthFile))
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		rows, err := readVitals(file)
		if err != nil {
			t.Fatal(err)
		}
		begin, end := edge(rows, markBegin), edge(rows, markEnd)
		if begin == nil || end == nil || time.Duration(end.at-begin.at).Round(100*time.Millisecond) != 4*time.Second {
			t.Fatalf("begin %+v, end %+v", begin, end)
		}
		if plain := len(rows) - 2; plain != len(load.Summary.Series) {
			t.Errorf("%d rows for %d seconds", plain, len(load.Summary.Series))
		}
		if h := healthOf(rows); h.InFlightMax != load.Summary.Health.InFlightMax || h.GridOverruns != load.Summary.Health.GridOverruns {
			t.Errorf("the rows say %+v and the summary %+v", h, load.Summary.Health)
		}
	})
}
