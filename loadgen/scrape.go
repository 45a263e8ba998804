package loadgen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// scrapeTimeout is shorter than the second between two scrapes.
	scrapeTimeout = 900 * time.Millisecond
	// scrapeBytes bounds how much of an answer is read.
	scrapeBytes = 8 << 20
)

// The metrics that every Prometheus client library exposes of its process.
const (
	promCPU = "process_cpu_seconds_total"
	promRSS = "process_resident_memory_bytes"
)

// scraped is what a server told of itself.
type scraped struct{ cpu, rss float64 } // nanoseconds and bytes

// scraper asks a server for its Prometheus metrics. Nothing waits for it but the edges of the measured phase, outside the
// schedule.
type scraper struct {
	url    string
	by     string // byMetrics or byLocal
	client *http.Client
	last   atomic.Pointer[scraped]
	busy   atomic.Bool

	tries, failures int // by whoever holds busy
	first           error
}

// CheckMetricsURL returns nil for an address at which a server's metrics can be read, and else one sentence.
func CheckMetricsURL(address string) error {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return errors.New("it is no address of metrics; write one such as http://127.0.0.1:9090/metrics")
	}
	return nil
}

// newScraper returns a scraper of the address, or nil when it is empty.
func newScraper(address string) *scraper {
	if address == "" {
		return nil
	}
	by := byMetrics
	if loopback(address) {
		by = byLocal
	}
	return &scraper{url: address, by: by, client: &http.Client{Transport: &http.Transport{}, Timeout: scrapeTimeout}}
}

// loopback reports whether an address is of this machine by name.
func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// begin scrapes in the background, unless the last scrape is still under way.
func (s *scraper) begin() {
	if s != nil && s.busy.CompareAndSwap(false, true) {
		go func() {
			defer s.busy.Store(false)
			s.scrape()
		}()
	}
}

// fresh scrapes and waits for the answer, as long as a scrape may take.
func (s *scraper) fresh() {
	if s == nil {
		return
	}
	for !s.busy.CompareAndSwap(false, true) {
		wait(context.Background(), settleStep)
	}
	defer s.busy.Store(false)
	s.scrape()
}

func (s *scraper) scrape() {
	s.tries++
	got, err := s.read()
	if err != nil {
		s.last.Store(nil)
		if s.failures++; s.first == nil {
			s.first = err
		}
		return
	}
	s.last.Store(&got)
}

func (s *scraper) read() (got scraped, err error) {
	answer, err := s.client.Get(s.url)
	if err != nil {
		// The client's own text repeats the address, which may hold a password.
		var failure *url.Error
		if errors.As(err, &failure) {
			err = failure.Err
		}
		return got, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return got, fmt.Errorf("the answer was %s", answer.Status)
	}
	return readMetrics(io.LimitReader(answer.Body, scrapeBytes))
}

// readMetrics finds the two metrics in the text format.
func readMetrics(r io.Reader) (got scraped, err error) {
	lines := bufio.NewScanner(r)
	found := false
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), " ")
		name, _, _ = strings.Cut(name, "{")
		if name != promCPU && name != promRSS {
			continue
		}
		// Label values may hold spaces; the value is behind them, and a time stamp may follow it.
		if i := strings.LastIndex(rest, "} "); i >= 0 {
			rest = rest[i+2:]
		}
		value, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || !(n >= 0 && n < 1e18) {
			return got, fmt.Errorf("%s: %q is no number", name, value)
		}
		if name == promRSS {
			got.rss = n
			continue
		}
		got.cpu, found = n*float64(time.Second), true
	}
	if err := lines.Err(); err != nil {
		return got, err
	}
	if !found {
		return got, errors.New("there is no " + promCPU + " in it")
	}
	return got, nil
}

// close ends the connections and returns a sentence for the reader when something was missing.
func (s *scraper) close() (note string) {
	if s == nil {
		return ""
	}
	for !s.busy.CompareAndSwap(false, true) {
		wait(context.Background(), settleStep)
	}
	s.client.CloseIdleConnections()
	if s.failures == 0 {
		return ""
	}
	return fmt.Sprintf("The server's metrics could not be read %d of %d times; the first time: %v.", s.failures, s.tries, s.first)
}
