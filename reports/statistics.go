package reports

import (
	"math"
	"slices"
)

// The statistics of the gate. Their unit is the run, never the message: messages of one run share its luck, and
// a test that takes them for independent calls identical builds different nine times out of ten.
//
// Both tests below are exact for any number of runs and assume no distribution. The module golang.org/x/perf has
// the p-value of Mann and Whitney only, without estimate and interval, and gonum has neither test.

// shift is an estimate of how far one side lies above the other, with its exact interval. All values of the two
// tests can be read off the sorted list of contrasts: averages of pairs of differences for blocks, differences
// between the sides for unpaired runs. Under a true shift m, the number of contrasts above m has a known
// distribution, so the k-th smallest contrast is a lower bound whose error is a tail of it.
type shift struct {
	contrasts []float64 // ascending
	// tail[k] is the probability that at least k contrasts lie above the true shift.
	tail []float64
}

// pairedShift is the shift of differences between the sides of blocks: the Hodges–Lehmann estimate and the
// signed-rank test of Wilcoxon.
func pairedShift(differences []float64) shift {
	var s shift
	for i, a := range differences {
		for _, b := range differences[i:] {
			s.contrasts = append(s.contrasts, (a+b)/2)
		}
	}
	slices.Sort(s.contrasts)
	s.tail = tails(signedRank(len(differences)))
	return s
}

// unpairedShift is the shift of head above base: the Hodges–Lehmann estimate and the test of Mann and Whitney.
func unpairedShift(base, head []float64) shift {
	var s shift
	for _, b := range base {
		for _, h := range head {
			s.contrasts = append(s.contrasts, h-b)
		}
	}
	slices.Sort(s.contrasts)
	s.tail = tails(rankSum(len(base), len(head)))
	return s
}

// estimate is the median of the contrasts; NaN without any.
func (s shift) estimate() float64 { return median(s.contrasts) }

// above is the p-value of "the true shift is m or less" against "it is more". A contrast at m counts for the
// former, so that ties never make a claim easier.
func (s shift) above(m float64) float64 {
	at, _ := slices.BinarySearchFunc(s.contrasts, m, func(c, m float64) int {
		if c <= m {
			return -1
		}
		return 1
	})
	return s.tail[len(s.contrasts)-at]
}

// below is the p-value of "the true shift is m or more" against "it is less".
func (s shift) below(m float64) float64 {
	at, _ := slices.BinarySearch(s.contrasts, m)
	return s.tail[at]
}

// interval is the set of shifts that a test at level alpha on each side does not refuse: above(m) <= alpha just
// when m lies below the interval. An end is infinite where so few runs refuse nothing.
func (s shift) interval(alpha float64) (low, high float64) {
	n := len(s.contrasts)
	need := slices.IndexFunc(s.tail, func(p float64) bool { return p <= alpha })
	if need < 0 || n == 0 {
		return math.Inf(-1), math.Inf(1)
	}
	return s.contrasts[n-need], s.contrasts[need-1]
}

// signedRank is the distribution of the sum of the positive ranks of n differences around their centre.
func signedRank(n int) []float64 {
	p := make([]float64, n*(n+1)/2+1)
	p[0] = 1
	for rank := 1; rank <= n; rank++ {
		for sum := rank * (rank + 1) / 2; sum >= 0; sum-- {
			p[sum] /= 2
			if sum >= rank {
				p[sum] += p[sum-rank] / 2
			}
		}
	}
	return p
}

// rankSum is the distribution of how many of the n·m pairs have the second side on top when both are alike. The
// largest of all values belongs to either side by its share of the runs.
func rankSum(n, m int) []float64 {
	rows := make([][]float64, m+1) // by the size of the second side
	for i := 0; i <= n; i++ {
		for j := 0; j <= m; j++ {
			p := make([]float64, i*j+1)
			if i == 0 || j == 0 {
				p[0] = 1
			} else {
				for k, v := range rows[j] { // the largest belongs to the first side
					p[k] += v * float64(i) / float64(i+j)
				}
				for k, v := range rows[j-1] { // it belongs to the second, above all i of the first
					p[k+i] += v * float64(j) / float64(i+j)
				}
			}
			rows[j] = p
		}
	}
	return rows[m]
}

// tails sums a distribution from its upper end.
func tails(p []float64) []float64 {
	tail := make([]float64, len(p))
	sum := 0.0
	for k := len(p) - 1; k >= 0; k-- {
		sum += p[k]
		tail[k] = min(sum, 1)
	}
	return tail
}

// median of ascending values; NaN without any.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// holm returns the level at which each hypothesis is decided so that all of them together err with probability
// alpha at most: the smallest p-value at alpha over their number, the next at alpha over one less, and so on
// until one is not refused. What comes behind it is decided at its level, and so is not refused either.
func holm(alpha float64, p []float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case p[a] < p[b]:
			return -1
		case p[a] > p[b]:
			return 1
		}
		return 0
	})
	levels := make([]float64, len(p))
	step := 0
	for _, i := range order {
		levels[i] = alpha / float64(len(p)-step)
		if p[i] <= levels[i] {
			step++
		}
	}
	return levels
}
