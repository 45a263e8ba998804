package refserver

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// gorillaBuffer is the read buffer of the WebSocket library. It is small because the
// socket below reads into large memory from a pool.
const gorillaBuffer = 256

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(wire.Path, s.upgrade)
	mux.HandleFunc("GET /healthz", s.healthy)
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", s.metrics.handler())
	return mux
}

// upgrade turns a request into a connection with a goroutine of its own.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, sentence string) {
		w.Header().Set("Sec-WebSocket-Version", "13")
		http.Error(w, sentence, status)
	}
	switch {
	case !websocket.IsWebSocketUpgrade(r):
		refuse(http.StatusBadRequest, "This path speaks WebSocket only; connect with a WebSocket client.")
		return
	case !slices.Contains(websocket.Subprotocols(r), wire.Subprotocol):
		refuse(http.StatusBadRequest, "The client must offer the WebSocket subprotocol "+wire.Subprotocol+".")
		return
	case !s.originAllowed(r):
		refuse(http.StatusForbidden, "Pages of this origin may not connect to this server.")
		return
	}
	address := addressOf(r)
	if status, sentence := s.admit(address); status != 0 {
		w.Header().Set("Retry-After", "5")
		refuse(status, sentence)
		return
	}
	var c *conn
	upgrader := websocket.Upgrader{
		ReadBufferSize:  gorillaBuffer,
		WriteBufferSize: gorillaBuffer,
		WriteBufferPool: noBuffers{},
		Subprotocols:    []string{wire.Subprotocol},
		CheckOrigin:     func(*http.Request) bool { return true },
		Error: func(_ http.ResponseWriter, _ *http.Request, status int, reason error) {
			refuse(status, reason.Error())
		},
	}
	ws, err := upgrader.Upgrade(&hijacker{w, func(nc net.Conn) net.Conn {
		c = s.newConn(nc, address)
		return c
	}}, r, nil)
	if err != nil {
		s.release(address)
		return
	}
	c.ws = ws
	s.mu.Lock()
	s.conns[c] = struct{}{}
	if s.draining.Load() {
		c.leave.Store(true)
	}
	s.mu.Unlock()
	go c.serve()
}

// hijacker puts the server's own connection below the WebSocket library.
type hijacker struct {
	http.ResponseWriter
	wrap func(net.Conn) net.Conn
}

// Hijack takes the connection over from the HTTP server.
func (h *hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	nc, rw, err := http.NewResponseController(h.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, fmt.Errorf("this HTTP server cannot hand the connection over: %w", err)
	}
	return h.wrap(nc), rw, nil
}

// noBuffers keeps the WebSocket library from allocating a write buffer: it never
// writes messages here.
type noBuffers struct{}

func (noBuffers) Get() any { return nil }
func (noBuffers) Put(any)  {}

// admit counts a connection in, or says why not.
func (s *Server) admit(address netip.Addr) (status int, sentence string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining.Load():
		return http.StatusServiceUnavailable, "The server shuts down."
	case s.count >= s.cfg.MaxConnections:
		s.metrics.rejected[rejectServer].Add(1)
		return http.StatusServiceUnavailable, "The server has as many connections as it takes."
	case s.addresses[address] >= s.cfg.MaxConnectionsPerAddress:
		s.metrics.rejected[rejectAddress].Add(1)
		return http.StatusTooManyRequests, "This address has as many connections as the server takes from one."
	}
	s.count++
	s.open.Add(1)
	s.addresses[address]++
	return 0, ""
}

func (s *Server) release(address netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count--
	if s.addresses[address]--; s.addresses[address] == 0 {
		delete(s.addresses, address)
	}
	s.open.Done()
}

// addressOf returns the address of the client; the zero address where there is none.
func addressOf(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// originAllowed reports whether the page that the request comes from may connect. A
// request without Origin does not come from a page.
func (s *Server) originAllowed(r *http.Request) bool {
	origins := r.Header["Origin"]
	if len(origins) == 0 {
		return true
	}
	if len(origins) > 1 {
		return false
	}
	u, err := url.Parse(origins[0])
	if err != nil {
		return false
	}
	if strings.EqualFold(u.Host, r.Host) {
		return true
	}
	return slices.ContainsFunc(s.cfg.Origins, func(allowed string) bool {
		return allowed == "*" || strings.EqualFold(allowed, origins[0])
	})
}
