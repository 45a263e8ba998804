package loadgen

import (
	"math"

	"github.com/rtmkit/rtmkit/reports"
)

// healthSeries is what the rows tell second by second; what grew is of the time since the row before. The first row
// has none before it, and the rows at the edges of the measured phase lie within a second.
func healthSeries(rows []vital) []reports.HealthPoint {
	var list []reports.HealthPoint
	var last *vital
	for i := range rows {
		v := &rows[i]
		if v.mark != "" {
			continue
		}
		p := reports.HealthPoint{
			Second: v.second, InFlight: int64(v.readings[colInFlight]), BusiestCoreShare: fourDigits(v.readings[colBusiestCore]),
			ServerRSSBytes: int64(v.readings[colServerRSS]),
		}
		if last != nil && v.at > last.at {
			span := float64(v.at - last.at)
			rate := func(c column, of float64) float64 {
				n, _ := grown(last, v, c)
				return fourDigits(ratio(n, of))
			}
			cores := v.readings[colCores]
			p.GeneratorCPUShare, p.ServerCPUCores = rate(colGeneratorCPU, span*cores), rate(colServerCPU, span)
			p.CPUPressureShare, p.StealShare = rate(colPressureSome, span), rate(colSteal, span*cores)
		}
		list = append(list, p)
		last = v
	}
	return list
}

// fourDigits rounds to a ten-thousandth, so that the series stays short.
func fourDigits(f float64) float64 { return math.Round(f*1e4) / 1e4 }
