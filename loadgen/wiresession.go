package loadgen

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

const (
	// tagBase divides the request ids: below are those of calls, from here on those of messages, as tagBase + Tag.
	tagBase = 1 << 32

	// maxQueued is how many bytes may wait for the socket before Queue refuses more.
	maxQueued = 1 << 20

	readBuffer = 16 << 10
	maxBatch   = 256 // events handed over at once
)

// wireSession is a session of a [WireDriver].
type wireSession struct {
	conn   net.Conn
	handle Handler
	server wire.Server
	limits wire.Limits
	ended  chan struct{} // closed when the reading goroutine is done

	// Writing. out[sent:] waits for the socket; a goroutine owns the writing while busy is true.
	mu             sync.Mutex
	out            []byte
	sent           int
	busy           bool
	wrote          bool      // since the reader last looked
	blocked        time.Time // since when the socket has held up the writing, while busy
	dead           *Failure
	spare          []byte
	frame, payload []byte
	keys           rand.PCG
	try            *writeTry

	// Calls: requests that somebody waits for.
	lastID  uint64
	waiting map[uint64]chan wire.Frame
	closing bool

	// Pauses of the reading. The flag tells the reader, without the lock, that it has to wait for resumed.
	paused  atomic.Bool
	resumed chan struct{}

	// Reading, all by the reading goroutine.
	in       []byte
	filled   int
	events   []Event
	texts    []byte // decoded bodies of the batch, where they do not stand in the buffer as they are
	partial  []byte
	peerSeq  uint64
	ackedSeq uint64
	idle     time.Duration
	closed   *Failure
}

func newWireSession(conn net.Conn, early []byte, handle Handler) *wireSession {
	s := &wireSession{
		conn: conn, handle: handle, ended: make(chan struct{}),
		waiting: map[uint64]chan wire.Frame{},
		in:      make([]byte, max(readBuffer, 2*len(early))),
		events:  make([]Event, 0, 16),
		keys:    *rand.NewPCG(rand.Uint64(), rand.Uint64()),
		try:     newWriteTry(conn),
		// Until the server has said how often.
		idle: wire.Millis(wire.DefaultLimits().PingIntervalMS) / 2,
	}
	s.filled = copy(s.in, early)
	return s
}

// loggedIn takes over what login.ok announced.
func (s *wireSession) loggedIn(ok *wire.LoginOK) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.server, s.limits = ok.Server, ok.Limits
}

// Server says who answered the login, and the limits it announced.
func (s *wireSession) Server() (wire.Server, wire.Limits) { return s.server, s.limits }

// Join makes the user a member of a channel.
func (s *wireSession) Join(ctx context.Context, channel string) error {
	_, err := s.call(ctx, wire.KindChannelJoin, func(id uint64) wire.Frame {
		return &wire.ChannelJoin{ID: id, Channel: channel}
	})
	return err
}

// Leave ends the membership of a channel.
func (s *wireSession) Leave(ctx context.Context, channel string) error {
	_, err := s.call(ctx, wire.KindChannelLeave, func(id uint64) wire.Frame {
		return &wire.ChannelLeave{ID: id, Channel: channel}
	})
	return err
}

// Queue takes a message to be sent at the next Flush.
func (s *wireSession) Queue(m Outgoing) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead != nil {
		return s.dead
	}
	if len(s.out)-s.sent+len(m.Body) > maxQueued {
		return errQueueFull
	}
	s.payload = appendPayload(s.payload[:0], m)
	if m.Channel {
		s.frame = wire.AppendChannelSend(s.frame[:0], tagBase+m.Tag, m.To, s.payload)
	} else {
		s.frame = wire.AppendPeerSend(s.frame[:0], tagBase+m.Tag, m.To, s.payload)
	}
	s.out = appendFrame(s.out, opText, s.frame, uint32(s.keys.Uint64()))
	return nil
}

func appendPayload(dst []byte, m Outgoing) []byte {
	if m.Raw {
		dst = append(dst, rawMember...)
		dst = base64.StdEncoding.AppendEncode(dst, m.Body)
	} else {
		dst = append(dst, textMember...)
		dst = append(dst, m.Body...)
	}
	return append(dst, '"')
}

var errQueueFull = &Failure{Op: "session", Class: ClassQueueFull, Text: fmt.Sprintf("more than %d bytes wait for the socket", maxQueued)}

// queueFrame takes a control or protocol frame.
func (s *wireSession) queueFrame(opcode byte, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.out = appendFrame(s.out, opcode, payload, uint32(s.keys.Uint64()))
}

// Flush starts writing what was queued.
func (s *wireSession) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy || s.dead != nil || s.sent == len(s.out) {
		return
	}
	s.wrote = true
	n, err := s.try.write(s.out[s.sent:])
	s.sent += n
	switch {
	case err != nil:
		s.fail(&Failure{Op: "session", Class: ClassWrite, Text: "write: " + err.Error()})
	case s.sent == len(s.out):
		s.out, s.sent = s.out[:0], 0
	default:
		s.busy, s.blocked = true, time.Now()
		go s.writeRest()
	}
}

// writeRest writes what the socket did not take at once, until nothing is left.
func (s *wireSession) writeRest() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.dead == nil && s.sent < len(s.out) {
		chunk := s.out[s.sent:]
		s.out, s.spare, s.sent = s.spare[:0], s.out, 0
		s.mu.Unlock()
		_, err := s.conn.Write(chunk)
		s.mu.Lock()
		if err != nil {
			s.fail(&Failure{Op: "session", Class: ClassWrite, Text: "write: " + err.Error()})
		}
	}
	s.busy = false
	if watcher, is := s.handle.(WriteWatcher); is && s.dead == nil {
		watcher.WriteBlocked(time.Since(s.blocked))
	}
}

// fail ends the session for writers; closing the connection ends it for the reader. The caller holds the lock.
func (s *wireSession) fail(f *Failure) {
	if s.dead == nil {
		s.dead = f
		_ = s.conn.Close()
	}
}

// call sends a request and waits for its answer.
func (s *wireSession) call(ctx context.Context, op wire.Kind, request func(id uint64) wire.Frame) (wire.Frame, error) {
	answer := make(chan wire.Frame, 1)
	s.mu.Lock()
	s.lastID++
	id := s.lastID
	s.waiting[id] = answer
	s.out = appendFrame(s.out, opText, request(id).Append(nil), uint32(s.keys.Uint64()))
	s.mu.Unlock()
	s.Flush()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
	}()
	select {
	case frame := <-answer:
		if refused, is := frame.(*wire.Error); is {
			return nil, refusal(op, refused)
		}
		return frame, nil
	case <-s.ended:
		select {
		case frame := <-answer:
			return frame, nil
		default:
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.dead != nil {
			return nil, &Failure{Op: string(op), Class: s.dead.Class, Code: s.dead.Code, Text: s.dead.Text}
		}
		return nil, &Failure{Op: string(op), Class: ClassRead, Text: "the connection ended before the answer came"}
	case <-ctx.Done():
		return nil, &Failure{Op: string(op), Class: ClassAckTimeout, Text: "no answer: " + context.Cause(ctx).Error()}
	}
}

// Cut breaks the connection off.
func (s *wireSession) Cut() {
	if c, ok := s.conn.(*net.TCPConn); ok {
		// A reset instead of a goodbye; and no port stays behind in the state that waits for late packets.
		_ = c.SetLinger(0)
	}
	s.abort()
}

// Pause stops reading, or goes on with it. Pings go on, for a slow reader is not a silent one.
func (s *wireSession) Pause(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case on == s.paused.Load():
	case on:
		s.resumed = make(chan struct{})
		s.paused.Store(true)
		// Wakes the reader.
		_ = s.conn.SetReadDeadline(time.Now())
	default:
		s.paused.Store(false)
		close(s.resumed)
	}
}

// Close logs out and waits until the server has closed the connection.
func (s *wireSession) Close(ctx context.Context) error {
	s.Pause(false)
	s.mu.Lock()
	s.closing = true
	dead := s.dead
	s.mu.Unlock()
	if dead != nil {
		<-s.ended
		return nil
	}
	_, err := s.call(ctx, wire.KindLogout, func(id uint64) wire.Frame { return &wire.Logout{ID: id} })
	if err == nil {
		select {
		case <-s.ended:
			return nil
		case <-ctx.Done():
			err = &Failure{Op: "logout", Class: ClassAckTimeout, Text: "the server did not close the connection: " + context.Cause(ctx).Error()}
		}
	}
	s.abort()
	return err
}

// abort closes the connection without a word and waits for the reader.
func (s *wireSession) abort() {
	s.Pause(false)
	s.mu.Lock()
	s.closing = true
	s.fail(&Failure{Op: "session", Class: ClassRead, Text: "closed"})
	s.mu.Unlock()
	<-s.ended
}

// read takes what the server sends until the connection ends.
func (s *wireSession) read() {
	defer close(s.ended)
	failure := s.readAll()
	_ = s.conn.Close()
	s.mu.Lock()
	if s.dead == nil {
		s.dead = failure
	} else {
		failure = s.dead
	}
	quiet := s.closing
	s.mu.Unlock()
	if !quiet {
		s.handle.Handle(time.Now(), append(s.events[:0], Event{Kind: Ended, Failure: failure}))
	}
}

func (s *wireSession) readAll() *Failure {
	now := time.Now()
	s.setDeadline(now)
	for {
		// A read that was under way when the pause began is handled behind the pause.
		if s.paused.Load() {
			s.rest()
			now = time.Now()
		}
		if failure := s.parse(now); failure != nil {
			return failure
		}
		n, err := s.conn.Read(s.in[s.filled:])
		now = time.Now()
		s.filled += n
		switch {
		case err == nil:
		case errors.Is(err, os.ErrDeadlineExceeded):
			s.keepAlive(now)
		case s.closed != nil:
			return s.closed
		case n == 0:
			return &Failure{Op: "session", Class: ClassRead, Text: "read: " + plainError(err)}
		}
	}
}

// plainError leaves addresses out of a network error.
func plainError(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number.Error()
	}
	return err.Error()
}

// setDeadline bounds the next read. A pause has set its own bound, which must stand.
func (s *wireSession) setDeadline(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.paused.Load() {
		_ = s.conn.SetReadDeadline(now.Add(s.idle))
	}
}

// rest waits until the pause is over.
func (s *wireSession) rest() {
	s.mu.Lock()
	resumed := s.resumed
	s.mu.Unlock()
	timer := time.NewTimer(s.idle)
	defer timer.Stop()
	for {
		select {
		case <-resumed:
			s.setDeadline(time.Now())
			return
		case now := <-timer.C:
			s.keepAlive(now)
			timer.Reset(s.idle)
		}
	}
}

// keepAlive pings if nothing was written since the last look. It looks twice per announced interval.
func (s *wireSession) keepAlive(now time.Time) {
	s.mu.Lock()
	quiet := !s.wrote
	s.wrote = false
	if s.limits.PingIntervalMS > 0 {
		s.idle = wire.Millis(s.limits.PingIntervalMS) / 2
	}
	if quiet && s.server != (wire.Server{}) {
		s.lastID++
		ping := wire.Ping{ID: s.lastID}
		s.out = appendFrame(s.out, opText, ping.Append(nil), uint32(s.keys.Uint64()))
	}
	s.mu.Unlock()
	if quiet {
		s.Flush()
	}
	s.setDeadline(now)
}

// parse handles all whole frames in the buffer and makes room for more.
func (s *wireSession) parse(at time.Time) *Failure {
	used := 0
	for {
		frame, size, need, err := nextFrame(s.in[used:s.filled])
		if err != nil {
			return &Failure{Op: "session", Class: ClassProtocol, Text: err.Error()}
		}
		if size == 0 {
			s.deliver(at)
			s.makeRoom(used, need)
			return nil
		}
		if failure := s.take(&frame); failure != nil {
			s.deliver(at)
			return failure
		}
		used += size
		if len(s.events) == maxBatch {
			s.deliver(at)
		}
	}
}

// makeRoom moves the rest of the buffer to its front and grows it if a frame of need bytes would not fit.
func (s *wireSession) makeRoom(used, need int) {
	rest := s.in[used:s.filled]
	if need > len(s.in) {
		grown := make([]byte, need+readBuffer)
		s.filled = copy(grown, rest)
		s.in = grown
		return
	}
	s.filled = copy(s.in, rest)
}

// deliver hands the batch over and then acknowledges the peer messages in it.
func (s *wireSession) deliver(at time.Time) {
	if len(s.events) > 0 {
		s.handle.Handle(at, s.events)
		s.events, s.texts = s.events[:0], s.texts[:0]
	}
	if s.peerSeq > s.ackedSeq {
		s.ackedSeq = s.peerSeq
		var space [64]byte
		s.queueFrame(opText, wire.AppendPeerAck(space[:0], s.peerSeq))
	}
	s.mu.Lock()
	pending := s.sent < len(s.out) && !s.busy
	s.mu.Unlock()
	if pending {
		s.Flush()
	}
}

// take handles one WebSocket frame.
func (s *wireSession) take(f *wsFrame) *Failure {
	switch f.opcode {
	case opText, opContinuation:
		if f.opcode == opText && f.final {
			return s.message(f.payload)
		}
		if len(s.partial)+len(f.payload) > maxFrame || (f.opcode == opText) != (s.partial == nil) {
			return &Failure{Op: "session", Class: ClassProtocol, Text: errFrame.Error()}
		}
		s.partial = append(append(make([]byte, 0, len(s.partial)+len(f.payload)+1), s.partial...), f.payload...)
		if f.final {
			whole := s.partial
			s.partial = nil
			return s.message(whole)
		}
		return nil
	case opPing:
		s.queueFrame(opPong, f.payload)
		return nil
	case opPong:
		return nil
	case opClose:
		s.closed = closeFailure(f.payload)
		s.queueFrame(opClose, f.payload[:min(2, len(f.payload))])
		return nil
	}
	return &Failure{Op: "session", Class: ClassProtocol, Text: "the server sent a binary or unknown WebSocket frame"}
}

func closeFailure(payload []byte) *Failure {
	code := 0
	if len(payload) >= 2 {
		code = int(binary.BigEndian.Uint16(payload))
	}
	class := ClassClosed
	switch c := wire.CloseCode(code); c {
	case wire.CloseRemoteLogin, wire.CloseBanned, wire.CloseTokenExpired:
		class = ClassKicked
	}
	return &Failure{Op: "session", Class: class, Code: code, Text: "it closed the connection: " + wire.CloseCode(code).String()}
}
