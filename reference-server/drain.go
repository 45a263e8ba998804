package refserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// closeInterval is the time between two closes of a drain, unless so many are open
// that the drain timeout asks for less.
const closeInterval = 10 * time.Millisecond

// Shutdown drains the server: it stops being ready, refuses new connections and
// logins, lets every connection finish the requests that have been read from it and
// write what waits for it, and closes the connections with 4100, spread over the drain
// timeout so that clients do not come back all at once. What still stands when the
// timeout or ctx ends is cut, and Shutdown then returns the error of ctx or
// context.DeadlineExceeded. Further calls wait for the first one.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.DrainTimeout)
	defer cancel()
	first := false
	s.shutdown.Do(func() { first = true })
	if !first {
		select {
		case <-s.ended:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer close(s.ended)
	err := s.drain(ctx)
	s.stop()
	<-s.swept
	if s.cfg.Engine == nil {
		err = errors.Join(err, s.engine.Close())
	}
	return err
}

func (s *Server) drain(ctx context.Context) error {
	s.mu.Lock()
	s.draining.Store(true)
	servers := s.listening
	var waiting []*conn
	var logged []*conn
	for c := range s.conns {
		if c.logged.Load() {
			logged = append(logged, c)
		} else {
			waiting = append(waiting, c)
		}
	}
	s.mu.Unlock()
	s.log.Info("draining", "connections", len(waiting)+len(logged))
	for _, server := range servers {
		// Connections that have been taken over do not count; this ends the listener.
		go server.Shutdown(ctx)
	}
	for _, c := range waiting {
		c.wake()
	}
	s.spread(ctx, logged)

	done := make(chan struct{})
	go func() {
		s.open.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	s.cut()
	<-done
	return ctx.Err()
}

// spread wakes the connections one after the other; each closes when it has handled
// what it has read.
func (s *Server) spread(ctx context.Context, conns []*conn) {
	if len(conns) == 0 {
		return
	}
	// Half of the time is for closing, the rest for the last bytes.
	pause := min(closeInterval, s.cfg.DrainTimeout/2/time.Duration(len(conns)))
	tick := time.NewTicker(max(pause, time.Microsecond))
	defer tick.Stop()
	for _, c := range conns {
		c.wake()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// cut closes what still stands. A TLS connection whose socket is full takes seconds to
// close, so none waits for another, and no lock is held.
func (s *Server) cut() {
	conns, _ := s.all()
	var closed sync.WaitGroup
	for _, c := range conns {
		if !c.ending.Load() {
			s.metrics.closed(wire.CloseDraining)
		}
		closed.Go(func() { _ = c.Conn.Close() })
	}
	closed.Wait()
}
