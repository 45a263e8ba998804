package faults

import (
	"bufio"
	"fmt"
	"net/http"
	"time"
)

// openTimeout bounds a connection of the proxy's own. The server is near: it is a tap of the suite.
const openTimeout = 5 * time.Second

// Open opens a WebSocket of the proxy's own to the server, as a client would that connects when it should not, and returns
// once the server has answered a ping on it. It stays open until the proxy is closed. When it cannot be opened, nothing
// happens. It may be called from hooks and from a [Plant].
func (p *Proxy) Open() {
	if p.closed {
		return
	}
	conn, err := p.dial()
	if err != nil {
		return
	}
	p.conns[conn] = true
	_ = conn.SetDeadline(time.Now().Add(openTimeout))
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: rtm.v1.json\r\n\r\n", p.target.RequestURI(), p.target.Host)
	from := bufio.NewReader(conn)
	response, err := http.ReadResponse(from, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		return
	}
	_, _ = conn.Write(control(OpPing, "").bytes(ToServer))
	_, _, _ = readFrame(from)
}
