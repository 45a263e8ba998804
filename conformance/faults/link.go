package faults

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Link is one connection of a client through a proxy, with its connection to the server. The hooks are set while the link
// is made; a nil hook passes everything on. All hooks and timers of a proxy run one at a time, so they may share state
// without a lock of their own.
type Link struct {
	// Proxy is the proxy that the link belongs to.
	Proxy *Proxy
	// OnRequest may change the handshake of the client.
	OnRequest func(r *http.Request)
	// OnResponse may change the server's answer to the handshake: its status, header and body.
	OnResponse func(r *http.Response)
	// OnClient is called for each frame of the client; false swallows it.
	OnClient func(f *Frame) bool
	// OnPart is called now and then while a frame of the client comes in parts. Since only whole frames are passed on, the
	// server is told of the contact by a WebSocket pong; false keeps it from the server.
	OnPart func() bool
	// OnServer is called for each frame of the server; false swallows it.
	OnServer func(f *Frame) bool
	// OnClientGone is called when the client's connection has ended or was reset; false keeps the one to the server.
	OnClientGone func() bool
	// OnServerGone is called when the server's connection has ended; false keeps the one to the client.
	OnServerGone func() bool
	// UID, Session and App are those of the last login that went through and was answered with login.ok.
	UID, Session, App string

	ends   [2]net.Conn // by the way of what is written to it
	queues [2]queue
	parts  parts
	asked  map[int64]*Frame
	nextID int64
}

const keptRequests = 1000

// queue holds what is to be written one way. Hooks only append, so that they never wait for a slow reader.
type queue struct {
	mu      sync.Mutex // guards writing
	pending []byte     // guarded by the proxy
	closing bool
}

// ToClient sends a text message to the client, as if the server had sent it, before the frame that is being looked at.
func (l *Link) ToClient(format string, args ...any) {
	l.enqueue(ToClient, newFrame(fmt.Appendf(nil, format, args...)))
}

// ToServer sends a text message to the server, as if the client had sent it, before the frame that is being looked at.
func (l *Link) ToServer(format string, args ...any) {
	l.enqueue(ToServer, newFrame(fmt.Appendf(nil, format, args...)))
}

// Send sends any frame one way.
func (l *Link) Send(way Way, f *Frame) { l.enqueue(way, f) }

// CloseClient sends the client a close frame and ends its connection behind it. The server's end stays until it is cut or
// ends by itself.
func (l *Link) CloseClient(code int, reason string) {
	f := &Frame{Opcode: OpClose, Final: true, changed: true}
	f.SetClose(code, reason)
	l.enqueue(ToClient, f)
	l.queues[index(ToClient)].closing = true
}

// CutServer resets the connection to the server.
func (l *Link) CutServer() { reset(l.ends[index(ToServer)]) }

// CutClient resets the connection to the client.
func (l *Link) CutClient() { reset(l.ends[index(ToClient)]) }

// Request sends the server a request of the proxy's own and returns its id, which is far above those of any client. The
// answer passes OnServer like every frame of the server.
func (l *Link) Request(kind string, members map[string]any) int64 {
	l.nextID++
	id := int64(1)<<52 + l.nextID
	f := newFrame([]byte(`{}`))
	f.Set("kind", kind)
	f.Set("id", id)
	for name, value := range members {
		f.Set(name, value)
	}
	l.enqueue(ToServer, f)
	return id
}

// Own tells whether a frame answers a request of the proxy's own.
func (l *Link) Own(f *Frame) bool { return f.ID > 1<<52 && f.ID <= 1<<52+l.nextID }

// After calls a function once the time is over, unless the proxy was closed before.
func (l *Link) After(d time.Duration, do func()) { l.Proxy.after(d, do) }

// Asked returns the request of the client that a frame of the server answers, or nil. Of each link the last thousand
// requests are kept.
func (l *Link) Asked(f *Frame) *Frame { return l.asked[f.ID] }

// Activate counts an activation of the fault.
func (l *Link) Activate() { l.Proxy.Counter.Hit() }

func (l *Link) enqueue(way Way, f *Frame) {
	q := &l.queues[index(way)]
	if !q.closing {
		q.pending = append(q.pending, f.bytes(way)...)
		l.Proxy.written[writing{l, way}] = true
	}
}

func index(way Way) int {
	if way == ToClient {
		return 1
	}
	return 0
}

// write writes what hooks have left one way.
func (l *Link) write(way Way) error {
	q := &l.queues[index(way)]
	q.mu.Lock()
	defer q.mu.Unlock()
	l.Proxy.mu.Lock()
	pending, closing := q.pending, q.closing
	q.pending = nil
	l.Proxy.mu.Unlock()
	end := l.ends[index(way)]
	var err error
	if len(pending) > 0 {
		_ = end.SetWriteDeadline(time.Now().Add(writeTimeout))
		_, err = end.Write(pending)
	}
	if closing {
		closeWrite(end)
	}
	return err
}

// writeTimeout is how long an end may refuse what is written to it. Specs about readers that stop need less.
const writeTimeout = 30 * time.Second

// run makes the handshake and passes frames on until both ways have ended.
func (l *Link) run(client, server net.Conn) {
	l.ends = [2]net.Conn{server, client}
	l.parts = parts{Conn: client, came: l.partCame}
	fromClient, fromServer := bufio.NewReader(&l.parts), bufio.NewReader(server)
	if !l.handshake(fromClient, fromServer) {
		return
	}
	var pumps sync.WaitGroup
	pumps.Go(func() { l.pump(ToServer, fromClient) })
	pumps.Go(func() { l.pump(ToClient, fromServer) })
	pumps.Wait()
}

// handshake passes the HTTP exchange on and reports whether it opened a WebSocket.
func (l *Link) handshake(fromClient, fromServer *bufio.Reader) bool {
	client, server := l.ends[index(ToClient)], l.ends[index(ToServer)]
	request, err := http.ReadRequest(fromClient)
	if err != nil {
		return false
	}
	request.Host = l.Proxy.target.Host
	if l.OnRequest != nil {
		l.Proxy.hook(l, ToServer, func() { l.OnRequest(request) })
	}
	if err := request.Write(server); err != nil {
		return false
	}
	response, err := http.ReadResponse(fromServer, request)
	if err != nil {
		return false
	}
	if l.OnResponse != nil {
		l.Proxy.hook(l, ToClient, func() { l.OnResponse(response) })
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		response.Close = true
		_ = response.Write(client)
		closeWrite(client)
		return false
	}
	fmt.Fprintf(client, "HTTP/1.1 101 Switching Protocols\r\n")
	_ = response.Header.Write(client)
	_, err = io.WriteString(client, "\r\n")
	return err == nil
}

// pump passes one way's frames on.
func (l *Link) pump(way Way, from *bufio.Reader) {
	to := l.ends[index(way)]
	for {
		if way == ToServer {
			l.parts.begin(from.Buffered() > 0)
		}
		f, partial, err := readFrame(from)
		if way == ToServer {
			l.parts.end()
		}
		if err != nil {
			l.ended(way, partial, err)
			return
		}
		pass := true
		l.Proxy.hook(l, way, func() {
			l.learn(way, f)
			if hook := l.hookOf(way); hook != nil {
				pass = hook(f)
			}
			if pass {
				l.enqueue(way, f)
			}
		})
		if f.Payload == nil && f.Length > maxBuffered {
			var sink io.Writer = to
			if !pass {
				sink = io.Discard
			}
			if _, err := io.CopyN(sink, from, int64(min(f.Length, 1<<62))); err != nil {
				l.ended(way, nil, err)
				return
			}
		}
	}
}

func (l *Link) partCame() {
	l.Proxy.hook(l, ToServer, func() {
		if l.OnPart == nil || l.OnPart() {
			l.enqueue(ToServer, control(OpPong, ""))
		}
	})
}

func (l *Link) hookOf(way Way) func(*Frame) bool {
	if way == ToServer {
		return l.OnClient
	}
	return l.OnServer
}

// learn keeps who is logged in on the link.
func (l *Link) learn(way Way, f *Frame) {
	switch {
	case way == ToServer && f.ID != 0:
		if len(l.asked) >= keptRequests {
			clear(l.asked)
		}
		l.asked[f.ID] = f.clone()
	case way == ToClient && f.Is("login.ok") && l.asked[f.ID] != nil:
		l.UID, l.App, l.Session = l.asked[f.ID].Text("uid"), l.asked[f.ID].Text("app_id"), f.Text("session")
	}
}

// ended passes the end of one side on to the other: what came of a frame, and then an end like the one that was seen.
func (l *Link) ended(way Way, partial []byte, err error) {
	pass := true
	l.Proxy.hook(l, way, func() {
		gone := l.OnClientGone
		if way == ToClient {
			gone = l.OnServerGone
		}
		if gone != nil {
			pass = gone()
		}
		q := &l.queues[index(way)]
		if pass && !q.closing {
			q.pending = append(q.pending, partial...)
			l.Proxy.written[writing{l, way}] = true
		}
	})
	if !pass {
		return
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		closeWrite(l.ends[index(way)])
		return
	}
	// A reset, or an end of ours that was reset: nothing more can be said either way.
	reset(l.ends[0])
	reset(l.ends[1])
}

// closeWrite ends what is written to a connection, so that its reader sees the end behind everything else.
func closeWrite(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
		return
	}
	_ = conn.Close()
}

func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
