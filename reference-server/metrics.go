package refserver

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// metrics are the server's counters. The hot paths count in their burst, and a burst
// is added once; everything else counts here. They become Prometheus metrics only when
// somebody asks.
type metrics struct {
	srv      *Server
	gatherer prometheus.Gatherer

	frames, peer, channel, deliveries, acks atomic.Uint64
	logins, resumes                         atomic.Uint64
	fates                                   [4]atomic.Uint64 // by engine.Fate
	receipts                                [3]atomic.Uint64 // by engine.Receipt
	drops                                   [dropReasons]atomic.Uint64
	rejected                                [rejects]atomic.Uint64

	mu          sync.Mutex
	closes      map[wire.CloseCode]uint64
	refusals    map[wire.Code]uint64
	calls, sent uint64 // writes and bytes of connections that have ended
}

var (
	connectionsDesc = desc("connections", "Open connections.")
	sessionsDesc    = desc("sessions", "Sessions, by whether they have a connection.", "state")
	usersDesc       = desc("users", "User ids that are online.")
	channelsDesc    = desc("channels", "Channels that have a member or keep messages.")
	membersDesc     = desc("channel_members", "Channel memberships.")
	framesDesc      = desc("frames_received_total", "Frames received.")
	writesDesc      = desc("writes_total", "Write calls on connections.")
	bytesDesc       = desc("sent_bytes_total", "Bytes written to connections.")
	loginsDesc      = desc("logins_total", "Logins granted.", "kind")
	peerDesc        = desc("peer_messages_total", "Peer messages accepted.")
	outcomesDesc    = desc("peer_outcomes_total", "What became of peer messages.", "outcome")
	channelDesc     = desc("channel_messages_total", "Channel messages accepted.")
	deliveriesDesc  = desc("channel_deliveries_total", "Channel messages put to members.")
	refusalsDesc    = desc("refused_requests_total", "Requests refused.", "op", "name")
	closesDesc      = desc("closes_total", "Connections closed by the server.", "reason")
	dropsDesc       = desc("drops_total", "What was not delivered, by reason.", "reason")
	rejectedDesc    = desc("rejected_connections_total", "Connections not accepted.", "reason")
	drainingDesc    = desc("draining", "1 while the server shuts down.")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("rtm_"+name, help, labels, nil)
}

func newMetrics(s *Server, r prometheus.Registerer) (*metrics, error) {
	m := &metrics{srv: s, closes: make(map[wire.CloseCode]uint64), refusals: make(map[wire.Code]uint64)}
	if r == nil {
		r = prometheus.NewRegistry()
	}
	if g, ok := r.(prometheus.Gatherer); ok {
		m.gatherer = g
	}
	if err := r.Register(m); err != nil {
		return nil, fmt.Errorf("refserver: Registerer: %w", err)
	}
	return m, nil
}

func (m *metrics) handler() http.Handler {
	if m.gatherer == nil {
		return http.NotFoundHandler()
	}
	return promhttp.HandlerFor(m.gatherer, promhttp.HandlerOpts{})
}

// add adds what a burst has counted.
func (m *metrics) add(c *counts) {
	for _, part := range [...]struct {
		total *atomic.Uint64
		n     uint64
	}{{&m.frames, c.frames}, {&m.peer, c.peer}, {&m.channel, c.channel}, {&m.deliveries, c.deliveries}, {&m.acks, c.acks}} {
		if part.n != 0 {
			part.total.Add(part.n)
		}
	}
}

// retire keeps the counters of a connection that ends.
func (m *metrics) retire(q *queue) {
	q.mu.Lock()
	calls, sent := q.calls, q.sent
	q.mu.Unlock()
	m.mu.Lock()
	m.calls += calls
	m.sent += sent
	m.mu.Unlock()
}

func (m *metrics) closed(code wire.CloseCode) {
	m.mu.Lock()
	m.closes[code]++
	m.mu.Unlock()
}

func (m *metrics) refused(code wire.Code) {
	m.mu.Lock()
	m.refusals[code]++
	m.mu.Unlock()
}

// Describe implements prometheus.Collector.
func (m *metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		connectionsDesc, sessionsDesc, usersDesc, channelsDesc, membersDesc, framesDesc, writesDesc, bytesDesc,
		loginsDesc, peerDesc, outcomesDesc, channelDesc, deliveriesDesc, refusalsDesc, closesDesc, dropsDesc,
		rejectedDesc, drainingDesc,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (m *metrics) Collect(ch chan<- prometheus.Metric) {
	counter := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, n int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(n), labels...)
	}
	s := m.srv
	conns, attached, lost, calls, sent := m.tally()
	gauge(connectionsDesc, conns)
	gauge(sessionsDesc, attached, "attached")
	gauge(sessionsDesc, lost, "lost")
	stats := s.engine.Stats()
	gauge(usersDesc, stats.Users)
	gauge(channelsDesc, stats.Channels)
	gauge(membersDesc, stats.Members)
	draining := 0
	if s.draining.Load() {
		draining = 1
	}
	gauge(drainingDesc, draining)

	counter(framesDesc, m.frames.Load())
	counter(writesDesc, calls)
	counter(bytesDesc, sent)
	counter(loginsDesc, m.logins.Load(), "fresh")
	counter(loginsDesc, m.resumes.Load(), "resumed")
	counter(peerDesc, m.peer.Load())
	for fate := range m.fates {
		if n := m.fates[fate].Load(); n > 0 {
			counter(outcomesDesc, n, fateName(fate))
		}
	}
	for r := range m.receipts {
		counter(outcomesDesc, m.receipts[r].Load(), receiptName(r))
	}
	counter(channelDesc, m.channel.Load())
	counter(deliveriesDesc, m.deliveries.Load())
	for r := range dropReasons {
		counter(dropsDesc, m.drops[r].Load(), r.String())
	}
	for r := range rejects {
		counter(rejectedDesc, m.rejected[r].Load(), r.String())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for code, n := range m.closes {
		counter(closesDesc, n, code.String())
	}
	for code, n := range m.refusals {
		counter(refusalsDesc, n, string(code.Op), code.Name)
	}
}

// tally walks the connections and sessions.
func (m *metrics) tally() (open, attached, lost int, calls, sent uint64) {
	m.mu.Lock()
	calls, sent = m.calls, m.sent
	m.mu.Unlock()
	conns, sessions := m.srv.all()
	for _, c := range conns {
		c.queue.mu.Lock()
		calls += c.queue.calls
		sent += c.queue.sent
		c.queue.mu.Unlock()
	}
	for _, u := range sessions {
		u.mu.Lock()
		switch {
		case u.conn != nil:
			attached++
		case !u.ended:
			lost++
		}
		u.mu.Unlock()
	}
	return len(conns), attached, lost, calls, sent
}

func fateName(fate int) string { return engine.Fate(fate).String() }
func receiptName(r int) string { return engine.Receipt(r).String() }
