package loadgen

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rtmkit/rtmkit/sdk/wire"
)

// nullName is how the null server presents itself at login.
const nullName = "rtmkit-null"

// nullServer hands messages over and does nothing else: no tokens, no limits, no member events, no grace, no replay.
// What a run measures against it is the generator itself, the sockets and the machine.
type nullServer struct {
	mu      sync.RWMutex
	users   map[string]*nullConn
	rooms   map[string]*nullRoom
	open    map[*nullConn]struct{}
	closing bool
	tasks   sync.WaitGroup
}

// nullRoom is a channel. Its lock is held while a message is copied, so that all members see its seq grow.
type nullRoom struct {
	name    string
	mu      sync.Mutex
	seq     uint64
	members []*nullConn
}

// ServeNull serves the protocol on the listener at the least cost, as the floor of what can be measured, until ctx is
// done; then it closes every connection and returns nil. Every login is granted, whatever the app and the token, and
// ends an older one of the same user. A peer message is written to its receiver, and its receipt is true once the
// receiver has acknowledged it, as the protocol demands: so the floor holds the way to the receiver and back, and the
// ledger of a run balances. A channel message is copied to all other members. Pings, leaves and logouts are answered,
// all else is refused. It never checks sizes, rates or ids: it is no server for anybody but the generator.
func ServeNull(ctx context.Context, listener net.Listener) error {
	s := &nullServer{users: map[string]*nullConn{}, rooms: map[string]*nullRoom{}, open: map[*nullConn]struct{}{}}
	server := &http.Server{Handler: s, ReadHeaderTimeout: handshakeTimeout}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(listener)
	s.close()
	if ctx.Err() != nil && errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// close ends all connections and waits for their goroutines.
func (s *nullServer) close() {
	s.mu.Lock()
	s.closing = true
	for c := range s.open {
		_ = c.conn.Close()
	}
	s.mu.Unlock()
	s.tasks.Wait()
}

// ServeHTTP takes a connection and reads it to its end.
func (s *nullServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != wire.Path {
		http.NotFound(w, r)
		return
	}
	upgrader := websocket.Upgrader{Subprotocols: []string{wire.Subprotocol}, HandshakeTimeout: handshakeTimeout}
	ws, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the client has its answer
	}
	c := newNullConn(s, ws.NetConn())
	if !s.enter(c) {
		_ = ws.Close()
		return
	}
	defer s.tasks.Done()
	c.read()
	_ = c.conn.Close()
	s.forget(c)
}

func (s *nullServer) enter(c *nullConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || len(s.open) == maxSessions {
		return false
	}
	s.open[c] = struct{}{}
	s.tasks.Add(1)
	return true
}

// login makes the connection the one of the user.
func (s *nullServer) login(c *nullConn, uid string) {
	s.mu.Lock()
	older := s.users[uid]
	s.users[uid], c.uid = c, uid
	s.mu.Unlock()
	if older != nil {
		_ = older.conn.Close()
	}
}

// forget ends what a connection leaves behind: its user, its memberships, and the receipts that others wait for.
func (s *nullServer) forget(c *nullConn) {
	s.mu.Lock()
	delete(s.open, c)
	if s.users[c.uid] == c {
		delete(s.users, c.uid)
	}
	s.mu.Unlock()
	for _, room := range c.rooms {
		room.leave(c)
	}
	for _, r := range c.end() {
		c.answerSend(r, false)
	}
	c.flushAll()
}

func (s *nullServer) user(uid []byte) *nullConn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.users[string(uid)]
}

// room returns the channel, or nil when there are too many.
func (s *nullServer) room(channel string) *nullRoom {
	s.mu.Lock()
	defer s.mu.Unlock()
	room := s.rooms[channel]
	if room == nil && len(s.rooms) < maxSessions {
		room = &nullRoom{name: channel}
		s.rooms[channel] = room
	}
	return room
}

// join adds a member and returns what the answer tells.
func (r *nullRoom) join(c *nullConn) (seq uint64, count int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.seq == 0 {
		r.seq = uint64(time.Now().UnixMicro())
	}
	r.members = append(r.members, c)
	return r.seq, len(r.members)
}

func (r *nullRoom) leave(c *nullConn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, member := range r.members {
		if member == c {
			last := len(r.members) - 1
			r.members[i], r.members = r.members[last], r.members[:last]
			return
		}
	}
}

// take handles one protocol frame; false ends the connection.
func (c *nullConn) take(p []byte, now int64) bool {
	var e wire.Envelope
	if c.uid == "" || !wire.Scan(p, &e) {
		return c.rare(p)
	}
	switch e.Kind {
	case wire.KindPeerSend:
		if to := c.server.user(e.To); to == nil || !c.handOver(to, &e, now) {
			c.answerSend(nullReceipt{c, e.ID}, false)
		}
	case wire.KindPeerAck:
		acknowledged, ok := c.acknowledge(e.Seq)
		for _, r := range acknowledged {
			c.answerSend(r, true)
		}
		return ok
	case wire.KindChannelSend:
		room := c.rooms[string(e.Channel)]
		if room == nil {
			c.send(c, wire.Refuse(e.ID, wire.ChannelSendNotInChannel, "").Append(c.frame[:0]))
			return true
		}
		c.fanOut(room, &e, now)
		c.send(c, wire.AppendOK(c.frame[:0], wire.KindChannelSend, e.ID))
	case wire.KindPing:
		c.send(c, wire.AppendPong(c.frame[:0], e.ID))
	}
	return true
}

// fanOut copies a message to all other members of a channel.
func (c *nullConn) fanOut(room *nullRoom, e *wire.Envelope, now int64) {
	room.mu.Lock()
	defer room.mu.Unlock()
	room.seq++
	c.frame = wire.AppendChannelMessage(c.frame[:0], room.name, c.uid, room.seq, now, e.Payload)
	c.whole = appendServerFrame(c.whole[:0], opText, c.frame)
	for _, member := range room.members {
		if member != c {
			c.put(member, c.whole)
		}
	}
}

// rare handles what comes once in a connection's life.
func (c *nullConn) rare(p []byte) bool {
	frame, err := wire.Decode(p)
	if err != nil {
		return false
	}
	reply := func(f wire.Frame) { c.send(c, f.Append(c.frame[:0])) }
	switch f := frame.(type) {
	case *wire.Login:
		if c.uid != "" || wire.CheckID(f.UID) != nil {
			reply(wire.Refuse(f.ID, wire.LoginRejected, "a null server takes one login with a proper uid"))
			return true
		}
		c.server.login(c, f.UID)
		limits := wire.DefaultLimits()
		limits.Calls = nil
		reply(&wire.LoginOK{ID: f.ID, Session: rand.Text(), ServerTS: time.Now().UnixMilli(), Server: wire.Server{Name: nullName, Version: "1"}, Limits: limits})
	case *wire.ChannelJoin:
		var room *nullRoom
		if c.uid != "" && wire.CheckID(f.Channel) == nil && c.rooms[f.Channel] == nil {
			room = c.server.room(f.Channel)
		}
		if room == nil {
			reply(wire.Refuse(f.ID, wire.JoinFailure, "a null server takes each join once, after a login, with a proper id, and not without end"))
			return true
		}
		c.rooms[f.Channel] = room
		seq, count := room.join(c)
		reply(&wire.ChannelJoinOK{ID: f.ID, Seq: seq, Count: count})
	case *wire.ChannelLeave:
		room := c.rooms[f.Channel]
		if room == nil {
			reply(wire.Refuse(f.ID, wire.LeaveNotInChannel, ""))
			return true
		}
		delete(c.rooms, f.Channel)
		room.leave(c)
		reply(&wire.OK{Answers: wire.KindChannelLeave, ID: f.ID})
	case *wire.Logout:
		reply(&wire.OK{Answers: wire.KindLogout, ID: f.ID})
		c.put(c, appendServerFrame(nil, opClose, []byte{byte(wire.CloseNormal >> 8), byte(wire.CloseNormal & 0xff)}))
		return false
	case *wire.PeerSend: // not in canonical form, or before the login
		reply(wire.Refuse(f.ID, wire.PeerFailure, "a null server reads canonical frames after a login"))
	case *wire.ChannelSend:
		reply(wire.Refuse(f.ID, wire.ChannelSendFailure, "a null server reads canonical frames after a login"))
	case *wire.Unknown:
		if f.ID != 0 {
			reply(wire.Refuse(f.ID, wire.FrameUnknownKind, ""))
		}
	}
	return true
}
