package reports

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The critical values of the printed tables: the largest statistic whose one-sided tail does not exceed the level.
func TestTheSignedRankTestAgreesWithPrintedTables(t *testing.T) {
	for _, tt := range []struct {
		n, want int
		alpha   float64
	}{
		{5, 0, .05}, {6, 2, .05}, {7, 3, .05}, {8, 5, .05}, {9, 8, .05}, {10, 10, .05}, {12, 17, .05}, {15, 30, .05}, {20, 60, .05}, {25, 100, .05},
		{6, 0, .025}, {7, 2, .025}, {8, 3, .025}, {9, 5, .025}, {10, 8, .025}, {12, 13, .025}, {15, 25, .025}, {20, 52, .025}, {25, 89, .025},
		{7, 0, .01}, {8, 1, .01}, {10, 5, .01}, {15, 19, .01}, {20, 43, .01}, {8, 0, .005}, {10, 3, .005}, {20, 37, .005},
	} {
		if got := critical(signedRank(tt.n), tt.alpha); got != tt.want {
			t.Errorf("n = %d at %v: critical value %d, tables say %d", tt.n, tt.alpha, got, tt.want)
		}
	}
}

func TestTheRankSumTestAgreesWithPrintedTables(t *testing.T) {
	for _, tt := range []struct {
		n, m, want int
		alpha      float64
	}{
		{5, 5, 4, .05}, {6, 6, 7, .05}, {8, 8, 15, .05}, {10, 10, 27, .05}, {20, 20, 138, .05}, {5, 10, 11, .05}, {10, 5, 11, .05},
		{5, 5, 2, .025}, {6, 6, 5, .025}, {8, 8, 13, .025}, {10, 10, 23, .025}, {20, 20, 127, .025}, {5, 8, 6, .025},
		{5, 5, 1, .01}, {10, 10, 19, .01}, {20, 20, 114, .01},
	} {
		if got := critical(rankSum(tt.n, tt.m), tt.alpha); got != tt.want {
			t.Errorf("n = %d, m = %d at %v: critical value %d, tables say %d", tt.n, tt.m, tt.alpha, got, tt.want)
		}
	}
}

func critical(p []float64, alpha float64) int {
	sum := 0.0
	for k, v := range p {
		if sum += v; sum > alpha {
			return k - 1
		}
	}
	return len(p)
}

func TestTheDistributionsAreWholeAndSymmetric(t *testing.T) {
	check := func(name string, p []float64) {
		t.Helper()
		sum := 0.0
		for k, v := range p {
			sum += v
			if math.Abs(v-p[len(p)-1-k]) > 1e-12 {
				t.Fatalf("%s: %v at %d, %v opposite", name, v, k, p[len(p)-1-k])
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("%s sums to %v", name, sum)
		}
	}
	for _, n := range []int{0, 1, 2, 6, 13, 100} {
		check(fmt.Sprint("signed rank ", n), signedRank(n))
		check(fmt.Sprint("rank sum ", n), rankSum(n, n/2))
	}
}

// Every sign of every difference is as likely as the other when nothing differs: the p-value is the share of all
// signs whose statistic is as large.
func TestTheSignedRankTestIsTheShareOfAllSigns(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 1))
	for n := 1; n <= 10; n++ {
		d := make([]float64, n)
		for i := range d {
			d[i] = random.NormFloat64() + .4
		}
		statistic := func(d []float64) float64 {
			w := 0.0
			for i := range d {
				rank := 0.0
				for j := range d {
					if math.Abs(d[j]) <= math.Abs(d[i]) {
						rank++
					}
				}
				if d[i] > 0 {
					w += rank
				}
			}
			return w
		}
		seen, above, below := statistic(d), 0, 0
		for signs := range 1 << n {
			flipped := slices.Clone(d)
			for i := range flipped {
				if signs>>i&1 == 1 {
					flipped[i] = -flipped[i]
				}
			}
			if statistic(flipped) >= seen {
				above++
			}
			if statistic(flipped) <= seen {
				below++
			}
		}
		s, all := pairedShift(d), float64(int(1)<<n)
		if got, want := s.above(0), float64(above)/all; math.Abs(got-want) > 1e-12 {
			t.Errorf("n = %d: above(0) = %v, the signs say %v", n, got, want)
		}
		if got, want := s.below(0), float64(below)/all; math.Abs(got-want) > 1e-12 {
			t.Errorf("n = %d: below(0) = %v, the signs say %v", n, got, want)
		}
	}
}

func TestTheRankSumTestIsTheShareOfAllDivisions(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 2))
	for _, size := range [][2]int{{1, 1}, {2, 3}, {4, 4}, {5, 5}, {3, 6}} {
		n, m := size[0], size[1]
		all := make([]float64, n+m)
		for i := range all {
			all[i] = random.NormFloat64()
		}
		pairs := func(head int) int {
			u := 0
			for i := range all {
				for j := range all {
					if head>>i&1 == 0 && head>>j&1 == 1 && all[j] > all[i] {
						u++
					}
				}
			}
			return u
		}
		first := (1<<m - 1) << n // the last m are head
		seen, above, total := pairs(first), 0, 0
		for head := range 1 << (n + m) {
			bits := 0
			for i := range n + m {
				bits += head >> i & 1
			}
			if bits != m {
				continue
			}
			total++
			if pairs(head) >= seen {
				above++
			}
		}
		if got, want := unpairedShift(all[:n], all[n:]).above(0), float64(above)/float64(total); math.Abs(got-want) > 1e-12 {
			t.Errorf("%d and %d: above(0) = %v, the divisions say %v", n, m, got, want)
		}
	}
}

// A claim made by the p-value is the claim made by the interval, also with ties and at the contrasts themselves.
func TestTheIntervalIsTheTestInverted(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 3))
	for range 300 {
		n := 1 + random.IntN(9)
		draw := func(n int) []float64 {
			x := make([]float64, n)
			for i := range x {
				x[i] = float64(random.IntN(7)) / 2 // coarse, so that values tie
			}
			return x
		}
		for _, s := range []shift{pairedShift(draw(n)), unpairedShift(draw(n), draw(1+random.IntN(6)))} {
			for _, alpha := range []float64{.005, .0125, .025, .05, .2} {
				low, high := s.interval(alpha)
				for _, m := range append([]float64{-9, -.25, 0, .25, 9}, s.contrasts...) {
					if above := s.above(m) <= alpha; above != (low > m) {
						t.Fatalf("at %v above(%v) = %v, and the interval begins at %v", alpha, m, s.above(m), low)
					}
					if below := s.below(m) <= alpha; below != (high < m) {
						t.Fatalf("at %v below(%v) = %v, and the interval ends at %v", alpha, m, s.below(m), high)
					}
				}
			}
		}
	}
}

func TestTheEstimateOfHodgesAndLehmann(t *testing.T) {
	if got := pairedShift([]float64{1, 2, 10}).estimate(); got != (2.0+5.5)/2 { // 1 1.5 2 5.5 6 10
		t.Errorf("paired: %v", got)
	}
	if got := unpairedShift([]float64{0, 1}, []float64{5, 9}).estimate(); got != 6.5 { // 4 5 8 9
		t.Errorf("unpaired: %v", got)
	}
	if low, high := pairedShift([]float64{3, 1, 2, 4, 6, 5}).interval(.025); low != 1 || high != 6 {
		t.Errorf("six blocks at 1/64: from %v to %v, want all of them", low, high)
	}
	if low, high := pairedShift([]float64{3, 1, 2}).interval(.05); !math.IsInf(low, -1) || !math.IsInf(high, 1) {
		t.Errorf("three blocks have the interval %v to %v, and cannot have one", low, high)
	}
	if e := pairedShift(nil); !math.IsNaN(e.estimate()) || e.above(0) != 1 || e.below(0) != 1 {
		t.Errorf("nothing at all says something: %+v", e)
	}
}

func TestHolmStepsDownUntilOneIsNotRefused(t *testing.T) {
	for _, tt := range []struct{ p, want []float64 }{
		{[]float64{.01}, []float64{.05}},
		{[]float64{.04, .01}, []float64{.05, .025}},
		{[]float64{.03, .04}, []float64{.025, .025}},
		{[]float64{.5, .001, .02}, []float64{.05, .05 / 3, .025}},
		{[]float64{.5, .001, .03}, []float64{.025, .05 / 3, .025}},
		{nil, []float64{}},
	} {
		if got := holm(.05, tt.p); !slices.Equal(got, tt.want) {
			t.Errorf("holm(%v) = %v, want %v", tt.p, got, tt.want)
		}
	}
}
