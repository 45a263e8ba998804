package loadgen

import (
	"math"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/rtmkit/rtmkit/reports"
)

// metric numbers the latency metrics of a run.
type metric uint8

const (
	metricPeerAck metric = iota
	metricPeerAckService
	metricPeerDeliver
	metricChannelDeliver
	metricChannelFirst
	metricChannelLast
	metricChannelAck
	metricLogin
	metricJoin
	metricLeave
	metricLogout
	metricReconnect
	metricConnectLogin
	metricConnectJoin
	metricWriteBlock
	metricLag
	metrics // how many there are
)

// The names of the metrics, as they stand in reports and as tags in latency.hlog. All begin at the intended time but
// peer.ack.service and write.block, which begin when the write does, and logout.
var metricNames = [metrics]string{
	metricPeerAck:        "peer.ack",         // due → receipt
	metricPeerAckService: "peer.ack.service", // write → receipt
	metricPeerDeliver:    "peer.deliver",     // due → arrival at the partner
	metricChannelDeliver: "channel.deliver",  // due → arrival, for each member
	metricChannelFirst:   "channel.first",    // due → arrival at the first member
	metricChannelLast:    "channel.last",     // due → arrival at the last member
	metricChannelAck:     "channel.ack",      // due → the server's confirmation
	metricLogin:          "login",            // due → login confirmed
	metricJoin:           "join",             // due → join confirmed
	metricLeave:          "leave",            // due → leave confirmed
	metricLogout:         "logout",           // begun → connection closed by the server
	metricReconnect:      "reconnect",        // due → logged in anew and every join confirmed
	metricConnectLogin:   "connect.login",    // login of the connect phase, in runs that measure logins
	metricConnectJoin:    "connect.join",     // join of the connect phase, in runs that measure joins
	metricWriteBlock:     "write.block",      // socket full → socket has everything
	metricLag:            "lag",              // due → write
}

func (m metric) String() string { return metricNames[m] }

// metricNamed returns the metric of a name.
func metricNamed(name string) (m metric, known bool) {
	i := slices.Index(metricNames[:], name)
	return metric(max(i, 0)), i >= 0
}

// planned returns which metrics a run of the workload has, and about how many samples of each are to be expected.
func (w *Workload) planned() map[metric]float64 {
	n := map[metric]float64{}
	logins, joins := metricLogin, metricJoin
	if w.has(OpLogin) {
		logins = metricConnectLogin
	}
	if w.has(OpJoin) {
		joins = metricConnectJoin
	}
	for _, role := range w.roles() {
		if role != roleReserve {
			n[logins]++
		}
	}
	for _, c := range w.Channels {
		n[joins] += float64(c.Count * c.Members)
	}
	for i := range w.Traffic {
		t := &w.Traffic[i]
		sent := float64(t.average(w.Phases.Measure)) * w.Phases.Measure.Seconds()
		if t.Op.churns() {
			for _, op := range t.operations() {
				if op.timed {
					n[op.metric] += sent * op.share
				}
			}
			continue
		}
		if t.Executor != Closed {
			n[metricLag] += sent
		}
		n[metricWriteBlock] += 0
		switch t.Op {
		case OpPeer:
			for _, m := range []metric{metricPeerAck, metricPeerAckService, metricPeerDeliver} {
				n[m] += sent
			}
		case OpChannel:
			for _, m := range []metric{metricChannelFirst, metricChannelLast, metricChannelAck} {
				n[m] += sent
			}
			for _, c := range w.Channels {
				if c.Name == t.Channel {
					n[metricChannelDeliver] += sent * float64(c.Members-1)
				}
			}
		}
	}
	return n
}

// The geometry of every histogram: nanoseconds from 1 ns to 60 s with three digits.
const (
	lowestNS  = 1
	highestNS = 60_000_000_000
	digits    = 3
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowestNS, highestNS, digits) }

// clamp moves a latency into the range of the histograms, which would drop it otherwise, and reports whether it was
// above. Times below one nanosecond exist: clocks have steps.
func clamp(ns int64) (clamped int64, over bool) {
	return min(max(ns, lowestNS), highestNS), ns > highestNS
}

// quantiles in the order of reports.Metric's fields.
var quantiles = []float64{50, 90, 99, 99.9, 99.99}

// summary fills the numbers of a metric from its histogram over the whole run.
func (m metric) summary(h *hdrhistogram.Histogram, overflow int64) reports.Metric {
	q := h.ValueAtPercentilesSlice(quantiles)
	s := reports.Metric{
		Name: m.String(), Count: h.TotalCount(), Overflow: overflow,
		MinNS: h.Min(), MeanNS: int64(math.Round(h.Mean())), MaxNS: h.Max(),
		P50NS: q[0], P90NS: q[1], P99NS: q[2], P999NS: q[3], P9999NS: q[4],
	}
	for _, b := range h.CumulativeDistributionWithTicks(5) {
		s.Curve = append(s.Curve, reports.CurvePoint{Percentile: b.Quantile, ValueNS: b.ValueAt, Count: b.Count})
	}
	return s
}

// heatBounds are the upper ends of the bands of latency in a heat map, five to a decade.
var heatBounds = func() []int64 {
	var bounds []int64
	for exponent := 4.0; exponent < 10.6; exponent += 0.2 {
		bounds = append(bounds, int64(math.Round(math.Pow(10, exponent))))
	}
	return append(bounds, highestNS)
}()

// heatColumn counts a histogram's samples by band.
func heatColumn(second int, h *hdrhistogram.Histogram) reports.HeatColumn {
	column := reports.HeatColumn{Second: second, Counts: make([]int64, len(heatBounds))}
	band := 0
	for _, bar := range h.Distribution() {
		for bar.From > heatBounds[band] && band < len(heatBounds)-1 {
			band++
		}
		column.Counts[band] += bar.Count
	}
	return column
}
