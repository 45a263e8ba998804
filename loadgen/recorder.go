package loadgen

import (
	"sync"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/rtmkit/rtmkit/reports"
)

// sample is one latency on its way into a histogram.
type sample struct {
	metric metric
	ns     int64
}

// tally counts what was completed, by the time of completion; due counts what the sender took up.
type tally struct{ due, sent, acked, delivered, errors int64 }

func (t *tally) add(o tally) {
	t.due += o.due
	t.sent += o.sent
	t.acked += o.acked
	t.delivered += o.delivered
	t.errors += o.errors
}

// shard is a set of histograms that few goroutines share, so that recording meets little contention. The collector
// takes the filled set away once a second and leaves an empty one.
type shard struct {
	mu   sync.Mutex
	full [metrics]*hdrhistogram.Histogram
	over [metrics]int64
	done tally

	empty [metrics]*hdrhistogram.Histogram // the collector's
	_     [64]byte
}

// record adds samples and counts in one go.
func (s *shard) record(samples []sample, done tally) {
	s.mu.Lock()
	for _, x := range samples {
		ns, over := clamp(x.ns)
		if over {
			s.over[x.metric]++
		}
		// The value is in range, so that there is no error.
		_ = s.full[x.metric].RecordValue(ns)
	}
	s.done.add(done)
	s.mu.Unlock()
}

// recorder collects the samples of a run. Many goroutines record into its shards; one collects.
type recorder struct {
	shards []*shard
	used   [metrics]bool

	latencies
	second [metrics]*hdrhistogram.Histogram // the interval last collected
	series []reports.SeriesPoint
}

// newRecorder makes a recorder for the metrics in use, with as many shards as goroutines are likely to record at once.
func newRecorder(shards int, used ...metric) *recorder {
	r := &recorder{}
	for _, m := range used {
		r.used[m] = true
		r.second[m] = newHistogram()
	}
	for range shards {
		s := &shard{}
		for _, m := range used {
			s.full[m], s.empty[m] = newHistogram(), newHistogram()
		}
		r.shards = append(r.shards, s)
	}
	return r
}

// shard returns the shard for goroutine number i.
func (r *recorder) shard(i int) *shard { return r.shards[i%len(r.shards)] }

// collect takes what was recorded since the last call as the given second of the run, counted from its time zero.
// It returns the seconds of the metrics that had samples; they are valid until the next call.
func (r *recorder) collect(second int) (intervals [metrics]*hdrhistogram.Histogram, done tally) {
	for m := range metrics {
		if r.used[m] {
			r.second[m].Reset()
		}
	}
	for _, s := range r.shards {
		s.mu.Lock()
		s.full, s.empty = s.empty, s.full
		over, counts := s.over, s.done
		s.over, s.done = [metrics]int64{}, tally{}
		s.mu.Unlock()

		done.add(counts)
		for m, h := range s.empty {
			r.over[m] += over[m]
			if h != nil && h.TotalCount() > 0 {
				r.second[m].Merge(h)
				h.Reset()
			}
		}
	}
	for m := range metrics {
		if h := r.second[m]; r.used[m] && h.TotalCount() > 0 {
			r.add(m, second, h)
			intervals[m] = h
		}
	}
	r.series = append(r.series, reports.SeriesPoint{
		Second: second, Sent: done.sent, Acked: done.acked, Delivered: done.delivered, Errors: done.errors,
	})
	return intervals, done
}
