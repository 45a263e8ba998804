package refserver

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rtmkit/rtmkit/reference-server/engine"
	"github.com/rtmkit/rtmkit/reference-server/engine/memory"
	"github.com/rtmkit/rtmkit/sdk/wire"
)

// Server is an RTM server. Make one with [New], mount its [Server.Handler] or call
// [Server.Serve], and end it with [Server.Shutdown].
type Server struct {
	cfg     Config
	log     *slog.Logger
	start   time.Time // start is the zero of all times kept as nanoseconds
	rates   rates
	engine  engine.Engine
	metrics *metrics
	pace    pace
	handler http.Handler

	draining atomic.Bool
	open     sync.WaitGroup  // open counts the connections
	ctx      context.Context // ctx is for the calls of the engine; it ends with the server
	stop     func()          // stop ends ctx, and the sweep with it
	swept    chan struct{}   // swept is closed when the sweep has ended
	shutdown sync.Once
	ended    chan struct{} // ended is closed when Shutdown is through

	mu        sync.Mutex
	count     int // count is how many connections are open or being upgraded
	addresses map[netip.Addr]int
	conns     map[*conn]struct{}
	sessions  map[sessionID]*session
	listening []*http.Server
}

// New returns a server that is ready to serve, or an error that lists everything that
// is wrong with cfg, see [Config.Validate]. It starts one goroutine, which Shutdown
// ends.
func New(cfg Config) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, log: cfg.Logger, start: time.Now(), rates: ratesOf(cfg.Limits), engine: cfg.Engine,
		swept: make(chan struct{}), ended: make(chan struct{}),
		addresses: make(map[netip.Addr]int), conns: make(map[*conn]struct{}), sessions: make(map[sessionID]*session),
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	if s.engine == nil {
		s.engine = memory.New(cfg.Limits)
	}
	var err error
	if s.metrics, err = newMetrics(s, cfg.Registerer); err != nil {
		return nil, err
	}
	s.handler = s.routes()
	go s.sweepUntilStopped()
	return s, nil
}

// Handler returns the handler with the routes /rtm/v1, /healthz, /readyz and /metrics.
// The last three are open to whoever reaches the handler, and hold no user or channel.
// It works behind any HTTP/1.1 server whose connections can be hijacked. On plain TCP
// connections it reads and writes without waiting, which is where its speed comes
// from; on others it is slower and otherwise the same.
func (s *Server) Handler() http.Handler { return s.handler }

// Serve accepts connections on l until Shutdown, with the timeouts and the header
// limit that a public listener wants. It returns http.ErrServerClosed after Shutdown.
func (s *Server) Serve(l net.Listener) error {
	server := &http.Server{
		Handler:           s.handler,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    8 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.mu.Lock()
	draining := s.draining.Load()
	if !draining {
		s.listening = append(s.listening, server)
	}
	s.mu.Unlock()
	if draining {
		_ = l.Close()
		return http.ErrServerClosed
	}
	return server.Serve(l)
}

// remember puts a new session into the table. It returns the code to close with when
// there is no place for it, and zero otherwise.
func (s *Server) remember(u *session) wire.CloseCode {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.draining.Load():
		return wire.CloseDraining
	case len(s.sessions) >= s.cfg.MaxSessions:
		return wire.CloseOverloaded
	}
	s.sessions[u.id] = u
	return 0
}

// drop takes a session that has ended out of the table.
func (s *Server) drop(u *session) {
	s.mu.Lock()
	delete(s.sessions, u.id)
	s.mu.Unlock()
}

// forget takes a connection that has ended out of the table.
func (s *Server) forget(c *conn) {
	s.metrics.retire(&c.queue)
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
	s.release(c.address)
}

// Ban ends the session that uid has in app, with the reason BANNED_BY_SERVER (rule
// 71), and reports whether there was one. It does not keep the user from logging in
// again; refuse it a token for that.
func (s *Server) Ban(app, uid string) bool {
	_, sessions := s.all()
	for _, u := range sessions {
		if u.app == app && u.uid == uid && u.ban() {
			return true
		}
	}
	return false
}

// all returns the connections and sessions of this moment.
func (s *Server) all() ([]*conn, []*session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Keys(s.conns)), slices.Collect(maps.Values(s.sessions))
}
