package loadgen

import (
	"slices"
	"testing"

	"github.com/rtmkit/rtmkit/reports"
)

func TestTheHealthOfASecondIsWhatGrewInIt(t *testing.T) {
	row := func(second int, mark string, at int64, r readings) vital {
		return vital{second: second, mark: mark, at: at, readings: r}
	}
	got := healthSeries([]vital{
		row(0, "", 1e9, readings{colCores: 2, colGeneratorCPU: 1e9, colPressureSome: 5e8, colInFlight: 3}),
		row(1, markBegin, 15e8, readings{colCores: 2, colGeneratorCPU: 9e9, colInFlight: 99}),
		row(1, "", 2e9, readings{colCores: 2, colGeneratorCPU: 2e9, colPressureSome: 75e7, colServerCPU: 5, colServerRSS: 1 << 20, colBusiestCore: 0.123456}),
		row(2, "", 4e9, readings{colCores: 2, colGeneratorCPU: 2e9, colServerCPU: 5e8 + 5, colSteal: 4e8}),
		row(3, "", 5e9, readings{colCores: 2, colGeneratorCPU: 1e9}), // began anew
	})
	want := []reports.HealthPoint{
		{Second: 0, InFlight: 3},
		{Second: 1, GeneratorCPUShare: 0.5, CPUPressureShare: 0.25, BusiestCoreShare: 0.1235, ServerRSSBytes: 1 << 20},
		{Second: 2, ServerCPUCores: 0.25},
		{Second: 3},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
