package loadgen

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

func TestMetricsOfAServerAreRead(t *testing.T) {
	for text, want := range map[string]any{
		"process_cpu_seconds_total 12.5\nprocess_resident_memory_bytes 4.2e+07\n":                 scraped{12.5e9, 4.2e7},
		"# HELP process_cpu_seconds_total x\nprocess_cpu_seconds_total{a=\"b c\"} 1 1700000000\n": scraped{1e9, 0},
		"process_cpu_seconds_total_more 3\n":                                                      "there is no process_cpu_seconds_total",
		"process_cpu_seconds_total NaN\n":                                                         `"NaN" is no number`,
		"process_cpu_seconds_total\n":                                                             `"" is no number`,
		strings.Repeat("x", 100_000):                                                              "too long",
	} {
		got, err := readMetrics(strings.NewReader(text))
		if reason, bad := want.(string); bad {
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%.50q: %v, want %q", text, err, reason)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestServerTellsItsCPUAndMemoryByItsMetrics(t *testing.T) {
	var cpu atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "process_cpu_seconds_total %d\nprocess_resident_memory_bytes 1000\n", cpu.Add(1))
	}))
	defer server.Close()
	s := newScraper(server.URL)
	s.fresh()
	u := newObserver(0, s).look()
	if u.readings[colServerCPU] != 1e9 || u.readings[colServerRSS] != 1000 || u.serverBy != byLocal {
		t.Errorf("seen %v by %q", u.readings, u.serverBy)
	}
	if note := s.close(); note != "" {
		t.Errorf("a note: %s", note)
	}
}

func TestMetricsThatCannotBeReadAreANoteAndNoFailure(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	s := newScraper("http://user:geheim@" + strings.TrimPrefix(server.URL, "http://"))
	s.fresh()
	if u := newObserver(0, s).look(); u.serverBy != "" {
		t.Errorf("seen by %q", u.serverBy)
	}
	server.Close()
	s.fresh()
	note := s.close()
	if !strings.Contains(note, "2 of 2 times; the first time: the answer was 404") || strings.Contains(note, "geheim") {
		t.Errorf("note %q", note)
	}
}

func TestSecondOfARunDoesNotWaitForASlowServersMetrics(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{}; <-answer }))
	defer server.Close()
	s := newScraper(server.URL)
	s.begin()
	<-asked
	s.begin() // returns although the first scrape hangs, and asks nothing more
	close(answer)
	if note := s.close(); !strings.Contains(note, "1 of 1 times") {
		t.Errorf("note %q", note)
	}
}

func TestAddressOfMetricsIsChecked(t *testing.T) {
	for address, good := range map[string]bool{"http://127.0.0.1:9090/metrics": true, "https://h/metrics": true, "h:9090": false, "/metrics": false, "ws://h/": false, "": false} {
		if err := CheckMetricsURL(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
	w := small(10)
	if _, err := Run(t.Context(), w, Options{ServerMetrics: "h", Driver: newRig()}); OutcomeOf(nil, err) != Unusable || !strings.Contains(err.Error(), "metrics") {
		t.Errorf("got %v", err)
	}
}

func TestRunTakesTheServersCPUFromItsMetricsAndSaysWhatWasMissing(t *testing.T) {
	rtm := newStub(t)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := asked.Add(1)
		if r.URL.Path == "/ends" && n > 1 {
			http.Error(w, "enough", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "process_cpu_seconds_total %d\nprocess_resident_memory_bytes 1000\n", n)
	}))
	defer server.Close()
	w := small(300)
	w.Sessions.Rate = 1000
	load, err := Run(t.Context(), w, Options{URL: rtm.url(), ServerMetrics: server.URL + "/metrics"})
	if err != nil {
		t.Fatal(err)
	}
	h := load.Summary.Health
	if h.ServerCPUBy != byLocal || h.ServerCPUNS < 1e9 || h.ServerRSSBytes != 1000 || h.ServerCPUPerMessageNS != float64(h.ServerCPUNS)/300 {
		t.Errorf("health %+v", h)
	}
	asked.Store(0)
	load, err = Run(t.Context(), w, Options{URL: rtm.url(), ServerMetrics: server.URL + "/ends"})
	if err != nil {
		t.Fatal(err)
	}
	if notes := strings.Join(load.Manifest.Notes, " "); !strings.Contains(notes, "The server's metrics could not be read") || !strings.Contains(notes, "503") {
		t.Errorf("notes %q", notes)
	}
	if h := load.Summary.Health; h.ServerCPUBy != "" || h.ServerCPUNS != 0 {
		t.Errorf("health %+v", h)
	}
}
